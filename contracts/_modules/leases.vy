# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Leases
@license Apache-2.0
@notice The match of an order with its lowest bid, and what follows: confirmations, pay, staleness, closing, the end.
@dev States: ACTIVE -> STALE | CLOSING -> CLOSED, and ACTIVE -> CLOSED when exhausted. STALE and CLOSED are terminal.
     Invariant 1: a lease holds charge x (funded_block - claimed_block), the remainder that was too little for another
     block, and the tip of its finish; a stale one what its provider earned and has not claimed.
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
REMAINDER_SHIFT: constant(uint256) = 40
EARNED_SHIFT: constant(uint256) = 40
CLAIMED_SHIFT: constant(uint256) = 120
FUNDED_SHIFT: constant(uint256) = 160
CONFIRMED_SHIFT: constant(uint256) = 200  # topmost: a confirmation reads it without a mask
ONE_BLOCK: constant(uint256) = (1 << 120) | (1 << 160) | (1 << 200)  # in each of the three heights
CHARGE_MASK: constant(uint256) = 2**80 - 1
REMAINDER_MASK: constant(uint256) = 2**80 - 1
MONEY_MASK: constant(uint256) = 2**96 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_32: constant(uint256) = 2**32 - 1
IDENTITY_MASK: constant(uint256) = 2**40 - 1 - 8  # state and provider, whether it is awaiting or not
TIMELESS_MASK: constant(uint256) = 2**120 - 1  # all but the three heights
STARTED_MASK: constant(uint256) = 2**120 - 1 - 8  # those, and not awaiting
UNCONFIRMED_MASK: constant(uint256) = 2**200 - 1  # all but the confirmed block

MAX_BATCH: constant(uint256) = 32
MAX_CONFIRMED: constant(uint256) = 128

# The lease's word, kept in order_book.words under the id of the order that it was:
# state (3 bits from bit 0) | awaiting (1, bit 3) | provider (32, from bit 8) | remainder (80) | claimed block (40)
# | funded block (40) | confirmed block (40). While it is awaiting, claimed and confirmed are the block of the match (or
# revival). Its charge and collateral stay in the winner's fulfillment.
# A stale lease: state | provider | earned and not claimed (96 bits from bit 40). A closed one: state | provider.


@view
@internal
def _is_stale(word: uint256) -> bool:
    """
    @dev Whether the provider has missed a deadline while the lease was still funded. The only rule for it.
    @param word The word of an active lease.
    @return True when anyone may end it as stale.
    """
    deadline: uint256 = (word >> CONFIRMED_SHIFT) + parameters.PERIOD
    return block.number > deadline and (word & AWAITING != 0 or deadline < (word >> FUNDED_SHIFT) & MASK_40)


@view
@internal
def _is_exhausted(word: uint256) -> bool:
    """
    @dev Whether the prepaid blocks are used up and no deadline was missed before.
    @param word The word of an active lease.
    @return True when the provider may pause the workloads and nobody can slash it.
    """
    return word & AWAITING == 0 and block.number >= (word >> FUNDED_SHIFT) & MASK_40 and not self._is_stale(word)


@view
@internal
def _charge(id: bytes32, word: uint256) -> uint256:
    """
    @dev What a lease costs, from the winner's fulfillment.
    @param id The lease.
    @param word Its word.
    @return Ledger units per block.
    """
    return order_book.fulfillments[id][(word >> order_book.PROVIDER_SHIFT) & MASK_32] & CHARGE_MASK


@internal
def _take_fulfillment(id: bytes32, provider: uint256) -> uint256:
    """
    @dev Zero the winner's fulfillment, so that its collateral moves once.
    @param id The lease.
    @param provider The winner's number.
    @return The fulfillment's word.
    """
    fulfillment: uint256 = order_book.fulfillments[id][provider]
    order_book.fulfillments[id][provider] = 0
    return fulfillment


@pure
@internal
def _divide(word: uint256, charge: uint256) -> (uint256, uint256):
    """
    @dev Divide what a lease holds at its end, beside the tip of its finish.
    @param word The lease's word.
    @param charge Ledger units per block.
    @return What the provider has earned and not claimed, and the rest, which is the tenant's.
    """
    confirmed: uint256 = word >> CONFIRMED_SHIFT
    earned: uint256 = charge * (confirmed - ((word >> CLAIMED_SHIFT) & MASK_40))
    ahead: uint256 = charge * (((word >> FUNDED_SHIFT) & MASK_40) - confirmed)
    return earned, ahead + ((word >> REMAINDER_SHIFT) & REMAINDER_MASK)


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
        book: uint256 = order_book.words[id]
        if book & order_book.STATE_MASK != order_book.OPEN:
            continue
        winner: uint256 = (book >> order_book.HEAD_SHIFT) & MASK_32
        if winner == 0 or block.number < book >> order_book.MATCH_SHIFT:
            continue
        charge: uint256 = order_book.fulfillments[id][winner] & CHARGE_MASK
        prepaid: uint256 = ((book >> order_book.DEPOSIT_SHIFT) & MONEY_MASK) - parameters.TIP
        blocks: uint256 = min(prepaid // charge, parameters.MAX_BLOCKS)
        remainder: uint256 = prepaid - blocks * charge
        refund: uint256 = 0
        if remainder >= charge:
            # more than the longest lease costs
            refund = remainder
            remainder = 0
            ledger._credit(deployments._tenant(deployments.words[key.deployment]), refund)
        order_book.words[id] = (
            ACTIVE
            | AWAITING
            | (winner << order_book.PROVIDER_SHIFT)
            | (remainder << REMAINDER_SHIFT)
            | (block.number * ONE_BLOCK + (blocks << FUNDED_SHIFT))
        )
        matched += 1
        log IExchange.LeaseCreated(
            lease=id, provider=winner, facilitator=msg.sender, charge=charge, blocks=blocks, refund=refund
        )
    refuse.unless(matched > 0)
    ledger._credit(msg.sender, matched * parameters.TIP)


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
    identity: uint256 = ACTIVE | (provider << order_book.PROVIDER_SHIFT)
    now: uint256 = block.number * ONE_BLOCK
    oldest: uint256 = max(block.number, parameters.PERIOD) - parameters.PERIOD
    is_any: bool = False
    for id: bytes32 in leases:
        word: uint256 = order_book.words[id]
        if word & IDENTITY_MASK != identity or word >> CONFIRMED_SHIFT < oldest:
            continue
        if word & AWAITING == 0:
            until: uint256 = min(block.number, (word >> FUNDED_SHIFT) & MASK_40)
            order_book.words[id] = (word & UNCONFIRMED_MASK) | (until << CONFIRMED_SHIFT)
        else:
            # the charging starts: all that is prepaid lies ahead. Unsafe is safe by invariant 2, heights fit 40 bits
            prepaid: uint256 = unsafe_sub((word >> FUNDED_SHIFT) & MASK_40, word >> CONFIRMED_SHIFT)
            order_book.words[id] = (word & STARTED_MASK) | unsafe_add(now, prepaid << FUNDED_SHIFT)
        is_any = True
        log IExchange.LeaseConfirmed(lease=id)
    refuse.unless(is_any)


@external
def claim(leases: DynArray[bytes32, MAX_BATCH]):
    """
    @notice Move what leases have earned to their providers' accounts. Anyone may call it.
    @dev Skips what has nothing to claim, reverts if nothing has.
    @param leases Ids of active, closing or stale leases.
    """
    is_any: bool = False
    for id: bytes32 in leases:
        word: uint256 = order_book.words[id]
        state: uint256 = word & order_book.STATE_MASK
        earned: uint256 = 0
        if state == STALE:
            earned = word >> EARNED_SHIFT
            word -= earned << EARNED_SHIFT
        elif state in [ACTIVE, CLOSING]:
            blocks: uint256 = (word >> CONFIRMED_SHIFT) - ((word >> CLAIMED_SHIFT) & MASK_40)
            earned = self._charge(id, word) * blocks
            word += blocks << CLAIMED_SHIFT
        if earned == 0:
            continue
        order_book.words[id] = word
        ledger._settle((word >> order_book.PROVIDER_SHIFT) & MASK_32, earned, 0)
        is_any = True
        log IExchange.LeaseClaimed(lease=id, amount=earned)
    refuse.unless(is_any)


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
    id: bytes32 = terms._order_id(key)
    word: uint256 = order_book.words[id]
    state: uint256 = word & order_book.STATE_MASK
    confirmed: uint256 = 0
    funded: uint256 = 0
    charge: uint256 = terms._max_charge(key.terms)
    if state == ACTIVE:
        if self._is_stale(word):
            refuse.because("leases: lease is stale")
        confirmed = word >> CONFIRMED_SHIFT
        funded = (word >> FUNDED_SHIFT) & MASK_40
        charge = self._charge(id, word)
    elif state != order_book.OPEN:
        refuse.because("leases: neither open nor active")
    if blocks == 0 or blocks > parameters.MAX_BLOCKS - (funded - confirmed):
        refuse.because("leases: bad number of blocks")
    amount: uint256 = blocks * charge
    payer: address = self._charge_payer(key.deployment, amount)
    if state == order_book.OPEN:
        word += amount << order_book.DEPOSIT_SHIFT
        log IExchange.OrderFunded(order=id, payer=payer, amount=amount)
    elif self._is_exhausted(word):
        if blocks < 2 * parameters.PERIOD:
            refuse.because("leases: revival too short")
        if block.number <= confirmed + parameters.PERIOD:
            confirmed = funded
        earned: uint256 = charge * (confirmed - ((word >> CLAIMED_SHIFT) & MASK_40))
        ledger._settle((word >> order_book.PROVIDER_SHIFT) & MASK_32, earned, 0)
        word = (word & TIMELESS_MASK) | AWAITING
        word += block.number * ONE_BLOCK + ((funded - confirmed + blocks) << FUNDED_SHIFT)
        log IExchange.LeaseRevived(lease=id, payer=payer, blocks=blocks, earned=earned)
    else:
        word += blocks << FUNDED_SHIFT
        log IExchange.LeaseFunded(lease=id, payer=payer, blocks=blocks)
    order_book.words[id] = word


@internal
def _charge_payer(deployment: bytes32, amount: uint256) -> address:
    """
    @dev Take money from the tenant's account for the tenant and its managers, else from the caller's.
    @param deployment Id of the deployment.
    @param amount Ledger units.
    @return Whose account paid.
    """
    tenant: address = deployments._tenant(deployments.words[deployment])
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
         confirmed stays the provider's, to be claimed. Skips what is not stale, reverts if nothing is. A resignation
         names one lease alone: an owner that calls other leases stale must not lose one of its own.
    @param leases Keys of active leases.
    """
    ended: uint256 = 0
    for key: IExchange.OrderKey in leases:
        id: bytes32 = terms._order_id(key)
        word: uint256 = order_book.words[id]
        if word & order_book.STATE_MASK != ACTIVE:
            continue
        if not self._is_stale(word):
            if len(leases) > 1:
                continue
            owner: address = staticcall parameters.REGISTRY.owner_of((word >> order_book.PROVIDER_SHIFT) & MASK_32)
            if owner != msg.sender:
                continue
        deployment: uint256 = deployments.words[key.deployment]
        may_renew: bool = terms._persist(key.terms) and deployments._is_active(deployment)
        if not self._end_stale(key, id, word, deployments._tenant(deployment), may_renew):
            deployments.words[key.deployment] = deployment - deployments.ONE_LIVE
        ended += 1
    refuse.unless(ended > 0)
    ledger._credit(msg.sender, ended * parameters.TIP)


@internal
def _end_stale(key: IExchange.OrderKey, id: bytes32, word: uint256, tenant: address, may_renew: bool) -> bool:
    """
    @dev End a lease as stale and, if it may be renewed and the money suffices, put a new order into the book. The
         caller pays the tip out, and counts the group as ended if there is no new order.
    @param key The order's key.
    @param id The lease.
    @param word Its word.
    @param tenant Who gets the collateral.
    @param may_renew Whether the tenant wants a new order.
    @return Whether a new order took its place.
    """
    provider: uint256 = (word >> order_book.PROVIDER_SHIFT) & MASK_32
    fulfillment: uint256 = self._take_fulfillment(id, provider)
    earned: uint256 = 0
    rest: uint256 = 0
    earned, rest = self._divide(word, fulfillment & CHARGE_MASK)
    # the provider's account stays as it is: its collateral is lost, what it has earned waits for a claim
    order_book.words[id] = STALE | (provider << order_book.PROVIDER_SHIFT) | (earned << EARNED_SHIFT)

    collateral: uint256 = (fulfillment >> order_book.COLLATERAL_SHIFT) & MONEY_MASK
    # the caller's tip comes from the collateral, and the tip of the finish makes up for it if there is no new order
    refund: uint256 = rest + collateral
    deposit: uint256 = 0
    if may_renew:
        # the collateral fills the gap up to the smallest deposit
        needed: uint256 = max(rest, terms._minimum_deposit(key.terms))
        if needed + parameters.TIP <= refund:
            deposit = needed
            refund -= needed + parameters.TIP
    ledger._credit(tenant, refund)
    log IExchange.LeaseStale(
        lease=id,
        provider=provider,
        facilitator=msg.sender,
        earned=earned,
        slashed=collateral - parameters.TIP,
        refund=refund,
    )
    if deposit == 0:
        return False
    renewed: IExchange.OrderKey = key
    renewed.nonce = id
    renewed_id: bytes32 = terms._order_id(renewed)
    order_book._open(renewed_id, key.terms, deposit, provider)
    log IExchange.OrderRecreated(
        order=renewed_id,
        deployment=key.deployment,
        replaced=id,
        deposit=deposit,
        excluded_provider=provider,
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
    if self._is_stale(word):
        # a late provider can't be saved by the tenant's closing, nor can the tenant dodge the tip
        self._end_stale(key, id, word, tenant, False)
        ledger._credit(msg.sender, parameters.TIP)
        return True
    # counts as a confirmation up to now: the tenant can't dodge the last stretch
    confirmed: uint256 = word >> CONFIRMED_SHIFT
    if word & AWAITING == 0:
        confirmed = min(block.number, (word >> FUNDED_SHIFT) & MASK_40)
    moved: uint256 = block.number - confirmed
    word = (word & UNCONFIRMED_MASK & ~AWAITING) | (block.number << CONFIRMED_SHIFT)
    order_book.words[id] = word + ((CLOSING - ACTIVE) | (moved << CLAIMED_SHIFT) | (moved << FUNDED_SHIFT))
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
        word: uint256 = order_book.words[id]
        if word & order_book.STATE_MASK != CLOSING or (word >> order_book.PROVIDER_SHIFT) & MASK_32 != provider:
            continue
        self._end_closed(key.deployment, id, word, parameters.TIP)
        is_any = True
    refuse.unless(is_any)


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
        word: uint256 = order_book.words[id]
        if not self._is_finishable(word):
            continue
        self._end_closed(key.deployment, id, word, 0)
        finished += 1
    refuse.unless(finished > 0)
    ledger._credit(msg.sender, finished * parameters.TIP)


@view
@internal
def _is_finishable(word: uint256) -> bool:
    """
    @dev Whether anyone may end the lease because the grace is over.
    @param word Its word.
    @return True when it is due.
    """
    state: uint256 = word & order_book.STATE_MASK
    confirmed: uint256 = word >> CONFIRMED_SHIFT
    if state == CLOSING:
        return block.number > confirmed + parameters.GRACE
    funded: uint256 = (word >> FUNDED_SHIFT) & MASK_40
    if state != ACTIVE or block.number <= funded + parameters.GRACE:
        return False
    # until its deadline the provider may still confirm the last stretch
    is_settled: bool = confirmed == funded or block.number > confirmed + parameters.PERIOD
    return is_settled and self._is_exhausted(word)


@internal
def _end_closed(deployment: bytes32, id: bytes32, word: uint256, tip_refund: uint256):
    """
    @dev End a lease well: nobody is slashed.
    @param deployment Id of its deployment.
    @param id The lease.
    @param word Its word.
    @param tip_refund The tip of the finish if nobody else gets it.
    """
    provider: uint256 = (word >> order_book.PROVIDER_SHIFT) & MASK_32
    fulfillment: uint256 = self._take_fulfillment(id, provider)
    earned: uint256 = 0
    rest: uint256 = 0
    earned, rest = self._divide(word, fulfillment & CHARGE_MASK)
    refund: uint256 = rest + tip_refund
    order_book.words[id] = CLOSED | (provider << order_book.PROVIDER_SHIFT)
    ledger._settle(provider, earned, (fulfillment >> order_book.COLLATERAL_SHIFT) & MONEY_MASK)
    deployment_word: uint256 = deployments.words[deployment]
    ledger._credit(deployments._tenant(deployment_word), refund)
    deployments.words[deployment] = deployment_word - deployments.ONE_LIVE
    log IExchange.LeaseClosed(lease=id, provider=provider, finisher=msg.sender, earned=earned, refund=refund)


# ------------------------------------------------------------------ views

@view
@external
def lease(lease: bytes32) -> IExchange.Lease:
    """
    @notice A lease as it is now, with what it has earned and whether it can be called stale.
    @param lease Its id, that of the order it was.
    @return The state alone for an order that was never matched; zeros for an unknown id.
    """
    word: uint256 = order_book.words[lease]
    state: uint256 = word & order_book.STATE_MASK
    result: IExchange.Lease = empty(IExchange.Lease)
    result.state = state
    if state >= ACTIVE:
        result.provider = (word >> order_book.PROVIDER_SHIFT) & MASK_32
    if state == STALE:
        result.earned = word >> EARNED_SHIFT
    if state in [ACTIVE, CLOSING]:
        result.charge = self._charge(lease, word)
        result.remainder = (word >> REMAINDER_SHIFT) & REMAINDER_MASK
        result.is_awaiting = word & AWAITING != 0
        result.claimed_block = (word >> CLAIMED_SHIFT) & MASK_40
        result.confirmed_block = word >> CONFIRMED_SHIFT
        result.funded_block = (word >> FUNDED_SHIFT) & MASK_40
        result.earned = result.charge * (result.confirmed_block - result.claimed_block)
    if state == ACTIVE:
        result.is_stale = self._is_stale(word)
        result.is_exhausted = self._is_exhausted(word)
    return result
