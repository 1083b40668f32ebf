"""`moorage init`: the examples are its templates, whole, valid, and never over what is there."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from cli.commands.init import contents_of
from cli.core.templates import DEFAULT, TEMPLATES
from cli.core.webhook_signature import key_of
from cli.failures import ExitStatus
from moorage.deployment_file import DeploymentSpec, compile, load
from moorage.deployment_file.placeholders import MARK
from moorage.manifest import Workload
from moorage.told import REPLACEMENT
from tests.bytecode import ROOT
from tests.cli_runner import person
from tests.example_checks import CHECKS
from tests.example_tenant import EXAMPLES, LOCAL_FILE, image_names

NOT_WRITTEN = {LOCAL_FILE, "README.md", "secrets"}
"""What is in an example's folder for those who work in the project."""
ALL = pytest.mark.parametrize("name", TEMPLATES)


def written(name: str, folder: Path) -> Path:
    """Have a template written, and return its deployment file."""
    result = person(folder).moorage("init", "--template", name, str(folder / name))
    assert result.status is ExitStatus.OK, result.err
    return folder / name / "moorage.yml"


@ALL
def test_init__each_template__is_valid_right_away_and_says_what_to_change(name: str, tmp_path: Path) -> None:
    file = written(name, tmp_path)

    result = person(tmp_path).moorage("validate", "-f", str(file))

    assert result.status is ExitStatus.OK, result.err
    images = re.findall(r"ghcr\.io/your-name/", file.read_text())
    assert (": warning: 'your-name' stands for what is yours" in result.err) == bool(images)
    assert result.err.count(f": warning: marked with '{MARK}' in line") == sum(
        any(MARK in line and not line.startswith("#") for line in path.read_text().splitlines())
        for path in file.parent.glob("*.yml")
        if path.name != "staging.yml"
    )
    marked = [line for path in file.parent.glob("*.yml") for line in path.read_text().splitlines() if MARK in line]
    assert all(any(key in line for line in marked) for key in ("image:", "region:", "max-price:")), marked


@ALL
def test_init__each_template__is_the_example_and_all_of_it(name: str, tmp_path: Path) -> None:
    file = written(name, tmp_path)

    names = {path.name for path in (EXAMPLES / name).iterdir()} - NOT_WRITTEN
    assert {path.name for path in file.parent.iterdir()} - {"secrets"} == names
    assert all((file.parent / each).read_bytes() == (EXAMPLES / name / each).read_bytes() for each in names)


@ALL
def test_init__what_runs_in_the_tests__is_the_template_but_for_images_users_and_places(
    name: str, tmp_path: Path
) -> None:
    file = written(name, tmp_path)
    local = file.parent / LOCAL_FILE
    local.write_bytes((EXAMPLES / name / LOCAL_FILE).read_bytes())

    assert neutral(load(local)) == neutral(load(file))
    assert all(service.image.startswith("moorage-example/") for service in load(local).services)
    assert not any(service.image.startswith("moorage-example/") for service in load(file).services)


def neutral(spec: DeploymentSpec) -> object:
    """Return what an example asks for, without what may differ on a development chain."""
    compiled = compile(spec, seconds_per_block=Fraction(1), salt=bytes(32))
    groups = [(group.name, group.persist, group.resources) for group in compiled.groups]
    workloads = [neutral_workload(each) for group in compiled.manifest.groups for each in group.workloads]
    return groups, workloads


def neutral_workload(workload: Workload) -> Workload:
    env = {name: value for name, value in workload.env.items() if name != "CACHE_HOST"}
    return msgspec.structs.replace(workload, image="", user=None, env=env)


def test_init__named_nothing__writes_the_first_template_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = person(tmp_path).moorage("init")

    assert result.out == "wrote moorage.yml\nchange what is marked with '# <-', then: moorage validate -f moorage.yml\n"
    assert Path("moorage.yml").read_bytes() == (EXAMPLES / DEFAULT / "moorage.yml").read_bytes()


@pytest.mark.parametrize("taken", ["moorage.yml", "nginx.conf", "secrets/signing-key"])
def test_init__a_file_is_there__nothing_is_written(taken: str, tmp_path: Path) -> None:
    path = tmp_path / "here" / taken
    path.parent.mkdir(parents=True)
    path.write_text("mine")

    result = person(tmp_path).moorage("init", "--template", "private-service", str(tmp_path / "here"))

    assert result.status is ExitStatus.ERROR
    assert result.err == f"moorage: {path} is there already: nothing was written, name another DIRECTORY\n"
    assert [each for each in (tmp_path / "here").rglob("*") if each.is_file()] == [path]
    assert path.read_text() == "mine"


def test_init__a_link_that_leads_nowhere__is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "moorage.yml").symlink_to(tmp_path / "elsewhere")

    result = person(tmp_path).moorage("init", str(tmp_path))

    assert result.status is ExitStatus.ERROR
    assert not (tmp_path / "elsewhere").exists()


def test_init__a_file_comes_while_it_writes__is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moorage.yml").write_text("mine")
    monkeypatch.setattr("os.path.lexists", lambda _: False)  # as it was a moment ago

    result = person(tmp_path).moorage("init", str(tmp_path))

    assert result.status is ExitStatus.ERROR
    assert result.err == (
        f"moorage: {tmp_path}/moorage.yml can't be written: File exists; name a DIRECTORY that you may write to\n"
    )
    assert (tmp_path / "moorage.yml").read_text() == "mine"


def test_init__secrets__are_new_each_time_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    files = [written("app-postgresql", tmp_path / each).parent / "secrets/database-password" for each in "ab"]

    assert all(re.fullmatch("[0-9a-f]{64}", file.read_text()) for file in files)
    assert files[0].read_text() != files[1].read_text()
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert (files[0].parent / ".gitignore").read_text() == "*\n"


def test_init__webhook_secret__is_one_that_requests_are_signed_with(tmp_path: Path) -> None:
    keys = [
        key_of((written("notifications", tmp_path / each).parent / "secrets/webhook-key").read_text()) for each in "ab"
    ]

    assert len(keys[0]) == 32
    assert keys[0] != keys[1]


def test_init__unknown_template__names_the_one_that_was_meant(tmp_path: Path) -> None:
    result = person(tmp_path).moorage("init", "--template", "app-postgres", str(tmp_path / "here"))

    assert result.status is ExitStatus.USAGE
    assert result.err == (
        "moorage: no template 'app-postgres', did you mean 'app-postgresql'? `moorage init --list` says what each is\n"
    )
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("place", ["/proc/x", "/dev/null/x", "n" * 300])
def test_init__a_place_that_nobody_can_write_to__is_one_line(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = person(tmp_path).moorage("init", place)

    assert (result.status, result.out, result.err.count("\n")) == (ExitStatus.ERROR, "", 1)
    assert result.err.startswith(f"moorage: {place}/moorage.yml can't be written: ")
    assert result.err.endswith("; name a DIRECTORY that you may write to\n")


@pytest.mark.parametrize("full_at", [1, 2])
def test_init__disk_is_full__nothing_is_written_and_the_message_says_where_and_what_to_do(
    full_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(file: int) -> None:
        if stat.S_ISREG(os.fstat(file).st_mode):
            synced.append(file)
            if len(synced) == full_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("moorage.private_file.os.fsync", fsync)

    result = person(tmp_path).moorage("init", "--template", "private-service", str(tmp_path / "here"))

    assert (result.status, result.out) == (ExitStatus.ERROR, "")
    assert result.err.startswith(f"moorage: {tmp_path}/here/")
    assert result.err.endswith(
        " can't be written: No space left on device; make room on that disk, then run the same command again\n"
    )
    assert not [each for each in (tmp_path / "here").rglob("*") if each.is_file()]


def test_init__rights__are_the_usual_ones(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        file = written(DEFAULT, tmp_path)
    finally:
        os.umask(before)

    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent)] == [0o644, 0o755]


def test_h18_init__directory_with_control_characters__is_shown_without(tmp_path: Path) -> None:
    for _ in "first", "again":
        result = person(tmp_path).moorage("init", str(tmp_path / "a\r\u202eb"))
        said = result.out + result.err

        assert not set("\r\u202e") & set(said) and f"a{2 * REPLACEMENT}b" in said


def test_init__list__tells_each_template_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    result = person(tmp_path).moorage("init", "--list", str(tmp_path / "here"))

    assert [line.split()[0] for line in result.out.splitlines()] == list(TEMPLATES)
    assert not (tmp_path / "here").exists()


def test_init__directory_is_a_file__one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")

    result = person(tmp_path).moorage("init", str(tmp_path / "here"))

    assert result.status is ExitStatus.USAGE
    assert "is a file" in result.err and result.err.count("\n") == 1


@ALL
def test_init__each_file_of_a_template__is_in_the_package(name: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = settings["package-data"]["cli"]

    shipped = [path for path in contents_of(name) if not path.startswith("secrets/")]
    assert [
        path for path in shipped if not any(fnmatchcase(f"templates/{name}/{path}", each) for each in patterns)
    ] == []


def test_examples__each_template__is_used_in_the_tests_and_told_of() -> None:
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert set(CHECKS) == set(TEMPLATES)
    assert [name for name in TEMPLATES if f"[{name}]({name}/README.md)" not in told] == []
    assert [name for name in TEMPLATES if not (EXAMPLES / name / "README.md").is_file()] == []


@ALL
def test_examples__readme__names_the_images_that_the_example_takes(name: str) -> None:
    taken = set(re.findall(r"moorage-example/([a-z]+):1", (EXAMPLES / name / LOCAL_FILE).read_text(encoding="utf-8")))

    (command,) = re.findall(r"^examples/images/build\.sh (.+)$", (EXAMPLES / name / "README.md").read_text(), re.M)
    assert set(command.split()) == taken <= set(image_names())
