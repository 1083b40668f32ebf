"""Calls that are right but for one thing, which no state and no other caller would make right."""

from __future__ import annotations

from dataclasses import replace

from tests.matrices.authority import ACTIVE, BIDDABLE, BIDDING, CANCELLABLE, LONG_WAIT, READY, REMOVED, RUNNING
from tests.matrices.cast import (
    ALMOST_CAPPED,
    FAR_AWAY,
    GROUP,
    LOSER,
    NEW_BIDDER,
    OPERATOR,
    OTHER_OPERATOR,
    POOR,
    STRANGER,
    TENANT,
    UNIT,
    WINNER,
)
from tests.matrices.pair import Call, Pair, call
from tests.stateful.model import Group, Resource, Terms


def faults(pair: Pair) -> list[Call]:
    """Return them for the market in which everything can be acted on."""
    deposit = pair.model.minimum_deposit(GROUP)
    below = [UNIT.price - 1]
    another = replace(GROUP, name=b"another".ljust(32))

    def submit(what: str, groups: list[Group], deposits: list[int], *, version: int = 1, wait: int = 1) -> Call:
        return call("submit_deployment", TENANT, 9, version, wait, groups, deposits, what=what)

    def with_unit(what: str, *units: Resource) -> Call:
        return submit(what, [replace(GROUP, resources=units)], [2**80])

    def update(what: str, groups: list[Group], deposits: list[int], removed: list[Terms]) -> Call:
        return call("update_deployment", TENANT, RUNNING, 0, groups, deposits, removed, what=what)

    def bid(what: str, number: int, prices: list[int], order: Terms = BIDDABLE, caller: str = OTHER_OPERATOR) -> Call:
        return call("submit_fulfillment", caller, number, *order, prices, 0, what=what)

    return [
        call("deposit", TENANT, 99, 5, what="to no provider"),
        call("deposit", TENANT, TENANT, 10**18, what="more than there is"),
        call("withdraw", TENANT, TENANT, 10**18, what="more than there is"),
        call("withdraw_to", TENANT, TENANT, 5, pair.exchange, what="to the exchange"),
        submit("no version", [GROUP], [deposit], version=0),
        submit("no groups", [], []),
        submit("no deposits", [GROUP], []),
        submit("two deposits", [GROUP], [deposit, deposit]),
        submit("deposit too small", [GROUP], [deposit - 1]),
        submit("second too small", [GROUP, GROUP], [deposit, deposit - 1]),
        submit("too dear for its tenant", [GROUP], [10**17]),
        with_unit("no resources"),
        with_unit("second without count", UNIT, replace(UNIT, count=0)),
        with_unit("no collateral", replace(UNIT, collateral=0)),
        with_unit("too much collateral", replace(UNIT, count=2**32 - 1, collateral=2**95)),
        with_unit("too much of two", *2 * (replace(UNIT, count=1, collateral=2**95),)),
        with_unit("too dear together", *2 * (replace(UNIT, count=1, price=2**79),)),
        update("nothing", [], [], []),
        update("no deposits", [GROUP], [], []),
        update("too many groups", 4 * [another], 4 * [deposit], []),
        update("of another", [], [], [READY, REMOVED]),
        call("close_deployment", TENANT, BIDDING, [CANCELLABLE, ACTIVE], what="of another"),
        bid("two prices", WINNER, 2 * below, caller=OPERATOR),
        bid("no prices", WINNER, [], caller=OPERATOR),
        bid("too dear", WINNER, [UNIT.price + 1], caller=OPERATOR),
        bid("again", LOSER, below),
        bid("far away", FAR_AWAY, below),
        bid("above its cap", ALMOST_CAPPED, below),
        bid("without funds", POOR, below),
        bid("for somebody else", WINNER, below),
        bid("for nobody", 99, below),
        bid("another wait", NEW_BIDDER, below, BIDDABLE._replace(wait_duration=LONG_WAIT + 1)),
        bid("another group", NEW_BIDDER, below, BIDDABLE._replace(group=another)),
        call("cancel_fulfillment", OTHER_OPERATOR, NEW_BIDDER, CANCELLABLE, what="no bid"),
        call("release_fulfillments", STRANGER, ACTIVE, [WINNER, NEW_BIDDER, 99], what="no loser"),
        call("submit_lease_confirmation", OTHER_OPERATOR, LOSER, [ACTIVE], what="of another"),
        call("fund", TENANT, ACTIVE, 10**7, what="more than there is"),
        call("fund", TENANT, ACTIVE, 0, what="no blocks"),
    ]
