"""What every engine has to do: the same tests run against Docker and against the engine in memory."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import pytest

from moorage.streams import TIME, Source
from moorage.types import Address, OrderId, ProviderNumber, Version
from provider_agent.core.containers import (
    Attachment,
    ContainerSpec,
    ContainerState,
    Labels,
    NetworkKind,
    NetworkSpec,
    Observed,
    PublishedPort,
    VolumeMount,
    sorted_labels,
)
from provider_agent.core.lease_names import LEASE_LABEL, Identity, LeaseNames
from provider_agent.shell.engine import (
    Engine,
    EngineRefused,
    ExecSpec,
    ImageNotFound,
    LogRange,
    NameConflict,
    PortTaken,
)
from tests.free_ports import free_port

USR1_EXIT_CODE = 7
LEASE, OTHER_LEASE = OrderId(b"\x01" * 32), OrderId(b"\x02" * 32)
LOOP = ("/bin/sh", "-c", f"trap 'exit {USR1_EXIT_CODE}' USR1; echo ready; while :; do sleep 0.05; done")


class World(Protocol):
    """An engine with everything that a test needs around it."""

    owner: Labels
    prefix: str
    """Of every name, so that tests that run at once do not meet."""
    image: str
    """One that is there and has /bin/sh."""
    absent_image: str

    @property
    def engine(self) -> Engine: ...

    async def crash(self, name: str) -> None:
        """Let a container that runs LOOP exit with USR1_EXIT_CODE."""
        ...

    async def add_foreign_container(self, name: str) -> None:
        """Run a container of another provider."""
        ...

    async def has_container(self, name: str) -> bool:
        """Return whether there is a container of this name, whoever it belongs to."""
        ...


class EngineContract:
    """Inherit from it and give a fixture `world`."""

    async def test_observe__nothing_was_made__sees_nothing(self, world: World) -> None:
        assert await world.engine.observe() == Observed()

    async def test_ensure_container__is_absent__runs_with_labels_networks_and_ports(self, world: World) -> None:
        await world.engine.ensure_network(public(world))
        await world.engine.ensure_network(internal(world))
        spec = container(world, networks=("public", "internal"), published_ports=(80,))

        await world.engine.ensure_container(spec)

        observed = (await world.engine.observe()).containers[0]
        assert (observed.name, observed.state) == (spec.name, ContainerState.RUNNING)
        assert observed.labels == sorted_labels(spec.all_labels)
        assert observed.networks == {f"{world.prefix}-public", f"{world.prefix}-internal"}
        assert [port.container_port for port in observed.published] == [80]

    async def test_i10_ensure_container__a_port_of_the_host_is_chosen__gets_it_or_is_refused(
        self, world: World
    ) -> None:
        await world.engine.ensure_network(public(world))
        chosen = (PublishedPort(80, "127.0.0.1", free_port()),)
        one = replace(container(world, name="one", networks=("public",)), published_ports=chosen)
        other = replace(container(world, name="other", networks=("public",), place=4), published_ports=chosen)

        await world.engine.ensure_container(one)
        with pytest.raises(PortTaken):
            await world.engine.ensure_container(other)

        (seen,) = (await world.engine.observe()).containers
        assert (seen.name, seen.published) == (one.name, chosen)

    async def test_ensure_container__without_networks__is_on_none(self, world: World) -> None:
        await world.engine.ensure_container(container(world))

        assert (await world.engine.observe()).containers[0].networks == frozenset()

    async def test_ensure_container__runs_already__is_left_alone(self, world: World) -> None:
        await world.engine.ensure_network(public(world))
        spec = container(world, networks=("public",), published_ports=(80,))
        await world.engine.ensure_container(spec)
        before = await world.engine.observe()

        await world.engine.ensure_container(spec)

        assert await world.engine.observe() == before

    async def test_ensure_container__other_networks__changes_them_without_a_restart(self, world: World) -> None:
        await world.engine.ensure_network(public(world))
        await world.engine.ensure_network(internal(world))
        await world.engine.ensure_container(container(world, networks=("public",), published_ports=(80,)))
        before = (await world.engine.observe()).containers[0]

        await world.engine.ensure_container(container(world, networks=("public", "internal"), published_ports=(80,)))

        after = (await world.engine.observe()).containers[0]
        assert after == replace(before, networks=before.networks | {f"{world.prefix}-internal"})
        await world.engine.ensure_container(container(world, networks=("public",), published_ports=(80,)))
        assert (await world.engine.observe()).containers[0] == before

    async def test_ensure_container__another_digest__replaces_it(self, world: World) -> None:
        await world.engine.ensure_container(container(world))
        changed = container(world, env=(("A", "1"),))

        await world.engine.ensure_container(changed)

        observed = await world.engine.observe()
        assert [(each.digest, each.state) for each in observed.containers] == [(changed.digest, ContainerState.RUNNING)]

    async def test_ensure_container__has_crashed__starts_again_with_its_count(self, world: World) -> None:
        await world.engine.ensure_container(container(world))
        await world.crash(f"{world.prefix}-web")
        crashed = (await world.engine.observe()).containers[0]
        assert (crashed.state, crashed.exit_code) == (ContainerState.EXITED, USR1_EXIT_CODE)
        assert crashed.finished_seconds >= crashed.started_seconds > 0

        await world.engine.ensure_container(container(world, restarts=1))

        again = (await world.engine.observe()).containers[0]
        assert (again.state, again.restarts) == (ContainerState.RUNNING, 1)

    async def test_ensure_image__is_there_or_nowhere__is_told_apart(self, world: World) -> None:
        await world.engine.ensure_image(world.image)

        with pytest.raises(ImageNotFound):
            await world.engine.ensure_image(world.absent_image)

    async def test_ensure_container__image_is_nowhere__says_so_and_makes_nothing(self, world: World) -> None:
        with pytest.raises(ImageNotFound, match="was not found"):
            await world.engine.ensure_container(container(world, image=world.absent_image))

        assert await world.engine.observe() == Observed()

    async def test_ensure_container__new_image_is_nowhere__keeps_the_old_container(self, world: World) -> None:
        await world.engine.ensure_container(container(world))
        before = await world.engine.observe()

        with pytest.raises(ImageNotFound):
            await world.engine.ensure_container(container(world, image=world.absent_image))

        assert await world.engine.observe() == before

    async def test_ensure_container__network_is_absent__is_refused_and_leaves_nothing(self, world: World) -> None:
        with pytest.raises(EngineRefused):
            await world.engine.ensure_container(container(world, networks=("absent",)))

        assert await world.engine.observe() == Observed()

    async def test_ensure_network__twice__is_there_once(self, world: World) -> None:
        await world.engine.ensure_network(internal(world))
        await world.engine.ensure_network(internal(world))

        observed = await world.engine.observe()
        assert [(each.name, each.labels) for each in observed.networks] == [(f"{world.prefix}-internal", world.owner)]

    async def test_ensure_network__several__have_subnets_of_their_own_with_room_for_what_was_asked(
        self, world: World
    ) -> None:
        await world.engine.ensure_network(internal(world))
        await world.engine.ensure_network(public(world))

        one, other = [each.subnet for each in (await world.engine.observe()).networks]
        assert (one.num_addresses, other.num_addresses) == (16, 16)
        assert not one.overlaps(other)

    async def test_remove__absent__is_success(self, world: World) -> None:
        await world.engine.remove_container(f"{world.prefix}-absent")
        await world.engine.remove_network(f"{world.prefix}-absent")
        await world.engine.remove_volume(f"{world.prefix}-absent")

    async def test_remove_container__runs__is_gone_and_its_volume_stays(self, world: World) -> None:
        await world.engine.ensure_container(container(world, mounts=(VolumeMount(f"{world.prefix}-data", "/data"),)))

        await world.engine.remove_container(f"{world.prefix}-web")

        observed = await world.engine.observe()
        assert observed.containers == ()
        assert [(each.name, each.labels) for each in observed.volumes] == [(f"{world.prefix}-data", world.owner)]

    async def test_stop_container__runs__stays_with_its_networks_and_starts_again_as_it_was(self, world: World) -> None:
        await world.engine.ensure_network(internal(world))
        spec = container(world, networks=("internal",))
        await world.engine.ensure_container(spec)
        running = (await world.engine.observe()).containers[0]

        await world.engine.stop_container(spec.name)

        stopped = (await world.engine.observe()).containers[0]
        assert (stopped.state, stopped.digest, stopped.networks) == (
            ContainerState.EXITED,
            running.digest,
            running.networks,
        )
        await world.engine.ensure_container(spec)
        assert (await world.engine.observe()).containers[0] == running

    async def test_stop_container__is_absent_or_stopped__is_success(self, world: World) -> None:
        await world.engine.stop_container(f"{world.prefix}-absent")
        await world.engine.ensure_container(container(world))

        for _ in range(2):
            await world.engine.stop_container(f"{world.prefix}-web")

    async def test_observe__of_one_lease__sees_what_has_its_label(self, world: World) -> None:
        labels = sorted_labels({**dict(world.owner), LEASE_LABEL: LEASE.hex()})
        await world.engine.ensure_network(replace(internal(world), labels=labels))
        await world.engine.ensure_network(public(world))
        await world.engine.ensure_container(replace(container(world), labels=labels))

        seen = await world.engine.observe(LEASE)

        assert [each.name for each in seen.containers] == [f"{world.prefix}-web"]
        assert [each.name for each in seen.networks] == [f"{world.prefix}-internal"]
        assert await world.engine.observe(OTHER_LEASE) == Observed()

    async def test_changes__container_comes_crashes_and_goes__are_told_with_its_lease(self, world: World) -> None:
        labels = sorted_labels({**dict(world.owner), LEASE_LABEL: LEASE.hex()})
        await world.add_foreign_container(f"{world.prefix}-foreign")
        async with aclosing(world.engine.changes()) as changes:
            assert await anext(changes) is None

            await world.engine.ensure_container(replace(container(world), labels=labels))
            assert await anext(changes) == LEASE.hex()
            await world.crash(f"{world.prefix}-web")
            assert await anext(changes) == LEASE.hex()
            await world.engine.remove_container(f"{world.prefix}-web")
            assert await anext(changes) == LEASE.hex()

    async def test_i18_changes__a_death_is_told__a_look_at_its_lease_sees_it(self, world: World) -> None:
        labels = sorted_labels({**dict(world.owner), LEASE_LABEL: LEASE.hex()})
        await world.engine.ensure_container(replace(container(world), labels=labels))
        async with aclosing(world.engine.changes()) as changes:
            while await anext(changes) is None:
                crashing = asyncio.create_task(world.crash(f"{world.prefix}-web"))
            seen = [await world.engine.observe(LEASE)]
            while seen[-1].containers[0].state is not ContainerState.EXITED:
                await anext(changes)  # of its start, which is told once more
                seen.append(await world.engine.observe(LEASE))
            await crashing

        assert seen[-1].containers[0].exit_code == USR1_EXIT_CODE

    async def test_remove_network__has_a_member__is_gone_and_the_member_runs(self, world: World) -> None:
        await world.engine.ensure_network(internal(world))
        await world.engine.ensure_container(container(world, networks=("internal",)))

        await world.engine.remove_network(f"{world.prefix}-internal")

        observed = await world.engine.observe()
        assert observed.networks == ()
        assert [(each.state, each.networks) for each in observed.containers] == [(ContainerState.RUNNING, frozenset())]

    async def test_remove_volume__is_in_use__is_refused_until_it_is_not(self, world: World) -> None:
        await world.engine.ensure_container(container(world, mounts=(VolumeMount(f"{world.prefix}-data", "/data"),)))
        with pytest.raises(EngineRefused):
            await world.engine.remove_volume(f"{world.prefix}-data")
        await world.engine.remove_container(f"{world.prefix}-web")

        await world.engine.remove_volume(f"{world.prefix}-data")

        assert await world.engine.observe() == Observed()

    async def test_logs__runs__are_told_with_their_time_and_from_any_time_on(self, world: World) -> None:
        name = f"{world.prefix}-web"
        await world.engine.ensure_container(container(world))
        async with aclosing(world.engine.logs(name, LogRange(is_following=True))) as lines:
            first = await anext(lines)

        again, later, none = [
            [each async for each in world.engine.logs(name, wanted)]
            for wanted in (
                LogRange(since=first.time),
                LogRange(since="2999-01-01T00:00:00.000000000Z"),
                LogRange(tail=0),
            )
        ]

        assert (first.text, first.stream, first.is_cut) == ("ready", Source.STDOUT, False)
        assert TIME.fullmatch(first.time)
        assert (again, later, none) == ([first], [], [])

    async def test_logs__followed__end_with_the_container(self, world: World) -> None:
        await world.engine.ensure_container(container(world))
        following = world.engine.logs(f"{world.prefix}-web", LogRange(is_following=True))
        assert (await anext(following)).text == "ready"

        await world.crash(f"{world.prefix}-web")

        assert [each async for each in following] == []

    async def test_logs__container_is_absent__are_empty(self, world: World) -> None:
        assert [each async for each in world.engine.logs(f"{world.prefix}-absent", LogRange())] == []

    async def test_logs__container_was_made_anew_after_a_crash__are_told_from_the_one_before_on(
        self, world: World
    ) -> None:
        spec = of_lease(world)
        await world.engine.ensure_container(spec)
        await world.crash(spec.name)

        await world.engine.ensure_container(replace(spec, restarts=1))

        async with aclosing(world.engine.logs(spec.name, LogRange(is_following=True))) as lines:
            told = [await anext(lines), await anext(lines)]
        assert [each.text for each in told] == ["ready", "ready"]
        assert told[0].time < told[1].time
        ranges = (
            LogRange(),
            LogRange(tail=5),
            LogRange(tail=2),
            LogRange(tail=1),
            LogRange(tail=0),
            LogRange(since=told[1].time),
            LogRange(since=told[1].time, tail=2),
        )
        found = [[each async for each in world.engine.logs(spec.name, wanted)] for wanted in ranges]
        assert found == [told, told, told, told[1:], [], told[1:], told[1:]]
        assert await world.engine.kept_logs(lease_id(world)) == {spec.name}

    async def test_logs__container_is_gone__are_told_until_they_are_forgotten(self, world: World) -> None:
        spec, lease = of_lease(world), lease_id(world)
        await world.engine.ensure_container(spec)
        await world.crash(spec.name)
        there = [each async for each in world.engine.logs(spec.name, LogRange())]

        await world.engine.remove_container(spec.name, at_once=True)

        assert [each async for each in world.engine.logs(spec.name, LogRange())] == there
        await world.engine.forget_logs(OTHER_LEASE)
        await world.engine.forget_logs(lease, {spec.name, "another"})
        assert await world.engine.kept_logs(lease) == {spec.name}
        await world.engine.forget_logs(lease, {"another"})
        assert await world.engine.kept_logs(lease) == frozenset()
        assert [each async for each in world.engine.logs(spec.name, LogRange())] == []

    async def test_logs__same_container_is_started_again__are_told_once(self, world: World) -> None:
        spec = of_lease(world)
        await world.engine.ensure_container(spec)
        await world.crash(spec.name)

        await world.engine.ensure_container(spec)

        async with aclosing(world.engine.logs(spec.name, LogRange(is_following=True))) as lines:
            assert [(await anext(lines)).text for _ in range(2)] == ["ready", "ready"]
        assert await world.engine.kept_logs(lease_id(world)) == frozenset()

    async def test_exec__reads_its_input_to_the_end__writes_it_and_tells_its_code(self, world: World) -> None:
        await world.engine.ensure_container(container(world))

        async with world.engine.exec(f"{world.prefix}-web", ExecSpec(("/bin/cat",), has_input=True)) as running:
            await running.write(b"one\n")
            assert await running.read() == (Source.STDOUT, b"one\n")
            await running.end_input()
            assert await running.read() is None
            assert await running.exit_code() == 0

    async def test_exec__container_is_absent_or_does_not_run__is_refused(self, world: World) -> None:
        await world.engine.ensure_container(container(world))
        await world.crash(f"{world.prefix}-web")

        for name in ("web", "absent"):
            with pytest.raises(EngineRefused):
                async with world.engine.exec(f"{world.prefix}-{name}", ExecSpec(("/bin/cat",))):
                    pass

    async def test_h12_streams__container_of_another_provider__are_refused(self, world: World) -> None:
        name = f"{world.prefix}-foreign"
        await world.add_foreign_container(name)

        with pytest.raises(NameConflict):
            await anext(world.engine.logs(name, LogRange()))
        with pytest.raises(NameConflict):
            async with world.engine.exec(name, ExecSpec(("/bin/cat",))):
                pass

    async def test_foreign_container__has_our_name__is_neither_seen_nor_touched(self, world: World) -> None:
        await world.add_foreign_container(f"{world.prefix}-web")

        with pytest.raises(NameConflict):
            await world.engine.ensure_container(container(world))
        with pytest.raises(NameConflict):
            await world.engine.remove_container(f"{world.prefix}-web")

        assert await world.engine.observe() == Observed()
        assert await world.has_container(f"{world.prefix}-web")


def lease_id(world: World) -> OrderId:
    """Return a lease that no other test has."""
    return OrderId(hashlib.sha256(world.prefix.encode()).digest())


def of_lease(world: World) -> ContainerSpec:
    """Return a container that is a replica of a lease's workload."""
    names = LeaseNames(
        Identity(31337, Address("0x" + "11" * 20), ProviderNumber(7)), lease_id(world), Version(bytes(32))
    )
    return replace(container(world), name=names.container("web", 0))


def public(world: World) -> NetworkSpec:
    return NetworkSpec(f"{world.prefix}-public", world.owner, NetworkKind.FRONT, capacity=16)


def internal(world: World) -> NetworkSpec:
    return NetworkSpec(f"{world.prefix}-internal", world.owner, NetworkKind.INTERNAL, capacity=16)


def container(
    world: World,
    *,
    name: str = "web",
    networks: tuple[str, ...] = (),
    image: str | None = None,
    command: tuple[str, ...] = LOOP,
    env: tuple[tuple[str, str], ...] = (),
    user: str | None = "1000:1000",
    is_read_only: bool = False,
    memory_bytes: int = 32 << 20,
    published_ports: tuple[int, ...] = (),
    place: int = 3,
    mounts: tuple[VolumeMount, ...] = (),
    restarts: int = 0,
) -> ContainerSpec:
    """Return a container that runs LOOP unless something else is asked for."""
    return ContainerSpec(
        name=f"{world.prefix}-{name}",
        labels=world.owner,
        image=image or world.image,
        hostname=f"{name}-0",
        command=command,
        args=(),
        env=env,
        user=user,
        is_read_only=is_read_only,
        milli_cpu=250,
        memory_bytes=memory_bytes,
        attachments=tuple(Attachment(f"{world.prefix}-{network}", name, place) for network in networks),
        published_ports=tuple(PublishedPort(port, "127.0.0.1", 0) for port in published_ports),
        mounts=mounts,
        mount_labels=world.owner,
        restarts=restarts,
    )
