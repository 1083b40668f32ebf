"""Secrets and credentials of a deployment file: read from the tenant's machine, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError
from moorage.workload_secrets import Credentials, Secret

CANARY = "canary-5f1d"
TEXT = """\
version: "0.1"
services:
  web:
    image: nginx
    SERVICE
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
"""


def load(directory: Path, service: str) -> deployment_file.Service:
    path = directory / "moorage.yml"
    path.write_text(TEXT.replace("SERVICE", service), "utf-8")
    (found,) = deployment_file.load(path).services
    return found


def problems_of(directory: Path, service: str) -> list[str]:
    """Return what is wrong as `line:column: message`, and check that no problem shows a secret."""
    with pytest.raises(DeploymentFileError) as caught:
        load(directory, service)
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"
    return [
        f"{(problem.position.line or 0) + 1}:{problem.position.column + 1}: {problem.message}"
        for problem in caught.value.problems
    ]


def test_h11_secrets__of_a_file_and_a_variable__are_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(f"{CANARY}\r\n".encode())
    monkeypatch.setenv("SHOP_KEY", CANARY)

    web = load(tmp_path, "secrets: {key: {file: key}, other: {env: SHOP_KEY}}")

    assert web.secrets == {"key": Secret(value=f"{CANARY}\r\n"), "other": Secret(value=CANARY)}
    assert CANARY not in repr(web)


@pytest.mark.parametrize(("written", "password"), [("p:w", "p:w"), ("pw\n", "pw"), ("pw\r\n", "pw")])
def test_i13_credentials__password_in_a_file__comes_without_its_line_break(
    tmp_path: Path, written: str, password: str
) -> None:
    (tmp_path / "password").write_bytes(written.encode())

    web = load(tmp_path, "credentials: {user: 1000, password: {file: password}}")

    assert web.credentials == Credentials(user="1000", password=password)
    assert password not in repr(web.credentials)


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        ("secrets: {key: {file: none}}", "5:27: the file 'none' can't be read: No such file or directory"),
        ("secrets: {key: {file: .}}", "5:27: the file '.' can't be read: it is not a regular file"),
        ("secrets: {key: {file: ../key}}", "5:27: the file '../key' can't be read: it is not below"),
        ("secrets: {key: {file: link}}", "5:27: the file 'link' can't be read: it is not below the dir"),
        ("secrets: {key: {file: binary}}", "5:27: the file 'binary' can't be read: it is not UTF-8"),
        ("secrets: {key: {file: large}}", "5:20: this has more than 65536 characters"),
        ('secrets: {key: {file: "a\\u0007b"}}', "5:27: the file 'a\ufffdb' can't be read"),
        ("secrets: {key: {env: MISSING}}", "5:26: the environment has no variable 'MISSING'"),
        ("secrets: {key: {env: BYTES}}", "5:26: the variable 'BYTES' is not UTF-8"),
        ("secrets: {key: written-here}", "5:20: 'written-here' is not a map that says where"),
        ("secrets: {key: {}}", "5:20: this has to be a map that says where"),
        ("secrets: {key: {file: a, env: B}}", "5:20: this has to be a map that says where"),
        ("secrets: {key: {value: x}}", "5:21: unknown key 'value'"),
        ("secrets: {../key: {env: PATH}}", "5:15: '../key' is not a file name"),
        ("secrets: {key: {env: A=B}}", "5:26: 'A=B' is not the name of a variable"),
        ("credentials: {user: robot}", "5:5: 'password' is missing in 'services.web.credentials'"),
        ("credentials: {user: ro:bot, password: {env: PATH}}", "5:25: 'ro:bot' is not a name"),
        ("credentials: {user: robot, password: {file: spaced}}", "5:42: the password has to be 1 to 4096 printable"),
    ],
)
def test_h11_secrets__that_cannot_be_read__are_refused_at_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str, problem: str
) -> None:
    directory = tmp_path / "project"
    directory.mkdir()
    (tmp_path / "key").write_text(CANARY)
    (directory / "link").symlink_to(tmp_path / "key")
    (directory / "binary").write_bytes(CANARY.encode() + b"\xff")
    (directory / "large").write_text(CANARY * 10_000)
    (directory / "spaced").write_text(f"{CANARY} two")
    monkeypatch.delenv("MISSING", raising=False)
    monkeypatch.setenv("BYTES", os.fsdecode(CANARY.encode() + b"\xff"))

    (found,) = problems_of(directory, service)
    assert found.startswith(problem)


def test_h11_secrets__that_an_included_file_names__stay_below_the_directory(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "team").mkdir(parents=True)
    (project / "team" / "key").write_text(CANARY)
    base = 'version: "0.1"\nservices: {web: {secrets: {key: {file: NAME}}}}\n'
    (project / "team" / "base.yml").write_text(base.replace("NAME", "key"))
    (project / "team" / "absolute.yml").write_text(base.replace("NAME", str(project / "team" / "key")))
    (project / "team" / "over.yml").write_text(base.replace("NAME", "../../key"))
    (tmp_path / "key").write_text(CANARY)
    path = project / "moorage.yml"

    def including(name: str) -> None:
        text = TEXT.replace("    SERVICE\n", "").replace("services", f"include: [team/{name}.yml]\nservices", 1)
        path.write_text(text, "utf-8")

    including("base")
    (web,) = deployment_file.load(path).services
    assert web.secrets == {"key": Secret(value=CANARY)}
    for name, reason in (("absolute", "has an absolute path; only"), ("over", "is not below the directory")):
        including(name)
        with pytest.raises(DeploymentFileError) as caught:
            deployment_file.load(path)
        assert reason in str(caught.value)
        assert CANARY not in str(caught.value)


def test_secrets__absolute_path_in_the_file_itself__is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    project = tmp_path / "project"
    project.mkdir()

    web = load(project, f"secrets: {{key: {{file: {outside}}}}}")

    assert web.secrets == {"key": Secret(value="x")}


def test_secrets__deployment_file_is_a_link__are_beside_the_file_like_what_it_includes(tmp_path: Path) -> None:
    project, here = tmp_path / "project", tmp_path / "here"
    project.mkdir()
    here.mkdir()
    (project / "key").write_text("x")
    (project / "rest.yml").write_text('version: "0.1"\nservices: {web: {secrets: {more: {file: key}}}}\n')
    text = TEXT.replace("SERVICE", "secrets: {key: {file: key}}").replace(
        "services", "include: [rest.yml]\nservices", 1
    )
    (project / "moorage.yml").write_text(text)
    (here / "moorage.yml").symlink_to(project / "moorage.yml")

    (web,) = deployment_file.load(here / "moorage.yml").services

    assert web.secrets == {"key": Secret(value="x"), "more": Secret(value="x")}


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        ("health: {}", "5:5: give exactly one of http, tcp, command; there are 0"),
        ("health: {tcp: 80, command: [a]}", "5:5: give exactly one of http, tcp, command; there are 2"),
        ("health: {tcp: 0}", "5:19: 0 is not a port"),
        ("health: {tcp: 80, interval: 0s}", "5:33: has to be 1s to 3600s"),
        ("health: {tcp: 80, interval: 2h}", "5:33: has to be 1s to 3600s"),
        ("health: {tcp: 80, interval: 5}", "5:33: 5 is not a time"),
        ("health: {tcp: 80, retries: 0}", "5:32: 0 is not a number, 1 to 20"),
        ("health: {http: {path: up, port: 80}}", "5:27: 'up' is not a path"),
        ("health: {http: {path: /}}", "5:14: 'port' is missing"),
        ("health: {command: []}", "5:23: this has to be a list with the program"),
        ("health: {http: /up}", "5:20: '/up' is not a map {path, port}"),
        ("host: [www.example.com]", "5:5: nothing is served under these names: expose http"),
        ("host: [WWW.example.com]", "5:12: 'WWW.example.com' is not a domain name"),
        ("host: [localhost]", "5:12: 'localhost' is not a domain name"),
        (
            "host: [a.example, a.example]\n    expose: [{port: 80, to: {global: true}}]",
            "5:23: 'a.example' is listed twice",
        ),
        (
            "secrets: {a: {env: PATH}}\n    storage: {/run/secrets/b: 1}",
            "6:15: storage can't be in /run/secrets, where the secrets are",
        ),
        ("storage: {/proc/x: 1}", "5:15: storage can't be in /proc, which is the kernel's"),
    ],
)
def test_load__health_or_host_that_cannot_be__is_refused_at_its_place(
    tmp_path: Path, service: str, problem: str
) -> None:
    found = problems_of(tmp_path, service)

    assert [each for each in found if problem in each], found


def test_load__a_host_of_two_services__is_refused(tmp_path: Path) -> None:
    (tmp_path / "moorage.yml").write_text(
        TEXT.replace("    SERVICE\n", "    host: [a.example]\n    expose: [{port: 80, to: {global: true}}]\n")
        .replace(
            "deployment:",
            "  api:\n    image: x\n    host: [a.example]\n    expose: [{port: 80, to: {global: true}}]\ndeployment:",
        )
        .replace("    web: {dock", "    api: {dock: {profile: small}}\n    web: {dock")
    )

    with pytest.raises(DeploymentFileError, match=r"'a\.example' is a name of 'web' already"):
        deployment_file.load(tmp_path / "moorage.yml")
