"""Each transaction just before, at and just after each height that matters to it, and limits that chance seldom meets.

The model says what has to happen; the walks see to it that it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import boa  # type: ignore[import-untyped]
import pytest

from tests.adversaries.gas_meter import metered
from tests.stateful.evm import ZERO_ADDRESS, market, word, words_of
from tests.stateful.model import MAX_BLOCKS, NOBODY, Group, State, Terms
from tests.stateful.settings import (
    FACILITATOR,
    FREE_CRANKS,
    INTEREST,
    MANAGERS,
    ONE_BID,
    OPERATORS,
    OWNERS,
    ROLES,
    ROOMY_BOOKS,
    SIX_DECIMALS,
    STRANGER,
    TENANTS,
    WHALE,
)
from tests.stateful.walk import TENANT, VERSION, Walk, walk

SETTINGS = (INTEREST, FREE_CRANKS, SIX_DECIMALS, ONE_BID)
MANAGER = MANAGERS[0]


@pytest.fixture(scope="session", autouse=True)
def markets() -> None:
    """Deploy before the first walk: what is deployed within a test ends with it."""
    for setting in (*SETTINGS, ROOMY_BOOKS):
        market(setting)


def test_batch__some_ready_and_some_not__acts_on_the_ready_ones() -> None:
    with walk(INTEREST) as on:
        orders = [on.order(wait=wait) for wait in (0, 5, 0, 0)]
        for terms in (orders[0], orders[1], orders[3]):
            on.bid_at(1, terms, 0, 0)
        on.submit_lease(FACILITATOR, [orders[2], orders[1], orders[0], orders[0], orders[3]])
        on.set_block(on.block + 5)
        on.submit_lease(FACILITATOR, orders)
        operator = on.model.providers[1].operator
        on.submit_lease_confirmation(operator, 1, [orders[2], orders[3], orders[3], orders[1]])
        on.set_block(on.block + 7)
        on.submit_stale_lease(OWNERS[0], [orders[1], orders[3]])
        on.submit_stale_lease(OWNERS[0], [orders[2], orders[0], orders[0], orders[1]])
        on.close(TENANT, orders[3].deployment, [orders[3]])
        on.set_block(on.block + on.model.parameters.grace + 1)
        on.finish_leases(FACILITATOR, [orders[1], orders[3], orders[2], orders[3]])
        on.close(TENANT, orders[0].deployment, [])
        on.all_closed(FACILITATOR, [orders[1].deployment, *[terms.deployment for terms in orders]])
        states = [on.model.orders[terms].state for terms in orders]
        assert states == [State.STALE, State.ACTIVE, State.OPEN, State.CLOSED]


# ------------------------------------------------------------------ leases


def awaiting(on: Walk, *, persist: bool = False) -> Terms:
    terms = on.order(blocks=2 * on.model.parameters.period + 3, persist=persist, extra=5)
    for number, discount in ((3, 1), (1, 2)):
        on.bid_at(number, terms, discount, 0)
    on.match_now(terms)
    return terms


def running(on: Walk) -> Terms:
    """Return a lease that has earned something, and has claimed some of it."""
    terms = awaiting(on)
    on.set_block(on.block + 2)
    on.confirm_now(terms)
    for blocks in (2, 1):
        on.set_block(on.block + blocks)
        on.confirm_now(terms)
        if blocks == 2:
            on.both("claim", STRANGER, lambda: on.model.claim(STRANGER, [terms]), on.order_ids([terms]))
    return terms


def near_its_end(on: Walk, before: int) -> Terms:
    """Return a lease that was last confirmed so many blocks before its funds end."""
    terms = running(on)
    lease, period = on.lease_of(terms), on.model.parameters.period
    while lease.confirmed < lease.funded - before:
        on.set_block(min(lease.confirmed + period, lease.funded - before))
        on.confirm_now(terms)
    return terms


def closing(on: Walk, terms: Terms) -> Terms:
    on.close(TENANT, terms.deployment, [terms])
    return terms


CONDITIONS: dict[str, Callable[[Walk], Terms]] = {
    "awaiting": awaiting,
    "awaiting, with persist": lambda on: awaiting(on, persist=True),
    "running": running,
    "confirmed to its end": lambda on: near_its_end(on, 0),
    "confirmed to one block before its end": lambda on: near_its_end(on, 1),
    "deadline at the end of its funds": lambda on: near_its_end(on, on.model.parameters.period),
    "deadline one block before the end of its funds": lambda on: near_its_end(on, on.model.parameters.period + 1),
    "closing": lambda on: closing(on, running(on)),
    "closing, never confirmed": lambda on: closing(on, awaiting(on)),
    "closing at its end": lambda on: closing(on, near_its_end(on, 0)),
}


@pytest.mark.parametrize("offset", [-1, 0, 1, 2, 2**32])
def test_match__prepaid_for_about_the_most_blocks__refunds_what_is_more(offset: int) -> None:
    with walk(ONE_BID) as on:
        cheap = replace(on.group().resources[0], price=3, collateral=10**10, count=1)
        group = replace(on.group(), resources=(cheap,))
        for charge in (1, 2, 3):
            tip = on.model.parameters.tip
            [terms] = on.deployment([group], [MAX_BLOCKS * charge + tip + offset])
            on.bid_at(1, terms, 3 - charge, 0)
            on.match_now(terms)
            on.fund_with(TENANT, terms, 1)


def test_lease__funded_to_the_most_blocks__takes_not_one_more() -> None:
    with walk(ONE_BID) as on:
        cheap = replace(on.group().resources[0], price=1, collateral=10**10, count=1)
        group = replace(on.group(), resources=(cheap,))
        [terms] = on.deployment([group], [on.model.minimum_deposit(group)])
        on.bid_at(1, terms, 0, 0)
        lease = on.match_now(terms)
        left = MAX_BLOCKS - (lease.funded - lease.confirmed)
        for blocks in (left + 1, MAX_BLOCKS + 1, 0, left, 1):
            on.fund_with(TENANT, terms, blocks)
        assert lease.funded - lease.confirmed == MAX_BLOCKS


# ------------------------------------------------------------------ orders and bids


@pytest.mark.parametrize("wait", [0, 1, 6, 7])
def test_order__match_and_cancel_around_their_heights__do_what_the_model_does(wait: int) -> None:
    with walk(INTEREST) as on:
        terms, empty = on.order(wait=wait), on.order(wait=wait)
        on.bid_at(1, terms, 0, 0)
        for height in range(on.block, on.block + wait + 2):
            on.set_block(height)
            passed = height - (on.model.orders[terms].match_block - wait)
            with on.branch():
                on.submit_lease(FACILITATOR, [empty, terms, terms])
                assert (on.model.orders[terms].state == State.ACTIVE) == (passed >= wait)
                assert on.model.orders[empty].state == State.OPEN
            with on.branch():
                operator = on.model.providers[1].operator
                on.both(
                    "cancel_fulfillment",
                    operator,
                    lambda operator=operator: on.model.cancel_fulfillment(operator, 1, terms),  # type: ignore[misc]
                    *(1, on.ids.key(terms)),
                )
                assert (on.model.orders[terms].book == []) == (passed <= wait // 2)


def test_c09_book__every_hint__keeps_the_order_of_charges_and_arrival() -> None:
    with walk(ROOMY_BOOKS) as on:
        terms = on.order()
        for number, discount in enumerate([5, 9, 5, 0, 9, 2], start=1):
            on.bid_at(number, terms, discount, 0)
        behind = {10: [7, 2, 5, 1, 3, 6, 4], 7: [2, 5, 7, 1, 3, 6, 4], 5: [2, 5, 1, 3, 7, 6, 4]}
        for discount in behind:
            for hint in (*range(8), 99, 2**32 + 1, 1 << 176):
                with on.branch():
                    on.bid_at(7, terms, discount, hint)
                    assert on.model.orders[terms].book == behind[discount]


def test_c04_hint__right__costs_as_much_in_a_long_book_and_less_than_a_wrong_one() -> None:
    with walk(ROOMY_BOOKS) as on:
        terms = on.order()
        at_the_end, between, wrong = [], [], []
        on.bid_at(1, terms, 9, 0)
        for number in range(2, 8):
            at_the_end.append(gas_of_bid(on, number, terms, 10 - number, number - 1))
            wrong.append(gas_of_bid(on, number, terms, 10 - number, number))  # itself, who has not bid yet
            on.bid_at(number, terms, 10 - number, number - 1)
            between.append(gas_of_bid(on, 8, terms, 11 - number, number - 1))
        for right in (at_the_end, between):
            assert max(right) <= 1.01 * min(right)
        assert all(first < second for first, second in pairwise(wrong))
        assert max(at_the_end) < min(wrong)


def gas_of_bid(on: Walk, number: int, terms: Terms, discount: int, hint: int) -> int:
    """Return what a bid costs, which is not left in the book."""
    prices = [unit.price - discount for unit in terms.group.resources]
    named = on.ids.deployment(terms.deployment), on.ids.nonce(terms.nonce), terms.wait_duration
    what = number, *named, words_of(terms.group), prices, hint
    with on.branch(), metered() as spent:
        on.market.execute(on.market.exchange, "submit_fulfillment", on.model.providers[number].operator, *what)
    return spent[0]


@pytest.mark.parametrize("leaving", range(1, 7))
def test_book__each_place_left_and_taken_again__stays_linked(leaving: int) -> None:
    with walk(ROOMY_BOOKS) as on:
        terms = on.order(wait=10)
        for number, discount in enumerate([5, 9, 5, 0, 9, 2], start=1):
            on.bid_at(number, terms, discount, 0)
        operator = on.model.providers[leaving].operator

        def expected() -> None:
            on.model.cancel_fulfillment(operator, leaving, terms)

        on.both("cancel_fulfillment", operator, expected, leaving, on.ids.key(terms))
        for number, discount in ((leaving, 6), (7, 1), (8, 10)):
            on.bid_at(number, terms, discount, leaving)


def test_bid__funds_and_cap_at_their_limits__does_what_the_model_does() -> None:
    with walk(INTEREST) as on:
        terms = on.order(wait=4)
        collateral = on.model.collateral(terms.group)
        owner = on.model.providers[3].owner
        on.bid_at(3, on.order(wait=4), 0, 0)
        for rest in (collateral - 1, collateral, collateral + 1):
            with on.branch():
                on.withdraw(owner, 3, on.model.balance(3).available - rest)
                on.bid_at(3, terms, 0, 0)
        for offset in (-1, 0, 1):
            with on.branch():
                cap = on.model.balance(3).committed + collateral + offset
                on.model.providers[3].cap = cap
                on.registry("set_collateral_cap", owner, 3, cap)
                on.bid_at(3, terms, 0, 0)


def test_bid__wrong_in_one_thing__does_what_the_model_does() -> None:
    with walk(INTEREST) as on:
        terms = on.order(wait=4)
        on.bid_at(2, terms, 0, 0)
        for prices in ([1, 1, 1], [1], [], [0, 0], [10**9 + 8, 1], [1, 10**9 + 1], [10**9 + 7, 10**9]):
            for number, caller in ((1, on.model.providers[1].operator), (1, STRANGER), (2, OWNERS[0]), (99, STRANGER)):
                with on.branch():
                    bid_with(on, caller, number, terms, prices)
        for number in (2, 4):  # has bid already, and in another region
            bid_with(on, on.model.providers[number].operator, number, terms, [1, 1])
        for _ in range(60):
            with on.branch():
                other = terms._replace(group=on.bad_group(terms.group))
                bid_with(on, on.model.providers[1].operator, 1, other, [1 for _ in other.group.resources])


def bid_with(on: Walk, caller: str, number: int, terms: Terms, prices: list[int]) -> None:
    def expected() -> None:
        on.model.submit_fulfillment(caller, number, terms, prices)

    named = on.ids.deployment(terms.deployment), on.ids.nonce(terms.nonce), terms.wait_duration
    on.both("submit_fulfillment", caller, expected, number, *named, words_of(terms.group), prices, 0)


def test_submission__numbers_at_their_limits_and_wrong_groups__does_what_the_model_does() -> None:
    with walk(INTEREST) as on:
        group, tip = on.group(), on.model.parameters.tip
        least = on.model.minimum_deposit(group)
        for deposit in (0, least - 1, least, 2**96 - 1, 2**96, 2**255):
            submit(on, [group], [deposit])
        for salt, version, wait in ((1, 1, 0), (90, 0, 0), (91, 1, 2**32), (92, 1, 2**32 - 1)):
            submit(on, [group], [least], salt, version, wait)
        for groups, deposits in (([], []), ([group], []), ([group], [least, least]), ([group, group], [least, least])):
            submit(on, groups, deposits)
        for rest in (-1, 0, 1):
            with on.branch():
                on.withdraw(TENANT, TENANT, on.model.balance(TENANT).available - (2 * least + 3 * tip + rest))
                submit(on, [group, group], [least, least])
        for _ in range(90):
            with on.branch():
                bad = on.bad_group(group)
                submit(on, [bad], [on.model.minimum_deposit(bad)])


def submit(
    on: Walk, groups: list[Group], deposits: list[int], salt: int = 0, version: int = VERSION, wait: int = 0
) -> None:
    on.deployment_count += 1
    salt = salt or on.deployment_count

    def expected() -> None:
        on.model.submit_deployment(TENANT, salt, version, wait, groups, deposits)

    what = word(salt), word(version), wait, [words_of(group) for group in groups], deposits
    on.both("submit_deployment", TENANT, expected, *what)


def test_book__full__evicts_the_dearest_for_a_lower_bid_alone() -> None:
    with walk(INTEREST) as on:
        terms = on.order(wait=4)
        for number, discount in ((1, 3), (2, 5), (3, 3)):
            on.bid_at(number, terms, discount, 0)
        books = {2: [2, 1, 3], 3: [2, 1, 3], 4: [2, 5, 1], 6: [5, 2, 1]}
        for discount in books:
            for hint in (0, 1, 2, 3):
                with on.branch():
                    on.bid_at(5, terms, discount, hint)
                    assert on.model.orders[terms].book == books[discount]
        on.bid_at(4, terms, 9, 0)  # in another region
        on.set_block(on.block + 4)
        on.submit_lease(FACILITATOR, [terms])
        for numbers in ([2], [9, 1, 1, 2, 0], [3]):
            on.release(STRANGER, terms, numbers)


# ------------------------------------------------------------------ stale leases and their money


@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("rest", [0, 1, 5])
def test_b17_renewal__collateral_just_enough_or_not__does_what_the_model_does(rest: int, offset: int) -> None:
    with walk(INTEREST) as on:
        period, tip = on.model.parameters.period, on.model.parameters.tip
        unit = replace(on.group().resources[0], price=10**9, count=1, collateral=10**13)
        blocks = 2 * period - rest
        # the collateral is what is missing to the smallest deposit, its own interest included, and the two tips
        group = replace(on.group(persist=True), resources=(unit,))
        for _ in range(4):
            needed = on.model.minimum_deposit(group) - rest * on.model.max_charge(group) + tip + offset
            group = replace(group, resources=(replace(unit, collateral=needed),))
        [terms] = on.deployment([group], [on.model.minimum_deposit(group)])
        on.bid_at(1, terms, 0, 0)
        lease = on.match_now(terms)
        on.confirm_now(terms)
        while lease.confirmed - lease.claimed < blocks:
            on.set_block(on.block + min(period, blocks - (lease.confirmed - lease.claimed)))
            on.confirm_now(terms)
        on.submit_stale_lease(on.model.providers[1].owner, [terms])
        renewed = terms._replace(nonce=terms)
        assert (renewed in on.model.orders) == (offset >= 0)
        if offset >= 0:
            for number in (1, 3):
                on.bid_at(number, renewed, 0, 0)
            on.set_block(on.block + 1)
            on.submit_lease(FACILITATOR, [renewed])
            on.set_block(on.block + period + 1)
            on.submit_stale_lease(FACILITATOR, [renewed])


# ------------------------------------------------------------------ managers


@pytest.mark.parametrize("permissions", range(8))
def test_e01_e02_manager__each_permission_at_its_expiry__does_what_the_model_does(permissions: int) -> None:
    with walk(INTEREST) as on:
        order, leased, other = on.order(), running(on), on.order()
        name, group = leased.deployment, on.group()
        deposit = on.model.minimum_deposit(group)
        cost = deposit + on.model.parameters.tip
        charge = on.lease_of(leased).charge
        expiry = on.block + 3
        for deployment in {order.deployment, name}:
            arguments = MANAGER, permissions, expiry, cost

            def expected(deployment=deployment, arguments=arguments) -> None:  # type: ignore
                on.model.set_manager(TENANT, deployment, *arguments)

            on.both("set_manager", TENANT, expected, on.ids.deployment(deployment), *arguments)
        for height in (expiry, expiry + 1):
            on.set_block(height)
            updates: list[tuple[int, list, list[int], list[Terms]]] = [  # type: ignore[type-arg]
                *((1, [], [], []), (0, [], [], [leased]), (1, [], [], [leased]), (0, [], [], []), (0, [], [], [other])),
                *((0, [group], [deposit], []), (2, [group], [deposit + 1], [])),
            ]
            for update in updates:
                with on.branch():
                    update_by(on, MANAGER, leased, *update)
            for blocks in (1, cost // charge, cost // charge + 1):
                with on.branch():
                    on.fund_with(MANAGER, leased, blocks)
                    on.fund_with(MANAGER, leased, blocks)
            with on.branch():
                on.fund_with(MANAGER, order, 1)


def update_by(on: Walk, caller: str, of: Terms, version, groups, deposits, removed) -> None:  # type: ignore
    def expected() -> None:
        on.model.update_deployment(caller, of.deployment, version, groups, deposits, removed)

    encoded = [words_of(group) for group in groups]
    what = on.ids.deployment(of.deployment), word(version), encoded, deposits, on.keys(removed)
    on.both("update_deployment", caller, expected, *what)


def test_deployment__groups_up_to_the_most__counts_what_lives() -> None:
    with walk(INTEREST) as on:
        group = on.group()
        deposit = on.model.minimum_deposit(group)
        orders = on.deployment(8 * [group], 8 * [deposit])
        update_by(on, TENANT, orders[0], 0, [group], [deposit], [])
        update_by(on, TENANT, orders[0], VERSION, [group, group], 2 * [deposit], [orders[2], orders[2], orders[5]])
        for terms in orders[:2]:
            on.bid_at(1, terms, 0, 0)
        on.submit_lease(FACILITATOR, orders[:2])
        update_by(on, TENANT, orders[0], 0, [group], [deposit], [orders[0]])
        on.set_block(on.block + 1 + on.model.parameters.period)
        update_by(on, STRANGER, orders[0], 0, [], [], [orders[1]])
        assert on.model.deployments[orders[0].deployment].live_groups == 8
        update_by(on, TENANT, orders[0], 0, [group], [deposit], [orders[1]])
        assert on.model.deployments[orders[0].deployment].live_groups == 8


# ------------------------------------------------------------------ money in and out


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_money__in_and_out_at_its_limits__does_what_the_model_does(setting) -> None:  # type: ignore
    with walk(setting) as on:
        scale = on.model.parameters.scale
        room = (2**96 - 1) // scale - on.model.holdings
        for amount in (0, 2**96, room + 1, room):
            on.both("deposit", WHALE, lambda amount=amount: on.model.deposit(WHALE, WHALE, amount), WHALE, amount)  # type: ignore
        everything = on.model.balance(WHALE).available // scale
        for amount in (0, 2**96, everything + 1, everything):
            on.withdraw(WHALE, WHALE, amount)
        number = f"0x{2:040x}"
        for caller in (OWNERS[1], on.model.providers[2].operator, OWNERS[0]):
            for recipient, receiver in ((ZERO_ADDRESS, NOBODY), (on.market.exchange, NOBODY), (STRANGER, STRANGER)):

                def expected(caller=caller, receiver=receiver) -> None:  # type: ignore
                    on.model.withdraw(caller, 2, 5, receiver)

                on.both("withdraw_to", caller, expected, number, 5, recipient)
        for account in (NOBODY, 99, 1, TENANT):
            to = account if isinstance(account, str) else f"0x{account:040x}"
            for payer in (TENANTS[1], STRANGER):
                on.both(
                    "deposit", payer, lambda account=account, payer=payer: on.model.deposit(payer, account, 7), to, 7
                )  # type: ignore
        for fault in range(6):
            on.deposit_with_permit(TENANTS[1], 3, 11, fault)
        assert boa.env.evm.patch.block_number == on.block


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize("caller", [*TENANTS, MANAGER, OWNERS[0], *OPERATORS, STRANGER], ids=ROLES.get)
def test_callers__each_for_each_transaction_with_a_right__does_what_the_model_does(caller: str) -> None:
    with walk(INTEREST) as on:
        order, ended = on.order(wait=20), on.order(wait=20)
        for number in (1, 3):
            on.bid_at(number, order, 0, 0)
        active, ending = running(on), closing(on, running(on))
        on.close(TENANT, ended.deployment, [ended])
        for terms in (order, ended, active, ending):
            for number in (1, 2, 3):
                with on.branch():
                    cancel(on, caller, number, terms)
                with on.branch():
                    on.submit_lease_confirmation(caller, number, [terms, terms])
                with on.branch():
                    confirm_closed(on, caller, number, [terms, terms])
                with on.branch():
                    on.release(caller, terms, [number, number])
            for blocks in (1, 20):
                with on.branch():
                    on.fund_with(caller, terms, blocks)
            with on.branch():
                on.submit_stale_lease(caller, [terms])
            with on.branch():
                on.submit_stale_lease(caller, [active, terms])
            with on.branch():
                on.both(
                    "claim", caller, lambda terms=terms: on.model.claim(caller, 2 * [terms]), on.order_ids(2 * [terms])
                )  # type: ignore[misc]
            with on.branch():
                on.close(caller, terms.deployment, [terms])
                on.close(caller, terms.deployment, [terms])
                on.all_closed(caller, [terms.deployment, terms.deployment])
                manage(on, caller, terms, 1, 5, 5)
            with on.branch():
                update_by(on, caller, terms, VERSION, [], [], [terms])
            with on.branch():
                update_by(on, caller, terms, 0, [], [], [order])
            with on.branch():
                on.close(caller, terms.deployment, [active])
        for permissions, expires, cap in (
            (7, 2**40 - 1, 2**96 - 1),
            (7, 2**40, 1),
            (7, 1, 2**96),
            (0, 1, 1),
        ):
            with on.branch():
                manage(on, caller, order, permissions, expires, cap)
        for number in (1, 3):
            for to_other in (False, True):
                with on.branch():
                    on.withdraw(caller, number, 1, is_to_other=to_other)


def cancel(on: Walk, caller: str, number: int, terms: Terms) -> None:
    def expected() -> None:
        on.model.cancel_fulfillment(caller, number, terms)

    on.both("cancel_fulfillment", caller, expected, number, on.ids.key(terms))


def confirm_closed(on: Walk, caller: str, number: int, leases: list[Terms]) -> None:
    def expected() -> None:
        on.model.confirm_closed(caller, number, leases)

    on.both("confirm_closed", caller, expected, number, on.keys(leases))


def manage(on: Walk, caller: str, of: Terms, permissions: int, expires: int, cap: int) -> None:
    def expected() -> None:
        on.model.set_manager(caller, of.deployment, MANAGER, permissions, expires, cap)

    what = on.ids.deployment(of.deployment), MANAGER, permissions, expires, cap
    on.both("set_manager", caller, expected, *what)


# ------------------------------------------------------------------ leases at their heights


def transactions(on: Walk, terms: Terms) -> Iterator[Callable[[], None]]:
    """Yield what may be done to a lease, by those who may."""
    period = on.model.parameters.period
    provider = on.lease_of(terms).provider
    owner, operator = on.model.providers[provider].owner, on.model.providers[provider].operator
    yield lambda: on.confirm_now(terms)
    yield lambda: on.submit_stale_lease(FACILITATOR, [terms, terms])
    yield lambda: on.submit_stale_lease(owner, [terms])
    yield lambda: on.fund_with(TENANT, terms, 1)
    yield lambda: on.fund_with(TENANT, terms, 2 * period - 1)
    yield lambda: on.fund_with(TENANT, terms, 2 * period)
    yield lambda: on.fund_with(STRANGER, terms, 2 * period)
    yield lambda: on.finish_leases(FACILITATOR, [terms, terms])
    yield lambda: on.close(TENANT, terms.deployment, [terms])

    def confirm_closed() -> None:
        expected = [terms, terms]
        on.both(
            "confirm_closed",
            operator,
            lambda: on.model.confirm_closed(operator, provider, expected),
            *(provider, on.keys(expected)),
        )

    yield confirm_closed


@pytest.mark.parametrize("condition", CONDITIONS)
def test_b05_lease__each_transaction_around_each_height__does_what_the_model_does(condition: str) -> None:
    with walk(INTEREST) as on:
        on.both("deposit", STRANGER, lambda: on.model.deposit(STRANGER, STRANGER, 10**15), STRANGER, 10**15)
        terms = CONDITIONS[condition](on)
        lease, period, grace = on.lease_of(terms), on.model.parameters.period, on.model.parameters.grace
        marks = {on.block, lease.confirmed + period, lease.funded, lease.funded + grace, lease.confirmed + grace}
        heights = {mark + offset for mark in marks for offset in (-1, 0, 1)}
        for height in sorted(height for height in heights if height >= on.block):
            on.set_block(height)
            on.compare([], [("lease", terms)])
            for transaction in transactions(on, terms):
                with on.branch():
                    transaction()
