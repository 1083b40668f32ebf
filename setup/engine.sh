#!/usr/bin/env bash
# Finds a Docker engine, or installs and starts one:  engine.sh [start | stop | configuration FILE]
# `start` (what `make demo` and `make test` call) leaves the engine running; `stop` ends one that `start` has started
# by hand. The engine found is $DOCKER_HOST or, without it, /var/run/docker.sock. `configuration` writes what an engine
# of ours is started with.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

oldest_api=1.41
socket=/var/run/docker.sock
state=/var/lib/moorage-engine
pid_file=/run/moorage-engine.pid

# Say what answers at an address: "usable", "unusable: why", or nothing.
probe() {
    python3 - "$1" "$oldest_api" <<'PYTHON'
import http.client, json, socket, sys
from urllib.parse import urlsplit

address, oldest = urlsplit(sys.argv[1]), sys.argv[2]
connection = http.client.HTTPConnection(address.hostname or "localhost", address.port or 2375, timeout=5)
try:
    if address.scheme == "unix":
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        connection.sock.connect(address.path)
    connection.request("GET", "/version", headers={"Host": "localhost"})
    version = json.load(connection.getresponse())
    number = lambda text: tuple(int(part) for part in text.split("."))
    if version["Os"] != "linux":
        print(f"unusable: it runs {version['Os']} containers")
    elif number(version["ApiVersion"]) < number(oldest):
        print(f"unusable: its API is {version['ApiVersion']}, at least {oldest} is needed")
    else:
        print("usable")
except PermissionError:
    print("unusable: this user may not open it (is it in the group docker?)")
except (OSError, ValueError, KeyError, http.client.HTTPException):
    pass
PYTHON
}

# What differs from the engine's defaults: it may restart under running containers, containers gain no privileges
# and do not reach each other by default, logs are bounded, and there is room for more than 30 networks.
write_configuration() {
    cat >"$1" <<'JSON'
{
  "bip": "10.127.255.1/24",
  "default-address-pools": [{"base": "10.128.0.0/9", "size": 28}],
  "icc": false,
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": {"max-size": "5m", "max-file": "2"},
  "no-new-privileges": true,
  "userland-proxy": false
}
JSON
}

has_systemd() { [ -d /run/systemd/system ]; }

wait_until_usable() {
    for _ in $(seq 100); do
        [ "$(probe "unix://$socket")" != usable ] || return 0
        sleep 0.3
    done
    return 1
}

start_by_hand() {
    say "starting dockerd by hand: socket $socket, data and log in $state"
    mkdir -p "$state"
    write_configuration "$state/daemon.json"
    rm -f "$pid_file"
    setsid dockerd --config-file "$state/daemon.json" --data-root "$state/data" --exec-root /run/moorage-engine \
        --host "unix://$socket" --pidfile "$pid_file" </dev/null >>"$state/log" 2>&1 &
    wait_until_usable && return
    tail -n 20 "$state/log" >&2
    fail "dockerd did not start; above are the last lines of $state/log"
}

start() {
    command -v python3 >/dev/null || install_packages python3
    local address=${DOCKER_HOST:-unix://$socket} found
    case $address in unix://* | tcp://*) ;; *) fail "DOCKER_HOST=$address: only unix:// and tcp:// are supported" ;; esac
    found=$(probe "$address")
    case $found in
    usable)
        say "Docker engine at $address is usable"
        return
        ;;
    unusable*) fail "Docker engine at $address is $found" ;;
    esac
    [ -z "${DOCKER_HOST:-}" ] || fail "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST: start it, or unset DOCKER_HOST"
    is_root || fail "no Docker engine answers at $address, and only root can start one: run this, then start again" \
        "    sudo $root_folder/setup/engine.sh && sudo usermod -aG docker \$USER && newgrp docker"

    if ! command -v dockerd >/dev/null; then
        if has_systemd && [ ! -e /etc/docker/daemon.json ]; then
            say "writing /etc/docker/daemon.json"
            mkdir -p /etc/docker
            write_configuration /etc/docker/daemon.json
        fi
        install_packages docker.io
        # On some machines the package starts its service.
        if [ -e /var/run/docker.pid ] && wait_until_usable; then
            say "Docker engine at unix://$socket is usable"
            return
        fi
    fi
    if has_systemd; then
        say "starting the service docker with systemctl"
        systemctl enable --now docker
        wait_until_usable || fail "the service docker did not start: see journalctl -u docker"
    else
        start_by_hand
    fi
    say "Docker engine at unix://$socket is usable"
}

stop() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null || true)
    if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
        say "no engine runs that setup has started by hand"
        return
    fi
    kill "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.2; done
    say "stopped the engine; its data is kept in $state"
}

case ${1:-start} in
start | stop) "${1:-start}" ;;
configuration) write_configuration "$2" ;;
*) fail "usage: engine.sh [start | stop | configuration FILE]" ;;
esac
