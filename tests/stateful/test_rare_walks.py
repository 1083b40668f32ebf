"""What chance and the other walks do not meet: each walk fails for a fault that nothing else has noticed at once."""

from __future__ import annotations

from dataclasses import replace

import boa  # type: ignore[import-untyped]
import pytest

from tests.stateful.evm import address, market
from tests.stateful.model import Provider, State, Terms
from tests.stateful.settings import FACILITATOR, INTEREST, OPERATORS, OWNERS, ROOMY_BOOKS, STRANGER
from tests.stateful.test_walks import MANAGER, cancel, confirm_closed, manage, submit, update_by
from tests.stateful.walk import TENANT, VERSION, Walk, walk

COUNT_SLOT = 0
"""Of the registry: the number of the newest provider."""


@pytest.fixture(scope="session", autouse=True)
def markets() -> None:
    """Deploy before the first walk: what is deployed within a test ends with it."""
    for setting in (INTEREST, ROOMY_BOOKS):
        market(setting)


def leased(on: Walk, count: int, *, persist: bool = False) -> list[Terms]:
    """Return leases of provider 1, each of a deployment of its own, matched in the same block."""
    orders = [on.order(persist=persist) for _ in range(count)]
    for terms in orders:
        on.bid_at(1, terms, 0, 0)
    on.submit_lease(FACILITATOR, orders)
    return orders


def test_batch__what_is_not_ready_comes_first__the_rest_is_done() -> None:
    with walk(INTEREST) as on:
        first, second, third, fourth = leased(on, 4)
        operator = on.model.providers[1].operator
        on.submit_lease_confirmation(operator, 1, [second, third, fourth])
        on.set_block(on.block + 5)
        on.submit_lease_confirmation(operator, 1, [second])
        on.both("claim", STRANGER, lambda: on.model.claim(STRANGER, [first, second]), on.order_ids([first, second]))
        assert on.lease_of(second).earned == 0

        on.close(TENANT, third.deployment, [third])
        confirm_closed(on, operator, 1, [first, third])
        assert on.model.orders[third].state is State.CLOSED

        on.set_block(on.block + 6)
        on.submit_stale_lease(FACILITATOR, [second, first])
        assert [on.model.orders[terms].state for terms in (first, second)] == [State.STALE, State.ACTIVE]


def test_submission__salt_used_for_other_groups__is_refused() -> None:
    with walk(INTEREST) as on:
        group = on.group()
        other = replace(group, name=b"other".ljust(32, b"\0"))
        for groups in ([group], [other], [other, group]):
            submit(on, groups, [on.model.minimum_deposit(group) for _ in groups], salt=77)
        assert len(on.model.deployments) == 1


@pytest.mark.parametrize("given", [0, 1, 2, 3])
def test_update__as_many_deposits_as_groups_or_not__does_what_the_model_does(given: int) -> None:
    with walk(INTEREST) as on:
        group = on.group()
        deposit = on.model.minimum_deposit(group) + 1
        [terms] = on.deployment([group], [deposit], wait=5)
        update_by(on, TENANT, terms, 0, [group, group], given * [deposit], [])
        assert on.model.deployments[terms.deployment].live_groups == (3 if given == 2 else 1)


def test_update__added_group__waits_as_long_as_the_first() -> None:
    with walk(INTEREST) as on:
        group = on.group()
        deposit = on.model.minimum_deposit(group)
        [terms] = on.deployment([group], [deposit], wait=5)
        update_by(on, TENANT, terms, 0, [group], [deposit], [])
        added = terms._replace(nonce=1)
        on.bid_at(1, added, 0, 0)
        on.submit_lease(FACILITATOR, [added])
        assert on.model.orders[added].state is State.OPEN
        on.set_block(on.block + 5)
        on.submit_lease(FACILITATOR, [added])
        assert on.model.orders[added].state is State.ACTIVE


def test_stale_lease__deployment_closing_and_the_lease_not_named__is_not_renewed() -> None:
    with walk(INTEREST) as on:
        [terms] = leased(on, 1, persist=True)
        on.close(TENANT, terms.deployment, [])
        on.set_block(on.block + on.model.parameters.period + 1)
        on.submit_stale_lease(FACILITATOR, [terms])
        assert on.model.orders[terms].state is State.STALE
        assert terms._replace(nonce=terms) not in on.model.orders


def test_e01_manager__spends_nothing__no_event_tells_of_spending() -> None:
    with walk(INTEREST) as on:
        [terms] = on.deployment([on.group()], [on.model.minimum_deposit(on.group())])
        manage(on, TENANT, terms, 7, on.block + 100, 10**15)
        update_by(on, MANAGER, terms, VERSION + 1, [], [], [])
        assert len(on.market.logs) == 1


def test_c09_book__charges_that_differ_in_their_high_digits_alone__are_in_order() -> None:
    with walk(ROOMY_BOOKS) as on:
        unit = replace(on.group().resources[0], price=2**36, count=1)
        group = replace(on.group(), resources=(unit,))
        [terms] = on.deployment([group], [on.model.minimum_deposit(group)])
        charges = [2**33 + 1, 2**32 + 5, 7, 2**35, 2**32 + 6, 2**34 + 2]
        for number, charge in enumerate(charges, start=1):
            on.bid_at(number, terms, 2**36 - charge, 0)
        assert on.model.orders[terms].book == [3, 2, 5, 1, 6, 4]


@pytest.mark.parametrize("last", [1, 2, 3])
def test_book__bid_at_the_end_was_taken_back__the_one_before_it_is_evicted_next(last: int) -> None:
    with walk(INTEREST) as on:
        terms = on.order(wait=10)
        discounts = {number: 1 if number == last else 4 + number for number in (1, 2, 3)}
        for number, discount in discounts.items():
            on.bid_at(number, terms, discount, 0)
        cancel(on, on.model.providers[last].operator, last, terms)
        on.bid_at(5, terms, 9, 0)
        dearest = min(number for number in (1, 2, 3) if number != last)
        on.bid_at(last, terms, 10, 0)
        assert dearest not in on.model.orders[terms].book


def test_c09_book__providers_with_numbers_above_255__stay_linked() -> None:
    with walk(ROOMY_BOOKS) as on:
        terms = on.order(wait=10)
        for number, discount in ((1, 5), (2, 1)):
            on.bid_at(number, terms, discount, 0)
        newcomers = [provider_with_number(on, number) for number in (300, 556, 812)]
        for number, discount in zip(newcomers, (7, 3, 2), strict=True):
            on.bid_at(number, terms, discount, 0)
        assert on.model.orders[terms].book == [300, 1, 556, 812, 2]
        for number in (556, 1, 812):
            with on.branch():
                cancel(on, on.model.providers[number].operator, number, terms)
                on.bid_at(3, terms, 3, 0)
        for hint in (0, 300, 556, 812):
            with on.branch():
                on.bid_at(4, terms, 2, hint)


def provider_with_number(on: Walk, number: int) -> int:
    """Register a provider as if so many had been there before it."""
    owner, operator = OWNERS[1], OPERATORS[1]
    boa.env.set_storage(on.market.registry, COUNT_SLOT, number - 1)
    provider = Provider(owner, operator, region=1, cap=2**90 - 1)
    what = operator, provider.region, provider.cap, "https://a", "", b"certificate"
    assert on.market.send(on.market.registry, "register_provider", owner, *what) is None
    on.model.providers[number] = provider
    on.numbers = [*on.numbers, number]
    on.names[number.to_bytes(32, "big")] = ("account", number)
    amount = 10**14
    on.both("deposit", owner, lambda: on.model.deposit(owner, number, amount), address(number), amount)
    return number
