# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exchange
@license Apache-2.0
@notice Tenants order computing capacity, providers bid with collateral, the lowest price wins, confirmations pay.
@dev One deployable over modules; here are only the transactions that touch all of them. docs/protocol.md is the
     specification. No owner, no pause, no upgrade, no native coin.
"""

from interfaces import IExchange
from ._modules import deployments
from ._modules import leases
from ._modules import ledger
from ._modules import order_book
from ._modules import parameters
from ._modules import refuse
from ._modules import terms

initializes: parameters
initializes: ledger[parameters := parameters]
initializes: terms[parameters := parameters]
initializes: deployments[ledger := ledger, parameters := parameters]
initializes: order_book[ledger := ledger, parameters := parameters, terms := terms]
initializes: leases[
    deployments := deployments,
    ledger := ledger,
    order_book := order_book,
    parameters := parameters,
    terms := terms,
]

exports: (
    parameters.market_parameters,
    ledger.deposit,
    ledger.deposit_with_permit,
    ledger.withdraw,
    ledger.withdraw_to,
    ledger.account,
    deployments.set_manager,
    deployments.deployment_closed,
    deployments.deployment,
    deployments.manager,
    order_book.submit_fulfillment,
    order_book.cancel_fulfillment,
    order_book.release_fulfillments,
    order_book.order,
    order_book.fulfillment,
    order_book.bids,
    leases.submit_lease,
    leases.submit_lease_confirmation,
    leases.submit_stale_lease,
    leases.confirm_closed,
    leases.finish_leases,
    leases.claim,
    leases.fund,
    leases.lease,
)


@deploy
def __init__(
    token: address,
    registry: address,
    reconfirmation_period_blocks: uint256,
    collateral_interest_rate: uint256,
    facilitator_tip: uint256,
    closing_grace_blocks: uint256,
    max_fulfillments: uint256,
):
    """
    @notice Open a market. All parameters are final; parameters.vy checks their bounds.
    @param token Settlement token: a standard ERC-20.
    @param registry Where providers are registered.
    @param reconfirmation_period_blocks Blocks between two confirmations of a lease, 4 to 1,000,000.
    @param collateral_interest_rate Paid by the tenant on the collateral, per block in 1e-18, up to 10^12.
    @param facilitator_tip Ledger units for each crank, up to 2^80 - 1.
    @param closing_grace_blocks Blocks that a provider has to confirm a closing, 1 to 1,000,000.
    @param max_fulfillments Live bids of one order, 1 to 32.
    """
    parameters.__init__(
        token,
        registry,
        reconfirmation_period_blocks,
        collateral_interest_rate,
        facilitator_tip,
        closing_grace_blocks,
        max_fulfillments,
    )


@external
def submit_deployment(
    salt: bytes32,
    version: bytes32,
    wait_duration: uint256,
    groups: DynArray[IExchange.Group, deployments.MAX_GROUPS],
    deposits: DynArray[uint256, deployments.MAX_GROUPS],
) -> bytes32:
    """
    @notice Order capacity: one order for each group, paid from the caller's account.
    @param salt Makes the deployment's id; every salt of a tenant can be used once.
    @param version sha256 of the canonical manifest.
    @param wait_duration Blocks that bids have before the first match, up to 2^32 - 1.
    @param groups One for each datacenter.
    @param deposits Ledger units for each group: two periods of its maximum charge and a tip for its match, or more. The
           tips of its finish and of the deployment's closing are taken in addition.
    @return The deployment's id.
    """
    deployment: bytes32 = deployments._id(msg.sender, salt)
    if deployments.words[deployment] != 0:
        refuse.because("deployments: salt was used")
    if version == empty(bytes32):
        refuse.because("deployments: no version")
    if len(groups) == 0:
        refuse.because("deployments: no groups")
    log IExchange.DeploymentSubmitted(
        deployment=deployment, tenant=msg.sender, salt=salt, version=version, wait_duration=wait_duration
    )
    self._check_deposits(len(groups), len(deposits))
    total: uint256 = 0
    nonce: uint256 = 0
    for group: IExchange.Group in groups:
        total += self._create_order(deployment, nonce, wait_duration, group, deposits[nonce])
        nonce += 1
    ledger._debit(msg.sender, total + parameters.TIP)
    count: uint256 = len(groups)
    deployments.words[deployment] = (
        convert(msg.sender, uint256)
        | (deployments.ACTIVE << deployments.STATE_SHIFT)
        | (wait_duration << deployments.WAIT_SHIFT)
    ) + deployments.ONE_UPDATE + count * (deployments.ONE_LIVE + deployments.ONE_ORDER)
    return deployment


@external
def update_deployment(
    deployment: bytes32,
    version: bytes32,
    groups: DynArray[IExchange.Group, deployments.MAX_GROUPS],
    deposits: DynArray[uint256, deployments.MAX_GROUPS],
    removed: DynArray[IExchange.OrderKey, deployments.MAX_GROUPS],
):
    """
    @notice Submit a new version, add groups, remove groups; each may be left out.
    @dev The tenant, or a manager: UPDATE for a version, SCALE for groups. Money comes from the tenant's account.
    @param deployment Id of an active deployment.
    @param version sha256 of the new canonical manifest; zero leaves it.
    @param groups What to add.
    @param deposits Ledger units for each added group; a tip for its finish is taken in addition.
    @param removed Keys of orders to close and of leases to bring to CLOSING; ended ones are skipped.
    """
    word: uint256 = deployments.words[deployment]
    if not deployments._is_active(word):
        refuse.because("deployments: not active")
    needed: IExchange.Permission = empty(IExchange.Permission)
    if version != empty(bytes32):
        needed |= IExchange.Permission.UPDATE
    if len(groups) + len(removed) > 0:
        needed |= IExchange.Permission.SCALE
    if needed == empty(IExchange.Permission):
        refuse.because("deployments: nothing to update")
    tenant: address = deployments._tenant(word)

    self._check_deposits(len(groups), len(deposits))
    wait_duration: uint256 = deployments._wait_duration(word)
    nonce: uint256 = (word >> deployments.ORDERS_SHIFT) & deployments.MASK_32
    total: uint256 = 0
    index: uint256 = 0
    for group: IExchange.Group in groups:
        total += self._create_order(deployment, nonce + index, wait_duration, group, deposits[index])
        index += 1
    deployments._authorize(deployment, tenant, needed, total)
    ledger._debit(tenant, total)
    ended: uint256 = self._end_listed(deployment, tenant, removed)
    live: uint256 = deployments._live_groups(word) + len(groups) - ended
    if live > deployments.MAX_GROUPS:
        refuse.because("deployments: too many groups")
    word = word + len(groups) * (deployments.ONE_LIVE + deployments.ONE_ORDER) - ended * deployments.ONE_LIVE
    if version != empty(bytes32):
        word += deployments.ONE_UPDATE
        log IExchange.DeploymentUpdated(
            deployment=deployment, version=version, update_number=word >> deployments.UPDATES_SHIFT
        )
    deployments.words[deployment] = word


@external
def close_deployment(deployment: bytes32, orders: DynArray[IExchange.OrderKey, deployments.MAX_GROUPS]):
    """
    @notice Give everything up: open orders end, leases go to CLOSING and cost nothing from this block on.
    @dev May be repeated for orders that were left out; ended ones are skipped.
    @param deployment Id of a deployment of the caller.
    @param orders Keys of its live orders and leases.
    """
    word: uint256 = deployments._check_tenant(deployment)
    if deployments._is_active(word):
        word += (deployments.CLOSING - deployments.ACTIVE) << deployments.STATE_SHIFT
        log IExchange.DeploymentClosing(deployment=deployment)
    ended: uint256 = self._end_listed(deployment, msg.sender, orders)
    deployments.words[deployment] = word - ended * deployments.ONE_LIVE


@pure
@internal
def _check_deposits(groups: uint256, deposits: uint256):
    """
    @dev Refuse lists of different lengths.
    @param groups How many groups.
    @param deposits How many deposits.
    """
    if groups != deposits:
        refuse.because("deployments: one deposit each")


@internal
def _create_order(
    deployment: bytes32, nonce: uint256, wait_duration: uint256, group: IExchange.Group, deposit: uint256
) -> uint256:
    """
    @dev Put the order for a group into the book; the caller takes the money. One group at a time: a copy of the list
         for an internal function would cost 2,700 gas.
    @param deployment Id of its deployment.
    @param nonce The deployment's counter.
    @param wait_duration Blocks.
    @param group What to order.
    @param deposit Ledger units.
    @return The deposit and the tip of the finish.
    """
    key: IExchange.OrderKey = terms._key(deployment, convert(nonce, bytes32), wait_duration, group)
    id: bytes32 = terms._order_id(key)
    order_book._open(id, key.terms, deposit, 0)
    log IExchange.OrderCreated(
        order=id,
        deployment=deployment,
        nonce=nonce,
        deposit=deposit,
        wait_duration=wait_duration,
        group=group,
    )
    return deposit + parameters.TIP


@internal
def _end_listed(
    deployment: bytes32, tenant: address, orders: DynArray[IExchange.OrderKey, deployments.MAX_GROUPS]
) -> uint256:
    """
    @dev End the listed orders and leases of one deployment.
    @param deployment Its id.
    @param tenant Who gets the money of orders back.
    @param orders Their keys.
    @return How many groups have ended with that.
    """
    ended: uint256 = 0
    for key: IExchange.OrderKey in orders:
        if key.deployment != deployment:
            refuse.because("deployments: order of another")
        if leases._end_group(key, tenant):
            ended += 1
    return ended
