"""What may be included: remote files, files that have changed, and what the lock says about them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError, IncludeRules, load_file, write_lock
from moorage.deployment_file.include_rules import NotIncluded
from moorage.deployment_file.lock import lock_path

VERSION = 'version: "0.1"\n'
REST = """\
services:
  web: {image: nginx}
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
"""
HOST = "https://files.example"
REMOTE = f"{HOST}/base.yml"
ADVICE = "`moorage validate --lock` fetches it and keeps its digest, --allow-remote-include takes it as it is"


def including(*names: str) -> str:
    return f"{VERSION}include:\n" + "".join(f"  - {name}\n" for name in names) + REST


def rules(pages: dict[str, str] | None = None, **changes: bool) -> IncludeRules:
    """Return rules with a web of a few pages."""
    known = {f"{HOST}{path}" if path.startswith("/") else path: text for path, text in (pages or {}).items()}

    def fetch(address: str) -> bytes:
        if address not in known:
            raise NotIncluded("the server answers 404")
        return known[address].encode()

    return IncludeRules(fetch=fetch, **changes)


def unwanted(address: str) -> bytes:
    raise AssertionError(f"{address} was fetched")


def write(directory: Path, text: str, **others: str) -> Path:
    for name, content in others.items():
        (directory / f"{name}.yml").write_text(content)
    (directory / "moorage.yml").write_text(text)
    return directory / "moorage.yml"


def lock(path: Path, **digests: str) -> None:
    write_lock(path, {name.replace("remote", REMOTE): digest for name, digest in digests.items()})


def digest_of(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def problems_of(path: Path, given: IncludeRules) -> list[str]:
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(path, given)
    heads = [line for line in str(caught.value).splitlines() if ": error: " in line]
    return [head.replace(": error: ", ": ").replace(f"{path.parent}/", "") for head in heads]


def test_h07_include__remote_file_that_nobody_asked_for__is_not_fetched(tmp_path: Path) -> None:
    path = write(tmp_path, including(REMOTE))

    assert problems_of(path, IncludeRules(fetch=unwanted)) == [
        f"moorage.yml:3:5: '{REMOTE}' can't be included: it is not in moorage.lock; {ADVICE}"
    ]


def test_include__remote_file_that_is_allowed__is_merged(tmp_path: Path) -> None:
    path = write(tmp_path, including(REMOTE))
    page = f"{VERSION}services: {{web: {{env: {{COLOR: green}}}}}}\n"

    (web,) = deployment_file.load(path, rules({"/base.yml": page}, is_remote_allowed=True)).services

    assert (web.image, web.env) == ("nginx", {"COLOR": "green"})


def test_h10_include__remote_file_in_the_lock__is_included_without_being_asked(tmp_path: Path) -> None:
    path = write(tmp_path, including(REMOTE))
    lock(path, remote=digest_of(VERSION))

    deployment_file.load(path, rules({"/base.yml": VERSION}))


@pytest.mark.parametrize("given", [{}, {"is_remote_allowed": True}, {"is_frozen": True}])
def test_h10_include__remote_file_with_one_byte_changed__is_refused_by_name(
    tmp_path: Path, given: dict[str, bool]
) -> None:
    path = write(tmp_path, including(REMOTE))
    lock(path, remote=digest_of(VERSION))

    (problem,) = problems_of(path, rules({"/base.yml": f"{VERSION}#"}, **given))

    assert problem.startswith(
        f"moorage.yml:3:5: '{REMOTE}' can't be included: it is {digest_of(f'{VERSION}#')[:20]}..."
    )
    assert problem.endswith(
        f"in moorage.lock {digest_of(VERSION)[:20]}...; look at what has changed, then run `moorage validate --lock`"
    )


def test_h10_frozen__local_file_with_one_byte_changed__is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, including("base.yml"), base=f"{VERSION}#")
    write_lock(path, {"base.yml": digest_of(VERSION)})

    (problem,) = problems_of(path, rules(is_frozen=True))

    assert problem.startswith("moorage.yml:3:5: 'base.yml' can't be included: it is sha256:")
    deployment_file.load(path)


@pytest.mark.parametrize(("name", "fetch"), [("base.yml", None), (REMOTE, unwanted)])
def test_h10_frozen__file_that_is_not_in_the_lock__is_refused(
    tmp_path: Path, name: str, fetch: Callable[[str], bytes] | None
) -> None:
    path = write(tmp_path, including(name), base=VERSION)

    assert problems_of(path, IncludeRules(is_frozen=True, is_remote_allowed=True, fetch=fetch or unwanted)) == [
        f"moorage.yml:3:5: '{name}' can't be included: it is not in moorage.lock, and --frozen takes only what is; "
        "`moorage validate --lock` adds it"
    ]


def test_h10_lock__of_all_included_files__is_what_frozen_takes(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yml").write_text(f"{VERSION}include: [b.yml]\n")
    (tmp_path / "parts" / "b.yml").write_text(f"{VERSION}include: [{HOST}/c.yml]\n")
    pages = {"/c.yml": f"{VERSION}include: [d.yml]\n", "/d.yml": VERSION}
    path = write(tmp_path, including("parts/a.yml"))

    whole = load_file(path, rules(pages, is_locking=True))
    written = write_lock(path, whole.digests)

    assert json.loads(written.read_text()) == {
        "lock": "0.1",
        "includes": {
            f"{HOST}/c.yml": digest_of(pages["/c.yml"]),
            f"{HOST}/d.yml": digest_of(VERSION),
            "parts/a.yml": digest_of(f"{VERSION}include: [b.yml]\n"),
            "parts/b.yml": digest_of(f"{VERSION}include: [{HOST}/c.yml]\n"),
        },
    }
    deployment_file.load(path, rules(pages, is_frozen=True))


def test_lock__file_that_has_changed__is_locked_anew(tmp_path: Path) -> None:
    path = write(tmp_path, including(REMOTE))
    lock(path, remote=digest_of("old"))

    assert load_file(path, rules({"/base.yml": VERSION}, is_locking=True)).digests == {REMOTE: digest_of(VERSION)}


def test_lock__absolute_file_outside_of_the_directory__is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "shared.yml").write_text(VERSION)
    path = write(tmp_path / "project", including(f"{tmp_path}/shared.yml"))

    assert load_file(path).digests == {f"{tmp_path.resolve()}/shared.yml": digest_of(VERSION)}


HTTP = "http://files.example/base.yml"


@pytest.mark.parametrize("given", [{}, {"is_remote_allowed": True}, {"is_locking": True}])
def test_h07_include__http_without_a_digest__is_not_fetched(tmp_path: Path, given: dict[str, bool]) -> None:
    path = write(tmp_path, including(HTTP))

    assert problems_of(path, IncludeRules(fetch=unwanted, **given)) == [
        f"moorage.yml:3:5: '{HTTP}' can't be included: it could be altered on its way; use https, or add "
        f'"{HTTP}": "sha256:..." of a copy that you trust to moorage.lock'
    ]


@pytest.mark.parametrize("given", [{}, {"is_locking": True}, {"is_frozen": True}])
def test_h07_include__http_with_a_digest__has_to_be_that(tmp_path: Path, given: dict[str, bool]) -> None:
    path = write(tmp_path, including(HTTP))
    write_lock(path, {HTTP: digest_of(VERSION)})

    assert load_file(path, rules({HTTP: VERSION}, **given)).digests == {HTTP: digest_of(VERSION)}
    assert "can't be included: it is sha256:" in problems_of(path, rules({HTTP: f"{VERSION}#"}, **given))[0]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("b.yml", f"{HOST}/team/b.yml"),
        ("../b.yml", f"{HOST}/b.yml"),
        ("../../../b.yml", f"{HOST}/b.yml"),
        ("/etc/passwd", f"{HOST}/etc/passwd"),
        ("//other.example/b.yml", "https://other.example/b.yml"),
        ("https://other.example/b.yml", "https://other.example/b.yml"),
        ("?v=2", f"{HOST}/team/a.yml?v=2"),
    ],
)
def test_h08_include__of_a_remote_file__is_remote_too(tmp_path: Path, name: str, address: str) -> None:
    path = write(tmp_path, including(f"{HOST}/team/a.yml"), b="not reached")
    pages = {"/team/a.yml": f'{VERSION}include: ["{name}"]\n', address: VERSION}

    assert address in load_file(path, rules(pages, is_remote_allowed=True)).digests


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("file:///etc/passwd", "'file:///etc/passwd' can't be included: only http:// and https://"),
        ("https://u:p@h.example/", "'https://u:p@h.example/' can't be included: a name or password"),
        ("https://[::1/", "'https://[::1/' can't be included: it has no valid host and port"),
        ("b c.yml", f"'{HOST}/b c.yml' can't be included: it has characters that"),
        ("#x", f"'{HOST}/a.yml#x' can't be included: a file has no part after '#'"),
    ],
)
def test_h08_include__of_a_remote_file_that_is_none__is_refused(tmp_path: Path, name: str, problem: str) -> None:
    path = write(tmp_path, including(f"{HOST}/a.yml"))
    given = rules({"/a.yml": f'{VERSION}include: ["{name}"]\n'}, is_remote_allowed=True)

    (found,) = problems_of(path, given)

    assert found.startswith(f"{HOST}/a.yml:2:11: {problem}")


@pytest.mark.parametrize("name", ["file:///etc/passwd", "ftp://files.example/a.yml", "unix:///run/docker.sock"])
def test_h07_include__of_another_scheme__is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, including(name))

    assert problems_of(path, IncludeRules(is_remote_allowed=True, fetch=unwanted)) == [
        f"moorage.yml:3:5: '{name}' can't be included: only http:// and https:// can be included"
    ]


def test_h09_include__remote_files_in_a_circle__are_shown_as_a_path(tmp_path: Path) -> None:
    path = write(tmp_path, including(f"{HOST}/a.yml"))
    pages = {"/a.yml": f"{VERSION}include: [b.yml]\n", "/b.yml": f"{VERSION}include: [a.yml]\n"}

    assert problems_of(path, rules(pages, is_remote_allowed=True)) == [
        f"{HOST}/b.yml:2:11: the file includes itself: {HOST}/a.yml -> {HOST}/b.yml -> {HOST}/a.yml"
    ]


def test_include__remote_file_named_twice__is_fetched_once(tmp_path: Path) -> None:
    path = write(tmp_path, including(REMOTE, "a.yml", "b.yml"), a=f"{VERSION}include: [{REMOTE}]\n", b=VERSION)
    asked: list[str] = []

    deployment_file.load(path, IncludeRules(True, fetch=lambda address: asked.append(address) or VERSION.encode()))

    assert asked == [REMOTE]


@pytest.mark.parametrize(
    "where", ["services: {web: {secrets: {key: WHAT}}}", "notifications: [{name: n, secret: WHAT}]"]
)
@pytest.mark.parametrize("what", ["{file: /etc/hostname}", "{file: moorage.yml}", "{env: HOME}"])
def test_h11_include__remote_file_that_names_what_is_on_this_machine__is_refused(
    tmp_path: Path, where: str, what: str
) -> None:
    path = write(tmp_path, f"{including(REMOTE)}notifications: [{{name: n, type: webhook, url: https://x}}]\n")
    page = f"{VERSION}{where.replace('WHAT', what)}\n"

    (problem,) = problems_of(path, rules({"/base.yml": page}, is_remote_allowed=True))

    assert problem.startswith(f"{REMOTE}:2:")
    assert problem.endswith("a remote file can't name what is on this machine; name it in a file of yours")


def test_problem__in_an_included_file__shows_what_it_is_included_by(tmp_path: Path) -> None:
    path = write(tmp_path, including("a.yml"), a=f"{VERSION}include:\n  - {REMOTE}\n")

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(path, rules({"/base.yml": f"{VERSION}servces: {{}}\n"}, is_remote_allowed=True))

    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        f"{REMOTE}:2:1: error: unknown key 'servces', did you mean 'services'?\n"
        "    servces: {}\n"
        "    ^\n"
        "    included at a.yml:3:5\n"
        "    included at moorage.yml:3:5"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no lock: Input data was truncated"),
        (b"\xff", "it is no lock: JSON is malformed"),
        (b"<<<<<<< HEAD\n", "it is no lock: JSON is malformed"),
        (b"[" * 100_000, "it is no lock: Expected `object`, got `array`"),
        (b'{"lock": "0.1", "includes": ' + b"[" * 100_000, "it is no lock: Expected `object`, got `array`"),
        (b'{"lock": "0.2", "includes": {}}', "it is no lock: Invalid enum value '0.2'"),
        (b'{"lock": "0.1", "includes": {}, "more": ' + b"[" * 100_000, "it is no lock: Object contains unknown field"),
        (b'{"lock": "0.1"}', "it is no lock: Object missing required field `includes`"),
        (b'{"lock": "0.1", "includes": {"a": "sha256:00"}}', "it is no lock: Expected `str` matching regex"),
        (b'{"lock": "0.1", "includes": {"a": 5}}', "it is no lock: Expected `str`, got `int`"),
        (b" " * 1_000_001, "it is larger than 1000000 bytes"),
    ],
)
def test_h10_lock__that_is_none__is_refused_and_can_be_written_anew(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = write(tmp_path, including(REMOTE))
    (tmp_path / "moorage.lock").write_bytes(content)

    (problem,) = problems_of(path, IncludeRules(is_frozen=True, fetch=unwanted))

    assert problem.startswith("moorage.lock: the lock can't be read: ") and reason in problem
    assert problem.endswith("`moorage validate --lock` writes it anew")
    assert load_file(path, rules({"/base.yml": VERSION}, is_locking=True)).digests == {REMOTE: digest_of(VERSION)}


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_h10_lock__that_is_no_file__is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, including("base.yml"), base=VERSION)
    place = tmp_path / "moorage.lock"
    place.mkdir() if kind == "directory" else os.mkfifo(place)

    (problem,) = problems_of(path, IncludeRules(is_frozen=True))

    assert problem.startswith("moorage.lock: the lock can't be read: it is not a regular file")


def test_lock__of_a_file__has_its_name(tmp_path: Path) -> None:
    names = {name: lock_path(tmp_path / name).name for name in ("moorage.yml", "a.b.yaml", "moorage", "x.lock")}

    assert names == {
        "moorage.yml": "moorage.lock",
        "a.b.yaml": "a.b.lock",
        "moorage": "moorage.lock",
        "x.lock": "x.lock.lock",
    }


def test_lock__that_cannot_be_written__leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "moorage.lock").mkdir()

    with pytest.raises(OSError):
        write_lock(tmp_path / "moorage.yml", {})

    assert [each.name for each in tmp_path.iterdir()] == ["moorage.lock"]
