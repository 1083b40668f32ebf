"""`moorage notify send` and `list`: no chain, no wallet, and nothing secret on the screen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cli.delivery_options import DeliveryOptions
from cli.failures import ExitStatus, Failure
from cli.recipient_files import READ_AGAIN_SECONDS, RecipientFiles
from cli.smtp import MailServer
from moorage.deployment_file import IncludeRules
from tests.cli_runner import Person, Result, person
from tests.recipients import HERE, PASSWORD, Hook, certificates, hook, mail_host

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SERVICES = """version: "0.1"
services: {web: {image: nginx}}
deployment:
  datacenters:
    dock:
      region: local
      profiles:
        small:
          compute: {cpu: 500m, memory: 256MiB, disk: 1GB}
          pricing: {max-price: 0.5, collateral: 1d}
  services: {web: {dock: {profile: small, nodes: 1}}}
"""


MINE = "notifications: [{name: me, type: email, to: a@tenant.example}]\n"


@pytest.fixture
def tenant(tmp_path, monkeypatch) -> Person:
    monkeypatch.chdir(tmp_path)
    return replace(person(tmp_path), reachable=HERE, tls=certificates().client)


def write(tenant: Person, *notifications: str, secret: str = SECRET) -> None:
    (tenant.home / "hook.secret").write_text(secret)
    (tenant.home / "hook.secret").chmod(0o600)
    entries = "".join(f"  - {{{each}}}\n" for each in notifications)
    (tenant.home / "moorage.yml").write_text(SERVICES + (f"notifications:\n{entries}" if notifications else ""))


def webhook(here: Hook, name: str = "ops", *, is_signed: bool = True) -> str:
    secret = ", secret: {file: hook.secret}" if is_signed else ""
    return f'name: {name}, type: webhook, url: "{here.url}"{secret}'


def assert_failed(result: Result, status: ExitStatus, *words: str) -> None:
    assert (result.status, result.err.count("\n")) == (status, 1), result.err
    assert all(word in result.err for word in words), result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "ops", "--event", "cluster.down"),
        ("ops", "--event", "cluster.down"),
        ("ops", "--event", "cluster.down", "-f", "moorage.yml"),
        ("--event", "cluster.down"),
    ],
)
async def test_send__event__arrives_marked_as_a_test(tenant, arguments):
    async with hook() as here:
        write(tenant, webhook(here))
        result = await tenant.does("notify", *arguments)

    assert result.status is ExitStatus.OK, result.err
    document = json.loads(here.requests[0].body)
    assert (document["event"], document["test"]) == ("cluster.down", True) and here.ids[0].startswith("evt_test_")
    assert here.ids[0] in result.out and "secret-path" not in result.out and "signed" in result.out


async def test_send__mail__arrives(tenant):
    (tenant.home / "password").write_text(PASSWORD)
    (tenant.home / "password").chmod(0o600)
    write(tenant, "name: me, type: email, to: [a@tenant.example, b@tenant.example]")
    async with mail_host(has_tls=True) as mails:
        server = f"smtps://moorage%40tenant.example@localhost:{mails.port}"
        result = await tenant.having(SMTP=server).does("notify", "me", "--smtp-password-file", "password")

    assert result.status is ExitStatus.OK, result.err
    assert [envelope[1] for envelope in mails.envelopes] == [["a@tenant.example"], ["b@tenant.example"]]


async def test_send__one_of_two_is_down__is_told_and_fails(tenant):
    async with hook() as here, hook() as down:
        down.answers = [(500, {})]
        write(tenant, webhook(here), webhook(down, "chat"))
        result = await tenant.does("notify", "send")

    assert_failed(result, ExitStatus.ERROR, "not delivered to 1 of 2: chat: it answers 500")
    assert "ops" in result.out and len(here.requests) == 1


async def test_h33_send__private_target__is_refused(tenant):
    async with hook() as here:
        write(tenant, webhook(here))
        result = await replace(tenant, reachable=person(tenant.home).reachable).does("notify", "ops")

    assert_failed(result, ExitStatus.ERROR, "127.0.0.1 is not a public address")
    assert here.requests == []


async def test_h33_send__http__only_if_allowed(tenant):
    async with hook(has_tls=False) as here:
        write(tenant, webhook(here))
        refused = await tenant.does("notify", "ops")
        allowed = await tenant.does("notify", "ops", "--allow-http")

    assert_failed(refused, ExitStatus.INVALID_FILE, "not https", "--allow-http")
    assert allowed.status is ExitStatus.OK and len(here.requests) == 1


async def test_h33_send__private_target__is_reached_on_this_machine_for_development(tenant):
    outside = replace(tenant, reachable=person(tenant.home).reachable)
    async with hook(has_tls=False) as here:
        write(tenant, webhook(here), 'name: home, type: webhook, url: "http://10.0.0.1/"')
        allowed = await outside.does("notify", "ops", "--allow-http")
        elsewhere = await outside.does("notify", "home", "--allow-http")

    assert allowed.status is ExitStatus.OK and len(here.requests) == 1, allowed.err
    assert "10.0.0.1 is not a public address" in elsewhere.err


async def test_send__one_entry_can_not_be_used__keeps_no_other_from_being_told(tenant):
    async with hook() as here:
        write(tenant, 'name: bad, type: webhook, url: "http://hooks.example/secret-path"', webhook(here))
        one, unknown, every = [await tenant.does("notify", "send", *name) for name in (["ops"], ["nope"], [])]

    assert one.status is ExitStatus.OK and "bad" not in one.err, one.err
    assert_failed(unknown, ExitStatus.USAGE, "'nope' is no notification of", "there are: bad, ops")
    assert every.status is ExitStatus.ERROR and "not delivered to 1 of 2: bad: its url is not https" in every.err
    assert len(here.requests) == 2 and "secret-path" not in every.err


async def test_send__no_secret__warns_and_sends_unsigned(tenant):
    async with hook() as here:
        write(tenant, webhook(here, is_signed=False))
        result = await tenant.does("notify", "ops")

    assert result.status is ExitStatus.OK and "has no secret" in result.err
    assert "webhook-signature" not in here.requests[0].headers


async def test_send__weak_secret__is_refused_and_not_shown(tenant):
    async with hook() as here:
        write(tenant, webhook(here), secret="pass-phrase")
        result = await tenant.does("notify", "ops")

    assert_failed(result, ExitStatus.INVALID_FILE, "'ops'", "openssl rand")
    assert "pass-phrase" not in result.err


def test_send__unknown_name_event_or_file__is_one_line(tenant):
    write(tenant, "name: me, type: email, to: me@tenant.example")
    smtp = tenant.having(SMTP="smtp://localhost:1", MAIL_FROM="a@b.example")

    assert_failed(smtp.moorage("notify", "you"), ExitStatus.USAGE, "'you'", "there are: me")
    assert_failed(smtp.moorage("notify", "me", "--event", "storm"), ExitStatus.USAGE, "--event", "cluster.created")
    assert_failed(tenant.moorage("notify", "me"), ExitStatus.USAGE, "--smtp (MOORAGE_SMTP)")
    write(tenant)
    assert_failed(tenant.moorage("notify", "send"), ExitStatus.USAGE, "has no notifications")
    assert tenant.moorage("notify", "send", "-f", "none.yml").status is ExitStatus.INVALID_FILE


def test_list__nothing_sent_yet__shows_recipients_and_events_and_no_path(tenant):
    write(
        tenant,
        'name: ops, type: webhook, url: "https://hooks.example/T0/secret-path", secret: {file: hook.secret}',
        "name: me, type: email, to: [a@tenant.example, b@tenant.example], events: [funds.low]",
    )

    text, documents = tenant.moorage("notify", "list").out, tenant.moorage("notify", "list", "-o", "json").json

    assert text.splitlines()[1].split()[:2] == ["ops", "webhook"] and "never" in text and "secret-path" not in text
    assert [each["name"] for each in documents] == ["ops", "me a@tenant.example", "me b@tenant.example"]
    write(tenant, "name: me, type: email, to: a@tenant.example")
    (single,) = tenant.moorage("notify", "list", "-o", "json").json
    assert single["name"] == "me a@tenant.example"  # others may come
    assert documents[1]["events"] == ["funds.low"] and len(documents[0]["events"]) == 12
    assert documents[0]["recipient"] == "webhook at hooks.example, signed" and documents[0]["last_delivery"] is None


def test_list__annotations_of_another_command__are_wrong_usage(tenant):
    write(tenant)

    assert_failed(tenant.moorage("notify", "list", "-o", "github"), ExitStatus.USAGE, "'github' is not one of")


def test_recipient_files__file_is_mended_while_it_runs__is_taken_and_was_told_once(tenant, capsys):
    now, file = [0.0], tenant.home / "moorage.yml"
    server = MailServer("localhost", 25, False, None, None, "a@b.example")
    files = RecipientFiles(DeliveryOptions(server, False, IncludeRules()), lambda: now[0])
    found = []
    for text in ("services: [", "services: [", SERVICES, SERVICES + MINE, "services: ["):
        file.write_text(text)
        found.append([each.name for each in files(file)])
        now[0] += READ_AGAIN_SECONDS

    assert found == [[], [], [], ["me a@tenant.example"], ["me a@tenant.example"]]
    assert capsys.readouterr().err.count("nobody is told") == 1


def test_recipient_files__one_entry_can_not_be_used__is_told_once_and_the_others_are_served(tenant, capsys):
    bad, good = (
        "name: bad, type: webhook, url: http://hooks.example",
        "name: ops, type: webhook, url: https://a.example",
    )
    files = RecipientFiles(DeliveryOptions(None, False, IncludeRules()), lambda: 0.0)
    write(tenant, bad, good)
    file = tenant.home / "moorage.yml"
    files.check(file)

    assert [each.entry for each in files(file) + files(file) if each.obstacle is None] == ["ops", "ops"]
    assert capsys.readouterr().err.count("nothing is sent to notification 'bad': its url is not https") == 1
    write(tenant, bad)
    with pytest.raises(Failure, match="'bad': its url is not https"):
        files.check(file)


@pytest.mark.parametrize("lacking", ["secret: {file: none.secret}", "secret: {env: NO_SUCH_SECRET}"])
async def test_h33_send__secret_is_missing__nothing_is_sent_unsigned_and_the_others_are_told(tenant, lacking):
    async with hook() as here, hook() as other:
        write(tenant, f'name: ops, type: webhook, url: "{here.url}", {lacking}', webhook(other, "chat"))
        result = await tenant.does("notify", "send")
        listed = tenant.moorage("notify", "list", "-o", "json").json

    assert_failed(
        replace(result, err=result.err.splitlines()[-1] + "\n"), ExitStatus.ERROR, "ops: its secret is missing"
    )
    assert (len(here.requests), len(other.requests)) == (0, 1)
    assert [(each["problem"] or "").split(":")[0] for each in listed] == ["its secret is missing", ""]


def test_recipient_files__entry_is_mended_while_it_runs__is_taken_and_told_once(tenant, capsys):
    now, file = [0.0], tenant.home / "moorage.yml"
    files = RecipientFiles(DeliveryOptions(None, False, IncludeRules()), lambda: now[0])
    write(tenant, "name: ops, type: webhook, url: https://a.example, secret: {file: late.secret}")
    obstacles = []
    for _ in range(3):
        obstacles.append([each.obstacle for each in files(file)])
        now[0] += READ_AGAIN_SECONDS
    (tenant.home / "late.secret").write_text(SECRET)

    (mended,) = files(file)

    assert obstacles == [["its secret is missing: there is no file 'late.secret' here"]] * 3
    assert mended.obstacle is None and capsys.readouterr().err.count("its secret is missing") == 1


def test_recipient_files__file_is_altered__is_read_again_and_only_then(tenant, monkeypatch, capsys):
    now, file = [0.0], tenant.home / "moorage.yml"
    files, read = RecipientFiles(DeliveryOptions(None, False, IncludeRules()), lambda: now[0]), []
    recipients = DeliveryOptions.recipients
    monkeypatch.setattr(DeliveryOptions, "recipients", lambda *given: read.append(1) or recipients(*given))
    found = []
    for entry in ("url: https://a.example", None, "url: https://b.example", "url: ["):
        if entry is not None:
            write(tenant, f"name: ops, type: webhook, {entry}")
        found.append([each.shown for each in files(file)])
        now[0] += READ_AGAIN_SECONDS

    assert found == [[f"webhook at {host}.example, not signed"] for host in "aabb"] and len(read) == 3
    assert "those that it named before are told of the deployments of" in capsys.readouterr().err


def test_recipient_files__names_nobody__is_not_read_at_each_block(tenant, monkeypatch):
    write(tenant)
    files = RecipientFiles(DeliveryOptions(None, False, IncludeRules()), lambda: 0.0)
    assert files(tenant.home / "moorage.yml") == ()
    write(tenant, "name: ops, type: webhook, url: https://hooks.example")

    assert files(tenant.home / "moorage.yml") == ()


def test_notify__nothing_said__is_its_help(tenant):
    assert "watch" in tenant.moorage("notify", "--help").out
