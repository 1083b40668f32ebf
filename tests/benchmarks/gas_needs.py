"""Which words each transaction must read or write, and for which rule of docs/protocol.md. Written by hand.

The benchmark fails when a transaction touches a word, or calls a contract, that is not listed here for it, and when
it no longer touches one that is: the floor can neither grow in silence nor hide a read that no rule asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.gas_trace import Effect

REGISTRY = "registry"
TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Need:
    """One word that a rule reads or changes."""

    word: str
    effect: Effect
    rule: str
    contract: str | None = None
    """The other contract that holds it; none for the one that the transaction is sent to."""
    is_optional: bool = False
    """Not in the transaction as it is usually sent, but in variants of it."""


def _read(word: str, rule: str, contract: str | None = None) -> Need:
    return Need(word, Effect.READ, rule, contract)


def _update(word: str, rule: str, contract: str | None = None) -> Need:
    return Need(word, Effect.UPDATED, rule, contract)


def _new(word: str, rule: str) -> Need:
    return Need(word, Effect.NEW, rule)


def _clear(word: str, rule: str) -> Need:
    return Need(word, Effect.CLEARED, rule)


def _maybe(word: str, rule: str, contract: str | None = None) -> Need:
    return Need(word, Effect.READ, rule, contract, is_optional=True)


_OPERATOR = _read("operator, region and cap", "the caller is the provider's operator", REGISTRY)
_TIP = _update("facilitator's account", "the tip goes to the caller")
_MANAGER = _maybe("manager", "the caller may do this, and may still spend as much")
_STALE = (
    _update("order or lease", "the deadline has passed; the state is STALE"),
    _clear("fulfillment", "collateral moves once"),
    _update("tenant's account", "the collateral goes to the tenant"),
    _TIP,
    _maybe("owner", "before the deadline only the provider's owner may", REGISTRY),
)
_END = (
    _update("order or lease", "the lease is closing; the state is CLOSED"),
    _clear("fulfillment", "collateral moves once"),
    _update("provider's account", "earnings are paid, the collateral is available again"),
    _update("deployment", "whose account the rest goes to; one live group less"),
    _update("tenant's account", "the rest and the unused tip go to the tenant"),
)
_TOKENS_IN = (
    _update("holder's tokens", "the token's own rule", TOKEN),
    _update("exchange's tokens", "the token's own rule; read before and after, to see what has arrived", TOKEN),
    _read("allowance", "the token's own rule", TOKEN),
)
_WITHDRAWAL = (
    _update("tenant's account", "no more than is available"),
    _update("holder's tokens", "the token's own rule", TOKEN),
    _update("exchange's tokens", "the token's own rule", TOKEN),
)
_OWNER = _read("owner", "the caller is the provider's owner")

NEEDS: dict[str, tuple[Need, ...]] = {
    # ------------------------------------------------------------------ a job
    "submit_deployment": (
        _new("deployment", "a salt is used once; tenant, state, live groups, wait duration"),
        _new("order or lease", "one order for each group, with its deposit"),
        _update("tenant's account", "deposits and tips are taken from it"),
    ),
    "submit_fulfillment": (
        _update("order or lease", "the order is open; its list has one bid more"),
        _new("fulfillment", "one bid for each provider, with charge, collateral and its place in the sorted list"),
        _update("provider's account", "the collateral is available and gets locked"),
        _read(
            "operator, region and cap",
            "the caller is the operator, in a region of the order; what is committed stays within the cap",
            REGISTRY,
        ),
    ),
    "submit_lease": (
        _update("order or lease", "the wait is over; the order becomes the lease"),
        _read("fulfillment", "the charge of the lowest bid"),
        _TIP,
    ),
    "submit_lease_confirmation": (_OPERATOR, _update("order or lease", "the confirmed block is this one")),
    "close_deployment": (
        _update("deployment", "the caller is the tenant; the state is CLOSING"),
        _update("order or lease", "the lease is closing and costs nothing from this block on"),
        _maybe("tenant's account", "the deposit of an open order goes back"),
    ),
    "confirm_closed": (_OPERATOR, *_END),
    # ------------------------------------------------------------------ other ways of a lease
    "claim": (
        _update("order or lease", "what was claimed is not claimed again"),
        _read("fulfillment", "the charge of the lease"),
        _update("provider's account", "earnings are paid"),
    ),
    "submit_stale_lease": (
        *_STALE,
        _read("deployment", "a new order only while the deployment is active; whose account the refund goes to"),
        _new("replacing order", "with persist, a new order takes the place of the lease"),
    ),
    "submit_stale_lease_without_persist": (
        *_STALE,
        _update("deployment", "whose account the refund goes to; one live group less"),
    ),
    "finish_leases": (*_END, _TIP),
    "deployment_closed": (_update("deployment", "no group lives; the state is CLOSED"), _TIP),
    "fund": (
        _update("order or lease", "the lease is funded for more blocks"),
        _read("fulfillment", "the charge of the lease"),
        _read("deployment", "whether the caller is the tenant"),
        _update("tenant's account", "the blocks are paid for"),
        _maybe("giver's account", "anybody else pays from an account of its own"),
        _maybe("provider's account", "at a revival, what was earned before"),
        _MANAGER,
    ),
    "update_deployment": (
        _update("deployment", "the deployment is active; it counts versions, orders and live groups"),
        _maybe("order or lease", "one for each group that is added or removed"),
        _maybe("tenant's account", "added groups are paid for, the deposits of removed orders go back"),
        _MANAGER,
    ),
    "set_manager": (_read("deployment", "the caller is the tenant"), _new("manager", "what it may do")),
    # ------------------------------------------------------------------ other ways of a bid
    "cancel_fulfillment": (
        _OPERATOR,
        _update("order or lease", "the order is open; its list has one bid less"),
        _clear("fulfillment", "collateral moves once; neighbours in the list are linked"),
        _update("provider's account", "the collateral is available again"),
    ),
    "release_fulfillments": (
        _read("order or lease", "the order is no longer open, and who has won"),
        _clear("fulfillment", "collateral moves once"),
        _update("provider's account", "the collateral is available again"),
    ),
    # ------------------------------------------------------------------ money in and out
    "deposit": (
        _update("tenant's account", "what has arrived is available"),
        *_TOKENS_IN,
        _maybe("provider's account", "what has arrived is available"),
        _maybe("owner", "the provider exists", REGISTRY),
    ),
    "deposit_with_permit": (
        _update("tenant's account", "what has arrived is available"),
        *_TOKENS_IN,
        _update("permit nonce", "the token's own rule", TOKEN),
    ),
    "withdraw": (
        *_WITHDRAWAL,
        _maybe("provider's account", "no more than is available"),
        _maybe("owner", "the caller owns the provider", REGISTRY),
    ),
    "withdraw_to": _WITHDRAWAL,
    # ------------------------------------------------------------------ providers
    "register_provider": (
        _update("provider count", "each provider has a number of its own"),
        _new("operator, region and cap", "what bids are checked against"),
        _new("owner", "who may change it and withdraw"),
        _new("root", "whom clients trust"),
        _read("root", "a certificate is there once"),
        _new("root's blocks", "since when"),
    ),
    "update_provider": (
        _update("owner", "the caller is the owner; the block of the newest event"),
        _read("operator, region and cap", "the region; it is the same here"),
    ),
    "advertise": (
        _read("operator, region and cap", "the caller is the operator"),
        _maybe("owner", "or the owner"),
    ),
    "set_operator": (_OWNER, _update("operator, region and cap", "the new key")),
    "set_collateral_cap": (_OWNER, _update("operator, region and cap", "the new cap")),
    "add_root": (
        _OWNER,
        _read("root", "the certificate is not there yet"),
        _new("root", "its fingerprint"),
        _new("root's blocks", "from when it counts"),
    ),
    "remove_root": (
        _OWNER,
        _read("root", "which of the two it is"),
        _clear("root", "its fingerprint"),
        _clear("root's blocks", "from when it counted"),
    ),
    "transfer_ownership": (_OWNER, _new("offered owner", "who may accept")),
    "accept_ownership": (
        _clear("offered owner", "the caller was offered it"),
        _update("owner", "the new owner"),
    ),
    "deregister_provider": (_OWNER, _update("operator, region and cap", "no region, so no bids")),
}
