"""The facilitator's cycle: at each block read a snapshot, decide, send."""

from __future__ import annotations

from facilitator_bot.core.decisions import decide
from facilitator_bot.core.watchlist import Watchlist
from facilitator_bot.shell.executor import to_job
from moorage.chain.reader import MarketReader
from moorage.crash import crash_point
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block, Snapshot


class Crank:
    """Turns the exchange's crank once for each block."""

    def __init__(
        self, reader: MarketReader, dispatch: Dispatch, maintenance: Maintenance, tip_wei: int | None = None
    ) -> None:
        """
        Args:
            tip_wei: what a tip is worth in the chain's coin; None if nobody knows.
        """
        self._reader = reader
        self._dispatch = dispatch
        self._maintenance = maintenance
        self._tip_wei = tip_wei
        self._watchlist = Watchlist()
        self.newest: Snapshot | None = None

    async def cycle(self) -> Block:
        """Do all that is due in the next block, and return the one that was decided at.

        Raises:
            ChainError: the node does not answer; what was not done is done in the next cycle.
        """
        if self._maintenance.take_reconcile():
            self._reader.reconcile()
        snapshot = await self._reader.snapshot()
        self.newest = snapshot
        try:
            self._watchlist.update(snapshot)
        except Exception:
            self._reader.reconcile()  # what this snapshot has touched would not be told again
            raise
        crash_point("facilitator-snapshot")
        await self._dispatch.look(snapshot.block)
        crash_point("facilitator-looked")
        if not self._maintenance.is_draining:  # facilitators promise nothing: others turn the crank meanwhile
            intents = decide(snapshot, self._watchlist.due(snapshot.block.number + 1))
            jobs = [to_job(self._reader.exchange, intent, self._tip_wei) for intent in intents]
            await self._dispatch.send(jobs, snapshot.block)
        return snapshot.block
