"""The parameters of a market: their bounds, and the views that tell them."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import GRACE, INTEREST_RATE, NOBODY, PERIOD, TIP, views

LIMITS = {
    "period": (4, 1_000_000),
    "interest_rate": (0, 10**12),
    "tip": (0, 2**80 - 1),
    "grace": (1, 1_000_000),
    "max_fulfillments": (1, 32),
}


@pytest.fixture(scope="module")
def deploy(market):
    """Deploy an exchange whose parameters differ from the plain ones as given."""

    def deploy(**changes):
        plain = {
            "token": market.token,
            "registry": market.registry,
            "period": PERIOD,
            "interest_rate": INTEREST_RATE,
            "tip": TIP,
            "grace": GRACE,
            "max_fulfillments": 32,
        }
        return brownie.Exchange.deploy(*(plain | changes).values(), {"from": market.deployer})

    return deploy


def _parameters(exchange) -> list:
    names = (
        "settlement_token",
        "provider_registry",
        "reconfirmation_period_blocks",
        "collateral_interest_rate",
        "facilitator_tip",
        "closing_grace_blocks",
        "max_fulfillments",
        "ledger_scale",
    )
    return views(exchange, *((name,) for name in names))


def test_constructor__plain_parameters__are_told_by_the_views(market):
    expected = [market.token.address, market.registry.address, PERIOD, INTEREST_RATE, TIP, GRACE, 32, 1]

    assert _parameters(market.exchange) == expected


@pytest.mark.parametrize("side", [0, 1], ids=["lowest", "highest"])
def test_constructor__all_at_their_limit__are_accepted(market, deploy, side):
    limits = {name: limit[side] for name, limit in LIMITS.items()}

    exchange = deploy(**limits)

    assert _parameters(exchange)[2:7] == list(limits.values())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"period": 3}, "parameters: period too short"),
        ({"period": 0}, "parameters: period too short"),
        ({"period": 1_000_001}, "parameters: period too long"),
        ({"interest_rate": 10**12 + 1}, "parameters: interest too high"),
        ({"tip": 2**80}, "parameters: tip too high"),
        ({"grace": 0}, "parameters: grace too short"),
        ({"grace": 1_000_001}, "parameters: grace too long"),
        ({"max_fulfillments": 0}, "parameters: too few fulfillments"),
        ({"max_fulfillments": 33}, "parameters: too many fulfillments"),
        ({"max_fulfillments": 2**256 - 1}, "parameters: too many fulfillments"),
    ],
    ids=str,
)
def test_constructor__parameter_beyond_its_limit__is_refused(deploy, change, text):
    with brownie.reverts(text):
        deploy(**change)


@pytest.mark.parametrize(
    ("name", "text"),
    [("token", "parameters: token has no code"), ("registry", "parameters: registry has no code")],
)
@pytest.mark.parametrize("address", [NOBODY, "0x" + "77" * 20])
def test_constructor__address_without_code__is_refused(deploy, name, text, address):
    with brownie.reverts(text):
        deploy(**{name: address})


def test_constructor__token_without_supply__is_refused(market, deploy):
    token = brownie.StandardToken.deploy(0, 18, {"from": market.deployer})

    with brownie.reverts("parameters: token has no supply"):
        deploy(token=token)


@pytest.mark.parametrize("decimals", [37, 255])
def test_constructor__token_with_too_many_decimals__is_refused(market, deploy, decimals):
    token = brownie.StandardToken.deploy(1, decimals, {"from": market.deployer})

    with brownie.reverts("parameters: too many decimals"):
        deploy(token=token)


@pytest.mark.parametrize(("decimals", "scale"), [(0, 10**18), (6, 10**12), (17, 10), (18, 1), (19, 1), (36, 1)])
def test_constructor__token_decimals__decide_the_scale(market, deploy, decimals, scale):
    token = brownie.StandardToken.deploy(1, decimals, {"from": market.deployer})

    assert deploy(token=token).ledger_scale() == scale


def test_constructor__contract_that_is_no_token__is_refused(market, deploy):
    with brownie.reverts():
        deploy(token=market.registry)


def test_constructor__native_coin__cannot_be_sent(market, exchange):
    with brownie.reverts():
        market.deployer.transfer(exchange, 1)
