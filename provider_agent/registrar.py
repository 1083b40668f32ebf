"""Brings a datacenter onto the registry. It can be interrupted anywhere and run again: nothing is done twice.

The registration is found again by the fingerprint of its root certificate, and the file that says it is complete is
written last.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from moorage import pki, units
from moorage.chain.contracts import Registry
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.chain.sender import Sender
from moorage.chain.signer import market_calls
from moorage.crash import crash_point
from moorage.types import Address, ProviderNumber
from provider_agent.collateral import Treasury
from provider_agent.registration import (
    Registration,
    RegistrationError,
    load_registration,
    registration_file,
    root_file,
    store_registration,
)
from provider_agent.settings import Settings, SettingsError
from provider_agent.shell.authority import Authority, load_root_certificate, move_root, remove_root, store_root

_NAME = re.compile(r"provider-([0-9]{1,10})\..*")


class Registrar:
    """Acts with a provider's owner key."""

    def __init__(
        self, rpc: Rpc, market: Market, settings: Settings, owner: LocalAccount, tell: Callable[[str], None]
    ) -> None:
        """
        Args:
            owner: the cold key; it is not kept.
            tell: takes what the person at the terminal should know.
        """
        self._rpc = rpc
        self._market = market
        self._settings = settings
        self._owner = Address(owner.address)
        self._tell = tell
        self._registry = Registry(rpc, market)
        self._sender = Sender(rpc, owner, market.chain_id, allowed=market_calls(market))
        self._treasury = Treasury(rpc, market, self._sender)

    async def register(self, operator: Address, deposit: str) -> Registration:
        """Register the datacenter of these settings, or complete a registration that was interrupted.

        Args:
            operator: the agent's hot key.
            deposit: tokens that the provider's account shall hold then.

        Raises:
            RegistrationError: it cannot be done; the message says what to do.
            SettingsError: an amount is not one.
            NotSent: a transaction was refused.
            NodeUnavailable: the node does not answer.
        """
        amount = self._treasury.base_units(deposit, "--deposit")
        cap = self._collateral_cap()
        if registration_file(self._settings).exists():
            registration = load_registration(self._settings, self._market)
            self._tell(f"provider {registration.provider}: registered already, nothing is paid; see the command fund")
            return registration
        await self._check_idle()
        provider = await self._find()
        await self._treasury.check(provider, amount)
        if provider is None:
            provider = await self._submit(operator, cap)
        else:
            self._tell(f"provider {provider}: registered before, completing it")
        await self._name_root(provider)
        await self._treasury.fill(provider, amount)
        crash_point("after-deposit")
        root = load_root_certificate(self._root)
        assert root is not None  # _name_root has seen to it
        Authority(self._settings.data_dir, root, datetime.now(UTC))  # from now on the root's key may be elsewhere
        registration = Registration(self._market.exchange, provider)
        store_registration(self._settings, registration)
        return registration

    def _collateral_cap(self) -> int:
        try:
            return units.parse_amount(self._settings.collateral_cap, self._market.parameters.token_decimals)
        except units.UnitError as error:
            raise SettingsError(f"{self._settings.file}: collateral_cap: {error}") from error

    async def _check_idle(self) -> None:
        """Refuse while a transaction of the owner is under way: it may be a registration or a deposit of before."""
        calls = [("eth_getTransactionCount", (self._owner, tag)) for tag in ("latest", "pending")]
        try:
            mined, sent = map(as_number, await self._rpc.batch(calls))
        except NodeRefused as error:
            raise NodeUnavailable(f"the transactions of {self._owner} could not be counted: {error}") from error
        if sent > mined:
            raise RegistrationError(
                f"the owner {self._owner} has transactions that are in no block yet: wait for them, and run this again"
            )

    async def _find(self) -> ProviderNumber | None:
        """Return the provider that has a root of this data directory on chain, if there is one."""
        paths = (self._root, self._next_root)
        roots = [root for path in paths if (root := load_root_certificate(path)) is not None]
        if not roots:
            return None
        wanted = {keccak(pki.der_of(root)) for root in roots}
        first = min(self._number_of(root) for root in roots)
        providers = [ProviderNumber(number) for number in range(first, await self._count() + 1)]
        for provider, fingerprints in zip(providers, await self._registry.fingerprints(providers), strict=True):
            if wanted & fingerprints:
                await self._check_owner(provider)
                return provider
        return None

    async def _check_owner(self, provider: ProviderNumber) -> None:
        owner = await self._registry.owner(provider)
        if owner != self._owner:
            raise RegistrationError(
                f"{self._root}: registered as provider {provider} of owner {owner}: use that owner's key, "
                "or another data_dir"
            )

    async def _submit(self, operator: Address, cap: int) -> ProviderNumber:
        # the root names the provider's number, which the registry is about to give: the next one
        expected = ProviderNumber(await self._count() + 1)
        root = pki.der_of(self._root_of(expected, self._root))
        settings = self._settings
        call = self._registry.register_provider(operator, settings.region, cap, settings.endpoint, "{}", root)
        crash_point("before-register_provider")
        await self._sender.send(call)
        crash_point("after-register_provider")
        provider = await self._find()
        if provider is None:
            raise RegistrationError("the registry does not show the registration yet: run this again")
        return provider

    async def _name_root(self, provider: ProviderNumber) -> None:
        """Replace the root if it names another provider, because somebody was faster in taking the number."""
        stored = load_root_certificate(self._root)
        if stored is None or self._number_of(stored) != provider:
            self._tell(f"somebody else took the number that the root was made for: replacing it by one for {provider}")
            renewed = self._root_of(provider, self._next_root)
            await self._replace_on_chain(provider, stored, renewed)
            move_root(self._next_root, self._root)
        remove_root(self._next_root)

    async def _replace_on_chain(
        self, provider: ProviderNumber, old: x509.Certificate | None, new: x509.Certificate
    ) -> None:
        (fingerprints,) = await self._registry.fingerprints([provider])
        if keccak(pki.der_of(new)) not in fingerprints:
            await self._sender.send(self._registry.add_root(provider, pki.der_of(new)))
        crash_point("after-add_root")
        if old is not None and keccak(pki.der_of(old)) in fingerprints:
            await self._sender.send(self._registry.remove_root(provider, keccak(pki.der_of(old))))
        crash_point("after-remove_root")

    def _root_of(self, provider: ProviderNumber, path: Path) -> x509.Certificate:
        """Return the root in a file, made anew unless it names this provider."""
        known = load_root_certificate(path)
        if known is not None and self._number_of(known) == provider:
            return known
        remove_root(path)
        root = pki.create_root(provider, self._market.exchange, datetime.now(UTC))
        store_root(root, path)
        return root.certificate

    def _number_of(self, root: x509.Certificate) -> ProviderNumber:
        name = pki.name_of(root)
        match = _NAME.fullmatch(name)
        number = ProviderNumber(int(match[1])) if match else ProviderNumber(0)
        if name != pki.provider_name(number, self._market.exchange):
            raise RegistrationError(f"{self._root}: a root of {name}, on another exchange: use another data_dir")
        return number

    async def _count(self) -> int:
        return int(await self._registry.read(None, "provider_count"))

    @property
    def _root(self) -> Path:
        return root_file(self._settings)

    @property
    def _next_root(self) -> Path:
        return self._root.with_name("root-next.pem")
