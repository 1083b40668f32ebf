"""How a workload gets to its new version: tried beside the old one, which serves until then, and on if it fails."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from moorage.workload_health import Health, HttpCheck
from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    HealthState,
    Observed,
    ObservedContainer,
    sorted_labels,
)
from provider_agent.core.gateway_container import CONFIG_FILE
from provider_agent.core.updates import with_updates
from provider_agent.core.workload_report import WorkloadReport
from provider_agent.core.workloads import FIRST_PLACE, DesiredLease
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, NEXT_VERSION, connection, lease_of, workload
from tests.full_pass import reconcile

OLD = lease_of(workload("web", connection(80), image="example/web:1"))
NEW = lease_of(workload("web", connection(80), image="example/web:2"), version=NEXT_VERSION)
WEB = OLD.workload_containers[0].name
BESIDE = f"{WEB}.next"


@dataclass
class Site:
    now_seconds: int = 1_000_000
    engine: MemoryEngine = field(init=False)
    gateways: MemoryGateways = field(default_factory=MemoryGateways)
    runner: WorkloadRunner = field(init=False)

    def __post_init__(self) -> None:
        images = {"example/web:1", "example/web:2", self.gateways.site.image}
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: self.now_seconds, images=images)
        self.restart()

    def restart(self) -> None:
        self.runner = WorkloadRunner(self.engine, self.gateways, clock=lambda: self.now_seconds, pass_seconds=60)

    async def step(self, wanted: DesiredLease, seconds: int = 0) -> dict[str, str]:
        """Let time pass, make one pass, and return which image each of the workloads' containers that run is of."""
        self.now_seconds += seconds
        await reconcile(self.runner, [wanted], ())
        return await self.running()

    async def running(self) -> dict[str, str]:
        digests = {each.digest: each.image for lease in (OLD, NEW) for each in lease.workload_containers}
        seen = (await self.engine.observe()).containers
        return {
            each.name: digests[each.digest]
            for each in seen
            if each.digest in digests and each.state is ContainerState.RUNNING
        }

    def report(self, wanted: DesiredLease) -> WorkloadReport:
        (found,) = self.runner.reports(wanted)
        return found

    def followers(self) -> list[str]:
        """Return who serves those who come from outside."""
        (config,) = self.gateways.running.values()
        lines = {name: line for (section, name), line in config.servers.items() if section.startswith("public_web")}
        return [f"{name} weight 0" if "weight 0" in line else name for name, line in lines.items()]

    def servers(self, wanted: DesiredLease) -> list[str]:
        """Return the servers that the gateway checks."""
        (config,) = self.gateways.running.values()
        return [name for section, name in config.servers if section.startswith("replicas_web")]


@pytest.fixture
async def site() -> Site:
    site = Site()
    await site.step(OLD)
    return site


async def test_i22_update__works__is_tried_beside_then_takes_the_place(site: Site) -> None:
    assert await site.step(NEW, 10) == {WEB: "example/web:1", BESIDE: "example/web:2"}
    assert site.report(NEW).reason == "the version before goes on; the new one is tried"
    assert await site.step(NEW, 4) == {WEB: "example/web:1", BESIDE: "example/web:2"}
    assert site.followers() == ["r0"]
    assert await site.step(NEW, 1) == {WEB: "example/web:1", BESIDE: "example/web:2"}
    assert site.followers() == ["r0 weight 0", "r1"]
    assert await site.step(NEW, 2) == {WEB: "example/web:2", BESIDE: "example/web:2"}
    await site.step(NEW)
    assert site.followers() == ["r0", "r1"]
    await site.step(NEW, 5)
    assert site.followers() == ["r0", "r1 weight 0"]

    assert await site.step(NEW, 2) == {WEB: "example/web:2"}

    await site.step(NEW, 1)
    assert site.servers(NEW) == ["r0"]
    assert site.report(NEW).reason is None


async def test_i22_update__container_beside__has_addresses_of_its_own(site: Site) -> None:
    await site.step(NEW, 10)

    (spec,) = (each for each in site.runner._updated(NEW).workload_containers if each.name == BESIDE)
    assert {each.place for each in spec.attachments} == {FIRST_PLACE + 1}


async def test_i22_update__image_is_nowhere__the_old_version_serves_and_the_reason_is_told(site: Site) -> None:
    site.engine.images.discard("example/web:2")
    for _ in range(5):
        assert await site.step(NEW, 30) == {WEB: "example/web:1"}

    report = site.report(NEW)
    assert report.state.value == "running"
    assert report.addresses == site.runner.reports(OLD)[0].addresses != ()
    assert report.reason is not None
    assert report.reason.startswith(
        "the version before goes on; the new one failed: image example/web:2 was not found; next attempt in"
    )


async def test_i22_update__new_version_crashes_again_and_again__the_old_one_serves_all_the_time(site: Site) -> None:
    await site.step(NEW, 10)
    for number in range(5):
        site.engine.crash(BESIDE, 3)
        assert await site.step(NEW) == {WEB: "example/web:1"}
        report = site.report(NEW)
        assert (await site.step(NEW, 2**number))[WEB] == "example/web:1"
    assert report.reason is not None
    assert "the version before goes on; the new one is restarting: exited with code 3; restart" in report.reason

    assert (await site.step(OLD, 1)) == {WEB: "example/web:1"}  # taken back: what was tried goes


async def test_i05_update__new_version_is_tried__keeps_what_was_written_of_what_there_is_to_be(site: Site) -> None:
    await site.step(NEW, 10)
    site.engine.crash(BESIDE, 3)
    await site.step(NEW, 10)
    assert await site.engine.kept_logs(LEASE) == {BESIDE}

    for _ in range(6):
        await site.step(NEW, 3)

    assert await site.running() == {WEB: "example/web:2"}
    assert await site.engine.kept_logs(LEASE) == {WEB}


async def test_i22_update__old_version_dies_meanwhile__the_new_one_takes_the_place_at_once(site: Site) -> None:
    await site.step(NEW, 10)
    site.engine.crash(WEB, 1)

    assert await site.step(NEW, 1) == {WEB: "example/web:2", BESIDE: "example/web:2"}


async def test_i22_update__several_replicas__go_one_after_the_other() -> None:
    old = lease_of(workload("web", connection(80), image="example/web:1", count=3))
    new = lease_of(workload("web", connection(80), image="example/web:2", count=3), version=NEXT_VERSION)
    site = Site()
    await site.step(old)
    most, fewest = 0, 3
    for _ in range(20):
        await site.step(new, 3)
        names = {each.name for each in (await site.engine.observe()).containers if each.name.startswith("mw-")}
        most, fewest = max(most, len(names)), min(fewest, len(names))

    assert (most, fewest) == (4, 3)
    seen = (await site.engine.observe()).containers
    assert {each.digest for each in seen if each.name.startswith("mw-")} == {
        each.digest for each in new.workload_containers
    }
    assert len(names) == 3


async def test_i22_update__with_storage__is_replaced_when_its_image_is_there() -> None:
    old = lease_of(workload("web", image="example/web:1", storage={"/data": 1}))
    new = lease_of(workload("web", image="example/web:2", storage={"/data": 1}), version=NEXT_VERSION)
    site = Site()
    await site.step(old)
    site.engine.images.discard("example/web:2")
    await site.step(new, 10)
    (found,) = (await site.engine.observe()).containers
    assert found.digest == old.workload_containers[0].digest

    site.engine.images.add("example/web:2")
    await site.step(new, 10)

    (found,) = (await site.engine.observe()).containers
    assert found.digest == new.workload_containers[0].digest


@pytest.mark.parametrize("passes", range(8))
async def test_i18_i22_update__agent_is_started_anew_after_any_pass__ends_in_the_same_state(
    site: Site, passes: int
) -> None:
    for number in range(16):
        await site.step(NEW, 3)
        if number == passes:
            site.restart()

    assert await site.running() == {WEB: "example/web:2"}
    assert site.servers(NEW) == ["r0"]


async def test_i22_update__taken_back_after_the_switch__goes_the_same_way_back(site: Site) -> None:
    for _ in range(6):
        await site.step(NEW, 3)

    for _ in range(8):
        assert await site.step(OLD, 3)

    assert await site.running() == {WEB: "example/web:1"}


async def test_i22_update__another_version_comes_in_the_middle__what_is_beside_serves_until_it_has_worked(
    site: Site,
) -> None:
    for _ in range(4):
        await site.step(NEW, 3)
    site.engine.crash(WEB, 1)

    assert await site.step(OLD, 1) == {WEB: "example/web:1", BESIDE: "example/web:2"}
    await site.step(OLD, 2)
    assert site.followers() == ["r0 weight 0", "r1"]
    assert site.report(OLD).reason == "the version before goes on; the new one is tried"
    await site.step(OLD, 3)
    assert site.followers() == ["r0", "r1 weight 0"]
    assert await site.step(OLD, 2) == {WEB: "example/web:1"}
    await site.step(OLD)
    assert (site.followers(), site.report(OLD).reason) == (["r0"], None)


async def test_i22_update__another_version_comes_and_nothing_works__is_tried_at_once(site: Site) -> None:
    await site.step(NEW, 10)
    site.engine.crash(WEB, 1)
    await site.step(NEW, 1)
    site.engine.crash(BESIDE, 1)

    running = await site.step(OLD, 1)

    assert running == {WEB: "example/web:2", BESIDE: "example/web:1"}


def seen(spec: ContainerSpec, name: str, health: HealthState | None = None) -> ObservedContainer:
    """Return a container that has run for a while."""
    labels = sorted_labels(spec.all_labels)
    return ObservedContainer(name, labels, ContainerState.RUNNING, started_seconds=1_000, health=health)


@pytest.mark.parametrize(
    ("health", "is_held"), [(None, True), (HealthState.HEALTHY, True), (HealthState.UNHEALTHY, False)]
)
def test_i22_with_updates__replica_is_gone_and_what_is_beside_is_of_another_version__stays_if_it_works(
    health: HealthState | None, is_held: bool
) -> None:
    observed = Observed((seen(NEW.workload_containers[0], BESIDE, health),))

    (found,) = with_updates(OLD, observed, 2_000).workloads

    assert [each.name for each in found.beside] == [BESIDE]
    assert found.held == ({BESIDE} if is_held else set())


def test_i22_with_updates__one_replica_is_carried_by_what_is_beside_it__the_others_wait() -> None:
    old, new = (lease_of(workload("web", image=f"example/web:{number}", count=2)) for number in (1, 2))
    first, second = (each.name for each in old.workload_containers)
    containers = seen(new.workload_containers[0], first), seen(new.workload_containers[0], f"{second}.next")

    (found,) = with_updates(old, Observed(containers), 2_000).workloads

    assert [each.name for each in found.beside] == [f"{second}.next"]
    assert found.held == {first, f"{second}.next"}


def asked(path: str) -> Health:
    """Return a check over HTTP."""
    check = HttpCheck(path=path, port=80)
    return Health(
        http=check, tcp_port=None, command=None, interval_seconds=1, timeout_seconds=1, retries=1, start_seconds=0
    )


def versions(*checks: Health | None, image: str = "example/web:2") -> list[DesiredLease]:
    """Return one version for each check; all but the first have an image of their own."""
    images = ["example/web:1", *(image for _ in checks[1:])]
    return [
        lease_of(workload("web", connection(80), image=made_of, health=check), version=NEXT_VERSION)
        for made_of, check in zip(images, checks, strict=True)
    ]


def checks(site: Site) -> dict[str, str]:
    """Return for what each server is asked over HTTP; an empty text: it is only connected to."""
    (config,) = site.gateways.running.values()
    parts = config.files[CONFIG_FILE].decode().split("\n\n")
    paths = {part.split()[1]: part.partition("httpchk GET ")[2].split("\n")[0] for part in parts}
    checking = {name: section for section, name in sorted(config.servers) if section.startswith("replicas_")}
    for line in config.servers.values():
        name, _, followed = line.split()[1], *line.partition(" track ")[1:]
        assert not followed or followed.split()[0] == f"{checking[name]}/{name}"
    return {name: paths[section] for name, section in sorted(checking.items())}


@pytest.mark.parametrize("image", ["example/web:1", "example/web:2"])
@pytest.mark.parametrize("before", [None, "/one"])
async def test_i22_update__another_check__is_for_the_new_version_alone_and_goes_with_it(
    before: str | None, image: str
) -> None:
    old, new = versions(asked(before) if before is not None else None, asked("/two"), image=image)
    site = Site()
    await site.step(old)
    assert checks(site) == {"r0": before or ""}

    await site.step(new, 10)
    site.restart()
    await site.step(new, 10)
    assert checks(site) == {"r0": before or "", "r1": "/two"}
    assert site.followers() == ["r0"]

    site.gateways.healths = {("web", 0): HealthState.HEALTHY}
    for _ in range(4):
        await site.step(old, 10)
    assert checks(site) == {"r0": before or ""}


async def test_i22_update__another_check_and_it_works__is_for_each_container_of_the_new_version() -> None:
    old, new = versions(asked("/one"), asked("/two"))
    site = Site()
    await site.step(old)
    site.gateways.healths = {("web", 0): HealthState.HEALTHY, ("web", 1): HealthState.HEALTHY}

    seen = []
    for _ in range(12):
        await site.step(new, 3)
        seen.append(tuple(checks(site).values()))

    assert list(dict.fromkeys(seen)) == [("/one",), ("/one", "/two"), ("/two", "/two"), ("/two",)]


async def test_i22_update__version_without_a_check_follows__the_one_before_is_still_asked() -> None:
    old, new = versions(asked("/one"), None)
    site = Site()
    await site.step(old)

    await site.step(new, 10)
    await site.step(new)

    assert checks(site) == {"r0": "/one", "r1": ""}


async def test_i22_update__storage_and_its_image_is_nowhere__the_old_one_is_not_asked_as_the_new_one() -> None:
    old, new = (
        lease_of(workload("web", connection(80), image=f"example/web:{number}", health=check, storage={"/data": 1}))
        for number, check in ((1, None), (2, asked("/two")))
    )
    site = Site()
    await site.step(old)
    site.engine.images.discard("example/web:2")

    await site.step(new, 10)

    assert checks(site) == {"r0": ""}


async def test_i22_update__what_was_seen_is_looked_at_anew__what_works_still_serves() -> None:
    old, new = versions(None, asked("/two"))
    site = Site()
    await site.step(old)
    site.gateways.healths = {("web", 1): HealthState.HEALTHY}
    await site.step(new, 10)

    for _ in range(2):  # each pass begins with what the engine tells, and it knows nothing of the gateway's checks
        await site.step(new, 5)
        assert site.followers()[-1] == "r1"


def test_updated__nothing_on_the_engine__changes_nothing() -> None:
    site = Site()

    assert site.runner._updated(NEW) == NEW
