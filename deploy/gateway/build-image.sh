#!/usr/bin/env bash
# Build the image of the gateways without a registry: haproxy and nft from Debian 12's packages, and nothing else.
#
# On Debian 12 nothing is installed on the host: apt downloads the packages, dpkg unpacks them into a directory and
# `docker import` makes an image of it. Elsewhere the same happens inside a debian:12-slim container.
# An image that was built from the same files is left alone. Usage: build-image.sh [--force]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
image=moorage-gateway:1

content_hash() {
  (cd "$here" && cat build-image.sh rootfs.sh) | sha256sum | cut -d ' ' -f 1
}

is_built() { # hash
  [ "$(docker image inspect --format '{{index .Config.Labels "moorage.gateway.content"}}' "$image" 2>/dev/null)" = "$1" ]
}

is_debian_12() {
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

build_rootfs() { # directory
  if is_debian_12; then
    bash "$here/rootfs.sh" "$1"
  else
    docker run --rm -e http_proxy -v "$here:/gateway:ro" -v "$1:$1" debian:12-slim bash /gateway/rootfs.sh "$1"
  fi
}

main() {
  local content work
  content="$(content_hash)"
  if [ "${1:-}" != --force ] && is_built "$content"; then
    echo "$image is up to date"
    return 0
  fi
  work="$(mktemp -d)"
  chmod 755 "$work" # apt downloads as its own user
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  build_rootfs "$work"
  docker import --change "USER 65534:65534" --change 'CMD ["/usr/sbin/haproxy", "-v"]' \
    --change "LABEL moorage.gateway.content=$content" "$work/gateway.tar" "$image" >/dev/null
  echo "$image built"
}

main "$@"
