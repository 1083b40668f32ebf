# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ledger
@license Apache-2.0
@notice Accounts of tenants, facilitators and providers, and the only four functions that move tokens.
@dev Invariant 1: the tokens held cover what is available in all accounts, the collateral of live fulfillments and
     leases, and what orders, leases and deployments hold.
     Invariant 2: all of it together is below 2^96 ledger units, so that no credit can overflow a field.
     An account is an address. Providers have theirs under their number taken as an address (below 2^32, where no key lies).
"""

from ethereum.ercs import IERC20
from interfaces import IExchange
from interfaces import IProviderRegistry
from . import parameters
from . import refuse

uses: parameters

COMMITTED_SHIFT: constant(uint256) = 128
AVAILABLE_MASK: constant(uint256) = 2**128 - 1

# account -> available ledger units (128 bits from bit 0) | committed (128): a provider's collateral that is locked now
#            and all that it has ever lost, which its owner's cap bounds
words: HashMap[address, uint256]


# ------------------------------------------------------------------ internal: other modules move money with these

@internal
def _credit(account: address, amount: uint256):
    """
    @dev Add to what is available; cannot overflow by invariant 2.
    @param account Who gains.
    @param amount Ledger units; zero costs no storage access.
    """
    if amount > 0:
        self.words[account] += amount


@internal
def _debit(account: address, amount: uint256):
    """
    @dev Take from what is available.
    @param account Who pays.
    @param amount Ledger units; zero costs no storage access.
    """
    if amount == 0:
        return
    word: uint256 = self.words[account]
    if word & AVAILABLE_MASK < amount:
        refuse.because("ledger: insufficient funds")
    self.words[account] = word - amount


@internal
def _lock(provider: uint256, amount: uint256, cap: uint256):
    """
    @dev Take collateral from what is available. It stays committed when it is slashed: the cap bounds what an operator
         can lose on this exchange in all, not at one time.
    @param provider Its number.
    @param amount Ledger units.
    @param cap The most that may be committed afterwards.
    """
    account: address = self._provider_account(provider)
    word: uint256 = self.words[account]
    if word & AVAILABLE_MASK < amount:
        refuse.because("ledger: insufficient funds")
    if (word >> COMMITTED_SHIFT) + amount > cap:
        refuse.because("ledger: above collateral cap")
    self.words[account] = word - amount + (amount << COMMITTED_SHIFT)


@internal
def _settle(provider: uint256, earned: uint256, returned: uint256):
    """
    @dev Pay a provider and give collateral back, in one write.
    @param provider Its number.
    @param earned Ledger units that it gains.
    @param returned Ledger units of collateral that become available again.
    """
    account: address = self._provider_account(provider)
    self.words[account] = self.words[account] + earned + returned - (returned << COMMITTED_SHIFT)


@pure
@internal
def _provider_account(provider: uint256) -> address:
    """
    @dev The account of a provider.
    @param provider Its number, below 2^32.
    @return The number as an address.
    """
    return convert(provider, address)


@view
@internal
def _owner(account: address) -> address:
    """
    @dev Who owns the provider that has this account.
    @param account A provider's number as an address.
    @return Zero for any other address.
    """
    return staticcall parameters.REGISTRY.owner_of(convert(account, uint256))


@view
@internal
def _held() -> uint256:
    """
    @dev What the exchange has of the token.
    @return Base units.
    """
    return staticcall parameters.TOKEN.balanceOf(self)


@view
@internal
def _to_units(amount: uint256) -> uint256:
    """
    @dev Check an amount that enters or leaves and convert it.
    @param amount Base units of the token.
    @return Ledger units.
    """
    if amount == 0:
        refuse.because("ledger: amount is zero")
    if amount > parameters.MAX_MONEY:
        refuse.because("ledger: amount too large")
    return amount * parameters.SCALE


@pure
@internal
def _check_token(success: bool):
    """
    @dev Refuse what the token has not done.
    @param success What the token said.
    """
    if not success:
        refuse.because("ledger: token refused")


# ------------------------------------------------------------------ tokens in

@external
def deposit(account: address, amount: uint256):
    """
    @notice Pay tokens of the caller into an account. Into somebody else's it is a gift.
    @param account A wallet's address, or a provider's number as an address.
    @param amount Base units of the token.
    """
    self._deposit(account, amount)


@external
def deposit_with_permit(account: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice As deposit, with an EIP-2612 permit for exactly that amount.
    @dev The permit may have been used by somebody else already: its failure is ignored and the allowance decides.
    @param account A wallet's address, or a provider's number as an address.
    @param amount Base units of the token.
    @param deadline Timestamp of the permit.
    @param v Signature of the caller.
    @param r Signature of the caller.
    @param s Signature of the caller.
    """
    success: bool = raw_call(
        parameters.TOKEN.address,
        abi_encode(
            msg.sender,
            self,
            amount,
            deadline,
            v,
            r,
            s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    self._deposit(account, amount)


@internal
def _deposit(account: address, amount: uint256):
    """
    @dev Take tokens in and credit them. A token that moves less than asked is refused.
    @param account Who gains.
    @param amount Base units of the token.
    """
    if account == empty(address):
        refuse.because("ledger: no account")
    credited: uint256 = self._to_units(amount)
    if convert(account, uint256) <= parameters.MAX_PROVIDER and self._owner(account) == empty(address):
        refuse.because("ledger: unknown provider")
    held: uint256 = self._held()
    success: bool = extcall parameters.TOKEN.transferFrom(msg.sender, self, amount, default_return_value=True)
    self._check_token(success)
    held_after: uint256 = self._held()
    if held_after < held or held_after - held != amount:
        refuse.because("ledger: short transfer")
    if held_after > parameters.MAX_MONEY // parameters.SCALE:
        refuse.because("ledger: exchange is full")
    self.words[account] += credited
    log IExchange.Deposited(account=account, payer=msg.sender, amount=credited)


# ------------------------------------------------------------------ tokens out

@external
def withdraw(account: address, amount: uint256):
    """
    @notice Pay available funds of an account out to the caller.
    @param account The caller's address, or the number of a provider that the caller owns.
    @param amount Base units of the token.
    """
    self._withdraw(account, amount, msg.sender)


@external
def withdraw_to(account: address, amount: uint256, recipient: address):
    """
    @notice Pay available funds of an account out to another address.
    @param account The caller's address, or the number of a provider that the caller owns.
    @param amount Base units of the token.
    @param recipient Who gets the tokens.
    """
    self._withdraw(account, amount, recipient)


@internal
def _withdraw(account: address, amount: uint256, recipient: address):
    """
    @dev The ledger is written before the token is called: a token that calls back finds nothing to take twice.
    @param account Who pays.
    @param amount Base units of the token.
    @param recipient Who gets the tokens.
    """
    debited: uint256 = self._to_units(amount)
    if recipient in [empty(address), self]:
        refuse.because("ledger: bad recipient")
    if account != msg.sender and self._owner(account) != msg.sender:
        refuse.because("ledger: not the owner")
    self._debit(account, debited)
    log IExchange.Withdrawn(account=account, recipient=recipient, amount=debited)
    success: bool = extcall parameters.TOKEN.transfer(recipient, amount, default_return_value=True)
    self._check_token(success)


# ------------------------------------------------------------------ views

@view
@external
def account(account: address) -> IExchange.Account:
    """
    @notice What an account holds.
    @param account A wallet's address, or a provider's number as an address.
    @return Ledger units available and committed.
    """
    word: uint256 = self.words[account]
    return IExchange.Account(available=word & AVAILABLE_MASK, committed=word >> COMMITTED_SHIFT)
