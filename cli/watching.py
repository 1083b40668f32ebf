"""A run of `moorage notify watch`, with what it works with. Slow to import: the chain, agents, and mail."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli import wallet
from cli.agents import Interpreter
from cli.core.agents import Answer, Failed, Step
from cli.core.lasting import Patience
from cli.courier import Courier
from cli.delivery_options import DeliveryOptions, open_post
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.followed import Rules, Surroundings
from cli.inquiry import Asker
from cli.notifier import Notifier, unfinished
from cli.options import DEFAULT_FILE, Format, Options
from cli.output import ObjectScreen, PlainScreen, note
from cli.recipient_files import RecipientFiles
from cli.records import Records
from cli.selection import select
from cli.session import Session, open_session
from cli.signers import TenantSigner
from moorage import units
from moorage.chain.index import read_block
from moorage.keys import KeyFileError
from moorage.request_auth import Domain
from moorage.types import Address, DeploymentId


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person has asked for."""

    file: Path | None
    """None: the one that the deployment was made of, else the default."""
    identifier: str | None
    is_all: bool
    is_once: bool
    low_seconds: int
    oldest_seconds: int
    interval_seconds: int


async def watch(environment: Environment, options: Options, delivery: DeliveryOptions, asked: Asked) -> None:
    async with open_session(options) as session, open_post(environment, delivery) as post:
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        files = RecipientFiles(delivery, environment.clock)
        choose = await _choice(session, records, tenant, files, asked)
        screen = PlainScreen() if options.output is Format.TEXT else ObjectScreen(options.output)
        async with _asker(environment, options, session, asked.is_once) as asker:
            notifier = Notifier(
                choose=choose,
                directory=records.notifications,
                recipients=files,
                rules=_rules(session, asked),
                surroundings=Surroundings(
                    views=session.reader,
                    block_time=lambda number: _block_time(session, number),
                    asker=asker,
                    money=session.money,
                    courier=Courier(post, time.time, random.random, asked.oldest_seconds, screen.tell),
                    tell=screen.tell,
                    clock=environment.clock,
                    unix_time=time.time,
                ),
                poll_seconds=environment.poll_seconds,
            )
            note("looking once" if asked.is_once else "watching; Ctrl-C stops it")
            try:
                await notifier.run(is_once=asked.is_once, ends=asked.identifier is not None)
            except asyncio.CancelledError:
                text = "stopped: what was not delivered is sent by the next `moorage notify watch`"
                raise Failure(ExitStatus.ABORTED, text) from None


async def _choice(
    session: Session, records: Records, tenant: Address, files: RecipientFiles, asked: Asked
) -> Callable[[], Mapping[DeploymentId, Path]]:
    """Return what says which deployments are followed, with their files.

    Raises:
        DeploymentFileError, Failure: a file that was named can't be used; better now than when something happens.
    """
    going_on = unfinished(records.notifications, note)
    if asked.is_all:
        return lambda: going_on | {record.deployment: record.file for record in records.all()}
    if asked.identifier is not None:
        selected = await select(session, records, tenant, DEFAULT_FILE, asked.identifier)
        assert selected is not None  # there is one, or it says why not
        usual = selected.record.file if selected.record else going_on.get(selected.view.id, DEFAULT_FILE)
        named = (asked.file or usual).resolve()
        files.check(named)
        return lambda: {selected.view.id: named}
    file = (asked.file or DEFAULT_FILE).resolve()
    files.check(file)
    mine = {deployment: each for deployment, each in going_on.items() if each == file}
    return lambda: mine | {record.deployment: file for record in records.of_file(file)}


@asynccontextmanager
async def _asker(
    environment: Environment, options: Options, session: Session, is_once: bool
) -> AsyncIterator[Asker | None]:
    """Give who asks agents; None without the tenant's key, and for a single look, which shows no changes."""
    async with wallet.open_signer(environment, options, session.market) as signer:
        if is_once or not await _is_unlocked(signer):
            yield None
            return
        agents = environment.connect_agents(Domain(session.market.chain_id, session.market.exchange), signer)
        yield _PatientAsker(Interpreter(session.rpc, session.market, agents, None, environment.clock))


class _PatientAsker:
    """Takes a signer that is away for an agent that does not answer: both may come back."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    async def ask(self, step: Step) -> Answer:
        """See cli.inquiry.Asker."""
        try:
            return await self._interpreter.ask(step)
        except Failure as error:
            return Failed(error.message, True)


async def _is_unlocked(signer: TenantSigner) -> bool:
    """Return whether there is somebody who signs, now or later."""
    try:
        await signer.unlock()
    except (Failure, KeyFileError) as error:
        if isinstance(error, Failure) and error.status is ExitStatus.SIGNER:
            note(f"{error}; agents are asked as soon as it signs")
            return True
        note(f"agents are not asked, so nothing is told of workloads, only what the chain tells: {error}")
        return False
    return True


async def _block_time(session: Session, number: int) -> int:
    return (await read_block(session.rpc, number)).timestamp


def _rules(session: Session, asked: Asked) -> Rules:
    seconds_per_block = session.market.seconds_per_block
    return Rules(
        low_blocks=units.to_blocks(asked.low_seconds, seconds_per_block),
        oldest_blocks=units.to_blocks(asked.oldest_seconds, seconds_per_block),
        patience=Patience(interval_blocks=units.to_blocks(asked.interval_seconds, seconds_per_block)),
    )
