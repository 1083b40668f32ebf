"""Judges what the tenant's doctor has gathered: money, deployment file, records, leases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.core.hints import hints
from cli.core.report import counted, runway_blocks
from cli.core.story import Line
from cli.core.view import Attempt, DeploymentView, full, short
from cli.options import DEFAULT_FILE
from cli.records import Record
from moorage import manifest
from moorage.deployment_file import Problem
from moorage.doctor.chain import WEI_PER_COIN
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.money import Money
from moorage.types import Address, DeploymentState, OrderState
from moorage.units import to_seconds

DEPLOY_GAS = 1_500_000
"""What a deposit, a deployment of two groups and its closing take, with room; reports/gas.json has the parts."""
LEAST_RUNWAY_SECONDS = 7_200
REMEDIES = {
    "no-bids": "raise max-price in the file, or name another region: `moorage search` shows who is there",
    "not-matched": "run `moorage match`, and get its tip",
    "not-ended": "run `moorage stale`: the provider's collateral is yours",
    "exhausted": "prepay it with `moorage fund`",
}
"""What to do about what cli.core.hints has seen, where it does not say so itself."""


def judge_file(file: Path | None, problems: Sequence[Problem]) -> list[Finding]:
    """Say what is wrong with the deployment file."""
    if file is None:
        what = f"no {DEFAULT_FILE} in this directory"
        return [warning("deployment file", what, "name one with -f, to have it examined")]
    where = f"deployment file {file}"
    if not problems:
        return [ok(where, "is valid")]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return [failure(where, f"{problems[0].message}{more}", f"`moorage validate -f {file}` shows all and where")]


def judge_purse(
    tenant: Address, coin_wei: int, base_fee_wei: int, tokens: int, account: int, money: Money
) -> list[Finding]:
    """Say whether there is coin for gas, and money for a deployment; amounts of tokens are in ledger units."""
    shown = f"{coin_wei / WEI_PER_COIN:.6g} coins"
    need_wei = 2 * base_fee_wei * DEPLOY_GAS
    if coin_wei == 0:
        coin = failure("coin", f"{tenant} has none: nothing can be sent", f"send some of the chain's coin to {tenant}")
    elif coin_wei < need_wei:
        what = f"{tenant} has {shown}, a deployment may take {need_wei / WEI_PER_COIN:.6g} at what gas costs now"
        coin = warning("coin", what, f"send some of the chain's coin to {tenant}")
    else:
        coin = ok("coin", f"{tenant} has {shown} to pay for gas")
    what = f"{money.amount(tokens)} in the wallet, {money.amount(account)} in its account on the exchange"
    if tokens or account:
        return [coin, ok("tokens", what)]
    return [coin, warning("tokens", what, f"send {money.symbol} to {tenant}, then `moorage register --deposit AMOUNT`")]


def judge_records(views: Sequence[DeploymentView], records: Sequence[Record]) -> list[Finding]:
    """Compare what this machine remembers with the chain."""
    known = {view.id: view for view in views}
    findings = [each for record in records for each in _of_record(known.get(record.deployment), record)]
    return findings or [ok("records", f"{len(records)}, each fits the chain")]


def _of_record(view: DeploymentView | None, record: Record) -> Iterator[Finding]:
    where = f"record {short(record.deployment)}"
    if view is None:
        what = f"of {record.file}: was prepared and has not arrived on chain"
        yield warning(where, what, f"`moorage deploy -f {record.file}` sends it once more")
    elif view.state is DeploymentState.CLOSED:
        remedy = f"`moorage delete --deployment {full(view.id)}` removes its record"
        yield warning(where, f"of {record.file}: the deployment is closed", remedy)
    elif manifest.version_of(record.manifest) != view.version:
        what = f"of {record.file}: the chain wants version {short(view.version)}, here is another one"
        remedy = "deliver it from the machine that has updated it, or update it from here"
        yield warning(where, what, remedy)


def judge_manifests(live: Sequence[DeploymentView], records: Sequence[Record]) -> list[Finding]:
    """Find deployments that this machine can't deliver."""
    here = {record.deployment for record in records}
    remedy = "copy its record from the machine that has deployed it, see Files in docs/command-line.md"
    what = "its manifest is not on this machine: it can be watched and deleted, not delivered to a new provider"
    return [warning(f"deployment {short(view.id)}", what, remedy) for view in live if view.id not in here]


def judge_leases(live: Sequence[DeploymentView], money: Money) -> list[Finding]:
    """Find leases that end soon, and orders that nobody takes."""
    findings = [_of_hint(view, hint) for view in live for hint in hints(view, money) if hint.event in REMEDIES]
    leases = [(view, each) for view in live for each in view.current if each.state is OrderState.LEASE_ACTIVE]
    findings += [each for view, attempt in leases for each in _of_lease(view, attempt, money)]
    if findings:
        return findings
    orders = sum(attempt.state is OrderState.OPEN for view in live for attempt in view.current)
    held = f"{counted(len(leases), 'lease')} and {counted(orders, 'open order')}"
    return [ok("deployments", f"{len(live)} live, with {held}")]


def _of_hint(view: DeploymentView, hint: Line) -> Finding:
    what, _, remedy = hint.text.partition(": ")
    return warning(f"deployment {short(view.id)}", what, remedy or REMEDIES[hint.event])


def _of_lease(view: DeploymentView, attempt: Attempt, money: Money) -> Iterator[Finding]:
    lease = attempt.lease
    if lease is None or lease.is_exhausted(view.block_number, view.period_blocks):
        return
    left = runway_blocks(view, lease)
    if left > 2 * view.period_blocks and to_seconds(left, money.seconds_per_block) >= LEAST_RUNWAY_SECONDS:
        return
    what = f"group {attempt.group.name} is prepaid for {money.span(left)} only"
    yield warning(f"lease {short(lease.id)}", what, f"prepay more: `moorage fund --deployment {full(view.id)}`")
