"""The corpus of malicious deployment files: each gets the one line that tests/malicious/expected.txt has for it.

A process with 512 MiB of memory reads them all. Those that are too large to keep, or no plain files, are made here.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage import deployment_file, manifest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "malicious"
MEMORY_BYTES = 512 * 2**20
CPU_SECONDS = 1.0
VERSION = 'version: "0.1"\n'
REST = """\
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
"""
WEB = f"{VERSION}services:\n  web:\n    image: nginx\n"

# One file after the other, and how long each takes; the least of up to five, since others use the machine too.
READER = f"""
import json, sys, time
from pathlib import Path
from moorage.deployment_file import DeploymentFileError, IncludeRules, load_file

def answer(name):
    started = time.process_time()
    try:
        load_file(Path(name), IncludeRules(is_remote_allowed=True))
        heads = ["valid"]
    except DeploymentFileError as error:
        heads = [line for line in str(error).splitlines() if ": error: " in line]
    return heads, time.process_time() - started

load_file(Path("byte-order-mark.yml"))
for name in json.load(sys.stdin):
    for _ in range(5):
        heads, seconds = answer(name)
        if seconds < {CPU_SECONDS}:
            break
    print(json.dumps([name, heads, seconds]))
"""

MADE = {
    "nested-lists.yml": ("[" * 2_000, "1:41: error: nested deeper than 40 levels"),
    "nested-maps.yml": ("{a: " * 2_000, "1:158: error: nested deeper than 40 levels"),
    "nested-blocks.yml": ("- " * 2_000, "1:81: error: nested deeper than 40 levels"),
    "nested-columns.yml": (
        "\n".join(" " * depth + "a:" for depth in range(700)),
        "40:40: error: nested deeper than 40 levels",
    ),
    "scalar-of-10-megabytes.yml": (
        f"a: {'x' * 10_000_000}",
        ": error: the file can't be read: it is larger than 250000 bytes",
    ),
    "scalar-of-a-quarter-megabyte.yml": (f"a: {'x' * 240_000}", "1:1: error: a line of more than 20000 characters"),
    "blank-lines.yml": ("\n" * 249_999, ": error: the file has more than 50000 lines"),
    "comments.yml": (f"{'#' + 'x' * 9_990}\n" * 25, "1:1: error: the file is empty"),
    "ports.yml": (
        f"{WEB}    expose: [\n" + "".join(f"{{port: {port}}},\n" for port in range(1, 13_000)) + f"    ]\n{REST}",
        "3335:8: error: more than 10000 values in all files together, aliases written out",
    ),
    "services.yml": (
        f"{VERSION}services:\n" + "".join(f"  s{number}: {{image: x}}\n" for number in range(10_000)) + REST,
        "2501:18: error: more than 10000 values in all files together, aliases written out",
    ),
    "anchors.yml": (
        f"{WEB}    args:\n" + "".join(f"    - &a{number} x\n" for number in range(12_000)),
        "106:7: error: more than 100 anchors",
    ),
    "aliases.yml": (
        f"{WEB}    args:\n    - &a x\n" + "    - *a\n" * 101,
        "107:7: error: more than 100 aliases",
    ),
    "tag.yml": (f"- !<{'x' * 19_000}> 1\n", "1:3: error: tags such as"),
    "anchor.yml": (f"- &{'x' * 19_000} 1\n", "1:1: error: a deployment file has to be a map of sections"),
    "key.yml": (f"{'x' * 19_000}: 1\n", "1:19001: error: not YAML: a ':' that is out of place"),
    "images.yml": (
        (f"{WEB}".replace("nginx", "a" * 200 + "-_" * 150) + REST),
        "4:12: error: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is not the name of a container",
    ),
    "misspelt-keys.yml": (
        f"{VERSION}services:\n  web:\n" + "".join(f"    imgae{number}: x\n" for number in range(4_500)) + REST,
        "4:5: error: unknown key 'imgae0', did you mean 'image'?",
    ),
    "words.yml": ("".join(f"- {'x y ' * 4_990}\n" for _ in range(12)), ": error: the file has more than 50000 words"),
    "directives.yml": (
        "".join(f"%TAG !{number}! x\n" for number in range(15_000)) + "---\n",
        ": error: more than 10 lines begin with %",
    ),
    "numbers.yml": (f"{WEB}    args: [\n" + f"{'9' * 22},\n" * 9_900 + f"    ]\n{REST}", "valid"),
    "exponents.yml": (f"{WEB}    args: [\n" + "1e999999,\n" * 9_900 + f"    ]\n{REST}", "valid"),
    "misspelt-events.yml": (
        f"{WEB}{REST}notifications:\n  - name: a\n    type: email\n    to: a@b\n    events: [\n"
        + "".join(f"cluster.node.downn{number},\n" for number in range(9_000))
        + "    ]\n",
        "15:1: error: 'cluster.node.downn0' is not an event, did you mean 'cluster.node.down'?",
    ),
    "odd-recipients.yml": (
        f"{WEB}{REST}notifications:\n  - name: a\n    type: email\n    to: [\n" + "[],\n" * 9_000 + "    ]\n",
        "13:9: error: this has to be an email address, or a list of 1 to 16 of them",
    ),
    "odd-dependencies.yml": (
        f"{WEB}    depends-on: [\n" + "[],\n" * 9_000 + f"    ]\n{REST}",
        "6:1: error: a list is not the name of a service, or {service: name}",
    ),
    "odd-services.yml": (
        f"{VERSION}services:\n" + "".join(f"  s{number}: {{}}\n" for number in range(4_900)) + REST,
        "3:3: error: 'image' is missing in 'services.s0'",
    ),
    "nested-bomb.yml": (
        "- &a0 x\n" + "".join(f"- &a{number} [*a{number - 1}]\n" for number in range(1, 60)),
        "40:9: error: nested deeper than 40 levels",
    ),
}
"""Name -> text, and how the first line goes on after the name."""


@dataclass(frozen=True)
class Answer:
    heads: tuple[str, ...]
    cpu_seconds: float


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What every file of the corpus is answered with."""
    directory = tmp_path_factory.mktemp("malicious") / "project"
    shutil.copytree(CORPUS, directory)
    for name, (text, _) in MADE.items():
        (directory / name).write_text(text)
    _make_odd_files(directory)
    names = sorted(path.name for path in directory.glob("*.yml"))
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps(names),
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES)),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = map(json.loads, done.stdout.splitlines())
    return {name: Answer(tuple(heads), seconds) for name, heads, seconds in lines}


def _make_odd_files(directory: Path) -> None:
    """Make what a repository can't keep: pipes, links out of the project, a long chain of files."""
    os.mkfifo(directory / "pipe.yml")
    os.mkfifo(directory / "other-pipe")
    (directory / "link-out.yml").symlink_to("/etc/passwd")
    (directory.parent / "secret.yml").write_text(VERSION)
    (directory / "link-to-link").symlink_to("link-up")
    (directory / "link-up").symlink_to("..")
    (directory / "loop").symlink_to("loop")
    (directory / "process").symlink_to("/proc/self")
    (directory / "a-directory.yml").mkdir()
    for name, included in {
        "includes-pipe.yml": "other-pipe",
        "includes-link-out.yml": "link-out.yml",
        "includes-through-link.yml": "link-to-link/secret.yml",
        "includes-loop.yml": "loop",
        "includes-process.yml": "process/environ",
        "includes-100.yml": "step-1",
    }.items():
        (directory / name).write_text(f"{VERSION}include: [{included}]\n{WEB.removeprefix(VERSION)}{REST}")
    for step in range(1, 101):
        (directory / f"step-{step}").write_text(f"{VERSION}include: [step-{step + 1}]\n")


def expected() -> Iterator[tuple[str, str]]:
    """Yield each file with the beginning of its first line."""
    for line in (CORPUS / "expected.txt").read_text("utf-8").splitlines():
        name, _, head = line.partition(": ")
        yield name, head
    for name, (_, rest) in MADE.items():
        yield name, rest if rest == "valid" else f"{name}{'' if rest.startswith(':') else ':'}{rest}"


EXPECTED = dict(expected())


@pytest.mark.parametrize("name", EXPECTED)
def test_h04_h05_h06_h07_h08_h09_i01_j11_malicious_file__in_little_memory__gets_its_one_line(
    answers: dict[str, Answer], name: str
) -> None:
    heads = answers[name].heads

    assert heads[0].startswith(EXPECTED[name])
    assert all(head.isprintable() for head in heads)
    assert answers[name].cpu_seconds < CPU_SECONDS


def test_malicious_files__each__has_its_expected_line(answers: dict[str, Answer]) -> None:
    assert answers.keys() == EXPECTED.keys()


def test_h05_malicious_files__that_are_valid__mean_what_stands_there() -> None:
    names = [name for name, head in EXPECTED.items() if head == "valid"]
    services = {name: deployment_file.load(CORPUS / name).services[0] for name in names if name not in MADE}

    assert services["sexagesimal.yml"].env == {"TIME": "22:22"}
    assert services["word-no.yml"].env == {"COUNTRY": "no"}
    assert services["octal.yml"].env == {"MODE": "012"}
    assert services["newline-in-env.yml"].env == {"A": "x\nLD_PRELOAD=/evil.so"}
    assert services["shell-in-args.yml"].args == ("$(id)", "; rm -rf /", "`id`", "| nc", "&& id", "--flag=$IFS")
    assert services["image-with-tag-and-digest.yml"].image == f"nginx:1.22@sha256:{'0' * 64}"
    assert services["port-22.yml"].connections == (
        manifest.Connection(port=22, protocol="tcp", workload=None, datacenter=None, is_global=True),
    )
    assert {"byte-order-mark.yml", "octal-in-c.yml"} <= services.keys()
