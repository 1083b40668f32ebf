"""A market of any token and the model of it, on which everything is done alike, and compared."""

from __future__ import annotations

from typing import Any

import boa  # type: ignore[import-untyped]
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from tests.stateful.evm import ARGUMENTS, ZERO_ADDRESS, Ids, Market, address, refusal_of
from tests.stateful.model import NOBODY, Account, Refused


def call(contract: Address, signature: str, *arguments: Any, caller: str | None = None) -> str | None:
    """Call a contract by a function's signature and return what it is refused with; by default as the deployer."""
    types = signature[signature.index("(") + 1 : -1]
    data = function_signature_to_4byte_selector(signature) + encode(types.split(",") if types else [], arguments)
    return refusal_of(boa.env.execute_code(to_address=contract, sender=caller, data=data))


class Play:
    """A market and the model of it."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.model = market.setting.model()
        self.ids = Ids(market.exchange, self.model)
        self.surplus = 0  # base units that the exchange has and owes to nobody
        self.shown: dict[Account, object] = {}
        self.result: Any = None  # all that happened in the last transaction

    # -------------------------------------------------------------- transactions

    def do(self, name: str, caller: str, *arguments: Any) -> None:
        """Send a transaction that succeeds, and compare what it has changed."""
        refusal = self.alike(name, caller, *arguments)
        assert refusal is None, f"{name} by {caller} is refused: {refusal}"

    def refused(self, name: str, caller: str, *arguments: Any) -> str:
        """Send a transaction that is refused, check that it has changed nothing, and return with which text."""
        refusal = self.send(name, caller, *arguments)
        assert refusal is not None, f"{name} by {caller} is accepted"
        self.shown.clear()
        self.compare()
        assert self.market.tokens(caller) == self.model.wallets.get(caller, 0)
        return refusal

    def alike(self, name: str, caller: str, *arguments: Any) -> str | None:
        """Send a transaction that the contract refuses if and only if the model does, and return the text."""
        try:
            self._model_does(name, caller, *arguments)
        except Refused as expected:
            assert self.refused(name, caller, *arguments) == expected.text
            return expected.text
        refusal = self.send(name, caller, *arguments)
        assert refusal is None, f"{name} by {caller}: the contract says {refusal!r}, the model accepts it"
        self.compare()
        return None

    def send(self, name: str, caller: str, *arguments: Any) -> str | None:
        self.result = self.market.execute(self.market.exchange, name, caller, *self.encoded(name, *arguments))
        return refusal_of(self.result)

    def encoded(self, name: str, *arguments: Any) -> list[Any]:
        """Return the arguments of a transaction as the contract takes them."""
        if name == "submit_fulfillment":
            number, terms, prices = arguments
            arguments = number, terms.deployment, terms.nonce, terms.wait_duration, terms.group, prices, 0
        return [self.ids.encodable(kind, value) for kind, value in zip(ARGUMENTS[name], arguments, strict=True)]

    def _model_does(self, name: str, caller: str, *arguments: Any) -> None:
        if name == "deposit_with_permit":
            name, arguments = "deposit", arguments[:2]
        getattr(self.model, name.removesuffix("_to"))(caller, *arguments)

    def pass_blocks(self, blocks: int) -> None:
        self.model.block += blocks
        self.market.at(self.model.block)

    def withdrawable(self, account: Account) -> int:
        """Return the base units that an account can withdraw."""
        return self.model.balance(account).available // self.model.parameters.scale

    # -------------------------------------------------------------- the token

    def token(self, signature: str, *arguments: Any, caller: str | None = None) -> str | None:
        """Call the token and return what it is refused with, if it is; by default as its deployer."""
        return call(self.market.token, signature, *arguments, caller=caller)

    def rebase(self, balance: int) -> None:
        """Change what the exchange has of the token."""
        assert self.token("rebase(address,uint256)", self.market.exchange, balance) is None
        self.surplus += balance - self.model.holdings
        self.model.holdings = balance

    def donate(self, giver: str, amount: int) -> None:
        """Transfer base units to the exchange without a deposit."""
        assert self.token("transfer(address,uint256)", self.market.exchange, amount, caller=giver) is None
        self.model.send_tokens(giver, amount)
        self.surplus += amount

    # -------------------------------------------------------------- what is compared

    def compare(self) -> None:
        """Compare the accounts that have changed, and the tokens of the exchange, which cover all that it owes."""
        for account in list(self.model.accounts):
            expected = self.model.account_view(account)
            if self.shown.get(account) != expected:
                assert self.market.view("account", address(account)) == expected, f"account {account}"
                self.shown[account] = expected
        assert self.market.tokens(self.market.exchange) == self.model.holdings
        assert self.model.money() == (self.model.holdings - self.surplus) * self.model.parameters.scale

    def compare_all(self) -> None:
        """Compare all that can be seen."""
        self.shown.clear()
        self.compare()
        model, view = self.model, self.market.view
        for wallet, amount in model.wallets.items():
            assert self.market.tokens(wallet) == amount
        for terms in model.orders:
            for name in ("order", "bids", "lease"):
                expected: Any = getattr(model, f"{name}_view")(terms)
                assert view(name, self.ids.order(terms)) == expected, name
        for deployment in model.deployments:
            tenant, *others = view("deployment", self.ids.deployment(deployment))
            assert (NOBODY if tenant == ZERO_ADDRESS else tenant, *others) == model.deployment_view(deployment)
