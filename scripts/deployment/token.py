"""Probes a settlement token before money depends on it: what it says of itself, and how it moves."""

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3

from scripts.deployment import DeploymentRefused
from scripts.deployment.node import Reverted, Unanswered, call

MAX_DECIMALS = 36
MAX_MONEY = 2**96 - 1  # ledger units that an exchange holds

# An address without key or code, in the place of the exchange.
ESCROW = to_checksum_address(keccak(text="moorage.token-probe.escrow")[:20])

# Where an upgradeable proxy keeps its implementation (EIP-1967).
IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC


@dataclass(frozen=True, slots=True)
class TokenFacts:
    decimals: int
    symbol: str
    warnings: tuple[str, ...]
    """What a reviewer should know."""


def probe_token(web3: Web3, token: str, holder: str, probe_code: str) -> TokenFacts:
    """Find out whether a token is one that the exchange can settle in.

    Args:
        web3: Of the chain.
        token: Address of the token.
        holder: Whose tokens are moved, in a simulation.
        probe_code: Runtime code of TokenProbe.

    Raises:
        DeploymentRefused: it is not, or nobody can tell.
    """
    if not web3.eth.get_code(to_checksum_address(token)):
        raise DeploymentRefused(f"token {token}: there is no contract on chain {web3.eth.chain_id}")
    reader = _Token(web3, token)
    decimals = reader.number("decimals()")
    if decimals > MAX_DECIMALS:
        raise DeploymentRefused(f"token {token}: {decimals} decimals, at most {MAX_DECIMALS} are supported")
    supply = reader.number("totalSupply()")
    if supply == 0:
        raise DeploymentRefused(f"token {token}: its supply is zero")
    warnings = [*reader.proxy_warnings(), *_supply_warnings(supply, decimals)]
    balance = reader.number("balanceOf(address)", holder)
    amount = min(balance, max(10**decimals, 1000))  # the smallest fee shows in 1000
    obstacle = reader.move(holder, amount, probe_code) if amount else f"{holder} has none; name a token_holder"
    if obstacle:
        reader.check_zero_transfers(holder)
        warnings.append(f"moved nothing in the probe, a fee on transfers would not have shown: {obstacle}")
    return TokenFacts(decimals, reader.symbol(), tuple(warnings))


@dataclass(frozen=True, slots=True)
class _Token:
    web3: Web3
    address: str

    def number(self, signature: str, *accounts: str) -> int:
        """Call a view that returns a number."""
        try:
            answer = self._call({"to": self.address, "data": _data(signature, *accounts)})
            (value,) = decode(["uint256"], answer)
        except (Reverted, Unanswered, DecodingError) as error:
            raise DeploymentRefused(f"token {self.address}: {signature} does not answer with a number") from error
        return int(value)

    def symbol(self) -> str:
        """Return the symbol, which some old tokens give as bytes32, or nothing."""
        try:
            answer = self._call({"to": self.address, "data": _data("symbol()")})
            text = answer.rstrip(b"\0") if len(answer) == 32 else decode(["string"], answer)[0].encode()
            return "".join(character for character in text.decode() if character.isprintable())
        except (Reverted, Unanswered, DecodingError):
            return ""

    def proxy_warnings(self) -> list[str]:
        word = self.web3.eth.get_storage_at(to_checksum_address(self.address), IMPLEMENTATION_SLOT)
        implementation = bytes(word)[-20:]
        if not any(implementation):
            return []
        return [f"is a proxy of {to_checksum_address(implementation)}: whoever upgrades it can change all of this"]

    def move(self, holder: str, amount: int, probe_code: str) -> str:
        """Move tokens there and back in a simulation.

        Returns:
            Why the node can't simulate that, or nothing.

        Raises:
            DeploymentRefused: it can, and the token failed.
        """
        data = _data("probe(address,address,uint256)", self.address, ESCROW, amount)
        code = {"code": probe_code}
        try:
            answer = self._call({"to": holder, "data": data}, {holder: code, ESCROW: code})
        except Reverted as error:
            raise DeploymentRefused(f"token {self.address}: refused: {error}") from error
        except Unanswered as error:
            return f"the node does not simulate with changed code: {error}"
        return "" if any(answer) else "the node does not simulate with changed code; use another"

    def check_zero_transfers(self, holder: str) -> None:
        """Transfer nothing, which the standard asks tokens to treat as any other transfer."""
        for name, data in (
            ("transfer", _data("transfer(address,uint256)", ESCROW, 0)),
            ("transferFrom", _data("transferFrom(address,address,uint256)", holder, ESCROW, 0)),
        ):
            try:
                answer = self._call({"from": holder, "to": self.address, "data": data})
            except (Reverted, Unanswered) as error:
                raise DeploymentRefused(
                    f"token {self.address}: {name} of nothing reverts, so that it can't be judged: name a token_holder"
                ) from error
            if answer and not any(answer):
                raise DeploymentRefused(f"token {self.address}: {name} answers false")

    def _call(self, transaction: dict[str, Any], overrides: dict[str, Any] | None = None) -> bytes:
        return call(self.web3, transaction, overrides)


def _supply_warnings(supply: int, decimals: int) -> list[str]:
    """An exchange counts what it holds by its balance, and whoever gives it tokens fills it."""
    capacity = MAX_MONEY // 10 ** (18 - min(decimals, 18))
    if supply <= capacity:
        return []
    tokens = capacity // 10**decimals
    return [
        f"has a larger supply than an exchange holds: whoever sends it {tokens:_} tokens stops all further deposits"
    ]


def _data(signature: str, *arguments: str | int) -> str:
    types = signature[signature.index("(") + 1 : -1]
    encoded = encode(types.split(",") if types else [], arguments)
    return "0x" + (keccak(text=signature)[:4] + encoded).hex()
