"""From a compiled file to a deployment on chain: recorded first, paid, submitted once however often it runs."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path

from eth_abi.abi import encode

from cli.core.order_plan import OrderPlan
from cli.core.story import Line
from cli.desk import Desk
from cli.funding import deposit
from cli.output import Screen
from cli.records import Record, Revision
from cli.session import Session
from cli.transacting import attempt
from moorage import manifest, terms, units
from moorage.chain.contracts import Call
from moorage.chain.sender import NotSent, Refused
from moorage.crash import crash_point
from moorage.deployment_file import CompiledDeployment, DeploymentSpec, compile
from moorage.types import Address

NO_SALT = bytes(32)
"""For what is only looked at."""
SALT_WAS_USED = "salt was used"
SALT_LENGTH = 32
"""Of a deployment, in bytes; one that another machine has made has none here."""
_GROUPS_TYPE = "(bytes32,uint256,bool,(uint256,uint256,uint256,uint256,uint256,uint256)[])[]"


def new_record(session: Session, tenant: Address, file: Path, compiled: CompiledDeployment) -> Record:
    """Return the record of a deployment that is going to be submitted."""
    salt = secrets.token_bytes(SALT_LENGTH)
    market = session.market
    return Record(
        deployment=terms.deployment_id(market.chain_id, market.exchange, tenant, salt),
        file=file.resolve(),
        salt=salt,
        manifest=manifest.encode(compiled.manifest),
        terms_digest=terms_digest(compiled),
        created_seconds=int(time.time()),
    )


def terms_digest(compiled: CompiledDeployment) -> bytes:
    """Return a digest of all that a deployment orders beside its manifest."""
    groups = [terms.group_tuple(group) for group in compiled.groups]
    return hashlib.sha256(encode([_GROUPS_TYPE, "uint256"], [groups, compiled.wait_duration_blocks])).digest()


def manifest_salt(revision: Revision) -> bytes:
    """Return the salt that a manifest was made with."""
    return bytes.fromhex(manifest.decode(revision.manifest).salt)


def is_same(revision: Revision, compiled: CompiledDeployment) -> bool:
    """Return whether a file, compiled with the salt of a recorded manifest, still says what was recorded."""
    return revision.manifest == manifest.encode(compiled.manifest) and revision.terms_digest == terms_digest(compiled)


def compiled_for(session: Session, spec: DeploymentSpec, salt: bytes) -> CompiledDeployment:
    """Return what a file comes to on the market.

    Raises:
        DeploymentFileError: the exchange would refuse it.
    """
    market = session.market
    return compile(spec, seconds_per_block=market.seconds_per_block, salt=salt, parameters=market.parameters)


def submission(session: Session, record: Record, compiled: CompiledDeployment, plan: OrderPlan) -> Call:
    """Return the transaction that orders what a file asks for."""
    version = manifest.version_of(record.manifest)
    wait_blocks = compiled.wait_duration_blocks
    return session.exchange.submit_deployment(record.salt, version, wait_blocks, compiled.groups, plan.deposits)


async def pay_in(desk: Desk, amount_base_units: int, screen: Screen) -> None:
    """Pay in what the account lacks, if anything.

    Raises:
        NotSent: a transaction was refused.
        NodeUnavailable: the node does not answer.
    """
    if not amount_base_units:
        return
    money = desk.session.money
    paid = units.to_ledger_units(amount_base_units, money.decimals)
    shown = money.at_most(paid)
    screen.show(f"paying in {shown}: waiting for the block", ())
    sent = await deposit(desk, amount_base_units)
    screen.tell(Line(sent.block_number, "deposited", f"paid in {shown}", {"amount": money.number(paid)}))
    crash_point("after-paying-in")


async def submit(desk: Desk, record: Record, compiled: CompiledDeployment, plan: OrderPlan, screen: Screen) -> None:
    """Record, pay in what is missing, and submit. If it was submitted before, nothing happens again.

    Raises:
        NotSent: a transaction was refused.
        NodeUnavailable: the node does not answer.
    """
    crash_point("before-recording")
    desk.records.save(record)
    crash_point("after-recording")
    await pay_in(desk, plan.missing_base_units, screen)
    call = submission(desk.session, record, compiled, plan)
    screen.show("submitting: waiting for the block", ())
    outcome = await attempt(desk, call)
    if isinstance(outcome, Refused) and SALT_WAS_USED not in outcome.reason:
        desk.records.remove(record.deployment)
        raise NotSent(f"{call.description}: {outcome.reason}")
    crash_point("after-submitting")
