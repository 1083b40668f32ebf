"""Reads the reviewed parameters of a market from deploy/<network>.toml. Bounds are those of the contracts."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from eth_utils.address import is_checksum_address

from scripts.deployment import DeploymentRefused

DEPLOY = "deploy"
MAX_SECONDS_PER_BLOCK = 3600

# key -> smallest and largest value
BOUNDS = {
    "reconfirmation_period_blocks": (4, 1_000_000),
    "collateral_interest_rate": (0, 10**12),
    "facilitator_tip": (0, 2**80 - 1),
    "closing_grace_blocks": (1, 1_000_000),
    "max_fulfillments": (1, 32),
    "root_delay_blocks": (0, 1_000_000),
    "token_supply": (1, 2**96 - 1),
    "registry_block": (0, 2**39 - 1),
    "chain_id": (1, 2**64 - 1),
}

# key -> the key and the kind of value that it goes with
ONLY_WITH = {
    "token_supply": ("token", "deploy"),
    "token_holder": ("token", "address"),
    "root_delay_blocks": ("registry", "deploy"),
    "registry_block": ("registry", "address"),
}

OPTIONAL = {"token_holder", "chain_id"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one market is deployed with. Spans in blocks, money in ledger units but for the supply."""

    token: str
    """`deploy`, or the address of the settlement token."""
    registry: str
    """`deploy`, or the address of a provider registry."""
    reconfirmation_period_blocks: int
    collateral_interest_rate: int
    """Per block, in 1e-18 of the collateral."""
    facilitator_tip: int
    closing_grace_blocks: int
    max_fulfillments: int
    seconds_per_block: Decimal
    """Of the chain, on average; off chain only."""
    token_supply: int | None = None
    """Base units of a token that is deployed."""
    token_holder: str | None = None
    """Who has some of a token that exists, for the probe; the deployer if none is named."""
    root_delay_blocks: int | None = None
    registry_block: int | None = None
    """In which a registry that exists was deployed, or earlier."""
    chain_id: int | None = None
    """The only chain that these parameters are for, if given."""


def read_parameters(path: Path) -> Parameters:
    """Read and check a file.

    Raises:
        DeploymentRefused: names file, key, value and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise DeploymentRefused(
            f"{path}: {error.strerror}: write it after deploy/example.toml, or name another by MOORAGE_PARAMETERS"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeploymentRefused(f"{path}: not TOML: {error}") from error
    return _Reader(path, content).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    content: Mapping[str, Any]

    def read(self) -> Parameters:
        self._check_keys()
        contracts: dict[str, Any] = {key: self._contract(key) for key in ("token", "registry")}
        self._check_presence(contracts)
        integers: dict[str, Any] = {key: self._integer(key) for key in BOUNDS if key in self.content}
        holder = self._address("token_holder") if "token_holder" in self.content else None
        return Parameters(**contracts, **integers, token_holder=holder, seconds_per_block=self._seconds())

    def _check_keys(self) -> None:
        known = list(Parameters.__dataclass_fields__)
        for key in self.content:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                raise DeploymentRefused(f"{self.path}: unknown key {key}: {hint}")

    def _check_presence(self, contracts: Mapping[str, str]) -> None:
        for key in Parameters.__dataclass_fields__:
            if key in ONLY_WITH:
                other, kind = ONLY_WITH[key]
                is_wanted = (contracts[other] == DEPLOY) == (kind == DEPLOY)
                if key in self.content and not is_wanted:
                    article = '"deploy"' if kind == DEPLOY else "an address"
                    raise DeploymentRefused(f"{self.path}: {key}: only with {other} = {article}")
            else:
                is_wanted = True
            if is_wanted and key not in self.content and key not in OPTIONAL:
                raise DeploymentRefused(f"{self.path}: {key} is missing")

    def _contract(self, key: str) -> str:
        if key not in self.content:
            raise DeploymentRefused(f"{self.path}: {key} is missing")
        return DEPLOY if self.content[key] == DEPLOY else self._address(key, '"deploy" or ')

    def _address(self, key: str, alternative: str = "") -> str:
        text = self.content[key]
        if not isinstance(text, str) or not is_checksum_address(text):
            self._refuse(key, f"{alternative}an address with its checksum (EIP-55)")
        return text

    def _integer(self, key: str) -> int:
        lowest, highest = BOUNDS[key]
        value = self.content[key]
        if isinstance(value, str) and re.fullmatch(r"[0-9]+(_[0-9]+)*", value):
            value = int(value)  # TOML promises 64 bits only, and money has up to 96
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            self._refuse(key, f"a whole number from {lowest:_} to {highest:_}")
        return value

    def _seconds(self) -> Decimal:
        value = self.content["seconds_per_block"]
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        if not is_number or not Decimal(value).is_finite() or not 0 < value <= MAX_SECONDS_PER_BLOCK:
            self._refuse("seconds_per_block", f"a number above 0 and up to {MAX_SECONDS_PER_BLOCK}")
        return Decimal(value)

    def _refuse(self, key: str, allowed: str) -> NoReturn:
        value = self.content[key]
        shown = f'"{value}"' if isinstance(value, str) else value
        raise DeploymentRefused(f"{self.path}: {key} = {shown}: must be {allowed}")
