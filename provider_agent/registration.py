"""Which provider an agent is: number and root certificate, from the registration on chain to the data directory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from moorage import pki, units
from moorage.chain.contracts import Call, Exchange, Registry, Token, provider_account
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender
from moorage.private_file import write_private
from moorage.types import Address, ProviderNumber
from provider_agent.settings import Settings, SettingsError


class RegistrationError(ChainError):
    """The agent and the registry do not agree; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What `register` leaves in the data directory."""

    exchange: Address
    provider: ProviderNumber


def root_file(settings: Settings) -> Path:
    return settings.data_dir / "root.pem"


def _registration_file(settings: Settings) -> Path:
    return settings.data_dir / "provider.json"


def load_registration(settings: Settings, market: Market) -> Registration:
    """Return the registration in the data directory.

    Raises:
        RegistrationError: there is none, or it is for another market.
    """
    path = _registration_file(settings)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Registration)
    except FileNotFoundError:
        raise RegistrationError(f"{path}: not registered yet: run moorage-provider register") from None
    except (OSError, msgspec.DecodeError) as error:
        raise RegistrationError(f"{path}: not a registration: {error}") from error
    if found.exchange != market.exchange:
        raise RegistrationError(
            f"{path}: registered on exchange {found.exchange}, not on {market.exchange}: use another data_dir"
        )
    return found


async def register(
    rpc: Rpc, market: Market, settings: Settings, owner: LocalAccount, operator: Address, deposit: str
) -> Registration:
    """Register a provider under the owner's key, pay its collateral in, and keep number and root.

    Raises:
        RegistrationError: this data directory has a registration already.
        NotSent: a transaction was refused; the message says why.
    """
    if _registration_file(settings).exists():
        return load_registration(settings, market)
    registry, sender = Registry(rpc, market), Sender(rpc, owner, market.chain_id)
    # the root names the provider's number, which the registry is about to give: the next one
    number = ProviderNumber(int(await registry.read(None, "provider_count")) + 1)
    root = pki.create_root(number, market.exchange, datetime.now(UTC))
    pki.store(root, root_file(settings))
    decimals = market.parameters.token_decimals
    cap = units.parse_amount(settings.collateral_cap, decimals)
    await sender.send(
        registry.register_provider(
            operator, settings.region, units.to_ledger_units(cap, decimals), settings.endpoint, "{}", root.der
        )
    )
    profile = await registry.provider(None, number)
    if profile is None or profile.owner != Address(owner.address):
        raise RegistrationError(
            f"somebody else registered as provider {number} at the same moment: run moorage-provider register again"
        )
    registration = Registration(market.exchange, number)
    write_private(_registration_file(settings), msgspec.json.encode(registration))
    await fund(rpc, market, sender, number, deposit)
    return registration


async def fund(rpc: Rpc, market: Market, sender: Sender, provider: ProviderNumber, amount: str) -> None:
    """Pay tokens of the sender into a provider's account.

    Raises:
        NotSent: a transaction was refused; the message says why.
    """
    try:
        base_units = units.parse_amount(amount, market.parameters.token_decimals)
    except units.UnitError as error:
        raise SettingsError(f"--deposit: {error}") from error
    if base_units == 0:
        return
    exchange, token = Exchange(rpc, market), Token(rpc, market)
    calls: list[Call] = [
        token.approve(market.exchange, base_units),
        exchange.deposit(provider_account(provider), base_units),
    ]
    for call in calls:
        await sender.send(call)


async def check_registration(rpc: Rpc, market: Market, settings: Settings, operator: Address) -> Registration:
    """Compare what the agent has with what the registry says, before it starts.

    Raises:
        RegistrationError: they differ.
    """
    registration = load_registration(settings, market)
    registry = Registry(rpc, market)
    profile = await registry.provider(None, registration.provider)
    if profile is None:
        raise RegistrationError(f"the registry does not know provider {registration.provider}: use another data_dir")
    if profile.operator != operator:
        raise RegistrationError(
            f"the operator of provider {profile.number} is {profile.operator}, the key in "
            f"{settings.operator_key_file} is {operator}: use the right key, or have the owner call set_operator"
        )
    root = pki.load(root_file(settings))
    fingerprints = [fingerprint for fingerprint, *_ in await registry.read(None, "roots", profile.number)]
    if keccak(root.der) not in fingerprints:
        raise RegistrationError(
            f"the root certificate {root_file(settings)} is not registered for provider {profile.number}: "
            "restore the right one, or have the owner call add_root"
        )
    return registration
