"""What may be spent now: by the coin that the key has, by its cap for a day, and by what is kept for the urgent."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.chain.fees import Quote, affordable
from moorage.chain.jobs import Cause, Rejected
from moorage.chain.simulation import Ready
from moorage.chain.transactions import Fees


@dataclass(slots=True)
class Budget:
    """Wei that are left; taking from it makes it smaller."""

    coin_wei: int | None
    """None if the node did not say."""
    today_wei: int | None
    """None without a cap."""
    reserve_wei: int
    """What priority 1 leaves alone; each lower one as much more."""
    fee_cap_wei: int | None = None
    """What is offered for a unit of gas at most."""

    def take(self, wei: int, priority: int = 0) -> Cause | None:
        """Take an amount, or return why that is not possible."""
        reserve = priority * self.reserve_wei
        if self.coin_wei is not None and self.coin_wei - wei < reserve:
            return Cause.NO_COIN
        if self.today_wei is not None and self.today_wei - wei < reserve:
            return Cause.SPENDING_CAP
        if self.coin_wei is not None:
            self.coin_wei -= wei
        if self.today_wei is not None:
            self.today_wei -= wei
        return None

    def left_wei(self) -> int | None:
        """Return what the most urgent may take."""
        known = [each for each in (self.coin_wei, self.today_wei) if each is not None]
        return max(0, min(known)) if known else None


def price(ready: Ready, quote: Quote, budget: Budget) -> Fees | Rejected:
    """Return what is offered for a transaction, and take that from the budget."""
    part, priority = ready.part, ready.part.job.priority
    fees = affordable(quote, most_wei(part.worth_wei, ready.gas, budget.fee_cap_wei))
    if fees is None:
        return part.rejected(_dearness(part.worth_wei, ready.gas, quote, budget), Cause.TOO_DEAR)
    cause = budget.take(ready.gas * fees.max_wei, priority)
    left = budget.left_wei()
    if cause is not None and priority == 0 and left is not None:
        # better a low offer than none
        lower = affordable(quote, min(fees.max_wei, left // ready.gas))
        if lower is not None and budget.take(ready.gas * lower.max_wei) is None:
            return lower
    if cause is None:
        return fees
    return part.rejected(_reason(cause, priority, ready.gas * fees.max_wei), cause)


def most_wei(worth_wei: int | None, gas: int, fee_cap_wei: int | None) -> int | None:
    """Return the most that may be offered for a unit of gas, by what a transaction is worth and by the cap."""
    known = [each for each in (None if worth_wei is None else worth_wei // gas, fee_cap_wei) if each is not None]
    return min(known, default=None)


def _dearness(worth_wei: int | None, gas: int, quote: Quote, budget: Budget) -> str:
    cost = quote.need_wei * gas
    if worth_wei is not None and worth_wei < cost:
        return f"its gas costs {cost} wei now, which is more than the {worth_wei} that it is worth"
    return f"a unit of gas costs {quote.need_wei} wei now, which is more than the cap of {budget.fee_cap_wei}"


def _reason(cause: Cause, priority: int, wei: int) -> str:
    what = "too little of the chain's coin" if cause is Cause.NO_COIN else "too little left of what a day may cost"
    kept = ": the rest is kept for what is more urgent" if priority else ""
    return f"{what} to pay for gas ({wei} wei){kept}"
