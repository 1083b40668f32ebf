"""Opens the engine of an agent and what guards its host: how containers are confined here is found out at the start."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from provider_agent.core.lease_names import Identity, replica_of
from provider_agent.core.updates import all_that_may_run
from provider_agent.core.workloads import DesiredLease
from provider_agent.doctor_engine import GATEWAY_REMEDY
from provider_agent.settings import Settings, SettingsError
from provider_agent.shell.disk_usage import DiskLimits, try_limits
from provider_agent.shell.disk_watch import DiskWatch
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.engine import EngineRefused, EngineUnavailable
from provider_agent.shell.engine_probe import EngineFacts, check_holes, probe
from provider_agent.shell.eviction import evict
from provider_agent.shell.firewall import EVERY_SECONDS, NOT_YET, Firewall
from provider_agent.shell.host_config import OPEN_FILES, Confinement
from provider_agent.shell.manifest_store import MANIFESTS, ManifestFiles
from provider_agent.shell.past_logs import PastLogs
from provider_agent.shell.secret_files import SecretDirectory, secrets_directory
from provider_agent.shell.workload_runner import WorkloadRunner

LOCAL = "unix://"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineRoom:
    engine: DockerEngine
    facts: EngineFacts
    limits: DiskLimits
    firewall: Firewall | None
    """None: its operator has said that there shall be none."""


@asynccontextmanager
async def opened_engine(settings: Settings, identity: Identity, accepts_holes: bool) -> AsyncIterator[EngineRoom]:
    """Open the engine, and see that it can do what is asked: it has to be said now, not at the first lease.

    Raises:
        EngineError, SettingsError: it can't; the message says what to do.
    """
    url, image, isolation = settings.docker_url, settings.gateways.image, settings.isolation
    try:
        facts = await probe(url)
    except EngineUnavailable as error:
        raise EngineUnavailable(
            f"no Docker engine at {url}: {error}: is it running, and is docker in {settings.file} right?"
        ) from error
    holes = check_holes(facts, accepts_holes)
    if holes is not None:
        log.warning("engine with known holes accepted", holes=holes)
    check_runtime(isolation.runtime, facts, settings.file)
    firewall = Firewall(url, identity.labels, image, isolation.egress) if isolation.has_firewall else None
    past = PastLogs(settings.data_dir / "logs")
    secrets = SecretDirectory(secrets_directory(identity.tag))
    options = DockerOptions(
        secrets=secrets,
        past=past,
        egress_fault=(lambda: firewall.fault) if firewall is not None else lambda: None,
    )
    async with connected(url, identity.labels, options) as engine:
        if not await engine.has_image(image):
            raise EngineRefused(f"the engine has no image {image} for gateways: {GATEWAY_REMEDY.format(settings.file)}")
        there = (await engine.observe()).containers
        secrets.keep([each.name for each in there])
        manifests = await ManifestFiles(settings.data_dir / MANIFESTS).leases()
        past.keep_leases({*manifests, *(found.lease for each in there if (found := replica_of(each.name)))})
        limits = await try_limits(url, image)
        engine.confine(Confinement(isolation.runtime, open_files(url), limits.of_layers, limits.of_volumes))
        log.info("engine opened", runtime=isolation.runtime, layers=limits.of_layers, volumes=limits.of_volumes)
        yield EngineRoom(engine, facts, limits, firewall)


def check_runtime(runtime: str | None, facts: EngineFacts, file: Path) -> None:
    """See that the engine has the runtime that is wanted.

    Raises:
        SettingsError
    """
    if runtime is not None and runtime not in facts.runtimes:
        has = ", ".join(facts.runtimes) or "none that it tells"
        raise SettingsError(f"{file}: runtime: the engine has no {runtime!r}, it has {has}: put it into daemon.json")


def open_files(url: str) -> int:
    """Return how many files a process of a workload may have open: nobody can be given more than the host may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    is_here = url.startswith(LOCAL) and hard != resource.RLIM_INFINITY
    return min(OPEN_FILES, hard) if is_here else OPEN_FILES


class Guard:
    """Keeps the firewall and the disk of an engine's host in order while the agent runs."""

    def __init__(
        self,
        room: EngineRoom,
        settings: Settings,
        runner: WorkloadRunner,
        wanted: Callable[[], Sequence[DesiredLease]],
    ) -> None:
        """
        Args:
            wanted: tells what shall run.
        """
        self._firewall = room.firewall
        self._runner = runner
        self._wanted = wanted
        self._disk = DiskWatch(
            settings.docker_url,
            Path(room.facts.root),
            settings.isolation.disk_floor_bytes,
            wanted,
            runner,
        )

    @property
    def faults(self) -> dict[str, str | None]:
        """What is wrong, by where."""
        firewall = self._firewall.fault if self._firewall is not None else None
        return {"firewall": None if firewall == NOT_YET else firewall, "disk": self._disk.fault}

    async def run(self, stop: asyncio.Event) -> None:
        """Guard until `stop` is set."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._disk.run(stop))
            if self._firewall is not None:
                tasks.create_task(self._keep(self._firewall, stop))

    async def _keep(self, firewall: Firewall, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await firewall.keep()
                if firewall.is_gone:
                    await call_in(self._runner, self._wanted(), firewall.fault or "")
            except Exception:  # leases are confirmed all the same
                log.exception("firewall not looked after")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)


async def call_in(runner: WorkloadRunner, wanted: Sequence[DesiredLease], fault: str) -> None:
    """Stop what may only run behind the rules of the firewall: they are known to be gone and could not be put back.

    Args:
        fault: why; their tenants are told.
    """
    reason = f"stopped, as the rules that keep it from its host are gone: {fault}"
    for lease in wanted:
        for spec in (each for each in all_that_may_run(lease) if each.is_let_out):
            await evict(runner, lease.lease, spec.name, reason)
