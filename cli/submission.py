"""From a compiled file to a deployment on chain: recorded first, paid, submitted once however often it runs."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path

from eth_abi.abi import encode

from cli.core.order_plan import OrderPlan
from cli.core.story import Line
from cli.funding import deposit
from cli.output import Screen
from cli.records import Record, Records
from cli.session import Session
from cli.signers import TenantSigner
from cli.transacting import attempt
from moorage import manifest, terms, units
from moorage.chain.contracts import Call
from moorage.chain.sender import NotSent, Refused
from moorage.deployment_file import CompiledDeployment
from moorage.types import Address

SALT_WAS_USED = "salt was used"
_GROUPS_TYPE = "(bytes32,uint256,bool,(uint256,uint256,uint256,uint256,uint256,uint256)[])[]"


def new_record(session: Session, tenant: Address, file: Path, compiled: CompiledDeployment) -> Record:
    """Return the record of a deployment that is going to be submitted."""
    salt = secrets.token_bytes(32)
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


def manifest_salt(record: Record) -> bytes:
    """Return the salt that a record's manifest was made with."""
    return bytes.fromhex(manifest.decode(record.manifest).salt)


def is_same(record: Record, compiled: CompiledDeployment) -> bool:
    """Return whether a file, compiled with the salt of the record's manifest, still says what was deployed."""
    return record.manifest == manifest.encode(compiled.manifest) and record.terms_digest == terms_digest(compiled)


def submission(session: Session, record: Record, compiled: CompiledDeployment, plan: OrderPlan) -> Call:
    """Return the transaction that orders what a file asks for."""
    version = manifest.version_of(record.manifest)
    wait_blocks = compiled.wait_duration_blocks
    return session.exchange.submit_deployment(record.salt, version, wait_blocks, compiled.groups, plan.deposits)


async def submit(
    session: Session,
    signer: TenantSigner,
    records: Records,
    record: Record,
    compiled: CompiledDeployment,
    plan: OrderPlan,
    screen: Screen,
) -> None:
    """Record, pay in what is missing, and submit. If it was submitted before, nothing happens again.

    Raises:
        NotSent: a transaction was refused.
        NodeUnavailable: the node does not answer.
    """
    records.save(record)
    if plan.missing_base_units:
        sent = await deposit(session, signer, plan.missing_base_units)
        paid = units.to_ledger_units(plan.missing_base_units, session.market.parameters.token_decimals)
        text = f"paid in {session.money.at_most(paid)}"
        screen.tell(Line(sent.block_number, "deposited", text, {"amount": session.money.number(paid)}))
    call = submission(session, record, compiled, plan)
    outcome = await attempt(session, signer, call)
    if isinstance(outcome, Refused) and SALT_WAS_USED not in outcome.reason:
        records.remove(record.deployment)
        raise NotSent(f"{call.description}: {outcome.reason}")
