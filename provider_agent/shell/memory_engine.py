"""The engine interface without an engine: for tests of everything above it, with failures on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import TypeVar

from moorage.streams import Source
from moorage.types import OrderId
from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    Labels,
    NetworkSpec,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
    sorted_labels,
)
from provider_agent.core.lease_names import LEASE_LABEL, replica_of
from provider_agent.core.log_frames import OutputLine
from provider_agent.shell.engine import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    Exec,
    ExecSpec,
    ImageNotFound,
    LogRange,
    NameConflict,
    PortTaken,
)
from provider_agent.shell.memory_streams import NOTHING, Output, Program, cat, ended, running_exec
from provider_agent.shell.past_logs import with_past
from provider_agent.shell.subnets import free_subnets

_Found = TypeVar("_Found", ObservedContainer, ObservedNetwork, ObservedVolume)
FIRST_PORT = 32_768
POOL = IPv4Network("10.224.0.0/12")


@dataclass(slots=True)
class MemoryEngine:
    """One provider's share of an engine that only pretends.

    Attributes:
        images: what can be pulled; asking for another raises ImageNotFound.
        endless_images: pulling one of these never ends.
        failures: what the next calls raise, in order; None lets one through.
        calls: the names of the methods called, for tests of what is not done.
        listed: containers as they were, by name: what a look at everything still sees of them.
    """

    owner: Labels
    clock: Callable[[], int]
    images: set[str] = field(default_factory=set)
    endless_images: set[str] = field(default_factory=set)
    failures: list[EngineError | None] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    listed: dict[str, ObservedContainer] = field(default_factory=dict)
    _containers: dict[str, ObservedContainer] = field(default_factory=dict)
    _mounts: dict[str, frozenset[str]] = field(default_factory=dict)
    _started_seconds: dict[str, int] = field(default_factory=dict)
    _networks: dict[str, ObservedNetwork] = field(default_factory=dict)
    _volumes: dict[str, ObservedVolume] = field(default_factory=dict)
    _next_port: int = FIRST_PORT
    first_words: tuple[str, ...] = ("ready",)
    """What each container writes when it starts."""
    programs: dict[str, Program] = field(default_factory=lambda: {"/bin/cat": cat})
    """What can be run in containers, by the first word of the command."""
    _outputs: dict[str, Output] = field(default_factory=dict)
    _past: dict[str, Output] = field(default_factory=dict)
    """What containers wrote that are gone, by their name."""
    _listeners: list[asyncio.Queue[str | EngineError]] = field(default_factory=list)

    async def observe(self, lease: OrderId | None = None, told: Collection[OrderId] = ()) -> Observed:
        self._enter("observe")
        wanted = {*self.owner, *([(LEASE_LABEL, lease.hex())] if lease is not None else [])}
        late = {} if lease is not None else {name: each for name, each in self.listed.items() if not _is_of(each, told)}
        return Observed(
            tuple(each for _, each in sorted((self._containers | late).items()) if wanted <= {*each.labels}),
            tuple(each for _, each in sorted(self._networks.items()) if wanted <= {*each.labels}),
            tuple(each for _, each in sorted(self._volumes.items()) if wanted <= {*each.labels}),
        )

    async def changes(self) -> AsyncGenerator[str | None, None]:
        self._enter("changes")
        told: asyncio.Queue[str | EngineError] = asyncio.Queue()
        self._listeners.append(told)
        try:
            yield None
            while True:
                change = await told.get()
                if isinstance(change, EngineError):
                    raise change
                yield change
        finally:
            self._listeners.remove(told)

    async def ensure_network(self, spec: NetworkSpec) -> None:
        self._enter("ensure_network")
        if self._own(self._networks.get(spec.name), spec.name) is None:
            taken = [each.subnet for each in self._networks.values()]
            subnet = next(free_subnets(POOL, spec.capacity, taken, spec.name))
            self._networks[spec.name] = ObservedNetwork(spec.name, spec.labels, subnet)

    async def ensure_image(self, image: str) -> None:
        self._enter("ensure_image")
        if image in self.endless_images:
            await asyncio.Event().wait()
        self._check_image(image)

    async def has_image(self, image: str) -> bool:
        self._enter("has_image")
        return image in self.images

    async def ensure_container(self, spec: ContainerSpec) -> None:
        self._enter("ensure_container")
        self._check_image(spec.image)
        found = self._own(self._containers.get(spec.name), spec.name)
        networks = frozenset(attachment.network for attachment in spec.attachments)
        if not networks <= self._networks.keys():
            raise EngineRefused("network not found")
        is_same = found is not None and (found.digest, found.restarts) == (spec.digest, spec.restarts)
        if found is not None and is_same and found.state is ContainerState.RUNNING:
            self._containers[spec.name] = replace(found, networks=networks)
        else:
            if not is_same:
                self._end_output(spec.name)
            self._start(spec, networks)

    async def stop_container(self, name: str) -> None:
        self._enter("stop_container")
        found = self._own(self._containers.get(name), name)
        if found is not None and found.state is ContainerState.RUNNING:
            self.crash(name, 137)

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        self._enter("remove_container")
        if self._own(self._containers.get(name), name) is not None:
            self._tell(self._containers[name])
            del self._containers[name]
            self._end_output(name)
            self._mounts.pop(name, None)

    async def remove_network(self, name: str) -> None:
        self._enter("remove_network")
        if self._own(self._networks.get(name), name) is None:
            return
        del self._networks[name]
        for container in self._containers.values():
            self._containers[container.name] = replace(container, networks=container.networks - {name})

    async def remove_volume(self, name: str) -> None:
        self._enter("remove_volume")
        if self._own(self._volumes.get(name), name) is None:
            return
        if any(name in mounts for mounts in self._mounts.values()):
            raise EngineRefused("volume is in use")
        del self._volumes[name]

    async def logs(self, name: str, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        self._enter("logs")
        self._own(self._containers.get(name), name)
        past, now = self._past.get(name, NOTHING), self._outputs.get(name, NOTHING)
        room = max(0, wanted.tail - now.count) if wanted.tail else 0
        async for line in with_past(past.read, now.read, room, wanted):
            yield line

    async def kept_logs(self, lease: OrderId) -> frozenset[str]:
        return self._kept(lease)

    async def forget_logs(self, lease: OrderId, but_for: Collection[str] = ()) -> None:
        for name in self._kept(lease) - set(but_for):
            del self._past[name]

    def exec(self, name: str, spec: ExecSpec) -> AbstractAsyncContextManager[Exec]:
        self._enter("exec")
        found = self._own(self._containers.get(name), name)
        if found is None or found.state is not ContainerState.RUNNING:
            raise EngineRefused("the container does not run")
        return running_exec(self.programs, spec)

    def write(self, name: str, text: str, stream: Source = Source.STDOUT) -> None:
        """Let a container write a line."""
        self._outputs.setdefault(name, Output()).write(text, stream)

    def crash(self, name: str, exit_code: int, is_out_of_memory: bool = False) -> None:
        """Let a running container exit now."""
        self._containers[name] = replace(
            self._containers[name],
            state=ContainerState.EXITED,
            published=(),
            exit_code=exit_code,
            is_out_of_memory=is_out_of_memory,
            started_seconds=self._started_seconds[name],
            finished_seconds=self.clock(),
        )
        if name in self._outputs:
            self._outputs[name].end()
        self._tell(self._containers[name])

    def put(self, container: ObservedContainer) -> None:
        """Add a container as if somebody else had created it."""
        self._containers[container.name] = container
        self._tell(container)

    def break_off(self) -> None:
        """Let those who are told of changes hear no more."""
        for told in self._listeners:
            told.put_nowait(EngineUnavailable("the engine's events have ended"))

    def names(self) -> frozenset[str]:
        """Return the names of all containers, whoever they belong to."""
        return frozenset(self._containers)

    def _kept(self, lease: OrderId) -> frozenset[str]:
        return frozenset(name for name in self._past if (of := replica_of(name)) is not None and of.lease == lease)

    def _end_output(self, name: str) -> None:
        output = self._outputs.pop(name, NOTHING)
        output.end()
        if output.count and replica_of(name) is not None:
            self._past.setdefault(name, ended()).add(output)

    def _check_image(self, image: str) -> None:
        if image not in self.images:
            raise ImageNotFound(f"image {image} was not found")

    def _start(self, spec: ContainerSpec, networks: frozenset[str]) -> None:
        labels = sorted_labels(spec.all_labels)
        others = (each for name, each in self._containers.items() if name != spec.name)
        taken = {(port.address, port.port) for each in others for port in each.published}
        for each in spec.published_ports:
            if (each.address, each.port) in taken:
                raise PortTaken("port is already allocated", each.port)
        published = tuple(replace(each, port=each.port or self._new_port()) for each in spec.published_ports)
        self._containers[spec.name] = ObservedContainer(
            spec.name, labels, ContainerState.RUNNING, networks, published, started_seconds=self.clock()
        )
        self._outputs.setdefault(spec.name, Output(self._past.get(spec.name, NOTHING).count)).begin()
        for word in self.first_words:
            self.write(spec.name, word)
        self._tell(self._containers[spec.name])
        self._started_seconds[spec.name] = self.clock()
        self._mounts[spec.name] = frozenset(mount.volume for mount in spec.mounts)
        for mount in spec.mounts:
            self._volumes.setdefault(mount.volume, ObservedVolume(mount.volume, spec.mount_labels))

    def _new_port(self) -> int:
        self._next_port += 1
        return self._next_port - 1

    def _enter(self, method: str) -> None:
        self.calls.append(method)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    def _tell(self, container: ObservedContainer) -> None:
        for told in self._listeners:
            told.put_nowait(container.label(LEASE_LABEL))

    def _is_own(self, labels: Labels) -> bool:
        return set(self.owner) <= set(labels)

    def _own(self, found: _Found | None, name: str) -> _Found | None:
        if found is not None and not self._is_own(found.labels):
            raise NameConflict(f"the name {name} is taken by something else")
        return found


def _is_of(container: ObservedContainer, leases: Collection[OrderId]) -> bool:
    return dict(container.labels).get(LEASE_LABEL) in {lease.hex() for lease in leases}
