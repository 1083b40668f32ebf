#!/usr/bin/env bash
# Build images of the examples without a registry, from Debian 12 and PyPI packages.
#
# On Debian 12 nothing is installed on the host: apt downloads the packages, dpkg unpacks them into a directory and
# `docker import` makes an image of it. Elsewhere the same happens inside a debian:12-slim container.
# An image that was built from the same files is left alone. Usage: build.sh [--force] NAME...
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
user=10001:10001 # no image runs as root: the provider grants no capability, not even to change the user
force=

declare -A command_of=(
  [nginx]='["/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"]'
  [front]='["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]'
  [cache]='["/usr/bin/redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", "/tmp"]'
  [database]='["/bin/sh", "/app/start-database"]'
  [linux]='["/bin/sh", "/usr/local/bin/start-sshd"]'
  [guestbook]='["/usr/bin/python3", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "guestbook:app"]'
  [pages]='["/usr/bin/python3", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "pages:app"]'
  [jobs]='["/usr/bin/python3", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "jobs:app"]'
)

# Where the files of an image are that belong to an example.
declare -A files_of=(
  [linux]=../linux-box
)

image_of() { # name
  echo "moorage-example/$1:1"
}

content_hash() { # name ; of all that the image is made of: some requirements are shared
  (cd "$here" && cat build.sh rootfs.sh && find "$1" guestbook/requirements.txt "${files_of[$1]:-none}" -type f \
    ! -name '*.pyc' 2>/dev/null | LC_ALL=C sort | xargs cat) | sha256sum | cut -d ' ' -f 1
}

is_built() { # name
  local label
  label="$(docker image inspect --format '{{index .Config.Labels "moorage.example.content"}}' "$(image_of "$1")" 2>/dev/null)"
  [ "$label" = "$(content_hash "$1")" ]
}

python_with_pip() { # prints one: the project's own, or this system's
  local python
  for python in "$here/../../.venv/bin/python" python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  return 1
}

is_debian_12() {
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

build_rootfs() { # directory names...
  local python
  if is_debian_12 && python="$(python_with_pip)"; then
    PYTHON="$python" bash "$here/rootfs.sh" "$@"
  else
    docker run --rm -e http_proxy -e https_proxy -e PIP_INDEX_URL -v "$here/..:/examples:ro" -v "$1:$1" debian:12-slim \
      bash /examples/images/rootfs.sh "$@"
  fi
}

import() { # name archive
  docker import --change "USER $user" --change "CMD ${command_of[$1]}" --change "ENV PYTHONPATH=/app:/app/site-packages" \
    --change "WORKDIR /tmp" --change "LABEL moorage.example.content=$(content_hash "$1")" "$2" "$(image_of "$1")" >/dev/null
  echo "$(image_of "$1") built"
}

wait_for_others() { # of this folder: two that build the same images would do all of it twice
  exec 9<"$here"
  ! command -v flock >/dev/null || flock 9
}

main() {
  local name work
  local -a missing=()
  wait_for_others
  for name in "$@"; do
    case "$name" in
      --force) force=yes ;;
      *)
        [ -n "${command_of[$name]:-}" ] || { echo "build.sh: no image is called $name" >&2 && return 2; }
        if [ -z "$force" ] && is_built "$name"; then
          echo "$(image_of "$name") is up to date"
        else
          missing+=("$name")
        fi
        ;;
    esac
  done
  [ "${#missing[@]}" -gt 0 ] || return 0

  work="$(mktemp -d)"
  chmod 755 "$work" # apt downloads as its own user
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  build_rootfs "$work" "${missing[@]}"
  for name in "${missing[@]}"; do import "$name" "$work/$name.tar"; done
}

main "$@"
