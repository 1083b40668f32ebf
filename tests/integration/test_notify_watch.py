"""`moorage notify watch` on a real chain, with a web server and a mail server that are told over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.core.webhook_signature import headers, key_of
from cli.failures import ExitStatus
from tests.integration.test_cli_chain import BLOCK_SECONDS, FILE, PATIENT_PERIOD, World, assert_failed, world
from tests.market_crew import crew
from tests.recipients import PASSWORD, Hook, MailHost, hook, mail_host, write_authority

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROGRAM = """
import sys
from dataclasses import replace
import cli.watching as watch
from cli.core.lasting import Patience
from cli.environment import Environment
from cli.main import run
from tests.recipients import HERE
watch.Patience = lambda interval_blocks: Patience(0.2, 0.2, 10, 60, 0.2, interval_blocks or sys.exit("no interval"))
sys.exit(run(sys.argv[1:], replace(Environment.of_process(), reachable=HERE, poll_seconds=0.05)))
"""
"""`moorage`, for which this machine is public and nothing has to last."""


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_file(folder: Path, receiver: Hook) -> None:
    (folder / "hook.secret").write_text(SECRET + "\n")
    (folder / "hook.secret").chmod(0o600)
    (folder / "smtp.password").write_text(PASSWORD)
    (folder / "smtp.password").chmod(0o600)
    (folder / "moorage.yml").write_text(
        FILE
        + f"""notifications:
  - {{name: ops, type: webhook, url: "{receiver.url}", secret: {{file: hook.secret}}}}
  - {{name: me, type: email, to: me@tenant.example, events: [lease.stale, lease.healed, deployment.closed]}}
"""
    )


@asynccontextmanager
async def watcher(here: World, mails: MailHost, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a watcher as a process until the end of the block."""
    variables = {name: value for name, value in here.tenant.variables.items() if value is not None}
    variables |= {
        "MOORAGE_SMTP": f"smtp://moorage%40tenant.example@localhost:{mails.port}",
        "MOORAGE_SMTP_PASSWORD_FILE": "smtp.password",
        "SSL_CERT_FILE": str(write_authority(here.folder)),
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(here.tenant.state),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "notify",
        "watch",
        *arguments,
        cwd=here.folder,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(is_so: Callable[[], bool], process: asyncio.subprocess.Process) -> None:
    """Wait until something is so while a watcher runs."""
    async with asyncio.timeout(120):
        while not is_so():
            if process.returncode is not None:
                raise AssertionError((await process.communicate())[1].decode())
            await asyncio.sleep(0.05)


def told(receiver: Hook) -> list[str]:
    return [json.loads(request.body)["event"] for request in receiver.requests]


async def test_h33_watch__from_deploy_to_delete_with_kill_9_between__everybody_is_told_everything(tmp_path):
    async with (
        hook() as receiver,
        mail_host() as mails,
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        crew(here.chain, here.market, tmp_path) as (first, _),
    ):
        write_file(tmp_path, receiver)
        async with watcher(here, mails, "-o", "json") as process:
            deployed = await here.tenant.does("deploy", "--yes", "--detach", "--fund", "1h", "-o", "json")
            assert deployed.status is ExitStatus.OK, deployed.err
            await until(lambda: "deploy.complete" in told(receiver), process)
            receiver.answers = [(503, {})] * 9
            first.fail()
            await here.chain.mine(PATIENT_PERIOD)
            await until(lambda: "lease.stale" in told(receiver), process)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        receiver.answers.clear()
        deployment = json.loads(receiver.requests[0].body)["deployment"]
        async with watcher(here, mails, "-o", "json", "--deployment", deployment, "-f", "moorage.yml") as process:
            await until(lambda: {"lease.healed", "provider.changed"} <= set(told(receiver)), process)
            await here.tenant.does("delete", "--yes")
            out, err = await asyncio.wait_for(process.communicate(), 120)

        assert process.returncode == ExitStatus.OK, err
        lines = [json.loads(line) for line in out.splitlines()]
        assert (lines[0]["event"], lines[-1]["event"]) == ("following", "ended")
        by_id = {request.headers["webhook-id"]: json.loads(request.body) for request in receiver.requests}
        counts = {event: sum(each["event"] == event for each in by_id.values()) for event in told(receiver)}
        assert counts == {
            "deploy.begin": 1,
            "funds.low": 2,
            "cluster.created": 2,
            "cluster.node.created": 1,
            "deploy.complete": 1,
            "lease.stale": 1,
            "cluster.down": 2,
            "provider.changed": 1,
            "lease.healed": 1,
            "deployment.closed": 1,
        }
        for request in receiver.requests:
            identity, seconds = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
            assert headers(identity, seconds, request.body, key_of(SECRET)).items() <= request.headers.items()
        assert {str(mail["Subject"]).split()[1] for mail in mails.mails} == {
            "lease.stale:",
            "lease.healed:",
            "deployment.closed:",
        }
        assert all(is_over_tls for _, _, is_over_tls in mails.envelopes)
        listed = here.tenant.moorage("notify", "list", "-o", "json").json
        assert [(each["name"], each["waiting"], each["failed"]) for each in listed] == [
            ("ops", 0, 0),
            ("me me@tenant.example", 0, 0),
        ]
        assert (listed[0]["delivered"], listed[1]["delivered"]) == (sum(counts.values()), 3)


async def test_watch__what_was_asked_for_can_not_be_done__is_one_line_that_says_what_to_do(tmp_path):
    async with hook() as receiver, mail_host() as mails, world(tmp_path) as here:
        watch = ("notify", "watch", "--once")
        nobody = await here.tenant.does(*watch)
        write_file(tmp_path, receiver)
        no_server = await here.tenant.does(*watch)
        both = await here.tenant.does(*watch, "--all", "-f", "moorage.yml")
        odd = await here.tenant.does(*watch, "--low", "soon")
        never = await here.tenant.does(*watch, "--interval", "never")
        unknown = await here.tenant.does(*watch, "--deployment", "0x" + "12" * 32)
        mailing = here.tenant.having(SMTP=f"smtp://localhost:{mails.port}", MAIL_FROM="a@b.example")
        idle = await mailing.does(*watch, "-o", "json")
        mail = await here.tenant.does("notify", "send", "me")
        hooked = await here.tenant.does("notify", "send", "ops")
        async with watcher(here, mails, "--mail-from", "a@b.example") as process:
            assert process.stderr is not None
            while b"watching" not in await process.stderr.readline():
                assert process.returncode is None
            process.terminate()
            _, error = await process.communicate()

    assert process.returncode == ExitStatus.ABORTED
    assert error.decode() == "moorage: stopped: what was not delivered is sent by the next `moorage notify watch`\n"
    assert_failed(nobody, ExitStatus.USAGE, "moorage.yml has no notifications")
    assert_failed(no_server, ExitStatus.USAGE, "notification 'me' is an email: give --smtp")
    assert_failed(mail, ExitStatus.USAGE, "notification 'me' is an email: give --smtp")
    assert "--smtp" not in hooked.err
    assert_failed(both, ExitStatus.USAGE, "--all is without")
    assert_failed(odd, ExitStatus.USAGE, "--low")
    assert_failed(never, ExitStatus.USAGE, "--interval")
    assert_failed(unknown, ExitStatus.USAGE, "no deployment")
    assert (idle.status, idle.out, receiver.requests) == (ExitStatus.OK, "", [])
