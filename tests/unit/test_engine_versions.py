"""Which versions of Docker and runc are known to let tenants out."""

from __future__ import annotations

import pytest

from provider_agent.core.engine_versions import HOLES, known_holes, parse

SAFE = "29.1.0"
MOUNTS = ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")
DESCRIPTOR = ("CVE-2024-21626",)
LINKS = ("CVE-2023-27561", "CVE-2023-28642")
SWAPPED = ("CVE-2021-30465",)
OVERWRITES = ("CVE-2019-5736",)
NAMES = ("CVE-2024-29018",)
FIREWALLD = ("CVE-2025-54388",)


def names(engine: str, runc: str | None) -> list[tuple[str, ...]]:
    return [hole.names for hole in known_holes(engine, runc)]


@pytest.mark.parametrize(
    ("runc", "expected"),
    [
        ("1.3.3", []),
        ("1.3.2", [MOUNTS]),
        ("1.2.8", []),
        ("1.2.7", [MOUNTS]),
        ("1.4.0", []),
        ("1.4.0-rc.3", []),
        ("1.4.0-rc.2", [MOUNTS]),
        ("1.5.0", []),
        ("1.1.15", [MOUNTS]),
        ("1.1.12", [MOUNTS]),
        ("1.1.11", [MOUNTS, DESCRIPTOR]),
        ("1.1.5+ds1", [MOUNTS, DESCRIPTOR]),
        ("1.1.4", [MOUNTS, DESCRIPTOR, LINKS]),
        ("1.0.0-rc95", [MOUNTS, DESCRIPTOR, LINKS]),
        ("1.0.0~rc94", [MOUNTS, DESCRIPTOR, LINKS, SWAPPED]),
        ("1.0.0-rc6", [MOUNTS, DESCRIPTOR, LINKS, SWAPPED, OVERWRITES]),
    ],
)
def test_i02_runc__version__has_the_holes_that_were_mended_later(runc: str, expected: list[tuple[str, ...]]) -> None:
    assert names(SAFE, runc) == expected


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("29.1.0", []),
        ("28.5.2", []),
        ("28.3.3", []),
        ("28.3.2", [FIREWALLD]),
        ("28.2.2", [FIREWALLD]),
        ("28.1.9", []),
        ("26.0.0", []),
        ("25.0.5", []),
        ("25.0.4", [NAMES]),
        ("24.0.9", [NAMES]),
        ("23.0.11", []),
        ("20.10.24+dfsg1", [NAMES]),
    ],
)
def test_i02_engine__version__has_the_holes_that_were_mended_later(
    engine: str, expected: list[tuple[str, ...]]
) -> None:
    assert names(engine, "1.3.3") == expected


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("28.5.2", []),
        ("28.5.1", [MOUNTS]),
        ("25.0.2", [NAMES, MOUNTS]),
        ("24.0.8", [NAMES, MOUNTS, DESCRIPTOR]),
        ("20.10.24+dfsg1", [NAMES, MOUNTS, DESCRIPTOR]),
    ],
)
def test_i02_engine__does_not_say_which_runc__is_judged_by_what_came_with_it(
    engine: str, expected: list[tuple[str, ...]]
) -> None:
    assert names(engine, None) == expected
    assert names(engine, "unknown") == expected


@pytest.mark.parametrize("version", ["", "dev", "library-import", "1", "one.two", "9" * 30 + ".1"])
def test_parse__not_a_version__is_none(version: str) -> None:
    assert parse(version) is None


def test_i02_table__every_row__can_be_read() -> None:
    assert all(parse(version) for hole in HOLES for version in (*hole.fixed, hole.since))
