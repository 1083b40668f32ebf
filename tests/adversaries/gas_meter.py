"""What a transaction costs in the EVM of this process, as a chain counts it: cold words, original values, calldata.

Between transactions the EVM forgets neither what it has touched nor what a word was before; both make the next one
cheaper than it is. Refunds are left out, so the figures are upper bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boa  # type: ignore[import-untyped]
from eth.db.backends.memory import MemoryDB
from eth.db.journal import JournalDB

BASE_GAS = 21_000
GAS_OF_A_TOKEN = 4  # of calldata: a zero byte is one, any other four (EIP-7623)
LEAST_GAS_OF_A_TOKEN = 10


def total_gas(calldata: bytes, executed: int) -> int:
    """Add what is charged before a contract runs."""
    tokens = 4 * len(calldata) - 3 * calldata.count(0)
    return BASE_GAS + max(GAS_OF_A_TOKEN * tokens + executed, LEAST_GAS_OF_A_TOKEN * tokens)


@contextmanager
def metered() -> Iterator[list[int]]:
    """Yield a list to which each transaction within adds its gas."""
    spent: list[int] = []
    execute, state = boa.env.execute_code, boa.env.evm.vm.state
    read = state.get_storage
    originals: dict[tuple[bytes, int], int] = {}

    def get_storage(address: bytes, slot: int, from_journal: bool = True) -> int:
        value = int(read(address, slot))
        return value if from_journal else originals.setdefault((address, slot), value)

    def execute_code(**call: Any) -> Any:
        originals.clear()
        with patch.object(state._account_db, "_journal_accessed_state", JournalDB(MemoryDB())):
            result = execute(**call)
        assert not result.is_error
        spent.append(total_gas(call["data"], result.get_gas_used()))
        return result

    with patch.object(boa.env, "execute_code", execute_code), patch.object(state, "get_storage", get_storage):
        yield spent
