# pragma version 0.4.3
"""
@title Standard token
@license Apache-2.0
@notice For tests: an ERC-20 with permit and any decimals, and a tap.
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
def mint(receiver: address, amount: uint256):
    """
    @notice Make tokens from nothing.
    @param receiver Who gets them.
    @param amount Base units.
    """
    token._mint(receiver, amount)


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Set an allowance by the owner's signature (EIP-2612).
    @param owner Whose tokens.
    @param spender Who may take them.
    @param amount Base units.
    @param deadline Timestamp after which the signature is void.
    @param v Of the signature.
    @param r Of the signature.
    @param s Of the signature.
    """
    assert block.timestamp <= deadline, "test token: permit expired"
    type_hash: bytes32 = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    )
    message: bytes32 = keccak256(abi_encode(type_hash, owner, spender, amount, self.nonces[owner], deadline))
    signer: address = ecrecover(keccak256(concat(b"\x19\x01", self._domain_separator(), message)), v, r, s)
    assert signer == owner and owner != empty(address), "test token: bad signature"
    self.nonces[owner] += 1
    token._allow(owner, spender, amount)


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
