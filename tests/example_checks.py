"""What each example is for, tried from outside as those would who use it. Each check takes a visit and asserts."""

from __future__ import annotations

import asyncio
import hmac
import json
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from cli.core.webhook_signature import headers, key_of
from demo.hosts import Hosts
from moorage.private_file import write_private
from tests.example_tenant import LOCAL_FILE, Tenant, at_once
from tests.recipients import HERE, PASSWORD, USER, Hook, certificates, hook, mail_host

PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.3
ANSWER = aiohttp.ClientTimeout(total=60)
NOT_YET = (502, 503, 504)
"""What proxies and applications answer before all that they need is there."""
PI = "31415926535897932384626433832795028841971693993751"
INTRUDE = "for host in signer front app db cache queue; do (: <>/dev/tcp/$host/8000) 2>&- && echo $host; done"
"""In bash: connect to other tenants' workloads by their names, and tell which of them were reached."""
GUEST, STRANGER = "guest", "stranger"
"""Keys for ssh."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Visit:
    """An example that runs."""

    tenant: Tenant
    addresses: list[str]
    """What everybody may reach."""
    hosts: Hosts
    """The machines of the providers that are not on this one."""

    @property
    def first(self) -> str:
        return self.addresses[0]


async def check_static_site(visit: Visit) -> None:
    page = await text_of(f"{visit.first}/")
    style = await text_of(f"{visit.first}/style.css")

    assert "A berth for your pages" in page
    assert "font-family" in style


async def check_app_postgresql(visit: Visit) -> None:
    written = await answer_of("PUT", f"{visit.first}/pages/harbour", "a berth")
    read = await answer_of("GET", f"{visit.first}/pages/harbour")

    assert written["page"] == "harbour"
    assert (read["text"], read["came_from"]) == ("a berth", "database")


async def check_app_redis(visit: Visit) -> None:
    pages = [await text_of(f"{visit.first}/") for _ in range(2)]

    assert all(f'id="visits">{number}<' in page for number, page in enumerate(pages, start=1)), pages


async def check_worker_queue(visit: Visit) -> None:
    job = await answer_of("POST", f"{visit.first}/jobs", "600851475143")

    async def result_of_job() -> Any:
        return (await answer_of("GET", f"{visit.first}/jobs/{job['id']}"))["result"]

    result = await until(result_of_job)
    page = await answer_of("GET", f"{visit.first}/")
    assert result["factors"] == [71, 839, 1471, 6857]
    assert result["worker"] in ("worker-0", "worker-1")
    assert page == {"waiting": 0, "recent": [{"id": job["id"], "state": "finished", "result": result}]}


async def check_two_regions(visit: Visit) -> None:
    def from_outside() -> None:
        with visit.hosts.outside():
            asyncio.run(write_here_and_read_there(visit))

    await asyncio.to_thread(from_outside)


async def write_here_and_read_there(visit: Visit) -> None:
    here = {(await answer_of("GET", f"{address}/here"))["answered_by"]: address for address in visit.addresses}

    async def written() -> Any:  # the tunnel may come up after the workloads
        return await accepted_by("PUT", f"{here['europe']}/pages/harbour", "written in Europe")

    await until(written)
    read = await answer_of("GET", f"{here['america']}/pages/harbour")
    assert (read["text"], read["written_in"], read["answered_by"]) == ("written in Europe", "europe", "america")
    assert {urlsplit(address).hostname for address in here.values()} == {host.address for host in visit.hosts.machines}


async def check_with_includes(visit: Visit) -> None:
    seen: set[str] = set()

    async def all_nodes() -> set[str] | None:
        async with aiohttp.ClientSession(timeout=ANSWER) as session, session.get(f"{visit.first}/") as response:
            seen.add(response.headers["X-Served-By"])
        return seen if len(seen) == 3 else None

    assert await until(all_nodes) == {"web-0", "web-1", "web-2"}


async def check_private_service(visit: Visit) -> None:
    signature = await text_of(f"{visit.first}/sign", "POST", "a message")
    workloads = await visit.tenant.workloads()

    key = (visit.tenant.files / "secrets/signing-key").read_bytes()
    assert signature.strip() == hmac.new(key, b"a message", "sha256").hexdigest()
    assert visit.addresses == workloads["front"]["addresses"]
    assert workloads["signer"]["addresses"] == []
    assert await accepted_by("GET", f"{visit.first}/healthz") is None


async def check_notifications(visit: Visit) -> None:
    assert "A berth for your pages" in await text_of(f"{visit.first}/")
    async with hook() as program, mail_host() as mails:
        _name_recipients(visit.tenant.files, program)
        owner = visit.tenant.person(reachable=HERE, tls=certificates().client).having(
            SMTP=f"smtp://{USER.replace('@', '%40')}@localhost:{mails.port}",
            SMTP_PASSWORD_FILE=str(visit.tenant.files / "smtp-password"),
        )
        file = ("-f", str(visit.tenant.files / LOCAL_FILE))
        outcomes = [await owner.does("notify", *file), await owner.does("notify", "watch", "--once", *file)]

    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    key = key_of((visit.tenant.files / "secrets/webhook-key").read_text())
    for request in program.requests:
        identity, seconds = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        assert headers(identity, seconds, request.body, key).items() <= request.headers.items()
    told = [json.loads(request.body)["event"] for request in program.requests]
    assert told == ["deploy.complete", "deploy.begin", "cluster.created", "funds.low"]  # the first is the test
    subjects = [str(mail["Subject"]).partition(": ")[0] for mail in mails.mails]
    assert subjects == ["[moorage] test of deploy.complete", "[moorage] funds.low"]
    assert {mail["To"] for mail in mails.mails} == {"on-call@example.org"} and all(each[2] for each in mails.envelopes)


def _name_recipients(files: Path, program: Hook) -> None:
    """Put in what the example says to be its owner's."""
    text = (files / "moorage.yml").read_text(encoding="utf-8")
    (files / "moorage.yml").write_text(text.replace("https://hooks.example.org/moorage", program.url))
    write_private(files / "smtp-password", PASSWORD.encode())


async def check_batch_job(visit: Visit) -> None:
    async def done() -> Any:
        job = (await visit.tenant.workloads())["job"]
        return job if job["state"] == "done" else None

    job = await until(done)
    (written,) = await at_once([visit.tenant], "logs", "--tail", "all")
    (refused,) = await at_once([visit.tenant], "exec", "job", "id")
    digits = written.output.strip()
    assert job["reason"].startswith("exit code 0 at ")
    assert (digits[: len(PI)], len(digits)) == (PI, 2000)
    assert refused.status == 125
    assert "replica 0 of job has ended with exit code 0" in " ".join(refused.output.split())


async def check_linux_box(visit: Visit) -> None:
    said = await ssh(visit, GUEST, f"echo kept > note; {INTRUDE}; cat note; id -un; grep -c $HOME /proc/mounts")
    terminal = await ssh(visit, GUEST, "tty && exit 7", "-tt")
    stranger = await ssh(visit, STRANGER, "id")

    assert said == (0, "kept\nbox\n1")  # the home is a volume
    assert terminal == (7, "/dev/pts/0")
    assert stranger[0] == 255 and "Permission denied (publickey)" in stranger[1]


def make_keys(tenant: Tenant) -> None:
    """Make two keys for ssh, of which the first may log in."""
    for name in (GUEST, STRANGER):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tenant.folder / name)]
        subprocess.run(command, check=True)
    with (tenant.files / "authorized_keys").open("a", encoding="utf-8") as file:
        file.write((tenant.folder / f"{GUEST}.pub").read_text(encoding="utf-8"))


async def ssh(visit: Visit, key: str, command: str, *options: str) -> tuple[int, str]:
    """Run a command in the box with one of the keys, and return its exit code and what came out."""
    address, folder = urlsplit(visit.first), visit.tenant.folder
    settings = {"StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": folder / "known", "BatchMode": "yes"}
    chosen = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        *("ssh", "-F", "none", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", *chosen, *options),
        *("-i", str(folder / key), "-p", str(address.port), f"box@{address.hostname}", command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS))[0].decode()
    assert process.returncode is not None
    return process.returncode, output.replace("\r\n", "\n").strip()


CHECKS: dict[str, Callable[[Visit], Coroutine[Any, Any, None]]] = {
    "static-site": check_static_site,
    "app-postgresql": check_app_postgresql,
    "app-redis": check_app_redis,
    "worker-queue": check_worker_queue,
    "two-regions": check_two_regions,
    "with-includes": check_with_includes,
    "private-service": check_private_service,
    "notifications": check_notifications,
    "batch-job": check_batch_job,
    "linux-box": check_linux_box,
}
"""By the example's name."""


async def text_of(address: str, method: str = "GET", body: str = "") -> str:
    """Return an answer of 200 or 202; one of a proxy that knows no server yet is waited out."""

    async def answer() -> str | None:
        return await accepted_by(method, address, body)

    return await until(answer)


async def answer_of(method: str, address: str, body: str = "") -> Any:
    """Return the JSON of an answer; that nobody can give one yet is waited out."""

    async def answer() -> Any:
        async with (
            aiohttp.ClientSession(timeout=ANSWER) as session,
            session.request(method, address, data=body) as response,
        ):
            if response.status in NOT_YET:
                return None
            assert response.ok, (response.status, await response.text())
            return await response.json()

    return await until(answer)


async def accepted_by(method: str, address: str, body: str = "") -> str | None:
    """Return an answer that is a good one, None if it is another one or there is none."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=ANSWER) as session,
            session.request(method, address, data=body) as response,
        ):
            return await response.text() if response.ok else None
    return None


async def until(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """Look again and again until something is found."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if (found := await look()) is not None:
                return found
            await asyncio.sleep(POLL_SECONDS)
