"""Each fault of the way to the node does what it is called, for calls and batches; without one nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from moorage.chain.rpc import NodeRefused, NodeUnavailable
from tests.chaos.schedule import Schedule
from tests.chaos.transport_faults import Slow
from tests.chaos.wire import Wire, open_wire

HEAD = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
CHAIN = {"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []}
UNKNOWN = {"jsonrpc": "2.0", "id": "three", "method": "eth_nothing", "params": []}
SINGLE = ("eth_blockNumber", ())
BATCH = (("eth_chainId", ()), ("eth_blockNumber", ()), ("eth_gasPrice", ()), ("eth_chainId", ()))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Wire]:
    async with open_wire() as opened:
        yield opened


@pytest.fixture
def wire(opened: Wire) -> Wire:
    opened.proxy.clear()
    return opened


@pytest.mark.parametrize("body", [HEAD, [HEAD, CHAIN], UNKNOWN, [HEAD, UNKNOWN], [], {"no": "call"}])
async def test_proxy__no_faults__answers_to_the_byte_as_the_node(wire: Wire, body: object) -> None:
    status, _, answer = await wire.post(body)

    assert (status, answer) == (await wire.post(body, wire.chain.url))[::2]


async def test_proxy__fault_of_another_method__passes_by(wire: Wire) -> None:
    wire.proxy.add("internal_error", Schedule(methods=frozenset({"eth_chainId"})))

    with pytest.raises(NodeRefused):
        await wire.rpc.call("eth_chainId")
    assert await wire.rpc.call("eth_blockNumber") == await wire.chain.rpc.call("eth_blockNumber")


async def test_hang__a_call__is_never_answered(wire: Wire) -> None:
    wire.proxy.add("hang")

    with pytest.raises(NodeUnavailable, match="not in time"):
        await wire.hasty.call("eth_blockNumber")


async def test_reset__a_call__connection_breaks(wire: Wire) -> None:
    wire.proxy.add("reset")

    with pytest.raises(aiohttp.ClientError):
        await wire.post(HEAD)


async def test_too_many_requests__a_call__says_when_to_come_again(wire: Wire) -> None:
    wire.proxy.add("too_many_requests")

    status, headers, _ = await wire.post([HEAD])

    assert (status, headers["Retry-After"]) == (429, "1")


async def test_error_page__a_call__gets_html(wire: Wire) -> None:
    wire.proxy.add("error_page")

    status, headers, body = await wire.post(HEAD)

    assert (status, headers["Content-Type"]) == (503, "text/html")
    assert body.startswith(b"<html>")


async def test_internal_error__a_batch__each_answer_is_an_error(wire: Wire) -> None:
    wire.proxy.add("internal_error")

    _, _, body = await wire.post([HEAD, CHAIN])

    assert [(answer["id"], answer["error"]["code"]) for answer in json.loads(body)] == [(1, -32603), (2, -32603)]


async def test_truncated__a_call__half_of_the_answer_comes(wire: Wire) -> None:
    _, _, whole = await wire.post(HEAD)
    wire.proxy.add("truncated")

    _, _, body = await wire.post(HEAD)

    assert 0 < len(body) < len(whole)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_wrong_id__single_and_batch__results_are_right_and_ids_are_not(wire: Wire) -> None:
    _, _, right = await wire.post([HEAD, CHAIN])
    wire.proxy.add("wrong_id")

    _, _, body = await wire.post([HEAD, CHAIN])

    answers, expected = json.loads(body), json.loads(right)
    assert [answer["result"] for answer in answers] == [answer["result"] for answer in expected]
    assert not {answer["id"] for answer in answers} & {1, 2}


async def test_partial_batch__single_call__is_answered(wire: Wire) -> None:
    wire.proxy.add("partial_batch")

    assert await wire.rpc.call("eth_chainId") == "0x7a69"


async def test_partial_batch__batch__has_errors_results_and_a_gap(wire: Wire) -> None:
    wire.proxy.add("partial_batch")

    _, _, body = await wire.post([HEAD, CHAIN, HEAD])

    assert ["error" in answer for answer in json.loads(body)] == [True, False]


async def test_slow__a_call__takes_its_time_and_is_right(wire: Wire) -> None:
    wire.proxy.add(Slow(milliseconds=150))

    began = time.monotonic()
    assert await wire.rpc.call("eth_chainId") == "0x7a69"

    assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize("name", ["hang", "reset", "too_many_requests", "error_page", "truncated", "wrong_id"])
async def test_no_usable_answer__any_of_these__is_no_answer_for_our_client(wire: Wire, name: str) -> None:
    rule, rpc = wire.proxy.add(name), wire.hasty if name == "hang" else wire.rpc

    with pytest.raises(NodeUnavailable):
        await rpc.call(*SINGLE)
    with pytest.raises(NodeUnavailable):
        await rpc.batch(BATCH)
    wire.proxy.clear()
    assert await wire.rpc.call("eth_chainId") == "0x7a69"
    assert rule.struck == 1 + len(BATCH)


async def test_schedule__after_two_for_three_calls__strikes_those(wire: Wire) -> None:
    wire.proxy.add("internal_error", Schedule(skip=2, times=3))

    assert await outcomes(wire, 8) == "..xxx..."


async def test_schedule__from_a_block_to_a_block__strikes_while_it_is_the_newest(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add("internal_error", Schedule(first_block=head + 1, last_block=head + 2))

    struck = ""
    for _ in range(4):
        struck += await outcomes(wire, 1)
        await wire.chain.mine()

    assert struck == ".xx."


async def test_schedule__two_of_five_blocks__strikes_again_and_again(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add("internal_error", Schedule(first_block=head, on_blocks=2, of_blocks=5))

    struck = ""
    for _ in range(10):
        struck += await outcomes(wire, 1)
        await wire.chain.mine()

    assert struck == "xx...xx..."


async def test_schedule__by_chance__same_seed_strikes_the_same_calls(wire: Wire) -> None:
    runs = []
    for seed in (1, 1, 2):
        wire.proxy.clear()
        wire.proxy.seed = seed
        wire.proxy.add("internal_error", Schedule(probability=0.5))
        runs.append(await outcomes(wire, 40))

    assert runs[0] == runs[1] != runs[2]
    assert 8 < runs[0].count("x") < 32


async def test_buried__path_of_a_dead_process__is_reset_and_others_are_not(wire: Wire) -> None:
    wire.proxy.bury("/agent/1")

    with pytest.raises(aiohttp.ClientError):
        await wire.post(HEAD, f"{wire.proxy.url}/agent/1")
    assert (await wire.post(HEAD, f"{wire.proxy.url}/agent/2"))[0] == 200


async def outcomes(wire: Wire, calls: int) -> str:
    """Return a dot for each call that was answered, an x for each that was struck."""
    found = ""
    for _ in range(calls):
        try:
            await wire.rpc.call("eth_chainId")
            found += "."
        except NodeRefused:
            found += "x"
    return found
