"""A deployment at one block, with its history: what everything that is shown or decided is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moorage.types import (
    Address,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Group,
    Lease,
    OrderId,
    OrderKey,
    OrderState,
    ProviderNumber,
    Version,
)

LIVE_STATES = (OrderState.OPEN, OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING)
SHOWN_BYTES = 4


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the exchange has logged about the deployment."""

    block_number: int
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order of a group and the lease that it became; a group of a replaced lease has several."""

    id: OrderId
    key: OrderKey
    group: Group
    created_block: int
    replaced: OrderId | None
    """The stale lease that this order was made for."""
    state: OrderState
    match_block: int
    """The first block in which it may be matched; 0 unless it is open."""
    deposit: int
    """Ledger units held while it is open."""
    bids: tuple[Fulfillment, ...]
    """Of an open order, the winner first."""
    lease: Lease | None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def provider(self) -> ProviderNumber | None:
        """Who runs it, or ran it."""
        return self.lease.provider if self.lease is not None else None


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One deployment at one block. What is known of ended orders is in the story."""

    id: DeploymentId
    tenant: Address
    state: DeploymentState
    version: Version
    """The newest on chain."""
    live_groups: int
    block_number: int
    period_blocks: int
    grace_blocks: int
    tip: int
    attempts: tuple[Attempt, ...]
    """In the order in which they were made."""
    story: tuple[Event, ...]
    """In the order of the chain."""

    @property
    def current(self) -> tuple[Attempt, ...]:
        """The newest attempt of each group; of groups that an update has removed, those that have not ended."""
        replaced = {attempt.replaced for attempt in self.attempts}
        newest = {attempt.group.name: attempt.id for attempt in self.attempts}
        given_up = self._given_up
        return tuple(
            attempt
            for attempt in self.attempts
            if attempt.id not in replaced
            and (attempt.is_live or (attempt.id not in given_up and newest[attempt.group.name] == attempt.id))
        )

    @property
    def wanted(self) -> tuple[Attempt, ...]:
        """The newest attempt of each group that is in the newest version."""
        given_up = self._given_up
        return tuple(attempt for attempt in self.current if attempt.id not in given_up)

    @property
    def _given_up(self) -> frozenset[OrderId]:
        """What an update has removed: it ended, or began to, before the deployment did."""
        given_up: set[OrderId] = set()
        for event in self.story:
            match event.name:
                case "DeploymentClosing":
                    break
                case "OrderClosed":
                    given_up.add(event.arguments["order"])
                case "LeaseClosing":
                    given_up.add(event.arguments["lease"])
        return frozenset(given_up)

    def attempt(self, order: bytes) -> Attempt:
        """Return the attempt with this id."""
        return next(attempt for attempt in self.attempts if attempt.id == order)


def short(identifier: bytes) -> str:
    """Return the beginning of an id, for lines that are read while things happen."""
    return f"0x{identifier[:SHOWN_BYTES].hex()}…"


def full(identifier: bytes) -> str:
    """Return an id as it is typed in."""
    return f"0x{identifier.hex()}"
