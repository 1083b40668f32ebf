"""How each state of an order is reached: two providers have bid, and the first of them has won."""

from __future__ import annotations

from collections.abc import Callable

from tests.adversaries.cast import (
    FACILITATOR,
    GRACE,
    GROUP,
    OWNER,
    PERIOD,
    PERSISTENT,
    PRICE,
    PROVIDER,
    SECOND_PROVIDER,
    TENANT,
    WAIT,
)
from tests.adversaries.programs import order, play, service
from tests.adversaries.stage import Stage
from tests.stateful.model import Group, Terms

Reach = Callable[[Stage], Terms]


def without_bids(stage: Stage, group: Group = GROUP) -> Terms:
    return order(stage, group, periods=3)


def with_bids(stage: Stage, group: Group = GROUP) -> Terms:
    terms = without_bids(stage, group)
    stage.submit_fulfillment(PROVIDER, terms, PRICE - 1)
    stage.submit_fulfillment(SECOND_PROVIDER, terms, PRICE)
    return terms


def with_binding_bids(stage: Stage) -> Terms:
    terms = with_bids(stage)
    stage.pass_blocks(WAIT // 2 + 1)
    return terms


def overdue(stage: Stage) -> Terms:
    terms = with_bids(stage)
    stage.pass_blocks(10 * WAIT)
    return terms


def order_closed(stage: Stage) -> Terms:
    terms = with_bids(stage)
    stage.close_deployment(TENANT, terms.deployment)
    return terms


def awaiting(stage: Stage, group: Group = GROUP) -> Terms:
    terms = with_bids(stage, group)
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, [terms])
    return terms


def confirmed(stage: Stage, group: Group = GROUP) -> Terms:
    terms = awaiting(stage, group)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.pass_blocks(PERIOD // 2)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.pass_blocks(1)
    return terms


def exhausted(stage: Stage) -> Terms:
    terms = confirmed(stage)
    play(stage, service(stage, PROVIDER), until=stage.lease(terms).funded)
    return terms


def exhausted_long_ago(stage: Stage) -> Terms:
    terms = exhausted(stage)
    stage.pass_blocks(10 * PERIOD)
    return terms


def revived(stage: Stage) -> Terms:
    terms = exhausted(stage)
    stage.fund(TENANT, terms, 2 * PERIOD)
    return terms


def silent(stage: Stage) -> Terms:
    terms = confirmed(stage)
    stage.pass_blocks(PERIOD)
    return terms


def never_confirmed(stage: Stage) -> Terms:
    terms = awaiting(stage)
    stage.pass_blocks(PERIOD + 1)
    return terms


def stale(stage: Stage) -> Terms:
    terms = silent(stage)
    stage.submit_stale_lease(FACILITATOR, [terms])
    return terms


def replaced(stage: Stage) -> Terms:
    terms = confirmed(stage, PERSISTENT)
    stage.pass_blocks(PERIOD)
    stage.submit_stale_lease(FACILITATOR, [terms])
    stage.submit_fulfillment(SECOND_PROVIDER, stage.renewed(terms), PRICE)
    return terms


def closing(stage: Stage) -> Terms:
    terms = confirmed(stage)
    stage.close_deployment(TENANT, terms.deployment)
    return terms


def closing_long_ago(stage: Stage) -> Terms:
    terms = closing(stage)
    stage.pass_blocks(10 * GRACE)
    return terms


def closed(stage: Stage) -> Terms:
    terms = closing(stage)
    stage.confirm_closed(PROVIDER, [terms])
    return terms


def left_out_of_the_closing(stage: Stage) -> Terms:
    terms = confirmed(stage)
    stage.close_deployment(TENANT, terms.deployment, [])
    return terms


def deregistered(stage: Stage) -> Terms:
    terms = confirmed(stage)
    stage.model.providers[PROVIDER].region = 0
    assert stage.market.send(stage.market.registry, "deregister_provider", OWNER, PROVIDER) is None
    return terms


def above_a_lowered_cap(stage: Stage) -> Terms:
    terms = confirmed(stage)
    stage.set_collateral_cap(PROVIDER, 0)
    return terms


OPEN = [without_bids, with_bids, with_binding_bids, overdue]
MISSED = [silent, never_confirmed, stale, replaced]
OTHERS = [order_closed, awaiting, confirmed, exhausted, exhausted_long_ago, revived, closing, closing_long_ago, closed]
OTHERS += [left_out_of_the_closing, deregistered, above_a_lowered_cap]
