"""Every transaction of the exchange, in the ways in which a state may answer it differently."""

from __future__ import annotations

from tests.matrices.cast import (
    EVERYTHING,
    FACILITATOR,
    LOSER,
    NEW_BIDDER,
    OPERATOR,
    OTHER_OPERATOR,
    OWNER,
    STRANGER,
    TENANT,
    THIRD,
    WINNER,
)
from tests.matrices.pair import Call, Pair, call
from tests.stateful.evm import NO_SIGNATURE
from tests.stateful.model import Group, Terms


def calls(pair: Pair, terms: Terms) -> list[Call]:
    """Return all calls about an order and its deployment, each by somebody who may send it if anybody may."""
    return [*_about_money(), *_about_the_deployment(pair, terms), *_about_bids(terms), *_about_the_lease(pair, terms)]


def _about_money() -> list[Call]:
    return [
        call("deposit", TENANT, WINNER, 5),
        call("deposit_with_permit", TENANT, TENANT, 5, *NO_SIGNATURE),
        call("withdraw", TENANT, TENANT, 5),
        call("withdraw_to", OWNER, WINNER, 5, STRANGER),
    ]


def _about_the_deployment(pair: Pair, terms: Terms) -> list[Call]:
    name, wait_duration, group = terms.deployment, terms.wait_duration, terms.group
    deposit = pair.model.minimum_deposit(group)

    def update(what: str, version: int, groups: list[Group], removed: list[Terms]) -> Call:
        deposits = [deposit] * len(groups)
        return call("update_deployment", TENANT, name, version, groups, deposits, removed, what=what)

    return [
        call("submit_deployment", TENANT, name.salt, 1, wait_duration, [group], [deposit]),
        update("version", 2, [], []),
        update("without this", 0, [], [terms]),
        update("another for this", 2, [group], [terms, terms]),
        call("close_deployment", TENANT, name, [terms]),
        call("close_deployment", TENANT, name, [], what="nothing listed"),
        call("close_deployment", TENANT, name, [terms, terms._replace(nonce=terms)], what="with what replaces this"),
        call("deployment_closed", FACILITATOR, [name, name]),
        call("set_manager", TENANT, name, STRANGER, EVERYTHING, pair.model.block + 1, 10**12),
    ]


def _about_bids(terms: Terms) -> list[Call]:
    (unit,) = terms.group.resources
    below = [unit.price - 100]
    return [
        call("submit_fulfillment", OTHER_OPERATOR, NEW_BIDDER, *terms, below, 0, what="lowest"),
        call("submit_fulfillment", OTHER_OPERATOR, NEW_BIDDER, *terms, [unit.price], 0, what="dearest"),
        call("submit_fulfillment", OPERATOR, WINNER, *terms, below, 0, what="winner again"),
        call("cancel_fulfillment", OPERATOR, WINNER, terms),
        call("cancel_fulfillment", OTHER_OPERATOR, NEW_BIDDER, terms, what="no bid"),
        call("release_fulfillments", STRANGER, terms, [WINNER, LOSER, THIRD, NEW_BIDDER, LOSER]),
        call("release_fulfillments", STRANGER, terms, [WINNER], what="winner"),
    ]


def _about_the_lease(pair: Pair, terms: Terms) -> list[Call]:
    period = pair.model.parameters.period
    unknown = terms._replace(nonce=78)
    return [
        call("submit_lease", FACILITATOR, [unknown, terms, terms]),
        call("submit_lease_confirmation", OPERATOR, WINNER, [unknown, terms, terms]),
        call("submit_lease_confirmation", OTHER_OPERATOR, LOSER, [terms], what="loser"),
        call("claim", STRANGER, [unknown, terms, terms]),
        call("fund", TENANT, terms, 1, what="a block"),
        call("fund", TENANT, terms, 2 * period - 1, what="nearly two periods"),
        call("fund", TENANT, terms, 2 * period, what="two periods"),
        call("fund", TENANT, terms, 2**32 - 1, what="as many as possible"),
        call("submit_stale_lease", FACILITATOR, [unknown, terms, terms]),
        call("submit_stale_lease", OWNER, [terms], what="resignation"),
        call("submit_stale_lease", OWNER, [terms, terms], what="by its owner, not alone"),
        call("confirm_closed", OPERATOR, WINNER, [unknown, terms, terms]),
        call("confirm_closed", OTHER_OPERATOR, LOSER, [terms], what="loser"),
        call("finish_leases", FACILITATOR, [unknown, terms, terms]),
    ]
