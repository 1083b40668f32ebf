"""What a workload reaches, tried from inside on a machine of its own: with egress off, and with egress allowed.

The machine is at 203.0.113.11. Its only neighbour plays the internet, its provider's network and the metadata services.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import aiodocker
import pytest

from demo.hosts import OUTSIDE, Host, Hosts
from provider_agent.core.containers import Attachment, ContainerSpec, Labels, NetworkKind, NetworkSpec, Observed
from provider_agent.core.firewall import EgressPolicy, table_name
from provider_agent.core.gateway_container import DEFAULT_IMAGE as GATEWAY_IMAGE
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.engine import EngineRefused
from provider_agent.shell.firewall import Firewall
from tests.docker_world import build_gateway_image, engine_url
from tests.hosts import needs_hosts, running_hosts
from tests.probe_image import IMAGE, PYTHON, import_probe_image

pytestmark = [
    needs_hosts,
    pytest.mark.skipif(engine_url() is None, reason="no Docker engine to copy images from"),
    pytest.mark.timeout(400),
]
PROBES = Path(__file__).parent.parent / "probes"
OWNER: Labels = (("moorage.provider", "7"),)
INTERNET = f"{OUTSIDE} 80"
MAIL = f"{OUTSIDE} 25"
ELSEWHERE = ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.168.233.7", "172.20.5.5", "10.99.99.7")
"""Metadata services and machines of the provider's network; 10.99.99.7 is one that the policy of a test allows."""
ATTEMPTS = 3
LISTENING = (22, 80, 2375, 9421)
SERVER = (str(PYTHON), "-c", (PROBES / "listener.py").read_text(), "", "80")


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    asyncio.run(_prepare())
    with running_hosts(1, IMAGE, GATEWAY_IMAGE) as started, _neighbour(started):
        add_foreign_network(started.machines[0])
        yield started


async def _prepare() -> None:
    url = engine_url()
    assert url is not None
    async with aiodocker.Docker(url=url) as docker:
        await import_probe_image(docker)
    await asyncio.to_thread(build_gateway_image, url)


@contextmanager
def _neighbour(hosts: Hosts) -> Iterator[None]:
    """Let the neighbour have all the addresses, and greet on it and on the machine itself."""
    with hosts.outside():
        for address in ELSEWHERE:
            subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lan"], check=True)
        neighbour = _listening([], hosts.folder / "outside", (80, 25))
    host = hosts.machines[0]
    own = _listening(host.inside([]), hosts.folder / "host", LISTENING)
    try:
        yield
    finally:
        for process in (neighbour, own):
            process.kill()
            process.wait()


def _listening(prefix: list[str | Path], queries: Path, ports: tuple[int, ...]) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, PROBES / "listener.py", queries, *map(str, ports)]
    process = subprocess.Popen([str(part) for part in command])
    limit = time.monotonic() + 60
    while not queries.exists():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.02)
    return process


@pytest.fixture
async def engine(hosts: Hosts) -> AsyncIterator[DockerEngine]:
    options = DockerOptions(stop_seconds=0, egress_fault=lambda: None)
    async with connected(hosts.machines[0].docker, OWNER, options) as opened:
        yield opened
        observed = await opened.observe()
        for container in observed.containers:
            await opened.remove_container(container.name)
        for network in observed.networks:
            await opened.remove_network(network.name)


def workload(name: str, *networks: str, place: int = 3) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        labels=OWNER,
        image=IMAGE,
        hostname=name,
        command=SERVER,
        args=(),
        env=(),
        user="0:0",
        is_read_only=False,
        milli_cpu=500,
        memory_bytes=2**27,
        attachments=tuple(Attachment(network, None, place) for network in networks),
        published_ports=(),
        mounts=(),
        mount_labels=OWNER,
        restarts=0,
    )


async def start(engine: DockerEngine, spec: ContainerSpec, **kinds: NetworkKind) -> None:
    for name, kind in kinds.items():
        await engine.ensure_network(NetworkSpec(name, OWNER, kind, 16))
    await engine.ensure_container(spec)


def inside(host: Host, name: str, *targets: str) -> dict[str, str]:
    """Return how targets answer a program in a container."""
    script = (PROBES / "targets.py").read_text()
    return tried(["docker", "--host", host.docker, "exec", name, PYTHON, "-c", script, *targets])


def tried(command: list[str | Path]) -> dict[str, str]:
    answers = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = json.loads(answers)
    return found


def reached(answers: dict[str, str]) -> set[str]:
    return {target for target, answer in answers.items() if answer not in ("silent", "unreachable")}


def all_reached(ask: Callable[[], dict[str, str]], expected: set[str]) -> set[str]:
    """Return what is reached; it is tried again while only a part of it is: a busy machine may answer too late."""
    found: set[str] = set()
    for _ in range(ATTEMPTS):
        found = reached(ask())
        if not found < expected:
            break
    return found


async def address_of(engine: DockerEngine, name: str, place: int) -> str:
    networks = {each.name: each for each in (await engine.observe()).networks}
    return str(networks[name].address(place))


async def forbidden(engine: DockerEngine, host: Host) -> list[str]:
    """Start what else there may be on a machine, and return where no workload may get to."""
    await start(engine, workload("other", "other-own"), **{"other-own": NetworkKind.INTERNAL})
    await start(engine, workload("gateway", "front"), front=NetworkKind.FRONT)
    await start(engine, workload("talker", "talker-out"), **{"talker-out": NetworkKind.EGRESS})
    front, talker = [await address_of(engine, name, 1) for name in ("front", "talker-out")]
    return [
        *(f"{host.address} {port}" for port in LISTENING),  # sshd, a service, the engine's API, the agent's metrics
        "10.127.255.1 22",  # the engine's first bridge
        "10.66.0.1 22",  # that of somebody's own network
        f"{front} 22",
        f"{talker} 22",
        f"{await address_of(engine, 'other-own', 3)} 80",  # another lease's workload
        f"{await address_of(engine, 'front', 3)} 80",  # another lease's gateway, not by its published port
        f"{await address_of(engine, 'talker-out', 3)} 80",
        *(f"{address} 80" for address in ELSEWHERE),
        f"{link_local(host)}%eth0 22",
        MAIL,
    ]


def add_foreign_network(host: Host) -> None:
    create = ["docker", "--host", host.docker, "network", "create", "--subnet", "10.66.0.0/24", "foreign"]
    subprocess.run(create, check=True, capture_output=True)


def link_local(host: Host) -> str:
    command = [str(part) for part in host.inside(["ip", "-6", "-brief", "addr", "show", "eth0"])]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(part.partition("/")[0] for part in shown.split() if part.startswith("fe80"))


def from_the_machine(host: Host, *targets: str) -> dict[str, str]:
    return tried([*host.inside([sys.executable, PROBES / "targets.py"]), *targets])


def firewall(host: Host, policy: EgressPolicy) -> Firewall:
    return Firewall(host.docker, OWNER, GATEWAY_IMAGE, policy)


async def test_i07_i09_workload__egress_is_off__reaches_nothing_though_no_rule_is_there(
    hosts: Hosts, engine: DockerEngine
) -> None:
    host = hosts.machines[0]
    targets = [*await forbidden(engine, host), INTERNET]
    await start(engine, workload("web", "web-own"), **{"web-own": NetworkKind.INTERNAL})
    own = [f"{await address_of(engine, 'web-own', place)} 80" for place in (1, 2)]

    there = all_reached(lambda: from_the_machine(host, *targets), set(targets))
    answers = all_reached(lambda: inside(host, "web", *targets, *own, "127.0.0.1 80"), {"127.0.0.1 80"})

    assert len(targets) - len(there) <= 1, "the targets have to be there"  # the workload on a network without the host
    assert answers == {"127.0.0.1 80"}


async def test_i07_i09_i27_workload__egress_is_allowed__reaches_the_internet_and_nothing_else(
    hosts: Hosts, engine: DockerEngine
) -> None:
    host = hosts.machines[0]
    targets = await forbidden(engine, host)
    await start(engine, workload("web", "web-out"), **{"web-out": NetworkKind.EGRESS})
    own = f"{await address_of(engine, 'web-out', 1)} 22"
    unguarded = inside(host, "web", *targets, INTERNET, own)
    rules = firewall(host, EgressPolicy(is_allowed=True))
    await rules.keep()
    assert rules.fault is None
    try:
        answers = all_reached(lambda: inside(host, "web", *targets, INTERNET, own), {INTERNET})
    finally:
        await rules.remove()

    assert len(reached(unguarded)) > 10, "without the rules it has to be possible"
    assert answers == {INTERNET}


async def test_i07_policy__opens_and_closes_more__is_kept_to(hosts: Hosts, engine: DockerEngine) -> None:
    host = hosts.machines[0]
    await start(engine, workload("web", "web-out"), **{"web-out": NetworkKind.EGRESS})
    targets = [INTERNET, MAIL, *(f"{address} 80" for address in ELSEWHERE)]
    policy = EgressPolicy(
        is_allowed=True,
        allow=(IPv4Network("10.99.99.0/24"),),
        deny=(IPv4Network(f"{OUTSIDE}/32"),),
        deny_ports=(),
    )
    found, allowed = [], [{"10.99.99.7 80"}, {"10.99.99.7 80", INTERNET, MAIL}, set[str]()]
    policies = policy, replace(policy, deny=()), replace(policy, is_allowed=False)
    try:
        for each, expected in zip(policies, allowed, strict=True):
            await firewall(host, each).keep()
            found.append(all_reached(lambda: inside(host, "web", *targets), expected))
    finally:
        await firewall(host, policy).remove()

    assert found == allowed


async def test_i07_workload__asks_for_a_name__is_heard_by_nobody_but_the_policys_servers(
    hosts: Hosts, engine: DockerEngine
) -> None:
    host = hosts.machines[0]
    rules = firewall(host, EgressPolicy(is_allowed=True, name_servers=(IPv4Address(OUTSIDE),)))
    await rules.keep()
    heard = [hosts.folder / "host", hosts.folder / "outside"]
    try:
        await start(engine, workload("deaf", "deaf-own"), **{"deaf-own": NetworkKind.INTERNAL})
        await start(engine, workload("out", "out-out"), **{"out-out": NetworkKind.EGRESS})
        named = replace(workload("named", "named-out"), name_servers=(OUTSIDE,))
        await start(engine, named, **{"named-out": NetworkKind.EGRESS})
        counts = [0, *([each.read_text().count("query") for each in heard])]

        answers = []
        for name in ("deaf", "out", "named"):
            answers.append(inside(host, name, "leak.example 80"))
            counts.append([each.read_text().count("query") for each in heard])
    finally:
        await rules.remove()

    assert [reached(each) for each in answers] == [set(), set(), {"leak.example 80"}]
    assert counts[-2] == counts[1:3], "neither the machine's own resolver nor another is asked"
    assert counts[-1][0] == counts[1] and counts[-1][1] > counts[2]


async def test_i08_firewall__others_tables_and_rules__are_left_as_they_are(hosts: Hosts) -> None:
    host = hosts.machines[0]
    other = firewall(host, EgressPolicy())
    other._owner = (("moorage.provider", "8"),)
    await other.keep()
    before = ruleset(host)
    rules = firewall(host, EgressPolicy(is_allowed=True))

    await rules.keep()
    during = ruleset(host)
    await rules.remove()

    assert table_name(OWNER) in during
    assert during.replace(during[during.index(f"table inet {table_name(OWNER)}") :], "") == before
    assert ruleset(host) == before
    await other.remove()


async def test_i08_firewall__rules_are_flushed_by_somebody__are_there_again_at_the_next_look(hosts: Hosts) -> None:
    host = hosts.machines[0]
    rules = firewall(host, EgressPolicy(is_allowed=True))
    await rules.keep()
    expected = ruleset(host)
    nft(host, f"flush chain inet {table_name(OWNER)} forward")
    assert ruleset(host) != expected

    await rules.keep()

    assert (ruleset(host), rules.fault) == (expected, None)
    await rules.remove()
    assert not await rules.is_there()


def ruleset(host: Host) -> str:
    """Return the tables of the machine without the engine's own, which change with its networks."""
    tables = [line for line in nft(host, "list tables").splitlines() if " inet " in line]
    return "".join(nft(host, "-s", f"list {table}") for table in tables)


def nft(host: Host, *arguments: str) -> str:
    privileges = ["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "0:0"]
    run = ["docker", "--host", host.docker, "run", "--rm", *privileges, GATEWAY_IMAGE, "/usr/sbin/nft", *arguments]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout


async def test_i07_workload__rules_are_not_in_place__does_not_start_and_says_why(hosts: Hosts) -> None:
    host = hosts.machines[0]
    rules = Firewall(host.docker, OWNER, IMAGE, EgressPolicy(is_allowed=True))  # an image without nft
    await rules.keep()
    spec = replace(workload("web", "web-out"), is_let_out=True)
    options = DockerOptions(stop_seconds=0, egress_fault=lambda: rules.fault)
    async with connected(host.docker, OWNER, options) as engine:
        with pytest.raises(EngineRefused, match=r"rules that keep it from its host are not in place: .*nft"):
            await engine.ensure_network(NetworkSpec("web-out", OWNER, NetworkKind.EGRESS, 16))
        with pytest.raises(EngineRefused, match="not in place"):
            await engine.ensure_container(spec)

        assert await engine.observe() == Observed()


async def test_i07_rules__gone_and_cannot_be_put_back__is_known(hosts: Hosts) -> None:
    host = hosts.machines[0]
    rules = firewall(host, EgressPolicy(is_allowed=True))
    await rules.keep()
    nft(host, f"delete table inet {table_name(OWNER)}")
    rules._policy = EgressPolicy(is_allowed=True, deny_ports=(70_000,))  # what nft refuses

    await rules.keep()

    assert rules.is_gone
    assert rules.fault is not None
