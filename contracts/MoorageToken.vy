# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Moorage token
@license Apache-2.0
@notice The currency of a local or test chain: ERC-20 with permit (EIP-2612). A real market settles in any standard ERC-20.
@dev The whole supply is minted to the deployer; nobody can mint more.
     Invariant 1: the balances add up to the supply.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

implements: IERC20
implements: IERC20Detailed

name: public(constant(String[32])) = "Moorage"
symbol: public(constant(String[8])) = "MOOR"
decimals: public(constant(uint8)) = 18

PERMIT_TYPE_HASH: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
# s above it would make a second valid signature (EIP-2)
HALF_CURVE_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

# base units of all accounts together
totalSupply: public(uint256)

# account -> base units
balanceOf: public(HashMap[address, uint256])

# owner -> spender -> base units that it may take
allowance: public(HashMap[address, HashMap[address, uint256]])

# owner -> permits used
nonces: public(HashMap[address, uint256])


@deploy
def __init__(supply: uint256):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units, 1 to 2^96 - 1.
    """
    assert supply > 0, "token: no supply"
    assert supply < 2**96, "token: supply too large"
    self.totalSupply = supply
    self.balanceOf[msg.sender] = supply
    log IERC20.Transfer(sender=empty(address), receiver=msg.sender, value=supply)


# ------------------------------------------------------------------ internal

@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    """
    @dev Move tokens.
    @param sender Who pays.
    @param receiver Who gets them; neither nobody nor this contract, where they would be lost.
    @param amount Base units.
    """
    assert receiver not in [empty(address), self], "token: bad receiver"
    assert self.balanceOf[sender] >= amount, "token: insufficient balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log IERC20.Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    """
    @dev Set an allowance.
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    """
    assert spender != empty(address), "token: bad spender"
    self.allowance[owner][spender] = amount
    log IERC20.Approval(owner=owner, spender=spender, value=amount)


@view
@internal
def _domain_separator() -> bytes32:
    """
    @dev Computed at each call, so that a fork of the chain has another one.
    @return The EIP-712 domain separator.
    """
    return keccak256(
        abi_encode(DOMAIN_TYPE_HASH, keccak256(name), keccak256("1"), chain.id, self)
    )


# ------------------------------------------------------------------ transactions

@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens of the caller.
    @param receiver Who gets them.
    @param amount Base units.
    @return True.
    """
    self._transfer(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that the caller was allowed to take.
    @param sender Who pays.
    @param receiver Who gets them.
    @param amount Base units; the largest allowance of all is not reduced.
    @return True.
    """
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "token: insufficient allowance"
    if allowed < max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._transfer(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let somebody take tokens of the caller, in place of what was allowed before.
    @param spender Who may.
    @param amount Base units.
    @return True.
    """
    self._approve(msg.sender, spender, amount)
    return True


@external
def permit(
    owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32
):
    """
    @notice Set an allowance by the owner's signature (EIP-2612).
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    @param deadline Timestamp after which the signature is void.
    @param v 27 or 28.
    @param r Of the signature.
    @param s Of the signature, in the lower half.
    """
    assert block.timestamp <= deadline, "token: permit expired"
    assert convert(s, uint256) <= HALF_CURVE_ORDER, "token: malleable signature"
    assert v in [27, 28], "token: bad signature"
    nonce: uint256 = self.nonces[owner]
    digest: bytes32 = keccak256(
        concat(
            b"\x19\x01",
            self._domain_separator(),
            keccak256(abi_encode(PERMIT_TYPE_HASH, owner, spender, amount, nonce, deadline)),
        )
    )
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address) and signer == owner, "token: bad signature"
    self.nonces[owner] = nonce + 1
    self._approve(owner, spender, amount)


# ------------------------------------------------------------------ views

@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice What permits are signed under.
    @return The EIP-712 domain separator.
    """
    return self._domain_separator()
