# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Parameters of one market
@license Apache-2.0
@notice Set once at deployment and never again: a market with other rules is another deployment.
@dev Invariant 1: nothing in here can be written after the constructor; there is no owner.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed
from interfaces import IExchange
from interfaces import IProviderRegistry

MAX_PERIOD: constant(uint256) = 1_000_000  # blocks
MIN_PERIOD: constant(uint256) = 4  # blocks
MAX_GRACE: constant(uint256) = 1_000_000  # blocks
MAX_INTEREST_RATE: constant(uint256) = 10**12  # per block in 1e-18: a millionth of the collateral
MAX_TIP: constant(uint256) = 2**80 - 1  # ledger units
MAX_BIDS: constant(uint256) = 32  # of one order
MAX_DECIMALS: constant(uint256) = 36
LEDGER_DECIMALS: constant(uint256) = 18

MAX_MONEY: constant(uint256) = 2**96 - 1  # ledger units held in total
MAX_CHARGE: constant(uint256) = 2**80 - 1  # ledger units per block
MAX_BLOCKS: constant(uint256) = 2**32 - 1  # prepaid span of a lease, wait duration
MAX_PROVIDER: constant(uint256) = 2**32 - 1
MAX_HEIGHT: constant(uint256) = 2**39 - 1  # heights and spans add up within 40 bits

TOKEN: immutable(IERC20)
REGISTRY: immutable(IProviderRegistry)
SCALE: immutable(uint256)  # ledger units of one base unit of the token
PERIOD: immutable(uint256)
INTEREST_RATE: immutable(uint256)
TIP: immutable(uint256)
GRACE: immutable(uint256)
MAX_FULFILLMENTS: immutable(uint256)


@deploy
def __init__(
    token: address,
    registry: address,
    reconfirmation_period_blocks: uint256,
    collateral_interest_rate: uint256,
    facilitator_tip: uint256,
    closing_grace_blocks: uint256,
    max_fulfillments: uint256,
):
    """
    @notice Check the parameters against their bounds and fix them.
    @param token Settlement token: a standard ERC-20 that moves exactly what it is asked to.
    @param registry Where providers are registered.
    @param reconfirmation_period_blocks Blocks between two confirmations of a lease, 4 to 1,000,000.
    @param collateral_interest_rate Paid by the tenant on the collateral, per block in 1e-18, up to 10^12.
    @param facilitator_tip Ledger units for each crank, up to 2^80 - 1.
    @param closing_grace_blocks Blocks that a provider has to confirm a closing, 1 to 1,000,000.
    @param max_fulfillments Live bids of one order, 1 to 32.
    """
    assert token.is_contract, "parameters: token has no code"
    assert registry.is_contract, "parameters: registry has no code"
    assert reconfirmation_period_blocks >= MIN_PERIOD, "parameters: period too short"
    assert reconfirmation_period_blocks <= MAX_PERIOD, "parameters: period too long"
    assert collateral_interest_rate <= MAX_INTEREST_RATE, "parameters: interest too high"
    assert facilitator_tip <= MAX_TIP, "parameters: tip too high"
    assert closing_grace_blocks >= 1, "parameters: grace too short"
    assert closing_grace_blocks <= MAX_GRACE, "parameters: grace too long"
    assert max_fulfillments >= 1, "parameters: too few bids"
    assert max_fulfillments <= MAX_BIDS, "parameters: too many bids"
    assert block.number < MAX_HEIGHT, "parameters: chain too high"
    decimals: uint256 = convert(staticcall IERC20Detailed(token).decimals(), uint256)
    assert decimals <= MAX_DECIMALS, "parameters: too many decimals"
    supply: uint256 = staticcall IERC20(token).totalSupply()
    assert supply > 0, "parameters: token has no supply"

    TOKEN = IERC20(token)
    REGISTRY = IProviderRegistry(registry)
    SCALE = 10 ** (LEDGER_DECIMALS - min(decimals, LEDGER_DECIMALS))
    PERIOD = reconfirmation_period_blocks
    INTEREST_RATE = collateral_interest_rate
    TIP = facilitator_tip
    GRACE = closing_grace_blocks
    MAX_FULFILLMENTS = max_fulfillments


@view
@external
def market_parameters() -> IExchange.Parameters:
    """
    @notice The rules of this market.
    @return All that the constructor was given, and the scale of the ledger.
    """
    return IExchange.Parameters(
        settlement_token=TOKEN.address,
        provider_registry=REGISTRY.address,
        ledger_scale=SCALE,
        reconfirmation_period_blocks=PERIOD,
        collateral_interest_rate=INTEREST_RATE,
        facilitator_tip=TIP,
        closing_grace_blocks=GRACE,
        max_fulfillments=MAX_FULFILLMENTS,
    )
