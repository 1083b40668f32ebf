# pragma version 0.4.3
"""
@title Reentrant token
@license Apache-2.0
@notice For tests: calls a contract of the attacker's choice whenever it is called, as the hooks of ERC-777 can: before and
        after tokens move, from its permit, and even when it is asked for a balance.
"""

from ._modules import token

initializes: token

exports: (
    token.name,
    token.symbol,
    token.decimals,
    token.totalSupply,
    token.allowance,
    token.approve,
)

# for a call from within a view, which can't note that one is under way
STATIC_GAS: constant(uint256) = 500_000

target: public(address)
data: public(Bytes[4096])

# how often the target was called but for balances, how often it did not revert, and what it answered last
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
    @notice Set what is called from now on.
    @param target A contract; zero for none.
    @param data What it is called with, by this token as the caller.
    """
    self.target = target
    self.data = data


@view
@external
def balanceOf(account: address) -> uint256:
    """
    @notice Call the target, which can change nothing from here, then tell what an account holds.
    @param account Whose balance.
    @return Base units.
    """
    if self.target != empty(address):
        success: bool = raw_call(
            self.target, self.data, gas=STATIC_GAS, is_static_call=True, revert_on_failure=False
        )
    return token.balanceOf[account]


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Call the target, move tokens of the caller, and call the target again.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._reenter()
    token._move(msg.sender, receiver, amount)
    self._reenter()
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Call the target, move tokens that the caller was allowed to take, and call the target again.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._reenter()
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    self._reenter()
    return True


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Call the target and allow what is asked, whatever the signature.
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    @param deadline Not looked at.
    @param v Not looked at.
    @param r Not looked at.
    @param s Not looked at.
    """
    self._reenter()
    token._allow(owner, spender, amount)


@internal
def _reenter():
    """
    @dev Call the target and note how it went; its failure does not fail the caller. What it calls in turn is no attack.
    """
    target: address = self.target
    if target == empty(address):
        return
    self.target = empty(address)
    success: bool = False
    answer: Bytes[1024] = b""
    success, answer = raw_call(target, self.data, max_outsize=1024, revert_on_failure=False)
    self.target = target
    self.attempts += 1
    if success:
        self.successes += 1
    self.answer = answer
