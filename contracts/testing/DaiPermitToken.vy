# pragma version 0.4.3
"""
@title DAI-permit token
@license Apache-2.0
@notice For tests: its permit is older than EIP-2612 and of another form, as that of DAI: for all tokens or none.
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
    token.transfer,
    token.transferFrom,
)

# owner -> permits used
nonces: public(HashMap[address, uint256])


@deploy
def __init__(supply: uint256, token_decimals: uint8):
    """
    @notice Mint the whole supply to the deployer.
    @param supply Base units.
    @param token_decimals Decimals of a token.
    """
    token.__init__(supply, token_decimals)


@external
def permit(
    holder: address, spender: address, nonce: uint256, expiry: uint256, allowed: bool, v: uint8, r: bytes32, s: bytes32
):
    """
    @notice Allow all tokens or none by the owner's signature.
    @param holder Whose tokens.
    @param spender Who may take them.
    @param nonce Permits of the holder used before.
    @param expiry Timestamp after which the signature is void, 0 for never.
    @param allowed All, or none.
    @param v Of the signature.
    @param r Of the signature.
    @param s Of the signature.
    """
    assert expiry == 0 or block.timestamp <= expiry, "test token: permit expired"
    type_hash: bytes32 = keccak256(
        "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)"
    )
    message: bytes32 = keccak256(abi_encode(type_hash, holder, spender, nonce, expiry, allowed))
    signer: address = ecrecover(keccak256(concat(b"\x19\x01", self._domain_separator(), message)), v, r, s)
    assert signer == holder and holder != empty(address), "test token: bad signature"
    assert nonce == self.nonces[holder], "test token: bad nonce"
    self.nonces[holder] += 1
    token._allow(holder, spender, max_value(uint256) if allowed else 0)


@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice What permits are signed under: the token's name, version 1.
    @return The EIP-712 domain separator.
    """
    return self._domain_separator()


@view
@internal
def _domain_separator() -> bytes32:
    """
    @dev Computed at each call.
    @return The EIP-712 domain separator.
    """
    type_hash: bytes32 = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak256(abi_encode(type_hash, keccak256(token.name), keccak256("1"), chain.id, self))
