"""How the program ends: an exit status for each kind of failure, and one line that says what, where and what to do."""

from __future__ import annotations

import errno
from enum import IntEnum

import click

from moorage.told import printable


class ExitStatus(IntEnum):
    """The program's exit codes; docs/command-line.md explains them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    INVALID_FILE = 3
    CHAIN_UNAVAILABLE = 4
    WRONG_MARKET = 5
    WALLET = 6
    REFUSED = 7
    AGENT = 8
    SIGNER = 9
    UNMATCHED = 10
    NOT_RUN = 125
    """Of `exec` alone, whose other codes are those of the command."""
    ABORTED = 130


class Failure(Exception):
    """An expected end that is not success."""

    def __init__(self, status: ExitStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Interrupted(Failure):
    """A run was stopped, and what it has sent may still get into a block."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitStatus.ABORTED, message)


ADVICE = {
    "insufficient funds": "pay in with `moorage register --deposit AMOUNT`",
    "collateral below tip": "raise pricing.collateral in the deployment file",
    "deposit too small": "prepay longer with --fund",
    "price too high": "lower pricing.max-price in the deployment file",
    "not permitted": "the tenant gives a manager UPDATE for a version, SCALE to add or remove groups",
    "manager expired": "the tenant has to make you its manager again with `moorage manager set`",
    "above spend cap": "the tenant has to let its manager spend more with `moorage manager set`",
    "too many groups": "8 may live, those that are closing included: wait until their providers have reset",
    "nothing is ready": "somebody else was faster",
    "revival too short": "the money ran out meanwhile: fund at least two periods, run the same command again",
    "insufficient balance": "the wallet has too few tokens",
    "that it is worth": "it may cost no more than was shown: run the same command again to see what it costs now",
    "too little of the chain's coin": "send it some of the chain's own coin, then run the same command again",
}
"""What to do about refusals, by what their text contains."""
DISK_ADVICE = {
    errno.ENOSPC: "make room on that disk, then run the same command again",
    errno.EDQUOT: "make room or raise the quota, then run the same command again",
    errno.EROFS: "make that file system writable, or name a place on another one",
}
"""What to do about a disk that takes nothing, by the system's number of the fault."""
DEPOSIT = "deposit"
"""How the descriptions of all deposits begin."""
AGAIN = "run the same command again, nothing is done twice"
LOOK_FIRST = "see what `moorage register` shows as account before you pay in again, a second deposit is paid as well"


def explain(error: BaseException) -> Failure:
    """Return what the person at the terminal is told about an error, and the exit status."""
    if isinstance(error, Failure):
        return error
    from asyncio import CancelledError  # imported here: runs that do not fail may go without asyncio

    if isinstance(error, click.Abort | KeyboardInterrupt | CancelledError):
        return Failure(ExitStatus.ABORTED, "aborted")
    if isinstance(error, click.ClickException):
        return Failure(ExitStatus.USAGE, _with_help(error.format_message().rstrip("."), error))
    return _of_library(error) or _of_system(error)


def _with_help(text: str, error: click.ClickException) -> str:
    """Add where the options are described, for an error that click itself has found on the command line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return text
    if isinstance(error, click.NoSuchOption) and error.option_name[1:].isdigit() and _has_amount(context.command):
        return f"{error.option_name}: an amount is above 0"
    if text.startswith("Got unexpected extra argument") and _has_file(context.command):
        text = f"{text}, a deployment file is named with -f"
    return f"{text}{' See' if text.endswith(('?', '?)')) else ': see'} `{context.command_path} --help`"


def _has_amount(command: click.Command) -> bool:
    return any(isinstance(parameter, click.Argument) and parameter.name == "amount" for parameter in command.params)


def _has_file(command: click.Command) -> bool:
    return any("-f" in parameter.opts for parameter in command.params)


def _of_library(error: BaseException) -> Failure | None:
    # Imported here: these take a second, and whoever has such an error has them already.
    from moorage.deployment_file import DeploymentFileError

    if isinstance(error, DeploymentFileError):
        return Failure(ExitStatus.INVALID_FILE, str(error))

    from moorage.agent_client import AgentError
    from moorage.chain.journal import JournalFault
    from moorage.chain.market import MarketError
    from moorage.chain.rpc import NodeRefused, NodeUnavailable, NoNodeAddress
    from moorage.chain.sender import NotSent, Undecided
    from moorage.keys import KeyFileError
    from moorage.units import UnitError

    text = str(error)
    if isinstance(error, Undecided):
        advice = LOOK_FIRST if text.startswith(DEPOSIT) else AGAIN
        return Failure(ExitStatus.CHAIN_UNAVAILABLE, f"{text}: {advice}")
    match error:
        case NoNodeAddress():
            return Failure(ExitStatus.USAGE, f"{text}: check --rpc (MOORAGE_RPC)")
        case NodeUnavailable():
            return Failure(ExitStatus.CHAIN_UNAVAILABLE, f"{text}: check --rpc (MOORAGE_RPC)")
        case NodeRefused():
            return Failure(
                ExitStatus.CHAIN_UNAVAILABLE, f"the node refuses: {text}: try another one with --rpc (MOORAGE_RPC)"
            )
        case JournalFault():
            return Failure(ExitStatus.ERROR, text)
        case MarketError():
            return Failure(ExitStatus.WRONG_MARKET, text)
        case NotSent():
            known = next((advice for part, advice in ADVICE.items() if part in text), None)
            return Failure(ExitStatus.REFUSED, f"{text}: {known}" if known else text)
        case KeyFileError():
            return Failure(ExitStatus.WALLET, text)
        case AgentError():
            return Failure(ExitStatus.AGENT, text)
        case UnitError():
            return Failure(ExitStatus.USAGE, text)
        case _:
            return None


def _of_system(error: BaseException) -> Failure:
    if isinstance(error, OSError):
        where = f"{printable(str(error.filename))}: " if error.filename else ""
        remedy = DISK_ADVICE.get(error.errno or 0) if where else None
        return Failure(ExitStatus.ERROR, f"{where}{error.strerror or error}" + (f": {remedy}" if remedy else ""))
    kind = type(error).__name__
    return Failure(ExitStatus.ERROR, f"internal error, {kind}: {error} (MOORAGE_DEBUG=1 shows where; please report it)")
