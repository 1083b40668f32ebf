# pragma version 0.4.3
"""
@title Token probe
@license Apache-2.0
@notice Finds out whether a token moves as the exchange needs it to. Never deployed and without state.
@dev The deploy script runs it by eth_call, with this code in the place of a holder of the token and of an escrow; the
     calls of the token are those of ledger.vy. A refusal is the revert text, of the probe or of the token itself.
"""

from ethereum.ercs import IERC20

interface Escrow:
    def take(token: address, holder: address, amount: uint256): nonpayable
    def give_back(token: address, holder: address, amount: uint256): nonpayable


@external
def probe(token: address, escrow: address, amount: uint256) -> bool:
    """
    @notice Pay tokens of this address into an escrow and get them back.
    @param token An ERC-20.
    @param escrow Another address with this code.
    @param amount Base units, up to the balance of this address.
    @return True, unlike an address without code.
    """
    allowed: bool = extcall IERC20(token).approve(escrow, amount, default_return_value=True)
    assert allowed, "probe: approve says false"
    held: uint256 = staticcall IERC20(token).balanceOf(escrow)
    extcall Escrow(escrow).take(token, self, amount)
    gained: uint256 = staticcall IERC20(token).balanceOf(escrow) - held
    assert gained == amount, "probe: transferFrom moves less"
    held = staticcall IERC20(token).balanceOf(self)
    extcall Escrow(escrow).give_back(token, self, amount)
    gained = staticcall IERC20(token).balanceOf(self) - held
    assert gained == amount, "probe: transfer moves less"
    return True


@external
def take(token: address, holder: address, amount: uint256):
    """
    @notice Take tokens that the holder has allowed.
    @param token An ERC-20.
    @param holder Who pays.
    @param amount Base units.
    """
    success: bool = extcall IERC20(token).transferFrom(holder, self, amount, default_return_value=True)
    assert success, "probe: transferFrom says false"


@external
def give_back(token: address, holder: address, amount: uint256):
    """
    @notice Pay tokens of this address.
    @param token An ERC-20.
    @param holder Who gets them.
    @param amount Base units.
    """
    success: bool = extcall IERC20(token).transfer(holder, amount, default_return_value=True)
    assert success, "probe: transfer says false"
