"""The operator's commands for certificates, as processes on a real chain: made, kept elsewhere, renewed, replaced."""

from __future__ import annotations

import shutil
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from moorage import pki
from moorage.private_file import write_private
from moorage.types import ProviderNumber
from provider_agent.shell.authority import load_root_certificate, store_root
from tests.operator_desk import Desk, open_desk

ROTATE = ("rotate", "--owner-key-file", "owner")
FINAL_BLOCKS = 70
"""More than two epochs of the chain that tests run on."""
READ_BLOCKS = (2 * FINAL_BLOCKS, 15)
"""After so many, so many seconds apart, others have read what was final before."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


def names(desk: Desk) -> list[str]:
    kept = ("root", "intermediate")
    return sorted(each.name for each in (desk.folder / "data").iterdir() if each.name.startswith(kept))


async def on_chain(desk: Desk) -> frozenset[bytes]:
    (found,) = await desk.registry.fingerprints([ProviderNumber(1)])
    return found


def der_of(desk: Desk, name: str = "root.pem") -> bytes:
    root = load_root_certificate(desk.folder / "data" / name)
    assert root is not None
    return pki.der_of(root)


async def test_h22_init__then_register__puts_the_root_that_was_made_on_chain(desk: Desk) -> None:
    made = await desk.provider("init")
    assert made.status == 0, made.err
    root = der_of(desk)

    registered = await desk.register()

    assert registered.status == 0, registered.err
    assert der_of(desk) == root
    assert await on_chain(desk) == {keccak(root)}


async def test_h22_init__twice__overwrites_nothing(desk: Desk) -> None:
    await desk.provider("init")
    root = der_of(desk)
    (desk.folder / "data" / "root.pem").rename(desk.folder / "root.pem")

    again = await desk.provider("init")

    assert (again.status, "exists already" in again.err) == (2, True)
    assert der_of(desk) == root


async def test_h22_register__key_of_the_root_is_elsewhere_already__needs_only_the_certificate(desk: Desk) -> None:
    await desk.provider("init")
    (desk.folder / "data" / "root.pem").rename(desk.folder / "root.pem")

    registered = await desk.register()

    assert registered.status == 0, registered.err
    assert await on_chain(desk) == {keccak(der_of(desk))}
    assert names(desk) == ["intermediate.pem", "root.crt"]


async def test_h22_certificates__with_and_without_the_roots_key__say_so_and_renew(desk: Desk) -> None:
    await desk.register()
    data = desk.folder / "data"
    first = pki.load(data / "intermediate.pem").der

    shown = await desk.provider("certificates")
    renewed = await desk.provider("certificates", "--renew")
    (data / "root.pem").rename(desk.folder / "root.pem")
    away = await desk.provider("certificates")
    refused = await desk.provider("certificates", "--renew")

    assert (shown.status, "key here" in shown.out) == (0, True)
    assert renewed.status == 0, renewed.err
    assert pki.load(data / "intermediate.pem").der != first
    assert (away.status, "key elsewhere" in away.out) == (0, True)
    assert (refused.status, "root.pem is not here" in refused.err) == (2, True)


async def test_h22_backup__restored_into_an_empty_directory__is_the_same_provider(desk: Desk) -> None:
    await desk.register()
    data, root = desk.folder / "data", der_of(desk)
    backup = shutil.copytree(data, desk.folder / "backup")
    shutil.rmtree(data)
    shutil.copytree(backup, data)

    again = await desk.register()

    assert "nothing is paid" in again.out
    assert der_of(desk) == root
    assert (await desk.provider("certificates")).status == 0


def put_root_of_another(desk: Desk) -> str:
    """Leave another provider's root in the data directory; return that provider's name."""
    root = pki.create_root(ProviderNumber(3), desk.market.exchange, datetime.now(UTC))
    store_root(root, desk.folder / "data" / "root.pem")
    return pki.name_of(root.certificate)


@pytest.mark.parametrize("option", [(), ("--renew",)])
async def test_h22_certificates__root_of_another_provider__writes_nothing(desk: Desk, option: tuple[str]) -> None:
    await desk.register()
    name = put_root_of_another(desk)
    path = desk.folder / "data" / "intermediate.pem"
    before = path.read_bytes()

    refused = await desk.provider("certificates", *option)

    own = pki.provider_name(ProviderNumber(1), desk.market.exchange)
    assert (refused.status, refused.out) == (2, "")
    assert f"the root of {name}, not of {own}: restore its own" in refused.err
    assert path.read_bytes() == before


async def test_h22_init_and_certificates__registered_and_the_roots_are_lost__ask_for_the_backup(desk: Desk) -> None:
    await desk.register()
    data = desk.folder / "data"
    for name in names(desk):
        (data / name).unlink()

    made = await desk.provider("init")
    shown = await desk.provider("certificates")

    assert (made.status, shown.status) == (2, 2)
    assert "provider.json: registered as provider 1: restore its backup" in made.err
    assert "provider 1 is missing: restore its backup" in shown.err
    assert names(desk) == []


async def test_h22_certificates__leaf_is_garbage__says_what_to_do(desk: Desk) -> None:
    await desk.register()
    write_private(desk.folder / "data" / "server.pem", b"garbage")

    refused = await desk.provider("certificates")

    assert (refused.status, "server.pem holds no usable" in refused.err) == (2, True)
    assert "remove it, the agent makes another" in refused.err


POINTS = ("before-add_root", "after-add_root", "after-old_root", "after-new_root", "after-remove_root")


@pytest.mark.parametrize("point", ["", *(pytest.param(point, marks=pytest.mark.long) for point in POINTS)])
async def test_h22_h23_rotate__step_by_step_or_killed__ends_with_the_new_root_alone(desk: Desk, point: str) -> None:
    await desk.register()
    old = der_of(desk)
    deaths = 0

    for number in range(6):
        ended = await desk.provider(*ROTATE, *(() if number else ("--yes",)), crash_at="" if deaths else point)
        deaths += ended.status == -signal.SIGKILL
        assert ended.status in (0, -signal.SIGKILL), ended.err
        if len(await on_chain(desk)) == 2:
            await desk.chain.mine(*READ_BLOCKS)
        if "complete" in ended.out:
            break

    assert deaths == bool(point)
    assert "complete" in ended.out
    assert "the last one was completed at" in (await desk.provider(*ROTATE)).err
    assert f"the new root's key is {Path('data') / 'root.pem'} on this machine: it can be put away" in ended.out
    assert der_of(desk) != old
    assert await on_chain(desk) == {keccak(der_of(desk))}
    assert names(desk) == ["intermediate.pem", "root.crt", "root.pem"]
    root = pki.load(desk.folder / "data" / "root.pem").certificate
    pki.load(desk.folder / "data" / "intermediate.pem").certificate.verify_directly_issued_by(root)


async def test_h22_rotate__agent_still_uses_the_old_root__does_not_remove_it(desk: Desk) -> None:
    await desk.register()
    data = desk.folder / "data"
    issuer = pki.load(data / "intermediate.pem")
    pki.store(pki.issue_server(issuer, issuer.certificate.not_valid_before_utc), data / "server.pem")
    await desk.provider(*ROTATE, "--yes")
    await desk.chain.mine(*READ_BLOCKS)
    assert "in use here" in (await desk.provider(*ROTATE)).out

    refused = await desk.provider(*ROTATE)
    pki.store(pki.issue_server(pki.load(data / "intermediate.pem"), datetime.now(UTC)), data / "server.pem")
    early = await desk.provider(*ROTATE)

    assert (refused.status, "restart the agent" in refused.err) == (2, True)
    assert (early.status, "other agents hear of it within 120 s" in early.err) == (2, True)
    assert len(await on_chain(desk)) == 2


async def test_h23_rotate__new_root_is_not_final_or_not_read_by_all_yet__waits(desk: Desk) -> None:
    await desk.register()
    await desk.provider(*ROTATE, "--yes")

    early = await desk.provider(*ROTATE)
    await desk.chain.mine(FINAL_BLOCKS)
    unread = await desk.provider(*ROTATE)

    assert (early.status, "does not count yet" in early.out) == (0, True)
    assert (unread.status, "until everybody has read so, wait 1" in unread.out) == (0, True), unread.out
    assert names(desk) == ["intermediate.pem", "root-next.crt", "root-next.pem", "root.crt", "root.pem"]
