"""What a parameters file may say: every mistake is named with file, key, value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scripts.deployment import DeploymentRefused
from scripts.deployment.parameters import BOUNDS, Parameters, read_parameters
from scripts.deployment.result import ROOT
from tests.contracts.deploy.conftest import PLAIN, quoted
from tests.contracts.parameters.test_bounds import TABLE

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"

MISTAKES = [
    # a key that is not known, or not there
    ({"max_fullfillments": 3}, "unknown key max_fullfillments: did you mean max_fulfillments?"),
    ({"colour": 3}, "unknown key colour: known are token, registry, reconfirmation_period_blocks, "),
    ({"token": None}, "token is missing"),
    ({"registry": None}, "registry is missing"),
    ({"facilitator_tip": None}, "facilitator_tip is missing"),
    ({"seconds_per_block": None}, "seconds_per_block is missing"),
    ({"token_supply": None}, "token_supply is missing"),
    ({"root_delay_blocks": None}, "root_delay_blocks is missing"),
    ({"registry": quoted(ADDRESS), "root_delay_blocks": None}, "registry_block is missing"),
    # a key that does not go with another
    ({"token": quoted(ADDRESS)}, 'token_supply: only with token = "deploy"'),
    ({"token_holder": quoted(ADDRESS)}, "token_holder: only with token = an address"),
    ({"registry": quoted(ADDRESS), "registry_block": 1}, 'root_delay_blocks: only with registry = "deploy"'),
    ({"registry_block": 1}, "registry_block: only with registry = an address"),
    # a value of another type
    ({"max_fulfillments": quoted("many")}, 'max_fulfillments = "many": must be a whole number from 1 to 32'),
    ({"max_fulfillments": "true"}, "max_fulfillments = True: must be a whole number from 1 to 32"),
    ({"max_fulfillments": "3.0"}, "max_fulfillments = 3.0: must be a whole number from 1 to 32"),
    ({"max_fulfillments": "[3]"}, "max_fulfillments = [3]: must be a whole number from 1 to 32"),
    ({"max_fulfillments": quoted("-3")}, 'max_fulfillments = "-3": must be a whole number from 1 to 32'),
    ({"max_fulfillments": quoted("3_")}, 'max_fulfillments = "3_": must be a whole number from 1 to 32'),
    ({"token": "3"}, 'token = 3: must be "deploy" or an address with its checksum (EIP-55)'),
    ({"token": quoted("0x12")}, 'token = "0x12": must be "deploy" or an address with its checksum (EIP-55)'),
    ({"registry": quoted(ADDRESS.lower())}, f'registry = "{ADDRESS.lower()}": must be "deploy" or an address'),
    ({"seconds_per_block": quoted("1")}, 'seconds_per_block = "1": must be a number above 0 and up to 3600'),
    # a value out of bounds
    ({"seconds_per_block": 0}, "seconds_per_block = 0: must be a number above 0 and up to 3600"),
    ({"seconds_per_block": -0.5}, "seconds_per_block = -0.5: must be"),
    ({"seconds_per_block": "nan"}, "seconds_per_block = NaN: must be"),
    ({"seconds_per_block": "inf"}, "seconds_per_block = Infinity: must be"),
    ({"seconds_per_block": 3601}, "seconds_per_block = 3601: must be"),
    ({"token_supply": 0}, "token_supply = 0: must be a whole number from 1 to 79_228_162_514_264_337_593_543_950_335"),
    ({"token_supply": quoted(2**96)}, f'token_supply = "{2**96}": must be a whole number from 1 to'),
    ({"root_delay_blocks": 1_000_001}, "root_delay_blocks = 1000001: must be a whole number from 0 to 1_000_000"),
    ({"chain_id": 0}, "chain_id = 0: must be a whole number from 1 to"),
    # no TOML
    ({"token": "deploy"}, "not TOML: Invalid value"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_read_parameters__mistake__is_named(
    write_parameters: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    path = write_parameters(**changes)

    with pytest.raises(DeploymentRefused) as refusal:
        read_parameters(path)

    assert str(refusal.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("key", ["token", "registry", "token_holder"])
def test_a19_read_parameters__address_with_a_wrong_checksum__is_refused(
    write_parameters: Callable[..., Path], key: str
) -> None:
    others = {"token": quoted(ADDRESS), "token_supply": None, "registry": quoted(ADDRESS), "root_delay_blocks": None}
    wrong = quoted(ADDRESS.swapcase().replace("0X", "0x"))
    path = write_parameters(**others | {"registry_block": 1, "token_holder": quoted(ADDRESS), key: wrong})

    with pytest.raises(DeploymentRefused, match=rf"{key} = {wrong}: must be .*an address with its checksum"):
        read_parameters(path)


def test_read_parameters__no_file__says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DeploymentRefused, match=r"none\.toml: No such file or directory: write it after deploy/ex"):
        read_parameters(tmp_path / "none.toml")


def test_read_parameters__plain__come_as_they_are(write_parameters: Callable[..., Path]) -> None:
    parameters = asdict(read_parameters(write_parameters()))

    assert {key: value for key, value in parameters.items() if value is not None} == PLAIN


def test_read_parameters__existing_contracts__come_as_they_are(write_parameters: Callable[..., Path]) -> None:
    address = quoted(ADDRESS)
    changes = {"token": address, "token_supply": None, "token_holder": address, "registry": address}

    parameters = read_parameters(write_parameters(**changes, root_delay_blocks=None, registry_block=7, chain_id=5))

    found = (parameters.token, parameters.token_holder, parameters.registry)
    assert found == (ADDRESS, ADDRESS, ADDRESS)
    assert (parameters.registry_block, parameters.chain_id) == (7, 5)


def test_read_parameters__large_numbers_in_quotes__are_exact(write_parameters: Callable[..., Path]) -> None:
    changes = {"token_supply": quoted(2**96 - 1), "facilitator_tip": quoted("1_000_000_000_000_000_000_001")}

    parameters = read_parameters(write_parameters(**changes))

    assert (parameters.token_supply, parameters.facilitator_tip) == (2**96 - 1, 10**21 + 1)


def test_read_parameters__fractions_of_a_second__are_exact(write_parameters: Callable[..., Path]) -> None:
    assert read_parameters(write_parameters(seconds_per_block="0.1")).seconds_per_block == Decimal("0.1")


@pytest.mark.parametrize("parameter", TABLE)
def test_read_parameters__bounds__are_those_of_the_constructor(
    write_parameters: Callable[..., Path], parameter: str
) -> None:
    taken = []
    for value, _ in TABLE[parameter]:
        try:
            read_parameters(write_parameters(**{parameter: quoted(value)}))
            taken.append(value)
        except DeploymentRefused:
            pass

    assert taken == [value for value, refusal in TABLE[parameter] if refusal is None]


def test_bounds__of_supply_and_delay__stand_in_the_contracts() -> None:
    token = (ROOT / "contracts" / "MoorageToken.vy").read_text()
    registry = (ROOT / "contracts" / "ProviderRegistry.vy").read_text()

    assert "assert supply < 2**96," in token and BOUNDS["token_supply"] == (1, 2**96 - 1)
    assert re.search(r"MAX_DELAY: constant\(uint256\) = 1_000_000\n", registry)
    assert BOUNDS["root_delay_blocks"] == (0, 1_000_000)


@pytest.mark.parametrize("name", ["development", "demo", "example"])
def test_files__of_the_project__are_valid(name: str) -> None:
    parameters = read_parameters(ROOT / "deploy" / f"{name}.toml")

    assert isinstance(parameters, Parameters)
    assert parameters.collateral_interest_rate > 0
