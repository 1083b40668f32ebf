"""A market on a chain: its contracts, tenants, providers, facilitators, and what they send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

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
BID = PRICE * 9 // 10
COLLATERAL = 5 * UNIT
DEPOSIT = UNIT
SMALLEST_DEPOSIT = 2 * PERIOD_BLOCKS * (PRICE + COLLATERAL * INTEREST_RATE // UNIT) + TIP
PROVIDERS = 34  # two more than a book has places: one that comes last, and a newcomer

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


def groups(count: int, persist: bool = False) -> list[Group]:
    return [group(f"group-{number}", persist) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Parties:
    """Who acts: accounts of the chain, and a provider by its number."""

    tenant: str
    facilitator: str
    provider: int = 1


class Market:
    """The deployed contracts, with accounts that all have been used before."""

    def __init__(self, chain: Chain, artifacts: dict[str, Artifact]) -> None:
        self.chain = chain
        self.names: dict[Slot, str] = {}
        """What each word is that a transaction may touch."""
        self._salt = 0
        accounts = chain.accounts()
        self.owner, self.operator, self.stranger, self.permitter = accounts[2:6]
        self.newcomer, self.new_facilitator = accounts[6:8]
        self.parties = Parties(*accounts[:2])
        self.token = deploy(chain, self.tenant, artifacts["MoorageToken"], 10**9 * UNIT)
        self.registry = deploy(chain, self.tenant, artifacts["ProviderRegistry"], 10)
        parameters = (self.token.address, self.registry.address, PERIOD_BLOCKS, INTEREST_RATE, TIP, GRACE_BLOCKS, 32)
        self.exchange = deploy(chain, self.tenant, artifacts["Exchange"], *parameters)
        for tenant in (self.tenant, self.newcomer, self.permitter):
            self.name("ledger.words", tenant, "tenant's account")
        for facilitator in (self.facilitator, self.new_facilitator, self.owner):
            self.name("ledger.words", facilitator, "facilitator's account")
        self.name("ledger.words", self.stranger, "giver's account")
        self._name_tokens(accounts)
        self.token.send(self.tenant, "approve", self.exchange.address, 2**256 - 1)
        for number in range(1, PROVIDERS):
            self.register_provider()
            self.deposit(self.account_of(number), 10**6 * UNIT)
        self.token.send(self.tenant, "transfer", self.permitter, 3 * UNIT)
        for account in (self.tenant, self.facilitator, self.stranger, self.owner):
            self.deposit(account, 10**6 * UNIT)

    @property
    def tenant(self) -> str:
        return self.parties.tenant

    @property
    def facilitator(self) -> str:
        return self.parties.facilitator

    @property
    def provider(self) -> int:
        return self.parties.provider

    @staticmethod
    def account_of(provider: int) -> str:
        return f"0x{provider:040x}"

    @contextmanager
    def acting(self, **parties: str | int) -> Iterator[None]:
        """Let others act for a while."""
        usual = self.parties
        self.parties = replace(usual, **parties)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.parties = usual

    # ---------------------------------------------------------------- words

    def name(self, variable: str, *keys_and_name: str | int | bytes) -> None:
        """Say what an entry of a mapping is: `deployments.words` of the exchange, `operators` of the registry."""
        *keys, name = keys_and_name
        contract = next(each for each in (self.exchange, self.registry, self.token) if variable in each.artifact.slots)
        self.names[_slot(contract, variable, *keys)] = str(name)

    def _name_tokens(self, accounts: Sequence[str]) -> None:
        self.name("balanceOf", self.exchange.address, "exchange's tokens")
        for account in accounts:
            self.name("balanceOf", account, "holder's tokens")
            self.name("allowance", account, self.exchange.address, "allowance")
            self.name("nonces", account, "permit nonce")

    def _name_order(self, order: Order) -> None:
        self.name("deployments.words", order.deployment, "deployment")
        self.name("order_book.words", order.id, "order or lease")
        self.name("order_book.words", order.replacement().id, "replacing order")
        for provider in range(1, PROVIDERS + 1):
            self.name("order_book.fulfillments", order.id, provider, "fulfillment")

    def _name_provider(self, number: int) -> None:
        self.name("ledger.words", self.account_of(number), "provider's account")
        self.name("operators", number, "operator, region and cap")
        self.name("owners", number, "owner")
        self.name("pending_owners", number, "offered owner")
        for slot in (0, 1):
            self.name("fingerprints", number, slot, "root")
            self.name("root_blocks", number, slot, "root's blocks")

    # ---------------------------------------------------------------- accounts and providers

    def deposit(self, account: str, amount: int) -> Receipt:
        return self.exchange.send(self.parties.tenant, "deposit", account, amount)

    def register_provider(self) -> Receipt:
        number = int.from_bytes(self.registry.read("provider_count")) + 1
        self._name_provider(number)
        self.names[Slot(self.registry.address, self.registry.artifact.slots["provider_count"])] = "provider count"
        profile = (self.operator, REGION, 2**90 - 1, "https://provider.example:8443", "{}", 500 * b"r")
        return self.registry.send(self.owner, "register_provider", *profile)

    # ---------------------------------------------------------------- deployments

    def submit_deployment(self, *wanted: Group, deposit: int = DEPOSIT) -> tuple[Receipt, list[Order]]:
        self._salt += 1
        salt = keccak(self._salt.to_bytes(32))
        where = (CHAIN_ID, self.exchange.address, self.tenant, salt)
        deployment = keccak(encode(["uint256", "address", "address", "bytes32"], where))
        orders = [self._order(deployment, nonce, each) for nonce, each in enumerate(wanted)]
        arguments = (salt, keccak(salt), WAIT_BLOCKS, wanted, [deposit] * len(wanted))
        return self.exchange.send(self.tenant, "submit_deployment", *arguments), orders

    def update_deployment(
        self,
        deployment: bytes,
        added: Sequence[Group] = (),
        removed: Sequence[Order] = (),
        first_nonce: int = 0,
        sender: str | None = None,
    ) -> tuple[Receipt, list[Order]]:
        orders = [self._order(deployment, first_nonce + index, each) for index, each in enumerate(added)]
        version = bytes(32) if added or removed else keccak(deployment)
        arguments = (deployment, version, added, [DEPOSIT] * len(added), [order.key for order in removed])
        return self.exchange.send(sender or self.tenant, "update_deployment", *arguments), orders

    def _order(self, deployment: bytes, nonce: int, wanted: Group) -> Order:
        name, regions, persist, resources = wanted
        collateral = sum(unit[4] * unit[5] for unit in resources)
        charge = sum(unit[3] * unit[5] for unit in resources) + collateral * INTEREST_RATE // UNIT
        terms = charge | collateral << 80 | WAIT_BLOCKS << 176 | regions << 208 | persist << 240
        resources_hash = keccak(encode(["bytes32", f"{RESOURCE}[]"], [name, resources]))
        order = Order((deployment, nonce.to_bytes(32), terms, resources_hash), wanted)
        self._name_order(order)
        return order

    def close_deployment(self, *orders: Order) -> Receipt:
        keys = [order.key for order in orders]
        return self.exchange.send(self.tenant, "close_deployment", orders[0].deployment, keys)

    # ---------------------------------------------------------------- orders and leases

    def submit_fulfillment(self, order: Order, provider: int = 0, price: int = BID, hint: int = 0) -> Receipt:
        deployment, nonce, _, _ = order.key
        bid = (provider or self.provider, deployment, nonce, WAIT_BLOCKS, order.group, [price], hint)
        return self.exchange.send(self.operator, "submit_fulfillment", *bid)

    def submit_lease(self, *orders: Order) -> Receipt:
        self.chain.mine(WAIT_BLOCKS)
        return self.exchange.send(self.facilitator, "submit_lease", [order.key for order in orders])

    def submit_lease_confirmation(self, *orders: Order) -> Receipt:
        ids = [order.id for order in orders]
        return self.exchange.send(self.operator, "submit_lease_confirmation", self.provider, ids)

    def submit_stale_lease(self, *orders: Order) -> Receipt:
        self.chain.mine(PERIOD_BLOCKS + 1)
        return self.exchange.send(self.facilitator, "submit_stale_lease", [order.key for order in orders])

    def confirm_closed(self, *orders: Order) -> Receipt:
        keys = [order.key for order in orders]
        return self.exchange.send(self.operator, "confirm_closed", self.provider, keys)

    def finish_leases(self, *orders: Order) -> Receipt:
        self.chain.mine(GRACE_BLOCKS + 1)
        return self.exchange.send(self.facilitator, "finish_leases", [order.key for order in orders])

    def claim(self, *orders: Order) -> Receipt:
        return self.exchange.send(self.facilitator, "claim", [order.id for order in orders])

    # ---------------------------------------------------------------- in short

    def orders(self, count: int, persist: bool = False) -> list[Order]:
        """Order so many groups, up to eight in a deployment."""
        found: list[Order] = []
        while len(found) < count:
            found += self.submit_deployment(*groups(min(8, count - len(found)), persist))[1]
        return found

    def leased(self, count: int = 1, persist: bool = False) -> list[Order]:
        """Return leases that await their first confirmation."""
        found = self.orders(count, persist)
        for order in found:
            self.submit_fulfillment(order)
        self.submit_lease(*found)
        return found

    def active(self, count: int = 1, persist: bool = False) -> list[Order]:
        """Return leases that have been confirmed once."""
        found = self.leased(count, persist)
        self.submit_lease_confirmation(*found)
        return found

    def closing(self, count: int = 1) -> list[Order]:
        """Return leases that are closing and have earned something."""
        found = self.active(count)
        self.chain.mine(PERIOD_BLOCKS // 2)
        for deployment in dict.fromkeys(order.deployment for order in found):
            self.close_deployment(*(order for order in found if order.deployment == deployment))
        return found


def _slot(contract: Contract, variable: str, *keys: str | int | bytes) -> Slot:
    """Return where Vyper keeps an entry of a mapping: keccak256(slot, key), once for each key."""
    number = contract.artifact.slots[variable].to_bytes(32)
    for key in keys:
        if isinstance(key, str):
            word = bytes.fromhex(key[2:]).rjust(32, b"\0")
        else:
            word = key.to_bytes(32) if isinstance(key, int) else key
        number = keccak(number + word)
    return Slot(contract.address, int.from_bytes(number))
