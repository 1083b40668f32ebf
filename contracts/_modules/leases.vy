# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Leases
@license Apache-2.0
@notice The match of an order with its lowest bid, and what follows: confirmations, pay, staleness, closing, the end.
@dev States: ACTIVE -> STALE | CLOSING -> CLOSED, and ACTIVE -> CLOSED when exhausted. STALE and CLOSED are terminal.
     Invariant 1: a lease holds charge x (funded_block - claimed_block) plus the tip of its finish; nothing else.
     Invariant 2: claimed_block <= confirmed_block <= funded_block.
     Invariant 3: a provider is paid for exactly the blocks that it confirmed, for those up to the tenant's closing, and
     at a revival before its deadline for those up to the end of the funds.
     In CLOSING the three heights are moved together so that confirmed_block is the block of the closing: only the
     spans between them count from then on.
"""

from interfaces import IExchange
from . import deployments
from . import ledger
from . import order_book
from . import parameters
from . import refuse
from . import terms

uses: deployments
uses: ledger
uses: order_book
uses: parameters
uses: terms

ACTIVE: constant(uint256) = 3
STALE: constant(uint256) = 4
CLOSING: constant(uint256) = 5
CLOSED: constant(uint256) = 6

AWAITING: constant(uint256) = 8
CHARGE_SHIFT: constant(uint256) = 8
PROVIDER_SHIFT: constant(uint256) = 88
CLAIMED_SHIFT: constant(uint256) = 120
CONFIRMED_SHIFT: constant(uint256) = 160
FUNDED_SHIFT: constant(uint256) = 200
ONE_BLOCK: constant(uint256) = (1 << 120) | (1 << 160) | (1 << 200)  # in each of the three heights
CHARGE_MASK: constant(uint256) = 2**80 - 1
MONEY_MASK: constant(uint256) = 2**96 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_32: constant(uint256) = 2**32 - 1

MAX_BATCH: constant(uint256) = 32
MAX_CONFIRMED: constant(uint256) = 256

# The lease's word, kept in order_book.words under the id of the order that it was:
# state (3 bits from bit 0) | awaiting (1, bit 3) | charge (80, from bit 8) | provider (32) | claimed block (40)
# | confirmed block (40) | funded block (40). Of an ended lease only state and provider stay.


# A lease unpacked. While it is awaiting, confirmed and claimed are the block of the match (or revival).
struct Times:
    state: uint256
    is_awaiting: bool
    charge: uint256
    provider: uint256
    claimed: uint256
    confirmed: uint256
    funded: uint256


@pure
@internal
def _unpack(word: uint256) -> Times:
    """
    @dev Read the word of a lease.
    @param word The word.
    @return Its fields.
    """
    return Times(
        state=word & order_book.STATE_MASK,
        is_awaiting=word & AWAITING != 0,
        charge=(word >> CHARGE_SHIFT) & CHARGE_MASK,
        provider=(word >> PROVIDER_SHIFT) & MASK_32,
        claimed=(word >> CLAIMED_SHIFT) & MASK_40,
        confirmed=(word >> CONFIRMED_SHIFT) & MASK_40,
        funded=(word >> FUNDED_SHIFT) & MASK_40,
    )


@pure
@internal
def _pack(lease: Times) -> uint256:
    """
    @dev Make the word of a lease.
    @param lease Its fields.
    @return The word.
    """
    word: uint256 = (
        lease.state
        | (lease.charge << CHARGE_SHIFT)
        | (lease.provider << PROVIDER_SHIFT)
        | (lease.claimed << CLAIMED_SHIFT)
        | (lease.confirmed << CONFIRMED_SHIFT)
        | (lease.funded << FUNDED_SHIFT)
    )
    if lease.is_awaiting:
        word |= AWAITING
    return word


@pure
@internal
def _ended(state: uint256, provider: uint256) -> uint256:
    """
    @dev What stays of an ended lease.
    @param state STALE or CLOSED.
    @param provider The winner's number.
    @return The word.
    """
    return state | (provider << PROVIDER_SHIFT)


@view
@internal
def _is_stale(lease: Times) -> bool:
    """
    @dev Whether the provider has missed a deadline while the lease was still funded. The only rule for it.
    @param lease An active lease.
    @return True when anyone may end it as stale.
    """
    deadline: uint256 = lease.confirmed + parameters.PERIOD
    return block.number > deadline and (lease.is_awaiting or deadline < lease.funded)


@view
@internal
def _is_exhausted(lease: Times) -> bool:
    """
    @dev Whether the prepaid blocks are used up and no deadline was missed before.
    @param lease An active lease.
    @return True when the provider may pause the workloads and nobody can slash it.
    """
    return not lease.is_awaiting and block.number >= lease.funded and not self._is_stale(lease)


@pure
@internal
def _earned(lease: Times) -> uint256:
    """
    @dev Confirmed and not yet claimed.
    @param lease The lease.
    @return Ledger units.
    """
    return lease.charge * (lease.confirmed - lease.claimed)


@pure
@internal
def _unearned(lease: Times) -> uint256:
    """
    @dev Prepaid and not confirmed.
    @param lease The lease.
    @return Ledger units, without the tip of the finish.
    """
    return lease.charge * (lease.funded - lease.confirmed)


@internal
def _take_collateral(id: bytes32, provider: uint256) -> uint256:
    """
    @dev Zero the winner's fulfillment, so that its collateral moves once.
    @param id The lease.
    @param provider The winner's number.
    @return Ledger units of collateral, still locked in the provider's account.
    """
    collateral: uint256 = (
        order_book.fulfillments[id][provider] >> order_book.COLLATERAL_SHIFT
    ) & MONEY_MASK
    order_book.fulfillments[id][provider] = 0
    return collateral


# ------------------------------------------------------------------ match

@external
def submit_lease(orders: DynArray[IExchange.OrderKey, MAX_BATCH]):
    """
    @notice Match orders whose wait duration is over with their lowest bid. Each pays one tip to the caller.
    @dev Takes no bid: the contract picks the head of the sorted list, so the caller need not be trusted. Skips what is
         not ready, reverts if nothing is. No arithmetic in here can fail for an order that was accepted.
    @param orders Keys of open orders.
    """
    matched: uint256 = 0
    for key: IExchange.OrderKey in orders:
        id: bytes32 = terms._order_id(key)
        word: uint256 = order_book.words[id]
        if word & order_book.STATE_MASK != order_book.OPEN:
            continue
        book: order_book.Book = order_book._unpack(word)
        if not self._is_matchable(book):
            continue
        charge: uint256 = order_book.fulfillments[id][book.head] & CHARGE_MASK
        prepaid: uint256 = book.deposit - parameters.TIP
        blocks: uint256 = min(prepaid // charge, parameters.MAX_BLOCKS)
        refund: uint256 = prepaid - blocks * charge
        order_book.words[id] = self._pack(
            Times(
                state=ACTIVE,
                is_awaiting=True,
                charge=charge,
                provider=book.head,
                claimed=block.number,
                confirmed=block.number,
                funded=block.number + blocks,
            )
        )
        ledger._credit(deployments._tenant(key.deployment), refund)
        matched += 1
        log IExchange.LeaseCreated(
            lease=id, provider=book.head, facilitator=msg.sender, charge=charge, blocks=blocks, refund=refund
        )
    if matched == 0:
        refuse.because("leases: nothing to match")
    ledger._credit(msg.sender, matched * parameters.TIP)


@view
@internal
def _is_matchable(book: order_book.Book) -> bool:
    """
    @dev Whether the time for bids is over and there is one.
    @param book An open order.
    @return True when anyone may match it.
    """
    return book.bid_count > 0 and block.number >= book.match_block


# ------------------------------------------------------------------ confirmation and pay

@external
def submit_lease_confirmation(provider: uint256, leases: DynArray[bytes32, MAX_CONFIRMED]):
    """
    @notice Say that the capacity of these leases is being held. The first one of a lease starts its charging.
    @dev The hot path: one word per lease. Skips what can't be confirmed, reverts if nothing can.
    @param provider Number of the provider whose operator the caller is.
    @param leases Ids of active leases of the provider.
    """
    order_book._check_operator(provider)
    is_any: bool = False
    for id: bytes32 in leases:
        word: uint256 = order_book.words[id]
        if word & order_book.STATE_MASK != ACTIVE or (word >> PROVIDER_SHIFT) & MASK_32 != provider:
            continue
        if block.number > ((word >> CONFIRMED_SHIFT) & MASK_40) + parameters.PERIOD:
            continue
        if word & AWAITING != 0:
            # claimed and confirmed are the block of the match (or revival): the three heights move to this one together
            moved: uint256 = block.number - ((word >> CONFIRMED_SHIFT) & MASK_40)
            order_book.words[id] = word - AWAITING + moved * ONE_BLOCK
        else:
            until: uint256 = min(block.number, (word >> FUNDED_SHIFT) & MASK_40)
            order_book.words[id] = (word & ~(MASK_40 << CONFIRMED_SHIFT)) | (until << CONFIRMED_SHIFT)
        is_any = True
        log IExchange.LeaseConfirmed(lease=id)
    if not is_any:
        refuse.because("leases: nothing to confirm")


@external
def claim(leases: DynArray[bytes32, MAX_BATCH]):
    """
    @notice Move what leases have earned to their providers' accounts. Anyone may call it.
    @dev Skips what has nothing to claim, reverts if nothing has.
    @param leases Ids of active or closing leases.
    """
    is_any: bool = False
    for id: bytes32 in leases:
        lease: Times = self._unpack(order_book.words[id])
        if lease.state not in [ACTIVE, CLOSING] or lease.confirmed == lease.claimed:
            continue
        earned: uint256 = self._earned(lease)
        lease.claimed = lease.confirmed
        order_book.words[id] = self._pack(lease)
        ledger._settle(lease.provider, earned, 0, 0)
        is_any = True
        log IExchange.LeaseClaimed(lease=id, amount=earned)
    if not is_any:
        refuse.because("leases: nothing to claim")


# ------------------------------------------------------------------ funding

@external
def fund(key: IExchange.OrderKey, blocks: uint256):
    """
    @notice Prepay more blocks of an open order (at its maximum charge) or of an active lease.
    @dev The tenant and its managers pay from the tenant's account, anybody else makes a gift from its own. An exhausted
         lease takes no less than two periods and then awaits a fresh first confirmation, so that a small funding never
         makes a provider slashable.
    @param key The order's key.
    @param blocks How many, 1 to 2^32 - 1.
    """
    if blocks == 0:
        refuse.because("leases: blocks is zero")
    if blocks > parameters.MAX_BLOCKS:
        refuse.because("leases: too many blocks")
    id: bytes32 = terms._order_id(key)
    word: uint256 = order_book.words[id]
    state: uint256 = word & order_book.STATE_MASK
    if state == order_book.OPEN:
        amount: uint256 = blocks * terms._max_charge(key.terms)
        payer: address = self._charge_payer(key.deployment, amount)
        if ((word >> order_book.DEPOSIT_SHIFT) & MONEY_MASK) + amount > MONEY_MASK:
            refuse.because("leases: deposit too large")
        order_book.words[id] = word + (amount << order_book.DEPOSIT_SHIFT)
        log IExchange.OrderFunded(order=id, payer=payer, amount=amount)
        return
    if state != ACTIVE:
        refuse.because("leases: neither open nor active")
    lease: Times = self._unpack(word)
    if self._is_stale(lease):
        refuse.because("leases: lease is stale")
    if lease.funded - lease.confirmed + blocks > parameters.MAX_BLOCKS:
        refuse.because("leases: too many blocks")
    payer: address = self._charge_payer(key.deployment, blocks * lease.charge)
    if self._is_exhausted(lease):
        if blocks < 2 * parameters.PERIOD:
            refuse.because("leases: revival too short")
        if block.number <= lease.confirmed + parameters.PERIOD:
            lease.confirmed = lease.funded
        earned: uint256 = self._earned(lease)
        ledger._settle(lease.provider, earned, 0, 0)
        lease.funded = block.number + (lease.funded - lease.confirmed) + blocks
        lease.claimed = block.number
        lease.confirmed = block.number
        lease.is_awaiting = True
        log IExchange.LeaseRevived(lease=id, payer=payer, blocks=blocks, earned=earned)
    else:
        lease.funded += blocks
        log IExchange.LeaseFunded(lease=id, payer=payer, blocks=blocks)
    order_book.words[id] = self._pack(lease)


@internal
def _charge_payer(deployment: bytes32, amount: uint256) -> address:
    """
    @dev Take money from the tenant's account for the tenant and its managers, else from the caller's.
    @param deployment Id of the deployment.
    @param amount Ledger units.
    @return Whose account paid.
    """
    tenant: address = deployments._tenant(deployment)
    payer: address = msg.sender
    if msg.sender != tenant and deployments.managers[deployment][msg.sender] != 0:
        deployments._authorize(deployment, tenant, IExchange.Permission.FUND, amount)
        payer = tenant
    ledger._debit(payer, amount)
    return payer


# ------------------------------------------------------------------ staleness

@external
def submit_stale_lease(leases: DynArray[IExchange.OrderKey, MAX_BATCH]):
    """
    @notice End leases that were not confirmed in time: the collateral goes to the tenant, one tip each to the caller.
    @dev Anyone may call it once the deadline has passed; the provider's owner at any time, as a resignation. What was
         confirmed is paid. Skips what is not stale, reverts if nothing is. A resignation names one lease alone: an
         owner that calls other leases stale must not lose one of its own.
    @param leases Keys of active leases.
    """
    ended: uint256 = 0
    for key: IExchange.OrderKey in leases:
        id: bytes32 = terms._order_id(key)
        lease: Times = self._unpack(order_book.words[id])
        if lease.state != ACTIVE:
            continue
        if not self._is_stale(lease):
            if len(leases) > 1:
                continue
            owner: address = staticcall parameters.REGISTRY.owner_of(lease.provider)
            if owner != msg.sender:
                continue
        may_renew: bool = terms._persist(key.terms) and deployments._is_active(key.deployment)
        if not self._end_stale(key, id, lease, may_renew):
            deployments._end_groups(key.deployment, 1)
        ended += 1
    if ended == 0:
        refuse.because("leases: nothing is stale")
    ledger._credit(msg.sender, ended * parameters.TIP)


@internal
def _end_stale(key: IExchange.OrderKey, id: bytes32, lease: Times, may_renew: bool) -> bool:
    """
    @dev End a lease as stale and, if it may be renewed and the money suffices, put a new order into the book. The
         caller pays the tip out, and counts the group as ended if there is no new order.
    @param key The order's key.
    @param id The lease.
    @param lease Its fields.
    @param may_renew Whether the tenant wants a new order.
    @return Whether a new order took its place.
    """
    collateral: uint256 = self._take_collateral(id, lease.provider)
    earned: uint256 = self._earned(lease)
    order_book.words[id] = self._ended(STALE, lease.provider)
    ledger._settle(lease.provider, earned, 0, collateral)

    slashed: uint256 = collateral - parameters.TIP
    rest: uint256 = self._unearned(lease)
    refund: uint256 = rest + slashed
    deposit: uint256 = 0
    if may_renew:
        # the collateral fills the gap up to the smallest deposit
        deposit = max(rest, terms._minimum_deposit(key.terms))
        if deposit > refund:
            deposit = 0
    refund -= deposit
    if deposit == 0:
        # the tip of the finish goes on to the new order, or back
        refund += parameters.TIP
    ledger._credit(deployments._tenant(key.deployment), refund)
    log IExchange.LeaseStale(
        lease=id, provider=lease.provider, facilitator=msg.sender, earned=earned, slashed=slashed, refund=refund
    )
    if deposit == 0:
        return False
    renewed: IExchange.OrderKey = key
    renewed.nonce = id
    renewed_id: bytes32 = terms._order_id(renewed)
    order_book._open(renewed_id, key.terms, deposit, lease.provider)
    log IExchange.OrderRecreated(
        order=renewed_id,
        deployment=key.deployment,
        replaced=id,
        deposit=deposit,
        excluded_provider=lease.provider,
    )
    return True


# ------------------------------------------------------------------ closing and the end

@internal
def _end_group(key: IExchange.OrderKey, tenant: address) -> bool:
    """
    @dev End an open order or start the closing of a lease. What has ended already is skipped.
    @param key The order's key.
    @param tenant Who gets the money of an order back.
    @return Whether the group has ended with that.
    """
    id: bytes32 = terms._order_id(key)
    word: uint256 = order_book.words[id]
    state: uint256 = word & order_book.STATE_MASK
    if state == order_book.OPEN:
        ledger._credit(tenant, order_book._close(id, word))
        return True
    if state != ACTIVE:
        return False
    lease: Times = self._unpack(word)
    if self._is_stale(lease):
        # a late provider can't be saved by the tenant's closing, nor can the tenant dodge the tip
        self._end_stale(key, id, lease, False)
        ledger._credit(msg.sender, parameters.TIP)
        return True
    # the closing counts as a confirmation: the tenant can't dodge the last stretch
    if not lease.is_awaiting:
        lease.confirmed = min(block.number, lease.funded)
    moved: uint256 = block.number - lease.confirmed
    lease.state = CLOSING
    lease.is_awaiting = False
    lease.claimed += moved
    lease.confirmed += moved
    lease.funded += moved
    order_book.words[id] = self._pack(lease)
    log IExchange.LeaseClosing(lease=id)
    return False


@external
def confirm_closed(provider: uint256, leases: DynArray[IExchange.OrderKey, MAX_BATCH]):
    """
    @notice Say that the resources of closing leases are reset: pay and collateral to the provider, the rest to the tenant.
    @dev Skips what is not closing, reverts if nothing is.
    @param provider Number of the provider whose operator the caller is.
    @param leases Keys of closing leases of the provider.
    """
    order_book._check_operator(provider)
    is_any: bool = False
    for key: IExchange.OrderKey in leases:
        id: bytes32 = terms._order_id(key)
        lease: Times = self._unpack(order_book.words[id])
        if lease.state != CLOSING or lease.provider != provider:
            continue
        self._end_closed(key.deployment, id, lease, parameters.TIP)
        is_any = True
    if not is_any:
        refuse.because("leases: nothing to confirm")


@external
def finish_leases(leases: DynArray[IExchange.OrderKey, MAX_BATCH]):
    """
    @notice End leases that have been closing or exhausted for longer than the grace. Each pays one tip to the caller.
    @dev The provider keeps its collateral. Skips what is not due, reverts if nothing is.
    @param leases Keys of closing or exhausted leases.
    """
    finished: uint256 = 0
    for key: IExchange.OrderKey in leases:
        id: bytes32 = terms._order_id(key)
        lease: Times = self._unpack(order_book.words[id])
        if not self._is_finishable(lease):
            continue
        self._end_closed(key.deployment, id, lease, 0)
        finished += 1
    if finished == 0:
        refuse.because("leases: nothing to finish")
    ledger._credit(msg.sender, finished * parameters.TIP)


@view
@internal
def _is_finishable(lease: Times) -> bool:
    """
    @dev Whether anyone may end the lease because the grace is over.
    @param lease The lease.
    @return True when it is due.
    """
    if lease.state == CLOSING:
        return block.number > lease.confirmed + parameters.GRACE
    if lease.state != ACTIVE or block.number <= lease.funded + parameters.GRACE:
        return False
    # until its deadline the provider may still confirm the last stretch
    is_settled: bool = lease.confirmed == lease.funded or block.number > lease.confirmed + parameters.PERIOD
    return is_settled and self._is_exhausted(lease)


@internal
def _end_closed(deployment: bytes32, id: bytes32, lease: Times, tip_refund: uint256):
    """
    @dev End a lease well: nobody is slashed.
    @param deployment Id of its deployment.
    @param id The lease.
    @param lease Its fields.
    @param tip_refund The tip of the finish if nobody else gets it.
    """
    collateral: uint256 = self._take_collateral(id, lease.provider)
    earned: uint256 = self._earned(lease)
    refund: uint256 = self._unearned(lease) + tip_refund
    order_book.words[id] = self._ended(CLOSED, lease.provider)
    ledger._settle(lease.provider, earned, collateral, 0)
    ledger._credit(deployments._tenant(deployment), refund)
    deployments._end_groups(deployment, 1)
    log IExchange.LeaseClosed(
        lease=id, provider=lease.provider, finisher=msg.sender, earned=earned, refund=refund
    )


# ------------------------------------------------------------------ views

@view
@external
def lease(lease: bytes32) -> IExchange.Lease:
    """
    @notice A lease as it is now, with what is owed, how long it is funded and whether it can be called stale.
    @param lease Its id, that of the order it was.
    @return The state alone for an order that was never matched; zeros for an unknown id.
    """
    word: uint256 = order_book.words[lease]
    state: uint256 = word & order_book.STATE_MASK
    result: IExchange.Lease = empty(IExchange.Lease)
    if state in [order_book.OPEN, order_book.ORDER_CLOSED]:
        result.state = state
        return result
    times: Times = self._unpack(word)
    result = IExchange.Lease(
        state=state,
        provider=times.provider,
        charge=times.charge,
        is_awaiting=times.is_awaiting,
        claimed_block=times.claimed,
        confirmed_block=times.confirmed,
        funded_block=times.funded,
        deadline_block=0,
        earned=self._earned(times),
        runway_blocks=0,
        is_stale=False,
        is_exhausted=False,
    )
    if state == ACTIVE:
        result.deadline_block = times.confirmed + parameters.PERIOD
        result.is_stale = self._is_stale(times)
        result.is_exhausted = self._is_exhausted(times)
        if times.is_awaiting:
            result.runway_blocks = times.funded - times.confirmed
        elif times.funded > block.number:
            result.runway_blocks = times.funded - block.number
    return result


@view
@external
def callable_now(order: bytes32) -> IExchange.Transaction:
    """
    @notice Which transactions on an order or lease would be accepted in this block, from somebody with the right to.
    @dev RELEASE_FULFILLMENTS means that losers, if there are any, can be released.
    @param order Its id.
    @return A set of transactions.
    """
    word: uint256 = order_book.words[order]
    state: uint256 = word & order_book.STATE_MASK
    result: IExchange.Transaction = empty(IExchange.Transaction)
    if state == order_book.OPEN:
        book: order_book.Book = order_book._unpack(word)
        result |= IExchange.Transaction.FUND
        if self._is_matchable(book):
            result |= IExchange.Transaction.SUBMIT_LEASE
        return result
    if state == 0:
        return result
    result |= IExchange.Transaction.RELEASE_FULFILLMENTS
    lease: Times = self._unpack(word)
    if state in [ACTIVE, CLOSING] and lease.confirmed > lease.claimed:
        result |= IExchange.Transaction.CLAIM
    if state == CLOSING:
        result |= IExchange.Transaction.CONFIRM_CLOSED
    if state == ACTIVE:
        if self._is_stale(lease):
            result |= IExchange.Transaction.SUBMIT_STALE_LEASE
        else:
            result |= IExchange.Transaction.FUND
        if block.number <= lease.confirmed + parameters.PERIOD:
            result |= IExchange.Transaction.SUBMIT_LEASE_CONFIRMATION
    if self._is_finishable(lease):
        result |= IExchange.Transaction.FINISH_LEASES
    return result
