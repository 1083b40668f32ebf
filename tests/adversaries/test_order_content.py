"""What a bid and a key name, changed in one place, names nothing; and lists have an end."""

from __future__ import annotations

from dataclasses import replace

import boa  # type: ignore[import-untyped]
import pytest

from tests.adversaries.cast import (
    FACILITATOR,
    GROUP,
    MOST_CONFIRMED,
    OPERATOR,
    PERIOD,
    PRICE,
    PROVIDER,
    SETTING,
    STRANGER,
    TENANT,
    UNIT,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import order
from tests.adversaries.stage import Stage, refused
from tests.stateful.evm import Market, word, words_of
from tests.stateful.model import NOTHING, DeploymentName, Group, State, Terms

OTHER = replace(GROUP, name=b"other".ljust(32, b"\0"))

# ------------------------------------------------------------------ a bid binds to its order's content


def changed_group(**changes: object) -> Group:
    return replace(GROUP, **changes)  # type: ignore[arg-type]


def changed_unit(**changes: int) -> Group:
    return replace(GROUP, resources=(replace(UNIT, **changes),))


CHANGED_GROUPS = {
    "name": changed_group(name=b"g".ljust(32, b"\0")),
    "regions": changed_group(regions=3),
    "persist": changed_group(persist=True),
    "one resource group more": changed_group(resources=(UNIT, UNIT)),
    "milli_cpu": changed_unit(milli_cpu=UNIT.milli_cpu - 1),
    "memory_bytes": changed_unit(memory_bytes=UNIT.memory_bytes + 1),
    "disk_bytes": changed_unit(disk_bytes=1),
    "price": changed_unit(price=PRICE + 1),
    "collateral": changed_unit(collateral=UNIT.collateral - 1),
    "count": changed_unit(count=2),
}


@pytest.mark.parametrize("group", CHANGED_GROUPS.values(), ids=CHANGED_GROUPS)
def test_c14_bid__one_field_of_the_group_differs_from_the_order__is_refused(stage: Stage, group: Group) -> None:
    terms = order(stage)
    prices = len(group.resources) * [PRICE]

    with refused("order_book: order not open"):
        stage.submit_fulfillment(PROVIDER, terms._replace(group=group), *prices)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    stage.leave()


@pytest.mark.parametrize(
    "changes", [{"deployment": DeploymentName(TENANT, 1)}, {"nonce": 1}, {"wait_duration": WAIT - 1}], ids=str
)
def test_c14_bid__one_word_of_the_order_differs__is_refused(stage: Stage, changes: dict[str, object]) -> None:
    terms = order(stage)

    with refused("order_book: order not open"):
        stage.submit_fulfillment(PROVIDER, terms._replace(**changes), PRICE)  # type: ignore[arg-type]


def test_c14_bid__meant_for_a_market_with_the_same_order__is_refused_on_this_one(stage: Stage) -> None:
    other = Stage(Market(SETTING))
    terms = order(stage)
    assert terms == order(other)
    named = stage.ids.deployment(terms.deployment), word(0), WAIT

    answer = other.market.send(
        other.market.exchange, "submit_fulfillment", OPERATOR, PROVIDER, *named, words_of(GROUP), [PRICE], 0
    )

    assert answer == "order_book: order not open"


def flipped(key: tuple[bytes, bytes, int, bytes], place: int, bit: int) -> tuple[bytes, bytes, int, bytes]:
    """Change one bit of one of a key's four words."""
    values = [value if isinstance(value, int) else int.from_bytes(value, "big") for value in key]
    values[place] ^= 1 << bit
    return word(values[0]), word(values[1]), values[2], word(values[3])


def test_c14_key__any_bit_of_any_word_changed__names_no_order(stage: Stage) -> None:
    terms = order(stage)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    stage.pass_blocks(WAIT)
    places = [(place, bit) for place in (0, 1, 3) for bit in (0, 128, 255)]
    places += [(2, bit) for bit in (0, 79, 80, 175, 176, 207, 208, 239, 240, 241, 255)]

    for place, bit in places:
        key = flipped(stage.ids.key(terms), place, bit)
        assert stage.market.send(stage.market.exchange, "submit_lease", STRANGER, [key]) == NOTHING
    stage.submit_lease(STRANGER, [terms])
    stage.submit_lease_confirmation(PROVIDER, [terms])
    for place, bit in places:
        key = flipped(stage.ids.key(terms), place, bit)
        answer = stage.market.send(stage.market.exchange, "fund", TENANT, key, PERIOD)
        assert answer == "leases: neither open nor active"
    stage.leave()


# ------------------------------------------------------------------ reorganisations


def scaled(stage: Stage, name: DeploymentName, group: Group) -> None:
    """Add a group to a deployment."""
    what = word(0), [words_of(group)], [deposit_for(2)], []
    model = stage.model
    model.update_deployment(TENANT, name, 0, [group], [deposit_for(2)], [])
    answer = stage.market.send(stage.market.exchange, "update_deployment", TENANT, stage.ids.deployment(name), *what)
    assert answer is None


@pytest.mark.parametrize("is_swapped", [False, True])
def test_c15_reorganisation__two_orders_change_their_places__bid_meets_its_own_content_or_nothing(
    market: Market, *, is_swapped: bool
) -> None:
    stage = Stage(market)
    first = order(stage)
    added = [GROUP, OTHER]
    bid_on = Terms(first.deployment, 1, WAIT, GROUP)  # seen before the reorganisation

    for group in reversed(added) if is_swapped else added:
        scaled(stage, first.deployment, group)

    if is_swapped:
        with refused("order_book: order not open"):
            stage.submit_fulfillment(PROVIDER, bid_on, PRICE)
    else:
        stage.submit_fulfillment(PROVIDER, bid_on, PRICE)
    stage.leave()


def test_c15_reorganisation__another_order_takes_the_name_of_the_first__signed_bid_is_refused(market: Market) -> None:
    stage = Stage(market)
    snapshot = boa.env.evm.snapshot()
    seen = order(stage)
    stage.submit_fulfillment(PROVIDER, seen, PRICE)

    boa.env.evm.revert(snapshot)
    stage = Stage(market)
    (there,) = stage.submit_deployment(TENANT, [OTHER], [deposit_for(10)])

    assert there.deployment == seen.deployment
    with refused("order_book: order not open"):
        stage.submit_fulfillment(PROVIDER, seen, PRICE)
    assert stage.state(there) == State.OPEN
    stage.leave()


# ------------------------------------------------------------------ lists have an end

KEY = bytes(32), bytes(32), 0, bytes(32)
GROUPS = {
    "groups of a deployment": (8, lambda n: ("submit_deployment", word(9), word(1), WAIT, n * [words_of(GROUP)], [])),
    "deposits": (8, lambda n: ("submit_deployment", word(9), word(1), WAIT, [], n * [1])),
    "resource groups": (
        8,
        lambda n: ("submit_deployment", word(9), word(1), WAIT, [words_of(changed_group(resources=n * (UNIT,)))], []),
    ),
    "added groups": (8, lambda n: ("update_deployment", bytes(32), word(1), n * [words_of(GROUP)], [], [])),
    "removed groups": (8, lambda n: ("update_deployment", bytes(32), word(1), [], [], n * [KEY])),
    "closed groups": (8, lambda n: ("close_deployment", bytes(32), n * [KEY])),
    "closed deployments": (32, lambda n: ("deployment_closed", n * [bytes(32)])),
    "prices": (8, lambda n: ("submit_fulfillment", 1, bytes(32), bytes(32), WAIT, words_of(GROUP), n * [1], 0)),
    "released": (32, lambda n: ("release_fulfillments", bytes(32), n * [1])),
    "matched": (32, lambda n: ("submit_lease", n * [KEY])),
    "confirmed": (MOST_CONFIRMED, lambda n: ("submit_lease_confirmation", 1, n * [bytes(32)])),
    "claimed": (32, lambda n: ("claim", n * [bytes(32)])),
    "called stale": (32, lambda n: ("submit_stale_lease", n * [KEY])),
    "reset": (32, lambda n: ("confirm_closed", 1, n * [KEY])),
    "finished": (32, lambda n: ("finish_leases", n * [KEY])),
}


@pytest.mark.parametrize("what", GROUPS)
def test_c16_list__longer_than_its_limit__is_refused_before_anything_is_read(stage: Stage, what: str) -> None:
    limit, call = GROUPS[what]
    for length, has_text in ((limit, True), (limit + 1, False)):
        name, *arguments = call(length)
        answer = stage.market.send(stage.market.exchange, name, FACILITATOR, *arguments)
        assert answer is not None
        assert bool(answer) == has_text
