"""A market on a chain: its contracts, a tenant, a provider, a facilitator, and what they send."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.benchmarks.gas_chain import Chain, Receipt
from tests.benchmarks.gas_contracts import Artifact, Contract, deploy
from tests.benchmarks.gas_trace import Slot

CONTRACTS = ("Exchange", "ProviderRegistry", "MoorageToken")

CHAIN_ID = 31_337
UNIT = 10**18
INTEREST_RATE = 10**9
PERIOD_BLOCKS = 100
GRACE_BLOCKS = 50
WAIT_BLOCKS = 10
TIP = UNIT // 20
REGION = 1
PRICE = 2 * 10**13
COLLATERAL = 5 * UNIT
DEPOSIT = UNIT

RESOURCE = "(uint256,uint256,uint256,uint256,uint256,uint256)"
KEY = "(bytes32,bytes32,uint256,bytes32)"
Key = tuple[bytes, bytes, int, bytes]
Group = tuple[bytes, int, bool, list[tuple[int, int, int, int, int, int]]]


@dataclass(frozen=True, slots=True)
class Order:
    """An order, which becomes a lease."""

    key: Key
    group: Group

    @property
    def deployment(self) -> bytes:
        return self.key[0]

    @property
    def id(self) -> bytes:
        return keccak(encode([KEY], [self.key]))

    def replacement(self) -> Order:
        """Return the order that takes the place of this one's stale lease."""
        return Order((self.key[0], self.id, *self.key[2:]), self.group)


def group(name: str, persist: bool) -> Group:
    """Return what an order asks for: one resource group of one compute unit."""
    return (name.encode().ljust(32, b"\0"), REGION, persist, [(500, 512 * 2**20, 10**9, PRICE, COLLATERAL, 1)])


class Market:
    """The deployed contracts, a provider, and who acts on them."""

    provider = 1

    def __init__(self, chain: Chain, artifacts: dict[str, Artifact]) -> None:
        self.chain = chain
        self._salt = 0
        self.tenant, self.owner, self.operator, self.facilitator = chain.accounts()[:4]
        token = deploy(chain, self.tenant, artifacts["MoorageToken"], 10**9 * UNIT)
        self.registry = deploy(chain, self.tenant, artifacts["ProviderRegistry"], 10)
        parameters = (token.address, self.registry.address, PERIOD_BLOCKS, INTEREST_RATE, TIP, GRACE_BLOCKS, 32)
        self.exchange = deploy(chain, self.tenant, artifacts["Exchange"], *parameters)
        profile = (self.operator, REGION, 2**90 - 1, "https://provider.example:8443", "{}", b"certificate")
        self.registry.send(self.owner, "register_provider", *profile)
        token.send(self.tenant, "approve", self.exchange.address, 2**256 - 1)
        for account in (self.tenant, f"0x{self.provider:040x}"):
            self.exchange.send(self.tenant, "deposit", account, 10**6 * UNIT)

    # ---------------------------------------------------------------- transactions

    def submit_deployment(self, *groups: Group) -> tuple[Receipt, list[Order]]:
        self._salt += 1
        salt = keccak(self._salt.to_bytes(32))
        version = keccak(salt)
        deposits = [DEPOSIT] * len(groups)
        receipt = self.exchange.send(self.tenant, "submit_deployment", salt, version, WAIT_BLOCKS, groups, deposits)
        where = (CHAIN_ID, self.exchange.address, self.tenant, salt)
        deployment = keccak(encode(["uint256", "address", "address", "bytes32"], where))
        return receipt, [self._order(deployment, nonce, group) for nonce, group in enumerate(groups)]

    def _order(self, deployment: bytes, nonce: int, group: Group) -> Order:
        name, regions, persist, resources = group
        collateral = sum(unit[4] * unit[5] for unit in resources)
        charge = sum(unit[3] * unit[5] for unit in resources) + collateral * INTEREST_RATE // UNIT
        terms = charge | collateral << 80 | WAIT_BLOCKS << 176 | regions << 208 | persist << 240
        resources_hash = keccak(encode(["bytes32", f"{RESOURCE}[]"], [name, resources]))
        return Order((deployment, nonce.to_bytes(32), terms, resources_hash), group)

    def submit_fulfillment(self, order: Order) -> Receipt:
        deployment, nonce, _, _ = order.key
        bid = (self.provider, deployment, nonce, WAIT_BLOCKS, order.group, [PRICE * 9 // 10], 0)
        return self.exchange.send(self.operator, "submit_fulfillment", *bid)

    def submit_lease(self, *orders: Order) -> Receipt:
        self.chain.mine(WAIT_BLOCKS)
        return self.exchange.send(self.facilitator, "submit_lease", [order.key for order in orders])

    def submit_lease_confirmation(self, *orders: Order) -> Receipt:
        ids = [order.id for order in orders]
        return self.exchange.send(self.operator, "submit_lease_confirmation", self.provider, ids)

    def submit_stale_lease(self, order: Order) -> Receipt:
        self.chain.mine(PERIOD_BLOCKS + 1)
        return self.exchange.send(self.facilitator, "submit_stale_lease", [order.key])

    def close_deployment(self, order: Order) -> Receipt:
        return self.exchange.send(self.tenant, "close_deployment", order.deployment, [order.key])

    def confirm_closed(self, order: Order) -> Receipt:
        return self.exchange.send(self.operator, "confirm_closed", self.provider, [order.key])

    def claim(self, order: Order) -> Receipt:
        return self.exchange.send(self.facilitator, "claim", [order.id])

    # ---------------------------------------------------------------- words

    def words(self, order: Order, *further: Order) -> dict[Slot, str]:
        """Return the words that a transaction on these orders may touch."""
        exchange, registry = self.exchange, self.registry
        names = {
            _slot(exchange, "deployments.words", order.deployment): "deployment",
            _slot(exchange, "ledger.words", bytes.fromhex(self.tenant[2:])): "tenant's account",
            _slot(exchange, "ledger.words", bytes.fromhex(self.facilitator[2:])): "facilitator's account",
            _slot(exchange, "ledger.words", self.provider.to_bytes(32)): "provider's account",
            _slot(registry, "operators", self.provider.to_bytes(32)): "operator, region and cap",
        }
        for each in (order, *further):
            names[_slot(exchange, "order_book.words", each.id)] = "order or lease"
            fulfillment = _slot(exchange, "order_book.fulfillments", each.id, self.provider.to_bytes(32))
            names[fulfillment] = "fulfillment"
        names[_slot(exchange, "order_book.words", order.replacement().id)] = "replacing order"
        return names


def _slot(contract: Contract, variable: str, *keys: bytes) -> Slot:
    """Return where Vyper keeps an entry of a mapping: keccak256(slot, key), once for each key."""
    number = contract.artifact.slots[variable].to_bytes(32)
    for key in keys:
        number = keccak(number + key.rjust(32, b"\0"))
    return Slot(contract.address, int.from_bytes(number))
