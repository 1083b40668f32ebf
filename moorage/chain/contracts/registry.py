"""ProviderRegistry.vy: profiles, roots and advertisements of providers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eth_utils.address import to_checksum_address

from moorage.advertisement import Advertisement
from moorage.chain.contracts.contract import Call, Contract
from moorage.chain.logs import RANGE_BLOCKS, EventLog, Happening
from moorage.chain.market import Market
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import Address, ComputeUnit, Provider, ProviderNumber


class Registry(Contract):
    """ProviderRegistry.vy."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        super().__init__(rpc, market.registry, "ProviderRegistry")

    async def provider(self, block: Block | None, provider: ProviderNumber) -> Provider | None:
        """Return a provider with its endpoint, or None if the number is unknown at this block."""
        owner, operator, _, region, cap, updated_block = await self.read(block, "profile", provider)
        if int(owner, 16) == 0:
            return None
        updates = await self._events("ProviderUpdated", provider, updated_block)
        if not updates:
            raise NodeUnavailable(f"the node does not give the event of provider {provider} in block {updated_block}")
        return Provider(
            number=provider,
            owner=Address(to_checksum_address(owner)),
            operator=Address(to_checksum_address(operator)),
            region=region,
            collateral_cap=cap,
            endpoint=updates[-1]["endpoint"],
        )

    async def owner(self, provider: ProviderNumber) -> Address:
        """Return whose a provider is at the newest block; the zero address for an unknown number."""
        return Address(to_checksum_address(await self.read(None, "owner_of", provider)))

    async def fingerprints(self, providers: Iterable[ProviderNumber]) -> list[frozenset[bytes]]:
        """Return keccak256 of the root certificates of providers at the newest block, those to come included."""
        found = await self.read_many(None, "roots", [[provider] for provider in providers])
        return [frozenset(fingerprint for fingerprint, *_ in roots if any(fingerprint)) for roots in found]

    async def roots(self, block: Block, provider: ProviderNumber) -> tuple[bytes, ...]:
        """Return the DER of the provider's root certificates that count at this block (read it at a final one)."""
        certificates = []
        for fingerprint, added_block, active_block in await self.read(block, "roots", provider):
            if not any(fingerprint) or active_block > block.number:
                continue
            logs = await self._events("RootAdded", provider, added_block)
            certificates += [log["certificate"] for log in logs if log["fingerprint"] == fingerprint][-1:]
        return tuple(certificates)

    async def counting_since(self, block: Block, provider: ProviderNumber, fingerprint: bytes) -> int | None:
        """Return the block from which on a root counts, None if it does not at this block (read it at a final one)."""
        for found, _, active_block in await self.read(block, "roots", provider):
            if found == fingerprint and active_block <= block.number:
                return int(active_block)
        return None

    async def advertisement(self, provider: ProviderNumber, first: int, last: int) -> Advertisement | None:
        """Return what a provider has advertised last within some blocks, both included; read backwards.

        Raises:
            NodeUnavailable: the node does not give the events.
        """
        while first <= last:
            start = max(first, last - RANGE_BLOCKS + 1)
            found = await self._happenings("CapacityAdvertised", provider, start, last)
            if found:
                return _advertisement(found[-1])
            last = start - 1
        return None

    async def advertisements(self, first: int, last: int) -> dict[ProviderNumber, Advertisement]:
        """Return what each provider has advertised last within some blocks, both included.

        Raises:
            NodeUnavailable: the node does not give the events.
        """
        log = EventLog(self._rpc, self.address, self._abi)
        found = await log.between(first, last, log.topic("CapacityAdvertised"))
        return {ProviderNumber(each.arguments["provider"]): _advertisement(each) for each in found}

    async def bidders(self, block: Block, providers: Sequence[ProviderNumber]) -> list[tuple[int, int]]:
        """Return region (0: not registered any more) and collateral cap of providers."""
        rows = await self.read_many(block, "bidder", [[provider] for provider in providers])
        return [(region, cap) for _, region, cap in rows]

    async def count(self, block: Block) -> int:
        """Return the number of the newest provider."""
        return int(await self.read(block, "provider_count"))

    async def _events(self, event: str, provider: ProviderNumber, block_number: int) -> list[dict[str, Any]]:
        found = await self._happenings(event, provider, block_number, block_number)
        return [happening.arguments for happening in found]

    async def _happenings(self, event: str, provider: ProviderNumber, first: int, last: int) -> list[Happening]:
        log = EventLog(self._rpc, self.address, self._abi)
        return await log.between(first, last, log.topic(event), provider.to_bytes(32, "big"))

    def advertise(self, provider: ProviderNumber, free: ComputeUnit, price: int) -> Call:
        capacity = free.milli_cpu, free.memory_bytes, free.disk_bytes
        return self.call("advertise", provider, *capacity, price, about=str(provider))

    def register_provider(
        self, operator: Address, region: int, collateral_cap: int, endpoint: str, attributes: str, certificate: bytes
    ) -> Call:
        return self.call("register_provider", operator, region, collateral_cap, endpoint, attributes, certificate)

    def add_root(self, provider: ProviderNumber, certificate: bytes) -> Call:
        return self.call("add_root", provider, certificate, about=str(provider))

    def remove_root(self, provider: ProviderNumber, fingerprint: bytes) -> Call:
        return self.call("remove_root", provider, fingerprint, about=str(provider))


def _advertisement(happening: Happening) -> Advertisement:
    told = happening.arguments
    free = ComputeUnit(told["milli_cpu"], told["memory_bytes"], told["disk_bytes"])
    return Advertisement(happening.block_number, free, told["price"])
