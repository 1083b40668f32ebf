"""A lease in memory with an agent that can be killed at each step, and somebody who asks for the workload all the time.

A step is what an engine does on its own: a container is stopped, removed, created, started; a gateway gets its files.
Time passes while a container stops and while the agent is not there, and in each second it is looked at who serves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from moorage.crash import Crashed
from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec, ContainerState, HealthState, NetworkSpec, Observed
from provider_agent.core.gateway_container import CONFIG_FILE
from provider_agent.core.gateway_state import Statistics, replica_health
from provider_agent.core.tunnel_config import CHECKS
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.gateways import Networks
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY
from tests.full_pass import reconcile

PASS_SECONDS = 2
STOP_SECONDS = 3
READY_SECONDS = 4
"""So long after its start a server answers, and its gateway has found it."""
AWAY_SECONDS = 20
"""So long an agent that was killed is not there."""
ENDS_AFTER = ("end",)
"""The command of a version that ends after the seconds that follow."""


@dataclass(slots=True)
class DyingAgent:
    """What an agent does step by step, until it is killed before one of the steps."""

    dies_at: int | None = None
    """The number of the step, from 0 on; None: it lives."""
    taken: list[str] = field(default_factory=list)
    is_dead: bool = False

    def begin(self, dies_at: int | None) -> None:
        """Count the steps from now on."""
        self.taken.clear()
        self.dies_at = dies_at

    def step(self, name: str) -> None:
        """
        Raises:
            Crashed: it is dead.
        """
        self.is_dead = self.is_dead or len(self.taken) == self.dies_at
        if self.is_dead:
            raise Crashed(name)
        self.taken.append(name)


@dataclass(slots=True, kw_only=True)
class StepwiseEngine(MemoryEngine):
    """An engine on which each step of what the agent calls one thing can be the agent's last."""

    site: UpdateSite
    created_seconds: dict[str, int] = field(default_factory=dict)

    async def observe(self, lease: OrderId | None = None, told: Collection[OrderId] = ()) -> Observed:
        """Return what is there; as Docker's list it tells since when a container is there, not since when it runs."""
        seen = await MemoryEngine.observe(self, lease, told)
        containers = (
            replace(each, started_seconds=self.created_seconds[each.name])
            if each.state is ContainerState.RUNNING
            else each
            for each in seen.containers
        )
        return replace(seen, containers=tuple(containers))

    async def ensure_network(self, spec: NetworkSpec) -> None:
        if spec.name not in self._networks:
            self.site.agent.step(f"create {spec.name}")
        await MemoryEngine.ensure_network(self, spec)

    async def ensure_container(self, spec: ContainerSpec) -> None:
        found = self._containers.get(spec.name)
        is_started = found is not None and found.state is not ContainerState.CREATED
        if found is not None and is_started and (found.digest, found.restarts) == (spec.digest, spec.restarts):
            self.site.agent.step(f"start or connect {spec.name}")
        else:
            self._check_image(spec.image)
            if found is not None:
                await self.remove_container(spec.name)
            self.site.agent.step(f"create {spec.name}")
            await MemoryEngine.ensure_container(self, spec)
            self._containers[spec.name] = replace(self._containers[spec.name], state=ContainerState.CREATED)
            self.created_seconds[spec.name] = self.clock()
            self.site.agent.step(f"start {spec.name}")
        await MemoryEngine.ensure_container(self, spec)
        self.site.commands[spec.name] = spec.command or ()

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        found = self._containers.get(name)
        if found is not None and found.state is ContainerState.RUNNING:
            self.site.agent.step(f"stop {name}")
            self.crash(name, 137)
            self.site.wait(STOP_SECONDS)
        self.site.agent.step(f"remove {name}")
        await MemoryEngine.remove_container(self, name)

    async def remove_network(self, name: str) -> None:
        self.site.agent.step(f"remove {name}")
        await MemoryEngine.remove_network(self, name)


@dataclass(slots=True, kw_only=True)
class StepwiseGateways(MemoryGateways):
    site_of_update: UpdateSite

    async def prepare(self, lease: DesiredLease, networks: Networks) -> None:
        self.site_of_update.agent.step("write gateway")
        await MemoryGateways.prepare(self, lease, networks)

    async def health(self, lease: DesiredLease) -> Mapping[tuple[str, int], HealthState]:
        assert lease.gateway is not None
        apart = {(workload, place) for workload, place, _ in lease.gateway.others}
        return replica_health(lease.gateway.plan, self.site_of_update.statistics(), apart)

    async def tune(self, lease: DesiredLease, networks: Networks) -> None:
        if not self.is_tuned(lease, networks):
            self.site_of_update.agent.step("tune gateway")
            self.running[lease.lease] = self.files[lease.lease] = self._config(lease, networks)
            self.site_of_update.wait(0)


@dataclass(slots=True)
class UpdateSite:
    """A lease whose workload `web` is asked for from outside."""

    known: Sequence[DesiredLease]
    """All versions that the lease has."""
    now_seconds: int = 1_000_000
    agent: DyingAgent = field(default_factory=DyingAgent)
    engine: StepwiseEngine = field(init=False)
    gateways: StepwiseGateways = field(init=False)
    runner: WorkloadRunner = field(init=False)
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What each container was last started with; also the paths that it answers over HTTP."""
    is_asked: bool = False
    unserved: list[int] = field(default_factory=list)
    """The seconds in which nobody served."""
    most: int = 0
    """Containers of the workload that there were at once."""

    def __post_init__(self) -> None:
        self.gateways = StepwiseGateways(site_of_update=self)
        images = {image.reference for lease in self.known for image in lease.images} | {self.gateways.site.image}
        self.engine = StepwiseEngine(IDENTITY.labels, lambda: self.now_seconds, images, site=self)
        self.restart()

    @property
    def names(self) -> list[str]:
        """What the workload's replicas are called."""
        return [each.name for each in self.known[0].workload_containers if "-web-" in each.name]

    def restart(self) -> None:
        self.agent = DyingAgent()
        self.runner = WorkloadRunner(self.engine, self.gateways, clock=lambda: self.now_seconds, pass_seconds=0.05)

    async def passes(self, wanted: DesiredLease, count: int) -> None:
        """Make passes; an agent that dies in one is away for a while."""
        for _ in range(count):
            try:
                await reconcile(self.runner, [wanted], ())
            except Crashed:
                assert self.agent.is_dead
            if self.agent.is_dead:
                self.wait(AWAY_SECONDS)
                self.restart()
            self.wait(PASS_SECONDS)

    def wait(self, seconds: int) -> None:
        """Let time pass, and look in each second who serves."""
        for _ in range(max(1, seconds)):
            self.now_seconds += bool(seconds)
            self._let_end()
            self.most = max(self.most, len([each for each in self.engine.names() if "-web-" in each]))
            if self.is_asked and not any(self._is_found(*server) for server in self._led_to()):
                self.unserved.append(self.now_seconds)

    def state(self) -> tuple[object, ...]:
        """Return all that there is: containers, networks, volumes, and the gateway's files."""
        containers = sorted(
            (each.name, each.digest, each.state, tuple(sorted(each.networks)))
            for each in self.engine._containers.values()
        )
        files = {lease: config.digest for lease, config in self.gateways.files.items()}
        running = {lease: config.digest for lease, config in self.gateways.running.items()}
        return containers, sorted(self.engine._networks), sorted(self.engine._volumes), files, running

    def _let_end(self) -> None:
        """Let the containers end whose time has come."""
        for name, command in self.commands.items():
            if command[:1] == ENDS_AFTER and self._runs_since(name) >= int(command[1]):
                self.engine.crash(name, 3)

    def statistics(self) -> Statistics:
        """Return what a gateway tells of those that it checks."""
        checked = [each for config in self.gateways.running.values() for each in config.servers]
        return {
            each: {"status": "UP" if self._is_found(*each) else "DOWN", "check_status": "L7OK"}
            for each in checked
            if each[0].startswith(CHECKS)
        }

    def _led_to(self) -> Iterator[tuple[str, str]]:
        """Yield what the gateway leads to, by the section and server that check it."""
        for config in self.gateways.running.values():
            for (section, _), line in config.servers.items():
                if section.startswith("public_web") and "weight 0" not in line:
                    checks, server = line.split(" track ")[1].split()[0].split("/")
                    yield checks, server

    def _is_found(self, section: str, server: str) -> bool:
        """Return whether a server answers, and is answered as the section's check wants it."""
        (config,) = self.gateways.running.values()
        text = config.files[CONFIG_FILE].decode().partition(f"backend {section}\n")[2].partition("\n\n")[0]
        asked = re.findall(r"httpchk GET (\S+)", text)
        names = self._at(int(server.removeprefix("r")))
        return any(self._answers(name) and {*asked} <= {*self.commands[name]} for name in names)

    def _at(self, place: int) -> Iterator[str]:
        """Yield which container has the addresses of a place: replicas first, then those beside."""
        beside = sorted(each for each in self.engine.names() if each.endswith(".next"))
        yield from islice([*self.names, *beside], place, place + 1)

    def _answers(self, name: str) -> bool:
        return self._runs_since(name) >= READY_SECONDS

    def _runs_since(self, name: str) -> int:
        """Return for how many seconds a container has run; -1: it does not."""
        found = self.engine._containers.get(name)
        if found is None or found.state is not ContainerState.RUNNING:
            return -1
        return self.now_seconds - self.engine._started_seconds[name]
