"""Runs a daemon's command line: an expected failure is one line on stderr and exit code 2, an interrupt 130."""

from __future__ import annotations

import errno
import sys

import click

from moorage import log

FAILED = 2
INTERRUPTED = 130
DISK_REMEDIES = {
    errno.ENOSPC: "make room on that disk, and run this again",
    errno.EDQUOT: "make room or raise the quota, and run this again",
    errno.EROFS: "make that file system writable, or have data_dir name a directory on another one",
    errno.EACCES: "let it and its directory belong to the user that runs this",
    errno.EPERM: "let it and its directory belong to the user that runs this",
    errno.ENOTDIR: "a part of this path is a file: correct the setting that names it, such as data_dir",
}
"""What to do about a disk that does not take or give a file, by the system's number of the fault."""


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
        _fail(name, _told(error))


def _told(error: OSError) -> str:
    where = error.filename or ("data_dir" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) else None)
    remedy = DISK_REMEDIES.get(error.errno or 0) if where else None
    return ": ".join(str(part) for part in (where, error.strerror or error, remedy) if part)


def _fail(name: str, message: str) -> None:
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(FAILED)
