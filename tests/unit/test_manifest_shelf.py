"""What is delivered while the disk is being read is not lost: it is read next, not at the next look at everything."""

from __future__ import annotations

from collections.abc import Callable

from moorage import manifest
from moorage.types import OrderId
from provider_agent.core.firewall import EgressPolicy
from provider_agent.shell.manifest_shelf import ManifestShelf
from provider_agent.shell.manifest_store import ManifestMemory
from tests.fakes.lease_world import IDENTITY, LEASE, ORDER, body


class Store(ManifestMemory):
    """A store in which something happens after each read, before it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] = lambda: None

    async def get(self, lease: OrderId) -> bytes | None:
        found = await super().get(lease)
        self._pass_time()
        return found

    async def leases(self) -> frozenset[OrderId]:
        found = await super().leases()
        self._pass_time()
        return found

    def keep(self, lease: OrderId, content: bytes) -> None:
        self._lease_to_manifest[lease] = content

    def _pass_time(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()


def shelf_of(store: Store) -> ManifestShelf:
    versions = [manifest.version_of(each) for each in (body(), body("web:2"))]
    return ManifestShelf(IDENTITY, store, lambda _: versions, EgressPolicy())


async def test_shelf__newer_manifest_comes_while_the_older_one_is_read__is_read_next() -> None:
    store = Store()
    shelf = shelf_of(store)

    def deliver(content: bytes) -> None:
        store.keep(LEASE, content)
        shelf.delivered(LEASE)

    deliver(body())
    store.meanwhile = lambda: deliver(body("web:2"))
    await shelf.desired(LEASE, ORDER.group)

    newest = await shelf.desired(LEASE, ORDER.group)
    assert newest is not None and newest.version == manifest.version_of(body("web:2"))


async def test_shelf__manifest_comes_while_all_are_listed__is_known() -> None:
    store = Store()
    shelf = shelf_of(store)

    def deliver() -> None:
        store.keep(LEASE, body())
        shelf.delivered(LEASE)

    store.meanwhile = deliver
    await shelf.look()

    assert shelf.leases == {LEASE}
    assert await shelf.desired(LEASE, ORDER.group) is not None


async def test_shelf__manifest_is_gone_from_the_disk__is_not_kept_by_a_look() -> None:
    store = Store()
    shelf = shelf_of(store)
    store.keep(LEASE, body())
    await shelf.look()

    await store.remove(LEASE)
    await shelf.look()

    assert shelf.leases == set()
