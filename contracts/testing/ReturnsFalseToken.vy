# pragma version 0.4.3
"""
@title Returns-false token
@license Apache-2.0
@notice For tests: what it refuses it does not revert, it answers false: all transfers, or only those of nothing.
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
)

# whether all transfers answer false and move nothing; those of no tokens always do
refuses: public(bool)


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)
    self.refuses = True


@external
def set_refuses(refuses: bool):
    """
    @notice Switch between refusing all transfers and only those of nothing.
    @param refuses Whether all transfers answer false and move nothing.
    """
    self.refuses = refuses


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller, or do not.
    @param receiver Who gets them.
    @param amount Base units.
    @return Whether they moved.
    """
    if self.refuses or amount == 0:
        return False
    token._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take, or do not.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return Whether they moved.
    """
    if self.refuses or amount == 0:
        return False
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    return True
