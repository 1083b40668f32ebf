# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Order book
@license Apache-2.0
@notice Orders, and for each a sorted list of the fulfillments that providers bid.
@dev Invariant 1: the list is sorted by charge, equals in the order of their arrival; its head is the winner.
     Invariant 2: a fulfillment's word exists as long as its collateral is locked, and is zeroed when it moves.
     Invariant 3: an open order holds its deposit and the tip of its finish, which passes on to the lease.
     An open order and the lease that it becomes share one word.
"""

from interfaces import IExchange
from . import ledger
from . import parameters
from . import refuse
from . import terms

uses: ledger
uses: parameters
uses: terms

OPEN: constant(uint256) = 1
ORDER_CLOSED: constant(uint256) = 2
STATE_MASK: constant(uint256) = 7

MONEY_MASK: constant(uint256) = 2**96 - 1
CHARGE_MASK: constant(uint256) = 2**80 - 1
MASK_32: constant(uint256) = 2**32 - 1

HEAD_SHIFT: constant(uint256) = 8
TAIL_SHIFT: constant(uint256) = 40
EXCLUDED_SHIFT: constant(uint256) = 72
COUNT_SHIFT: constant(uint256) = 104
DEPOSIT_SHIFT: constant(uint256) = 112
MATCH_SHIFT: constant(uint256) = 208
COUNT_MASK: constant(uint256) = 255
ONE_BID: constant(uint256) = 1 << 104

PROVIDER_SHIFT: constant(uint256) = 8  # the head, once it has won

COLLATERAL_SHIFT: constant(uint256) = 80
NEXT_SHIFT: constant(uint256) = 176
PREVIOUS_SHIFT: constant(uint256) = 208

MAX_RELEASED: constant(uint256) = 32

# order id, while it is open -> state (8 bits from bit 0) | head (32) | tail (32) | excluded provider (32) | bids (8)
#                               | deposit (96) | match block (40)
# order id, from its match on -> the lease's word, see leases.vy
words: HashMap[bytes32, uint256]

# order id -> provider -> charge (80 bits from bit 0) | collateral (96) | next bidder (32) | previous bidder (32)
fulfillments: HashMap[bytes32, HashMap[uint256, uint256]]


@pure
@internal
def _with(word: uint256, place: uint256, provider: uint256) -> uint256:
    """
    @dev Change a provider's number in a word.
    @param word The word of an order or a fulfillment.
    @param place Where the number is: the shift of the head, the tail, the next or the previous bidder.
    @param provider The number, or 0.
    @return The changed word.
    """
    return (word & ~(MASK_32 << place)) | (provider << place)


@internal
def _open(id: bytes32, packed_terms: uint256, deposit: uint256, excluded: uint256):
    """
    @dev Put an order into the book.
    @param id Its id; never used before, because the nonce in it is not.
    @param packed_terms The terms of its key.
    @param deposit Ledger units that it holds, the tip of its match included.
    @param excluded The provider that may not bid, or 0.
    """
    if deposit < terms._minimum_deposit(packed_terms):
        refuse.because("order_book: deposit too small")
    if deposit > MONEY_MASK:
        refuse.because("order_book: deposit too large")
    match_block: uint256 = block.number + terms._wait_duration(packed_terms)
    self.words[id] = (
        OPEN | (excluded << EXCLUDED_SHIFT) | (deposit << DEPOSIT_SHIFT) | (match_block << MATCH_SHIFT)
    )


@internal
def _close(id: bytes32, word: uint256) -> uint256:
    """
    @dev Take an open order out of the book; its bids are free to be released.
    @param id Its id.
    @param word Its word.
    @return Ledger units that its tenant gets back.
    """
    refund: uint256 = ((word >> DEPOSIT_SHIFT) & MONEY_MASK) + parameters.TIP
    self.words[id] = ORDER_CLOSED
    log IExchange.OrderClosed(order=id, refund=refund)
    return refund


# ------------------------------------------------------------------ the sorted list

@internal
def _remove(id: bytes32, book: uint256, provider: uint256) -> uint256:
    """
    @dev Unlink a bid, zero its word and give its collateral back.
    @param id The order.
    @param book The order's word.
    @param provider The bidder.
    @return The order's new word; the caller writes it.
    """
    bid: uint256 = self.fulfillments[id][provider]
    next: uint256 = (bid >> NEXT_SHIFT) & MASK_32
    previous: uint256 = bid >> PREVIOUS_SHIFT
    result: uint256 = book - ONE_BID
    if previous == 0:
        result = self._with(result, HEAD_SHIFT, next)
    else:
        self.fulfillments[id][previous] = self._with(self.fulfillments[id][previous], NEXT_SHIFT, next)
    if next == 0:
        result = self._with(result, TAIL_SHIFT, previous)
    else:
        self.fulfillments[id][next] = self._with(self.fulfillments[id][next], PREVIOUS_SHIFT, previous)
    self._free(id, provider, bid)
    return result


@internal
def _free(id: bytes32, provider: uint256, bid: uint256):
    """
    @dev Zero a fulfillment's word and give its collateral back.
    @param id The order.
    @param provider The bidder.
    @param bid The fulfillment's word.
    """
    self.fulfillments[id][provider] = 0
    ledger._settle(provider, 0, (bid >> COLLATERAL_SHIFT) & MONEY_MASK)


@internal
def _insert(id: bytes32, book: uint256, provider: uint256, bid: uint256, hint: uint256) -> uint256:
    """
    @dev Link a bid into the list behind every bid that is not dearer.
    @param id The order.
    @param book The order's word.
    @param provider The bidder.
    @param bid Its charge and collateral, as in a fulfillment's word.
    @param hint The bidder behind which it belongs, 0 for the head; a wrong one costs a walk.
    @return The order's new word; the caller writes it.
    """
    charge: uint256 = bid & CHARGE_MASK
    head: uint256 = (book >> HEAD_SHIFT) & MASK_32
    previous: uint256 = hint
    previous_word: uint256 = 0
    next: uint256 = head
    next_word: uint256 = 0
    if hint != 0:
        previous_word = self.fulfillments[id][hint]
        next = (previous_word >> NEXT_SHIFT) & MASK_32
    if next != 0:
        next_word = self.fulfillments[id][next]
    is_behind: bool = hint == 0 or (previous_word != 0 and previous_word & CHARGE_MASK <= charge)
    is_before: bool = next == 0 or next_word & CHARGE_MASK > charge
    if not (is_behind and is_before):
        previous = 0
        previous_word = 0
        next = head
        for _: uint256 in range(parameters.MAX_BIDS):
            if next == 0:
                break
            next_word = self.fulfillments[id][next]
            if next_word & CHARGE_MASK > charge:
                break
            previous = next
            previous_word = next_word
            next = (next_word >> NEXT_SHIFT) & MASK_32
    result: uint256 = book + ONE_BID
    if previous == 0:
        result = self._with(result, HEAD_SHIFT, provider)
    else:
        self.fulfillments[id][previous] = self._with(previous_word, NEXT_SHIFT, provider)
    if next == 0:
        result = self._with(result, TAIL_SHIFT, provider)
    else:
        self.fulfillments[id][next] = self._with(next_word, PREVIOUS_SHIFT, provider)
    self.fulfillments[id][provider] = bid | (next << NEXT_SHIFT) | (previous << PREVIOUS_SHIFT)
    return result


# ------------------------------------------------------------------ transactions

@view
@internal
def _check_open(id: bytes32) -> uint256:
    """
    @dev Refuse an order that is not open.
    @param id Its id.
    @return Its word.
    """
    word: uint256 = self.words[id]
    if word & STATE_MASK != OPEN:
        refuse.because("order_book: order not open")
    return word


@external
def submit_fulfillment(
    provider: uint256,
    deployment: bytes32,
    nonce: bytes32,
    wait_duration: uint256,
    group: IExchange.Group,
    prices: DynArray[uint256, 8],
    hint: uint256,
):
    """
    @notice Bid on an open order. Compute, count and collateral are the order's, by construction.
    @param provider Number of a registered provider whose operator the caller is.
    @param deployment Of the order's key.
    @param nonce Of the order's key.
    @param wait_duration Of the order, blocks.
    @param group What the order asks for.
    @param prices Ledger units per compute unit and block for each of the group's resources, at most its price.
    @param hint The bidder behind which this bid belongs, 0 for the head; a wrong one only costs gas.
    """
    key: IExchange.OrderKey = terms._key(deployment, nonce, wait_duration, group)
    id: bytes32 = terms._order_id(key)
    book: uint256 = self._check_open(id)
    operator: address = empty(address)
    region: uint256 = 0
    cap: uint256 = 0
    operator, region, cap = staticcall parameters.REGISTRY.bidder(provider)
    self._check_sender(operator)
    if region & group.regions == 0:
        refuse.because("order_book: not in the region")
    if (book >> EXCLUDED_SHIFT) & MASK_32 == provider:
        refuse.because("order_book: provider excluded")
    if self.fulfillments[id][provider] != 0:
        refuse.because("order_book: already bid")

    collateral: uint256 = terms._collateral(key.terms)
    charge: uint256 = self._charge(group, prices, collateral)
    if (book >> COUNT_SHIFT) & COUNT_MASK == parameters.MAX_FULFILLMENTS:
        worst: uint256 = (book >> TAIL_SHIFT) & MASK_32
        if charge >= self.fulfillments[id][worst] & CHARGE_MASK:
            refuse.because("order_book: book is full")
        log IExchange.FulfillmentEvicted(order=id, provider=worst)
        book = self._remove(id, book, worst)
    ledger._lock(provider, collateral, cap)
    self.words[id] = self._insert(id, book, provider, charge | (collateral << COLLATERAL_SHIFT), hint)
    log IExchange.FulfillmentSubmitted(order=id, provider=provider, charge=charge, prices=prices)


@view
@internal
def _charge(group: IExchange.Group, prices: DynArray[uint256, 8], collateral: uint256) -> uint256:
    """
    @dev What a lease at these prices costs.
    @param group What the order asks for.
    @param prices Ledger units per compute unit and block.
    @param collateral Ledger units.
    @return Ledger units per block, at least 1.
    """
    if len(prices) != len(group.resources):
        refuse.because("order_book: one price each")
    charge: uint256 = terms._interest(collateral)
    for i: uint256 in range(len(prices), bound=8):
        if prices[i] > group.resources[i].price:
            refuse.because("order_book: price above maximum")
        charge += prices[i] * group.resources[i].count
    if charge == 0:
        refuse.because("order_book: charge is zero")
    return charge


@view
@internal
def _check_operator(provider: uint256):
    """
    @dev Refuse whoever is not the provider's operator.
    @param provider Its number.
    """
    self._check_sender(staticcall parameters.REGISTRY.operator_of(provider))


@view
@internal
def _check_sender(operator: address):
    """
    @dev Refuse whoever is not the operator.
    @param operator Of a provider.
    """
    if operator != msg.sender:
        refuse.because("order_book: not the operator")


@external
def cancel_fulfillment(provider: uint256, key: IExchange.OrderKey):
    """
    @notice Take a bid back. From half of the wait duration on it is binding: nobody could replace it any more.
    @param provider Number of the provider whose operator the caller is.
    @param key The order's key.
    """
    id: bytes32 = terms._order_id(key)
    book: uint256 = self._check_open(id)
    wait: uint256 = terms._wait_duration(key.terms)
    if block.number > (book >> MATCH_SHIFT) - wait + wait // 2:
        refuse.because("order_book: bid is binding")
    if self.fulfillments[id][provider] == 0:
        refuse.because("order_book: no such bid")
    self._check_operator(provider)
    self.words[id] = self._remove(id, book, provider)
    log IExchange.FulfillmentCancelled(order=id, provider=provider)


@external
def release_fulfillments(order: bytes32, providers: DynArray[uint256, MAX_RELEASED]):
    """
    @notice Give the losers of an order that is no longer open their collateral back. Anyone may call it.
    @dev Skips whoever has nothing to release, reverts if nobody has.
    @param order Its id.
    @param providers Numbers of bidders that did not win.
    """
    word: uint256 = self.words[order]
    if word & STATE_MASK == OPEN:
        refuse.because("order_book: order is open")
    winner: uint256 = (word >> PROVIDER_SHIFT) & MASK_32
    is_any: bool = False
    for provider: uint256 in providers:
        fulfillment: uint256 = self.fulfillments[order][provider]
        if fulfillment == 0 or provider == winner:
            continue
        self._free(order, provider, fulfillment)
        is_any = True
        log IExchange.FulfillmentReleased(order=order, provider=provider)
    refuse.unless(is_any)


# ------------------------------------------------------------------ views

@view
@external
def order(order: bytes32) -> IExchange.Order:
    """
    @notice An order as it is now; from its match on only its state, see lease().
    @param order Its id.
    @return Zeros for an unknown id.
    """
    word: uint256 = self.words[order]
    state: uint256 = word & STATE_MASK
    if state != OPEN:
        word = 0
    return IExchange.Order(
        state=state,
        deposit=(word >> DEPOSIT_SHIFT) & MONEY_MASK,
        match_block=word >> MATCH_SHIFT,
        bid_count=(word >> COUNT_SHIFT) & COUNT_MASK,
        excluded_provider=(word >> EXCLUDED_SHIFT) & MASK_32,
    )


@view
@external
def fulfillment(order: bytes32, provider: uint256) -> IExchange.Bid:
    """
    @notice The bid of a provider on an order, as long as its collateral is locked.
    @param order The order's id.
    @param provider The bidder's number.
    @return Zeros when there is none.
    """
    word: uint256 = self.fulfillments[order][provider]
    number: uint256 = 0
    if word != 0:
        number = provider
    return self._bid(number, word)


@view
@external
def bids(order: bytes32) -> DynArray[IExchange.Bid, 32]:
    """
    @notice The book of an open order, the winner first.
    @param order Its id.
    @return Empty when it is not open.
    """
    result: DynArray[IExchange.Bid, 32] = []
    word: uint256 = self.words[order]
    provider: uint256 = 0
    if word & STATE_MASK == OPEN:
        provider = (word >> HEAD_SHIFT) & MASK_32
    for _: uint256 in range(parameters.MAX_BIDS):
        if provider == 0:
            break
        bid: uint256 = self.fulfillments[order][provider]
        result.append(self._bid(provider, bid))
        provider = (bid >> NEXT_SHIFT) & MASK_32
    return result


@pure
@internal
def _bid(provider: uint256, word: uint256) -> IExchange.Bid:
    """
    @dev A fulfillment unpacked.
    @param provider The bidder's number.
    @param word The fulfillment's word.
    @return The bid.
    """
    return IExchange.Bid(
        provider=provider, charge=word & CHARGE_MASK, collateral=(word >> COLLATERAL_SHIFT) & MONEY_MASK
    )
