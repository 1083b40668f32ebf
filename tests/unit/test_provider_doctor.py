"""What an agent's doctor concludes: engine, registration, account, certificates, and the length of the period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from moorage import pki
from moorage.chain.market import Market
from moorage.doctor.finding import Finding
from moorage.money import Money
from moorage.types import Address, ComputeUnit
from provider_agent.core.stuffing import Gas, cost_of_stuffing
from provider_agent.core.summary import Summary, summarise
from provider_agent.doctor import _of_the_host
from provider_agent.doctor_engine import check_capacity, check_engine
from provider_agent.doctor_market import check_account, check_certificates, check_profile, exposure, judge_period
from provider_agent.registration import root_file
from provider_agent.settings import AdmissionLimits, Settings, load_settings
from provider_agent.shell.authority import store_root
from provider_agent.shell.engine_probe import EngineFacts, UnsafeEngine, check_holes, facts_of
from tests.markets import PARAMETERS, US, make_account, make_bid, make_lease, make_order, make_provider, make_snapshot
from tests.unit.test_provider_settings import MINIMAL

GOOD = EngineFacts("29.1.0", "1.3.3", "overlay2", "xfs", "/var/lib/docker", 8, 2**35, True, True, True)
MONEY = Money("MOOR", 18, Fraction(1))
ADDRESS = Address("0x" + "11" * 20)
MARKET = Market(31337, Fraction(1), 0, ADDRESS, ADDRESS, ADDRESS, "MOOR", PARAMETERS, {})
ORDER = make_order()
GAS = Gas(30_000_000, 10**9)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "provider.toml").write_text(MINIMAL)
    return load_settings(tmp_path / "provider.toml")


def levels(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.level.value} {finding.where}" for finding in findings]


def summary(locked: int = 500, available: int = 5_000, slashed: int = 0, cap: int = 10_000, **lease: Any) -> Summary:
    bid = make_bid(ORDER.id, collateral=locked)
    snapshot = make_snapshot(leases=[(ORDER, make_lease(ORDER, **lease))], fulfillments=[bid])
    account = make_account(available=available, committed=locked + slashed)
    return summarise(snapshot, make_provider(collateral_cap=cap), account, ComputeUnit(1, 1, 1))


# ------------------------------------------------------------------ the engine


def test_check_engine__good__is_all_in_order() -> None:
    assert levels(check_engine(GOOD)) == ["ok docker"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"runc": "1.1.5"}, "failure docker"),
        ({"version": "dev"}, "warning docker"),
        ({"has_seccomp": False}, "failure docker"),
        ({"survives_restart": False}, "warning docker"),
        ({"has_swap_limit": False}, "warning docker"),
    ],
)
def test_i02_check_engine__something_is_wrong__is_told(changes: dict[str, Any], expected: str) -> None:
    assert expected in levels(check_engine(replace(GOOD, **changes)))


def test_check_capacity__more_than_the_machine_has__is_told() -> None:
    assert levels(check_capacity(GOOD, ComputeUnit(8_000, 2**35, 0))) == ["ok capacity"]
    assert levels(check_capacity(GOOD, ComputeUnit(8_001, 2**35 + 1, 0))) == [
        "warning capacity.cpu",
        "failure capacity.memory",
    ]


def test_i02_check_holes__known_ones__keep_the_agent_from_starting_unless_accepted() -> None:
    assert check_holes(GOOD, accepts_holes=False) is None
    with pytest.raises(UnsafeEngine, match=r"runc 1\.1\.5 has known holes: CVE-2025-31133.*--accept-known-holes"):
        check_holes(replace(GOOD, runc="1.1.5"), accepts_holes=False)
    assert "CVE-2024-21626" in (check_holes(replace(GOOD, runc="1.1.5"), accepts_holes=True) or "")


def test_facts_of__answers_of_an_engine__are_read() -> None:
    version = {
        "Version": "29.1.0",
        "Components": [{"Name": "Engine", "Version": "29.1.0"}, {"Name": "runc", "Version": "v1.3.3-0-gd842d771"}],
    }
    info = {
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "xfs"], ["Supports d_type", "true"]],
        "DockerRootDir": "/var/lib/docker",
        "NCPU": 8,
        "MemTotal": 2**35,
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"],
        "LiveRestoreEnabled": True,
        "SwapLimit": True,
    }

    assert facts_of(version, info) == replace(GOOD, runc="1.3.3-0-gd842d771")
    assert check_holes(facts_of(version, info), False) is None
    assert facts_of({}, {}) == EngineFacts("", None, "", "", "", 0, 0, False, False, False)
    assert facts_of({"Components": [{"Name": "runc", "Version": "unknown"}]}, {}).runc is None


# ------------------------------------------------------------------ registration, account, certificates


def test_check_profile__differs_from_the_settings__is_told(settings: Settings) -> None:
    same = replace(make_provider(region="us-west"), endpoint=settings.endpoint)

    assert levels(check_profile(same, settings)) == ["ok profile"]
    assert levels(check_profile(make_provider(region="africa"), settings)) == ["warning region", "failure endpoint"]
    assert levels(check_profile(replace(same, region=0), settings)) == ["failure registration"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (summary(), ["ok collateral"]),
        (summary(confirmed_block=909), ["warning leases"]),
        (summary(confirmed_block=910), ["ok collateral"]),
        (summary(confirmed_block=899), ["failure leases"]),
        (summary(slashed=1), ["warning collateral"]),
        (summary(available=0), ["warning collateral"]),
        (summary(cap=500), ["warning collateral"]),
    ],
)
def test_check_account__danger_or_want__is_told(settings: Settings, found: Summary, expected: list[str]) -> None:
    assert levels(check_account(found, settings, MONEY)) == expected


@pytest.mark.parametrize(
    ("days", "expected"), [(0, "ok"), (3_589, "ok"), (3_591, "warning"), (3_651, "failure"), (None, "failure")]
)
def test_check_certificates__days_after_it_was_made__warns_in_time(
    settings: Settings, days: int | None, expected: str
) -> None:
    path = root_file(settings)
    if days is not None:
        pki.store(pki.create_root(US, Address("0x" + "11" * 20), NOW), path)

    findings = check_certificates(settings, NOW + timedelta(days=days or 0))

    assert levels(findings)[0] == f"{expected} certificate {path.with_suffix('.crt') if days is not None else path}"


@pytest.mark.parametrize(("days", "expected"), [(0, "ok"), (304, "ok"), (307, "warning"), (366, "failure")])
def test_h22_check_certificates__intermediate_ends__warns_in_time(settings: Settings, days: int, expected: str) -> None:
    root = pki.create_root(US, Address("0x" + "11" * 20), NOW)
    store_root(root, root_file(settings))
    pki.store(pki.create_intermediate(root, NOW), settings.data_dir / "intermediate.pem")
    root_file(settings).unlink()

    findings = check_certificates(settings, NOW + timedelta(days=days))

    assert levels(findings)[1] == f"{expected} certificate {settings.data_dir / 'intermediate.pem'}"


@pytest.mark.parametrize("is_anothers", [False, True])
@pytest.mark.parametrize(("has_key", "expected"), [(True, "ok"), (False, "failure")])
def test_h22_check_certificates__no_intermediate_of_the_root__needs_its_key(
    settings: Settings, has_key: bool, expected: str, is_anothers: bool
) -> None:
    root, other = (pki.create_root(US, Address("0x" + "11" * 20), NOW) for _ in range(2))
    store_root(root, root_file(settings))
    if is_anothers:
        pki.store(pki.create_intermediate(other, NOW), settings.data_dir / "intermediate.pem")
    if not has_key:
        root_file(settings).unlink()

    findings = check_certificates(settings, NOW)

    assert levels(findings)[1] == f"{expected} certificate {settings.data_dir / 'intermediate.pem'}"


# ------------------------------------------------------------------ the period


def judge(settings: Settings, locked: int, coins_per_token: Fraction | None, period: int = 100) -> list[Finding]:
    parameters = replace(PARAMETERS, reconfirmation_period_blocks=period)
    settings = replace(settings, coins_per_token=coins_per_token)
    return judge_period(locked, settings, MONEY, parameters, GAS)


def test_d01_doctor__collateral_is_worth_more_than_a_tenth_of_what_stuffing_costs__warns(settings: Settings) -> None:
    safe = cost_of_stuffing(50, GAS) // 10

    assert levels(judge(settings, safe, Fraction(1))) == ["ok period"]
    assert levels(judge(settings, safe + 1, Fraction(1))) == ["warning period"]
    assert levels(judge(settings, safe, Fraction(1), period=98)) == ["warning period"]
    assert levels(judge(settings, 100 * safe, Fraction(1, 100))) == ["ok period"]


def test_d01_doctor__what_a_token_is_worth_is_not_known__tells_the_sum(settings: Settings) -> None:
    (finding,) = judge(settings, 10**30, None)

    assert finding.level.value == "ok"
    assert "collateral worth less than" in finding.what


def test_d01_doctor__exposure_that_the_settings_allow__counts_although_it_is_not_locked_yet(settings: Settings) -> None:
    allowed = replace(settings, admission=AdmissionLimits(exposure=Fraction(10**9)))

    assert exposure(7, 9 * 10**18, settings, MONEY) == 7
    assert exposure(7, 9 * 10**18, allowed, MONEY) == 9 * 10**18
    assert exposure(7, 10**30, allowed, MONEY) == 10**27
    assert exposure(10**28, 10**30, allowed, MONEY) == 10**28


async def test_of_the_host__engine_is_here_or_not__says_whether_gateways_can_listen(settings: Settings) -> None:
    elsewhere = replace(settings, gateways=replace(settings.gateways, publish_address="192.0.2.77"))

    async def found(of: Settings) -> list[str]:
        checks = _of_the_host(of, MARKET, lambda: 0.0)
        (look,) = [check.look for check in checks if check.where == "publish_address"]
        return levels(await look())

    assert await found(settings) == []
    assert await found(elsewhere) == ["failure publish_address"]
    assert await found(replace(elsewhere, docker_url="tcp://10.0.0.1:2375")) == []
