"""The id of an order: it commits to every part of the key."""

from __future__ import annotations

from tests.contracts.market import NO_ID, UNKNOWN_ID, WAIT, Group, Order, group_of, word_of

ORDER = Order(UNKNOWN_ID, word_of(1), WAIT, group_of())


def test_order_id__a_key__is_the_hash_of_its_words(market):
    assert market.view("order_id", ORDER.key) == ORDER.id


def test_order_id__zeros__are_hashed_too(market):
    empty = Order(NO_ID, NO_ID, 0, Group(name=b"\0" * 32, regions=0, resources=()))

    assert market.view("order_id", empty.key) == empty.id


def test_order_id__any_part_changed__is_another(market):
    deployment, nonce, terms, resources_hash = ORDER.key
    others = [
        (word_of(7), nonce, terms, resources_hash),
        (deployment, word_of(7), terms, resources_hash),
        (deployment, nonce, terms + 1, resources_hash),
        (deployment, nonce, terms, word_of(7)),
    ]

    ids = {str(market.view("order_id", key)) for key in [ORDER.key, *others]}

    assert len(ids) == 5
