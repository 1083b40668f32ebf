# pragma version 0.4.3
"""
@title Phantom-permit token
@license Apache-2.0
@notice For tests: has no permit, but a fallback that swallows calls of it, as WETH.
"""

from ._modules import token

initializes: token

exports: (
    token.name,
    token.symbol,
    token.decimals,
    token.totalSupply,
    token.balanceOf,
    token.allowance,
    token.approve,
    token.transfer,
    token.transferFrom,
)


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)


@external
def __default__():
    """
    @notice Succeed and do nothing.
    """
    pass
