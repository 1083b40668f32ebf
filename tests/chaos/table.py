"""The faults by their names, each with the arguments that the convergence tests use."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.fault import Fault
from tests.chaos.log_faults import Drop, Duplicate, Forge, RemovedLogs, Reorder
from tests.chaos.sending_faults import GethPriceBump, LateAcknowledgement, SwallowTransaction
from tests.chaos.socket_faults import CutSocket, SilentSocket
from tests.chaos.transport_faults import (
    ErrorPage,
    Hang,
    InternalError,
    PartialBatch,
    Reset,
    Slow,
    TooManyRequests,
    Truncated,
    WrongId,
)
from tests.chaos.view_faults import Hidden, Lag, RangeLimit, Rollback, WrongChainId

FAULTS: dict[str, Callable[[], Fault]] = {
    "hang": Hang,
    "reset": Reset,
    "too_many_requests": TooManyRequests,
    "error_page": ErrorPage,
    "internal_error": InternalError,
    "truncated": Truncated,
    "wrong_id": WrongId,
    "partial_batch": PartialBatch,
    "slow": Slow,
    "lag": Lag,
    "rollback": Rollback,
    "wrong_chain_id": WrongChainId,
    "hidden": Hidden,
    "range_limit": lambda: RangeLimit(results=3, blocks=4),
    "drop": Drop,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "forge": Forge,
    "removed_logs": RemovedLogs,
    "swallow_tx": SwallowTransaction,
    "ack_late": LateAcknowledgement,
    "geth_price_bump": GethPriceBump,
    "ws_cut": CutSocket,
    "ws_silent": SilentSocket,
}
SOCKET_FAULTS = frozenset({"ws_cut", "ws_silent"})
"""Of pushes alone: they mean nothing to a program that does not subscribe."""
