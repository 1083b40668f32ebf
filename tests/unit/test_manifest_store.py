import os
from pathlib import Path

import pytest

from moorage import private_file
from moorage.types import OrderId
from provider_agent.shell.manifest_store import ManifestFiles, ManifestMemory, ManifestStore

LEASE = OrderId(b"\xaa" * 32)
OTHER = OrderId(b"\xbb" * 32)


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ManifestStore:
    return ManifestFiles(tmp_path / "manifests") if request.param == "files" else ManifestMemory()


async def test_store__empty__has_nothing(store: ManifestStore) -> None:
    assert await store.get(LEASE) is None
    assert await store.leases() == frozenset()
    await store.remove(LEASE)


async def test_store__put__gives_it_back_by_lease(store: ManifestStore) -> None:
    await store.put(LEASE, b"first")
    await store.put(LEASE, b"second")
    await store.put(OTHER, b"other")

    assert (await store.get(LEASE), await store.get(OTHER)) == (b"second", b"other")
    assert await store.leases() == {LEASE, OTHER}


async def test_store__removed__is_gone(store: ManifestStore) -> None:
    await store.put(LEASE, b"first")

    await store.remove(LEASE)

    assert await store.get(LEASE) is None
    assert await store.leases() == frozenset()


async def test_files__another_instance__sees_what_was_put(tmp_path: Path) -> None:
    await ManifestFiles(tmp_path).put(LEASE, b"first")

    assert await ManifestFiles(tmp_path).get(LEASE) == b"first"


async def test_g26_files__put__are_private(tmp_path: Path) -> None:
    directory = tmp_path / "manifests"

    await ManifestFiles(directory).put(LEASE, b"first")

    (path,) = directory.iterdir()
    assert (path.stat().st_mode & 0o777, directory.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_files__crash_before_the_rename__keep_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ManifestFiles(tmp_path)
    await store.put(LEASE, b"first")

    def fail(descriptor: int) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(private_file.os, "fsync", fail)
    with pytest.raises(OSError, match="input/output"):
        await store.put(LEASE, b"second")

    assert await store.get(LEASE) == b"first"
    assert os.listdir(tmp_path) == [f"{LEASE.hex()}.json"]


async def test_files__strangers_in_the_directory__are_no_leases(tmp_path: Path) -> None:
    for name in ("readme.txt", ".aa.json.1234", "aa.json"):
        (tmp_path / name).write_text("x")

    assert await ManifestFiles(tmp_path).leases() == frozenset()
