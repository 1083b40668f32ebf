"""One market in which every transaction has something that it may be sent about, and who may send it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from tests.matrices.cast import (
    EVERYTHING,
    EXPIRED,
    FACILITATOR,
    GROUP,
    LOSER,
    MANAGERS,
    OPERATOR,
    ORDINARY,
    OTHER_OPERATOR,
    OTHER_OWNER,
    OTHER_TENANT,
    OWNER,
    PARAMETERS,
    PENDING_OWNER,
    PRICES,
    REVOKED,
    SPENT,
    STRANGER,
    TENANT,
    WINNER,
)
from tests.matrices.pair import Call, Pair, call
from tests.stateful.evm import FIRST_BLOCK, NO_SIGNATURE
from tests.stateful.model import DeploymentName, Permission, Terms

RUNNING, BIDDING, CLOSING = (DeploymentName(TENANT, salt) for salt in (1, 2, 3))
ANOTHER = DeploymentName(OTHER_TENANT, 1)
LONG_WAIT = 1_000
READY, ACTIVE, STALE, EXHAUSTED, ENDING = (
    Terms(RUNNING, nonce, 0, replace(GROUP, name=bytes([nonce]).ljust(32, b"\1"))) for nonce in range(5)
)
CANCELLABLE, BIDDABLE = (
    Terms(BIDDING, nonce, LONG_WAIT, replace(GROUP, name=bytes([nonce]).ljust(32, b"\2"))) for nonce in range(2)
)
REMOVED = Terms(CLOSING, 0, 0, GROUP)
MUCH = 10**14

_CALLERS = [
    *(TENANT, OTHER_TENANT, *MANAGERS, EXPIRED, REVOKED, SPENT),
    *(OWNER, OPERATOR, OTHER_OWNER, OTHER_OPERATOR, PENDING_OWNER, FACILITATOR, STRANGER),
]


def callers(pair: Pair) -> frozenset[str]:
    """Return everybody, the two contracts included."""
    return frozenset([*_CALLERS, pair.exchange, pair.registry])


def set_up(pair: Pair) -> None:
    """Bring all that can be acted on into being, by the same block."""
    for name, wait, orders, blocks in (
        (RUNNING, 0, [READY, ACTIVE, STALE, EXHAUSTED, ENDING], [25, 10_000, 25, 25, 25]),
        (BIDDING, LONG_WAIT, [CANCELLABLE, BIDDABLE], [25, 25]),
        (CLOSING, 0, [REMOVED], [25]),
        (ANOTHER, 0, [REMOVED], [25]),
    ):
        groups = [terms.group for terms in orders]
        deposits = [PARAMETERS.tip + count * pair.model.max_charge(GROUP) for count in blocks]
        pair.do("submit_deployment", name.tenant, name.salt, 1, wait, groups, deposits)
    for manager, permissions in {**MANAGERS, EXPIRED: EVERYTHING, REVOKED: EVERYTHING, SPENT: EVERYTHING}.items():
        expires = FIRST_BLOCK + (26 if manager == EXPIRED else 27)
        for name in (RUNNING, BIDDING):
            cap = 10 if manager == SPENT else MUCH
            pair.do("set_manager", TENANT, name, manager, permissions, expires, cap)
            if manager == REVOKED:
                pair.do("set_manager", TENANT, name, manager, 0, 0, 0)
    pair.do("close_deployment", TENANT, CLOSING, [REMOVED])
    for terms in (READY, ACTIVE, STALE, EXHAUSTED, ENDING, CANCELLABLE):
        pair.do("submit_fulfillment", OPERATOR, WINNER, *terms, [PRICES[WINNER]], 0)
    for terms in (ACTIVE, BIDDABLE):
        pair.do("submit_fulfillment", OTHER_OPERATOR, LOSER, *terms, [PRICES[LOSER]], 0)
    leases = [ACTIVE, STALE, EXHAUSTED, ENDING]
    pair.do("submit_lease", FACILITATOR, leases)
    for block, confirmed in ((1, leases), (10, leases), (19, [ACTIVE, EXHAUSTED, ENDING])):
        pair.set_block(FIRST_BLOCK + block)
        pair.do("submit_lease_confirmation", OPERATOR, WINNER, confirmed)
    pair.do("update_deployment", TENANT, RUNNING, 0, [], [], [ENDING])
    for contract in (pair.exchange, pair.registry):
        pair.do("deposit", TENANT, contract, MUCH)
    if pair.market:
        offered = pair.market.send(pair.market.registry, "transfer_ownership", OWNER, WINNER, PENDING_OWNER)
        assert offered is None
    pair.set_block(FIRST_BLOCK + 27)
    pair.compare()


@dataclass(frozen=True)
class Row:
    """A transaction that everybody tries to send, and who succeeds."""

    label: str
    send: Callable[[str], Call]
    allowed: frozenset[str]

    @property
    def name(self) -> str:
        return self.label.split(",")[0]


def managers(needed: Permission, *, is_free: bool = False) -> set[str]:
    """Return the managers with what is needed; one whose cap is used up only has what is free."""
    return {manager for manager, has in MANAGERS.items() if needed in has} | ({SPENT} if is_free else set())


def rows(pair: Pair) -> list[Row]:
    """Return a row or more for each transaction of the exchange."""
    everybody = callers(pair)
    contracts = {pair.exchange, pair.registry}
    update, fund, scale = Permission.UPDATE, Permission.FUND, Permission.SCALE
    deposit = pair.model.minimum_deposit(GROUP)
    found: list[Row] = []

    def row(label: str, allowed: set[str] | frozenset[str], *arguments: object) -> None:
        """Add a row; an argument that is a function depends on the caller."""

        def send(caller: str) -> Call:
            given = (argument(caller) if callable(argument) else argument for argument in arguments)
            return call(label.split(",")[0], caller, *given, what=label)

        found.append(Row(label, send, frozenset(allowed)))

    def caller_itself(caller: str) -> str:
        return caller

    row("deposit", everybody - contracts, TENANT, 5)
    row("deposit_with_permit", everybody - contracts, TENANT, 5, *NO_SIGNATURE)
    row("withdraw, its own", everybody - {pair.exchange}, caller_itself, 5)
    row("withdraw, a tenant's", {TENANT}, TENANT, 5)
    row("withdraw, a provider's", {OWNER}, WINNER, 5)
    row("withdraw_to, its own", everybody, caller_itself, 5, STRANGER)
    row("withdraw_to, a tenant's", {TENANT}, TENANT, 5, STRANGER)
    row("withdraw_to, a provider's", {OWNER}, WINNER, 5, STRANGER)

    row("submit_deployment", everybody, 9, 1, 0, [GROUP], [deposit])
    row("update_deployment, version", {TENANT} | managers(update, is_free=True), RUNNING, 2, [], [], [])
    row("update_deployment, group", {TENANT} | managers(scale), RUNNING, 0, [GROUP], [deposit], [])
    row("update_deployment, removed", {TENANT} | managers(scale, is_free=True), RUNNING, 0, [], [], [ACTIVE, READY])
    row("update_deployment, both", {TENANT} | managers(update | scale), RUNNING, 2, [GROUP], [deposit], [ACTIVE])
    row("close_deployment", {TENANT}, RUNNING, [READY, ACTIVE])
    row("set_manager, itself", {TENANT}, RUNNING, caller_itself, EVERYTHING, FIRST_BLOCK + 99, MUCH)
    row("set_manager, another", {TENANT}, RUNNING, FACILITATOR, fund, FIRST_BLOCK + 99, MUCH)
    row("set_manager, revoked", {TENANT}, RUNNING, next(iter(MANAGERS)), 0, 0, 0)
    row("deployment_closed", everybody, [CLOSING])

    row("submit_fulfillment", {OPERATOR}, WINNER, *BIDDABLE, [PRICES[WINNER]], 0)
    row("cancel_fulfillment", {OPERATOR}, WINNER, CANCELLABLE)
    row("release_fulfillments", everybody, ACTIVE, [LOSER])

    row("submit_lease", everybody, [READY])
    row("submit_lease_confirmation", {OPERATOR}, WINNER, [ACTIVE])
    row("claim", everybody, [ACTIVE])
    may_fund = everybody - (MANAGERS.keys() - managers(fund)) - {EXPIRED, SPENT}
    row("fund, order", may_fund, CANCELLABLE, 1)
    row("fund, lease", may_fund, ACTIVE, 2)
    row("fund, revival", may_fund, EXHAUSTED, 2 * PARAMETERS.period)
    row("submit_stale_lease", everybody, [STALE])
    row("submit_stale_lease, resignation", {OWNER}, [ACTIVE])
    row("confirm_closed", {OPERATOR}, WINNER, [ENDING])
    row("finish_leases", everybody, [ENDING])
    return found


@cache
def labels(*starts: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return the labels of the rows, or of those that start so, or that only these may send."""
    found = rows(Pair(ORDINARY, is_model_alone=True))
    return [
        row.label for row in found if row.label.startswith(starts or "") and row.allowed == (allowed or row.allowed)
    ]


def row_of(pair: Pair, label: str) -> Row:
    (found,) = (row for row in rows(pair) if row.label == label)
    return found


def model_alone() -> Pair:
    """Return the model of this market, without a contract."""
    pair = Pair(ORDINARY, is_model_alone=True)
    set_up(pair)
    return pair
