"""Asks the node for the outcome of a call: an answer, a revert, or neither."""

from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from web3 import Web3

ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)


class Reverted(Exception):
    """The call has failed on chain; the message is the revert text, if there is one."""


class Unanswered(Exception):
    """The node can't or won't run the call; the message is its own."""


def call(web3: Web3, transaction: dict[str, Any], overrides: dict[str, Any] | None = None) -> bytes:
    """Run eth_call at the newest block, past web3.py and Brownie, which disagree about its errors.

    Args:
        web3: Of the chain.
        transaction: As JSON-RPC has it.
        overrides: Address -> state that differs from the chain's (geth's third parameter, which most nodes have).

    Raises:
        Reverted: on chain it would fail.
        Unanswered: nothing is known.
    """
    parameters = [transaction, "latest"] if overrides is None else [transaction, "latest", overrides]
    response: dict[str, Any] = web3.provider.make_request("eth_call", parameters)
    if "error" in response:
        error = response["error"]
        if error.get("code") == 3 or "revert" in str(error.get("message")):
            raise Reverted(_revert_text(error))
        raise Unanswered(str(error.get("message")))
    return bytes.fromhex(response["result"].removeprefix("0x"))


def _revert_text(error: dict[str, Any]) -> str:
    data = error.get("data")
    raw = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) and data.startswith("0x") else b""
    if raw[:4] == ERROR_SELECTOR:
        try:
            return str(decode(["string"], raw[4:])[0])
        except DecodingError:
            pass
    return str(error.get("message"))
