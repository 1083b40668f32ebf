"""Which provider an agent is: its number and its root certificate in the data directory, held against the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from eth_utils.crypto import keccak

from moorage import pki
from moorage.chain.contracts import Registry
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, Rpc
from moorage.private_file import write_private
from moorage.types import Address, ProviderNumber
from provider_agent.settings import Settings


class RegistrationError(ChainError):
    """The agent and the registry do not agree; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a complete registration leaves in the data directory."""

    exchange: Address
    provider: ProviderNumber


def root_file(settings: Settings) -> Path:
    """Return where the provider's root certificate and its key are."""
    return settings.data_dir / "root.pem"


def registration_file(settings: Settings) -> Path:
    """Return where the registration is, once it is complete."""
    return settings.data_dir / "provider.json"


def load_root(path: Path) -> pki.Credential | None:
    """Return a root certificate with its key, or None if there is no such file.

    Raises:
        PkiError: it is unusable.
    """
    try:
        return pki.load(path)
    except FileNotFoundError:
        return None


def load_registration(settings: Settings, market: Market) -> Registration:
    """Return the registration in the data directory.

    Raises:
        RegistrationError: there is none, or it is for another market.
    """
    path = registration_file(settings)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Registration)
    except FileNotFoundError:
        raise RegistrationError(f"{path}: not registered yet: run moorage-provider register") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistrationError(f"{path}: not a registration: {error}: restore its backup") from error
    if found.exchange != market.exchange:
        raise RegistrationError(
            f"{path}: registered on exchange {found.exchange}, not on {market.exchange}: use another data_dir"
        )
    return found


def store_registration(settings: Settings, registration: Registration) -> None:
    """Write that a registration is complete.

    Raises:
        OSError: the data directory cannot be written.
    """
    write_private(registration_file(settings), msgspec.json.encode(registration))


async def check_registration(
    rpc: Rpc, market: Market, settings: Settings, operator: Address
) -> tuple[ProviderNumber, pki.Credential]:
    """Compare what the agent has with what the registry says, before it starts; return its number and its root.

    Raises:
        RegistrationError: they differ.
        NodeUnavailable: the node does not answer.
        PkiError: the root certificate is unusable.
    """
    number = load_registration(settings, market).provider
    registry = Registry(rpc, market)
    profile = await registry.provider(None, number)
    if profile is None:
        raise RegistrationError(f"the registry does not know provider {number}: use another data_dir")
    if profile.operator != operator:
        raise RegistrationError(
            f"the operator of provider {number} is {profile.operator}, the key in "
            f"{settings.sending.where} is {operator}: use the right key, or have the owner call set_operator"
        )
    path = root_file(settings)
    root = load_root(path)
    if root is None:
        raise RegistrationError(f"{path}: the root certificate of provider {number} is missing: restore its backup")
    name = pki.provider_name(number, market.exchange)
    if pki.name_of(root.certificate) != name:
        raise RegistrationError(f"{path}: the root of {pki.name_of(root.certificate)}, not of {name}: restore its own")
    (fingerprints,) = await registry.fingerprints([number])
    if keccak(root.der) not in fingerprints:
        raise RegistrationError(
            f"{path}: this root certificate is not registered for provider {number}: "
            "restore the right one, or have the owner call add_root"
        )
    return number, root
