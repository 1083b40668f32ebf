"""One call of each function of the contracts that changes something, with arguments that tell themselves apart."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.market import Market
from moorage.types import Address, Parameters

WALLET = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
STRANGER = Address("0x90F79bf6EB2c4f870365E785982E1f101E93b906")
MARKET = Market(
    chain_id=31337,
    seconds_per_block=Fraction(12),
    first_block=0,
    exchange=Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"),
    registry=Address("0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"),
    token=Address("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
    token_symbol="MOOR",
    parameters=Parameters(100, 0, 10**15, 50, 16, 18),
    code_hashes={},
)
ONE = 10**18
DEPLOYMENT, ORDER, SALT = b"\xd0" * 32, b"\x0d" * 32, b"\x5a" * 32
TERMS = 25 * 10**14 | 3 * ONE << 80 | 25 << 176 | 1 << 208 | 1 << 240
KEY = (DEPLOYMENT, (1).to_bytes(32, "big"), TERMS, b"\xee" * 32)
UNIT = (500, 256 * 2**20, 10**9, 10**15, 3 * ONE // 2, 2)
GROUP = (b"dock".ljust(32, b"\0"), 1, True, [UNIT])

ARGUMENTS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "Exchange": {
        "deposit": (WALLET, 5 * ONE // 2),
        "deposit_with_permit": (STRANGER, ONE, 1_800_000_000, 27, b"\x01" * 32, b"\x02" * 32),
        "withdraw": ((7).to_bytes(20, "big"), 3 * ONE),
        "withdraw_to": (WALLET, 1, STRANGER),
        "submit_deployment": (SALT, b"\xaa" * 32, 25, [GROUP], [ONE]),
        "update_deployment": (DEPLOYMENT, bytes(32), [GROUP], [2 * ONE], [KEY]),
        "close_deployment": (DEPLOYMENT, [KEY]),
        "fund": (KEY, 300),
        "set_manager": (DEPLOYMENT, STRANGER, 5, 9_000, 4 * ONE),
        "submit_fulfillment": (7, DEPLOYMENT, (1).to_bytes(32, "big"), 25, GROUP, [10**15 // 2], 3),
        "cancel_fulfillment": (7, KEY),
        "release_fulfillments": (ORDER, [7, 8]),
        "submit_lease": ([KEY],),
        "submit_lease_confirmation": (7, [ORDER]),
        "submit_stale_lease": ([KEY],),
        "confirm_closed": (7, [KEY]),
        "finish_leases": ([KEY],),
        "deployment_closed": ([DEPLOYMENT],),
        "claim": ([ORDER],),
    },
    "ProviderRegistry": {
        "register_provider": (STRANGER, 1 << 14, 90 * ONE, "https://host.example:7443", '{"tier": 3}', b"\x30" * 400),
        "update_provider": (7, 1 << 5, "https://evil\x1b[2J.example", "x" * 300),
        "advertise": (7, 4_000, 8 * 2**30, 10**12, 10**15),
        "set_operator": (7, STRANGER),
        "set_collateral_cap": (7, 90 * ONE),
        "add_root": (7, b"\x30" * 400),
        "remove_root": (7, b"\xfe" * 32),
        "transfer_ownership": (7, STRANGER),
        "accept_ownership": (7,),
        "deregister_provider": (7,),
    },
    "ERC20": {
        "approve": (STRANGER, 2**256 - 1),
        "transfer": (STRANGER, ONE),
        "transferFrom": (WALLET, STRANGER, ONE),
        "permit": (WALLET, STRANGER, ONE, 1_800_000_000, 27, b"\x01" * 32, b"\x02" * 32),
    },
}


def address_of(contract: str) -> Address:
    """Return where a contract is."""
    return {"Exchange": MARKET.exchange, "ProviderRegistry": MARKET.registry, "ERC20": MARKET.token}[contract]


def make_call(contract: str, function: str, *arguments: Any) -> Call:
    """Return a call, with the arguments above if there are none."""
    given = arguments or ARGUMENTS[contract][function]
    return Call(address_of(contract), abi.load(contract).encode(function, *given), function)
