"""The contracts in an EVM within this process: markets deployed once, calls encoded, views decoded, writes observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import boa  # type: ignore[import-untyped]
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth_abi.abi import decode, encode
from eth_account import Account as Key
from eth_account.signers.local import LocalAccount
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from tests.bytecode import creation_code
from tests.stateful.model import Account, DeploymentName, Exchange, Group, Parameters, Provider, Terms

RESOURCE = "(uint256,uint256,uint256,uint256,uint256,uint256)"
GROUP = f"(bytes32,uint256,bool,{RESOURCE}[])"
KEY = "(bytes32,bytes32,uint256,bytes32)"
NO_SIGNATURE = 2**255, 27, bytes(32), bytes(32)
"""Deadline, v, r and s of a permit that nobody has signed."""
ERROR = function_signature_to_4byte_selector("Error(string)")
ZERO_ADDRESS = "0x" + 40 * "0"
FIRST_BLOCK = 1_000

ARGUMENTS = {
    # token and registry
    "approve": ["address", "uint256"],
    "permit": ["address", "address", "uint256", "uint256", "uint8", "bytes32", "bytes32"],
    "transfer": ["address", "uint256"],
    "mint": ["address", "uint256"],
    "balanceOf": ["address"],
    "nonces": ["address"],
    "register_provider": ["address", "uint256", "uint256", "string", "string", "bytes"],
    "update_provider": ["uint256", "uint256", "string", "string"],
    "deregister_provider": ["uint256"],
    "set_operator": ["uint256", "address"],
    "set_collateral_cap": ["uint256", "uint256"],
    "transfer_ownership": ["uint256", "address"],
    "accept_ownership": ["uint256"],
    # transactions of the exchange
    "deposit": ["address", "uint256"],
    "deposit_with_permit": ["address", "uint256", "uint256", "uint8", "bytes32", "bytes32"],
    "withdraw": ["address", "uint256"],
    "withdraw_to": ["address", "uint256", "address"],
    "submit_deployment": ["bytes32", "bytes32", "uint256", f"{GROUP}[]", "uint256[]"],
    "update_deployment": ["bytes32", "bytes32", f"{GROUP}[]", "uint256[]", f"{KEY}[]"],
    "close_deployment": ["bytes32", f"{KEY}[]"],
    "deployment_closed": ["bytes32[]"],
    "set_manager": ["bytes32", "address", "uint256", "uint256", "uint256"],
    "submit_fulfillment": ["uint256", "bytes32", "bytes32", "uint256", GROUP, "uint256[]", "uint256"],
    "cancel_fulfillment": ["uint256", KEY],
    "release_fulfillments": ["bytes32", "uint256[]"],
    "submit_lease": [f"{KEY}[]"],
    "submit_lease_confirmation": ["uint256", "bytes32[]"],
    "claim": ["bytes32[]"],
    "fund": [KEY, "uint256"],
    "submit_stale_lease": [f"{KEY}[]"],
    "confirm_closed": ["uint256", f"{KEY}[]"],
    "finish_leases": [f"{KEY}[]"],
    # views of the exchange
    "account": ["address"],
    "deployment": ["bytes32"],
    "manager": ["bytes32", "address"],
    "order": ["bytes32"],
    "bids": ["bytes32"],
    "fulfillment": ["bytes32", "uint256"],
    "lease": ["bytes32"],
}
RESULTS = {
    "balanceOf": ["uint256"],
    "nonces": ["uint256"],
    "account": ["uint256", "uint256"],
    "deployment": ["address", *5 * ["uint256"]],
    "manager": 3 * ["uint256"],
    "order": 5 * ["uint256"],
    "bids": ["(uint256,uint256,uint256)[]"],
    "fulfillment": 3 * ["uint256"],
    "lease": [*4 * ["uint256"], "bool", *4 * ["uint256"], "bool", "bool"],
}
PERMIT = [
    {"name": name, "type": kind}
    for name, kind in (
        *(("owner", "address"), ("spender", "address")),
        *(("value", "uint256"), ("nonce", "uint256"), ("deadline", "uint256")),
    )
]
SELECTORS = {name: function_signature_to_4byte_selector(f"{name}({','.join(ARGUMENTS[name])})") for name in ARGUMENTS}


@cache
def signer(role: str) -> LocalAccount:
    """Return the key of somebody with a role."""
    account: LocalAccount = Key.from_key(keccak(text=role))
    return account


def person(role: str) -> str:
    """Return the address of somebody with a role."""
    return str(signer(role).address).lower()


def address(account: Account) -> str:
    return f"0x{account:040x}" if isinstance(account, int) else account


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass(frozen=True, eq=False)
class Setting:
    """What a market is like when a run begins."""

    name: str
    decimals: int
    parameters: Parameters
    wallets: dict[str, int]  # base units
    providers: tuple[Provider, ...]  # numbered from 1
    deposits: tuple[tuple[str, Account, int], ...]  # payer, account, base units

    def model(self) -> Exchange:
        """Return the model of a market in this setting."""
        providers = {
            number: Provider(item.owner, item.operator, item.region, item.cap)
            for number, item in enumerate(self.providers, start=1)
        }
        model = Exchange(self.parameters, FIRST_BLOCK, dict(self.wallets), providers)
        for payer, account, amount in self.deposits:
            model.deposit(payer, account, amount)
        return model


class Log(NamedTuple):
    address: str  # in lower case
    topics: list[bytes]
    data: bytes


class Market:
    """A token, a registry and an exchange, deployed and set up."""

    def __init__(self, setting: Setting, token: Address | None = None) -> None:
        """Open the market.

        Args:
            setting: what it is like.
            token: of which the deployer has enough for all wallets; by default a standard one.
        """
        self.setting = setting
        self.logs: list[Log] = []  # of the last transaction
        self.opening_logs: list[tuple[int, list[Log]]] = []
        self.at(FIRST_BLOCK)
        self.token = token or create_token("testing/StandardToken", setting)
        self.registry = create("ProviderRegistry", ["uint256"], [0])
        given = setting.parameters
        numbers = [given.period, given.interest_rate, given.tip, given.grace, given.max_fulfillments]
        types = ["address", "address", *5 * ["uint256"]]
        self.exchange = create("Exchange", types, [self.token, self.registry, *numbers])
        self._set_up(setting)

    def _set_up(self, setting: Setting) -> None:
        for owner, amount in setting.wallets.items():
            self._must(self.token, "transfer", boa.env.eoa, owner, amount)
            self._must(self.token, "approve", owner, self.exchange, 2**255)
        for provider in setting.providers:
            what = provider.operator, provider.region, provider.cap, "https://a", "", b"certificate"
            self._must(self.registry, "register_provider", provider.owner, *what)
        for payer, account, amount in setting.deposits:
            self._must(self.exchange, "deposit", payer, address(account), amount)
            self.opening_logs.append((FIRST_BLOCK, self.logs))

    def _must(self, contract: Address, name: str, sender: str, *arguments: object) -> None:
        refusal = self.send(contract, name, sender, *arguments)
        assert refusal is None, refusal

    @staticmethod
    def at(block: int) -> None:
        """Go to a height."""
        boa.env.evm.patch.block_number = block

    def send(self, contract: Address, name: str, sender: str, *arguments: object) -> str | None:
        """Send a transaction and return what it is refused with, if it is; the empty text for no text."""
        return refusal_of(self.execute(contract, name, sender, *arguments))

    def execute(self, contract: Address, name: str, sender: str, *arguments: object) -> Any:
        """Send a transaction and return all that happens in it."""
        boa.env.sstore_trace.clear()
        result = _call(contract, sender, name, arguments, is_modifying=True)
        self.logs = _logs(result)
        return result

    def view(self, name: str, *arguments: object) -> Any:
        """Return what a view of the exchange says: the value, or a tuple of values."""
        return self._read(self.exchange, name, arguments)

    def tokens(self, owner: str) -> int:
        """Return what somebody has of the token, in base units."""
        return int(self._read(self.token, "balanceOf", (owner,)))

    def nonce(self, owner: str) -> int:
        """Return how many permits of somebody the token has taken."""
        return int(self._read(self.token, "nonces", (owner,)))

    def _read(self, contract: Address, name: str, arguments: Sequence[object]) -> Any:
        result = _call(contract, ZERO_ADDRESS, name, arguments, is_modifying=False)
        assert not result.is_error, f"the view {name} fails"
        values = decode(RESULTS[name], result.output)
        return values[0] if len(values) == 1 else values

    def written(self) -> list[tuple[bytes, ...]]:
        """Return the keys of the maps' words that the last transaction wrote, the outermost map's key first."""
        slots = boa.env.sstore_trace.get(self.exchange, ())
        return [_keys(word(slot)) for slot in slots]

    def token_holders_written(self) -> list[str]:
        """Return whose words in the token's one-level maps the last transaction wrote."""
        paths = [_keys(word(slot)) for slot in boa.env.sstore_trace.get(self.token, ())]
        return ["0x" + path[0][-20:].hex() for path in paths if len(path) == 1]


def _logs(computation: Any) -> list[Log]:
    entries = computation.get_raw_log_entries()
    return [Log("0x" + by.hex(), [word(topic) for topic in topics], data) for _, by, topics, data in entries]


def _keys(slot: bytes) -> tuple[bytes, ...]:
    preimage = boa.env.sha3_trace.get(slot)
    return (*_keys(preimage[:32]), preimage[32:]) if preimage else ()


@cache
def market(setting: Setting) -> Market:
    """Return the market of a setting; each is deployed once, before the first test."""
    boa.env.enable_fast_mode()
    return Market(setting)


def create_token(contract: str, setting: Setting) -> Address:
    """Create a token below contracts/testing, all of which belongs to the deployer."""
    return create(contract, ["uint256", "uint8"], [1 + sum(setting.wallets.values()), setting.decimals])


def create(contract: str, types: list[str], arguments: list[object]) -> Address:
    created, computation = boa.env.deploy(bytecode=creation_code(contract) + encode(types, arguments))
    assert not computation.is_error, computation.error
    return created


def _call(contract: Address, sender: str, name: str, arguments: Sequence[object], *, is_modifying: bool) -> Any:
    data = SELECTORS[name] + encode(ARGUMENTS[name], arguments)
    return boa.env.execute_code(to_address=contract, sender=sender, data=data, is_modifying=is_modifying)


def refusal_of(result: Any) -> str | None:
    """Return what a transaction is refused with, if it is; the empty text for no text."""
    if not result.is_error:
        return None
    return str(decode(["string"], result.output[4:])[0]) if result.output[:4] == ERROR else ""


def permit(market: Market, key: LocalAccount, owner: str, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
    """Sign that the exchange may take tokens of an owner, and return v, r and s."""
    domain = {"name": "Test token", "version": "1", "chainId": boa.env.evm.patch.chain_id}
    message = {
        "owner": owner,
        "spender": market.exchange,
        "value": amount,
        "nonce": market.nonce(owner),
        "deadline": deadline,
    }
    signed = key.sign_typed_data({**domain, "verifyingContract": market.token}, {"Permit": PERMIT}, message)
    return signed.v, word(signed.r), word(signed.s)


# ------------------------------------------------------------------ ids


class Ids:
    """Ids and keys of one exchange, as section 1 of the protocol defines them."""

    def __init__(self, exchange: str, model: Exchange) -> None:
        self._exchange = exchange
        self._model = model
        self._chain_id = boa.env.evm.patch.chain_id
        self._deployments: dict[DeploymentName, bytes] = {}
        self._keys: dict[Terms, tuple[bytes, bytes, int, bytes]] = {}
        self._orders: dict[Terms, bytes] = {}

    def deployment(self, name: DeploymentName) -> bytes:
        if name not in self._deployments:
            types = ["uint256", "address", "address", "bytes32"]
            values = [self._chain_id, self._exchange, name.tenant, word(name.salt)]
            self._deployments[name] = keccak(encode(types, values))
        return self._deployments[name]

    def nonce(self, nonce: int | Terms) -> bytes:
        return word(nonce) if isinstance(nonce, int) else self.order(nonce)

    def key(self, terms: Terms) -> tuple[bytes, bytes, int, bytes]:
        if terms not in self._keys:
            group = terms.group
            packed = self._model.max_charge(group) | self._model.collateral(group) << 80 | terms.wait_duration << 176
            packed |= group.regions << 208 | group.persist << 240
            name, _, _, units = words_of(group)
            resources = keccak(encode(["bytes32", f"{RESOURCE}[]"], [name, units]))
            self._keys[terms] = (self.deployment(terms.deployment), self.nonce(terms.nonce), packed, resources)
        return self._keys[terms]

    def disguise(self, terms: Terms, key: tuple[bytes, bytes, int, bytes]) -> None:
        """Have another key sent for these terms, which no order has."""
        self._keys[terms] = key

    def order(self, terms: Terms) -> bytes:
        if terms not in self._orders:
            self._orders[terms] = keccak(encode([KEY], [self.key(terms)]))
        return self._orders[terms]

    def encodable(self, kind: str, value: Any) -> Any:
        """Return an argument of a type as the contract takes it, given what the model calls it."""
        match value:
            case list():
                return [self.encodable(kind.removesuffix("[]"), each) for each in value]
            case Terms():
                return self.key(value) if kind == KEY else self.order(value)
            case DeploymentName():
                return self.deployment(value)
            case Group():
                return words_of(value)
            case int() if kind in ("bytes32", "address"):
                return word(value) if kind == "bytes32" else address(value)
        return value


def words_of(group: Group) -> tuple[bytes, int, bool, list[tuple[int, int, int, int, int, int]]]:
    """Return a group as it is encoded."""
    units = [
        (unit.milli_cpu, unit.memory_bytes, unit.disk_bytes, unit.price, unit.collateral, unit.count)
        for unit in group.resources
    ]
    return group.name, group.regions, group.persist, units
