#!/usr/bin/env bash
# Build the images of this example without a registry, from Debian 12 and PyPI packages: front, cache and guestbook.
#
# On Debian 12 nothing is installed on the host: apt downloads the packages, dpkg unpacks them into a directory and
# `docker import` makes an image of it. Elsewhere the same happens inside a debian:12-slim container.
# An image that was built from the same files is left alone. Usage: build-images.sh [--force]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
user=10001:10001 # no image runs as root: the provider grants no capability, not even to change the user

declare -A image_of=(
  [front]=moorage-example/front:1
  [cache]=moorage-example/cache:1
  [guestbook]=moorage-example/guestbook:1
)
declare -A command_of=(
  [front]='["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]'
  [cache]='["/usr/bin/redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", "/tmp"]'
  [guestbook]='["/usr/bin/python3", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "guestbook:app"]'
)

content_hash() {
  (cd "$here" && cat build-images.sh images/rootfs.sh && find images -type f ! -name '*.pyc' | LC_ALL=C sort | xargs cat) \
    | sha256sum | cut -d ' ' -f 1
}

is_built() { # name hash
  [ "$(docker image inspect --format '{{index .Config.Labels "moorage.example.content"}}' "${image_of[$1]}" 2>/dev/null)" = "$2" ]
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
    PYTHON="$python" bash "$here/images/rootfs.sh" "$@"
  else
    docker run --rm -e http_proxy -e https_proxy -e PIP_INDEX_URL -v "$here/images:/images:ro" -v "$1:$1" debian:12-slim \
      bash /images/rootfs.sh "$@"
  fi
}

main() {
  local content name work
  local -a missing=()
  content="$(content_hash)"
  for name in front cache guestbook; do
    if [ "${1:-}" != --force ] && is_built "$name" "$content"; then
      echo "${image_of[$name]} is up to date"
    else
      missing+=("$name")
    fi
  done
  [ "${#missing[@]}" -gt 0 ] || return 0

  work="$(mktemp -d)"
  chmod 755 "$work" # apt downloads as its own user
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  build_rootfs "$work" "${missing[@]}"
  for name in "${missing[@]}"; do
    docker import --change "USER $user" --change "CMD ${command_of[$name]}" --change "ENV PYTHONPATH=/app:/app/site-packages" \
      --change "WORKDIR /tmp" --change "LABEL moorage.example.content=$content" "$work/$name.tar" "${image_of[$name]}" >/dev/null
    echo "${image_of[$name]} built"
  done
}

main "$@"
