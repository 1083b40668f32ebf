"""docs/tour.md is whole, and what executes it can't be cheated: no command without its output, nothing left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_tree import LEAVES
from tests.tour.__main__ import Walker, difference
from tests.tour.masks import is_same, masked
from tests.tour.page import PageError, Step, missing, read, steps, written_anew

PAGE = """# Title

```sh
moorage list
```

```text
nothing
```

Words.

```sh
MOORAGE_RPC=x moorage wallet list -o json | head -1; cat ~/.config/moorage/wallet.json
```

```text
[]
(exit code 3)
```
"""
ID = "0x" + "ab" * 32
BID = "order 0x4f4de4d5…: provider {} bids 0.8 MOOR/h"


# ------------------------------------------------------------------ the page


def test_tour__commands_of_the_program__are_all_run():
    assert missing(steps(read()), list(LEAVES)) == []


def test_tour__each_output__is_there_and_says_something():
    empty = [step.command for step in steps(read()) if not step.output.strip()]

    assert empty == [], "run `make docs`"


def test_steps__plain_page__are_commands_with_their_outputs():
    first, second = steps(PAGE)

    assert (first.line, first.command, first.output) == (3, "moorage list", "nothing\n")
    assert (first.runs, second.runs) == ((("list",),), (("wallet", "list"),))
    assert second.output == "[]\n(exit code 3)\n"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("```text\nnothing\n```\n", "", "line 3: a command without its output"),
        ("```text\nnothing\n```\n", "It prints:\n\n```text\nnothing\n```\n", "line 3: a command without its output"),
        ("```sh\nmoorage list\n```\n", "", "line 4: an output without its command"),
        ("```text\nnothing", "```\nnothing", "line 3: a command without its output"),
        ("```sh\nmoorage list", "```bash\nmoorage list", "line 3: a block of kind 'bash'"),
        ("```text\n[]\n(exit code 3)\n```\n", "", "a command without its output"),
    ],
)
def test_steps__block_that_would_not_be_compared__is_refused(before, after, words):
    assert before in PAGE

    with pytest.raises(PageError, match=words):
        steps(PAGE.replace(before, after))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("moorage list", []),
        ("moorage list --all | cat", []),
        ("cd x && moorage list", []),
        ("moorage status", ["list"]),
        ("cat /moorage list", ["list"]),
        ("cat moorage.yml list", ["list"]),
        ("echo moorage list", ["list"]),
        ("MOORAGE_RPC=x timeout 5 moorage list", []),
        ("moorage --rpc x list", ["list"]),
        ("moorage --help", ["list"]),
    ],
)
def test_missing__command_that_is_only_mentioned__is_not_run(command, found):
    assert missing([Step(1, command, "", (0, 0))], [("list",)]) == found


def test_missing__subcommand__has_to_be_run_itself():
    step = Step(1, "moorage wallet list", "", (0, 0))

    assert missing([step], [("wallet", "list"), ("wallet", "new")]) == ["wallet new"]


def test_written_anew__some_outputs__leaves_all_else_as_it_was():
    first, second = steps(PAGE)

    anew = written_anew(PAGE, {first.line: "a\nb\n", second.line: ""})

    assert [step.output for step in steps(anew)] == ["a\nb\n", ""]
    assert written_anew(anew, {3: first.output, steps(anew)[1].line: second.output}) == PAGE


# ------------------------------------------------------------------ what may differ

BEFORE = "replica 0: the version before goes on; the new one"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"deployment {ID} is active at block 5", f"deployment 0x{'12' * 32} is active at block 61234"),
        ("lease 0x4f4de4d5… closed: 0.001192 MOOR", "lease 0x00000000… closed: 12.5001 MOOR"),
        ("web  running   http://127.0.0.1:31869", "web  running  http://127.0.0.1:80"),
        ("prepaid for 9h 8m", "prepaid for 3s"),
        ("dock  9h   5 MOOR\n      in all", "dock  9h 7m  5 MOOR\n      in\n      all"),
        ("0x1  until block 7    5\n     (in 3s)         MOOR", "0x1  until block 123  5 MOOR\n     (in 2d 5h)"),
        ("a facilitator acted 1m 17s ago, in block 132", "a facilitator acted 5s ago, in block 7"),
        ("9.1 h   confirmed 6 blocks ago, next within 9", "0.3 h  confirmed 1 block ago, next within 12"),
        ('  "block": 351,', '  "block": 1,'),
        ("block 1  workload a starting\nblock 2  workload a running", "block 2  workload a running"),
        (f"block 1  workload a running: {BEFORE} is tried\nblock 2  workload a running", "block 2  workload a running"),
        (
            "block 1  workload a running\nblock 2  workload a running: not up: b:6379: not looked at yet",
            "block 4  workload a running",
        ),
        (
            "block 1  waiting for provider 1 to reset and confirm\nblock 2  deployment is closed",
            "block 9  deployment is closed",
        ),
        (f"block 1  {BID.format(1)}\nblock 1  {BID.format(2)}", f"block 3  {BID.format(2)}\nblock 4  {BID.format(1)}"),
    ],
)
def test_is_same__values_of_chance_or_time__may_differ(one, other):
    assert is_same(one, other), (masked(one), masked(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("deployment is active", "deployment is closing"),
        ("paid in 20 MOOR", "paid in 21 MOOR"),
        ("at most 0.5 MOOR/h each", "at most 0.6 MOOR/h each"),
        ("2 x 250m cpu", "2 x 500m cpu"),
        ("provider 1 at", "provider 2 at"),
        ("dock  leased", "dock  leased  more"),
        ("a\nb", "a"),
        ("a\nb", "b\na"),
        ("a", "a\n(exit code 1)"),
        ("(exit code 2)", "(exit code 1)"),
        (f"deployment {ID}", f"deployment {ID[:42]}"),
        ("block 2  workload a running at http://h:1", "block 2  workload a failed"),
        ("block 1  workload a running", "block 1  workload b running"),
        (
            f"block 1  workload a running: {BEFORE} is restarting: exited with 1\nblock 2  workload a running",
            "block 2  workload a running",
        ),
        ("tips  0.002 MOOR", "tips  MOOR"),
    ],
)
def test_is_same__words_and_what_is_agreed__may_not(one, other):
    assert not is_same(one, other)


# ------------------------------------------------------------------ running it


@pytest.fixture
def walker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walker:
    monkeypatch.setenv("MOORAGE_MARKET", "/tmp/moorage-demo-x1/deployments/7.json")
    return Walker(tmp_path)


def step(command: str, output: str = "") -> Step:
    return Step(1, command, output, (0, 0))


def test_walker__step__shows_all_that_is_printed_and_how_it_ended(walker):
    assert walker.run(step("echo a; echo b >&2; exit 3")) == "a\nb\n(exit code 3)\n"
    assert walker.run(step("false; echo never")) == "(nothing)\n(exit code 1)\n"
    assert walker.run(step("false | cat; echo $undefined")).endswith("(exit code 1)\n")
    assert walker.run(step("cat")) == "(nothing)\n"


def test_walker__folders_of_this_machine__are_shown_as_a_readers(walker):
    printed = walker.run(step("echo $HOME; pwd; echo /tmp/moorage-demo-x1/keys; readlink -f examples"))

    assert printed.splitlines() == [
        "/home/you",
        "/home/you/tour",
        "/tmp/moorage-demo/keys",
        "/home/you/moorage/examples",
    ]


def test_walker__what_only_looks__is_run_until_it_is_as_the_page_says(walker, monkeypatch):
    answers = iter(["starting\n", "running\n", "never\n"])
    monkeypatch.setattr(walker, "run", lambda step: next(answers))
    monkeypatch.setattr("tests.tour.__main__.time.sleep", lambda seconds: None)

    assert walker.run_until_same(step("moorage status", "running\n"), 60) == "running\n"


def test_walker__what_changes_something__is_run_once(walker, monkeypatch):
    answers = iter(["one\n"])
    monkeypatch.setattr(walker, "run", lambda step: next(answers))

    assert walker.run_until_same(step("moorage deploy", "other\n"), 60) == "one\n"


def test_difference__output_that_is_another__names_line_and_command():
    shown = difference(step("moorage list", "a\nb\n"), "a\nc\n")

    assert shown.startswith("tour.md, line 1: $ moorage list\n")
    assert "    -b" in shown and "    +c" in shown
