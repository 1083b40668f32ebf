"""Which provider an agent is: its number and its root certificate in the data directory, held against the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from eth_utils.crypto import keccak

from moorage import pki
from moorage.chain.contracts import Registry
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, Rpc
from moorage.private_file import write_private
from moorage.types import Address, ProviderNumber
from provider_agent.settings import Settings
from provider_agent.shell.authority import ROOT_KEY, load_root_certificate


class RegistrationError(ChainError):
    """The agent and the registry do not agree; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a complete registration leaves in the data directory."""

    exchange: Address
    provider: ProviderNumber


def root_file(settings: Settings) -> Path:
    """Return where the provider's root certificate and its key are, the key at least until it is moved away."""
    return settings.data_dir / ROOT_KEY


def registration_file(settings: Settings) -> Path:
    """Return where the registration is, once it is complete."""
    return settings.data_dir / "provider.json"


def load_registration(settings: Settings, market: Market) -> Registration:
    """Return the registration in the data directory.

    Raises:
        RegistrationError: there is none, or it is for another market.
        OSError: it cannot be read; the error names it.
    """
    path = registration_file(settings)
    found = find_registration(settings)
    if found is None:
        raise RegistrationError(f"{path}: not registered yet: run moorage-provider register")
    if found.exchange != market.exchange:
        raise RegistrationError(
            f"{path}: registered on exchange {found.exchange}, not on {market.exchange}: use another data_dir"
        )
    return found


def find_registration(settings: Settings) -> Registration | None:
    """Return the registration in the data directory, of whichever market, if there is one.

    Raises:
        RegistrationError: what is there is not a registration.
        OSError: it cannot be read; the error names it.
    """
    path = registration_file(settings)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Registration)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistrationError(f"{path}: not a registration: {error}: restore its backup") from error


def load_own_root(settings: Settings, registration: Registration) -> x509.Certificate:
    """Return the root certificate in the data directory, which has to name the provider that is registered.

    Raises:
        RegistrationError: there is none, or it is another provider's.
        PkiError: it is unusable.
    """
    path = root_file(settings)
    root = load_root_certificate(path)
    if root is None:
        raise RegistrationError(
            f"{path}: the root certificate of provider {registration.provider} is missing: restore its backup"
        )
    name = pki.provider_name(registration.provider, registration.exchange)
    try:
        found = pki.name_of(root)
    except pki.PkiError as error:
        raise RegistrationError(f"{path}: {error}: restore its own") from error
    if found != name:
        raise RegistrationError(f"{path}: the root of {found}, not of {name}: restore its own")
    return root


def store_registration(settings: Settings, registration: Registration) -> None:
    """Write that a registration is complete.

    Raises:
        OSError: the data directory cannot be written.
    """
    write_private(registration_file(settings), msgspec.json.encode(registration))


async def check_registration(
    rpc: Rpc, market: Market, settings: Settings, operator: Address
) -> tuple[ProviderNumber, x509.Certificate]:
    """Compare what the agent has with what the registry says, before it starts; return its number and its root.

    The root's key need not be there.

    Raises:
        RegistrationError: they differ.
        NodeUnavailable: the node does not answer.
        PkiError: the root certificate is unusable.
    """
    registration = load_registration(settings, market)
    number = registration.provider
    registry = Registry(rpc, market)
    profile = await registry.provider(None, number)
    if profile is None:
        raise RegistrationError(f"the registry does not know provider {number}: use another data_dir")
    if profile.operator != operator:
        raise RegistrationError(
            f"the operator of provider {number} is {profile.operator}, the key in "
            f"{settings.sending.where} is {operator}: use the right key, or have the owner call set_operator"
        )
    root = load_own_root(settings, registration)
    (fingerprints,) = await registry.fingerprints([number])
    if keccak(pki.der_of(root)) not in fingerprints:
        raise RegistrationError(
            f"{root_file(settings)}: this root certificate is not registered for provider {number}: "
            "restore the right one, or have the owner call add_root"
        )
    return number, root
