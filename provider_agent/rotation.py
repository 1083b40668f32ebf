"""Makes a provider's root before its registration, and replaces it later, one step each time it is asked.

Old and new root count together for a while: the new one is put on chain, waits there as the registry demands, takes
over here when others have read it, and the old one goes only when nothing leads to it any more, here or there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from eth_utils.crypto import keccak

from moorage import pki
from moorage.chain.contracts import Registry
from moorage.chain.index import read_block
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.chain.sender import Sender
from moorage.crash import crash_point
from moorage.private_file import write_private
from moorage.types import ProviderNumber
from provider_agent.registration import (
    RegistrationError,
    find_registration,
    load_registration,
    registration_file,
    root_file,
)
from provider_agent.settings import Settings
from provider_agent.shell.authority import (
    CLIENT,
    INTERMEDIATE,
    SERVER,
    Authority,
    load,
    load_root_certificate,
    move_root,
    remove_root,
    store_root,
)

MAX_ROOTS = 2
READ_SECONDS = 900
"""By the chain's clock a root counts for so long before leaves are made under it: tenants' programs read the registry
every four minutes, other agents every half, and what is final moves on by six and a half minutes at a time."""
HEARD_SECONDS = 120
"""After the agent's start under the new root the others have its new certificates: they ask every half minute."""
COMPLETED = "rotated"
"""The file that tells when the last rotation was completed."""


async def create_authorities(rpc: Rpc, market: Market, settings: Settings) -> x509.Certificate:
    """Make root and intermediate for the number that the registry gives next; return the root.

    Raises:
        RegistrationError: there is a root, or a part of one, or a registration.
        NodeUnavailable: the node does not answer.
    """
    registered = find_registration(settings)
    if registered is not None:
        raise RegistrationError(
            f"{registration_file(settings)}: registered as provider {registered.provider}: restore its backup "
            "if the root is lost, or use another data_dir"
        )
    path = root_file(settings)
    for each in (path, path.with_suffix(".crt"), path.with_name(INTERMEDIATE)):
        if each.exists():
            raise RegistrationError(f"{each} exists already: it is not overwritten; rotate replaces a root")
    number = ProviderNumber(int(await Registry(rpc, market).read(None, "provider_count")) + 1)
    now = datetime.now(UTC)
    root = pki.create_root(number, market.exchange, now)
    store_root(root, path)
    Authority(settings.data_dir, root.certificate, now)
    return root.certificate


def next_root_file(settings: Settings) -> Path:
    """Return where a root waits until it counts."""
    return root_file(settings).with_name("root-next.pem")


def old_root_file(settings: Settings) -> Path:
    """Return where a root is as long as it counts beside the one that has taken its place."""
    return root_file(settings).with_name("root-old.pem")


def beginning(settings: Settings) -> str | None:
    """Return what a rotation is about to do, in words; None: one is under way, and goes on.

    Raises:
        PkiError, OSError: a file is unusable.
    """
    if any(load_root_certificate(path(settings)) for path in (next_root_file, old_root_file)):
        return None
    root = load_root_certificate(root_file(settings))
    made = _shown(root.not_valid_before_utc + pki.CLOCK_SKEW) if root is not None else "not here"
    return (
        f"no rotation is under way; {_last(settings)} (root made: {made})\n"
        "This makes a new root and puts it on chain; later runs put it in the old one's place and take that one off "
        "the chain, which cuts the connections that are open through tunnels then."
    )


def _last(settings: Settings) -> str:
    try:
        last = datetime.fromisoformat((settings.data_dir / COMPLETED).read_text().strip())
    except FileNotFoundError:
        return f"none was completed with this data_dir, {settings.data_dir}"
    except ValueError as error:
        raise RegistrationError(f"{settings.data_dir / COMPLETED}: is no time: remove it") from error
    return f"the last one was completed at {_shown(last)}"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


class Rotation:
    """Replaces the root of a registered provider."""

    def __init__(self, rpc: Rpc, market: Market, settings: Settings, sender: Sender) -> None:
        """
        Args:
            sender: acts with the owner's key.
        """
        self._rpc = rpc
        self._market = market
        self._directory = settings.data_dir
        self._provider = load_registration(settings, market).provider
        self._registry = Registry(rpc, market)
        self._sender = sender
        self._root = root_file(settings)
        self._next = next_root_file(settings)
        self._old = old_root_file(settings)

    async def step(self) -> str:
        """Do what can be done now, and return what was done and what comes next.

        Raises:
            RegistrationError: it cannot be done; the message says what to do.
            NotSent: a transaction was refused.
            NodeUnavailable: the node does not answer.
            PkiError, OSError: a file is unusable.
        """
        old = load_root_certificate(self._old)
        coming = load_root_certificate(self._next)
        if coming is not None:
            return await self._go_on(coming)
        if old is not None:
            return await self._finish(old)
        return await self._begin()

    async def _begin(self) -> str:
        if len(await self._fingerprints()) >= MAX_ROOTS:
            raise RegistrationError("two roots are registered already: have the owner remove the one that is not used")
        made = pki.create_root(self._provider, self._market.exchange, datetime.now(UTC))
        store_root(made, self._next)
        return await self._go_on(made.certificate)

    async def _go_on(self, coming: x509.Certificate) -> str:
        der = pki.der_of(coming)
        if keccak(der) not in await self._fingerprints():
            crash_point("before-add_root")
            await self._sender.send(self._registry.add_root(self._provider, der))
            crash_point("after-add_root")
            return f"the new root {self._next.name} is on chain and has to wait there: run this again later"
        wait = await self._wait(keccak(der))
        if wait is not None:
            return wait
        current = load_root_certificate(self._root)
        if current is not None and current != coming:
            move_root(self._root, self._old)
        crash_point("after-old_root")
        move_root(self._next, self._root)
        crash_point("after-new_root")
        Authority(self._directory, coming, datetime.now(UTC))
        return (
            "the new root is in use here: restart the agent, then run this again to remove the old one from the chain"
        )

    async def _wait(self, fingerprint: bytes) -> str | None:
        """Return why the new root can't take over yet; None: everybody has read that it counts."""
        final = await read_block(self._rpc, "finalized")
        since = await self._registry.counting_since(final, self._provider, fingerprint)
        if since is None:
            return f"the new root does not count yet (final is block {final.number}): run this again later"
        counted_seconds = final.timestamp - (await read_block(self._rpc, since)).timestamp
        if counted_seconds >= READ_SECONDS:
            return None
        minutes = -(-(READ_SECONDS - counted_seconds) // 60)
        return f"the new root counts; until everybody has read so, wait {minutes} minutes more, and run this again"

    async def _finish(self, old: x509.Certificate) -> str:
        root = load_root_certificate(self._root)
        if root is None:
            raise RegistrationError(f"{self._root}: is not there: restore its backup")
        Authority(self._directory, root, datetime.now(UTC))
        for name in (SERVER, CLIENT):
            self._check_renewed(name, root)
        fingerprint = keccak(pki.der_of(old))
        if fingerprint in await self._fingerprints():
            await self._sender.send(self._registry.remove_root(self._provider, fingerprint))
        crash_point("after-remove_root")
        write_private(self._directory / COMPLETED, datetime.now(UTC).isoformat(timespec="seconds").encode())
        remove_root(self._old)
        done = "the old root is removed: the rotation is complete"
        if not self._root.exists():
            return done
        return (
            f"{done}; the new root's key is {self._root} on this machine: it can be put away, like the old one's; "
            f"back it up first, {self._root.with_suffix('.crt').name} too"
        )

    def _check_renewed(self, name: str, root: x509.Certificate) -> None:
        """
        Raises:
            RegistrationError: there is a leaf, and it leads to the old root or has just been made.
        """
        try:
            leaf = load(self._directory / name)
        except FileNotFoundError:
            return
        if not any(pki.is_issued_by(each, root) for each in leaf.intermediates):
            raise RegistrationError(f"{name} still leads to the old root: restart the agent, and run this again")
        made = leaf.certificate.not_valid_before_utc + pki.CLOCK_SKEW
        if datetime.now(UTC) - made < timedelta(seconds=HEARD_SECONDS):
            raise RegistrationError(
                f"{name} was made just now, at {made:%H:%M:%S} UTC: other agents hear of it within {HEARD_SECONDS} s, "
                "run this again then"
            )

    async def _fingerprints(self) -> frozenset[bytes]:
        (found,) = await self._registry.fingerprints([self._provider])
        return found
