"""Subnets out of a pool that others use too."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from provider_agent.shell.subnets import free_subnets

POOL = IPv4Network("10.224.0.0/24")


def test_free_subnets__nothing_taken__yields_each_once() -> None:
    subnets = list(free_subnets(POOL, 16, (), "a"))

    assert sorted(subnets) == list(POOL.subnets(new_prefix=28))


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        (["10.224.0.16/28"], 15),
        (["10.224.0.20/30"], 15),
        (["10.224.0.0/25", "10.224.0.64/26"], 8),
        (["10.0.0.0/8"], 0),
        (["10.223.255.0/24", "10.224.1.0/24", "192.168.0.0/16"], 16),
    ],
)
def test_free_subnets__others_are_taken__yields_none_that_overlaps(taken: list[str], left: int) -> None:
    others = [IPv4Network(each) for each in taken]

    subnets = list(free_subnets(POOL, 16, others, "a"))

    assert len(subnets) == left
    assert not any(subnet.overlaps(other) for subnet in subnets for other in others)


def test_free_subnets__larger_than_the_pool__yields_none() -> None:
    assert list(free_subnets(POOL, 512, (), "a")) == []


def test_free_subnets__other_seed__begins_elsewhere() -> None:
    first = {next(free_subnets(IPv4Network("10.224.0.0/12"), 16, (), seed)) for seed in "abcdefgh"}

    assert len(first) == 8
