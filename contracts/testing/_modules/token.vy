# pragma version 0.4.3
"""
@title What all tokens for tests share
@license Apache-2.0
@notice Balances and allowances. Each token adds how it moves them, and what it does wrong.
@dev Not for a real chain: no lock, no checks beyond those of an ERC-20.
"""

from ethereum.ercs import IERC20

name: public(constant(String[32])) = "Test token"
symbol: public(constant(String[8])) = "TEST"
decimals: public(immutable(uint8))

# base units of all accounts together
totalSupply: public(uint256)

# account -> base units
balanceOf: public(HashMap[address, uint256])

# owner -> spender -> base units that it may take
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    decimals = token_decimals
    self._mint(msg.sender, supply)


@internal
def _mint(receiver: address, amount: uint256):
    """
    @dev Make tokens from nothing.
    @param receiver Who gets them.
    @param amount Base units.
    """
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log IERC20.Transfer(sender=empty(address), receiver=receiver, value=amount)


@internal
def _burn(owner: address, amount: uint256):
    """
    @dev Destroy tokens.
    @param owner Whose.
    @param amount Base units.
    """
    self.totalSupply -= amount
    self.balanceOf[owner] -= amount
    log IERC20.Transfer(sender=owner, receiver=empty(address), value=amount)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    """
    @dev Move tokens.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    """
    assert self.balanceOf[sender] >= amount, "test token: low balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log IERC20.Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _spend(owner: address, amount: uint256):
    """
    @dev Use up an allowance of the caller.
    @param owner Whose tokens.
    @param amount Base units.
    """
    assert self.allowance[owner][msg.sender] >= amount, "test token: low allowance"
    self.allowance[owner][msg.sender] -= amount


@internal
def _allow(owner: address, spender: address, amount: uint256):
    """
    @dev Set an allowance.
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    """
    self.allowance[owner][spender] = amount
    log IERC20.Approval(owner=owner, spender=spender, value=amount)


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let somebody take tokens of the caller.
    @param spender Who may.
    @param amount Base units.
    @return True.
    """
    self._allow(msg.sender, spender, amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller, as the standard asks.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take, as the standard asks.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._spend(sender, amount)
    self._move(sender, receiver, amount)
    return True
