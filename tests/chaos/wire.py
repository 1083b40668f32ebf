"""For the proxy's own tests: an anvil with logs in its blocks behind a proxy, and clients that see every byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from eth_utils.address import to_checksum_address

from moorage.chain.contracts import Call
from moorage.chain.rpc import Rpc
from moorage.types import Address
from tests.chain import PATIENT, Chain, patient, start_chain
from tests.chaos.proxy import Proxy, run_proxy

TRANSFERS = 12
"""One in each of the blocks from 2 on; the token is created in block 1."""
HASTY = aiohttp.ClientTimeout(total=1)
PATIENCE_SECONDS = 60.0
TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")


@dataclass(frozen=True)
class Wire:
    """A chain and its spoilt node."""

    chain: Chain
    proxy: Proxy
    rpc: Rpc
    """By the proxy."""
    hasty: Rpc
    """By the proxy too; it does not wait long, for what is never answered."""
    token: Address
    session: aiohttp.ClientSession

    async def post(self, body: Any, url: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body that come back for a request."""
        async with self.session.post(url or self.proxy.url, json=body) as response:
            return response.status, dict(response.headers), await response.read()

    async def logs(self, first: int = 0, last: int | str = "latest", rpc: Rpc | None = None) -> list[dict[str, Any]]:
        """Return what the node gives of the token's logs."""
        until = hex(last) if isinstance(last, int) else last
        query = {"address": self.token, "fromBlock": hex(first), "toBlock": until}
        found = await (rpc or self.rpc).call("eth_getLogs", query)
        assert isinstance(found, list)
        return found

    async def true_logs(self) -> list[dict[str, Any]]:
        return await self.logs(rpc=self.chain.rpc)

    async def transfer(self, amount: int = 1) -> str:
        """Add a block with a log, and return the hash of its transaction."""
        receipt = await self.chain.transact(self.chain.treasury, self.call(amount))
        return str(receipt["transactionHash"])

    def call(self, amount: int) -> Call:
        data = bytes.fromhex("a9059cbb") + bytes.fromhex(self.chain.tenant.address[2:]).rjust(32, b"\0")
        return Call(self.token, data + amount.to_bytes(32, "big"), "transfer")


@asynccontextmanager
async def open_wire(seed: int = 0) -> AsyncIterator[Wire]:
    """Run a chain and a proxy without faults until the end of the block."""
    async with (
        start_chain(is_manual=True) as chain,
        run_proxy(chain.url, seed) as proxy,
        patient(proxy.url) as rpc,
        Rpc(proxy.url, HASTY) as hasty,
        aiohttp.ClientSession(timeout=PATIENT) as session,
    ):
        token = await chain.create("MoorageToken", ["uint256"], [10**27])
        wire = Wire(chain, proxy, rpc, hasty, Address(to_checksum_address(token)), session)
        for amount in range(TRANSFERS):
            call = wire.call(amount + 1)
            fields = {"from": chain.treasury.address, "to": call.to, "data": f"0x{call.data.hex()}", "gas": "0x20000"}
            await chain.rpc.call("eth_sendTransaction", fields)
            await chain.mine()
        assert len(await wire.true_logs()) == TRANSFERS + 1
        yield wire
        assert proxy.mistakes == []


class Socket:
    """A client of the WebSocket side."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self._raw = raw
        self.pushes: list[dict[str, Any]] = []

    async def call(self, method: str, *params: Any) -> Any:
        """Return an answer; pushes that come before it are kept."""
        await self._raw.send_str(json.dumps({"jsonrpc": "2.0", "id": 5, "method": method, "params": params}))
        while True:
            frame = await self._raw.receive_json(timeout=PATIENCE_SECONDS)
            if frame.get("id") == 5:
                return frame.get("result", frame.get("error"))
            self.pushes.append(frame)

    async def push(self, seconds: float = PATIENCE_SECONDS) -> Any:
        """Return what the next push says, or None if there is none in time or the connection is gone."""
        if self.pushes:
            return self.pushes.pop(0)["params"]["result"]
        try:
            message = await self._raw.receive(timeout=seconds)
        except TimeoutError:
            return None
        return json.loads(message.data)["params"]["result"] if message.type is aiohttp.WSMsgType.TEXT else None

    @property
    def is_closed(self) -> bool:
        return self._raw.closed


@asynccontextmanager
async def open_socket(wire: Wire, *subscriptions: Sequence[Any]) -> AsyncIterator[Socket]:
    """Connect to the proxy and subscribe."""
    async with wire.session.ws_connect(wire.proxy.socket_url) as raw:
        opened = Socket(raw)
        for subscription in subscriptions:
            await opened.call("eth_subscribe", *subscription)
        yield opened
