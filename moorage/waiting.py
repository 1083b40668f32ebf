"""What on a market waits for somebody to act, and since when: matches and stale calls, which anyone may make."""

from __future__ import annotations

from moorage.snapshot import Snapshot


def due_blocks(snapshot: Snapshot) -> list[int]:
    """Return for each order that can be matched, and each lease that is stale, the first block in which it was."""
    block, period = snapshot.block.number, snapshot.parameters.reconfirmation_period_blocks
    matches = [order.match_block for order in snapshot.orders.values() if order.bid_count]
    stale = [lease.deadline_block(period) + 1 for lease in snapshot.leases.values() if lease.is_stale(block, period)]
    return [due for due in (*matches, *stale) if due <= block]


def oldest_due_blocks(snapshot: Snapshot) -> int:
    """Return for how many blocks the oldest of them has been due; 0: nothing has been waiting."""
    return max((snapshot.block.number - due for due in due_blocks(snapshot)), default=0)
