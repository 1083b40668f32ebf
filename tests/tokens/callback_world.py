"""A market whose token is also tenant, owner and operator, at a height at which each of its calls would succeed."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from tests.bytecode import functions
from tests.stateful.evm import NO_SIGNATURE, Market, Setting, create, words_of
from tests.stateful.model import DeploymentName, Parameters, Provider, Terms
from tests.tokens.lifecycle import FIRST, SECOND, STRANGER, group
from tests.tokens.play import Play

PERIOD, GRACE, WAIT = 10, 6, 4
WEALTH = 10**20
PRICES = [10**15]
Function = dict[str, Any]


class CallbackWorld(Play):
    """A market in which one and the same contract can do everything, and do it now."""

    def __init__(self) -> None:
        token = create("testing/ReentrantToken", ["uint256", "uint8"], [2 * WEALTH, 18])
        self.actor = str(token).lower()
        providers = 2 * (Provider(self.actor, self.actor, region=1, cap=2**90 - 1),)
        parameters = Parameters(1, PERIOD, interest_rate=10**9, tip=10**12, grace=GRACE, max_fulfillments=2)
        setting = Setting("callbacks", 18, parameters, {self.actor: WEALTH}, providers, ())
        super().__init__(Market(setting, token))
        names = [DeploymentName(self.actor, salt) for salt in range(1, 5)]
        self.stale, self.active, self.closing = (Terms(names[0], nonce, WAIT, group()) for nonce in range(3))
        self.ripe, self.fresh, self.closed = (Terms(name, 0, WAIT, group()) for name in names[1:])
        self._prepare()
        self.transactions = self._transactions()
        self.registrations = self._registrations()

    def _prepare(self) -> None:
        for account in (self.actor, FIRST, SECOND):
            self.by_actor("deposit", account, WEALTH // 10)
        self._submit(self.stale, self.active, self.closing)
        for terms in (self.stale, self.active, self.closing):
            self._bid(FIRST, terms)
        self._bid(SECOND, self.active)
        self.pass_blocks(WAIT)
        self.by_actor("submit_lease", [self.stale, self.active, self.closing])
        self.pass_blocks(1)
        self.by_actor("submit_lease_confirmation", FIRST, [self.active, self.closing])
        self.pass_blocks(3)
        self.by_actor("update_deployment", self.closing.deployment, 0, [], [], [self.closing])
        self.pass_blocks(4)
        self.by_actor("submit_lease_confirmation", FIRST, [self.active])
        self._submit(self.ripe)
        self._bid(FIRST, self.ripe)
        self.pass_blocks(WAIT)
        self._submit(self.fresh)
        self._bid(FIRST, self.fresh)
        self._submit(self.closed)
        self.by_actor("close_deployment", self.closed.deployment, [self.closed])
        offered = "transfer_ownership", self.actor, SECOND, self.actor
        assert self.market.send(self.market.registry, *offered) is None
        self.compare_all()

    def by_actor(self, name: str, *arguments: Any) -> None:
        self.do(name, self.actor, *arguments)

    def _submit(self, *orders: Terms) -> None:
        deposits = [3 * self.model.minimum_deposit(terms.group) for terms in orders]
        groups = [terms.group for terms in orders]
        self.by_actor("submit_deployment", orders[0].deployment.salt, 1, WAIT, groups, deposits)

    def _bid(self, number: int, terms: Terms) -> None:
        self.by_actor("submit_fulfillment", number, terms, PRICES)

    # -------------------------------------------------------------- what can be called

    def _transactions(self) -> dict[str, bytes]:
        """Return the calldata of all transactions of the exchange."""
        mine = self.active.deployment
        arguments: dict[str, tuple[Any, ...]] = {
            "deposit": (self.actor, 5),
            "deposit_with_permit": (self.actor, 5, *NO_SIGNATURE),
            "withdraw": (self.actor, 5),
            "withdraw_to": (FIRST, 5, STRANGER),
            "submit_deployment": (9, 1, WAIT, [group()], [self.model.minimum_deposit(group())]),
            "update_deployment": (mine, 2, [group()], [self.model.minimum_deposit(group())], [self.active]),
            "close_deployment": (mine, [self.active]),
            "deployment_closed": ([self.closed.deployment],),
            "set_manager": (mine, STRANGER, 7, 2_000, 10**18),
            "submit_fulfillment": (SECOND, self.fresh, PRICES),
            "cancel_fulfillment": (FIRST, self.fresh),
            "release_fulfillments": (self.active, [SECOND]),
            "submit_lease": ([self.ripe],),
            "submit_lease_confirmation": (FIRST, [self.active]),
            "claim": ([self.active],),
            "fund": (self.active, 3),
            "submit_stale_lease": ([self.stale],),
            "confirm_closed": (FIRST, [self.closing]),
            "finish_leases": ([self.closing],),
        }
        known = {function["name"]: function for function in functions("Exchange")}
        return {name: calldata(known[name], self.encoded(name, *values)) for name, values in arguments.items()}

    def views(self) -> dict[str, bytes]:
        """Return the calldata of all views of the exchange, with arguments that each has an answer to."""
        known = {
            "account": self.actor,
            "tenant": self.actor,
            "manager": self.actor,
            "provider": FIRST,
            "deployment": self.ids.deployment(self.fresh.deployment),
            "order": self.ids.order(self.fresh),
            "lease": self.ids.order(self.active),
            "key": self.ids.key(self.fresh),
            "salt": bytes(32),
            "nonce": bytes(32),
            "wait_duration": WAIT,
            "group": words_of(group()),
        }
        return {
            function["name"]: calldata(function, [known[argument["name"]] for argument in function["inputs"]])
            for function in functions("Exchange")
            if is_view(function)
        }

    def _registrations(self) -> dict[str, bytes]:
        """Return the calldata of all transactions of the registry."""
        arguments = {
            "register_provider": [self.actor, 1, 2**90 - 1, "https://a", "", b"another"],
            "update_provider": [FIRST, 2, "https://b", ""],
            "advertise": [FIRST, 1, 1, 1, 1],
            "set_operator": [FIRST, STRANGER],
            "set_collateral_cap": [FIRST, 0],
            "add_root": [FIRST, b"second"],
            "remove_root": [FIRST, keccak(b"certificate")],
            "transfer_ownership": [FIRST, STRANGER],
            "accept_ownership": [SECOND],
            "deregister_provider": [FIRST],
        }
        known = {function["name"]: function for function in functions("ProviderRegistry")}
        return {name: calldata(known[name], values) for name, values in arguments.items()}


def is_view(function: Function) -> bool:
    return function["stateMutability"] in ("view", "pure")


def calldata(function: Function, arguments: list[Any]) -> bytes:
    """Return what a function is called with, as its ABI says."""
    types = [collapse_if_tuple(argument) for argument in function["inputs"]]
    selector = function_signature_to_4byte_selector(f"{function['name']}({','.join(types)})")
    return bytes(selector + encode(types, arguments))
