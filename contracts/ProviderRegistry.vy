# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Provider registry
@license Apache-2.0
@notice Datacenters: a cold owner key, a hot operator key, an endpoint, a region, root certificates.
@dev No owner of the registry, no money in it. Numbers count from 1 and are never reused.
     Invariant 1: only the owner of a provider changes its owner, operator, cap, region, endpoint and roots.
     Invariant 2: a root counts from its active block until its removal; at most two are held at a time.
     What the exchange must check is in storage; certificates, endpoint and attributes are in events, of which storage
     holds the fingerprint or the block.
"""

from interfaces import IProviderRegistry

implements: IProviderRegistry

MAX_PROVIDER: constant(uint256) = 2**32 - 1
MAX_CAP: constant(uint256) = 2**90 - 1
MAX_DELAY: constant(uint256) = 1_000_000
ADDRESS_MASK: constant(uint256) = 2**160 - 1
MASK_40: constant(uint256) = 2**40 - 1

REGION_SHIFT: constant(uint256) = 160
REGION_MASK: constant(uint256) = 63
REGIONS: constant(uint256) = 32
CAP_SHIFT: constant(uint256) = 166
UPDATED_SHIFT: constant(uint256) = 160
ACTIVE_SHIFT: constant(uint256) = 40

struct Profile:
    owner: address
    operator: address
    pending_owner: address
    region: uint256  # one bit; 0 once deregistered
    collateral_cap: uint256  # ledger units
    updated_block: uint256  # holds the newest ProviderUpdated event

struct Root:
    fingerprint: bytes32  # keccak256 of the DER certificate, zero for none
    added_block: uint256  # holds the RootAdded event
    active_block: uint256  # the first block in which peers accept it

ROOT_DELAY: immutable(uint256)  # blocks

# number of the newest provider
provider_count: public(uint256)

# provider -> operator (160 bits from bit 0) | region (6: the place of its bit, counted from 1; 0 once deregistered)
#             | collateral cap (90): all that a bid is checked against is in one word
operators: HashMap[uint256, uint256]

# provider -> owner (160 bits from bit 0) | block of the newest ProviderUpdated (40)
owners: HashMap[uint256, uint256]

# provider -> who may accept the ownership
pending_owners: HashMap[uint256, address]

# provider -> slot 0 or 1 -> fingerprint of a root
fingerprints: HashMap[uint256, HashMap[uint256, bytes32]]

# provider -> slot 0 or 1 -> block of its RootAdded (40 bits from bit 0) | active block (40)
root_blocks: HashMap[uint256, HashMap[uint256, uint256]]


@deploy
def __init__(root_delay_blocks: uint256):
    """
    @notice Open a registry.
    @param root_delay_blocks How long an added root waits before it counts, 0 to 1,000,000 blocks.
    """
    assert root_delay_blocks <= MAX_DELAY, "registry: delay too long"
    ROOT_DELAY = root_delay_blocks


# ------------------------------------------------------------------ internal

@view
@internal
def _check_owner(provider: uint256):
    """
    @dev Refuse everybody but the provider's owner.
    @param provider Its number.
    """
    assert convert(self.owners[provider] & ADDRESS_MASK, address) == msg.sender, "registry: not the owner"


@pure
@internal
def _region_code(region: uint256) -> uint256:
    """
    @dev Refuse anything but exactly one region.
    @param region A bit mask.
    @return The place of its bit, counted from 1.
    """
    code: uint256 = 0
    for place: uint256 in range(REGIONS):
        if region == 1 << place:
            code = place + 1
    assert code > 0, "registry: bad region"
    return code


@pure
@internal
def _region(operator_word: uint256) -> uint256:
    """
    @dev The region in an operator's word.
    @param operator_word The word.
    @return Its bit, 0 once deregistered.
    """
    return (1 << ((operator_word >> REGION_SHIFT) & REGION_MASK)) >> 1


@internal
def _update(provider: uint256, owner: address, region: uint256, endpoint: String[256], attributes: String[1024]):
    """
    @dev Write both words and announce where the provider is.
    @param provider Its number.
    @param owner Its owner.
    @param region Its region's bit.
    @param endpoint https://host:port of its agent.
    @param attributes JSON, self-declared.
    """
    code: uint256 = self._region_code(region)
    assert len(endpoint) > 0, "registry: no endpoint"
    self.operators[provider] = (self.operators[provider] & ~(REGION_MASK << REGION_SHIFT)) | (code << REGION_SHIFT)
    self.owners[provider] = convert(owner, uint256) | (block.number << UPDATED_SHIFT)
    log IProviderRegistry.ProviderUpdated(
        provider=provider, region=region, endpoint=endpoint, attributes=attributes
    )


@internal
def _add_root(provider: uint256, certificate: Bytes[2048], active_block: uint256):
    """
    @dev Put a root into a free slot.
    @param provider Its number.
    @param certificate DER.
    @param active_block From when it counts.
    """
    assert len(certificate) > 0, "registry: no certificate"
    fingerprint: bytes32 = keccak256(certificate)
    slot: uint256 = 0
    if self.fingerprints[provider][0] != empty(bytes32):
        slot = 1
    assert self.fingerprints[provider][0] != fingerprint, "registry: root exists"
    assert self.fingerprints[provider][slot] == empty(bytes32), "registry: two roots already"
    if slot == 0:
        assert self.fingerprints[provider][1] != fingerprint, "registry: root exists"
    self.fingerprints[provider][slot] = fingerprint
    self.root_blocks[provider][slot] = block.number | (active_block << ACTIVE_SHIFT)
    log IProviderRegistry.RootAdded(
        provider=provider, fingerprint=fingerprint, active_block=active_block, certificate=certificate
    )


# ------------------------------------------------------------------ transactions

@external
def register_provider(
    operator: address,
    region: uint256,
    collateral_cap: uint256,
    endpoint: String[256],
    attributes: String[1024],
    certificate: Bytes[2048],
) -> uint256:
    """
    @notice Register a datacenter; the caller becomes its owner. Its first root counts at once.
    @param operator The agent's hot key: it may bid, confirm and advertise, never withdraw.
    @param region One bit.
    @param collateral_cap Ledger units that the operator may lock and lose in total, below 2^90.
    @param endpoint https://host:port of the agent.
    @param attributes JSON, self-declared.
    @param certificate Root certificate in DER.
    @return The provider's number.
    """
    assert operator != empty(address), "registry: no operator"
    assert collateral_cap <= MAX_CAP, "registry: cap too high"
    provider: uint256 = self.provider_count + 1
    assert provider <= MAX_PROVIDER, "registry: full"
    self.provider_count = provider
    self.operators[provider] = convert(operator, uint256) | (collateral_cap << CAP_SHIFT)
    log IProviderRegistry.ProviderRegistered(
        provider=provider, owner=msg.sender, operator=operator, region=region, collateral_cap=collateral_cap
    )
    self._update(provider, msg.sender, region, endpoint, attributes)
    self._add_root(provider, certificate, block.number)
    return provider


@external
def update_provider(provider: uint256, region: uint256, endpoint: String[256], attributes: String[1024]):
    """
    @notice Change where a provider is and what it says of itself; also brings a deregistered one back.
    @param provider A number that the caller owns.
    @param region One bit.
    @param endpoint https://host:port of the agent.
    @param attributes JSON, self-declared.
    """
    self._check_owner(provider)
    self._update(provider, msg.sender, region, endpoint, attributes)


@external
def advertise(provider: uint256, milli_cpu: uint256, memory_bytes: uint256, disk_bytes: uint256, price: uint256):
    """
    @notice Announce free capacity and a price. Binds nobody; tenants search by it.
    @param provider A number whose owner or operator the caller is.
    @param milli_cpu Free thousandths of a CPU.
    @param memory_bytes Free memory.
    @param disk_bytes Free disk.
    @param price Ledger units per block of one CPU with 2 GiB of memory.
    """
    operator: address = convert(self.operators[provider] & ADDRESS_MASK, address)
    if msg.sender != operator:
        self._check_owner(provider)
    log IProviderRegistry.CapacityAdvertised(
        provider=provider, milli_cpu=milli_cpu, memory_bytes=memory_bytes, disk_bytes=disk_bytes, price=price
    )


@external
def set_operator(provider: uint256, operator: address):
    """
    @notice Replace the hot key, at once.
    @param provider A number that the caller owns.
    @param operator The new key.
    """
    self._check_owner(provider)
    assert operator != empty(address), "registry: no operator"
    self.operators[provider] = (self.operators[provider] & ~ADDRESS_MASK) | convert(operator, uint256)
    log IProviderRegistry.OperatorSet(provider=provider, operator=operator)


@external
def set_collateral_cap(provider: uint256, collateral_cap: uint256):
    """
    @notice Limit what the operator may commit: collateral that is locked now and all that was ever slashed.
    @dev So it is the most that a stolen hot key can lose on each exchange. After a slash the owner may raise it.
    @param provider A number that the caller owns.
    @param collateral_cap Ledger units, below 2^90.
    """
    self._check_owner(provider)
    assert collateral_cap <= MAX_CAP, "registry: cap too high"
    kept: uint256 = self.operators[provider] & (2**CAP_SHIFT - 1)
    self.operators[provider] = kept | (collateral_cap << CAP_SHIFT)
    log IProviderRegistry.CollateralCapSet(provider=provider, collateral_cap=collateral_cap)


@external
def add_root(provider: uint256, certificate: Bytes[2048]):
    """
    @notice Announce another root certificate; it counts after the delay, beside the old one.
    @param provider A number that the caller owns.
    @param certificate DER.
    """
    self._check_owner(provider)
    self._add_root(provider, certificate, block.number + ROOT_DELAY)


@external
def remove_root(provider: uint256, fingerprint: bytes32):
    """
    @notice Withdraw a root certificate, at once.
    @param provider A number that the caller owns.
    @param fingerprint keccak256 of its DER.
    """
    self._check_owner(provider)
    assert fingerprint != empty(bytes32), "registry: no such root"
    slot: uint256 = 0
    if self.fingerprints[provider][0] != fingerprint:
        slot = 1
    assert self.fingerprints[provider][slot] == fingerprint, "registry: no such root"
    self.fingerprints[provider][slot] = empty(bytes32)
    self.root_blocks[provider][slot] = 0
    log IProviderRegistry.RootRemoved(provider=provider, fingerprint=fingerprint)


@external
def transfer_ownership(provider: uint256, new_owner: address):
    """
    @notice Offer a provider, with its account, to another key, which must accept. Zero takes the offer back.
    @param provider A number that the caller owns.
    @param new_owner The other key.
    """
    self._check_owner(provider)
    self.pending_owners[provider] = new_owner
    log IProviderRegistry.OwnershipOffered(provider=provider, new_owner=new_owner)


@external
def accept_ownership(provider: uint256):
    """
    @notice Take an offered provider over.
    @param provider Its number.
    """
    assert self.pending_owners[provider] == msg.sender, "registry: not offered"
    self.pending_owners[provider] = empty(address)
    self.owners[provider] = (self.owners[provider] & ~ADDRESS_MASK) | convert(msg.sender, uint256)
    log IProviderRegistry.OwnershipTransferred(provider=provider, new_owner=msg.sender)


@external
def deregister_provider(provider: uint256):
    """
    @notice Stop bidding. Running leases go on, the account stays the owner's, the number is never given away.
    @param provider A number that the caller owns.
    """
    self._check_owner(provider)
    word: uint256 = self.operators[provider]
    assert self._region(word) != 0, "registry: not registered"
    self.operators[provider] = word & ~(REGION_MASK << REGION_SHIFT)
    log IProviderRegistry.ProviderDeregistered(provider=provider)


# ------------------------------------------------------------------ views

@view
@external
def root_delay_blocks() -> uint256:
    """
    @notice How long an added root waits before it counts.
    @return Blocks.
    """
    return ROOT_DELAY


@view
@external
def operator_of(provider: uint256) -> address:
    """
    @notice Who may bid and confirm for a provider.
    @param provider Its number.
    @return Zero for an unknown number.
    """
    return convert(self.operators[provider] & ADDRESS_MASK, address)


@view
@external
def owner_of(provider: uint256) -> address:
    """
    @notice Who may withdraw a provider's funds and resign its leases; valid after deregistration.
    @param provider Its number.
    @return Zero for an unknown number.
    """
    return convert(self.owners[provider] & ADDRESS_MASK, address)


@view
@external
def bidder(provider: uint256) -> (address, uint256, uint256):
    """
    @notice All that a bid is checked against.
    @param provider Its number.
    @return The operator; the region's bit, 0 once deregistered; the collateral cap in ledger units.
    """
    word: uint256 = self.operators[provider]
    return convert(word & ADDRESS_MASK, address), self._region(word), word >> CAP_SHIFT


@view
@external
def profile(provider: uint256) -> Profile:
    """
    @notice A provider as it is now; endpoint and attributes are in the event of its updated_block.
    @param provider Its number.
    @return Zeros for an unknown number.
    """
    operator_word: uint256 = self.operators[provider]
    owner_word: uint256 = self.owners[provider]
    return Profile(
        owner=convert(owner_word & ADDRESS_MASK, address),
        operator=convert(operator_word & ADDRESS_MASK, address),
        pending_owner=self.pending_owners[provider],
        region=self._region(operator_word),
        collateral_cap=operator_word >> CAP_SHIFT,
        updated_block=owner_word >> UPDATED_SHIFT,
    )


@view
@external
def roots(provider: uint256) -> Root[2]:
    """
    @notice The root certificates of a provider; the DER is in the event of added_block.
    @param provider Its number.
    @return Two slots, empty ones with a zero fingerprint.
    """
    first: uint256 = self.root_blocks[provider][0]
    second: uint256 = self.root_blocks[provider][1]
    return [
        Root(
            fingerprint=self.fingerprints[provider][0],
            added_block=first & MASK_40,
            active_block=first >> ACTIVE_SHIFT,
        ),
        Root(
            fingerprint=self.fingerprints[provider][1],
            added_block=second & MASK_40,
            active_block=second >> ACTIVE_SHIFT,
        ),
    ]
