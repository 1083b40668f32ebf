"""How these tests talk to anvil: Brownie without its pauses and detours, and many views in one request."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import brownie
from brownie.network.rpc import Rpc, anvil
from brownie.network.state import Chain
from web3.types import RPCEndpoint

_send = brownie.web3.eth.send_transaction


def tune() -> None:
    """Make Brownie three times faster on anvil. Each line leaves out what isolated tests do not need."""
    # It asks for a receipt before anvil has mined, then sleeps a second or even takes the transaction for dropped.
    brownie.web3.eth.send_transaction = _send_and_wait
    # It takes a snapshot after each transaction, for chain.undo().
    Chain._add_to_undo_buffer = lambda *_: None
    # It looks through the whole call stack at each snapshot, to warn of direct calls.
    Rpc.snapshot = lambda _: anvil.snapshot()
    Rpc.revert = lambda _, id: anvil.revert(id)
    # web3.py asks for the chain id before each call.
    provider = brownie.web3.provider
    provider.cacheable_requests = {RPCEndpoint("eth_chainId")}
    provider.cache_allowed_requests = True
    # Each request looks for proxies in the environment and for a password in ~/.netrc.
    provider._request_session_manager.cache_and_return_session(provider.endpoint_uri).trust_env = False
    # A revert collects garbage; what is frozen is not looked through.
    gc.collect()
    gc.freeze()


def _send_and_wait(transaction: Any) -> Any:
    txid = _send(transaction)
    brownie.web3.eth.wait_for_transaction_receipt(txid, poll_latency=0.002)
    return txid


def views(contract: Any, *calls: tuple[Any, ...]) -> list[Any]:
    """Ask a contract for many views as of the next block.

    Args:
        contract: The contract.
        calls: Name of a view and its arguments.

    Returns:
        The decoded answers.
    """
    methods = [getattr(contract, name) for name, *_ in calls]
    requests = [
        ("eth_call", [{"to": contract.address, "data": method.encode_input(*arguments)}, "pending"])
        for method, (_, *arguments) in zip(methods, calls, strict=True)
    ]
    answers = _answers(requests)
    return [method.decode_output(answer["result"]) for method, answer in zip(methods, answers, strict=True)]


def _answers(requests: Sequence[tuple[str, list[Any]]]) -> list[Any]:
    return list(brownie.web3.provider.make_batch_request(requests)) if requests else []
