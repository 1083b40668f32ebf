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
MASK_40: constant(uint256) = 2**40 - 1
MASK_32: constant(uint256) = 2**32 - 1

DEPOSIT_SHIFT: constant(uint256) = 8
MATCH_SHIFT: constant(uint256) = 104
COUNT_SHIFT: constant(uint256) = 144
HEAD_SHIFT: constant(uint256) = 152
TAIL_SHIFT: constant(uint256) = 184
EXCLUDED_SHIFT: constant(uint256) = 216
COUNT_MASK: constant(uint256) = 255

COLLATERAL_SHIFT: constant(uint256) = 80
NEXT_SHIFT: constant(uint256) = 176
PREVIOUS_SHIFT: constant(uint256) = 208

# bits of an ended order or lease in which its winner stays
PROVIDER_SHIFT: constant(uint256) = 88

MAX_RELEASED: constant(uint256) = 32

# order id, while it is open -> state (8 bits from bit 0) | deposit (96) | match block (40) | bids (8) | head (32)
#                               | tail (32) | excluded provider (32)
# order id, from its match on -> the lease's word, see leases.vy
words: HashMap[bytes32, uint256]

# order id -> provider -> charge (80 bits from bit 0) | collateral (96) | next bidder (32) | previous bidder (32)
fulfillments: HashMap[bytes32, HashMap[uint256, uint256]]


# An open order unpacked.
struct Book:
    deposit: uint256
    match_block: uint256
    bid_count: uint256
    head: uint256
    tail: uint256
    excluded: uint256


@pure
@internal
def _unpack(word: uint256) -> Book:
    """
    @dev Read the word of an open order.
    @param word The word.
    @return Its fields.
    """
    return Book(
        deposit=(word >> DEPOSIT_SHIFT) & MONEY_MASK,
        match_block=(word >> MATCH_SHIFT) & MASK_40,
        bid_count=(word >> COUNT_SHIFT) & COUNT_MASK,
        head=(word >> HEAD_SHIFT) & MASK_32,
        tail=(word >> TAIL_SHIFT) & MASK_32,
        excluded=(word >> EXCLUDED_SHIFT) & MASK_32,
    )


@pure
@internal
def _pack(book: Book) -> uint256:
    """
    @dev Make the word of an open order.
    @param book Its fields.
    @return The word.
    """
    return (
        OPEN
        | (book.deposit << DEPOSIT_SHIFT)
        | (book.match_block << MATCH_SHIFT)
        | (book.bid_count << COUNT_SHIFT)
        | (book.head << HEAD_SHIFT)
        | (book.tail << TAIL_SHIFT)
        | (book.excluded << EXCLUDED_SHIFT)
    )


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
    self.words[id] = self._pack(
        Book(
            deposit=deposit,
            match_block=block.number + terms._wait_duration(packed_terms),
            bid_count=0,
            head=0,
            tail=0,
            excluded=excluded,
        )
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
def _remove(id: bytes32, book: Book, provider: uint256) -> Book:
    """
    @dev Unlink a bid, zero its word and give its collateral back.
    @param id The order.
    @param book The order's fields.
    @param provider The bidder.
    @return The order's new fields; the caller writes them.
    """
    word: uint256 = self.fulfillments[id][provider]
    next: uint256 = (word >> NEXT_SHIFT) & MASK_32
    previous: uint256 = word >> PREVIOUS_SHIFT
    result: Book = book
    if previous == 0:
        result.head = next
    else:
        self.fulfillments[id][previous] = self._with_next(self.fulfillments[id][previous], next)
    if next == 0:
        result.tail = previous
    else:
        self.fulfillments[id][next] = self._with_previous(self.fulfillments[id][next], previous)
    result.bid_count -= 1
    self._free(id, provider, word)
    return result


@internal
def _free(id: bytes32, provider: uint256, word: uint256):
    """
    @dev Zero a fulfillment's word and give its collateral back.
    @param id The order.
    @param provider The bidder.
    @param word The fulfillment's word.
    """
    self.fulfillments[id][provider] = 0
    ledger._settle(provider, 0, (word >> COLLATERAL_SHIFT) & MONEY_MASK, 0)


@internal
def _insert(
    id: bytes32, book: Book, provider: uint256, charge: uint256, collateral: uint256, hint: uint256
) -> Book:
    """
    @dev Link a bid into the list behind every bid that is not dearer.
    @param id The order.
    @param book The order's fields.
    @param provider The bidder.
    @param charge Ledger units per block.
    @param collateral Ledger units.
    @param hint The bidder behind which it belongs, 0 for the head; a wrong one costs a walk.
    @return The order's new fields; the caller writes them.
    """
    previous: uint256 = hint
    next: uint256 = book.head
    previous_word: uint256 = 0
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
        next = book.head
        for _: uint256 in range(parameters.MAX_BIDS):
            if next == 0:
                break
            next_word = self.fulfillments[id][next]
            if next_word & CHARGE_MASK > charge:
                break
            previous = next
            previous_word = next_word
            next = (next_word >> NEXT_SHIFT) & MASK_32
    result: Book = book
    if previous == 0:
        result.head = provider
    else:
        self.fulfillments[id][previous] = self._with_next(previous_word, provider)
    if next == 0:
        result.tail = provider
    else:
        self.fulfillments[id][next] = self._with_previous(next_word, provider)
    result.bid_count += 1
    self.fulfillments[id][provider] = (
        charge | (collateral << COLLATERAL_SHIFT) | (next << NEXT_SHIFT) | (previous << PREVIOUS_SHIFT)
    )
    return result


@pure
@internal
def _with_next(word: uint256, next: uint256) -> uint256:
    """
    @dev Change the next bidder in a fulfillment's word.
    @param word The word.
    @param next The bidder's number, or 0.
    @return The changed word.
    """
    return (word & ~(MASK_32 << NEXT_SHIFT)) | (next << NEXT_SHIFT)


@pure
@internal
def _with_previous(word: uint256, previous: uint256) -> uint256:
    """
    @dev Change the previous bidder in a fulfillment's word.
    @param word The word.
    @param previous The bidder's number, or 0.
    @return The changed word.
    """
    return (word & ~(MASK_32 << PREVIOUS_SHIFT)) | (previous << PREVIOUS_SHIFT)


# ------------------------------------------------------------------ transactions

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
    word: uint256 = self.words[id]
    if word & STATE_MASK != OPEN:
        refuse.because("order_book: order not open")
    operator: address = empty(address)
    region: uint256 = 0
    cap: uint256 = 0
    operator, region, cap = staticcall parameters.REGISTRY.bidder(provider)
    if operator != msg.sender:
        refuse.because("order_book: not the operator")
    if region & group.regions == 0:
        refuse.because("order_book: not in the region")
    book: Book = self._unpack(word)
    if book.excluded == provider:
        refuse.because("order_book: provider excluded")
    if self.fulfillments[id][provider] != 0:
        refuse.because("order_book: already bid")

    collateral: uint256 = terms._collateral(key.terms)
    charge: uint256 = self._charge(group, prices, collateral)
    if book.bid_count == parameters.MAX_FULFILLMENTS:
        worst: uint256 = self.fulfillments[id][book.tail]
        if charge >= worst & CHARGE_MASK:
            refuse.because("order_book: book is full")
        log IExchange.FulfillmentEvicted(order=id, provider=book.tail)
        book = self._remove(id, book, book.tail)
    ledger._lock(provider, collateral, cap)
    book = self._insert(id, book, provider, charge, collateral, hint)
    self.words[id] = self._pack(book)
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
    operator: address = staticcall parameters.REGISTRY.operator_of(provider)
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
    word: uint256 = self.words[id]
    if word & STATE_MASK != OPEN:
        refuse.because("order_book: order not open")
    book: Book = self._unpack(word)
    wait: uint256 = terms._wait_duration(key.terms)
    if block.number > book.match_block - wait + wait // 2:
        refuse.because("order_book: bid is binding")
    if self.fulfillments[id][provider] == 0:
        refuse.because("order_book: no such bid")
    self._check_operator(provider)
    self.words[id] = self._pack(self._remove(id, book, provider))
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
    released: uint256 = 0
    for provider: uint256 in providers:
        fulfillment: uint256 = self.fulfillments[order][provider]
        if fulfillment == 0 or provider == winner:
            continue
        self._free(order, provider, fulfillment)
        released += 1
        log IExchange.FulfillmentReleased(order=order, provider=provider)
    if released == 0:
        refuse.because("order_book: nothing to release")


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
        return IExchange.Order(state=state, deposit=0, match_block=0, bid_count=0, excluded_provider=0)
    book: Book = self._unpack(word)
    return IExchange.Order(
        state=state,
        deposit=book.deposit,
        match_block=book.match_block,
        bid_count=book.bid_count,
        excluded_provider=book.excluded,
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
    return self._bid(order, provider)


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
    if word & STATE_MASK != OPEN:
        return result
    provider: uint256 = self._unpack(word).head
    for _: uint256 in range(parameters.MAX_BIDS):
        if provider == 0:
            break
        result.append(self._bid(order, provider))
        provider = (self.fulfillments[order][provider] >> NEXT_SHIFT) & MASK_32
    return result


@view
@internal
def _bid(order: bytes32, provider: uint256) -> IExchange.Bid:
    """
    @dev A fulfillment unpacked.
    @param order The order's id.
    @param provider The bidder's number.
    @return Zeros when there is none.
    """
    word: uint256 = self.fulfillments[order][provider]
    if word == 0:
        return empty(IExchange.Bid)
    return IExchange.Bid(
        provider=provider, charge=word & CHARGE_MASK, collateral=(word >> COLLATERAL_SHIFT) & MONEY_MASK
    )
