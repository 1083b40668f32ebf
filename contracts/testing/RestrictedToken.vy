# pragma version 0.4.3
"""
@title Restricted token
@license Apache-2.0
@notice For tests: whoever is on a list neither pays nor gets tokens, as with USDC; all transfers can be paused, and each
        has an upper limit.
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

# whether nobody can transfer
paused: public(bool)

# base units that a transfer moves at most
limit: public(uint256)


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)
    self.limit = max_value(uint256)


@external
def set_blocked(account: address, blocked: bool):
    """
    @notice Put an account on the list or take it off.
    @param account Whose transfers are refused.
    @param blocked Whether it is on the list.
    """
    self.blocked[account] = blocked


@external
def set_paused(paused: bool):
    """
    @notice Stop all transfers or let them go on.
    @param paused Whether nobody can transfer.
    """
    self.paused = paused


@external
def set_limit(limit: uint256):
    """
    @notice Bound what one transfer moves.
    @param limit Base units.
    """
    self.limit = limit


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._check(msg.sender, receiver, amount)
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
    self._check(sender, receiver, amount)
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    return True


@view
@internal
def _check(sender: address, receiver: address, amount: uint256):
    """
    @dev Refuse what is restricted.
    @param sender Who pays.
    @param receiver Who gets tokens.
    @param amount Base units.
    """
    assert not self.paused, "test token: paused"
    assert not (self.blocked[sender] or self.blocked[receiver]), "test token: blocked"
    assert amount <= self.limit, "test token: above limit"
