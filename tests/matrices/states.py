"""Every state that an order, a lease and their deployment can be in, each made by the transactions that lead there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from tests.matrices.cast import (
    FACILITATOR,
    GROUP,
    LOSER,
    ORDINARY,
    PARAMETERS,
    PRICES,
    STRANGER,
    TENANT,
    THIRD,
    UNIT,
    WINNER,
)
from tests.matrices.pair import Pair
from tests.stateful.evm import FIRST_BLOCK
from tests.stateful.model import DeploymentName, Group, Terms

WAIT = 8
PREPAID_BLOCKS = 25
NAME = DeploymentName(TENANT, 1)
POOR_UNIT = replace(UNIT, collateral=PARAMETERS.tip // 2 + 1)


class Story:
    """What happens to one order; blocks are counted from its creation."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.terms = Terms(NAME, 0, WAIT, GROUP)

    @property
    def operator(self) -> str:
        return self.pair.model.providers[WINNER].operator


Step = Callable[[Story], None]


def ordered(group: Group = GROUP) -> Step:
    def step(story: Story) -> None:
        model = story.pair.model
        story.terms = Terms(NAME, 0, WAIT, group)
        deposit = PREPAID_BLOCKS * model.max_charge(group) + model.parameters.tip
        story.pair.do("submit_deployment", TENANT, NAME.salt, 1, WAIT, [group], [deposit])

    return step


def bid(number: int) -> Step:
    def step(story: Story) -> None:
        operator, terms = story.pair.model.providers[number].operator, story.terms
        story.pair.do("submit_fulfillment", operator, number, *terms, [PRICES[number]], 0)

    return step


def at(block: int) -> Step:
    return lambda story: story.pair.set_block(FIRST_BLOCK + block)


def match(story: Story) -> None:
    story.pair.do("submit_lease", FACILITATOR, [story.terms])


def confirm(story: Story) -> None:
    story.pair.do("submit_lease_confirmation", story.operator, WINNER, [story.terms])


def claim(story: Story) -> None:
    story.pair.do("claim", STRANGER, [story.terms])


def remove(story: Story) -> None:
    story.pair.do("update_deployment", TENANT, NAME, 0, [], [], [story.terms])


def revive(story: Story) -> None:
    story.pair.do("fund", TENANT, story.terms, 2 * PARAMETERS.period)


def resign(story: Story) -> None:
    story.pair.do("submit_stale_lease", story.pair.model.providers[WINNER].owner, [story.terms])


def call_stale(story: Story) -> None:
    story.pair.do("submit_stale_lease", FACILITATOR, [story.terms])


def confirm_closed(story: Story) -> None:
    story.pair.do("confirm_closed", story.operator, WINNER, [story.terms])


def finish(story: Story) -> None:
    story.pair.do("finish_leases", FACILITATOR, [story.terms])


def look_at_replacing(story: Story) -> None:
    story.terms = story.terms._replace(nonce=story.terms)


def look_at_unknown(story: Story) -> None:
    story.terms = story.terms._replace(nonce=77)


def leave(story: Story) -> None:
    story.pair.do("close_deployment", TENANT, NAME, [])


def end_deployment(story: Story) -> None:
    story.pair.do("deployment_closed", FACILITATOR, [NAME])


BIDS = [ordered(), bid(WINNER), bid(LOSER)]
FULL = [*BIDS, bid(THIRD)]
MATCHED = [*BIDS, at(8), match]  # deadline 18
CONFIRMED = [*MATCHED, at(10), confirm]  # deadline 20, funded 35
EARNING = [*CONFIRMED, at(18), confirm]  # deadline 28
ENDING = [*EARNING, at(27), confirm]  # deadline 37
LATE = [*EARNING, at(28), confirm, at(33), confirm]  # deadline 43, the first block after the grace
SETTLED = [*ENDING, at(35), confirm]
PERSIST = [ordered(replace(GROUP, persist=True)), bid(WINNER), bid(LOSER), at(8), match]
PERSIST_LATE = [*PERSIST, at(10), confirm, at(18), confirm, at(29)]
PERSIST_POOR = [ordered(replace(GROUP, persist=True, resources=(POOR_UNIT,))), bid(WINNER), at(8), match]
STALE_POOR = [*PERSIST_POOR, at(10), confirm, at(18), confirm, at(29)]

STORIES: dict[str, Sequence[Step]] = {
    "unknown deployment": [],
    "unknown order": [ordered(), look_at_unknown],
    "open": [ordered()],
    "open, at its match block": [ordered(), at(8)],
    "open, bids": BIDS,
    "open, bids, last block to cancel": [*BIDS, at(4)],
    "open, bids, binding": [*BIDS, at(5)],
    "open, bids, before its match block": [*BIDS, at(7)],
    "open, bids, at its match block": [*BIDS, at(8)],
    "open, full": FULL,
    "open, full, at its match block": [*FULL, at(8)],
    "open, replacing": [*PERSIST_LATE, call_stale, look_at_replacing],
    "order closed": [ordered(), remove],
    "order closed, losers": [*BIDS, remove],
    "awaiting": MATCHED,
    "awaiting, at its deadline": [*MATCHED, at(18)],
    "awaiting, stale": [*MATCHED, at(19)],
    "awaiting, stale, persist": [*PERSIST, at(19)],
    "confirmed": CONFIRMED,
    "confirmed, earning": EARNING,
    "confirmed, claimed": [*EARNING, claim],
    "confirmed, at its deadline": [*EARNING, at(28)],
    "stale-able": [*EARNING, at(29)],
    "stale-able, long after": [*EARNING, at(1_000)],
    "stale-able, persist": PERSIST_LATE,
    "stale-able, persist, poor": STALE_POOR,
    "stale-able, deadline before the end": [*CONFIRMED, at(16), confirm, at(24), confirm, at(35)],
    "not stale, deadline at the end": [*CONFIRMED, at(16), confirm, at(25), confirm, at(36)],
    "last funded block": [*ENDING, at(34)],
    "exhausted": [*ENDING, at(35)],
    "exhausted, at its deadline": [*ENDING, at(37)],
    "exhausted, after its deadline": [*ENDING, at(38)],
    "exhausted, confirmed": SETTLED,
    "exhausted, confirmed, claimed": [*SETTLED, claim],
    "exhausted, last block of the grace": [*ENDING, at(42)],
    "exhausted, after the grace": [*ENDING, at(43)],
    "exhausted, after the grace, at its deadline": [*LATE, at(43)],
    "exhausted, after the grace, confirmed": [*SETTLED, at(43)],
    "revived": [*ENDING, at(38), revive],
    "revived, stale": [*ENDING, at(38), revive, at(49)],
    "closing": [*EARNING, at(22), remove],
    "closing, was awaiting": [*MATCHED, at(12), remove],
    "closing, was exhausted": [*ENDING, at(38), remove],
    "closing, claimed": [*EARNING, at(22), remove, claim],
    "closing, last block of the grace": [*EARNING, at(22), remove, at(29)],
    "closing, after the grace": [*EARNING, at(22), remove, at(30)],
    "stale": [*EARNING, at(29), call_stale],
    "stale, claimed already": [*EARNING, claim, at(29), call_stale],
    "stale, claimed since": [*EARNING, at(29), call_stale, claim],
    "stale, never confirmed": [*MATCHED, at(19), call_stale],
    "stale, resigned": [*EARNING, resign],
    "stale, replaced": [*PERSIST_LATE, call_stale],
    "stale, not replaced": [*STALE_POOR, call_stale],
    "closed by its provider": [*EARNING, at(22), remove, confirm_closed],
    "closed by a facilitator": [*EARNING, at(22), remove, at(30), finish],
    "closed, was exhausted": [*ENDING, at(43), finish],
}
"""By name, what makes the state."""


LEFT = (
    *("unknown order", "open", "open, bids", "open, bids, at its match block", "order closed", "order closed, losers"),
    *("awaiting", "awaiting, stale", "confirmed, earning", "stale-able", "stale-able, persist", "exhausted"),
    *("exhausted, after the grace", "closing", "closing, after the grace", "stale", "closed by its provider"),
)
"""States that are also made with a closing deployment, and with a closed one if nothing of it lives any more."""


@cache
def states() -> dict[str, Sequence[Step]]:
    """Return all states of orders and leases, and with them those of deployments."""
    found = dict(STORIES)
    for name in LEFT:
        left = [*STORIES[name], leave]
        found[f"{name}; deployment closing"] = left
        pair = Pair(ORDINARY, is_model_alone=True)
        tell(pair, left)
        if pair.model.deployments[NAME].live_groups == 0:
            found[f"{name}; deployment closed"] = [*left, end_deployment]
    return found


def tell(pair: Pair, story: Sequence[Step]) -> Terms:
    """Bring a market into a state, compare all of it, and return the order that it is about."""
    told = Story(pair)
    for step in story:
        step(told)
    pair.compare()
    return told.terms
