"""Asks what a constructor would say, without a transaction."""

from __future__ import annotations

from typing import Any

import brownie

from scripts.deployment.node import Reverted, call


def creation_refusal(container: Any, *args: Any) -> str | None:
    """Return the text with which a constructor refuses its arguments, or None if it takes them."""
    data = container.deploy.encode_input(*args)
    try:
        call(brownie.web3, {"data": data, "gas": hex(30_000_000)})
    except Reverted as error:
        return str(error)
    return None
