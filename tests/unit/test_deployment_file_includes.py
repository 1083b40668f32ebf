"""What a deployment file includes: how files merge, and which files can't be included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError
from moorage.types import ComputeUnit

FILES = Path(__file__).with_name("deployment_files") / "including"
REST = """\
services:
  web: {image: nginx}
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
"""
VERSION = 'version: "0.1"\n'


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files and return the path of moorage.yml."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory / "moorage.yml"


def problems_of(path: Path) -> list[str]:
    """Return what is wrong as `file:line:column: message`, with names of files below the directory of `path`."""
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(path)
    return [
        line.replace(": error: ", ": ").replace(f"{path.parent}/", "")
        for line in str(caught.value).splitlines()
        if ": error: " in line
    ]


def including(name: str) -> str:
    return f"{VERSION}include:\n  - {name}\n{REST}"


def test_load__files_that_include_each_other__merge_deeply() -> None:
    spec = deployment_file.load(FILES / "moorage.yml")

    (web,) = spec.services
    assert web.image == "nginx:1.22"
    assert web.env == {"COLOR": "green", "SHAPE": "round"}
    assert [connection.port for connection in web.connections] == [8080]  # a list is replaced
    (datacenter,) = spec.datacenters
    (profile,) = datacenter.profiles
    assert spec.wait_duration_blocks == 30
    assert profile.compute == ComputeUnit(2_000, 512 * 2**20, 2**30)  # `compute:` with nothing behind it keeps this
    assert (profile.max_price, profile.collateral) == (Fraction(7), Fraction(14))  # the later include wins


def test_load__an_error_in_an_included_file__is_shown_there() -> None:
    assert "parts/wrong.yml:4:5: unknown key 'imgae', did you mean 'image'?" in problems_of(FILES / "broken.yml")


def test_load__a_file_that_is_not_there__is_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(tmp_path / "moorage.yml")

    assert str(caught.value) == f"{tmp_path}/moorage.yml: error: the file can't be read: No such file or directory" + (
        "; `moorage init` writes one, -f names another"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("here/moorage.yml", "; there is here/moorage.yaml: name it with -f here/moorage.yaml"),
        ("here", "; it is a directory: name the file in it with -f here/moorage.yml"),
        ("there/moorage.yml", "; `moorage init` writes one, -f names another"),
        ("here/moorage.yaml/moorage.yml", ": Not a directory; `moorage init` writes one, -f names another"),
    ],
)
def test_load__a_file_that_is_somewhere_else__is_hinted_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    Path("here/moorage.yaml").touch()

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(Path(name))

    assert str(caught.value).startswith(f"{name}: error: the file can't be read: ")
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a: \xff\n", "is not UTF-8: byte 4"), (b"x" * 250_001, "can't be read: it is larger than 250000 bytes")],
)
def test_load__bytes_that_are_no_text__are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "moorage.yml"
    path.write_bytes(content)

    assert problems_of(path) == [f"moorage.yml: the file {reason}"]


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_h08_load__no_regular_file__is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other.yml"
    other.mkdir() if kind == "directory" else os.mkfifo(other)
    path = write(tmp_path, {"moorage.yml": including("other.yml")})

    assert problems_of(path) == ["moorage.yml:3:5: the file 'other.yml' can't be read: it is not a regular file"]


def test_load__a_missing_include__is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, {"moorage.yml": including("none.yml")})

    assert problems_of(path) == ["moorage.yml:3:5: the file 'none.yml' can't be read: No such file or directory"]


def test_load__a_missing_include_that_may_have_the_sections__is_the_only_error(tmp_path: Path) -> None:
    services, deployment = REST.split("deployment:\n")
    text = f"{VERSION}include: [none.yml]\n"
    problem = "moorage.yml:2:11: the file 'none.yml' can't be read: No such file or directory"

    assert problems_of(write(tmp_path, {"moorage.yml": text})) == [problem]
    assert problems_of(write(tmp_path, {"moorage.yml": f"{text}{services}"})) == [problem]
    assert problems_of(write(tmp_path, {"moorage.yml": f"{text}deployment:\n{deployment}"})) == [problem]
    half = write(tmp_path, {"moorage.yml": f"{text}services: {{web: {{user: 5}}}}\n"})
    assert problems_of(half)[1:] == ["moorage.yml:3:12: 'image' is missing in 'services.web'"]
    assert problems_of(write(tmp_path, {"moorage.yml": f"{text}x: 5\n"}))[1].startswith("moorage.yml:3:1: unknown key")


def test_load__an_absolute_include_of_the_file_itself__is_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {"a.yml": f"{VERSION}include: [b.yml]\n", "b.yml": VERSION + REST})
    path = write(tmp_path / "project", {"moorage.yml": f"{VERSION}include: [{elsewhere}/a.yml]\n"})

    assert deployment_file.load(path).services[0].image == "nginx"


def test_h08_load__an_absolute_include_of_an_included_file__is_refused(tmp_path: Path) -> None:
    files = {"moorage.yml": including("a.yml"), "a.yml": f"{VERSION}include: [/etc/hostname]\n"}

    assert problems_of(write(tmp_path, files)) == [
        "a.yml:2:11: an included file can't include an absolute path; only the deployment file itself can"
    ]


@pytest.mark.parametrize("name", ["../secret.yml", "sub/../../secret.yml", "link.yml"])
def test_h08_load__a_relative_include_that_leads_out__is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"secret.yml": VERSION})
    path = write(tmp_path / "project", {"moorage.yml": including(name), "sub/a.yml": ""})
    (tmp_path / "project" / "link.yml").symlink_to(tmp_path / "secret.yml")

    assert problems_of(path) == [
        f"moorage.yml:3:5: '{name}' leads out of the directory of the file; give its absolute path"
    ]


def test_load__a_loop_of_links__is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {"moorage.yml": including("link.yml")})
    (tmp_path / "link.yml").symlink_to("link.yml")

    assert problems_of(path) == ["moorage.yml:3:5: the file 'link.yml' can't be found"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"moorage.yml": including("moorage.yml")},
            "moorage.yml:3:5: the file includes itself: moorage.yml -> moorage.yml",
        ),
        (
            {
                "moorage.yml": including("a.yml"),
                "a.yml": f"{VERSION}include: [b.yml]\n",
                "b.yml": f"{VERSION}include: [a.yml]\n",
            },
            "b.yml:2:11: the file includes itself: a.yml -> b.yml -> a.yml",
        ),
    ],
)
def test_h09_load__a_circle_of_includes__is_shown_as_a_path(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    assert problems_of(write(tmp_path, files)) == [problem]


def test_h09_load__includes_of_more_than_8_levels__are_refused(tmp_path: Path) -> None:
    files = {f"{level}.yml": f"{VERSION}include: [{level + 1}.yml]\n" for level in range(1, 9)}
    path = write(tmp_path, {"moorage.yml": including("1.yml"), **files, "8.yml": VERSION, "9.yml": VERSION})

    deployment_file.load(path)
    write(tmp_path, files)

    assert problems_of(path) == ["8.yml:2:11: files include each other deeper than 8 levels"]


def test_h09_load__more_than_64_files__are_refused(tmp_path: Path) -> None:
    names = "".join(f"  - {number}.yml\n" for number in range(65))
    files = {f"{number}.yml": VERSION for number in range(65)}
    path = write(tmp_path, {"moorage.yml": f"{VERSION}include:\n{names}{REST}", **files})

    assert problems_of(path) == ["moorage.yml:67:5: more than 64 included files"]


def test_h09_load__more_values_than_one_file_may_have__are_refused_once(tmp_path: Path) -> None:
    words = "".join(f"      K{number}: v\n" for number in range(3_000))
    part = f"{VERSION}services:\n  NAME:\n    image: x\n    env:\n{words}"
    files = {f"{name}.yml": part.replace("NAME", name) for name in "abcd"}
    path = write(tmp_path, {"moorage.yml": f"{VERSION}include: [a.yml, b.yml, c.yml, d.yml]\n{REST}", **files})

    (problem,) = [problem for problem in problems_of(path) if "placed nowhere" not in problem]

    assert problem.startswith("b.yml:")
    assert problem.endswith(": more than 10000 values in all files together, aliases written out")


def test_h09_load__more_text_than_one_file_may_have__is_refused_once(tmp_path: Path) -> None:
    long = VERSION + ("# " + "x" * 10_000 + "\n") * 15
    files = {f"{name}.yml": long for name in "abcd"}
    path = write(tmp_path, {"moorage.yml": f"{VERSION}include: [a.yml, b.yml, c.yml, d.yml]\n{REST}", **files})

    assert problems_of(path) == ["b.yml: with this file all are larger than 250000 bytes together"]


@pytest.mark.parametrize("include", ["5", "x.yml", "{a: b}", "[5]", "[[x.yml]]", '[""]', "[~]"])
def test_load__no_list_of_names__is_refused(tmp_path: Path, include: str) -> None:
    path = write(tmp_path, {"moorage.yml": f"{VERSION}include: {include}\n{REST}"})

    (problem,) = problems_of(path)

    assert problem.endswith(": include has to be a list of file names")


@pytest.mark.parametrize("include", ["", "[]"])
def test_load__nothing_to_include__is_accepted(tmp_path: Path, include: str) -> None:
    deployment_file.load(write(tmp_path, {"moorage.yml": f"{VERSION}include: {include}\n{REST}"}))


@pytest.mark.parametrize(
    ("included", "problem"),
    [
        ("services: {}\n", "a.yml:1:1: 'version' is missing; it has to be \"0.1\""),
        ('version: "0.2"\n', 'a.yml:1:10: the only version of the format is "0.1"'),
        ("- a\n", "a.yml:1:1: a deployment file has to be a map of sections"),
        ("a: [\n", "a.yml:2:1: not YAML: "),
        ("", "a.yml:1:1: the file is empty"),
    ],
)
def test_load__an_included_file_that_is_none__is_refused(tmp_path: Path, included: str, problem: str) -> None:
    path = write(tmp_path, {"moorage.yml": including("a.yml"), "a.yml": included})

    found = problems_of(path)

    assert len(found) == 1
    assert found[0].startswith(problem)
