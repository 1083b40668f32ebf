"""The agent's streams, as both sides of them see them: what workloads write, and commands that run in them.

Logs are JSON objects, one in a line. A command speaks over a WebSocket: the client's first message is an `ExecRequest`,
the body that its signature covers; every message after it has the number of a `Channel` as its first byte.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

import msgspec

from moorage.request_auth import Action
from moorage.streams import (
    MAX_REPLICA,
    MAX_TAIL,
    MAX_TEXT_BYTES,
    NAME,
    Ended,
    ExecEnd,
    LogLine,
    LogQuery,
    Record,
    is_time,
)
from moorage.told import printable
from moorage.types import OrderId, ProviderNumber

LOGS_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/logs"
EXEC_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/exec"
LOGS_TYPE = "application/x-ndjson"
DETAIL_HEADER = "Moorage-Detail"
"""Why there is no WebSocket: clients do not get to see the body of such an answer."""
MAX_RECORD_BYTES = 8 * MAX_TEXT_BYTES
"""Of a line of JSON: a control character takes six bytes there."""
MAX_REASON_CHARACTERS = 500
MAX_REQUEST_BYTES = 32_768
MAX_MESSAGE_BYTES = 65_536
_RECORDS = msgspec.json.Decoder(Record)


def read_logs(provider: ProviderNumber, lease: OrderId, query: LogQuery) -> Action:
    """Return what a tenant signs to read what its workloads write."""
    return Action("Read the logs of a Moorage lease", provider, lease, "GET", logs_path(lease, query))


def run_command(provider: ProviderNumber, lease: OrderId) -> Action:
    """Return what a tenant signs to run a command in a workload; the body is the encoded ExecRequest."""
    path = f"/v1/leases/{lease.hex()}/exec"
    return Action("Run a command in a workload of a Moorage lease", provider, lease, "GET", path)


def logs_path(lease: OrderId, query: LogQuery) -> str:
    """Return the path with the query, in its only form."""
    fields = {
        "workload": query.workload,
        "replica": query.replica,
        "tail": query.tail,
        "since": query.since,
        "follow": 1 if query.is_following else None,
    }
    written = urlencode({key: value for key, value in fields.items() if value is not None}, safe=":")
    return f"/v1/leases/{lease.hex()}/logs" + (f"?{written}" if written else "")


def parse_query(text: str) -> LogQuery:
    """Return the query of a request for logs.

    Raises:
        ValueError: it is none.
    """
    given = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=8)) if text else {}
    workload, since = given.pop("workload", None), given.pop("since", None)
    replica, tail = (given.pop(name, None) for name in ("replica", "tail"))
    is_following = given.pop("follow", None)
    if given or is_following not in (None, "1"):
        raise ValueError(f"unknown parts: {', '.join(given) or 'follow'}")
    if workload is not None and not NAME.fullmatch(workload):
        raise ValueError("the workload is no name")
    if since is not None and not is_time(since):
        raise ValueError("since is no time")
    return LogQuery(workload, _number(replica, MAX_REPLICA), _number(tail, MAX_TAIL), since, is_following is not None)


def _number(text: str | None, largest: int) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > largest:
        raise ValueError("a number is none, or too large")
    return int(text)


def encode_record(record: Record) -> bytes:
    """Return a record as it is sent, with the end of its line."""
    return msgspec.json.encode(record) + b"\n"


def decode_record(line: bytes) -> Record:
    """Return what `encode_record` wrote; the text of a log's line is as it was written.

    Raises:
        ValueError: it is something else.
    """
    record: Record = _RECORDS.decode(line)
    match record:
        case LogLine() if not is_time(record.time) or not NAME.fullmatch(record.workload):
            raise ValueError("a line of a log without time or workload")
        case Ended(reason=str(reason)):
            return Ended(_shown(reason), record.is_retryable)
        case _:
            return record


def decode_end(payload: bytes) -> ExecEnd:
    """Return how a command has ended, in words that are safe for a terminal.

    Raises:
        ValueError: it does not say.
    """
    end = msgspec.json.decode(payload, type=ExecEnd)
    return ExecEnd(end.code, _shown(end.reason) if end.reason is not None else None)


def _shown(reason: str) -> str:
    return printable(reason[:MAX_REASON_CHARACTERS])
