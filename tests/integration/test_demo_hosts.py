"""The demo's machines on this one: what is in them, what ends with them, and what is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiodocker
import pytest

from demo.hosts import LAN_ADDRESS, Host, Hosts, children
from demo.namespace_traces import traces
from tests.bytecode import ROOT
from tests.docker_world import IMAGE, engine_url, import_image
from tests.hosts import needs_hosts, running_hosts

pytestmark = [
    needs_hosts,
    pytest.mark.skipif(engine_url() is None, reason="no Docker engine to copy images from"),
    pytest.mark.timeout(300),
]
SERVER = """
import socket
server = socket.create_server(("0.0.0.0", 7000))
print("listens", flush=True)
while True:
    server.accept()[0].sendall(b"host")
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 7000), float(sys.argv[2])) as connection:
        print(connection.recv(9).decode() or "nobody")
except OSError:
    print("nobody")
"""
STARTER = """
import asyncio, sys
from pathlib import Path
from demo.hosts import LAN_ADDRESS, Hosts

async def main():
    hosts = Hosts(Path(sys.argv[1]))
    await hosts.start(1)
    print(hosts.machines[0].control_group, *hosts._networks, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    asyncio.run(make_image())
    with running_hosts(2, IMAGE) as started:
        yield started


def test_host__container_on_one_engine__not_on_the_other_nor_on_ours(hosts: Hosts) -> None:
    first, second = hosts.machines

    name = docker(first, "run", "--detach", "--memory", "32m", IMAGE, "/bin/sleep", "600")

    assert name in docker(first, "ps", "--quiet", "--no-trunc")
    assert docker(second, "ps", "--quiet", "--all") == ""
    assert name not in subprocess.run(["docker", "ps", "-aq", "--no-trunc"], capture_output=True, text=True).stdout


def test_host__container__its_network_is_entered(hosts: Hosts) -> None:
    host = hosts.machines[0]
    name = docker(host, "run", "--detach", IMAGE, "/bin/sleep", "600")
    state = json.loads(docker(host, "inspect", name))[0]

    shown = output(host.inside_container(state["State"]["Pid"], ["ip", "-brief", "-4", "address"]))

    assert state["NetworkSettings"]["IPAddress"] in shown


def test_host__service_of_another_host__answers_hosts_and_those_outside_and_nobody_here(hosts: Hosts) -> None:
    first, second = hosts.machines
    client = [sys.executable, "-c", CLIENT, second.address]
    command = [str(part) for part in second.inside([sys.executable, "-c", SERVER])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None and server.stdout.readline() == "listens\n"

        inside = output(first.inside([*client, "60"]))
        with hosts.outside():
            outside = output([*client, "60"])
        here = output([*client, "1"])

        assert (inside, outside, here) == ("host", "host", "nobody")
    finally:
        server.kill()
        server.wait()


def test_host__thread_is_outside_for_a_while__it_is_on_the_hosts_network_and_back(hosts: Hosts) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino

    with hosts.outside():
        addresses = output(["ip", "-brief", "-4", "address"])

    assert "203.0.113.1/24" in addresses
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


def test_host__powered_off__all_that_ran_in_it_is_gone_and_the_others_go_on() -> None:
    with running_hosts(2, IMAGE) as hosts:
        first, second = hosts.machines
        docker(first, "run", "--detach", IMAGE, "/bin/sleep", "600")
        inode = os.stat(f"/proc/{first.process.pid}/ns/net").st_ino

        first.power_off()

        left = [trace for trace in traces(hosts.folder, [first.control_group], [inode]) if trace != str(hosts.folder)]
        assert left == []
        assert docker(second, "info", "--format", "{{.ServerVersion}}")


def test_host__powered_off_a_second_time__ends_no_stranger_that_has_its_number_now(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with subprocess.Popen(["sh", "-c", "sleep 60; true"]) as stranger:
        try:
            while not children(stranger.pid):
                time.sleep(0.01)
            (child,) = children(stranger.pid)
            ended.pid = stranger.pid  # numbers are given out again

            Host("1", "203.0.113.11", tmp_path, ended).power_off()

            with pytest.raises(subprocess.TimeoutExpired):  # it would end with its child
                stranger.wait(1)
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_host__each_is_powered_off__the_bridge_keeps_its_address() -> None:
    with running_hosts(2, IMAGE) as hosts:
        seen = []
        for host in hosts.machines:
            with hosts.outside():
                seen.append(output(["ip", "-brief", "link", "show", "lan"]).split()[2])
            host.power_off()
            with hosts.outside():
                seen.append(output(["ip", "-brief", "link", "show", "lan"]).split()[2])

    assert set(seen) == {LAN_ADDRESS}


def test_host__powered_off_and_on_again__has_its_disk_and_its_place_on_the_network() -> None:
    with running_hosts(1, IMAGE) as hosts:
        (host,) = hosts.machines
        name = docker(host, "run", "--detach", IMAGE, "/bin/sleep", "600")
        host.power_off()

        asyncio.run(hosts.power_on(host))

        assert docker(host, "inspect", "--format", "{{.State.Status}}", name) == "exited"
        assert host.address in output(host.inside(["ip", "-brief", "-4", "address"]))


def test_hosts__their_starter_is_killed__nothing_runs_on() -> None:
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
        starter = subprocess.Popen([sys.executable, "-c", STARTER, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert starter.stdout is not None
        group, *networks = starter.stdout.readline().split()

        starter.send_signal(signal.SIGKILL)
        starter.wait()

        limit = time.monotonic() + 60
        while (left := traces(Path(folder), [group], [int(inode) for inode in networks])) != [folder]:
            assert time.monotonic() < limit, left
            time.sleep(0.1)


async def make_image() -> None:
    async with aiodocker.Docker(url=engine_url()) as ours:
        await import_image(ours)


def docker(host: Host, *arguments: str) -> str:
    return output(["docker", "--host", host.docker, *arguments])


def output(command: list[str | Path]) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()
