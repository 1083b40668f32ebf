"""What a deployment is going to cost: how long each group is prepaid, and what has to be paid in before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from cli.core.costs import Rate, describe_rate
from moorage import regions, terms, units
from moorage.money import Money
from moorage.types import MAX_BLOCKS, MAX_MONEY, Group, Parameters


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What one order costs, in ledger units."""

    group: Group
    max_charge_per_block: int
    prepaid_blocks: int
    """At the maximum price; a lower one lasts longer."""
    deposit: int
    """What the order holds: the prepaid blocks and the tip of its match."""


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """What `submit_deployment` or `update_deployment` takes from the tenant's account, in ledger units."""

    groups: tuple[GroupPlan, ...]
    tips: int
    """Of each match, each finish and the closing of a new deployment; part of the total."""
    total: int
    available: int
    """What the account has."""
    missing_base_units: int
    """Of the token, to be paid in first."""

    @property
    def max_charge_per_block(self) -> int:
        return sum(group.max_charge_per_block for group in self.groups)

    @property
    def deposits(self) -> tuple[int, ...]:
        return tuple(group.deposit for group in self.groups)


class TooLong(Exception):
    """Nobody can prepay that long; the message says how long is possible, in a form that `--fund` takes."""


def check_span(groups: Sequence[Group], parameters: Parameters, fund_blocks: int, seconds_per_block: Fraction) -> None:
    """Check that groups can be prepaid for a span.

    Raises:
        TooLong: a lease has not so many blocks, or the exchange cannot hold what they cost.
    """
    charges = sum(terms.max_charge(group, parameters) for group in groups)
    tips = (2 * len(groups) + 1) * parameters.facilitator_tip
    affordable = max(MAX_MONEY - tips, 0) // max(charges, 1)
    most = min(MAX_BLOCKS, affordable)
    # a span below two periods is not what is prepaid: what they cost is the exchange's to refuse
    if fund_blocks <= max(most, 2 * parameters.reconfirmation_period_blocks):
        return
    seconds = units.to_seconds(most, seconds_per_block)
    hours = seconds // units.SECONDS_PER_HOUR
    reason = "a lease has no more" if most == MAX_BLOCKS else "the exchange can hold no more than they cost"
    raise TooLong(f"at most {f'{hours}h' if hours else f'{seconds}s'}: that is {most} blocks, {reason}")


def plan_order(
    groups: Sequence[Group], parameters: Parameters, fund_blocks: int, available: int, *, is_update: bool = False
) -> OrderPlan:
    """Return what to pay for groups so that each is prepaid for a span, but never below what the exchange asks for.

    Args:
        groups: what is ordered.
        parameters: of the market.
        fund_blocks: the span.
        available: ledger units in the tenant's account.
        is_update: whether the deployment is there already, and has its tip for the closing.
    """
    tip = parameters.facilitator_tip
    blocks = max(fund_blocks, 2 * parameters.reconfirmation_period_blocks)
    plans = []
    for group in groups:
        charge = terms.max_charge(group, parameters)
        plans.append(GroupPlan(group, charge, blocks, blocks * charge + tip))
    closings = 0 if is_update else 1
    total = sum(plan.deposit + tip for plan in plans) + closings * tip
    missing = units.covering_base_units(max(total - available, 0), parameters.token_decimals)
    return OrderPlan(tuple(plans), (2 * len(plans) + closings) * tip, total, available, missing)


def describe_plan(plan: OrderPlan, money: Money, missing_ledger_units: int) -> list[str]:
    """Return the lines that a tenant agrees to."""
    blocks = max(group.prepaid_blocks for group in plan.groups)
    lines = []
    for group in plan.groups:
        lines += _describe_group(group, money)
    lines += [
        *describe_rate(Rate(plan.max_charge_per_block, None), money),
        f"prepaid                    {money.span(blocks)} ({blocks} blocks); lower bids make it last longer",
        f"taken from your account    {money.at_most(plan.total)}, tips of {money.at_most(plan.tips)} included",
        f"in your account now        {money.amount(plan.available)}",
        f"paid in from your wallet   {money.at_most(missing_ledger_units)}",
        "what comes back            what was not used at `moorage delete`, unearned tips,",
        "                           the collateral of a provider that fails",
    ]
    return lines


def _describe_group(plan: GroupPlan, money: Money) -> list[str]:
    group = plan.group
    renewal = "replaced if its provider fails" if group.persist else "not replaced if its provider fails"
    head = f"group {group.name} in {regions.describe([group.regions])}, {renewal}"
    collateral = money.amount(terms.collateral(group))
    lines = [f"{head}: at most {money.per_hour(plan.max_charge_per_block)}, collateral {collateral}"]
    for resource in group.resources:
        compute = resource.compute
        size = f"{units.format_cpu(compute.milli_cpu)} cpu, {units.format_size(compute.memory_bytes)} memory"
        disk = units.format_size(compute.disk_bytes)
        price = money.per_hour(resource.price_per_block)
        lines.append(f"  {resource.count} x {size}, {disk} disk, at most {price} each")
    return lines
