# pragma version 0.4.3
"""
@title Blocklist token
@license Apache-2.0
@notice For tests: whoever is on a list neither pays nor gets tokens, as with USDC.
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

# account -> whether it is on the list
blocked: public(HashMap[address, bool])


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)


@external
def set_blocked(account: address, blocked: bool):
    """
    @notice Put an account on the list or take it off.
    @param account Whose transfers are refused.
    @param blocked Whether it is on the list.
    """
    self.blocked[account] = blocked


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._check(msg.sender, receiver)
    token._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._check(sender, receiver)
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    return True


@view
@internal
def _check(sender: address, receiver: address):
    """
    @dev Refuse who is on the list.
    @param sender Who pays.
    @param receiver Who gets tokens.
    """
    assert not (self.blocked[sender] or self.blocked[receiver]), "test token: blocked"
