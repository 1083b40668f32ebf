"""What is offered for gas: from the newest blocks, in steps that nodes take as replacements, and never beyond caps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.chain.budget import Budget
from moorage.chain.fees import (
    FEE_LIMIT,
    LEAST_TIP_WEI,
    PRIORITY_FEE_WEI,
    Quote,
    affordable,
    raised,
    read_quote,
)
from moorage.chain.jobs import Cause
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.transactions import Fees
from tests.fakes.pool import Pool

GWEI = 10**9
WEI = st.integers(1, 10**15)
QUOTES = st.builds(lambda base, tip: Quote(1, 30_000_000, base, Fees(2 * base + tip, tip)), WEI, WEI)


async def test_quote__blocks_with_tips__takes_their_median_and_room_for_a_doubling() -> None:
    pool = Pool(base_fee=7 * GWEI, tips=[0, 3 * GWEI, 2 * GWEI, 9 * GWEI, 0])

    quote = await read_quote(pool.rpc)

    assert quote == Quote(0, 30_000_000, 7 * GWEI, Fees(17 * GWEI, 3 * GWEI))
    assert quote.need_wei == 10 * GWEI


@pytest.mark.parametrize(
    ("base", "tips", "tip"),
    [(10 * GWEI, [0, 0], PRIORITY_FEE_WEI), (5, [0], LEAST_TIP_WEI), (10 * GWEI, [1], LEAST_TIP_WEI)],
    ids=["empty blocks", "empty blocks of a cheap chain", "tips next to nothing"],
)
async def test_quote__nothing_to_learn_from_tips__stays_modest(base: int, tips: list[int], tip: int) -> None:
    assert (await read_quote(Pool(base_fee=base, tips=tips).rpc)).fees == Fees(2 * base + tip, tip)


async def test_g28_quote__node_without_fee_history__tips_as_usual() -> None:
    quote = await read_quote(Pool(base_fee=7 * GWEI, hidden={"eth_feeHistory"}).rpc)

    assert quote.fees == Fees(15 * GWEI, PRIORITY_FEE_WEI)


@pytest.mark.parametrize("answer", [None, {}, {"reward": None, "gasUsedRatio": [1]}, {"reward": [["x"]]}, "nonsense"])
async def test_g28_quote__fee_history_is_nonsense__tips_as_usual(answer: object) -> None:
    pool = Pool(base_fee=7 * GWEI)
    pool.eth_feeHistory = lambda *_: answer  # type: ignore[method-assign,assignment,return-value]

    assert (await read_quote(pool.rpc)).fees == Fees(15 * GWEI, PRIORITY_FEE_WEI)


async def test_g28_quote__chain_without_base_fees__offers_its_gas_price() -> None:
    quote = await read_quote(Pool(base_fee=7 * GWEI, is_legacy=True).rpc)

    assert quote == Quote(0, 30_000_000, 7 * GWEI, Fees(7 * GWEI, None))


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_gasPrice"])
async def test_g12_quote__no_answer__is_none(method: str) -> None:
    with pytest.raises(NodeUnavailable):
        await read_quote(Pool(is_legacy=True, hidden={method}).rpc)


@given(st.builds(lambda most, tip: Fees(most + tip, tip), WEI, WEI), QUOTES, st.one_of(st.none(), WEI))
def test_g03_raised__any_fees__grow_by_an_eighth_within_all_caps(old: Fees, quote: Quote, most: int | None) -> None:
    new = raised(old, quote, most, FEE_LIMIT)

    if new is None:
        return
    assert old.tip_wei is not None and new.tip_wei is not None and quote.fees.tip_wei is not None
    assert new.max_wei * 8 >= old.max_wei * 9 and new.tip_wei * 8 >= old.tip_wei * 9
    assert new.tip_wei <= new.max_wei <= FEE_LIMIT * quote.fees.max_wei
    assert new.tip_wei <= FEE_LIMIT * quote.fees.tip_wei or old.max_wei < quote.base_wei
    assert most is None or new.max_wei <= most


def test_d02_g27_raised__tip_of_livelier_days_and_below_the_base_fee__is_raised_all_the_same() -> None:
    quiet = Quote(1, 30_000_000, 5 * GWEI, Fees(10 * GWEI + 10**6, 10**6))
    step = GWEI * 9 // 8

    assert raised(Fees(GWEI, GWEI), quiet, None, FEE_LIMIT) == Fees(quiet.fees.max_wei, step)
    assert raised(Fees(5 * GWEI, GWEI), quiet, None, FEE_LIMIT) is None  # it gets in, sooner or later
    assert raised(Fees(GWEI, GWEI), quiet, step, FEE_LIMIT) == Fees(step, step)
    assert raised(Fees(GWEI, GWEI), quiet, step - 1, FEE_LIMIT) is None


@pytest.mark.parametrize(
    ("old", "most", "new"),
    [
        (Fees(16, 8), None, Fees(300, 100)),
        (Fees(801, 81), None, Fees(902, 100)),
        (Fees(801, 801), None, Fees(902, 902)),
        (Fees(2_400, 800), None, Fees(2_700, 900)),
        (Fees(2_680, 800), None, None),
        (Fees(300, 900), None, None),
        (Fees(80, 40), 90, Fees(90, 90)),
        (Fees(80, 40), 89, None),
        (Fees(80, None), None, None),
    ],
)
def test_g27_raised__at_the_edges__takes_the_quote_the_step_or_nothing(
    old: Fees, most: int | None, new: Fees | None
) -> None:
    if old.tip_wei is None:
        assert raised(old, Quote(1, 10**7, 100, Fees(100, None)), None, 10) == Fees(100, None)
    else:
        assert raised(old, Quote(1, 10**7, 100, Fees(300, 100)), most, 10) == new


@pytest.mark.parametrize(
    ("most", "fees"),
    [
        (None, Fees(300, 50)),
        (300, Fees(300, 50)),
        (299, Fees(299, 50)),
        (125, Fees(125, 50)),
        (124, None),
    ],
)
def test_affordable__under_a_limit__is_lower_as_long_as_a_block_takes_it(most: int | None, fees: Fees | None) -> None:
    assert affordable(Quote(1, 10**7, 125, Fees(300, 50)), most) == fees


def test_d03_budget__runs_out__keeps_more_the_less_urgent_it_is() -> None:
    budget = Budget(coin_wei=1_000, today_wei=None, reserve_wei=300)

    assert budget.take(101, priority=3) is Cause.NO_COIN
    assert budget.take(100, priority=3) is None
    assert budget.take(301, priority=2) is Cause.NO_COIN
    assert budget.take(600, priority=1) is None
    assert budget.take(1, priority=1) is Cause.NO_COIN
    assert budget.take(300, priority=0) is None
    assert budget.take(1, priority=0) is Cause.NO_COIN


def test_g27_budget__spending_cap_of_the_day__binds_before_the_coin_does() -> None:
    budget = Budget(coin_wei=1_000, today_wei=500, reserve_wei=0)

    assert budget.take(500) is None
    assert budget.take(1) is Cause.SPENDING_CAP
    assert budget.left_wei() == 0
