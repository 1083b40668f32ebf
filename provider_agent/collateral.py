"""Pays tokens of a wallet into a provider's account on the exchange."""

from __future__ import annotations

from moorage import units
from moorage.chain.contracts import Exchange, Token, provider_account
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender
from moorage.types import ProviderNumber
from provider_agent.settings import SettingsError


class TooFewTokens(ChainError):
    """The wallet cannot pay; the message says how much it has."""


class Treasury:
    """A wallet that pays. Amounts are base units of the settlement token."""

    def __init__(self, rpc: Rpc, market: Market, sender: Sender) -> None:
        self._market = market
        self._sender = sender
        self._exchange = Exchange(rpc, market)
        self._token = Token(rpc, market)

    def base_units(self, written: str, where: str) -> int:
        """Return an amount of tokens as a person wrote it.

        Raises:
            SettingsError: it is none; the message begins with where it stands.
        """
        decimals = self._market.parameters.token_decimals
        try:
            return units.to_base_units(units.parse_amount(written, decimals), decimals)
        except units.UnitError as error:
            raise SettingsError(f"{where}: {error}") from error

    async def check(self, provider: ProviderNumber | None, amount: int) -> None:
        """See that the wallet has what is missing in a provider's account (None: one that is not registered yet).

        What the account has lost counts as if it were there: it was paid in, and is not paid in again in silence.

        Raises:
            TooFewTokens: it has not.
            NodeUnavailable: the node does not answer.
        """
        held = await self._token.balance(None, self._sender.address)
        missing = amount - await self._held(provider)
        if held < missing:
            raise TooFewTokens(
                f"the wallet {self._sender.address} has {self._shown(held)}, of {self._shown(missing)} to be paid in: "
                "send it more tokens, or pay in less"
            )

    async def fill(self, provider: ProviderNumber, amount: int) -> None:
        """Pay in what a provider's account lacks of an amount; nothing if it holds it already.

        Raises:
            NotSent: a transaction was refused; the message says why.
            NodeUnavailable: the node does not answer.
        """
        await self.pay(provider, max(0, amount - await self._held(provider)))

    async def pay(self, provider: ProviderNumber, amount: int) -> None:
        """Pay an amount into a provider's account.

        Raises:
            NotSent: a transaction was refused; the message says why.
            NodeUnavailable: the node does not answer.
        """
        if amount == 0:
            return
        allowance = await self._token.allowance(None, self._sender.address, self._market.exchange)
        if allowance < amount:
            if allowance:  # some tokens let an allowance be changed only from and to zero
                await self._sender.send(self._token.approve(self._market.exchange, 0))
            await self._sender.send(self._token.approve(self._market.exchange, amount))
        await self._sender.send(self._exchange.deposit(provider_account(provider), amount))

    async def _held(self, provider: ProviderNumber | None) -> int:
        if provider is None:
            return 0
        (account,) = await self._exchange.accounts(None, [provider_account(provider)])
        return units.to_base_units(account.available + account.committed, self._market.parameters.token_decimals)

    def _shown(self, amount: int) -> str:
        decimals = self._market.parameters.token_decimals
        text = units.format_amount(units.to_ledger_units(amount, decimals), decimals)
        return f"{text} {self._market.token_symbol}"
