"""The WebSocket side: calls and pushes go through unchanged without faults, and each fault of pushes does its work."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chaos.log_faults import Drop, Duplicate
from tests.chaos.socket_faults import CutSocket
from tests.chaos.view_faults import Lag
from tests.chaos.wire import Socket, Wire, open_socket, open_wire

HEADS = ("newHeads",)
LOGS = ("logs", {})
A_MOMENT = 0.3
"""Seconds in which something would come, if it did."""


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with open_wire() as opened:
        yield opened


async def heads(socket: Socket, wire: Wire, blocks: int, pushed: int) -> list[int]:
    """Mine blocks, and return the heights that are pushed: so many are waited for, and then a moment for more."""
    for _ in range(blocks):
        await wire.chain.mine()
    found: list[int] = []
    while (head := await socket.push(*([A_MOMENT] if len(found) == pushed else []))) is not None:
        found.append(int(head["number"], 16))
    return found


async def test_socket__no_faults__answers_calls_and_pushes_heads_and_logs(wire: Wire) -> None:
    async with open_socket(wire, HEADS) as for_heads, open_socket(wire, LOGS) as for_logs:
        head = await wire.chain.block_number()

        assert await for_heads.call("eth_blockNumber") == hex(head)
        assert await heads(for_heads, wire, 3, pushed=3) == [head + 1, head + 2, head + 3]
        transaction = await wire.transfer()
        log = await for_logs.push()

    assert (log["transactionHash"], log["removed"]) == (transaction, False)


async def test_socket__unknown_method__is_refused_as_by_the_node(wire: Wire) -> None:
    async with (
        open_socket(wire) as socket,
        wire.session.ws_connect(wire.chain.url.replace("http", "ws")) as direct,
    ):
        assert await socket.call("eth_nothing") == await Socket(direct).call("eth_nothing")


async def test_internal_error__call_over_a_socket__gets_it(wire: Wire) -> None:
    wire.proxy.add("internal_error")
    async with open_socket(wire) as socket:
        assert (await socket.call("eth_blockNumber"))["code"] == -32603


async def test_error_page__call_over_a_socket__closes_it(wire: Wire) -> None:
    wire.proxy.add("error_page")
    async with open_socket(wire) as socket:
        with pytest.raises(TypeError):
            await socket.call("eth_blockNumber")
        assert socket.is_closed


async def test_ws_cut__each_third_push__breaks_the_connection(wire: Wire) -> None:
    wire.proxy.add(CutSocket(frames=3))
    async with open_socket(wire, HEADS) as socket:
        assert len(await heads(socket, wire, 3, pushed=3)) == 2  # the connection breaks before the third comes
        assert socket.is_closed
    async with open_socket(wire, HEADS) as socket:
        assert len(await heads(socket, wire, 3, pushed=3)) == 2


async def test_ws_silent__blocks_are_mined__calls_are_answered_and_nothing_is_pushed(wire: Wire) -> None:
    wire.proxy.add("ws_silent")
    async with open_socket(wire, HEADS) as socket:
        assert await heads(socket, wire, 2, pushed=0) == []
        assert await socket.call("eth_blockNumber") == hex(await wire.chain.block_number())
        assert not socket.is_closed


async def test_removed_logs__a_log__is_followed_by_its_revocation(wire: Wire) -> None:
    wire.proxy.add("removed_logs")
    async with open_socket(wire, LOGS) as socket:
        await wire.transfer()
        log, revoked = await socket.push(), await socket.push()

    assert revoked == log | {"removed": True}


async def test_drop_and_duplicate__pushed_logs__are_struck_too(wire: Wire) -> None:
    async with open_socket(wire, LOGS) as socket:
        wire.proxy.add(Duplicate())
        await wire.transfer()
        assert await socket.push() == await socket.push()
        wire.proxy.add(Drop())
        await wire.transfer()
        assert await socket.push(A_MOMENT) is None


async def test_lag__pushed_heads__come_so_many_blocks_later(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add(Lag(2))
    async with open_socket(wire, HEADS) as socket:
        assert await heads(socket, wire, 5, pushed=3) == [head + 1, head + 2, head + 3]


async def test_hidden__subscribing__is_refused(wire: Wire) -> None:
    wire.proxy.add("hidden")
    async with open_socket(wire) as socket:
        assert (await socket.call("eth_subscribe", "newHeads"))["code"] == -32601
