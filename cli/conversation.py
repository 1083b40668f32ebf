"""What passes between this console and a command in a workload, until the command has ended."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing

from cli.console import Console
from cli.failures import ExitStatus, Failure
from moorage.agent_exec import AgentExec
from moorage.streams import ExecEnd


async def converse(console: Console, running: AgentExec, *, has_input: bool, has_terminal: bool) -> ExecEnd:
    """Return how the command has ended.

    Raises:
        Failure: the input can't be read; a command that has only a part of it is not to end well.
        AgentUnreachable, OSError
    """
    with ExitStack() as stack:
        if has_terminal:
            stack.enter_context(console.raw())
        try:
            end = await _listen(console, running, has_input, has_terminal)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        await console.finish()
    return end


async def _listen(console: Console, running: AgentExec, has_input: bool, has_terminal: bool) -> ExecEnd:
    """Write what the command writes; what fails beside that ends it too."""
    async with asyncio.TaskGroup() as tasks:
        typing = tasks.create_task(_pass_on(console, running)) if has_input else None
        with ExitStack() as stack:
            if has_terminal:
                stack.enter_context(console.telling_size(lambda: tasks.create_task(running.resize(console.size()))))
            while not isinstance(said := await running.read(), ExecEnd):
                await console.write(*said)
        if typing is not None:
            typing.cancel()
    return said


async def _pass_on(console: Console, running: AgentExec) -> None:
    try:
        async with aclosing(console.pieces()) as pieces:
            async for piece in pieces:
                await running.write(piece)
    except OSError as error:
        raise Failure(ExitStatus.USAGE, f"the standard input can't be read: {error.strerror or error}") from error
    await running.end_input()
