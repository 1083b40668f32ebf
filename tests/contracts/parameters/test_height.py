"""The constructor on a chain that is so high that heights and spans could outgrow their 40 bits."""

from __future__ import annotations

from typing import Any

import brownie
import pytest
from eth_abi import decode

from tests.contracts.market import GRACE, INTEREST_RATE, PERIOD, TIP, Market


def _creation_at(market: Market, height: int) -> dict[str, Any]:
    """Return what a node answers to the creation of an exchange at some height."""
    arguments = market.token, market.registry, PERIOD, INTEREST_RATE, TIP, GRACE, 32
    transaction = {"data": brownie.Exchange.deploy.encode_input(*arguments)}
    overrides: list[Any] = [transaction, "latest", {}, {"number": hex(height)}]
    answer: dict[str, Any] = brownie.web3.provider.make_request("eth_call", overrides)
    return answer


@pytest.mark.parametrize("height", [0, 2**39 - 2])
def test_constructor__heights_below_2_to_the_39__are_accepted(market: Market, height: int) -> None:
    assert "result" in _creation_at(market, height)


@pytest.mark.parametrize("height", [2**39 - 1, 2**39, 2**40])
def test_constructor__heights_from_there_on__are_refused(market: Market, height: int) -> None:
    data = bytes.fromhex(_creation_at(market, height)["error"]["data"][2:])

    assert decode(["string"], data[4:]) == ("parameters: chain too high",)
