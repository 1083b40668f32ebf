"""Which settlement tokens the probe lets through: mocks of what tokens do wrong, on a node that can simulate or not."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from scripts.deployment import DeploymentRefused
from scripts.deployment.token import ESCROW, IMPLEMENTATION_SLOT, TokenFacts, probe_token

SUPPLY = 10**15
NO_HOLDER = "0x00000000000000000000000000000000000Decaf"

# transfers return True, return nothing, look as if they had a permit, have a list, or call somebody
GOOD_TOKENS = [
    "StandardToken",
    "NoReturnToken",
    "PhantomPermitToken",
    "RestrictedToken",
    "RebasingToken",
    "ReentrantToken",
]


@pytest.fixture(scope="module")
def holder(module_isolation: None, accounts: Any) -> Any:
    """Has all tokens that it deploys."""
    return accounts[1]


def probe(token: Any, holder: Any, web3: Any = None) -> TokenFacts:
    return probe_token(web3 or brownie.web3, str(token), str(holder), brownie.TokenProbe._build["deployedBytecode"])


def refusal_of(token: Any, holder: Any, web3: Any = None) -> str:
    with pytest.raises(DeploymentRefused) as refusal:
        probe(token, holder, web3)
    return str(refusal.value).removeprefix(f"token {token}: ")


class BareNode:
    """A node without the third parameter of eth_call; it refuses or, as some do, overlooks it."""

    def __init__(self, web3: Any, is_silent: bool) -> None:
        self.eth = web3.eth
        self.provider = self
        self._send = web3.provider.make_request
        self._is_silent = is_silent

    def make_request(self, method: str, parameters: list[Any]) -> Any:
        if len(parameters) > 2 and not self._is_silent:
            return {"error": {"code": -32602, "message": "too many arguments, want at most 2"}}
        return self._send(method, parameters[:2])


# -------------------------------------------------------------------------------------------------- with simulation


@pytest.mark.parametrize("name", GOOD_TOKENS)
def test_probe_token__moves_as_asked__is_taken(holder: Any, name: str) -> None:
    token = getattr(brownie, name).deploy(SUPPLY, 6, {"from": holder})

    assert probe(token, holder) == TokenFacts(decimals=6, symbol="TEST", warnings=())
    assert (token.balanceOf(holder), token.balanceOf(ESCROW), token.allowance(holder, ESCROW)) == (SUPPLY, 0, 0)


@pytest.mark.parametrize("supply", [1, 999, 1000])
def test_probe_token__holder_has_little__is_taken(holder: Any, supply: int) -> None:
    token = brownie.StandardToken.deploy(supply, 18, {"from": holder})

    assert probe(token, holder).warnings == ()


def test_probe_token__our_own__is_taken(holder: Any) -> None:
    token = brownie.MoorageToken.deploy(SUPPLY, {"from": holder})

    assert probe(token, holder) == TokenFacts(decimals=18, symbol="MOOR", warnings=())


@pytest.mark.parametrize("decimals", [3, 6, 18])
def test_a01_probe_token__takes_a_fee__is_refused(holder: Any, decimals: int) -> None:
    token = brownie.FeeOnTransferToken.deploy(SUPPLY, decimals, {"from": holder})

    assert refusal_of(token, holder) == "refused: probe: transferFrom moves less"


def test_a05_probe_token__answers_false__is_refused(holder: Any) -> None:
    token = brownie.ReturnsFalseToken.deploy(SUPPLY, 18, {"from": holder})

    assert refusal_of(token, holder) == "refused: probe: transferFrom says false"


def test_probe_token__reverts__is_refused_with_its_own_reason(holder: Any) -> None:
    token = brownie.RestrictedToken.deploy(SUPPLY, 18, {"from": holder})
    token.set_blocked(ESCROW, True, {"from": holder})

    assert refusal_of(token, holder) == "refused: test token: blocked"


def test_a18_probe_token__behind_a_proxy__warns(holder: Any) -> None:
    token = brownie.StandardToken.deploy(SUPPLY, 18, {"from": holder})
    word = "0x" + "00" * 12 + brownie.web3.to_checksum_address(NO_HOLDER)[2:]
    slot = f"0x{IMPLEMENTATION_SLOT:064x}"
    brownie.web3.provider.make_request("anvil_setStorageAt", [token.address, slot, word])

    (warning,) = probe(token, holder).warnings

    assert warning.startswith(f"is a proxy of {brownie.web3.to_checksum_address(NO_HOLDER)}: ")


@pytest.mark.parametrize(
    ("decimals", "capacity", "tokens"),
    [(0, 79_228_162_514, "79_228_162_514"), (18, 2**96 - 1, "79_228_162_514"), (20, 2**96 - 1, "792_281_625")],
)
def test_probe_token__more_than_an_exchange_holds__warns(
    holder: Any, decimals: int, capacity: int, tokens: str
) -> None:
    fits = brownie.StandardToken.deploy(capacity, decimals, {"from": holder})
    overflows = brownie.StandardToken.deploy(capacity + 1, decimals, {"from": holder})

    assert probe(fits, holder).warnings == ()
    assert probe(overflows, holder).warnings == (
        f"has a larger supply than an exchange holds: whoever sends it {tokens} tokens stops all further deposits",
    )


# ---------------------------------------------------------------------------------------------- what it says of itself


def test_a18_probe_token__no_contract__is_refused(holder: Any) -> None:
    assert refusal_of(holder, holder) == "there is no contract on chain 31337"


def test_a18_probe_token__another_contract__is_refused(holder: Any) -> None:
    registry = brownie.ProviderRegistry.deploy(0, {"from": holder})

    assert refusal_of(registry, holder) == "decimals() does not answer with a number"


@pytest.mark.parametrize(("decimals", "is_taken"), [(3, True), (36, True), (37, False), (255, False)])
def test_probe_token__decimals__are_bounded(holder: Any, decimals: int, is_taken: bool) -> None:
    token = brownie.StandardToken.deploy(SUPPLY, decimals, {"from": holder})

    if is_taken:
        assert probe(token, holder).decimals == decimals
    else:
        assert refusal_of(token, holder) == f"{decimals} decimals, at most 36 are supported"


def test_probe_token__no_supply__is_refused(holder: Any) -> None:
    token = brownie.StandardToken.deploy(0, 18, {"from": holder})

    assert refusal_of(token, holder) == "its supply is zero"


# ------------------------------------------------------------------------------------ nothing to move, or no simulation


def test_probe_token__holder_has_none__is_taken_with_a_warning(holder: Any) -> None:
    token = brownie.StandardToken.deploy(SUPPLY, 18, {"from": holder})

    (warning,) = probe(token, NO_HOLDER).warnings

    assert warning == (
        "moved nothing in the probe, a fee on transfers would not have shown: "
        f"{NO_HOLDER} has none; name a token_holder"
    )


@pytest.mark.parametrize("is_silent", [False, True])
@pytest.mark.parametrize("name", ["StandardToken", "NoReturnToken", "FeeOnTransferToken"])
def test_probe_token__node_can_not_simulate__is_taken_with_a_warning(holder: Any, name: str, is_silent: bool) -> None:
    token = getattr(brownie, name).deploy(SUPPLY, 18, {"from": holder})

    (warning,) = probe(token, holder, BareNode(brownie.web3, is_silent)).warnings

    assert "the node does not simulate with changed code" in warning


@pytest.mark.parametrize("is_silent", [False, True])
def test_probe_token__answers_false_to_such_a_node__is_refused(holder: Any, is_silent: bool) -> None:
    token = brownie.ReturnsFalseToken.deploy(SUPPLY, 18, {"from": holder})

    assert refusal_of(token, holder, BareNode(brownie.web3, is_silent)) == "transfer answers false"


def test_probe_token__reverts_for_such_a_node__is_refused(holder: Any) -> None:
    token = brownie.RestrictedToken.deploy(SUPPLY, 18, {"from": holder})
    token.set_blocked(ESCROW, True, {"from": holder})

    assert refusal_of(token, NO_HOLDER) == (
        "transfer of nothing reverts, so that it can't be judged: name a token_holder"
    )
