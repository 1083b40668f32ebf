"""Who takes part in a deployment, followed from snapshot to snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.snapshot import Touched
from moorage.types import DeploymentId, OrderState, ProviderNumber
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import Participant
from tests.markets import OTHERS, US, make_group, make_lease, make_order, make_snapshot

OURS = make_order(0, group=make_group(name="east"))
THEIRS = make_order(1, group=make_group(name="west"))
ELSEWHERE = make_order(2, deployment=DeploymentId(b"\xee" * 32))
BOTH = [(OURS, make_lease(OURS, provider=US)), (THEIRS, make_lease(THEIRS, provider=OTHERS))]
STRANGERS = (ELSEWHERE, make_lease(ELSEWHERE, provider=ProviderNumber(9)))


def directory(*leases: tuple) -> PeerDirectory:  # type: ignore[type-arg]
    found = PeerDirectory(US)
    found.take(make_snapshot(1_000, leases=leases))
    return found


def test_h29_participants__two_leases_of_a_deployment__know_each_other() -> None:
    found = directory(*BOTH, STRANGERS)

    assert set(found.participants(OURS.id)) == {
        Participant(OURS.id, US, "east"),
        Participant(THEIRS.id, OTHERS, "west"),
    }
    assert found.others(OURS.id) == (Participant(THEIRS.id, OTHERS, "west"),)
    assert found.providers() == {OTHERS}


@pytest.mark.parametrize("state", [each for each in OrderState if each is not OrderState.LEASE_ACTIVE])
def test_h29_participants__lease_that_is_not_active__takes_no_part(state: OrderState) -> None:
    found = directory(BOTH[0], (THEIRS, make_lease(THEIRS, provider=OTHERS, state=state)))

    assert found.others(OURS.id) == ()
    assert found.participants(THEIRS.id) == ()
    assert found.deployment(THEIRS.id) is None
    assert found.providers() == frozenset()


def test_h29_take__touched_lease_ends__takes_no_part_any_more() -> None:
    found = directory(*BOTH)

    later = make_snapshot(1_001, leases=BOTH[:1])
    found.take(replace(later, touched=Touched(frozenset([THEIRS.id]))))

    assert found.others(OURS.id) == ()


def test_take__touched_lease_comes__takes_part() -> None:
    found = directory(BOTH[0])

    found.take(replace(make_snapshot(1_001, leases=BOTH), touched=Touched(frozenset([THEIRS.id]))))

    assert found.others(OURS.id) == (Participant(THEIRS.id, OTHERS, "west"),)


def test_take__everything_is_read_anew__forgets_what_is_gone() -> None:
    found = directory(*BOTH, STRANGERS)

    found.take(make_snapshot(1_001, leases=BOTH[:1]))

    assert [each.lease for each in found.participants(OURS.id)] == [OURS.id]
    assert found.deployment(ELSEWHERE.id) is None


def test_take__lease_is_read_again_and_is_as_before__nobody_else_takes_part() -> None:
    found = directory(*BOTH)
    both = frozenset([OURS.id, THEIRS.id])

    changes = [
        found.take(replace(make_snapshot(1_001 + place, leases=leases), touched=Touched(both)))
        for place, leases in enumerate((BOTH, BOTH[:1], BOTH[:1], BOTH))
    ]

    assert changes == [False, True, False, True]
