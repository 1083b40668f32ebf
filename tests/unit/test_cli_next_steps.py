"""What follows from what was agreed to: it costs no more than that did, or it is shown and asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.outgoing import Paying
from cli.output import PlainScreen
from cli.review import agree_again, agree_to_next
from cli.transacting import attempt
from moorage.chain import abi
from moorage.chain.sender import NotSent, Refused, Sent
from tests.factories.calls import make_call
from tests.fakes.node import Refusal
from tests.fakes.pool import GAS, Pool
from tests.fakes.pool_desk import pool_desk

FIRST, NEXT = make_call("Exchange", "close_deployment"), make_call("Exchange", "finish_leases")
SHOWN = "finish, where the provider has not,"
GWEI = 10**9
ACCOUNT = f"0x{abi.load('Exchange').functions['account'].selector.hex()}"


class Trying(Pool):
    """Answers what a preview reads: everybody has nothing, in the wallet and in an account's two words."""

    def _simulated(self, data: str) -> dict[str, Any]:
        words = 2 if data.startswith(ACCOUNT) else 1
        return super()._simulated(data) | {"returnData": f"0x{'00' * 32 * words}"}


@pytest.fixture
def pool() -> Pool:
    return Trying()


def agreed(desk: Desk, wei: int | None) -> Desk:
    """Have the first step agreed to, for so much gas; None: nothing was, as in a run that takes up an earlier one."""
    if wei is not None:
        desk.outgoing.shown_wei, desk.outgoing.agreed = wei, (FIRST,)
        desk.outgoing.gas_wei = 1
    return desk


async def test_j01_next_step__costs_no_more_than_was_agreed_to__is_sent_within_that(pool, tmp_path, capsys):
    desk = agreed(pool_desk(pool, tmp_path, is_agreed=False), 3 * GAS * GWEI)

    await agree_to_next(desk, NEXT)
    outcome = await attempt(desk, NEXT)

    (entry,) = pool.seen
    assert isinstance(outcome, Sent) and capsys.readouterr().err == ""
    assert entry.fields["gas"] * entry.most <= 3 * GAS * GWEI


@pytest.mark.parametrize("wei", [None, GAS * GWEI])
async def test_j01_next_step__costs_more_than_was_agreed_to__is_not_sent_unless_it_is(pool, tmp_path, wei, capsys):
    desk = agreed(pool_desk(pool, tmp_path, is_agreed=False), wei)

    with pytest.raises(Failure, match=r"Send this\? Nobody to ask: give --yes") as caught:
        await agree_to_next(desk, NEXT)
    with pytest.raises(NotSent, match="that it is worth"):
        await attempt(desk, NEXT)

    assert caught.value.status is ExitStatus.USAGE and pool.seen == []
    assert SHOWN in capsys.readouterr().err


async def test_j01_next_step__costs_more_and_is_agreed_to__is_shown_and_sent_within_that(pool, tmp_path, capsys):
    desk = agreed(pool_desk(pool, tmp_path), GAS * GWEI)

    await agree_to_next(desk, NEXT)
    shown_wei = desk.outgoing.shown_wei
    outcome = await attempt(desk, NEXT)
    told = capsys.readouterr().err
    await agree_to_next(desk, make_call("Exchange", "deployment_closed"))

    assert isinstance(outcome, Sent) and SHOWN in told
    (entry,) = pool.seen
    assert shown_wei is not None and GAS * GWEI < entry.fields["gas"] * entry.most <= shown_wei
    assert capsys.readouterr().err == "" and desk.outgoing.gas_wei == shown_wei


async def test_j01_next_step__is_what_was_agreed_to__has_what_is_left_of_it(pool, tmp_path, capsys):
    desk = agreed(pool_desk(pool, tmp_path, is_agreed=False), 3 * GAS * GWEI)

    await agree_to_next(desk, FIRST)

    assert desk.outgoing.gas_wei == 1 and pool.calls == []


async def test_next_step__somebody_else_has_done_it__is_neither_shown_nor_asked(pool, tmp_path: Path, capsys):
    desk = agreed(pool_desk(pool, tmp_path, is_agreed=False), None)
    refusal = Refusal("execution reverted: leases: not closing")
    pool.refusals[f"0x{NEXT.data.hex()}"] = refusal

    await agree_to_next(desk, NEXT)
    outcome = await attempt(desk, NEXT)

    assert isinstance(outcome, Refused) and capsys.readouterr().err == "" and pool.seen == []


class Watched(PlainScreen):
    """Knows what was written when it was paused, and until it went on."""

    def __init__(self, written: Callable[[], str]) -> None:
        self.written, self.before, self.during = written, "", ""

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.before = self.written()
        yield
        self.during = self.written()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda desk: agree_to_next(desk, NEXT), SHOWN),
        (lambda desk: agree_again(desk, Paying(5, None, ()), "it has changed"), "it has changed, so it is paid"),
    ],
)
async def test_j01_question__something_is_drawn_on_the_terminal__stands_still_meanwhile(
    pool, tmp_path, capsys, ask, words
):
    desk, screen = pool_desk(pool, tmp_path), Watched(lambda: capsys.readouterr().err)
    desk.outgoing.screen = screen

    await ask(desk)

    assert (screen.before, words in screen.during, capsys.readouterr().err) == ("", True, "")
