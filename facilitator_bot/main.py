"""The program `moorage-facilitator`."""

from __future__ import annotations

import click

from facilitator_bot.commands import doctor, drain, reconcile, run, status
from moorage.chain.rpc import ChainError
from moorage.daemon import run_program
from moorage.keys import KeyFileError
from moorage.settings_file import SettingsError
from moorage.units import UnitError


@click.group()
def program() -> None:
    """Match orders, end stale leases and close deployments for everybody, and earn the tips."""


for module in (run, status, doctor, drain, reconcile):
    program.add_command(module.command)


def main() -> None:
    """Run the program; every expected failure is one line and exit code 2."""
    run_program("moorage-facilitator", program, (ChainError, KeyFileError, SettingsError, UnitError))


if __name__ == "__main__":
    main()
