"""A signer of its own, over HTTP (eth_accounts, eth_signTransaction, eth_signTypedData_v4), that can misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from moorage.chain.signer import LocalSigner
from moorage.chain.transactions import Fees, Transaction
from moorage.types import Address

REJECTED = {"code": -32000, "message": "the owner said no"}


@dataclass
class SignerSite:
    """Signs whatever it is asked for, unless it is told otherwise."""

    account: LocalAccount
    accounts: tuple[str, ...]
    rejected: tuple[str, ...] = ()
    """Methods that the owner says no to."""
    silent: tuple[str, ...] = ()
    """Methods that nobody answers."""
    change: dict[str, Any] = field(default_factory=dict)
    """What it puts in place of what was asked for."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        call = await request.json()
        method = str(call["method"])
        self.asked.append(method)
        if method in self.silent:
            await asyncio.sleep(3600)
        if method in self.rejected:
            return web.json_response({"jsonrpc": "2.0", "id": call["id"], "error": REJECTED})
        return web.json_response({"jsonrpc": "2.0", "id": call["id"], "result": await self._result(method, call)})

    async def _result(self, method: str, call: dict[str, Any]) -> Any:
        match method:
            case "eth_accounts":
                return list(self.accounts)
            case "eth_signTransaction":
                return await self._transaction(call["params"][0] | self.change)
            case "eth_signTypedData_v4":
                document = call["params"][1]
                document = document | {"message": document["message"] | self.change}
                return f"0x{self.account.sign_typed_data(full_message=document).signature.hex().removeprefix('0x')}"
        raise AssertionError(method)

    async def _transaction(self, fields: dict[str, str]) -> str:
        numbers = {name: int(fields[name], 16) for name in ("chainId", "nonce", "gas", "maxFeePerGas")}
        fees = Fees(numbers["maxFeePerGas"], int(fields["maxPriorityFeePerGas"], 16))
        to, data = Address(to_checksum_address(fields["to"])), bytes.fromhex(fields["data"][2:])
        transaction = Transaction(numbers["chainId"], numbers["nonce"], to, data, numbers["gas"], fees)
        return (await LocalSigner(self.account).sign(transaction)).raw


@asynccontextmanager
async def signer_site(account: LocalAccount, **settings: Any) -> AsyncIterator[SignerSite]:
    """Run a signer with a key."""
    site = SignerSite(account, settings.pop("accounts", (account.address,)), **settings)
    application = web.Application()
    application.router.add_post("/", site.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()
