"""Money in and out, and what owners do with their providers."""

from __future__ import annotations

from collections.abc import Iterator

from eth_utils.crypto import keccak

from tests.benchmarks.gas_chain import Receipt
from tests.benchmarks.gas_contracts import Contract
from tests.benchmarks.gas_floor import Measured
from tests.benchmarks.gas_market import CHAIN_ID, REGION, UNIT, Market

FOREVER = 2**40
DOMAIN = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
PERMIT = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}


def accounts(market: Market) -> Iterator[Measured]:
    """Deposit and withdraw."""
    exchange, tenant, newcomer, provider = market.exchange, market.tenant, market.newcomer, market.account_of(1)
    yield _send(exchange, "deposit", tenant, tenant, UNIT)
    yield _send(exchange, "deposit", tenant, provider, UNIT, variant="_for_provider")
    yield _permit(market, nonce=0, variant="_first_use")
    yield _permit(market, nonce=1)
    yield _send(exchange, "withdraw", tenant, tenant, UNIT)
    yield _send(exchange, "withdraw_to", tenant, tenant, UNIT, market.permitter)
    yield _send(exchange, "withdraw", market.owner, provider, UNIT, variant="_first_use_of_provider")

    everything = int.from_bytes(exchange.read("account", newcomer)[:32])
    yield _send(exchange, "withdraw", newcomer, newcomer, everything, variant="_everything")
    market.token.send(newcomer, "approve", exchange.address, 2**256 - 1)
    yield _send(exchange, "deposit", newcomer, newcomer, UNIT // 2, variant="_first_use")


def _send(contract: Contract, name: str, sender: str, *arguments: object, variant: str = "") -> Measured:
    with contract.chain.measuring():
        return Measured(name + variant, name, contract.send(sender, name, *arguments))


def _permit(market: Market, nonce: int, variant: str = "") -> Measured:
    """Deposit with a permit; an allowance that does not run out would be read and not replaced, so there is none."""
    signed = {
        "primaryType": "Permit",
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in DOMAIN.items()],
            "Permit": [{"name": name, "type": kind} for name, kind in PERMIT.items()],
        },
        "domain": {"name": "Moorage", "version": "1", "chainId": CHAIN_ID, "verifyingContract": market.token.address},
        "message": {
            "owner": market.permitter,
            "spender": market.exchange.address,
            "value": str(UNIT),
            "nonce": nonce,
            "deadline": FOREVER,
        },
    }
    signature = bytes.fromhex(market.chain.call("eth_signTypedData_v4", market.permitter, signed)[2:])
    parts = (FOREVER, signature[64], signature[:32], signature[32:64])
    return _send(
        market.exchange, "deposit_with_permit", market.permitter, market.permitter, UNIT, *parts, variant=variant
    )


def providers(market: Market) -> Iterator[Measured]:
    """Register, change and give away a provider."""
    registry, owner = market.registry, market.owner
    with market.chain.measuring():
        receipt: Receipt = market.register_provider()
    yield Measured("register_provider", "register_provider", receipt)
    number = int.from_bytes(registry.read("provider_count"))
    profile = (number, REGION, "https://provider.example:8443", "{}")
    yield _send(registry, "update_provider", owner, *profile)
    yield _send(registry, "advertise", market.operator, number, 64_000, 2**38, 2**41, UNIT)
    yield _send(registry, "advertise", owner, number, 64_000, 2**38, 2**41, UNIT, variant="_by_owner")
    yield _send(registry, "set_operator", owner, number, market.stranger)
    yield _send(registry, "set_collateral_cap", owner, number, UNIT)
    second = 500 * b"s"
    yield _send(registry, "add_root", owner, number, second)
    yield _send(registry, "remove_root", owner, number, keccak(second))
    yield _send(registry, "transfer_ownership", owner, number, market.tenant)
    yield _send(registry, "accept_ownership", market.tenant, number)
    yield _send(registry, "deregister_provider", market.tenant, number)
