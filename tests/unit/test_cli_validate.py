"""`moorage validate` and `moorage schema`: locks, merged files, annotations, and files that are none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.failures import ExitStatus
from cli.main import COMMANDS
from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError
from tests.cli_runner import Person, person

PROJECT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
VERSION = 'version: "0.1"\n'
PART = f"{VERSION}services:\n  web:\n    secrets: {{key: {{file: key}}}}\n    env: {{COLOR: green}}\n"
REST = """\
services:
  web: {image: nginx}
deployment:
  infrastructure:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  workloads:
    web: {dock: {profile: small}}
"""
WHOLE = """\
version: "0.1"
services:
  web:
    secrets:
      key:
        file: parts/key
    env:
      COLOR: green
    image: nginx
deployment:
  datacenters:
    dock:
      region: local
      profiles:
        small:
          pricing:
            max-price: 5
  services:
    web:
      dock:
        profile: small
"""


@pytest.fixture
def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody in a directory with a deployment file that includes another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "web.yml").write_text(PART)
    (tmp_path / "parts" / "key").write_text("canary")
    (tmp_path / "moorage.yml").write_text(f"{VERSION}include: [parts/web.yml]\n{REST}")
    return person(tmp_path, RPC="http://127.0.0.1:1")


def test_h10_validate__lock_and_frozen__notice_a_changed_byte(tenant: Person) -> None:
    locked = tenant.moorage("validate", "--lock")
    frozen = tenant.moorage("validate", "--frozen")
    Path("parts/web.yml").write_text(PART + "#")
    changed = tenant.moorage("validate", "--frozen")
    deployed = tenant.moorage("deploy", "--frozen")

    assert (locked.status, locked.out.splitlines()[-1]) == (ExitStatus.OK, "included files in moorage.lock: 1")
    assert json.loads(Path("moorage.lock").read_text())["includes"].keys() == {"parts/web.yml"}
    assert frozen.status is ExitStatus.OK
    assert (changed.status, deployed.status) == (ExitStatus.INVALID_FILE, ExitStatus.INVALID_FILE)
    assert changed.err.startswith("moorage.yml:2:11: error: 'parts/web.yml' can't be included: it is sha256:")
    assert deployed.err == changed.err
    assert tenant.moorage("validate").status is ExitStatus.OK


SECRETS = f"""{VERSION}\
include: [parts/web.yml]
notifications:
  - {{name: chat, type: webhook, url: 'https://chat.test/', secret: {{env: CHAT_SECRET_0}}}}
{REST.replace("nginx", "nginx, credentials: {user: robot, password: {env: NO_SUCH_VARIABLE}}")}"""


def test_h10_h11_validate__a_fresh_clone_without_secrets__is_valid_with_a_warning_for_each(tenant: Person) -> None:
    Path("moorage.yml").write_text(SECRETS)
    with_all = tenant.moorage("validate", "--lock")
    Path("parts/key").unlink()  # it is in no repository

    checked = tenant.moorage("validate", "--frozen")

    assert with_all.status is ExitStatus.OK
    assert (checked.status, checked.out.splitlines()[0]) == (ExitStatus.OK, "moorage.yml is valid")
    assert [line for line in checked.err.splitlines() if ": warning: " in line] == [
        "moorage.yml:4:74: warning: the environment has no variable 'CHAT_SECRET_0'; whoever deploys this needs it",
        "moorage.yml:6:66: warning: the environment has no variable 'NO_SUCH_VARIABLE'; whoever deploys this needs it",
        "parts/web.yml:4:27: warning: the file 'key' can't be read: No such file or directory; "
        "whoever deploys this needs it",
    ]


@pytest.mark.parametrize("command", ["plan", "create", "deploy", "update"])
def test_program__a_placeholder_in_the_file__is_warned_of_before_anything_is_asked(
    tenant: Person, command: str
) -> None:
    Path("moorage.yml").write_text(f"{VERSION}include: [parts/web.yml]\n{REST}".replace("nginx", "your-name/app"))

    result = tenant.moorage(command)

    assert result.err.startswith("moorage.yml:4:16: warning: 'your-name' stands for what is yours")
    assert result.status is ExitStatus.CHAIN_UNAVAILABLE


def test_validate__warnings__are_for_programs_and_github_too(tenant: Person) -> None:
    Path("parts/key").unlink()

    (warning,) = tenant.moorage("validate", "-o", "json").json["warnings"]
    noted = tenant.moorage("validate", "-o", "github").out.splitlines()[0]

    assert (warning["file"], warning["line"], warning["column"]) == ("parts/web.yml", 4, 27)
    assert warning["included_at"] == [{"file": "moorage.yml", "line": 2, "column": 11}]
    assert noted.startswith("::warning file=parts/web.yml,line=4,col=27::the file 'key' can't be read")


@pytest.mark.parametrize("command", ["plan", "create", "deploy", "update"])
def test_h11_program__what_delivers_or_uses_secrets__needs_them(tenant: Person, command: str) -> None:
    Path("parts/key").unlink()

    result = tenant.moorage(command)

    assert result.status is ExitStatus.INVALID_FILE
    assert "parts/web.yml:4:27: error: the file 'key' can't be read: No such file or directory\n" in result.err


def test_h11_validate__a_secret_that_is_here_and_wrong__is_an_error(tenant: Person) -> None:
    Path("parts/key").write_bytes(b"\xff")

    result = tenant.moorage("validate")

    assert (result.status, result.out) == (ExitStatus.INVALID_FILE, "")
    assert "the file 'key' can't be read: it is not UTF-8" in result.err


def test_h11_validate__storage_where_secrets_will_be__is_an_error_without_them_too(tenant: Person) -> None:
    Path("parts/key").unlink()
    Path("moorage.yml").write_text(
        f"{VERSION}include: [parts/web.yml]\n{REST}".replace("nginx", "nginx, storage: {/run/secrets/a: 1}")
    )

    assert "storage can't be in /run/secrets" in tenant.moorage("validate").err


def test_validate__lock_of_a_file_that_is_wrong__is_not_written(tenant: Person) -> None:
    Path("parts/web.yml").write_text(f"{PART}    colour: green\n")

    assert tenant.moorage("validate", "--lock").status is ExitStatus.INVALID_FILE
    assert not Path("moorage.lock").exists()


def test_validate__lock_that_cannot_be_written__is_one_line(tenant: Person) -> None:
    Path("moorage.lock").mkdir()

    result = tenant.moorage("validate", "--lock")

    assert (result.status, result.err) == (ExitStatus.ERROR, "moorage: moorage.lock: Is a directory\n")


def test_validate__lock_and_frozen_at_once__is_wrong_usage(tenant: Person) -> None:
    result = tenant.moorage("validate", "--lock", "--frozen")

    assert (result.status, result.err.count("\n")) == (ExitStatus.USAGE, 1)
    assert "--lock writes what --frozen only reads" in result.err


@pytest.mark.parametrize("command", ["validate", "deploy"])
def test_h07_validate__remote_include__is_fetched_only_if_wanted_and_public(tenant: Person, command: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/a.yml"
        Path("moorage.yml").write_text(f"{VERSION}include: ['{address}']\n{REST}")

        unwanted = tenant.moorage(command)
        wanted = tenant.moorage(command, "--allow-remote-include")

        with pytest.raises(TimeoutError):
            listener.accept()
    assert "it is not in moorage.lock; `moorage validate --lock` fetches it" in unwanted.err
    assert "127.0.0.1 is not connected to: 127.0.0.1 is not a public address" in wanted.err
    assert (unwanted.status, wanted.status) == (ExitStatus.INVALID_FILE, ExitStatus.INVALID_FILE)


def test_validate__show__writes_the_merged_file(tenant: Person) -> None:
    result = tenant.moorage("validate", "--show")

    assert (result.status, result.err, result.out) == (ExitStatus.OK, "", WHOLE)
    merged = deployment_file.load_text(result.out, Path("moorage.yml"))
    assert merged == deployment_file.load(Path("moorage.yml"))


def test_validate__show_and_lock_as_json__are_in_the_document(tenant: Person) -> None:
    document = tenant.moorage("validate", "--show", "--lock", "-o", "json").json

    assert (document["valid"], document["text"], document["lock"]) == (True, WHOLE, "moorage.lock")


def test_validate__problem_of_an_included_file_as_json__has_its_chain(tenant: Person) -> None:
    Path("parts/web.yml").write_text(f"{PART}    colour: green\n")

    (problem,) = tenant.moorage("validate", "-o", "json").json["problems"]

    assert problem == {
        "file": "parts/web.yml",
        "line": 6,
        "column": 5,
        "message": "unknown key 'colour'; known are args, command, credentials, depends-on, env, expose, health, host, "
        "image, read-only, restart, secrets, storage, user",
        "included_at": [{"file": "moorage.yml", "line": 2, "column": 11}],
    }


def test_validate__problems_for_github__are_annotations(tenant: Person) -> None:
    Path("parts/a,b:50%.yml").write_text(f"{VERSION}services: {{100%: {{image: x}}}}\n")
    Path("moorage.yml").write_text(f"{VERSION}include: ['parts/a,b:50%.yml', none.yml]\n{REST}")

    result = tenant.moorage("validate", "-o", "github")

    assert result.status is ExitStatus.INVALID_FILE
    assert result.out.splitlines() == [
        "::error file=moorage.yml,line=2,col=32::the file 'none.yml' can't be read: No such file or directory",
        "::error file=parts/a%2Cb%3A50%25.yml,line=2,col=12::'100%25' is not a name of at most 32 lower-case letters, "
        "digits and inner hyphens%0Aincluded at moorage.yml:2:11",
        "::error file=parts/a%2Cb%3A50%25.yml,line=2,col=12::service '100%25' is placed nowhere: name a datacenter for "
        "it under deployment.services%0Aincluded at moorage.yml:2:11",
    ]


def test_validate__valid_file_for_github__has_no_annotation(tenant: Person) -> None:
    result = tenant.moorage("validate", "-o", "github")

    assert result.status is ExitStatus.OK
    assert "::" not in result.out and result.out.startswith("moorage.yml is valid\n")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("validate", "schema")])
def test_program__annotations_of_another_command__are_wrong_usage(tenant: Person, command: str) -> None:
    result = tenant.moorage(command, "-o", "github")

    assert (result.status, result.err.count("\n")) == (ExitStatus.USAGE, 1)
    assert "'github' is not one of" in result.err or "No such option" in result.err


def test_validate__of_a_file_that_is_wrong__imports_nothing_of_chain_and_network(tenant: Person) -> None:
    Path("moorage.yml").write_text("version: 5")
    code = "import sys; from cli.main import run; run(['validate']); print(sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=PROJECT)

    assert "error: the only version" in done.stderr
    for heavy in ("eth_abi", "aiohttp", "structlog", "rich", "pydantic", "moorage.deployment_file.fetching"):
        assert f"'{heavy}'" not in done.stdout


def test_schema__printed__is_the_one_that_files_are_held_against(tenant: Person) -> None:
    result = tenant.moorage("schema")

    assert (result.status, result.err) == (ExitStatus.OK, "")
    assert result.out == (Path(deployment_file.__file__).parent / "schema.json").read_text()


@contextmanager
def without_the_rights_of_root() -> Iterator[None]:
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


ODD = {
    "none.yml": "can't be read: No such file or directory",
    "parts": "can't be read: it is not a regular file",
    "moorage.yml/x": "can't be read: Not a directory",
    "pipe": "can't be read: it is not a regular file",
    "socket": "can't be read: it is not a regular file",
    "/dev/null": "can't be read: it is not a regular file",
    "/dev/zero": "can't be read: it is not a regular file",
    "/proc/self/environ": "can't be read: it is not a regular file",
    "loop": "can't be read: ",
    "n" * 300: "can't be read: File name too long",
    "binary": "is not UTF-8: byte 1",
    "large": "can't be read: it is larger than 250000 bytes",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", ["validate", "deploy"])
def test_h08_validate__what_is_no_file__is_one_line(tenant: Person, name: str, command: str) -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("binary").write_bytes(b"\xff\xfe")
    Path("large").write_bytes(b"#\n" * 125_001)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        result = tenant.moorage(command, "-f", name)

    assert result.status is ExitStatus.INVALID_FILE
    assert result.err.startswith(f"{name}: error: the file {ODD[name]}") and result.err.count("\n") == 1


def test_h08_load__file_without_the_right_to_read_it__is_one_line(tenant: Person) -> None:
    Path("moorage.yml").chmod(0)

    with without_the_rights_of_root(), pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(Path("moorage.yml"))

    assert str(caught.value) == "moorage.yml: error: the file can't be read: Permission denied"
