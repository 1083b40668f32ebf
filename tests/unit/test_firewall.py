"""The rules for nftables as text: what is closed always, and what a policy opens."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from provider_agent.core.firewall import CLOSED_RANGES, EgressPolicy, bridge_name, owner_tag, remove, render, table_name
from tests.factories.workloads import IDENTITY

OWNER = IDENTITY.labels
OTHER = (*OWNER, ("moorage.other", "1"))


def chain(name: str, policy: EgressPolicy) -> list[str]:
    """Return the rules of a chain."""
    text = render(policy, OWNER).split(f"  chain {name} {{\n")[1].split("  }\n")[0]
    return [line.strip() for line in text.splitlines()]


def test_i07_render__any_policy__keeps_every_bridge_from_the_host() -> None:
    for policy in (EgressPolicy(), EgressPolicy(is_allowed=True, allow=(IPv4Network("0.0.0.0/0"),))):
        rules = chain("input", policy)

        tag = owner_tag(OWNER)
        assert rules[2:] == [f'iifname "{kind}-{tag}*" drop' for kind in ("mw", "mf", "me")]
        assert rules[1] == "ct state established,related accept"


def test_i07_render__egress_is_off__lets_no_workload_out() -> None:
    assert chain("workloads_out", EgressPolicy()) == ["drop"]


def test_i07_render__egress_is_allowed__closes_what_is_not_the_internet() -> None:
    rules = chain("workloads_out", EgressPolicy(is_allowed=True, deny_ports=()))

    assert rules[0] == "meta nfproto != ipv4 drop"
    assert rules[-1] == "accept"
    closed = [IPv4Network(each) for each in rules[-2].removeprefix("ip daddr { ").removesuffix(" } drop").split(", ")]
    for inside in ("10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16"):
        assert any(IPv4Address(inside) in each for each in closed)
    for outside in ("1.1.1.1", "172.32.0.1", "100.128.0.1", "223.255.255.255"):
        assert not any(IPv4Address(outside) in each for each in closed)


def test_i07_i27_render__policy__comes_in_an_order_in_which_a_denial_wins() -> None:
    policy = EgressPolicy(
        is_allowed=True,
        name_servers=(IPv4Address("10.0.0.53"),),
        allow=(IPv4Network("10.5.0.0/16"),),
        deny=(IPv4Network("10.5.6.0/24"), IPv4Network("203.0.113.0/24")),
        deny_ports=(3333, 25, 25),
    )

    assert chain("workloads_out", policy)[:-2] == [
        "meta nfproto != ipv4 drop",
        "meta l4proto { tcp, udp } th dport { 25, 3333 } drop",
        'oifname "mf-*" ct status dnat accept',
        'oifname { "me-*", "mf-*", "mw-*" } drop',
        "ip daddr { 10.0.0.53 } meta l4proto { tcp, udp } th dport 53 accept",
        "ip daddr { 10.5.6.0/24, 203.0.113.0/24 } drop",
        "ip daddr { 10.5.0.0/16 } accept",
    ]


def test_i27_policy__nothing_is_said__closes_the_port_of_mail() -> None:
    assert "meta l4proto { tcp, udp } th dport { 25 } drop" in chain("workloads_out", EgressPolicy(is_allowed=True))


def test_i07_render__gateways__reach_peers_that_are_named_and_nothing_else_that_is_private() -> None:
    rules = chain("gateways_out", EgressPolicy(peers=(IPv4Network("10.77.0.0/24"),)))

    assert rules[:3] == [
        "meta nfproto != ipv4 drop",
        'oifname "mf-*" ct status dnat accept',
        "ip daddr { 10.77.0.0/24 } accept",
    ]
    assert rules[3:] == chain("workloads_out", EgressPolicy(is_allowed=True))[-2:]


def test_render__two_providers__have_tables_and_bridges_of_their_own() -> None:
    assert table_name(OWNER) != table_name(OTHER)
    assert render(EgressPolicy(), OWNER).startswith(f"table inet {table_name(OWNER)}\ndelete table inet")
    assert owner_tag(OTHER) not in render(EgressPolicy(), OWNER)
    assert bridge_name("me", OWNER, "a")[:7] != bridge_name("me", OTHER, "a")[:7]
    assert remove(OWNER) == f"table inet {table_name(OWNER)}\ndelete table inet {table_name(OWNER)}\n"


def test_render__any_policy__names_no_other_table() -> None:
    tables = {line for line in render(EgressPolicy(is_allowed=True), OWNER).splitlines() if "table" in line}

    name = table_name(OWNER)
    assert tables == {f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{"}


def test_closed_ranges__each__is_written_once() -> None:
    assert len(set(CLOSED_RANGES)) == len(CLOSED_RANGES)
