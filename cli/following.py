"""Watches over a deployment after it was ordered or updated: delivers its manifest, tells what happens."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cli.agents import Interpreter
from cli.core.view import full
from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.records import Revision
from cli.watch import Watch
from moorage.request_auth import Domain
from moorage.types import DeploymentId


async def follow(
    desk: Desk,
    deployment: DeploymentId,
    revision: Revision,
    file: Path,
    *,
    is_detached: bool,
    since_block: int = 0,
    is_manager: bool = False,
) -> None:
    """Follow a deployment until it ends, or until all its workloads run if detached.

    Args:
        revision: what its agents are to run.
        file: for words.
        since_block: what happened before it is not told.
        is_manager: whether the deployment is somebody else's.

    Raises:
        Failure: it has ended, an agent does not take its manifest (detached), or it was interrupted.
    """
    environment, session = desk.environment, desk.session
    agents = environment.connect_agents(Domain(session.market.chain_id, session.market.exchange), desk.signer)
    with desk.open_screen() as screen:
        watch = Watch(
            views=session.reader,
            asker=Interpreter(session.rpc, session.market, agents, revision.manifest, environment.clock),
            screen=screen,
            money=session.money,
            version=revision.version,
            clock=environment.clock,
            poll_seconds=environment.poll_seconds,
            since_block=since_block,
        )
        try:
            await watch.run(deployment, is_detached=is_detached)
        except asyncio.CancelledError:
            raise Failure(ExitStatus.ABORTED, farewell(deployment, file, is_manager)) from None


def farewell(deployment: DeploymentId, file: Path, is_manager: bool) -> str:
    """Return what goes on without whoever followed a deployment, and how to follow it again."""
    if is_manager:
        again = f"`moorage update -f {file} --deployment {full(deployment)}`"
        return f"interrupted, deployment {full(deployment)} lives on: {again} delivers and watches again"
    return (
        f"interrupted, deployment {full(deployment)} lives on: `moorage deploy -f {file}` takes it up again, "
        f"`moorage status -f {file}` shows it, `moorage delete -f {file}` ends it"
    )
