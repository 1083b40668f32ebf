# pragma version 0.4.3
"""
@title Heavy token
@license Apache-2.0
@notice For tests: answers with 64 KiB, refuses permits with as much, and burns gas in each call.
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

# words behind an answer
TAIL: constant(uint256) = 2047
ANSWER: constant(uint256) = 32 * (TAIL + 1)

BLAKE2F: constant(address) = 0x0000000000000000000000000000000000000009

# gas that each call of the token burns
burnt_gas: public(uint256)


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)


@external
def set_burnt_gas(amount: uint256):
    """
    @notice Set what each call burns.
    @param amount Gas; more than there is burns all but a 64th.
    """
    self.burnt_gas = amount


@raw_return
@view
@external
def balanceOf(account: address) -> Bytes[ANSWER]:
    """
    @notice What an account holds.
    @param account Whose balance.
    @return Base units, and a lot of zeros.
    """
    self._burn_gas()
    return abi_encode(token.balanceOf[account], empty(bytes32[TAIL]))


@raw_return
@external
def transfer(receiver: address, amount: uint256) -> Bytes[ANSWER]:
    """
    @notice Move tokens of the caller.
    @param receiver Who gets them.
    @param amount Base units.
    @return True, and a lot of zeros.
    """
    self._burn_gas()
    token._move(msg.sender, receiver, amount)
    return abi_encode(True, empty(bytes32[TAIL]))


@raw_return
@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> Bytes[ANSWER]:
    """
    @notice Move tokens that the caller was allowed to take.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units.
    @return True, and a lot of zeros.
    """
    self._burn_gas()
    token._spend(sender, amount)
    token._move(sender, receiver, amount)
    return abi_encode(True, empty(bytes32[TAIL]))


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Refuse, with a lot of zeros.
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    @param deadline Timestamp after which the signature is void.
    @param v Of the signature.
    @param r Of the signature.
    @param s Of the signature.
    """
    raw_revert(abi_encode(empty(bytes32[TAIL])))


@view
@internal
def _burn_gas():
    """
    @dev Call a precompiled contract with what it can't take: it fails with all the gas that it gets.
    """
    if self.burnt_gas > 0:
        success: bool = raw_call(
            BLAKE2F, b"", gas=self.burnt_gas, is_static_call=True, revert_on_failure=False
        )
