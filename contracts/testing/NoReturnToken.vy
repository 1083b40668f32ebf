# pragma version 0.4.3
"""
@title No-return token
@license Apache-2.0
@notice For tests: transfers and approvals answer with nothing, as those of USDT.
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
def approve(spender: address, amount: uint256):
    """
    @notice Let somebody take tokens of the caller; from one amount to another only over zero.
    @param spender Who may.
    @param amount Base units.
    """
    assert amount == 0 or token.allowance[msg.sender][spender] == 0, "test token: approve zero first"
    token._allow(msg.sender, spender, amount)


@external
def transfer(receiver: address, amount: uint256):
    """
    @notice Move tokens of the caller.
    @param receiver Who gets them.
    @param amount Base units.
    """
    token._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256):
    """
    @notice Move tokens that the caller was allowed to take.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    """
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
