"""Notifications of a deployment file: what they say, how they merge, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.core.mail import address
from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError, Event, Notification, NotificationType
from moorage.workload_secrets import Secret

VERSION = 'version: "0.1"\n'
REST = f"""\
{VERSION}services:
  web: {{image: nginx}}
deployment:
  datacenters:
    dock: {{region: local, profiles: {{small: {{pricing: {{max-price: 5}}}}}}}}
  services:
    web: {{dock: {{profile: small}}}}
"""
LINES_BEFORE = REST.count("\n") + 1


def load(directory: Path, notifications: str, included: str | None = None) -> tuple[Notification, ...]:
    text = f"{REST}notifications:\n{notifications}"
    if included is not None:
        (directory / "base.yml").write_text(f"{VERSION}notifications:\n{included}")
        text += "include: [base.yml]\n"
    (directory / "moorage.yml").write_text(text)
    return deployment_file.load(directory / "moorage.yml").notifications


def problems_of(directory: Path, notifications: str) -> list[str]:
    """Return what is wrong as `line:column: message`, the line counted within the notifications."""
    with pytest.raises(DeploymentFileError) as caught:
        load(directory, notifications)
    return [
        f"{(problem.position.line or 0) + 1 - LINES_BEFORE}:{problem.position.column + 1}: {problem.message}"
        for problem in caught.value.problems
    ]


def test_notifications__of_both_types__say_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_SECRET", "s3cret\n")
    chat = '  - {name: chat, type: webhook, url: "https://chat.example", secret: {env: CHAT_SECRET}}\n'
    mail = "  - {name: team mail, type: email, to: [a@x.example, b@x.example], events: [funds.low, lease.stale]}\n"
    single = "  - {name: one, type: email, to: a@x.example}\n"

    assert load(tmp_path, chat + mail + single) == (
        Notification(
            "chat", NotificationType.WEBHOOK, "https://chat.example", (), tuple(Event), Secret(value="s3cret")
        ),
        Notification(
            "team mail",
            NotificationType.EMAIL,
            None,
            ("a@x.example", "b@x.example"),
            (Event.FUNDS_LOW, Event.LEASE_STALE),
            None,
        ),
        Notification("one", NotificationType.EMAIL, None, ("a@x.example",), tuple(Event), None),
    )


@pytest.mark.parametrize(
    ("secret", "missing"), [("{file: none}", "file 'none'"), ("{env: NO_SUCH}", "variable 'NO_SUCH'")]
)
def test_notifications__secret_is_not_here_and_not_needed__is_known_to_be_missing(tmp_path, secret, missing):
    file = tmp_path / "moorage.yml"
    chat = f'{{name: chat, type: webhook, url: "https://x.example", secret: {secret}}}'
    file.write_text(f"{REST}notifications: [{chat}]\n")

    (found,) = deployment_file.load_file(file, are_secrets_needed=False).spec.notifications

    assert (found.secret, found.missing_secret) == (None, missing)


def test_h11_notifications__secret_of_a_webhook__is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-5f1d")

    found = load(tmp_path, '  - {name: chat, type: webhook, url: "https://x.example", secret: {file: secret}}\n')

    assert "canary" not in repr(found)


def test_notifications__of_an_included_file__are_merged_by_name(tmp_path: Path) -> None:
    included = (
        "  - {name: mail, type: email, to: a@x.example, events: [funds.low]}\n"
        "  - {name: chat, type: webhook, url: 'https://a.example'}\n"
    )
    above = "  - {name: more, type: email, to: c@x.example}\n  - {name: mail, to: b@x.example}\n"

    found = load(tmp_path, above, included)

    assert [(each.name, each.to, each.url) for each in found] == [
        ("mail", ("b@x.example",), None),
        ("chat", (), "https://a.example"),
        ("more", ("c@x.example",), None),
    ]
    assert found[0].events == (Event.FUNDS_LOW,)


@pytest.mark.parametrize("above", ["  -\n", "  - 5\n", "  - {type: email, to: a@x.example}\n", "  - {name: [x]}\n"])
def test_notifications__without_a_name__are_refused_beside_included_ones(tmp_path: Path, above: str) -> None:
    with pytest.raises(DeploymentFileError):
        load(tmp_path, above, "  - {name: mail, type: email, to: a@x.example}\n  - {type: email}\n")


@pytest.mark.parametrize(
    "url", ["https://user:pass%20word@x.example:8443/a?b#c", "https://[2001:db8::1]:1/|", "https://10.0.0.1"]
)
def test_notifications__odd_address_that_leads_somewhere__is_taken(tmp_path: Path, url: str) -> None:
    (found,) = load(tmp_path, f'  - {{name: a, type: webhook, url: "{url}"}}\n')

    assert found.url == url


@pytest.mark.parametrize("to", ["a@b", "a.b+c_d-e@x-1.example", "o'hara@x.example", f"{'x' * 64}@x.example"])
def test_notifications__address_of_a_person__is_one_for_mails_too(tmp_path: Path, to: str) -> None:
    (found,) = load(tmp_path, f'  - {{name: a, type: email, to: "{to}"}}\n')

    assert address(found.to[0]).addr_spec == to


@pytest.mark.parametrize(
    ("notification", "problem"),
    [
        ("{name: a, type: webhook}", "1:5: 'url' is missing in 'notifications', entry 1"),
        ("{name: a, type: email}", "1:5: 'to' is missing in 'notifications', entry 1"),
        ("{name: a, type: sms, to: x@y}", "1:21: 'sms' is not email or webhook"),
        ("{name: a, type: email, to: nobody}", "1:32: 'nobody' is not an email address"),
        ("{name: a, type: email, to: <a@b>}", "1:32: '<a@b>' is not an email address"),
        ('{name: a, type: email, to: [x@y, ",a@b"]}', "1:38: ',a@b' is not an email address"),
        ('{name: a, type: email, to: "a@b, c@d"}', "1:32: 'a@b, c@d' is not an email address"),
        ("{name: a, type: email, to: a..b@c}", "1:32: 'a..b@c' is not an email address"),
        ("{name: a, type: email, to: a@-b}", "1:32: 'a@-b' is not an email address"),
        ("{name: a, type: email, to: a@b.}", "1:32: 'a@b.' is not an email address"),
        (f"{{name: a, type: email, to: {'x' * 65}@b}}", "1:32: 'xxx"),
        ('{name: a, type: webhook, url: "https://[x/"}', "1:35: nothing can be sent to this address: it has no valid"),
        ("{name: a, type: webhook, url: https:///x}", "1:35: nothing can be sent to this address: it has no valid"),
        ("{name: a, type: webhook, url: https://me@/x}", "1:35: nothing can be sent to this address: it has no valid"),
        ('{name: a, type: webhook, url: "https://h:99999"}', "1:35: nothing can be sent to this address: it has no"),
        ('{name: a, type: webhook, url: "https://h:0"}', "1:35: nothing can be sent to this address: it has no valid"),
        ("{name: a, type: webhook, url: https://a..b/}", "1:35: nothing can be sent to this address: it has no valid"),
        ("{name: a, type: webhook, url: 'https://a\\b@c/'}", "1:35: nothing can be sent to this address: it has no"),
        ("{name: a, type: webhook, url: https://127.1/}", "1:35: nothing can be sent to this address: its host is a"),
        ("{name: a, type: email, to: []}", "1:32: this has to be an email address, or a list of 1 to 16"),
        ("{name: a, type: email, to: [x@y, x@y]}", "1:38: 'x@y' is listed twice"),
        ("{name: a, type: email, to: x@y, url: https://a}", "1:42: 'https://a' is not for an email, which has to"),
        (
            "{name: a, type: email, to: x@y, secret: {env: HOME}}",
            "1:45: a map is not for an email, which is not sig",
        ),
        ("{name: a, type: webhook, url: https://a, to: x@y}", "1:50: 'x@y' is not for a webhook, which has url"),
        ("{name: a, type: webhook, url: ftp://a}", "1:35: 'ftp://a' is not an address that starts with https://"),
        ("{name: a, type: webhook, url: https://a, secret: {env: MISSING}}", "1:60: the environment has no variable"),
        ("{name: a, type: webhook, url: https://a, secret: {env: EMPTY}}", "1:54: there is nothing in this secret"),
        ("{name: a, type: webhook, url: https://a, secret: plain}", "1:54: 'plain' is not a map that says where"),
        ("{name: a, type: email, to: x@y, events: []}", "1:45: this has to be a list of one or more events"),
        (
            "{name: a, type: email, to: x@y, events: [fund.low]}",
            "1:46: 'fund.low' is not an event, did you mean 'fund",
        ),
        ("{name: a, type: email, to: x@y, events: [funds.low, funds.low]}", "1:57: 'funds.low' is listed twice"),
        (
            "{name: a b , type: email, to: x@y}\n  - {name: a b, type: email, to: x@y}",
            "2:12: the name 'a b' is used t",
        ),
        ('{name: "a\\u202e", type: email, to: x@y}', "1:12: 'a\ufffd' is not a name of at most 64 letters"),
        ("{name: -, type: email, to: x@y}", "1:12: '-' is not a name"),
    ],
)
def test_notifications__that_are_wrong__are_refused_at_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notification: str, problem: str
) -> None:
    monkeypatch.setenv("EMPTY", "\n")
    monkeypatch.delenv("MISSING", raising=False)

    (found,) = problems_of(tmp_path, f"  - {notification}\n")

    assert found.startswith(problem)
