"""A daemon that cannot start says in one line what is wrong and what to do, and ends with status 2."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.chain import start_chain
from tests.docker_world import engine_url
from tests.operator_desk import Desk, Ended, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


def assert_refused(ended: Ended, program: str, *words: str) -> None:
    assert (ended.status, ended.out) == (2, ""), ended
    said = [line for line in ended.err.splitlines() if not line.startswith("{")]  # what it has logged before is JSON
    assert len(said) == 1, ended.err
    assert said[0].startswith(f"{program}: "), ended.err
    assert all(word in said[0] for word in words), ended.err


def change_market(desk: Desk, change: Callable[[dict[str, object]], object]) -> None:
    path = desk.folder / "market.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


async def facilitator(desk: Desk, *arguments: str) -> Ended:
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    options = {"--rpc": desk.chain.url, "--market": "market.json", "--key-file": "operator"} | given
    return await desk.facilitator("run", *(part for option in options.items() for part in option))


# ------------------------------------------------------------------ the market


async def test_e12_e13_facilitator__not_the_market_of_its_file__does_not_start(desk: Desk) -> None:
    change_market(desk, lambda document: document["contracts"]["Exchange"].update(code_hash="0x" + "11" * 32))

    assert_refused(await facilitator(desk), "moorage-facilitator", desk.market.exchange, "other code")


async def test_e12_e13_provider__not_the_market_of_its_file__does_not_start(desk: Desk) -> None:
    await desk.register()
    change_market(desk, lambda document: document["contracts"]["Exchange"].update(code_hash="0x" + "11" * 32))

    assert_refused(await desk.provider("run"), "moorage-provider", desk.market.exchange, "other code")


async def test_e13_daemons__node_of_another_chain__do_not_start(desk: Desk) -> None:
    await desk.register()
    async with start_chain(chain_id=5) as other:
        desk.change(desk.chain.url, other.url)

        assert_refused(await facilitator(desk, "--rpc", other.url), "moorage-facilitator", "chain 5", "31337")
        assert_refused(await desk.provider("run"), "moorage-provider", "chain 5", "31337")


async def test_daemons__no_node__say_which_setting_names_it(desk: Desk) -> None:
    desk.change(desk.chain.url, "http://127.0.0.1:1")

    ended = await facilitator(desk, "--rpc", "http://127.0.0.1:1")

    assert_refused(ended, "moorage-facilitator", "http://127.0.0.1:1", "--rpc")
    assert_refused(await desk.provider("run"), "moorage-provider", "http://127.0.0.1:1", "provider.toml")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}"])
async def test_daemons__no_market_file__say_which(desk: Desk, content: str | None) -> None:
    path = desk.folder / "market.json"
    path.unlink()
    if content is not None:
        path.write_text(content)

    assert_refused(await facilitator(desk), "moorage-facilitator", "market.json")
    assert_refused(await desk.provider("run"), "moorage-provider", "market.json")


# ------------------------------------------------------------------ keys


def remove(path: Path) -> None:
    path.unlink()


def make_readable(path: Path) -> None:
    path.chmod(0o644)


def spoil(path: Path) -> None:
    path.write_text("not a key")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [remove, make_readable, spoil, make_folder])
async def test_g26_daemons__key_file_that_cannot_be__is_named(desk: Desk, change: Callable[[Path], None]) -> None:
    change(desk.folder / "operator")

    assert_refused(await facilitator(desk), "moorage-facilitator", "operator")
    assert_refused(await desk.provider("run"), "moorage-provider", "operator")


async def test_provider__key_of_a_stranger__says_whose_is_expected(desk: Desk) -> None:
    await desk.register()
    desk.change('operator_key_file = "operator"', 'operator_key_file = "stranger"')

    ended = await desk.provider("run")

    assert_refused(ended, "moorage-provider", desk.chain.stranger.address, desk.chain.operators[0].address)


# ------------------------------------------------------------------ the agent's surroundings


async def test_provider__not_registered__says_how(desk: Desk) -> None:
    assert_refused(await desk.provider("run"), "moorage-provider", "moorage-provider register")


async def test_provider__no_engine__says_which_setting_names_it(desk: Desk) -> None:
    await desk.register()

    assert_refused(await desk.provider("run"), "moorage-provider", "unix:///nowhere/docker.sock", "provider.toml")


async def test_provider__port_in_use__is_named(desk: Desk) -> None:
    url = engine_url()
    assert url is not None, "no Docker engine at DOCKER_HOST or /var/run/docker.sock: run setup/engine.sh"
    await desk.register()
    desk.change("unix:///nowhere/docker.sock", url)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        desk.change('listen = "127.0.0.1:8443"', f'listen = "{taken}"')

        assert_refused(await desk.provider("run"), "moorage-provider", taken, "listen")


@pytest.mark.parametrize("removed", [("root.pem", "root.crt"), ("root.pem", "intermediate.pem")])
async def test_h22_provider__no_certificates_any_more__says_what_to_restore(desk: Desk, removed: tuple[str]) -> None:
    await desk.register()
    for name in removed:
        (desk.folder / "data" / name).unlink()

    assert_refused(await desk.provider("run"), "moorage-provider", "root.pem", "restore")


async def test_h22_provider__key_of_the_root_is_elsewhere__starts(desk: Desk) -> None:
    await desk.register()
    (desk.folder / "data" / "root.pem").unlink()

    assert_refused(await desk.provider("run"), "moorage-provider", "no Docker engine")  # that is looked for last


async def test_provider__data_dir_below_a_file__names_the_setting(desk: Desk) -> None:
    desk.change('data_dir = "data"', 'data_dir = "/dev/null/x"')

    words = ("/dev/null/x/", "Not a directory", "data_dir")
    assert_refused(await desk.provider("certificates"), "moorage-provider", *words)
    assert_refused(await desk.provider("run"), "moorage-provider", *words)
    assert_refused(await desk.provider("init"), "moorage-provider", *words)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('region = "local"', 'region = "moon"', "region"),
        ("cpu = 2", "cpu = -2", "capacity.cpu"),
        ('memory = "1GiB"', "", "capacity.memory"),
        ('disk = "10GB"', 'disk = "10GB"\ndisc = 1', "capacity.disc"),
        ('collateral_cap = "1000"', 'collateral_cap = "much"', "collateral_cap"),
        ("[prices]", "[prices", "not TOML"),
    ],
)
async def test_provider__setting_that_cannot_be__is_named(desk: Desk, old: str, new: str, key: str) -> None:
    desk.change(old, new)

    assert_refused(await desk.provider("run"), "moorage-provider", "provider.toml", key)


async def test_daemons__no_such_option__says_so(desk: Desk) -> None:
    assert_refused(await desk.provider("run", "--loud"), "moorage-provider", "--loud")
    assert_refused(await desk.facilitator("run", "--loud"), "moorage-facilitator", "--loud")
