"""Which ports of the host a lease gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moorage.types import OrderId
from provider_agent.core.containers import ContainerState, Observed, ObservedContainer, sorted_labels
from provider_agent.core.gateway_container import GatewaySite, ports_of
from provider_agent.core.lease_names import PORTS_LABEL
from provider_agent.core.ports import MOST_OF_A_LEASE, PortRange, choose_ports, read, written
from provider_agent.shell.port_book import PortBook
from tests.factories.workloads import LEASE, OTHER_LEASE, connection, lease_of, workload

SMALL = PortRange(30_000, 30_004)


def test_i10_choose_ports__several_leases__never_share_one_and_the_last_gets_none() -> None:
    taken: set[int] = set()
    for number in range(5):
        chosen = choose_ports(OrderId(bytes([number]) * 32), ["web:80"], {}, taken, SMALL)
        assert not taken & set(chosen.values())
        taken |= set(chosen.values())

    assert taken == set(range(30_000, 30_005))
    assert choose_ports(LEASE, ["web:80"], {}, taken, SMALL) == {}


def test_i10_learn__label_of_a_tenants_image__takes_no_port_from_others() -> None:
    book = PortBook(GatewaySite("/gateways"), lambda: 0)
    victim, thief = (lease_of(workload("web", connection(5432)), lease=lease) for lease in (LEASE, OTHER_LEASE))
    ports = ports_of(book.give(victim))
    labels = sorted_labels({PORTS_LABEL: written({str(port): port for port in range(30_000, 32_768)})})
    pretender = ObservedContainer(thief.containers[0].name, labels, ContainerState.RUNNING)

    book.learn({OTHER_LEASE: Observed((pretender,))}, [LEASE])

    assert ports_of(book.give(victim)) == ports != {}


def test_i10_learn__gateway_is_about_to_be_made__its_port_is_given_to_nobody_else() -> None:
    book = PortBook(GatewaySite("/gateways", ports=PortRange(30_000, 30_000)), lambda: 0)
    first, second = (lease_of(workload("web", connection(5432)), lease=lease) for lease in (LEASE, OTHER_LEASE))
    book.give(first)

    book.learn({}, [LEASE])

    assert ports_of(book.give(second)) == {}
    book.learn({}, [])
    assert ports_of(book.give(second)) == {"web:5432": 30_000}


def test_i10_choose_ports__forgotten__are_the_same_again() -> None:
    wanted = ["web:80", "web:81", "tunnels"]

    assert choose_ports(LEASE, wanted, {}, (), PortRange()) == choose_ports(LEASE, wanted, {}, (), PortRange())
    assert choose_ports(LEASE, wanted, {}, (), PortRange()) != choose_ports(OTHER_LEASE, wanted, {}, (), PortRange())


def test_i10_choose_ports__has_some__keeps_them_unless_a_stranger_listens_there() -> None:
    has = {"web:80": 30_003, "web:81": 30_001, "gone:1": 30_000}

    assert choose_ports(LEASE, ["web:80", "web:81"], has, (), SMALL) == {"web:80": 30_003, "web:81": 30_001}
    moved = choose_ports(LEASE, ["web:80", "web:81"], has, (30_003,), SMALL)
    assert moved["web:81"] == 30_001
    assert moved["web:80"] not in (30_001, 30_003)


def test_i10_choose_ports__one_lease_wants_all__gets_so_many_and_others_have_the_rest() -> None:
    wanted = [f"web:{port}" for port in range(1, 2_000)]

    assert len(choose_ports(LEASE, wanted, {}, (), PortRange())) == MOST_OF_A_LEASE


def test_i10_choose_ports__outside_the_range_that_the_settings_now_have__is_given_up() -> None:
    assert choose_ports(LEASE, ["web:80"], {"web:80": 80}, (), SMALL)["web:80"] in SMALL


KEYS = st.from_regex(r"[a-z0-9-]{1,10}:[0-9]{1,5}", fullmatch=True)


@given(
    st.lists(KEYS, unique=True, max_size=8),
    st.dictionaries(KEYS, st.integers(30_000, 30_009), max_size=8),
    st.sets(st.integers(30_000, 30_009)),
)
def test_i10_choose_ports__anything__is_within_the_range_apart_and_complete(
    wanted: list[str], has: dict[str, int], taken: set[int]
) -> None:
    allowed = PortRange(30_000, 30_009)
    has = {key: port for key, port in has.items() if list(has.values()).count(port) == 1}

    chosen = choose_ports(LEASE, wanted, has, taken, allowed)

    ports = set(chosen.values())
    assert len(ports) == len(chosen) == min(len(wanted), allowed.size - len(taken))
    assert chosen.keys() <= set(wanted)
    assert not ports & taken
    assert all(port in allowed for port in ports)
    assert all(chosen[key] == has[key] for key in chosen if key in has and has[key] not in taken)
    assert read(written(chosen)) == chosen


def test_read__label_that_somebody_wrote_by_hand__is_passed_over() -> None:
    assert read("web:80=30000 x =1 y=z a=999999 b=-1") == {"web:80": 30_000}
