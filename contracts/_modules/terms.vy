# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Terms
@license Apache-2.0
@notice What an order asks for, as the 128 bytes that name it: the terms are never stored, callers hand them back.
@dev Invariant 1: an order's id commits to the deployment, the nonce and every term, so a bid can't be carried over to
     another order, not even by a reorganisation of the chain.
"""

from interfaces import IExchange
from . import parameters
from . import refuse

uses: parameters

COLLATERAL_SHIFT: constant(uint256) = 80
WAIT_SHIFT: constant(uint256) = 176
REGIONS_SHIFT: constant(uint256) = 208
PERSIST_SHIFT: constant(uint256) = 240

CHARGE_MASK: constant(uint256) = 2**80 - 1
MONEY_MASK: constant(uint256) = 2**96 - 1
MASK_32: constant(uint256) = 2**32 - 1

ONE: constant(uint256) = 10**18
MAX_COUNT: constant(uint256) = 2**32 - 1


@pure
@internal
def _order_id(key: IExchange.OrderKey) -> bytes32:
    """
    @dev The id of an order and of its lease.
    @param key Its preimage.
    @return keccak256 of the key's four words.
    """
    return keccak256(abi_encode(key))


@view
@internal
def _key(
    deployment: bytes32, nonce: bytes32, wait_duration: uint256, group: IExchange.Group
) -> IExchange.OrderKey:
    """
    @dev Check a group and make the key of its order. Prices are capped by the charge, so sums can't overflow.
    @param deployment Id of the deployment.
    @param nonce The deployment's counter, or the id of the replaced lease.
    @param wait_duration Blocks from the creation to the first match.
    @param group What is asked for.
    @return The key.
    """
    if wait_duration > MASK_32:
        refuse.because("terms: wait too long")
    if len(group.resources) == 0:
        refuse.because("terms: no resources")
    if group.regions == 0 or group.regions > MASK_32:
        refuse.because("terms: bad regions")
    collateral: uint256 = 0
    charge: uint256 = 0
    for resource: IExchange.ResourceGroup in group.resources:
        if (
            resource.count == 0
            or resource.count > MAX_COUNT
            or resource.milli_cpu == 0
            or resource.memory_bytes == 0
            or resource.price > parameters.MAX_CHARGE
            or resource.collateral > parameters.MAX_MONEY
        ):
            refuse.because("terms: bad resource group")
        charge += resource.price * resource.count
        collateral += resource.collateral * resource.count
    if collateral > parameters.MAX_MONEY:
        refuse.because("terms: collateral too high")
    # the tip of a stale call comes from the collateral
    if collateral < parameters.TIP:
        refuse.because("terms: collateral below tip")
    charge += self._interest(collateral)
    if charge == 0:
        refuse.because("terms: charge is zero")
    if charge > parameters.MAX_CHARGE:
        refuse.because("terms: price too high")
    packed: uint256 = (
        charge | (collateral << COLLATERAL_SHIFT) | (wait_duration << WAIT_SHIFT) | (group.regions << REGIONS_SHIFT)
    )
    if group.persist:
        packed |= 1 << PERSIST_SHIFT
    return IExchange.OrderKey(
        deployment=deployment,
        nonce=nonce,
        terms=packed,
        resources_hash=keccak256(abi_encode(group.name, group.resources)),
    )


@view
@internal
def _interest(collateral: uint256) -> uint256:
    """
    @dev The part of a charge that pays for the collateral.
    @param collateral Ledger units.
    @return Ledger units per block, rounded down.
    """
    return collateral * parameters.INTEREST_RATE // ONE


@view
@internal
def _minimum_deposit(packed: uint256) -> uint256:
    """
    @dev What an order must hold at least: two periods of the maximum charge and the tip of its match.
    @param packed The key's terms.
    @return Ledger units.
    """
    return 2 * parameters.PERIOD * self._max_charge(packed) + parameters.TIP


@pure
@internal
def _max_charge(packed: uint256) -> uint256:
    """
    @dev The charge at the maximum prices.
    @param packed The key's terms.
    @return Ledger units per block.
    """
    return packed & CHARGE_MASK


@pure
@internal
def _collateral(packed: uint256) -> uint256:
    """
    @dev What each bidder locks.
    @param packed The key's terms.
    @return Ledger units.
    """
    return (packed >> COLLATERAL_SHIFT) & MONEY_MASK


@pure
@internal
def _wait_duration(packed: uint256) -> uint256:
    """
    @dev The time for bids.
    @param packed The key's terms.
    @return Blocks.
    """
    return (packed >> WAIT_SHIFT) & MASK_32


@pure
@internal
def _persist(packed: uint256) -> bool:
    """
    @dev Whether a stale lease is replaced by a new order.
    @param packed The key's terms.
    @return True if it is.
    """
    return (packed >> PERSIST_SHIFT) == 1
