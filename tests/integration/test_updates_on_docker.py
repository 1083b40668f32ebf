"""Updates on a real engine with a real gateway: somebody asks all the time, and is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

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


def web(mark: str, code: str = MARKED) -> Workload:
    return server("web", (80,), connection(80), command=("/usr/bin/python3.11", "-c", code), env={"MARK": mark})


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


async def passes(site: GatewaySite, lease: DesiredLease, seconds: float, *, restarts: bool = False) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline:
        await site.reconcile(lease)
        if restarts:
            site.restart()
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


async def web_digests(site: GatewaySite) -> list[str]:
    return [each.digest for each in (await site.engine.observe()).containers if "-web-" in each.name]


@pytest.mark.parametrize("restarts", [False, True])
async def test_i22_i18_update__to_a_version_that_works__requests_are_answered(
    site: GatewaySite, restarts: bool
) -> None:
    old = site.lease(web("1"))
    new = site.lease(web("2"), lease=old.lease, version=2)
    await site.up(old)
    port = site.runner.port(old, "web:80")
    assert port is not None
    await passes(site, old, 3)
    answers: Counter[str] = Counter()
    asking = asyncio.create_task(keep_asking(port, answers))

    (digest,) = (each.digest for each in new.workload_containers)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await web_digests(site) != [digest]:
            await passes(site, new, 1, restarts=restarts)

    asking.cancel()
    assert is_served_by(answers, "1", "2")
    assert await ask(port) == "2"


async def test_i22_update__to_a_version_that_crashes__the_old_one_answers_and_the_reason_is_told(
    site: GatewaySite,
) -> None:
    old = site.lease(web("1"))
    bad = site.lease(web("2", code="import sys; sys.exit(3)"), lease=old.lease, version=2)
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
    check = Health(
        http=HttpCheck(path=path, port=8080),
        tcp_port=None,
        command=None,
        interval_seconds=1,
        timeout_seconds=2,
        retries=20,
        start_seconds=60,
    )
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
