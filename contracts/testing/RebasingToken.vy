# pragma version 0.4.3
"""
@title Rebasing token
@license Apache-2.0
@notice For tests: balances change without a transfer, and one to oneself doubles them.
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
def rebase(account: address, balance: uint256):
    """
    @notice Change what an account holds.
    @param account Whose balance.
    @param balance Base units from now on.
    """
    held: uint256 = token.balanceOf[account]
    if balance > held:
        token._mint(account, balance - held)
    else:
        token._burn(account, held - balance)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller; to itself they are given and not taken.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    if receiver == msg.sender:
        token._mint(receiver, amount)
    else:
        token._move(msg.sender, receiver, amount)
    return True
