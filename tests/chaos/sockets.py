"""The WebSocket side of the proxy: calls go the same way as over HTTP, pushes pass the faults one by one."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.chaos.fault import HEAD_PUSH, LOG_PUSH, Answer, Call, Cut, Frame, Reply

if TYPE_CHECKING:
    from tests.chaos.proxy import Proxy


NEVER = 2**63
"""A head that none is later than."""


class Subscriber:
    """One client's socket, and the socket of its own to the true node, to which its subscriptions belong."""

    def __init__(
        self,
        proxy: Proxy,
        down: web.WebSocketResponse,
        up: aiohttp.ClientWebSocketResponse,
        waiting: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._proxy = proxy
        self._down = down
        self._up = up
        self._waiting = waiting
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._held: dict[str, list[Frame]] = {}
        """Pushes of subscriptions of which the client does not know yet."""
        self._known: set[str] = set()
        self._heads: set[str] = set()
        self._newest = 0
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []

    async def serve(self) -> None:
        """Serve the client until either side is gone.

        Raises:
            Cut: a fault breaks the connection.
        """
        is_cut = False
        try:
            async with asyncio.TaskGroup() as tasks:
                started = [tasks.create_task(self._read_pushes())]
                async for message in self._down:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        started.append(tasks.create_task(self._serve(json.loads(message.data))))
                for task in started:
                    task.cancel()
        except* Cut:
            is_cut = True
        except* ConnectionError:
            pass  # the client has gone while something was on its way to it
        if is_cut:
            raise Cut

    async def delivered(self, height: int) -> None:
        """Wait until the node has pushed a head, if the client wants heads."""
        if self._heads and self._newest < height:
            waiting = asyncio.get_running_loop().create_future()
            self._awaited.append((height, waiting))
            await waiting

    def _note_head(self, height: int) -> None:
        self._newest = max(self._newest, height)
        for awaited, waiting in self._awaited:
            if awaited <= height and not waiting.done():
                waiting.set_result(None)
        self._awaited = [each for each in self._awaited if each[0] > height]

    async def _serve(self, message: Any) -> None:
        reply = await self._proxy.exchange(message, self._forward)
        if reply is None:
            reply = Reply(json.dumps(await self._plain(message)).encode())
        if reply.status >= 400:
            raise Cut  # a socket has no status: gateways close it
        await self._down.send_str(reply.body.decode())
        await self._announce(reply)

    async def _plain(self, message: Any) -> Any:
        if isinstance(message, list):
            return [await self._plain(each) for each in message]
        call = Call(message.get("method", ""), list(message.get("params") or ()))
        return {"jsonrpc": "2.0", "id": message.get("id"), **await self._forward(call)}

    async def _forward(self, call: Call) -> Answer:
        number = next(self._ids)
        coming = self._answers[number] = asyncio.get_running_loop().create_future()
        frame = {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
        with self._waiting():
            await self._up.send_str(json.dumps(frame))
            answer = await coming
        del self._answers[number]
        if call.method == "eth_subscribe" and "result" in answer:
            self._held.setdefault(answer["result"], [])
            if call.params[:1] == ["newHeads"]:
                # what was mined before is not pushed, and must not be waited for
                self._note_head(int(await self._proxy.ask("eth_blockNumber"), 16))
                self._heads.add(answer["result"])
        return answer

    async def _announce(self, reply: Reply) -> None:
        """Let the pushes of a subscription go once the client has got its name."""
        for name in [name for name in self._held if name.encode() in reply.body]:
            self._known.add(name)
            for frame in self._held.pop(name):
                await self._push(frame)

    async def _read_pushes(self) -> None:
        async for message in self._up:
            frame = json.loads(message.data)
            if "id" in frame:
                waiting = self._answers.get(frame["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result({key: frame[key] for key in ("result", "error") if key in frame})
                continue
            name = frame["params"]["subscription"]
            if name in self._heads:
                self._note_head(int(frame["params"]["result"]["number"], 16))
            if name in self._known:
                await self._push(frame)
            else:
                self._held.setdefault(name, []).append(frame)
        self._note_head(NEVER)
        await self._down.close()

    async def _push(self, frame: Frame) -> None:
        kind = HEAD_PUSH if frame["params"]["subscription"] in self._heads else LOG_PUSH
        frames = [frame]
        (faults,) = await self._proxy.struck(kind)
        for fault in faults:
            frames = [changed for each in frames for changed in fault.push(each)]
        for each in frames:
            await self._down.send_str(json.dumps(each))
