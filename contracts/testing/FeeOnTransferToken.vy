# pragma version 0.4.3
"""
@title Fee-on-transfer token
@license Apache-2.0
@notice For tests: of every transfer a hundredth is lost on the way, unless the fee is switched off, as with USDT.
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

# whether transfers cost
is_charging: public(bool)


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)
    self.is_charging = True


@external
def set_charging(is_charging: bool):
    """
    @notice Switch the fee on or off.
    @param is_charging Whether transfers cost.
    """
    self.is_charging = is_charging


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller; the receiver gets 99 %.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._move_and_burn(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take; the receiver gets 99 %.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    token._spend(sender, amount)
    self._move_and_burn(sender, receiver, amount)
    return True


@internal
def _move_and_burn(sender: address, receiver: address, amount: uint256):
    """
    @dev Move tokens and burn the fee, rounded down.
    @param sender Who pays.
    @param receiver Who gets the rest.
    @param amount Base units.
    """
    token._move(sender, receiver, amount)
    if self.is_charging:
        token._burn(receiver, amount // 100)
