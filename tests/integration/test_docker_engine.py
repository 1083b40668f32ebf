"""The engine interface on a real Docker engine: the contract, and what only a kernel can show."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from aiodocker.execs import Exec as DockerExec
from aiodocker.stream import Stream

from moorage.streams import Source, TerminalSize
from provider_agent.core.containers import Bind, ContainerState, NetworkKind, NetworkSpec, VolumeMount
from provider_agent.shell.docker_engine import DockerOptions, connected
from provider_agent.shell.engine import EngineRefused, EngineUnavailable, ExecSpec, LogRange
from provider_agent.shell.past_logs import PastLogs
from tests.docker_world import OPTIONS, DockerWorld, docker_world, engine_url
from tests.engine_contract import EngineContract, container, internal, of_lease, public

URL = engine_url()
needs_engine = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
READ_STATUS = ("/bin/cat", "/proc/self/status")


@pytest.fixture
async def world() -> AsyncIterator[DockerWorld]:
    assert URL is not None
    async with docker_world(URL) as opened:
        yield opened


@needs_engine
class TestDockerEngine(EngineContract):
    pass


@needs_engine
async def test_container__any__has_no_capability_and_gains_no_privilege(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world, command=READ_STATUS, user="0:0"))

    status = dict(line.split(":\t", 1) for line in (await world.output(f"{world.prefix}-web")).splitlines())
    assert int(status["CapBnd"], 16) == 0
    assert int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@needs_engine
async def test_container__too_much_memory__is_killed_and_says_so(world: DockerWorld) -> None:
    hungry = ("/bin/sh", "-c", "a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done")
    await world.engine.ensure_container(container(world, command=hungry, memory_bytes=16 << 20))
    await world.output(f"{world.prefix}-web")

    async with asyncio.timeout(30):  # the engine may hear of it a little later
        while not (observed := (await world.engine.observe()).containers[0]).is_out_of_memory:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert observed.state is ContainerState.EXITED


@needs_engine
async def test_container__read_only__writes_to_tmp_alone_and_only_so_much(world: DockerWorld) -> None:
    script = "echo a > /a; echo a > /tmp/a && cat /tmp/a; cat /dev/zero > /tmp/b; exit 0"
    await world.engine.ensure_container(container(world, command=("/bin/sh", "-c", script), is_read_only=True))

    output = await world.output(f"{world.prefix}-web")
    assert "cannot create /a: Read-only file system" in output
    assert "a" in output.splitlines()
    assert "No space left on device" in output


@needs_engine
async def test_container__resolver__asks_nobody_outside(world: DockerWorld) -> None:
    await world.engine.ensure_network(internal(world))
    spec = container(world, networks=("internal",))
    await world.engine.ensure_container(spec)

    configured = (await world.docker.containers.container(spec.name).show())["HostConfig"]
    assert (configured["Dns"], configured["DnsSearch"]) == (["127.0.0.1"], ["."])


@needs_engine
async def test_container__its_places__are_its_addresses_also_after_a_restart_and_on_a_network_that_came_later(
    world: DockerWorld,
) -> None:
    await world.engine.ensure_network(internal(world))
    await world.engine.ensure_network(public(world))
    await world.engine.ensure_container(container(world, networks=("internal",), place=5))
    spec = container(world, networks=("internal", "public"), place=5)
    subnets = {each.name: each.subnet for each in (await world.engine.observe()).networks}

    for _ in range(2):
        await world.engine.ensure_container(spec)
        shown = (await world.docker.containers.container(spec.name).show())["NetworkSettings"]["Networks"]
        assert {name: each["IPAddress"] for name, each in shown.items()} == {
            name: str(subnets[name][5]) for name in (f"{world.prefix}-internal", f"{world.prefix}-public")
        }
        await world.engine.stop_container(spec.name)


@needs_engine
async def test_container__directory_of_the_agent__is_there_and_read_only(world: DockerWorld, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("canary\n")
    script = "cat /bound/file /proc/sys/net/ipv4/ip_nonlocal_bind; echo a > /bound/b"
    spec = replace(
        container(world, command=("/bin/sh", "-c", script), networks=("internal",), user=str(os.getuid())),
        binds=(Bind(str(tmp_path), "/bound", True),),
        sysctls=(("net.ipv4.ip_nonlocal_bind", "1"),),
    )
    await world.engine.ensure_network(internal(world))

    await world.engine.ensure_container(spec)

    output = await world.output(spec.name)
    assert {"canary", "1"} <= set(output.splitlines())
    assert "Read-only file system" in output


@needs_engine
async def test_container__limits__are_those_of_the_lease(world: DockerWorld) -> None:
    spec = container(world)
    await world.engine.ensure_container(spec)

    limits = (await world.docker.containers.container(spec.name).show())["HostConfig"]
    assert limits["NanoCpus"] == spec.milli_cpu * 1_000_000
    assert limits["Memory"] == limits["MemorySwap"] == spec.memory_bytes
    assert limits["PidsLimit"] == 512
    assert limits["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
    assert limits["RestartPolicy"]["Name"] == "no"


@needs_engine
async def test_container__less_memory_than_the_engine_takes__is_refused_in_words_and_leaves_nothing(
    world: DockerWorld,
) -> None:
    with pytest.raises(EngineRefused, match="Minimum memory limit"):
        await world.engine.ensure_container(container(world, memory_bytes=1 << 20))

    assert (await world.engine.observe()).containers == ()


@needs_engine
async def test_container__command_that_does_not_exist__exits_with_the_code_for_that(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world, command=("/absent",)))
    await world.output(f"{world.prefix}-web")

    assert (await world.engine.observe()).containers[0].exit_code == 127


@needs_engine
async def test_container__stopped_by_the_engine__is_seen_as_exited(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world))
    await world.docker.containers.container(f"{world.prefix}-web").kill(signal="SIGKILL")
    await world.docker.containers.container(f"{world.prefix}-web").wait()

    observed = (await world.engine.observe()).containers[0]
    assert (observed.state, observed.exit_code, observed.is_out_of_memory) == (ContainerState.EXITED, 137, False)


@needs_engine
async def test_i18_i22_container__agent_was_killed_before_its_start__its_age_counts_from_the_start(
    world: DockerWorld,
) -> None:
    spec = container(world)
    await world.engine._create_container(spec, ())
    await asyncio.sleep(1.1)
    begun_seconds = int(time.time())

    await world.engine.ensure_container(spec)

    (observed,) = (await world.engine.observe()).containers
    assert observed.state is ContainerState.RUNNING
    assert observed.started_seconds >= begun_seconds


@needs_engine
async def test_container__created_before_its_network_was_replaced__starts_at_the_second_attempt(
    world: DockerWorld,
) -> None:
    await world.engine.ensure_network(internal(world))
    spec = container(world, networks=("internal",))
    await world.engine.ensure_container(spec)
    await world.docker.containers.container(spec.name).kill(signal="SIGKILL")
    await world.engine.remove_network(f"{world.prefix}-internal")
    await world.engine.ensure_network(internal(world))

    try:
        await world.engine.ensure_container(spec)
    except EngineRefused:
        await world.engine.ensure_container(spec)

    observed = (await world.engine.observe()).containers[0]
    assert (observed.state, observed.networks) == (ContainerState.RUNNING, frozenset({f"{world.prefix}-internal"}))


@needs_engine
async def test_container__runs_and_cannot_be_connected__goes_on(world: DockerWorld) -> None:
    await world.engine.ensure_network(internal(world))
    spec = container(world, networks=("internal",))
    await world.engine.ensure_container(spec)
    (before,) = (await world.engine.observe()).containers
    await world.engine.remove_network(f"{world.prefix}-internal")

    with pytest.raises(EngineRefused, match="not found"):
        await world.engine.ensure_container(spec)

    (after,) = (await world.engine.observe()).containers
    assert (after.started_seconds, after.state) == (before.started_seconds, ContainerState.RUNNING)


@needs_engine
async def test_volume__container_is_replaced__keeps_its_data(world: DockerWorld) -> None:
    mounts = (VolumeMount(f"{world.prefix}-data", "/data"),)
    writes = container(world, command=("/bin/sh", "-c", "echo kept > /data/a"), user="0:0", mounts=mounts)
    await world.engine.ensure_container(writes)
    await world.output(writes.name)

    reads = container(world, command=("/bin/cat", "/data/a"), user="0:0", mounts=mounts)
    await world.engine.ensure_container(reads)

    assert await world.output(reads.name) == "kept\n"


@needs_engine
async def test_networks__forty__get_subnets_of_their_own_out_of_the_pool(world: DockerWorld) -> None:
    for number in range(40):  # an engine's own pools end at about 30
        await world.engine.ensure_network(replace(internal(world), name=f"{world.prefix}-{number}"))

    networks = await world.docker.networks.list(filters={"label": f"moorage.test={world.prefix}"})
    subnets = [IPv4Network(each["IPAM"]["Config"][0]["Subnet"]) for each in networks]
    assert len(set(subnets)) == 40
    assert all(subnet.subnet_of(OPTIONS.network_pool) and subnet.num_addresses == 16 for subnet in subnets)


@needs_engine
async def test_networks__pool_is_used_up__is_refused(world: DockerWorld) -> None:
    assert URL is not None
    options = replace(OPTIONS, network_pool=IPv4Network(f"10.223.{secrets.randbelow(256)}.224/28"))
    async with connected(URL, world.owner, options) as engine:
        await engine.ensure_network(internal(world))

        with pytest.raises(EngineRefused, match="no free addresses"):
            await engine.ensure_network(public(world))


@needs_engine
async def test_network__has_many_members__is_as_large_as_asked(world: DockerWorld) -> None:
    await world.engine.ensure_network(replace(internal(world), capacity=64))

    networks = await world.docker.networks.list(filters={"label": f"moorage.test={world.prefix}"})
    assert networks[0]["IPAM"]["Config"][0]["Subnet"].endswith("/26")


async def test_any_call__nobody_at_the_socket__is_unavailable(tmp_path: Path) -> None:
    async with connected(f"unix://{tmp_path}/absent.sock", (), DockerOptions()) as engine:
        with pytest.raises(EngineUnavailable):
            await engine.observe()
        with pytest.raises(EngineUnavailable):
            await engine.ensure_network(NetworkSpec("mt-a", (), NetworkKind.INTERNAL, 16))
        with pytest.raises(EngineUnavailable):
            await engine.remove_container("mt-a")


async def test_any_call__engine_hangs__is_unavailable_after_the_time_limit(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_unix_server(silent, tmp_path / "engine.sock")
    async with server, connected(f"unix://{tmp_path}/engine.sock", (), DockerOptions(call_seconds=1)) as engine:
        with pytest.raises(EngineUnavailable, match="no answer from the engine in 1 s"):
            await engine.observe()


@needs_engine
async def test_h18_logs__endless_line_and_streams__are_told_apart_and_cut(world: DockerWorld) -> None:
    script = (
        "echo out; echo err >&2; i=0; while [ $i -lt 4000 ]; do printf 0123456789; i=$((i+1)); done; echo; echo end"
    )
    await world.engine.ensure_container(container(world, command=("/bin/sh", "-c", script)))
    await world.output(f"{world.prefix}-web")

    told = [each async for each in world.engine.logs(f"{world.prefix}-web", LogRange())]

    assert {(each.text[:8], each.stream, each.is_cut) for each in told} == {
        ("out", Source.STDOUT, False),
        ("err", Source.STDERR, False),
        ("01234567", Source.STDOUT, True),
        ("end", Source.STDOUT, False),
    }
    assert [len(each.text) for each in told if each.is_cut] == [16_384]


@needs_engine
async def test_h18_logs__crashes_after_more_than_is_kept__tell_the_end_of_both_runs(
    world: DockerWorld, tmp_path: Path
) -> None:
    script = (
        f"i=0; while [ $i -lt 3000 ]; do echo $i {'0123456789' * 80}; i=$((i+1)); done; "
        "i=0; while [ $i -lt 3000 ]; do printf 0123456789; i=$((i+1)); done; echo; exit 3"
    )
    spec = replace(of_lease(world), command=("/bin/sh", "-c", script), milli_cpu=2_000)
    past = PastLogs(tmp_path)
    async with connected(URL or "", world.owner, replace(OPTIONS, past=past)) as engine:
        for restarts in range(2):
            await engine.ensure_container(replace(spec, restarts=restarts))
            await world.docker.containers.container(spec.name).wait()

        told = [each async for each in engine.logs(spec.name, LogRange())]
        short = [each async for each in engine.logs(spec.name, LogRange(tail=2))]
        across = [each async for each in engine.logs(spec.name, LogRange(tail=3_010))]

    now = told[-3_001:]
    assert [each.text.split()[0] for each in now[:-1]] == [str(number) for number in range(3_000)]
    before = told[:-3_001]
    assert [each.text.split()[0] for each in before[:-1]] == [str(each) for each in range(3_001 - len(before), 3_000)]
    assert (before[-1].is_cut, now[-1].is_cut, before[-1].time < now[0].time) == (True, True, True)
    assert 2_000 < len(before) < 3_001
    assert short[0].time > before[-1].time
    assert across == told[-3_010:]


@needs_engine
async def test_exec__any__has_the_containers_user_and_none_of_the_engines_privileges(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world, user="1000:1000"))

    async with world.engine.exec(f"{world.prefix}-web", ExecSpec(READ_STATUS)) as running:
        written = b""
        while (said := await running.read()) is not None:
            written += said[1]

    status = dict(line.split(":\t", 1) for line in written.decode().splitlines())
    assert [int(status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert (status["NoNewPrivs"], status["Seccomp"], status["Uid"]) == ("1", "2", "1000\t1000\t1000\t1000")


@needs_engine
async def test_h18_exec__nobody_is_there_any_more__ends_with_all_that_it_has_started(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world))
    script = "trap '' HUP; /bin/sleep 1234 & echo begun; wait"
    spec = ExecSpec(("/bin/sh", "-c", script), has_input=True, terminal=TerminalSize(100, 30))

    async with world.engine.exec(f"{world.prefix}-web", spec) as running:
        assert b"begun" in ((await running.read()) or (Source.STDOUT, b""))[1]
        assert "1234" in await processes(world)

    await until_gone(world, "1234")
    assert (await world.engine.observe()).containers[0].state is ContainerState.RUNNING


@needs_engine
@pytest.mark.parametrize("seconds", [0.0, 0.3, 3.0])
async def test_h18_exec__nobody_is_there_any_more_while_it_starts__ends_too(
    world: DockerWorld, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.engine.ensure_container(container(world))
    start = Stream._init
    starts: list[asyncio.Task[None]] = []

    async def start_late(stream: Stream, seconds: float) -> None:
        """Let the engine do its part also if nobody waits for it."""
        await asyncio.sleep(seconds)
        await start(stream)

    async def start_and_go(stream: Stream) -> None:
        starts.append(asyncio.create_task(start_late(stream, 0 if starts else seconds)))
        await asyncio.sleep(0 if seconds else 0.1)
        if len(starts) == 1:
            task.cancel()
        await asyncio.shield(starts[-1])

    async def run() -> None:
        async with world.engine.exec(f"{world.prefix}-web", ExecSpec(("/bin/sleep", "1234"))):
            raise AssertionError("it was not interrupted")

    monkeypatch.setattr(Stream, "_init", start_and_go)
    task = asyncio.create_task(run())
    await asyncio.wait([task])
    await asyncio.wait(starts)
    await asyncio.sleep(0.5)  # the engine answers before it starts

    assert task.cancelled()
    await until_gone(world, "1234")


@needs_engine
async def test_exec__terminal__learns_of_another_size(world: DockerWorld) -> None:
    await world.engine.ensure_container(container(world))
    script = "trap 'echo changed' WINCH; echo ready; while :; do /bin/sleep 0.05; done"
    spec = ExecSpec(("/bin/sh", "-c", script), terminal=TerminalSize(100, 30))

    async with world.engine.exec(f"{world.prefix}-web", spec) as running:
        written = b""
        while b"ready" not in written:
            written += ((await running.read()) or (Source.STDOUT, b""))[1]
        await asyncio.sleep(0.5)  # its first size may come after its beginning
        await running.resize(TerminalSize(80, 24))
        while written.count(b"changed") < 1:
            written += ((await running.read()) or (Source.STDOUT, b""))[1]


@needs_engine
@pytest.mark.parametrize("terminal", [None, TerminalSize(80, 24)])
async def test_exec__command_that_can_not_be_started__has_the_code_for_that_and_writes_nothing(
    world: DockerWorld, terminal: TerminalSize | None
) -> None:
    await world.engine.ensure_container(container(world))
    codes = {"nosuch": 127, "/absent": 127, "/etc": 126}

    for command, code in codes.items():
        spec = ExecSpec((command,), terminal=terminal)
        async with world.engine.exec(f"{world.prefix}-web", spec) as running:
            assert await running.read() is None
            words = "was not found" if code == 127 else "cannot be executed"
            assert (await running.exit_code(), running.problem) == (
                code,
                f"the command {command} {words} in the container",
            )


@needs_engine
@pytest.mark.parametrize(
    "first_told",
    [None, {"Running": True, "ExitCode": None, "Pid": 0}, {"Running": False, "ExitCode": 126, "Pid": 0}],
    ids=["at once", "it runs, its number is not known yet", "it has ended, its number is not known yet"],
)
@pytest.mark.parametrize("more", ["", "sleep 0.3; echo more; "], ids=["one line", "two lines"])
async def test_exec__command_that_poses_as_the_engine__is_told_as_it_wrote(
    world: DockerWorld, monkeypatch: pytest.MonkeyPatch, first_told: dict[str, object] | None, more: str
) -> None:
    await world.engine.ensure_container(container(world))
    line = 'OCI runtime exec failed: exec: "a": no such file or directory'
    told = [first_told] if first_told is not None else []
    really = DockerExec.inspect

    async def inspect(self: DockerExec) -> dict[str, object]:
        return told.pop() if told else await really(self)

    monkeypatch.setattr(DockerExec, "inspect", inspect)
    spec = ExecSpec(("/bin/sh", "-c", f"echo '{line}'; {more}exit 126"))
    async with world.engine.exec(f"{world.prefix}-web", spec) as running:
        written = b""
        while (output := await running.read()) is not None:
            written += output[1]
        assert written.decode().splitlines() == [line, *(["more"] if more else [])]
        assert (await running.exit_code(), running.problem) == (126, None)


async def until_gone(world: DockerWorld, words: str) -> None:
    """Wait until nothing with these words runs in the container: what was killed takes a moment to go."""
    async with asyncio.timeout(30):
        while words in await processes(world):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def processes(world: DockerWorld) -> str:
    """Return the command lines of what runs in the container."""
    listed = await world.docker._query_json(f"containers/{world.prefix}-web/top")
    return "\n".join(" ".join(each) for each in listed["Processes"])
