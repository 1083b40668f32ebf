"""The model and the contract side by side: what is sent to both, and what is compared after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, ClassVar, TypeVar

import boa  # type: ignore[import-untyped]
from hypothesis import currently_in_test_context, note
from hypothesis.stateful import RuleBasedStateMachine

from tests.stateful.evm import FIRST_BLOCK, ZERO_ADDRESS, Ids, Setting, address, market, word
from tests.stateful.model import (
    NOBODY,
    DeploymentName,
    Lease,
    Order,
    Refused,
    State,
    Terms,
)
from tests.stateful.observer import VIEWS, Observer
from tests.stateful.settings import (
    PEOPLE,
    ROLES,
    STRANGER,
)

UNKNOWN_DEPLOYMENT = DeploymentName(STRANGER, 99)
T = TypeVar("T")
Entity = tuple[Any, ...]


class SideBySide(RuleBasedStateMachine):
    """One exchange and its model in a run of random choices."""

    seed: ClassVar[int] = 0  # of a few runs: Hypothesis likes to repeat its draws, and does so from its first on

    def __init__(self) -> None:
        super().__init__()
        self.is_sound = False  # model and contract agree so far, and nothing is under way
        self.is_hasty = False  # views are compared later: at the beginning and at the end of a run
        self.snapshot: Any = None

    # -------------------------------------------------------------- a run

    def begin(self, setting: Setting) -> None:
        """Take the market of a setting as it was when it was opened."""
        self.market = market(setting)
        self.numbers: Sequence[int] = range(1, len(setting.providers) + 1)
        self.snapshot = boa.env.evm.snapshot()
        boa.env.sha3_trace.clear()  # it would grow with each run
        self.model = setting.model()
        self.observer = Observer(self.market)
        self.ids = Ids(self.market.exchange, self.model)
        self.deployment_count = 0
        self.sent_tokens = 0  # base units that came without a deposit
        self.names: dict[bytes, Entity] = {}
        for account in [*PEOPLE, *self.numbers]:
            self.names[bytes.fromhex(address(account)[2:]).rjust(32, b"\0")] = ("account", account)
        self.set_block(FIRST_BLOCK)
        self.seen = dict(self.expected())
        self.is_sound = True

    def set_block(self, block: int) -> None:
        if block != self.model.block:
            self.tell(f"block {block}")
        self.model.block = block
        self.market.at(block)

    @staticmethod
    def tell(what: str) -> None:
        if currently_in_test_context():
            note(what)

    # -------------------------------------------------------------- choices

    def choose_by(self, ticket: int) -> None:
        """Make the choices of a step from one number.

        What Hypothesis draws is often the same or small, so that a step would be the same one again and again. Each use
        of a ticket gives other choices, and what one step chooses does not depend on which others come before it, so
        that steps can be left out when a failure is made smaller.
        """
        self.tickets[ticket] += 1
        self.random = Random(f"{self.seed} {self.opening_ticket} {ticket} {self.tickets[ticket]}")

    def draw(self, bound: int) -> int:
        """Choose a number below the bound."""
        return self.random.randrange(bound)

    def one_in(self, bound: int) -> bool:
        return self.draw(bound) == bound - 1

    def pick(self, items: Iterable[T]) -> T:
        choices = list(items)
        return choices[self.draw(len(choices))]

    def caller(self, right: str) -> str:
        return self.pick(PEOPLE) if self.one_in(10) else right

    def some_order(self, *states: State) -> Terms:
        """Choose an order in one of the states that is not stale, now and then any or an unknown one."""
        found = self.model.orders.items()
        fitting = [terms for terms, order in found if order.state in states and not self.model._is_stale(order)]
        chosen = self.pick(fitting if fitting and not self.one_in(8) else self.model.orders)
        return self.unknown(chosen) if self.one_in(20) else chosen

    def unknown(self, terms: Terms) -> Terms:
        """Return terms that no order has, and have a key sent for them that is an order's but for one bit."""
        words = [int.from_bytes(part, "big") if isinstance(part, bytes) else part for part in self.ids.key(terms)]
        changed = self.draw(4)
        words[changed] ^= 1 << self.draw(256)
        stranger = terms._replace(nonce=77 + self.draw(2**32))
        if changed == 0:
            stranger = stranger._replace(deployment=UNKNOWN_DEPLOYMENT)
        self.ids.disguise(stranger, (word(words[0]), word(words[1]), words[2], word(words[3])))
        return stranger

    def some_provider(self, state: State) -> int:
        """Choose a provider with a lease in this state, now and then any."""
        return self.pick([lease.provider for _, _, lease in self.leases_in(state)] + [self.pick(self.numbers)])

    def batch(self, fitting: list[Terms]) -> list[Terms]:
        """Choose what a batch names: what fits, one of it, one twice, others besides, all, an unknown one, nothing."""
        everything = list(self.model.orders)
        how = self.draw(10) if fitting else 7 + self.draw(3)
        if how < 3:
            return fitting
        if how < 6:
            return [self.pick(fitting)]
        if how == 6:
            return 2 * [self.pick(fitting)]
        if how == 7:
            return everything[::-1]
        if how == 8:
            return [self.unknown(self.pick(everything)), self.pick(everything)]
        return [self.pick(everything)] if everything and self.draw(4) else []

    def leases_in(self, *states: State) -> list[tuple[Terms, Order, Lease]]:
        found = self.model.orders.items()
        return [(terms, order, order.lease) for terms, order in found if order.lease and order.state in states]

    # -------------------------------------------------------------- a transaction on both sides

    def both(self, name: str, caller: str, expected: Callable[[], None], *arguments: object) -> str | None:
        """Send a transaction to model and contract, hold what they say against each other, then what they have become.

        Returns what it was refused with, if it was.
        """
        self.is_sound = False
        refusal = None
        try:
            expected()
        except Refused as refused:
            refusal = refused.text
        self.tell(f"{name} by {ROLES.get(caller, caller)}: {refusal or 'accepted'}")
        answer = self.market.send(self.market.exchange, name, caller, *arguments)
        assert answer == refusal, f"{name}: the contract says {answer!r}, the model {refusal!r}"
        self.observer.see(self.model.block, self.market.logs, arguments)
        self.is_sound = self.is_hasty
        if not self.is_hasty:
            self.compare(self.market.written() if refusal is None else [])
        return refusal

    def keys(self, orders: Sequence[Terms]) -> list[tuple[bytes, bytes, int, bytes]]:
        return [self.ids.key(terms) for terms in orders]

    def order_ids(self, orders: Sequence[Terms]) -> list[bytes]:
        return [self.ids.order(terms) for terms in orders]

    # -------------------------------------------------------------- what is compared

    def expected(self) -> Iterable[tuple[Entity, object]]:
        """Return all that the views should say, by view and entity."""
        return self.model.views([*PEOPLE, *self.numbers])

    def compare(self, written: Iterable[tuple[bytes, ...]], also: Iterable[Entity] = ()) -> None:
        """Compare the views of all that model or contract have changed, the tokens, and the invariants."""
        self.is_sound = False
        self.learn_names()
        expected = dict(self.expected())
        changed = {entity for entity, value in expected.items() if self.seen.get(entity) != value}
        changed.update(self.seen.keys() - expected.keys())
        changed.update(also)
        for keys in written:
            changed.update(self.entities_of(keys))
        for entity in changed:
            self.compare_view(entity)
        self.seen = expected
        for holder in self.market.token_holders_written():
            actual = self.market.tokens(holder)
            is_exchange = holder == self.market.exchange.lower()
            assert actual == (self.model.holdings if is_exchange else self.model.wallets.get(holder, 0))
        self.compare_invariants()
        self.is_sound = True

    def learn_names(self) -> None:
        for name in self.model.deployments:
            self.names.setdefault(self.ids.deployment(name), ("deployment", name))
        if len(self.model.orders) + len(self.model.deployments) + len(PEOPLE) + len(self.numbers) > len(self.names):
            for terms in self.model.orders:
                self.names.setdefault(self.ids.order(terms), ("order", terms))

    def entities_of(self, keys: tuple[bytes, ...]) -> list[Entity]:
        """Return the views that show a word of the contract's storage."""
        assert keys and keys[0] in self.names, "the contract has written about something that the model does not have"
        kind, named = self.names[keys[0]]
        if kind == "order" and len(keys) == 1:
            is_open = self.model.order_view(named)[0] == State.OPEN
            return [(view, named) for view in (("order", "bids") if is_open else ("order", "lease"))]
        if kind == "order":
            return [("fulfillment", named, int.from_bytes(keys[1], "big")), ("bids", named)]
        if len(keys) == 2:
            return [("manager", named, "0x" + keys[1][-20:].hex())]
        return [(kind, named)]

    def compare_view(self, entity: Entity) -> None:
        view, named, *rest = entity
        if view == "account":
            asked = (address(named),)
        elif view in ("deployment", "manager"):
            asked = (self.ids.deployment(named), *rest)
        else:
            asked = (self.ids.order(named), *rest)
        actual = self.market.view(view, *asked)
        model: Any = getattr(self.model, f"{view}_view")(named, *rest)
        if view == "deployment" and model[0] == NOBODY:
            model = (ZERO_ADDRESS, *model[1:])
        assert actual == model, f"{view}: the contract shows {actual}, the model {model}"
        if view in VIEWS:
            told = self.observer.answer(self.model.block, view, *asked)
            assert actual == told, f"{view}: the contract shows {actual}, its events tell {told}"

    def compare_everything(self) -> None:
        for entity, _ in self.expected():
            self.compare_view(entity)

    def compare_invariants(self) -> None:
        """Check what section 10 of the protocol says of the model, with which the contract agrees."""
        model = self.model
        scale = model.parameters.scale
        assert model.money() == (model.holdings - self.sent_tokens) * scale < 2**96
        for number in self.numbers:
            assert model.balance(number).committed >= model.locked(number)
        assert all(min(balance.available, balance.committed) >= 0 for balance in model.accounts.values())
        for _, _, lease in self.leases_in(State.ACTIVE, State.CLOSING):
            assert lease.claimed <= lease.confirmed <= lease.funded
        for order in model.orders.values():
            charges = [order.fulfillments[number].charge for number in order.book if order.state == State.OPEN]
            assert charges == sorted(charges)
            assert len(charges) <= model.parameters.max_fulfillments
        for name, deployment in model.deployments.items():
            live = (State.OPEN, State.ACTIVE, State.CLOSING)
            mine = [terms for terms, order in model.orders.items() if terms.deployment == name and order.state in live]
            assert deployment.live_groups == len(mine) <= 8
