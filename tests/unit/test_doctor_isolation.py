"""What an agent's doctor concludes about how workloads are kept apart."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provider_agent.core.firewall import EgressPolicy
from provider_agent.doctor_isolation import check_disk, check_names, check_sandbox, check_users, judge_firewall
from provider_agent.engine_room import check_runtime
from provider_agent.isolation_settings import Isolation
from provider_agent.settings import SettingsError
from provider_agent.shell.disk_usage import DiskLimits
from provider_agent.shell.engine_probe import EngineFacts, facts_of

FACTS = EngineFacts("29.1.0", "1.3.3", "overlay2", "xfs", "/var/lib/docker", 8, 2**35, True, True, True, ("runc",))
FILE = Path("provider.toml")
LET_OUT = Isolation(egress=EgressPolicy(is_allowed=True))


@pytest.mark.parametrize(
    ("runtime", "present", "level", "words"),
    [
        (None, ("runc",), "ok", "share this machine's kernel"),
        (None, ("runc", "runsc"), "warning", "runsc is there, and workloads share"),
        ("runsc", ("runc", "runsc"), "ok", "workloads run in runsc, apart"),
        ("runc", ("runc",), "ok", "share this machine's kernel"),
        ("kata", ("runc",), "failure", "the engine has no 'kata', it has runc"),
    ],
)
def test_i02_check_sandbox__runtimes__are_told_apart(
    runtime: str | None, present: tuple[str, ...], level: str, words: str
) -> None:
    found = check_sandbox(runtime, replace(FACTS, runtimes=present), FILE)

    assert (found.level.value, words in found.what) == (level, True)


def test_i02_check_runtime__engine_has_it_not__keeps_the_agent_from_starting() -> None:
    check_runtime(None, FACTS, FILE)
    check_runtime("runc", FACTS, FILE)
    with pytest.raises(SettingsError, match=r"provider\.toml: runtime: the engine has no 'runsc', it has runc"):
        check_runtime("runsc", FACTS, FILE)


def test_i12_check_users__root_is_mapped_or_not__is_told() -> None:
    assert check_users(FACTS).what == "root in a container has no capability, and is root outside"
    mapped = facts_of(
        {}, {"SecurityOptions": ["name=seccomp,profile=default", "name=userns"], "Runtimes": {"runc": {}}}
    )
    assert check_users(mapped).what == "root in a container is an unprivileged user outside"
    assert mapped.runtimes == ("runc",)


def test_i05_check_disk__what_was_tried__decides() -> None:
    assert check_disk(DiskLimits(True, True)).level.value == "ok"
    layers = check_disk(DiskLimits(True, False, "no quota support"))
    assert (layers.level.value, layers.what) == (
        "warning",
        "the engine's storage keeps containers to a size, volumes not: no quota support",
    )
    assert "keeps nobody to a size" in check_disk(DiskLimits(False, False, "a")).what


@pytest.mark.parametrize(
    ("isolation", "is_there", "fault", "level", "words"),
    [
        (Isolation(), True, None, "ok", "workloads may not go out; its rules are in place"),
        (LET_OUT, False, None, "ok", "workloads may go out; its rules are put in place when the agent starts"),
        (LET_OUT, False, "no nft", "failure", "workloads may go out; its rules can't be looked at: no nft"),
        (Isolation(has_firewall=False), False, None, "warning", "workloads may not go out; the agent keeps no rules"),
    ],
)
def test_i07_judge_firewall__rules_and_policy__are_told(
    isolation: Isolation, is_there: bool, fault: str | None, level: str, words: str
) -> None:
    found = judge_firewall(isolation, is_there, fault)

    assert (found.level.value, found.what) == (level, words)


def test_check_names__workloads_go_out_and_nobody_is_named__is_told() -> None:
    (found,) = check_names(LET_OUT, FILE)
    assert (found.level.value, found.what) == ("warning", "workloads may go out, and get no answers to names")
    assert "provider.toml" in found.remedy

    named = EgressPolicy(is_allowed=True, name_servers=(IPv4Address("9.9.9.9"),))
    assert check_names(Isolation(egress=named), FILE) == check_names(Isolation(), FILE) == []
