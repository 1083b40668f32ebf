"""Deployment files that are refused: every message with its position."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError
from moorage.deployment_file.schema import HINTS

FILES = Path(__file__).with_name("deployment_files")
VALID = """\
version: "0.1"
services:
  web:
    image: nginx:1.22
    depends-on: [db]
    expose:
      - port: 80
        to:
          - global: true
  db:
    image: postgres:15
    storage: {/data: 1GB}
    expose:
      - port: 5432
        to: {service: web}
deployment:
  datacenters:
    dock:
      region: local
      profiles:
        small:
          compute: {cpu: 1, memory: 256MiB, disk: 2GB}
          pricing: {max-price: 5, collateral: 1d}
  services:
    web:
      dock: {profile: small, nodes: 2}
    db:
      dock: {profile: small}
notifications:
  - {name: chat, type: webhook, url: "https://chat.example"}
"""


def problems_of(text: str) -> list[str]:
    """Return what is wrong, each as `line:column: message`."""
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(text, Path("moorage.yml"))
    return [
        f"{(problem.position.line or 0) + 1}:{problem.position.column + 1}: {problem.message}"
        for problem in caught.value.problems
    ]


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1, f"{old!r} has to stand once in the valid file"
    return VALID.replace(old, new)


def heads_of(path: Path) -> list[str]:
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load(path)
    return [line.removeprefix(f"{path.parent}/") for line in str(caught.value).splitlines() if ": error: " in line]


def test_valid__as_it_is__loads() -> None:
    deployment_file.load_text(VALID, Path("moorage.yml"))


SIZE = "is not a size: a number with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB (512MiB), or plain bytes"
NAME = "is not a name of at most 32 lower-case letters, digits and inner hyphens"

SCHEMA_ERRORS = [
    # a section that is missing, unknown or of another kind
    (VALID[15:], "1:1: 'version' is missing; it has to be \"0.1\""),
    (changed('"0.1"', "0.1"), '1:10: the version has to be in quotes: "0.1"'),
    (changed('"0.1"', '"0.2"'), '1:10: the only version of the format is "0.1"'),
    (changed('"0.1"', "[]"), '1:10: the only version of the format is "0.1"'),
    ('version: "0.1"\nservices: {web: {image: x}}\n', "1:1: 'deployment' is missing"),
    (changed("notifications", "notification"), "29:1: unknown key 'notification', did you mean 'notifications'?"),
    (
        changed("notifications", "zzz"),
        ": unknown key 'zzz'; known are deployment, include, notifications, services, version",
    ),
    (changed("datacenters:", "datacentres:"), "17:3: unknown key 'datacentres', did you mean 'datacenters'?"),
    (changed("datacenters:", "datacentres:"), "16:1: 'datacenters' is missing in 'deployment'"),
    ('version: "0.1"\nservices: []\ndeployment: 5\n', "2:11: a list is not a map of one or more services"),
    ('version: "0.1"\nservices: {}\n', "2:11: this has to be a map of one or more services"),
    (
        'version: "0.1"\nservices: []\ndeployment: 5\n',
        "3:13: 5 is not a map {datacenters, services, wait-duration}",
    ),
    # a service
    (changed("    image: nginx:1.22\n", ""), "3:3: 'image' is missing in 'services.web'"),
    (
        changed("nginx:1.22", "http://nginx"),
        "4:12: 'http://nginx' is not the name of a container image: [registry/]repository[:tag][@sha256:digest]",
    ),
    (changed("nginx:1.22", "Nginx"), "4:12: 'Nginx' is not the name of a container image: "),
    (changed("nginx:1.22", '"nginx\\n"'), "4:12: 'nginx\ufffd' is not the name of a container image: "),
    (changed("nginx:1.22", "nginx@sha256:12"), "4:12: 'nginx@sha256:12' is not the name of a container image: "),
    (changed("nginx:1.22", ""), "4:5: nothing is given here; it has to be the name of a container image: "),
    (changed("    depends-on: [db]\n", "    port: 80\n"), "5:5: unknown key 'port': write it under expose: "),
    (
        changed("    depends-on: [db]\n", "    privileged: true\n"),
        "5:5: unknown key 'privileged': a container gets",
    ),
    (changed("depends-on", "depends_on"), "5:5: unknown key 'depends_on', did you mean 'depends-on'?"),
    (changed("[db]", "db"), "5:17: 'db' is not a list of services"),
    (changed("[db]", "[{servce: db}]"), "5:19: unknown key 'servce', did you mean 'service'?"),
    (changed("[db]", "[5]"), "5:18: 5 is not the name of a service, or {service: name}"),
    (changed("  db:\n    image", "  D_B:\n    image"), f"10:3: 'D_B' {NAME}"),
    (changed("  db:\n    image", f"  {'a' * 33}:\n    image"), f"10:3: '{'a' * 33}' {NAME}"),
    (changed("  db:\n    image", "  \u0430:\n    image"), f"10:3: '\u0430' {NAME}"),
    (changed("  db:\n    image", '  "a\\u202e":\n    image'), f"10:3: 'a\ufffd' {NAME}"),
    (
        changed("    depends-on: [db]\n", "    env: [A=B]\n"),
        "5:10: a list is not a map from names of variables to text",
    ),
    (
        changed("    depends-on: [db]\n", "    env: {A: }\n"),
        ': nothing is given here; it has to be text or a number; write ""',
    ),
    (
        changed("    depends-on: [db]\n", "    env: {1A: x}\n"),
        "5:11: '1A' is not the name of a variable: a letter or _, ",
    ),
    (changed("    depends-on: [db]\n", "    env: {A: {}}\n"), '5:14: a map is not text or a number; write "" for'),
    (
        changed("    depends-on: [db]\n", "    args: --port 80\n"),
        "5:11: '--port 80' is not a list of texts and numbers",
    ),
    (changed("    depends-on: [db]\n", "    args: [[]]\n"), "5:12: a list is not text or a number"),
    (
        changed("    depends-on: [db]\n", "    command: []\n"),
        "5:14: this has to be a list with the program to run and its first arguments",
    ),
    (changed("    depends-on: [db]\n", "    user: root;id\n"), "5:11: 'root;id' is not a user or user:group, as "),
    (changed("    depends-on: [db]\n", "    user: -1\n"), "5:11: -1 is not a user or user:group, as numbers or names"),
    (changed("    depends-on: [db]\n", "    read-only: yes\n"), "5:16: 'yes' is not true or false"),
    (changed("    depends-on: [db]\n", "    restart: no\n"), "5:14: 'no' is not always or on-failure"),
    (changed("    depends-on: [db]\n", "    restart: on-failur\n"), "on-failure, did you mean 'on-failure'?"),
    (changed("{/data: 1GB}", "{data: 1GB}"), "12:15: 'data' is not an absolute path of letters, digits, "),
    (changed("{/data: 1GB}", "{/../etc: 1GB}"), "12:15: '/../etc' is not an absolute path of letters, "),
    (changed("{/data: 1GB}", "{/data: 1gb}"), f"12:22: '1gb' {SIZE}"),
    # expose
    (changed("port: 80", "port: 0"), "7:15: 0 is not a port, 1 to 65535"),
    (changed("port: 80", "port: 65536"), "7:15: 65536 is not a port, 1 to 65535"),
    (changed("port: 80", 'port: "80"'), "7:15: '80' is not a port, 1 to 65535"),
    (changed("port: 80", "port: 80.0"), "7:15: 80.0 is not a port, 1 to 65535"),
    (changed("port: 80", "proto: http"), "7:9: 'port' is missing in 'services.web.expose', entry 1"),
    (
        changed("port: 80", "port: 80\n        proto: htp"),
        "8:16: 'htp' is not tcp, http or https, did you mean 'http'?",
    ),
    (changed("port: 80", "port: 80\n        prot: http"), "8:9: unknown key 'prot', did you mean 'proto'?"),
    (changed("- global: true", "- globl: true"), "9:13: unknown key 'globl', did you mean 'global'?"),
    (changed("- global: true", "- global: 1"), "9:21: 1 is not true or false"),
    (changed("to: {service: web}", "to: web"), "15:13: 'web' is not a list of {service, global}, or one such map"),
    # datacenters and profiles
    (
        changed("    dock:\n      region", "    Dock:\n      region"),
        "18:5: 'Dock' is not a name of at most 31 lower-case",
    ),
    (changed("      region: local\n", ""), "18:5: 'region' is missing in 'deployment.datacenters.dock'"),
    (changed("region: local", "region: us-wst"), "19:15: 'us-wst' is not a region, did you mean 'us-west'?"),
    (changed("region: local", "region: 5"), "19:15: 5 is not a region; known are africa, asia-east, "),
    (changed("region: local", "region: local\n      persist: no"), "20:16: 'no' is not true or false"),
    (
        changed("cpu: 1", "cpu: 1.5c"),
        "22:26: '1.5c' is not an amount of cpu: cores (2 or 0.5) or thousandths of a core",
    ),
    (changed("cpu: 1", "cpu: -1"), "22:26: -1 is not an amount of cpu: "),
    (changed("memory: 256MiB", "memory: 256Mi"), f"22:37: '256Mi' {SIZE}"),
    (changed("memory: 256MiB", "memory: 18446744073709551616"), f"22:37: 18446744073709551616 {SIZE}"),
    (changed("memory: 256MiB", "gpu: 1"), "22:29: unknown key 'gpu', did you mean 'cpu'?"),
    (
        changed("max-price: 5", "max-price: five"),
        "23:32: 'five' is not an amount of tokens per compute unit and hour, ",
    ),
    (
        changed("max-price: 5", "max-price: .nan"),
        "23:32: '.nan' is not an amount of tokens per compute unit and hour, ",
    ),
    (changed("max-price: 5", "max-prize: 5"), "23:21: unknown key 'max-prize', did you mean 'max-price'?"),
    (
        changed("collateral: 1d", "collateral: 1w"),
        "23:47: '1w' is not an amount of tokens, such as 5 or 0.25, or a time ",
    ),
    (
        changed("          compute", "          qos: {lifetime: forever}\n          compute"),
        "22:27: 'forever' is not short, medium or long; known are long, medium, short",
    ),
    (changed("nodes: 2", "nodes: 0"), "26:37: 0 is not a number of nodes, 1 to 256"),
    (
        changed("{profile: small, nodes: 2}", "{nodes: 2}"),
        "26:7: 'profile' is missing in 'deployment.services.web.dock'",
    ),
    (changed("{profile: small, nodes: 2}", "small"), "26:13: 'small' is not a map {profile, nodes}"),
    (
        changed("  datacenters:", "  wait-duration: soon\n  datacenters:"),
        "17:18: 'soon' is not a number of blocks up to 4294967295, or a time such as 90s, 15m or 1h",
    ),
    (changed("  datacenters:", "  wait-duration: 4294967296\n  datacenters:"), "17:18: 4294967296 is not a number of "),
    # notifications
    (changed("type: webhook", "type: sms"), "30:24: 'sms' is not email or webhook; known are email, webhook"),
    (changed("type: webhook", "type: email"), "30:5: 'to' is missing in 'notifications', entry 1"),
    (changed(', url: "https://chat.example"', ""), "30:5: 'url' is missing in 'notifications', entry 1"),
    (
        changed("https://chat.example", "file:///etc"),
        "30:38: 'file:///etc' is not an address that starts with https:// ",
    ),
    (
        changed("type: webhook", "type: webhook, events: [deploy.began]"),
        "30:42: 'deploy.began' is not an event, did you mean 'deploy.begin'?",
    ),
]

CHECK_ERRORS = [
    (changed("[db]", "[dbb]"), "5:18: unknown service 'dbb', did you mean 'db'?"),
    (changed("[db]", "[{service: dbb}]"), "5:28: unknown service 'dbb', did you mean 'db'?"),
    (changed("[db]", "[xyz]"), "5:18: unknown service 'xyz'; known are db, web"),
    (changed("[db]", "[db, {service: db}]"), "5:32: 'db' is listed twice"),
    (changed("[db]", "[web]"), "5:5: the services wait for each other: web -> web"),
    (
        changed("    storage: {/data: 1GB}\n", "    depends-on: [web]\n"),
        "5:5: the services wait for each other: web -> db -> web",
    ),
    (changed("{service: web}", "{service: wep}"), "15:23: unknown service 'wep', did you mean 'web'?"),
    (
        changed("- global: true", "- global: false"),
        "9:13: this lets nobody connect: give a service, or global: true for everybody",
    ),
    (changed("{service: web}", "{}"), "15:13: this lets nobody connect: give a service, or global: true for everybody"),
    (
        changed("{service: web}", "[{service: web}, {global: false, service: web}]"),
        "15:30: this is listed twice",
    ),
    (
        changed("      - port: 80\n", "      - port: 80\n      - port: 80\n        proto: tcp\n"),
        "8:15: port 80 is exposed twice, first in line 7",
    ),
    (changed("{/data: 1GB}", "{/data: 0}"), "12:22: storage has to be larger than 0 bytes"),
    (changed("{/data: 1GB}", "{/data: 0.5B}"), "12:22: '0.5B' is not a whole number of bytes"),
    (
        changed("{/data: 1GB}", "{/data: 1GB, /more: 1000000001}"),
        "12:5: 2000000001 bytes of storage, but profile 'small' of datacenter 'dock' has 2000000000 bytes of disk",
    ),
    (changed("    db:\n      dock: {profile: small}\n", ""), "10:3: service 'db' is placed nowhere: name a datacenter"),
    (changed("    db:\n      dock", "    dbs:\n      dock"), "27:5: unknown service 'dbs', did you mean 'db'?"),
    (changed("      dock: {profile: small}\n", "      dok: {profile: small}\n"), "28:7: unknown datacenter 'dok', did"),
    (
        changed("dock: {profile: small}", "dock: {profile: smal}"),
        "28:23: datacenter 'dock' has no profile 'smal', did you mean 'small'?",
    ),
    (
        changed(
            "  services:\n    web:\n      dock",
            "    pier: {region: local, profiles: {a: {pricing: {max-price: 1}}}}\n  services:\n    web:\n      dock",
        ),
        "24:5: nothing is placed in datacenter 'pier'",
    ),
    (changed("          pricing: {max-price: 5, collateral: 1d}\n", ""), "21:9: pricing.max-price is missing"),
    (changed("{max-price: 5, collateral: 1d}", ""), "23:11: pricing.max-price is missing"),
    (changed("{max-price: 5, collateral: 1d}", "{collateral: 1d}"), "23:11: pricing.max-price is missing"),
    (changed("max-price: 5", "max-price: 0"), "23:32: pricing.max-price has to be more than 0"),
    (changed("max-price: 5", "max-price: 1e3"), "23:32: '1e3' is not an amount of tokens: digits with at most one "),
    (changed("cpu: 1", "cpu: 0"), "22:26: cpu has to be from 1m to 4294967295m"),
    (changed("cpu: 1", "cpu: 4294968"), "22:26: cpu has to be from 1m to 4294967295m"),
    (changed("cpu: 1", "cpu: 0.0001"), "22:26: '0.0001' is not a whole number of thousandths of a core"),
    (changed("memory: 256MiB", "memory: 1kB"), "22:37: memory has to be from 6MiB to 9007199254740991 bytes"),
    (changed("disk: 2GB", "disk: 9008TB"), "22:51: disk has to be at most 9007199254740991 bytes"),
    (
        changed("          compute", "          qos: {memory: 1GB}\n          compute"),
        "22:17: 'memory' is given under compute too; give it once",
    ),
    (
        changed("          compute", "          qos: {lifetime: long}\n          compute"),
        "24:35: qos.lifetime gives the collateral already; give one of the two",
    ),
    (
        changed("nodes: 2", "nodes: 256"),
        "18:5: 257 nodes in one datacenter, at most 256 can be",
    ),
    (
        changed("  datacenters:", "  infrastructure: {}\n  datacenters:"),
        "18:3: 'datacenters' gives the section 'datacenters' again; both names are of the same section",
    ),
]


@pytest.mark.parametrize(("text", "problem"), SCHEMA_ERRORS, ids=[problem for _, problem in SCHEMA_ERRORS])
def test_load__not_of_the_schema__is_refused_at_its_place(text: str, problem: str) -> None:
    assert any(problem in found for found in problems_of(text)), problems_of(text)


@pytest.mark.parametrize(("text", "problem"), CHECK_ERRORS, ids=[problem for _, problem in CHECK_ERRORS])
def test_load__something_that_does_not_fit__is_refused_at_its_place(text: str, problem: str) -> None:
    found = problems_of(text)

    assert len([each for each in found if each.startswith(problem)]) == 1, found


@pytest.mark.parametrize("key", sorted(HINTS))
def test_load__a_key_that_people_expect__gets_a_hint(key: str) -> None:
    (problem,) = problems_of(changed("    depends-on: [db]\n", f"    {key}: x\n"))

    assert problem == f"5:5: unknown key '{key}': {HINTS[key]}"


@pytest.mark.parametrize("key", ["network_mode", "cap_add", "devices", "pid", "ipc", "sysctls", "runtime", "gpus"])
def test_i01_load__a_key_that_would_open_the_host__is_unknown(key: str) -> None:
    (problem,) = problems_of(changed("    depends-on: [db]\n", f"    {key}: host\n"))

    assert problem.startswith(f"5:5: unknown key '{key}'")


@pytest.mark.parametrize("key", ["gpu", "gpus", "devices", "accelerator"])
def test_i26_load__devices_are_asked_for__are_unknown_to_services_and_profiles(key: str) -> None:
    (of_service,) = problems_of(changed("    depends-on: [db]\n", f"    {key}: 1\n"))

    assert of_service.startswith(f"5:5: unknown key '{key}'")


def test_load__a_connection_between_datacenters_that_is_not_global__is_refused() -> None:
    text = VALID.replace("    dock:\n      r", "    dock: &dock\n      r").replace(
        "  services:\n    web", "    pier: *dock\n  services:\n    web"
    )

    (problem,) = problems_of(text.replace("    db:\n      dock", "    db:\n      pier"))

    assert problem == "13:5: port 5432 is for 'web', which runs in other datacenters only; add global: true"
    deployment_file.load_text(
        text.replace("    db:\n      dock", "    db:\n      pier").replace(
            "{service: web}", "{service: web, global: true}"
        ),
        Path("moorage.yml"),
    )


def test_load__nine_profiles_in_one_datacenter__are_too_many_only_if_they_are_used() -> None:
    profiles = "".join(f"        p{number}: {{pricing: {{max-price: 1}}}}\n" for number in range(9))
    services = "".join(f"  s{number}: {{image: x}}\n" for number in range(9))
    places = "".join(f"    s{number}: {{dock: {{profile: p{number}}}}}\n" for number in range(9))
    text = (
        'version: "0.1"\nservices:\n' + services + "deployment:\n  datacenters:\n    dock:\n      region: local\n"
        "      profiles:\n" + profiles + "  services:\n" + places
    )

    assert problems_of(text) == ["16:7: 9 profiles are used in one datacenter, at most 8 can be"]
    deployment_file.load_text(text.replace("profile: p8", "profile: p0"), Path("moorage.yml"))


def test_load__nine_datacenters__are_too_many() -> None:
    pier = "".join(f"    pier{number}: *dock\n" for number in range(8))
    text = changed("    dock:\n      region", "    dock: &dock\n      region").replace(
        "  services:\n    web", f"{pier}  services:\n    web"
    )

    assert "18:5: this has to be a map of 1 to 8 datacenters" in problems_of(text)


def test_load__several_circles_of_dependencies__are_all_shown() -> None:
    text = changed("[db]", "[web]").replace("    storage: {/data: 1GB}\n", "    depends-on: [db]\n")

    assert problems_of(text) == [
        "5:5: the services wait for each other: web -> web",
        "12:5: the services wait for each other: db -> db",
    ]


def test_load__many_errors__come_at_once_in_the_order_of_the_file() -> None:
    text = (
        changed("nginx:1.22", "NGINX")
        .replace("[db]", "[dbb]")
        .replace("port: 80", "port: 0")
        .replace("region: local", "region: mars")
        .replace("max-price: 5, ", "")
        .replace("dock: {profile: small}", "dock: {profile: big}")
    )

    assert [problem.split(": ")[0] for problem in problems_of(text)] == [
        "4:12",
        "5:18",
        "7:15",
        "19:15",
        "23:11",
        "28:23",
    ]


def test_load__something_wrong__is_reported_once() -> None:
    assert len(problems_of(changed("{max-price: 5, collateral: 1d}", "free"))) == 1
    assert len(problems_of(changed("max-price: 5", "max-price: free"))) == 1
    assert len(problems_of(changed("- global: true", "- global: 1"))) == 1
    assert len(problems_of(changed("{service: web}", "{service: W}"))) == 1
    assert (
        len(problems_of(changed("  db:\n    image", "  D_B:\n    image"))) == 4
    )  # also where it is named: three places


def test_error__shown__has_the_line_and_a_caret() -> None:
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(changed("region: local", "region: mars"), Path("sub/moorage.yml"))

    assert str(caught.value) == (
        "sub/moorage.yml:19:15: error: 'mars' is not a region; known are africa, asia-east, asia-south, "
        "asia-southeast, canada, europe, europe-central, europe-north, europe-west, local, middle-east, oceania, "
        "south-america, us-central, us-east, us-west\n"
        "          region: mars\n"
        "                  ^"
    )


def test_error__hostile_text_in_the_line__moves_no_cursor_and_hides_nothing() -> None:
    text = changed("[db]", '[db] # \u202e "')

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(text.replace("depends-on", "dependson"), Path("moo\x1brage.yml"))

    assert all(character.isprintable() or character == "\n" for character in str(caught.value))


def test_error__a_long_line__is_cut_around_the_place() -> None:
    text = changed("nginx:1.22", "a" * 5_000 + "!").replace("image: a", "image:" + " " * 5_000 + "a")

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(text, Path("moorage.yml"))

    head, line, caret = str(caught.value).splitlines()
    assert head.startswith("moorage.yml:4:5011: error: 'aaaa")
    assert len(line) < 150
    assert line[caret.index("^")] == "a"
    assert line[caret.index("^") - 1] == " "


def test_error__more_than_fifty__are_counted() -> None:
    text = changed("    depends-on: [db]\n", "".join(f"    key{number}: x\n" for number in range(60)))

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(text, Path("moorage.yml"))

    assert len(caught.value.problems) == 60
    assert str(caught.value).endswith("\n... and 10 more errors")


DRAFTS = {
    "draft_2017_09": [
        "67:11: error: pricing.max-price is missing",
        "72:11: error: pricing.max-price is missing",
        "78:11: error: pricing.max-price is missing",
        "86:11: error: pricing.max-price is missing",
        "105:18: error: datacenter 'westcoast' has no profile 'db-pool'; known are db, web",
        "108:18: error: datacenter 'eastcoast' has no profile 'db-pool'",
    ],
    "draft_2018_03": [
        "117:18: error: datacenter 'westcoast' has no profile 'db-pool'; known are db, web",
        "120:18: error: datacenter 'eastcoast' has no profile 'db-pool'",
    ],
}


@pytest.mark.parametrize("name", DRAFTS)
def test_load__examples_of_the_drafts__are_refused_for_what_was_decided_since(name: str) -> None:
    path, problems = FILES / f"{name}.yml", DRAFTS[name]

    found = heads_of(path)

    assert found[1].startswith(f"{name}.yml:6:5: error: 'https://foo.yml' can't be included: it is not in {name}.lock")
    assert [found[0], *found[2:]] == [
        f"{name}.yml:5:5: error: the file '{FILES}/foo.yml' can't be read: No such file or directory",
        f"{name}.yml:45:5: error: unknown key 'port': write it under expose: expose: [{{port: 80}}]",
        *(f"{name}.yml:{problem}" for problem in problems),
    ]


def test_load__example_of_the_second_draft_without_what_is_refused__is_valid() -> None:
    text = (FILES / "draft_2018_03.yml").read_text("utf-8").replace("    port: 80\n", "", 1)
    text = text.replace('include:\n  - "foo.yml"\n  - "https://foo.yml"\n', "").replace(
        "profile: db-pool", "profile: db"
    )

    spec = deployment_file.load_text(text, FILES / "draft_2018_03.yml")

    assert [service.name for service in spec.services] == ["db-master", "db-slave", "db-pool", "web"]


def test_load__what_the_first_draft_had__is_refused_as_the_format_says() -> None:
    assert heads_of(FILES / "first_draft.yml") == [
        f"first_draft.yml:6:5: error: the file '{FILES}/missing.yml' can't be read: No such file or directory",
        "first_draft.yml:7:5: error: 'https://files.example/remote.yml' can't be included: it is not in "
        "first_draft.lock; `moorage validate --lock` fetches it and keeps its digest, "
        "--allow-remote-include takes it as it is",
        "first_draft.yml:22:5: error: unknown key 'port': write it under expose: expose: [{port: 80}]",
        "first_draft.yml:39:11: error: pricing.max-price is missing",
        "first_draft.yml:45:11: error: pricing.max-price is missing",
        "first_draft.yml:53:18: error: datacenter 'westcoast' has no profile 'store-pool'; known are web",
    ]


def test_load__more_problems_than_anybody_reads__ends_at_a_hundred() -> None:
    keys = "".join(f"    k{number}: x\n" for number in range(150))

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(changed("    depends-on: [db]\n", keys), Path("moorage.yml"))

    assert len(caught.value.problems) == 100
    assert str(caught.value).endswith("\n... and more errors")


def test_load__several_unknown_names__list_what_is_known_once() -> None:
    text = changed("    depends-on: [db]\n", "    depends-on: [x1, x2]\n    colour: green\n    taste: sweet\n")

    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.load_text(text, Path("moorage.yml"))

    messages = [problem.message for problem in caught.value.problems]
    assert [message.partition(";")[0] for message in messages] == [
        "unknown service 'x1'",
        "unknown service 'x2'",
        "unknown key 'colour'",
        "unknown key 'taste'",
    ]
    assert ["known are" in message for message in messages] == [True, False, True, False]
