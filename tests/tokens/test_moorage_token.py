"""Our own token is an ERC-20 with permits: three holders do anything with it, and a table says what they must have."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from random import Random, SystemRandom
from typing import Any

import boa  # type: ignore[import-untyped]
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from tests.bytecode import functions
from tests.contracts.token.permits import Permit
from tests.stateful.evm import ZERO_ADDRESS, create, refusal_of

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MAX_WORD = 2**256 - 1
SIGNERS = [Account.from_key(keccak(text=f"holder {number}")) for number in range(3)]
HOLDERS = [str(signer.address).lower() for signer in SIGNERS]
RUNS = 1_000 if IS_LONG else 15
STEPS = 50

FUNCTIONS = {
    "transfer": "address,uint256",
    "transferFrom": "address,address,uint256",
    "approve": "address,uint256",
    "permit": "address,address,uint256,uint256,uint8,bytes32,bytes32",
}
VIEWS = {
    "balanceOf": "address",
    "allowance": "address,address",
    "nonces": "address",
    "totalSupply": "",
}
CONSTANTS = {"name", "symbol", "decimals", "DOMAIN_SEPARATOR"}


class ThreeHolders:
    """Three holders of all the tokens there are, and what each must have."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.outcomes: Counter[tuple[str, str | None]] = Counter()
        self.supply = self.chance.choice([1, 10, 10**24, 2**96 - 1])
        self.token = create("MoorageToken", ["uint256"], [self.supply])
        self.bad_receivers = ZERO_ADDRESS, str(self.token).lower()
        self.domain = {
            "name": "Moorage",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": self.token,
        }
        deployer = str(boa.env.eoa).lower()
        self.balances: dict[str, int] = defaultdict(int, {deployer: self.supply})
        self.allowances: dict[tuple[str, str], int] = defaultdict(int)
        self.nonces: dict[str, int] = defaultdict(int)
        self.move("transfer", deployer, deployer, HOLDERS[0], self.supply)

    def act(self, steps: int) -> None:
        """Do something rightly or wrongly, and again."""
        for _ in range(steps):
            self.chance.choice([self.transfer, self.transfer, self.transfer_from, self.approve, self.permit])()

    # -------------------------------------------------------------- what holders do

    def transfer(self) -> None:
        sender = self.chance.choice(HOLDERS)
        self.move("transfer", sender, sender, self.somebody(), self.amount(sender, sender))

    def transfer_from(self) -> None:
        owner, spender = self.chance.choice(HOLDERS), self.chance.choice(HOLDERS)
        self.move("transferFrom", spender, owner, self.somebody(), self.amount(owner, spender))

    def move(self, name: str, caller: str, payer: str, receiver: str, amount: int) -> None:
        refusal, arguments = None, (receiver, amount)
        if self.balances[payer] < amount:
            refusal = "token: insufficient balance"
        if receiver in self.bad_receivers:
            refusal = "token: bad receiver"
        allowed = self.allowances[payer, caller]
        if name == "transferFrom":
            refusal = "token: insufficient allowance" if allowed < amount else refusal
            arguments = (payer, receiver, amount)
        if self.send(name, caller, arguments, refusal, ("Transfer", payer, receiver, amount)):
            self.balances[payer] -= amount
            self.balances[receiver] += amount
            if name == "transferFrom" and allowed < MAX_WORD:
                self.allowances[payer, caller] -= amount
            self.compare({payer, receiver}, {(payer, caller)})

    def approve(self) -> None:
        owner, spender = self.chance.choice(HOLDERS), self.somebody()
        amount = self.amount(owner, spender)
        refusal = "token: bad spender" if spender == ZERO_ADDRESS else None
        if self.send("approve", owner, (spender, amount), refusal, ("Approval", owner, spender, amount)):
            self.allowances[owner, spender] = amount
            self.compare({owner}, {(owner, spender)})

    def permit(self) -> None:
        number, spender = self.chance.randrange(3), self.somebody()
        owner = HOLDERS[number]
        amount = self.amount(owner, spender)
        lateness = self.chance.choice([-1, 0, 0, 0, 1])
        nonce = self.nonces[owner] + self.chance.choice([0, 0, 0, 0, 1])
        signer = SIGNERS[(number + self.chance.choice([0, 0, 0, 0, 1])) % 3]
        signed = Permit(owner, spender, amount, nonce, boa.env.evm.patch.timestamp - lateness)
        v, r, s = signed.sign(signer, self.domain)
        refusal = "token: bad spender" if spender == ZERO_ADDRESS else None
        if nonce != self.nonces[owner] or signer is not SIGNERS[number]:
            refusal = "token: bad signature"
        refusal = "token: permit expired" if lateness > 0 else refusal
        arguments = *signed.arguments, v, r.to_bytes(32, "big"), s.to_bytes(32, "big")
        sender = self.chance.choice(HOLDERS)
        if self.send("permit", sender, arguments, refusal, ("Approval", owner, spender, amount)):
            self.allowances[owner, spender] = amount
            self.nonces[owner] += 1
            self.compare({owner}, {(owner, spender)})

    def somebody(self) -> str:
        """Choose a holder, now and then nobody or the token itself."""
        return self.chance.choice([*HOLDERS, *HOLDERS, *HOLDERS, *self.bad_receivers])

    def amount(self, payer: str, spender: str) -> int:
        balance, allowed = self.balances[payer], self.allowances[payer, spender]
        amounts = [balance, balance // 2, allowed, 0, 1, balance + 1, min(allowed + 1, MAX_WORD), MAX_WORD]
        return self.chance.choice([*2 * amounts[:3], *amounts])

    # -------------------------------------------------------------- how that is told

    def send(
        self,
        name: str,
        caller: str,
        arguments: tuple[Any, ...],
        refusal: str | None,
        event: tuple[str, str, str, int],
    ) -> bool:
        """Send a transaction: it is refused with this text, or answers as it should and has this one event."""
        self.outcomes[name, refusal] += 1
        data = function_signature_to_4byte_selector(f"{name}({FUNCTIONS[name]})")
        data += encode(FUNCTIONS[name].split(","), arguments)
        result = boa.env.execute_code(to_address=self.token, sender=caller, data=data)
        assert refusal_of(result) == refusal
        if refusal is not None:
            return False
        assert result.output == (b"" if name == "permit" else encode(["bool"], [True]))
        assert [event_of(entry) for entry in result.get_log_entries()] == [event]
        return True

    # -------------------------------------------------------------- what is compared

    def compare(self, holders: set[str], pairs: set[tuple[str, str]]) -> None:
        for holder in holders:
            assert self.view("balanceOf", holder) == self.balances[holder]
            assert self.view("nonces", holder) == self.nonces[holder]
        for pair in pairs:
            assert self.view("allowance", *pair) == self.allowances[pair]

    def compare_all(self) -> None:
        everybody = {*self.balances, *HOLDERS, *self.bad_receivers}
        self.compare(everybody, {(owner, spender) for owner in everybody for spender in everybody})
        assert sum(self.balances.values()) == self.view("totalSupply") == self.supply

    def view(self, name: str, *arguments: str) -> int:
        types = VIEWS[name].split(",") if VIEWS[name] else []
        data = function_signature_to_4byte_selector(f"{name}({VIEWS[name]})") + encode(types, arguments)
        result = boa.env.execute_code(to_address=self.token, data=data, is_modifying=False)
        return int(decode(["uint256"], result.output)[0])


def event_of(entry: Any) -> tuple[str, str, str, int]:
    """Return an ERC-20's event: its name, both addresses and the amount."""
    _, (topic, *parties), data = entry
    (name,) = (each for each in ("Transfer", "Approval") if _topic(each) == topic)
    first, second = (f"0x{party:040x}" for party in parties)
    return name, first, second, int(decode(["uint256"], data)[0])


def _topic(name: str) -> int:
    return int.from_bytes(keccak(text=f"{name}(address,address,uint256)"), "big")


def test_a13_token__anything_that_three_holders_do__is_as_the_standard_says() -> None:
    outcomes: Counter[tuple[str, str | None]] = Counter()
    first = SystemRandom().getrandbits(32) if IS_LONG else 0
    for seed in range(first, first + RUNS):
        print(f"seed {seed}")
        with boa.env.anchor():
            holders = ThreeHolders(seed)
            holders.act(STEPS)
            holders.compare_all()
        outcomes += holders.outcomes

    accepted = {name for name, refusal in outcomes if refusal is None}
    refusals = {refusal for _, refusal in outcomes if refusal is not None}
    assert accepted == FUNCTIONS.keys()
    assert len(refusals) == 6  # each that there is


def test_a13_token__its_functions__are_those_of_the_standard_and_nobody_can_mint() -> None:
    assert {each["name"] for each in functions("MoorageToken")} == FUNCTIONS.keys() | VIEWS.keys() | CONSTANTS
