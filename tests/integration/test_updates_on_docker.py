"""Updates on a real engine with a real gateway: somebody asks all the time, and is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from moorage.crash import Crashed, crash_hook
from moorage.manifest import Workload
from moorage.workload_health import Health, HttpCheck
from provider_agent.core.workloads import DesiredLease
from tests.docker_world import engine_url
from tests.factories.workloads import connection
from tests.gateway_site import GatewaySite, gateway_site, server

URL = engine_url()
Told = dict[str, tuple[str, str | None]]
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(300),
]
PATIENCE_SECONDS = 90
MARKED = """
import os, socketserver
class Mark(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall((os.environ["MARK"] + "\\n").encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("0.0.0.0", 80), Mark).serve_forever()
"""

ANSWERS_UP = """
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        is_up = self.rfile.readline().split()[1] == b"/up"
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" if is_up else b"HTTP/1.0 404 Not Found\\r\\n\\r\\n")
socketserver.ThreadingTCPServer(("0.0.0.0", 8080), Answer).serve_forever()
"""


def asked(http: HttpCheck | None = None, tcp_port: int | None = None, patience: int = 20) -> Health:
    """Return a check by the gateway, every second."""
    return Health(
        http=http,
        tcp_port=tcp_port,
        command=None,
        interval_seconds=1,
        timeout_seconds=2,
        retries=patience,
        start_seconds=60,
    )


def web(mark: str, code: str = MARKED, health: Health | None = None) -> Workload:
    command = ("/usr/bin/python3.11", "-c", code)
    return server("web", (80,), connection(80), command=command, env={"MARK": mark}, health=health)


@pytest.fixture
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewaySite]:
    assert URL is not None
    async with gateway_site(URL, tmp_path_factory.mktemp("agent")) as opened:
        yield opened


async def ask(port: int) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            line = await reader.readline()
            writer.close()
            return line.decode().strip() or "nothing"
    except (OSError, TimeoutError):
        return "refused"


async def keep_asking(port: int, answers: Counter[str]) -> None:
    while True:
        answers[await ask(port)] += 1
        await asyncio.sleep(0.05)


def is_served_by(answers: Counter[str], *marks: str) -> bool:
    """Return whether each of these answered, and nobody else; not one request may be lost."""
    return set(answers) == set(marks)


async def passes(site: GatewaySite, lease: DesiredLease, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline:
        await site.reconcile(lease)
        await asyncio.sleep(0.3)


async def until_told(site: GatewaySite, lease: DesiredLease, is_so: Callable[[Told], bool]) -> None:
    """Make passes until the workloads are told as a test wants it."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    await passes(site, lease, 0.5)
    while not is_so(told := told_of(site, lease)):
        assert asyncio.get_running_loop().time() < deadline, told
        await passes(site, lease, 0.5)


def told_of(site: GatewaySite, lease: DesiredLease) -> Told:
    """Return state and reason of each workload."""
    return {each.name: (each.state.value, each.reason) for each in site.runner.reports(lease)}


@dataclass(slots=True)
class Deaths:
    """Kills the agent before each thing that it has the engine do, and twice at each named place in between."""

    site: GatewaySite
    died: Counter[str] = field(default_factory=Counter)
    """How often it died where, and after how many containers had been started."""
    names: dict[str, str] = field(default_factory=dict)
    """Of containers, by what the engine calls them."""
    starts: int = 0
    is_dead: bool = False

    def at(self, place: str, times: int = 2) -> None:
        """
        Raises:
            Crashed: it dies here, or is dead.
        """
        key = f"{self.starts} {place}"
        self.is_dead = self.is_dead or self.died[key] < times
        if self.is_dead:
            self.died[key] += 1
            raise Crashed(place)

    @contextmanager
    def happen(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Have the agent die from now on."""
        ask = self.site.engine._docker._query_json

        async def query(path: str, method: str, **options: Any) -> Any:
            if method != "GET":
                self.at(f"{method} {self._named(path)} {(options.get('params') or {}).get('name', '')[-9:]}", 1)
                self.starts += path.endswith("/start")
            answer = await ask(path, method, **options)
            if isinstance(answer, dict) and "Name" in answer:
                self.names[answer.get("Id", "")] = answer["Name"][-9:]
            return answer

        with patch.context() as patched, crash_hook(self.at), capture_logs():  # a death is told with all that led to it
            patched.setattr(self.site.engine._docker, "_query_json", query)
            yield

    async def passes(self, lease: DesiredLease, starts: int | None = None) -> None:
        """Make passes until there is of the workload what shall be, and nothing beside it.

        Args:
            starts: of containers, after which it is enough.
        """
        wanted = [(each.name, each.digest) for each in lease.workload_containers]
        while await web_containers(self.site) != wanted and (starts is None or self.starts < starts):
            await self.site.reconcile(lease)
            if self.is_dead:
                self.is_dead = False
                self.site.restart()
            await asyncio.sleep(0.1)

    def _named(self, path: str) -> str:
        return "/".join(self.names.get(part, part) for part in path.split("/"))


async def everything(site: GatewaySite) -> list[list[str]]:
    """Return the names of all that there is on the engine, and how many files each gateway has."""
    seen = await site.engine.observe()
    folders = [(site.gateways._files(lease).directory / "etc") for lease in site.leases]
    named = [[each.name for each in kind] for kind in (seen.containers, seen.networks, seen.volumes)]
    return [*map(sorted, named), *([str(len(list(each.rglob("*"))))] for each in folders)]


async def web_containers(site: GatewaySite) -> list[tuple[str, str]]:
    return [(each.name, each.digest) for each in (await site.engine.observe()).containers if "-web-" in each.name]


async def web_digests(site: GatewaySite) -> list[str]:
    return [digest for _, digest in await web_containers(site)]


async def test_i22_update__to_a_version_that_works__requests_are_answered(site: GatewaySite) -> None:
    old = site.lease(web("1"))
    new = site.lease(web("2", health=asked(tcp_port=80)), lease=old.lease, version=2)
    await site.up(old)
    port = site.runner.port(old, "web:80")
    assert port is not None
    await passes(site, old, 3)
    answers: Counter[str] = Counter()
    asking = asyncio.create_task(keep_asking(port, answers))

    (digest,) = (each.digest for each in new.workload_containers)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await web_digests(site) != [digest]:
            await passes(site, new, 1)

    asking.cancel()
    assert is_served_by(answers, "1", "2")
    assert await ask(port) == "2"


ENDING = "import sys; sys.exit(3)"
TAKEN_BACK = {
    "as it ends at once": (ENDING, 3),
    "before it takes the place": (MARKED, 1),
    "when it has taken the place": (MARKED, 2),
}
"""What the new version does, and how many containers are started before the old one is wanted again."""


@pytest.mark.parametrize("back", [None, *(pytest.param(each, marks=pytest.mark.long) for each in TAKEN_BACK)])
async def test_i22_i18_update__agent_dies_before_every_step__requests_are_answered_and_nothing_is_left_over(
    site: GatewaySite, monkeypatch: pytest.MonkeyPatch, back: str | None
) -> None:
    code, starts = TAKEN_BACK[back] if back is not None else (MARKED, None)
    old = site.lease(web("1"))
    new = site.lease(web("2", code=code), lease=old.lease, version=2)
    await site.up(old)
    port = site.runner.port(old, "web:80")
    assert port is not None
    await passes(site, old, 3)
    before = await everything(site)
    answers: Counter[str] = Counter()
    asking = asyncio.create_task(keep_asking(port, answers))
    deaths = Deaths(site)

    with deaths.happen(monkeypatch):
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            await deaths.passes(new, starts)
            await deaths.passes(new if back is None else old)

    await passes(site, new if back is None else old, 1)
    asking.cancel()
    assert set(answers) <= {"1", "2"}
    assert await ask(port) == ("2" if back is None else "1")
    assert await everything(site) == before
    assert len(deaths.died) >= 15, deaths.died


async def test_i22_update__to_a_version_that_crashes__the_old_one_answers_and_the_reason_is_told(
    site: GatewaySite,
) -> None:
    old = site.lease(web("1"))
    check = asked(HttpCheck(path="/not-the-old-ones", port=80), patience=1)
    bad = site.lease(web("2", code=ENDING, health=check), lease=old.lease, version=2)
    await site.up(old)
    port = site.runner.port(old, "web:80")
    assert port is not None
    await passes(site, old, 3)
    answers: Counter[str] = Counter()
    asking = asyncio.create_task(keep_asking(port, answers))

    words = "the version before goes on; the new one is restarting: exited with code 3"
    await passes(site, bad, 5)  # it is tried more than once
    await until_told(site, bad, lambda told: told["web"][0] == "running" and words in str(told["web"][1]))

    asking.cancel()
    assert is_served_by(answers, "1")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await web_digests(site) != [each.digest for each in old.workload_containers]:
            await passes(site, old, 0.5)


@pytest.mark.parametrize(("path", "state"), [("/up", "running"), ("/missing", "starting")])
async def test_i15_health__over_http__is_asked_by_the_gateway(site: GatewaySite, path: str, state: str) -> None:
    check = asked(HttpCheck(path=path, port=8080))
    lease = site.lease(
        server("api", (), command=("/usr/bin/python3.11", "-c", ANSWERS_UP), health=check),
        server("web", (80,), depends_on=("api",)),
    )

    expected: Told = {"api": ("running", None), "web": ("running", None)}
    if state == "starting":
        expected = {"api": ("starting", "not healthy yet"), "web": ("starting", "waits for api")}

    await until_told(site, lease, lambda told: told == expected)

    await passes(site, lease, 5)
    assert told_of(site, lease) == expected
