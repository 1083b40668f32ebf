"""Runs a daemon's command line: an expected failure is one line on stderr and exit code 2, an interrupt 130."""

from __future__ import annotations

import sys

import click

from moorage import log

FAILED = 2
INTERRUPTED = 130


def run_program(name: str, program: click.Group, expected: tuple[type[Exception], ...]) -> None:
    """Run a program and end the process if it fails.

    Args:
        name: of the program, as it was called.
        expected: what can go wrong without a fault of the program; the messages say what, where and what to do.
    """
    log.configure()
    try:
        code = program(prog_name=name, standalone_mode=False)
        if code:  # a command that has done its work, and says by this what it found
            sys.exit(code)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        sys.exit(FAILED)
    except click.ClickException as error:
        _fail(name, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except expected as error:
        _fail(name, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(name, f"{where}{error.strerror or error}")


def _fail(name: str, message: str) -> None:
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(FAILED)
