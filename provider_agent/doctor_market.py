"""Judges what a provider has on chain and on disk: registration, account, certificates, and the market's period."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from moorage import pki
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.money import Money
from moorage.regions import REGIONS, mask_of
from moorage.types import Parameters, Provider
from moorage.units import ledger_units_per_token
from provider_agent.core.stuffing import MARGIN, Gas, cost_of_stuffing, is_long_enough, window_blocks
from provider_agent.core.summary import Standing, Summary
from provider_agent.registration import root_file
from provider_agent.settings import Settings
from provider_agent.shell.authority import INTERMEDIATE, load, load_root_certificate
from provider_agent.upkeep import INTERMEDIATE_NOTICE

ROOT_DAYS = 60
"""Before a root expires another one has to be announced and to wait."""
LATE_BLOCKS = 10
WEI_PER_COIN = 10**18


def check_profile(provider: Provider, settings: Settings) -> list[Finding]:
    """Compare what the registry says with the settings."""
    if provider.region == 0:
        return [failure("registration", "deregistered: bids are refused", "have the owner call update_provider")]
    findings = []
    if provider.region != settings.region:
        what = f"{_region(provider.region)} on chain, {_region(settings.region)} in the settings"
        findings.append(warning("region", what, "have the owner call update_provider, or change the settings"))
    if provider.endpoint != settings.endpoint:
        what = f"{provider.endpoint} on chain, {settings.endpoint} in the settings"
        findings.append(failure("endpoint", what, "have the owner call update_provider: tenants go where it says"))
    return findings or [ok("profile", "region and endpoint are as in the settings")]


def check_account(summary: Summary, settings: Settings, money: Money) -> list[Finding]:
    """See whether there is collateral for bids, and whether leases are in danger or were lost."""
    where = "collateral"
    findings = []
    late = [line for line in summary.leases if line.standing is Standing.OVERDUE]
    if late:
        what = f"{len(late)} are not confirmed in time: anybody may end them and have the collateral slashed"
        findings.append(failure("leases", what, "start the agent at once, and see why it did not confirm"))
    elif summary.blocks_to_deadline is not None and summary.blocks_to_deadline < LATE_BLOCKS:
        what = f"one has to be confirmed within {summary.blocks_to_deadline} blocks"
        findings.append(warning("leases", what, "see that the agent runs and that its transactions get into blocks"))
    if summary.slashed:
        what = f"{money.amount(summary.slashed)} lost so far; it goes on counting against the cap"
        findings.append(warning(where, what, "find out why; then the owner may raise the cap"))
    if summary.available == 0:
        findings.append(warning(where, "none is free: there can be no bids that ask for some", "moorage-provider fund"))
    if summary.cap_left == 0:
        what = f"the cap of {money.amount(summary.provider.collateral_cap)} is used up: no bids that ask for some"
        findings.append(warning(where, what, "have the owner raise it, or wait until leases end"))
    free = min(summary.available, summary.cap_left)
    return findings or [ok(where, f"{money.amount(free)} can be locked for new bids")]


def check_certificates(settings: Settings, now: datetime) -> list[Finding]:
    """See how long the certificates on disk are good for."""
    path = root_file(settings)
    root = load_root_certificate(path)
    if root is None:
        return [failure(f"certificate {path}", "is not there", "register, or restore its backup")]
    add = "have the owner add another root to the registry, see moorage-provider rotate"
    findings = [_judge_life(f"certificate {path.with_suffix('.crt')}", root, now, ROOT_DAYS, add)]
    has_key, path = path.exists(), settings.data_dir / INTERMEDIATE
    bring = "bring the root's key and run moorage-provider certificates"
    try:
        intermediate = load(path).certificate
    except FileNotFoundError:
        intermediate = None
    if intermediate is None or not pki.is_issued_by(intermediate, root):
        if not has_key:
            return [*findings, failure(f"certificate {path}", "there is none of the root's, and no key for one", bring)]
        return [*findings, ok(f"certificate {path}", "is made when the agent starts")]
    return [*findings, _judge_life(f"certificate {path}", intermediate, now, INTERMEDIATE_NOTICE.days, bring)]


def _judge_life(what: str, certificate: x509.Certificate, now: datetime, least_days: int, remedy: str) -> Finding:
    days = (certificate.not_valid_after_utc - now).days
    if days < 0:
        return failure(what, "has expired", remedy)
    if days < least_days:
        return warning(what, f"expires in {days} days", remedy)
    return ok(what, f"good for {days} days")


def judge_period(exposed: int, settings: Settings, money: Money, parameters: Parameters, gas: Gas) -> list[Finding]:
    """Say whether the market's period is long enough for the collateral that may be on it.

    What a token is worth in the chain's coin is the operator's to say (`coins_per_token`); without it the sum is told
    up to which collateral is safe.

    Args:
        exposed: collateral that may be lost at once, in ledger units; see `exposure`.
    """
    where, period = "period", parameters.reconfirmation_period_blocks
    window = window_blocks(period)
    safe = cost_of_stuffing(window, gas) // MARGIN
    shown = f"{safe / WEI_PER_COIN:.4g} coins"
    price = f"filling the {window} blocks in which confirmations come costs {MARGIN} times {shown} now"
    if settings.coins_per_token is None:
        what = f"{price}: collateral worth less than {shown} at one tenant is safe"
        return [ok(where, f"{what}; set coins_per_token to have yours compared")]
    worth = int(settings.coins_per_token * exposed * WEI_PER_COIN / ledger_units_per_token(money.decimals))
    if is_long_enough(period, worth, gas):
        return [ok(where, f"{price}; your {money.amount(exposed)} are worth {worth / WEI_PER_COIN:.4g}")]
    what = f"{price}, and your {money.amount(exposed)} of collateral are worth {worth / WEI_PER_COIN:.4g}"
    remedy = "set admission.exposure and exposure_per_lease lower: on this market less collateral is safe"
    return [warning(where, what, remedy)]


def exposure(locked: int, cap: int, settings: Settings, money: Money) -> int:
    """Return the collateral that may be lost at once: what is locked, or what the settings let come to be locked."""
    if settings.admission.exposure is None:
        return locked
    allowed = int(settings.admission.exposure * ledger_units_per_token(money.decimals))
    return max(locked, min(allowed, cap))


def _region(mask: int) -> str:
    return next((name for name in REGIONS if mask_of(name) == mask), "another region")
