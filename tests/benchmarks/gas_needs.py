"""Which words each transaction must read or write, and for which rule of docs/protocol.md. Written by hand.

The benchmark fails when a transaction touches a word, or calls a contract, that is not listed here for it, and when
it no longer touches one that is: the floor can neither grow in silence nor hide a read that no rule asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.gas_trace import Effect

REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class Need:
    """One word that a rule reads or changes."""

    word: str
    effect: Effect
    rule: str
    contract: str | None = None
    """The other contract that holds it; none for the exchange."""
    is_per_lease: bool = False

    def times(self, leases: int) -> int:
        return leases if self.is_per_lease else 1


def _read(word: str, rule: str, contract: str | None = None) -> Need:
    return Need(word, Effect.READ, rule, contract)


def _update(word: str, rule: str) -> Need:
    return Need(word, Effect.UPDATED, rule)


_OPERATOR = _read("operator, region and cap", "the caller is the provider's operator", REGISTRY)
_CONFIRMATION = (
    _OPERATOR,
    Need("order or lease", Effect.UPDATED, "the confirmed block is this one", is_per_lease=True),
)
_STALE = (
    _update("order or lease", "the deadline has passed; the state is STALE"),
    Need("fulfillment", Effect.CLEARED, "collateral moves once"),
    _update("tenant's account", "the collateral goes to the tenant"),
    _update("facilitator's account", "the tip goes to the caller"),
)

NEEDS: dict[str, tuple[Need, ...]] = {
    "submit_deployment": (
        Need("deployment", Effect.NEW, "a salt is used once; tenant, state, live groups, wait duration"),
        Need("order or lease", Effect.NEW, "one order for each group, with its deposit"),
        _update("tenant's account", "deposits and tips are taken from it"),
    ),
    "submit_fulfillment": (
        _update("order or lease", "the order is open; its list has one bid more"),
        Need("fulfillment", Effect.NEW, "one bid for each provider, with charge and collateral"),
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
        _update("facilitator's account", "the tip goes to the caller"),
    ),
    "submit_lease_confirmation": _CONFIRMATION,
    "submit_lease_confirmation_again": _CONFIRMATION,
    "submit_lease_confirmation_x30": _CONFIRMATION,
    "submit_lease_confirmation_x30_again": _CONFIRMATION,
    "submit_stale_lease": (
        *_STALE,
        _read("deployment", "a new order only while the deployment is active; whose account the refund goes to"),
        Need("replacing order", Effect.NEW, "with persist, a new order takes the place of the lease"),
    ),
    "submit_stale_lease_without_persist": (
        *_STALE,
        _update("deployment", "whose account the refund goes to; one live group less"),
    ),
    "close_deployment": (
        _update("deployment", "the caller is the tenant; the state is CLOSING"),
        _update("order or lease", "the lease is closing and costs nothing from this block on"),
    ),
    "confirm_closed": (
        _OPERATOR,
        _update("order or lease", "the lease is closing; the state is CLOSED"),
        Need("fulfillment", Effect.CLEARED, "collateral moves once"),
        _update("provider's account", "earnings are paid, the collateral is available again"),
        _update("deployment", "whose account the rest goes to; one live group less"),
        _update("tenant's account", "the rest and the unused tip go to the tenant"),
    ),
    "claim": (
        _update("order or lease", "what was claimed is not claimed again"),
        _read("fulfillment", "the charge of the lease"),
        _update("provider's account", "earnings are paid"),
    ),
}
