"""Logs of the daemons: lines for people on a terminal, JSON everywhere else."""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Set up structlog for the process; constant messages, fields beside them.

    Tracebacks never show local variables: a key may be among them.
    """
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
