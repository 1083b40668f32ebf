# pragma version 0.4.3
"""
@title Reentrant token
@license Apache-2.0
@notice For tests: calls a contract of the attacker's choice from within each transfer.
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

target: public(address)
data: public(Bytes[4096])

# how often the target was called, how often it did not revert, and what it answered last
attempts: public(uint256)
successes: public(uint256)
answer: public(Bytes[1024])


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)


@external
def attack(target: address, data: Bytes[4096]):
    """
    @notice Set what transfers call from now on.
    @param target A contract; zero for none.
    @param data What it is called with, by this token as the caller.
    """
    self.target = target
    self.data = data


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller, then call the target.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    token._move(msg.sender, receiver, amount)
    self._reenter()
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take, then call the target.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    self._reenter()
    return True


@internal
def _reenter():
    """
    @dev Call the target and note how it went; its failure does not fail the transfer.
    """
    if self.target == empty(address):
        return
    success: bool = False
    answer: Bytes[1024] = b""
    success, answer = raw_call(self.target, self.data, max_outsize=1024, revert_on_failure=False)
    self.attempts += 1
    if success:
        self.successes += 1
    self.answer = answer
