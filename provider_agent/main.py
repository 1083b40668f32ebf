"""The program `moorage-provider`."""

from __future__ import annotations

import click

from moorage.chain.rpc import ChainError
from moorage.daemon import run_program
from moorage.keys import KeyFileError
from moorage.pki import PkiError
from provider_agent.commands import (
    certificates,
    doctor,
    drain,
    firewall,
    fund,
    init,
    reconcile,
    register,
    rotate,
    run,
    status,
)
from provider_agent.settings import SettingsError
from provider_agent.shell.engine import EngineError


@click.group()
def program() -> None:
    """Lease this machine's capacity: bid, run tenants' workloads, confirm, get paid."""


for module in (init, register, fund, run, status, doctor, drain, reconcile, certificates, rotate, firewall):
    program.add_command(module.command)


def main() -> None:
    """Run the program; every expected failure is one line and exit code 2."""
    run_program("moorage-provider", program, (ChainError, EngineError, KeyFileError, PkiError, SettingsError))


if __name__ == "__main__":
    main()
