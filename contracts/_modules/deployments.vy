# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Deployments and their managers
@license Apache-2.0
@notice A deployment is one word: who pays, in which state it is, how many groups live.
@dev States: unknown -> ACTIVE -> CLOSING -> CLOSED; an id is never used twice.
     Invariant 1: only the tenant sets managers; a manager never withdraws, never closes, never delegates.
     Invariant 2: what a manager spends in total stays within its cap; refunds do not restore it.
"""

from interfaces import IExchange
from . import ledger
from . import parameters
from . import refuse

uses: ledger
uses: parameters

ACTIVE: constant(uint256) = 1
CLOSING: constant(uint256) = 2
CLOSED: constant(uint256) = 3

MAX_GROUPS: constant(uint256) = 8
MAX_CLOSED: constant(uint256) = 32  # deployments in one call of deployment_closed

TENANT_MASK: constant(uint256) = 2**160 - 1
STATE_SHIFT: constant(uint256) = 160
LIVE_SHIFT: constant(uint256) = 164
MASK_4: constant(uint256) = 15
ORDERS_SHIFT: constant(uint256) = 168
WAIT_SHIFT: constant(uint256) = 200
MASK_32: constant(uint256) = 2**32 - 1
UPDATES_SHIFT: constant(uint256) = 232
ONE_LIVE: constant(uint256) = 1 << 164
ONE_ORDER: constant(uint256) = 1 << 168
ONE_UPDATE: constant(uint256) = 1 << 232

EXPIRES_SHIFT: constant(uint256) = 96
PERMISSIONS_SHIFT: constant(uint256) = 136
MONEY_MASK: constant(uint256) = 2**96 - 1
MASK_40: constant(uint256) = 2**40 - 1

# deployment id -> tenant (160 bits from bit 0) | state (4) | live groups (4) | orders ever submitted (32) | wait (32)
#                | updates (24): what would pass its end is refused by the addition
words: HashMap[bytes32, uint256]

# deployment id -> manager -> spendable (96 bits from bit 0) | expires at block (40) | permissions (8)
managers: HashMap[bytes32, HashMap[address, uint256]]


@view
@internal
def _id(tenant: address, salt: bytes32) -> bytes32:
    """
    @dev The id of a deployment: no other chain, exchange or tenant can have it.
    @param tenant Who submits it.
    @param salt Chosen by the tenant.
    @return keccak256 of the four.
    """
    return keccak256(abi_encode(chain.id, self, tenant, salt))


@pure
@internal
def _is_active(word: uint256) -> bool:
    """
    @dev Whether a deployment may get new orders.
    @param word Its word.
    @return True in state ACTIVE.
    """
    return (word >> STATE_SHIFT) & MASK_4 == ACTIVE


@pure
@internal
def _state(word: uint256) -> uint256:
    """
    @dev The state in a deployment's word.
    @param word The word.
    @return 0 for an unknown deployment, else one of the three.
    """
    return (word >> STATE_SHIFT) & MASK_4


@pure
@internal
def _live_groups(word: uint256) -> uint256:
    """
    @dev Orders that are open and leases that have not ended.
    @param word The deployment's word.
    @return 0 to 8.
    """
    return (word >> LIVE_SHIFT) & MASK_4


@pure
@internal
def _wait_duration(word: uint256) -> uint256:
    """
    @dev The time for bids on each order.
    @param word The deployment's word.
    @return Blocks.
    """
    return (word >> WAIT_SHIFT) & MASK_32


@pure
@internal
def _tenant(word: uint256) -> address:
    """
    @dev Who pays for a deployment.
    @param word Its word.
    @return The tenant.
    """
    return convert(word & TENANT_MASK, address)


@internal
def _authorize(
    deployment: bytes32, tenant: address, permissions: IExchange.Permission, amount: uint256
):
    """
    @dev Let the tenant pass, or a manager that has all the permissions, has not expired and may still spend the amount.
    @param deployment Its id.
    @param tenant Its tenant.
    @param permissions What the transaction needs.
    @param amount Ledger units that it takes from the tenant's account.
    """
    if msg.sender == tenant:
        return
    word: uint256 = self.managers[deployment][msg.sender]
    granted: uint256 = word >> PERMISSIONS_SHIFT
    needed: uint256 = convert(permissions, uint256)
    if granted & needed != needed:
        refuse.because("deployments: not permitted")
    if block.number > (word >> EXPIRES_SHIFT) & MASK_40:
        refuse.because("deployments: manager expired")
    if amount > 0:
        if word & MONEY_MASK < amount:
            refuse.because("deployments: above spend cap")
        self.managers[deployment][msg.sender] = word - amount
        log IExchange.ManagerSpent(deployment=deployment, manager=msg.sender, amount=amount)


@view
@internal
def _check_tenant(deployment: bytes32) -> uint256:
    """
    @dev Refuse everybody but the tenant, and closed deployments.
    @param deployment Its id.
    @return Its word.
    """
    word: uint256 = self.words[deployment]
    if word & TENANT_MASK != convert(msg.sender, uint256):
        refuse.because("deployments: not the tenant")
    if (word >> STATE_SHIFT) & MASK_4 == CLOSED:
        refuse.because("deployments: closed")
    return word


# ------------------------------------------------------------------ transactions

@external
def set_manager(
    deployment: bytes32,
    manager: address,
    permissions: IExchange.Permission,
    expires_block: uint256,
    spend_cap: uint256,
):
    """
    @notice Let another key act for this deployment, or change or revoke (no permissions) what it may do.
    @param deployment Id of a deployment of the caller that is not closed.
    @param manager The other key.
    @param permissions UPDATE, FUND, SCALE or a union of them; none revokes.
    @param expires_block The last block in which it may act, below 2^40.
    @param spend_cap Ledger units of the tenant's account that it may spend in total, below 2^96.
    """
    self._check_tenant(deployment)
    if expires_block > MASK_40 or spend_cap > MONEY_MASK:
        refuse.because("deployments: bad limits")
    word: uint256 = 0
    if permissions != empty(IExchange.Permission):
        word = spend_cap | (expires_block << EXPIRES_SHIFT) | (convert(permissions, uint256) << PERMISSIONS_SHIFT)
    self.managers[deployment][manager] = word
    log IExchange.ManagerSet(
        deployment=deployment,
        manager=manager,
        permissions=permissions,
        expires_block=expires_block,
        spend_cap=spend_cap,
    )


@external
def deployment_closed(deployments: DynArray[bytes32, MAX_CLOSED]):
    """
    @notice Close deployments of which no group lives any more. Each pays one tip to the caller.
    @dev Skips what is not ready, reverts if nothing is.
    @param deployments Ids of deployments in state CLOSING.
    """
    closed: uint256 = 0
    for deployment: bytes32 in deployments:
        word: uint256 = self.words[deployment]
        if self._state(word) != CLOSING or self._live_groups(word) > 0:
            continue
        self.words[deployment] = (word & TENANT_MASK) | (CLOSED << STATE_SHIFT)
        closed += 1
        log IExchange.DeploymentClosed(deployment=deployment, facilitator=msg.sender)
    refuse.unless(closed > 0)
    ledger._credit(msg.sender, closed * parameters.TIP)


# ------------------------------------------------------------------ views

@view
@external
def deployment(deployment: bytes32) -> IExchange.Deployment:
    """
    @notice A deployment as it is now. Its version is in the newest event that names it.
    @param deployment Its id.
    @return Zeros for an unknown id; of a closed one only tenant and state.
    """
    word: uint256 = self.words[deployment]
    return IExchange.Deployment(
        tenant=self._tenant(word),
        state=self._state(word),
        live_groups=self._live_groups(word),
        order_count=(word >> ORDERS_SHIFT) & MASK_32,
        update_number=word >> UPDATES_SHIFT,
        wait_duration=self._wait_duration(word),
    )


@view
@external
def manager(deployment: bytes32, manager: address) -> IExchange.Manager:
    """
    @notice What a key may do for a deployment.
    @param deployment Its id.
    @param manager The key.
    @return Zeros when it is no manager.
    """
    word: uint256 = self.managers[deployment][manager]
    return IExchange.Manager(
        permissions=convert(word >> PERMISSIONS_SHIFT, IExchange.Permission),
        expires_block=(word >> EXPIRES_SHIFT) & MASK_40,
        spendable=word & MONEY_MASK,
    )
