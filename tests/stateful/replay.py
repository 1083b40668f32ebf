"""Remembers what was sent to an EVM and what came of it, and sends it again to contracts compiled at another level."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boa  # type: ignore[import-untyped]
from boa.util.abi import Address  # type: ignore[import-untyped]

from tests.bytecode import LEVEL, any_code_size, creation_code
from tests.stateful.evm import person

CONTRACTS = ("testing/StandardToken", "ProviderRegistry", "Exchange")
TIMESTAMP = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction, a call of a view or, to nobody, the creation of a contract."""

    words: str
    block: int
    sender: str
    to: str | None
    data: bytes
    is_modifying: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that others can see of a call, but its gas."""

    is_refused: bool
    answer: bytes
    events: tuple[tuple[bytes, tuple[int, ...], bytes], ...]
    written: dict[tuple[str, int], int]
    """Contract and slot -> what is there afterwards."""


class Recorder(boa.Env):  # type: ignore[misc]
    """An EVM that remembers."""

    def __init__(self) -> None:
        super().__init__(fast_mode_enabled=True)
        self.eoa = Address(person("deployer"))
        self.evm.patch.timestamp = TIMESTAMP
        self.calls: list[Call] = []
        self.outcomes: list[Outcome] = []
        self._words = ""

    def describe(self, words: str) -> None:
        """Say what the next calls are about."""
        self._words = words

    def repeat(self, call: Call) -> None:
        """Send something that another recorder has remembered."""
        self.evm.patch.block_number = call.block
        self.describe(call.words)
        if call.to is None:
            self.deploy(bytecode=call.data)
        else:
            self.execute_code(call.to, call.sender, data=call.data, is_modifying=call.is_modifying)

    def deploy(self, *, bytecode: bytes) -> Any:
        self.sstore_trace.clear()
        address, result = super().deploy(bytecode=bytecode)
        self._remember(Call(self._words, self.evm.patch.block_number, str(self.eoa), None, bytecode, True), result)
        return address, result

    def execute_code(self, to_address: str, sender: str, *, data: bytes, is_modifying: bool) -> Any:
        if is_modifying:
            self.sstore_trace.clear()
        result = super().execute_code(to_address, sender, data=data, is_modifying=is_modifying)
        block = self.evm.patch.block_number
        self._remember(Call(self._words, block, str(sender), str(to_address), data, is_modifying), result)
        return result

    def _remember(self, call: Call, result: Any) -> None:
        answer = bytes(result.output) if call.to else b""  # the code itself differs
        trace = self.sstore_trace.items() if call.is_modifying else []
        slots = [(address, slot) for address, slots in trace for slot in slots]
        written = {(str(address), slot): self.evm.get_storage(address, slot) for address, slot in slots}
        self.calls.append(call)
        self.outcomes.append(Outcome(result.is_error, answer, tuple(result.get_log_entries()), written))


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Put a new EVM that remembers in the place of the usual one."""
    env = Recorder()
    with boa.swap_env(env):
        yield env


def replay(calls: Sequence[Call], level: str) -> list[Outcome]:
    """Send the same again to contracts that were compiled at a level, and return what comes of each call."""
    recompiled = _recompiler(level)
    env = Recorder()
    with any_code_size():
        for call in calls:
            env.repeat(recompiled(call))
    return env.outcomes


def _recompiler(level: str) -> Callable[[Call], Call]:
    codes = [(creation_code(contract, LEVEL), creation_code(contract, level)) for contract in CONTRACTS]

    def recompiled(call: Call) -> Call:
        if call.to is not None:
            return call
        ((before, after),) = [pair for pair in codes if call.data.startswith(pair[0])]
        return dataclasses.replace(call, data=after + call.data[len(before) :])

    return recompiled
