"""Model and contract of the exchange side by side: a call goes to both, and all that both show is compared."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import boa  # type: ignore[import-untyped]

from tests.matrices.interface import functions
from tests.stateful.evm import (
    FIRST_BLOCK,
    ZERO_ADDRESS,
    Ids,
    Setting,
    address,
    market,
    person,
    refusal_of,
)
from tests.stateful.model import NOBODY, Account, Exchange, Refused, State, Terms

Entity = tuple[Any, ...]
"""A view and what it is asked about."""


@dataclass(frozen=True, eq=False)
class Call:
    """A transaction of the exchange: arguments in the order of the ABI, with the model's names for what they name."""

    name: str
    caller: str
    arguments: tuple[Any, ...]
    what: str = ""  # when there are several of the name

    @property
    def label(self) -> str:
        return f"{self.name}, {self.what}" if self.what else self.name


def call(name: str, caller: str, *arguments: object, what: str = "") -> Call:
    return Call(name, caller, arguments, what)


def answer_to(contract: str, caller: str, data: bytes) -> str | None:
    """Send calldata and return what it is refused with, if it is; the empty text for no text."""
    boa.env.sstore_trace.clear()
    return refusal_of(boa.env.execute_code(to_address=contract, sender=caller, data=data))


class Pair:
    """A market, or the model of one alone: what it refuses is what the contract has to refuse."""

    def __init__(self, setting: Setting, *, is_model_alone: bool = False) -> None:
        self.market = None if is_model_alone else market(setting)
        self.exchange = str(self.market.exchange).lower() if self.market else person("exchange")
        self.registry = str(self.market.registry).lower() if self.market else person("registry")
        self.model: Exchange = setting.model()
        self.ids = Ids(self.market.exchange if self.market else ZERO_ADDRESS, self.model)
        self.set_block(FIRST_BLOCK)
        self._seen = dict(self.expected())  # when model and contract were last compared
        self._written: set[tuple[bytes, ...]] = set()  # by the contract since then

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Take back afterwards what happens within."""
        saved, seen, written = pickle.dumps(self.model), self._seen, set(self._written)
        try:
            with boa.env.anchor() if self.market else nullcontext():
                yield
        finally:
            self.model, self._seen, self._written = pickle.loads(saved), seen, written

    def set_block(self, block: int) -> None:
        self.model.block = block
        if self.market:
            self.market.at(block)

    def do(self, name: str, caller: str, *arguments: object) -> None:
        """Send what has to be accepted; what it does is compared later, with all else."""
        refusal = self._send(call(name, caller, *arguments))
        assert refusal is None, f"{name}: {refusal}"

    def send(self, sent: Call, data: bytes = b"") -> str | None:
        """Send a call to both sides, compare what they have become, and return what it is refused with.

        Args:
            data: what the contract gets, if it is not just the arguments of the call.
        """
        refusal = self._send(sent, data)
        if refusal is None:
            self.compare()
        return refusal

    def _send(self, sent: Call, data: bytes = b"") -> str | None:
        refusal = None
        try:
            self._apply(sent)
        except Refused as refused:
            is_contract = sent.caller in (self.exchange, self.registry)  # these never allow anybody to take tokens
            refusal = refused.text.replace("low balance", "low allowance") if is_contract else refused.text
        if self.market:
            answer = self.answer(sent.caller, data or self.data(sent))
            assert answer == refusal, f"{sent.label}: the contract says {answer!r}, the model {refusal!r}"
            if refusal is None:
                self._written.update(self.market.written())
        return refusal

    def _apply(self, sent: Call) -> None:
        caller, arguments = sent.caller, sent.arguments
        match sent.name:
            case "submit_fulfillment":
                number, name, nonce, wait_duration, group, prices, _hint = arguments
                self.model.submit_fulfillment(caller, number, Terms(name, nonce, wait_duration, group), prices)
            case "deposit_with_permit":
                self.model.deposit(caller, *arguments[:2])
            case "withdraw" | "withdraw_to":
                account, amount, *recipients = arguments
                recipient = recipients[0] if recipients else caller
                is_bad = recipient in (ZERO_ADDRESS, self.exchange)
                self.model.withdraw(caller, account, amount, NOBODY if is_bad else recipient)
            case name:
                getattr(self.model, name)(caller, *arguments)

    def answer(self, caller: str, data: bytes) -> str | None:
        """Send what only the contract can understand, or not."""
        assert self.market
        return answer_to(self.market.exchange, caller, data)

    # -------------------------------------------------------------- encoding

    def data(self, sent: Call) -> bytes:
        return functions("Exchange")[sent.name].encode(self.values(sent))

    def values(self, sent: Call) -> list[Any]:
        """Return the arguments as the ABI has them."""
        kinds = functions("Exchange")[sent.name].kinds
        return [self.ids.encodable(kind, argument) for kind, argument in zip(kinds, sent.arguments, strict=True)]

    # -------------------------------------------------------------- comparing

    def expected(self) -> Iterator[tuple[Entity, object]]:
        """Return all that the views should say."""
        model = self.model
        holders = [holder for holder in model.wallets if int(holder, 16) >= 2**32]  # below are providers' accounts
        return model.views([*model.providers, *holders, *model.accounts])

    def compare(self) -> None:
        """Compare what either side has changed since the last time, the tokens, and the sum of all money."""
        if not self.market:
            return
        after = dict(self.expected())
        changed = {entity for entity in {**self._seen, **after} if self._seen.get(entity) != after.get(entity)}
        named = self._named()
        for keys in self._written:
            changed.update(self._entities_of(keys, named))
        for entity in changed:
            self._compare(*entity)
        self._seen, self._written = after, set()
        for holder in self.market.token_holders_written():
            held = self.model.holdings if holder == self.exchange else self.model.wallets.get(holder, 0)
            assert self.market.tokens(holder) == held
        assert self.model.money() == self.model.holdings * self.model.parameters.scale < 2**96

    def _named(self) -> dict[bytes, Entity]:
        named: dict[bytes, Entity] = {
            self.ids.deployment(name): ("deployment", name) for name in self.model.deployments
        }
        return named | {self.ids.order(terms): ("order", terms) for terms in self.model.orders}

    @staticmethod
    def _entities_of(keys: Sequence[bytes], named: dict[bytes, Entity]) -> Iterable[Entity]:
        """Return the views that show a word that the contract has written."""
        if keys and keys[0][:12] == bytes(12):
            number = int.from_bytes(keys[0], "big")
            return [("account", number if number < 2**32 else address(number))]
        assert keys and keys[0] in named, "the contract has written about something that the model does not have"
        kind, item = named[keys[0]]
        if kind == "deployment":
            return [("manager", item, "0x" + keys[1][-20:].hex())] if len(keys) == 2 else [(kind, item)]
        others = [("fulfillment", item, int.from_bytes(keys[1], "big"))] if len(keys) == 2 else []
        return [("order", item), ("bids", item), ("lease", item), *others]

    def _compare(self, view: str, item: Any, *rest: Any) -> None:
        assert self.market
        asked = address(item) if view == "account" else self.ids.encodable("bytes32", item)
        actual = self.market.view(view, asked, *rest)
        if view == "deployment" and actual[0] == ZERO_ADDRESS:
            actual = (NOBODY, *actual[1:])
        model = getattr(self.model, f"{view}_view")(item, *rest)
        assert actual == model, f"{view}: the contract shows {actual}, the model {model}"

    # -------------------------------------------------------------- what somebody has

    def worth(self, account: Account) -> int:
        """Return what an account has available, and what collateral it has locked."""
        bids = [bid for order in self.model.orders.values() for bid in order.fulfillments.values()]
        locked = sum(bid.collateral for bid in bids if bid.provider == account)
        return self.model.balance(account).available + locked

    def state_of(self, terms: Terms) -> State:
        order = self.model.orders.get(terms)
        return order.state if order else State.UNKNOWN
