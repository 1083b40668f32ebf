"""`moorage-facilitator run`: the daemon."""

from __future__ import annotations

import asyncio

import click

from facilitator_bot.bot import serve
from facilitator_bot.options import with_settings
from facilitator_bot.settings import Settings


@click.command(name="run")
@with_settings
def command(settings: Settings) -> None:
    """Watch the exchange and send what is due at each block."""
    asyncio.run(serve(settings))
