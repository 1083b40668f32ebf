#!/usr/bin/env bash
# Installs what machines on this machine take (demo/hosts.py): programs that make networks and namespaces, and ssh, with
# which tests log in to what runs there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

is_root || fail "hosts of its own take the rights of root: run this with sudo"
missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v setpriv >/dev/null || missing+=(util-linux)
command -v dockerd >/dev/null || missing+=(docker.io)
command -v ssh >/dev/null || missing+=(openssh-client)
[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
