"""Reads off the chain, the engine and the disk what a run has come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from moorage.chain.contracts import Exchange, provider_account
from moorage.chain.logs import Happening
from moorage.types import Account, Address, DeploymentId, Lease, OrderId, OrderState
from tests.chaos.actors import Actors
from tests.chaos.daemons import Machine
from tests.chaos.outcome import AGAIN, PERIODIC, Act, Outcome
from tests.chaos.processes import Process

OVER = frozenset({"LeaseStale", "LeaseClosing", "LeaseClosed"})
"""The first of these of a lease ends its right to its containers."""
FINAL_BLOCKS = 2
"""How far behind the newest block the newest final one is."""


@dataclass
class Record:
    """What was seen in the blocks of a run."""

    began: int
    happenings: list[Happening] = field(default_factory=list)
    reverted: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Witness:
    """Asks the node itself, past all proxies."""

    exchange: Exchange
    actors: Actors
    machine: Machine
    record: Record
    wallets: dict[str, Address]
    """Role -> the account that its tips and refunds are in."""

    async def outcome(self, processes: dict[str, Process], blocks: int) -> Outcome:
        """Return the end of the run, which has taken so many blocks."""
        record = self.record
        acts = [self._act(happening) for happening in record.happenings]
        heights = [happening.block_number - record.began for happening in record.happenings]
        leases = [lease for lease in await self.exchange.leases(None, sorted(self.actors.leased)) if lease]
        observed = await self.machine.engine.observe()
        things = [*observed.containers, *observed.networks, *observed.volumes]
        return Outcome(
            accounts=await self._accounts(leases),
            orders=await self._orders(leases),
            deployments=await self._deployments(),
            things=tuple(sorted(each.name for each in things)),
            manifests=frozenset(self._name(lease) for lease in await self.machine.store.leases()),
            acts=Counter(act for act in acts if act[0] not in PERIODIC),
            started=self.machine.engine.started,
            wrongly_removed=tuple(self._wrongly_removed()),
            reverted=tuple(record.reverted),
            heights=dict(reversed(list(zip(acts, heights, strict=True)))),
            blocks=blocks,
            sent=record.sent,
            confirmations=Counter(
                (act[1], height) for act, height in zip(acts, heights, strict=True) if act[0] == "LeaseConfirmed"
            ),
            crashes={name: tuple(process.crashes) for name, process in processes.items()},
        )

    async def _accounts(self, leases: Sequence[Lease]) -> dict[str, tuple[int, int]]:
        """Return what everybody has; what living leases have paid out so far depends on when the run ends."""
        confirmed = self.actors.confirmed
        paid = sum(
            lease.charge_per_block * (lease.claimed_block - confirmed.get(lease.id, lease.claimed_block))
            for lease in leases
            if lease.state is OrderState.LEASE_ACTIVE
        )
        ours = provider_account(self.actors.us)
        wallets = {**self.wallets, "us": ours, "rival": provider_account(self.actors.rival)}
        accounts: list[Account] = await self.exchange.accounts(None, list(wallets.values()))
        return {
            role: (account.available - (paid if role == "us" else 0), account.committed)
            for role, account in zip(wallets, accounts, strict=True)
        }

    async def _orders(self, leases: Sequence[Lease]) -> dict[str, str]:
        orders = list(self.actors.keys)
        providers = {lease.id: f"of {lease.provider}, awaiting {lease.is_awaiting}" for lease in leases}
        return {
            self._name(order): f"{word.state if word else None} {providers.get(order, '')}".strip()
            for order, word in zip(orders, await self.exchange.orders(None, orders), strict=True)
        }

    async def _deployments(self) -> dict[str, str]:
        names = list(self.actors.current)
        words = await self.exchange.deployments(None, [self.actors.deployment(name) for name in names])
        return {
            name: f"{word.state if word else None} with {word.live_groups if word else 0} groups"
            for name, word in zip(names, words, strict=True)
        }

    def _wrongly_removed(self) -> list[str]:
        """Return the containers that went while no final block proved that their leases were over."""
        over: dict[OrderId, int] = {}
        for happening in self.record.happenings:
            if happening.name in OVER:
                over.setdefault(OrderId(happening.arguments["lease"]), happening.block_number)
        return [
            name
            for lease, name, height in self.machine.engine.removed
            if lease not in over or height < over[lease] + FINAL_BLOCKS
        ]

    def _name(self, order: OrderId) -> str:
        is_replacing = self.actors.keys[order].nonce[0] > 0  # the id of a stale lease, not a counter
        return self.actors.name_of(order) + (AGAIN if is_replacing else "")

    def _act(self, happening: Happening) -> Act:
        arguments = happening.arguments
        order = arguments.get("lease") or arguments.get("order")
        what = self._name(OrderId(order)) if order else self._deployment_name(arguments["deployment"])
        return happening.name, what, str(arguments.get("provider", ""))

    def _deployment_name(self, deployment: DeploymentId) -> str:
        return next(name for name in self.actors.current if self.actors.deployment(name) == deployment)
