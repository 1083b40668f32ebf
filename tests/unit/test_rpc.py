"""The client of a node: what is an answer, what is a refusal, and what is neither."""

from __future__ import annotations

import asyncio
import errno
import json
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from moorage.chain import rpc as module
from moorage.chain import rpc as rpc_module
from moorage.chain.rpc import LimitExceeded, NodeRefused, NodeUnavailable, Rpc, as_bytes, as_number, one_line
from tests.fakes.node import HASTY, Refusal, Silence, fake_node, raw_node, serving

REVERTED = "0x08c379a0"


async def test_call__answer__is_its_result() -> None:
    async with fake_node(lambda method, params: [method, params]) as (_, rpc):
        assert await rpc.call("eth_call", {"to": "0x1"}, "latest") == ["eth_call", [{"to": "0x1"}, "latest"]]


async def test_call__result_is_null__is_none() -> None:
    async with fake_node(lambda method, params: None) as (_, rpc):
        assert await rpc.call("eth_getTransactionReceipt") is None


@pytest.mark.parametrize("data", [REVERTED, {"data": REVERTED}, {"result": REVERTED}])
async def test_call__json_rpc_error__is_a_refusal_with_its_data(data: Any) -> None:
    def refuse(method: str, params: list[Any]) -> Any:
        raise Refusal("execution reverted", data)

    async with fake_node(refuse) as (_, rpc):
        with pytest.raises(NodeRefused) as caught:
            await rpc.call("eth_call")

    assert (caught.value.code, caught.value.message, caught.value.data) == (3, "execution reverted", REVERTED)


@pytest.mark.parametrize("data", [None, 7, [], {}, {"data": 7}])
async def test_call__error_without_usable_data__is_a_refusal_without(data: Any) -> None:
    def refuse(method: str, params: list[Any]) -> Any:
        raise Refusal("no", data)

    async with fake_node(refuse) as (_, rpc):
        with pytest.raises(NodeRefused) as caught:
            await rpc.call("eth_call")

    assert caught.value.data is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>welcome</html>"),
        (503, "<html>down for maintenance</html>"),
        (503, '{"jsonrpc":"2.0","id":1,"result":"0x1"}'),
        (429, '{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"slow down"}}'),
        (200, '{"jsonrpc":"2.0","id":1,"result":"0x'),
        (200, ""),
        (200, b"\xff\xfe"),
        (200, "null"),
        (200, "[]"),
        (200, '"0x1"'),
        (200, "{}"),
        (200, '{"jsonrpc":"2.0","id":1}'),
        (200, '{"jsonrpc":"2.0","id":1,"error":null}'),
        (200, '{"jsonrpc":"2.0","id":1,"error":"boom"}'),
        (200, '{"jsonrpc":"2.0","id":1,"error":[]}'),
        (200, '{"jsonrpc":"2.0","id":2,"result":"0x1"}'),
        (200, '{"jsonrpc":"2.0","id":"1","result":"0x1"}'),
        (200, '{"jsonrpc":"2.0","id":null,"result":"0x1"}'),
        (200, '{"jsonrpc":"2.0","id":2,"error":{"code":3,"message":"of another call"}}'),
        (200, '{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}'),
    ],
)
async def test_g12_call__answer_that_says_nothing__is_unavailable(status: int, body: str | bytes) -> None:
    async with raw_node(body, status) as rpc:
        with pytest.raises(NodeUnavailable):
            await rpc.call("eth_blockNumber")


async def test_call__result_beside_a_null_error__is_an_answer() -> None:
    async with raw_node('{"jsonrpc":"2.0","id":1,"error":null,"result":"0x1"}') as rpc:
        assert await rpc.call("eth_blockNumber") == "0x1"


@pytest.mark.parametrize("error", ['{"code":"abc"}', '{"code":null,"message":null}', "{}"])
async def test_call__malformed_error__is_still_a_refusal(error: str) -> None:
    async with raw_node(f'{{"jsonrpc":"2.0","id":null,"error":{error}}}') as rpc:
        with pytest.raises(NodeRefused):
            await rpc.call("eth_call")


async def test_call__no_answer_in_time__is_unavailable() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(hang) as url, Rpc(url, HASTY) as rpc:
        with pytest.raises(NodeUnavailable, match="no answer from the node at http://127"):
            await rpc.call("eth_blockNumber")


async def test_g24_call__hangs__is_given_up_soon_and_a_search_through_logs_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return web.json_response({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": []})

    monkeypatch.setattr(rpc_module, "QUICK_SECONDS", 0.2)
    async with serving(hang) as url, Rpc(url) as rpc:
        with pytest.raises(NodeUnavailable, match="not in time"):
            await rpc.call("eth_call")
        assert await rpc.call("eth_getLogs") == []


async def test_call__connection_breaks_off__is_unavailable() -> None:
    def vanish(method: str, params: list[Any]) -> Any:
        raise Silence

    async with fake_node(vanish) as (_, rpc):
        with pytest.raises(NodeUnavailable):
            await rpc.call("eth_blockNumber")


@pytest.mark.parametrize(
    "url",
    ["localhost:8545", "http//x/secret", "ftp://x/secret", "http://x:99999/secret", "http:///secret", "", "secret"],
)
async def test_call__address_that_is_none__says_what_it_has_to_be(url: str) -> None:
    async with Rpc(url) as rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await rpc.call("eth_blockNumber")

    assert str(caught.value) == "the node's address has to be of the form http(s)://host:port"


@pytest.mark.parametrize("path", ["/v3/secret", "/?key=secret", "/sécret-secret x", "//secret"])
@pytest.mark.parametrize("host", ["user:secret@127.0.0.1:1", "127.0.0.1:1", "user:secret@nowhere.invalid"])
async def test_g26_call__address_with_a_token__never_shows_it(host: str, path: str) -> None:
    async with Rpc(f"http://{host}{path}") as rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await rpc.call("eth_blockNumber")

    assert "secret" not in f"{caught.value} {rpc.name}"


@pytest.mark.parametrize("path", ["/v3/secret", "/?key=secret"])
async def test_g26_call__node_redirects_or_is_slow__the_token_is_not_shown(path: str) -> None:
    async def redirect(request: web.Request) -> web.Response:
        if await request.read() and request.headers.get("Authorization"):
            await asyncio.sleep(30)
        raise web.HTTPTemporaryRedirect(request.url.path_qs)

    async with serving(redirect, path) as url:
        for address in (url, url.replace("http://", "http://user:secret@")):
            async with Rpc(address, HASTY) as rpc:
                with pytest.raises(NodeUnavailable) as caught:
                    await rpc.call("eth_blockNumber")
            assert "secret" not in f"{caught.value}"


async def test_is_up__node_comes_and_goes__says_how_it_was_the_last_time() -> None:
    answers: list[Any] = ["0x1", Silence(), Refusal("reverted", None)]

    def answer(method: str, params: list[Any]) -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    seen = []
    async with fake_node(answer) as (_, rpc):
        for _ in range(3):
            with suppress(NodeRefused, NodeUnavailable):
                await rpc.call("eth_call")
            seen.append(rpc.is_up)

    assert seen == [True, False, True]


async def test_batch__answers_in_any_order__are_put_in_that_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 3)

    async def reverse(request: web.Request) -> web.Response:
        calls = json.loads(await request.read())
        return web.json_response([{"id": call["id"], "result": call["params"][0]} for call in reversed(calls)])

    async with serving(reverse) as url, Rpc(url) as rpc:
        assert await rpc.batch([("eth_call", [number]) for number in range(7)]) == list(range(7))


async def test_batch__no_calls__asks_nothing() -> None:
    async with Rpc("http://127.0.0.1:1") as rpc:
        assert await rpc.batch([]) == []


@pytest.mark.parametrize(
    "body",
    [
        '[{"id":1,"result":"0x1"}]',
        '[{"id":1,"result":"0x1"},{"id":3,"result":"0x1"}]',
        '[{"id":1,"result":"0x1"},{"id":[],"result":"0x1"}]',
        '[{"id":1,"result":"0x1"},{"id":2}]',
        '[{"id":1,"result":"0x1"},null]',
        '{"id":1,"result":"0x1"}',
        "[]",
    ],
)
async def test_g12_batch__one_call_without_an_answer__is_unavailable(body: str) -> None:
    async with raw_node(body) as rpc:
        with pytest.raises(NodeUnavailable):
            await rpc.batch([("eth_call", []), ("eth_call", [])])


async def test_batch__one_call_refused__is_a_refusal_and_no_partial_result() -> None:
    def answer(method: str, params: list[Any]) -> Any:
        if params == [2]:
            raise Refusal("header not found", code=-32000)
        return "0x1"

    async with fake_node(answer) as (_, rpc):
        with pytest.raises(NodeRefused, match="header not found"):
            await rpc.batch([("eth_call", [1]), ("eth_call", [2]), ("eth_call", [3])])


async def test_batch__refused_as_a_whole__is_a_refusal() -> None:
    async with raw_node('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}') as rpc:
        with pytest.raises(NodeRefused, match="batch too large"):
            await rpc.batch([("eth_call", [])])


async def test_rpc__outside_of_its_context__is_a_mistake_of_the_program() -> None:
    with pytest.raises(RuntimeError):
        await Rpc("http://127.0.0.1:1").call("eth_blockNumber")


@pytest.mark.parametrize("answer", [None, 1, "", "0x", "1", "0xzz", "0x-1", "0x1_0", "0x 1", "0x1" + 64 * "0", [], {}])
def test_as_number__something_else__is_unavailable(answer: Any) -> None:
    with pytest.raises(NodeUnavailable):
        as_number(answer)


@pytest.mark.parametrize("answer", [None, 1, "", "00", "0xz0", "0x0", "0x00 00", [], {}])
def test_as_bytes__something_else__is_unavailable(answer: Any) -> None:
    with pytest.raises(NodeUnavailable):
        as_bytes(answer)


async def test_call__answer_without_end__is_given_up_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 2**20)
    async with raw_node(b" " * (2**20 + 1)) as rpc:
        with pytest.raises(LimitExceeded, match=r"answered with more than 1 MiB"):
            await rpc.call("eth_blockNumber")
    async with raw_node('{"jsonrpc":"2.0","id":1,"result":"0x1"}'.ljust(2**20)) as rpc:
        assert await rpc.call("eth_blockNumber") == "0x1"


def test_as_number__largest_of_the_chain__is_read() -> None:
    assert as_number("0x" + 64 * "f") == 2**256 - 1


def test_as_number_and_as_bytes__what_nodes_write__is_read() -> None:
    assert (as_number("0x0"), as_number("0x1F"), as_bytes("0x"), as_bytes("0x00aB")) == (0, 31, b"", b"\0\xab")


def test_one_line__text_of_a_stranger__has_no_control_characters_and_an_end() -> None:
    assert one_line("a\nb\x1b[2J\r") == "a b [2J"
    assert len(one_line("x" * 10_000)) == module.MAX_SHOWN


@pytest.mark.parametrize("number", [errno.ECONNRESET, None])
async def test_g26_call__connection_ends_while_it_writes__the_token_is_not_shown(
    number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: aiohttp.ClientSession, url: str, **_: Any) -> None:
        raise aiohttp.ClientOSError(number, f"Can not write request body for {url}")

    monkeypatch.setattr(aiohttp.ClientSession, "post", fail)
    async with Rpc("http://127.0.0.1:1/?key=canary-5e0f") as rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await rpc.call("eth_call")

    assert "canary" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)
