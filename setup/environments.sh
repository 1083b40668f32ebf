#!/usr/bin/env bash
# Installs everything that runs from the project's folder, and does nothing when the locks are as they were:
#   .venv          daemons, command line, tests, lint    (requirements/development.lock)
#   .venv-brownie  Brownie: contracts and their tests    (requirements/brownie.lock)
#   tools/         anvil, the development chain          (tools/package-lock.json), linked into both
# Each package is pinned, and checked against the hash in its lock.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root_folder"

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

missing=()
python=$(find_python)
[ -n "$python" ] || missing+=(python3)
{ [ -n "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; } || missing+=(python3-venv)
command -v npm >/dev/null || missing+=(nodejs npm)
command -v git >/dev/null || missing+=(git)
[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
python=$(find_python)
[ -n "$python" ] || fail "no Python of version 3.11 or later on PATH"

# One set-up at a time: several make targets may need it at once.
mkdir -p .setup
exec 9>.setup/lock
flock 9

# up_to_date STAMP FILE...: whether STAMP was written for these files, this Python and this folder.
up_to_date() {
    local stamp=$1
    shift
    current=$(printf '%s\n' "$root_folder" "$("$python" -V)" "$(sha256sum "$@")" | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$current" ]
}

pinned() { "$1/bin/python" -m pip install --quiet --require-hashes "${@:2}"; }

# A lock is complete, so nothing is resolved. uv is ten times as fast; pip knows the settings of a machine that has
# an index or certificates of its own.
pinned_fast() {
    .venv/bin/uv pip install --quiet --python "$1" --compile-bytecode --require-hashes --no-deps \
        --no-build-isolation "${@:2}" ||
        { say "uv could not, now with pip" && pinned "$1" --no-deps --no-build-isolation "${@:2}"; }
}

if ! up_to_date tools/node_modules/.stamp tools/package-lock.json; then
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "tools/package-lock.json has anvil for Linux on x86_64 only"
    say "tools: installing anvil with npm"
    (cd tools && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    echo "$current" >tools/node_modules/.stamp
fi
# The native binary, not npm's wrapper: that one would leave it running when it is killed.
anvil=$(echo tools/node_modules/@foundry-rs/anvil-linux-*/bin/anvil)
[ -x "$anvil" ] || fail "npm installed no anvil: remove tools/node_modules and run this again"

if ! up_to_date .venv/.stamp requirements/build.lock requirements/development.lock; then
    say ".venv: installing what daemons, command line and tests need, with pip and uv"
    "$python" -m venv --clear .venv
    pinned .venv -r requirements/build.lock
    pinned_fast .venv -r requirements/development.lock
    ln -sf "../../$anvil" .venv/bin/anvil
    echo "$current" >.venv/.stamp
fi
if ! up_to_date .venv/.stamp-project pyproject.toml; then
    say ".venv: linking the project itself"
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
    echo "$current" >.venv/.stamp-project
fi

if ! up_to_date .venv-brownie/.stamp requirements/build.lock requirements/brownie.lock; then
    say ".venv-brownie: installing Brownie with uv, built from source as plain Python"
    "$python" -m venv --clear .venv-brownie
    pinned_fast .venv-brownie -r requirements/build.lock
    BROWNIE_NOCOMPILE=1 BROWNIE_LIB=1 pinned_fast .venv-brownie -r requirements/brownie.lock
    ln -sf "../../$anvil" .venv-brownie/bin/anvil
    echo "$current" >.venv-brownie/.stamp
fi
mkdir -p .brownie-home

say "environments are ready"
