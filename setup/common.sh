# shellcheck shell=bash
# Sourced by the scripts of this folder: messages, and packages of the operating system.

# shellcheck disable=SC2034
root_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: ERROR: %s\n' "$@" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# Install Debian packages, or say what the reader has to run.
install_packages() {
    say "missing on this machine: $*"
    command -v apt-get >/dev/null || fail "no apt-get here: install the counterparts of $* and run this again"
    is_root || fail "not root: run this, then start again" "    sudo apt-get update && sudo apt-get install --no-install-recommends $*"
    say "installing with apt-get: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
