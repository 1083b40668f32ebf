"""What the engine is told about networks and containers, where a running engine would not show a mistake."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from provider_agent.core.containers import Bind, NetworkKind, NetworkSpec, PublishedPort
from provider_agent.core.firewall import owner_tag
from provider_agent.shell.docker_config import container_config, network_config
from tests.factories.workloads import IDENTITY, connection, lease_of, workload

SUBNET = IPv4Network("10.224.0.0/28")
WEB = replace(
    lease_of(workload("web", connection(80))).containers[0],
    published_ports=(PublishedPort(80, "192.0.2.1", 0),),
)
BRIDGE = "com.docker.network.bridge"
FRONT = NetworkSpec("mn-a", (), NetworkKind.FRONT, 16)
ADDRESS = IPv4Address("10.224.0.3")
OWNER = IDENTITY.labels


def test_network_config__internal__leads_nowhere() -> None:
    config = network_config(NetworkSpec("mn-a", (("moorage.lease", "ab"),), NetworkKind.INTERNAL, 16), SUBNET, OWNER)

    assert config["Internal"] is True
    assert config["Options"][f"{BRIDGE}.inhibit_ipv4"] == "true"
    assert config["Labels"] == {"moorage.lease": "ab"}
    assert config["IPAM"]["Config"] == [{"Subnet": "10.224.0.0/28"}]


def test_network_config__front__keeps_its_members_apart_and_leads_out() -> None:
    config = network_config(FRONT, SUBNET, OWNER)

    assert config["Options"].pop(f"{BRIDGE}.name").startswith(f"mf-{owner_tag(OWNER)}")
    assert config["Options"] == {f"{BRIDGE}.enable_icc": "false", f"{BRIDGE}.enable_ip_masquerade": "true"}


def test_network_config__egress__keeps_its_members_apart_and_gets_answers_from_outside() -> None:
    config = network_config(replace(FRONT, kind=NetworkKind.EGRESS), SUBNET, OWNER)

    assert config["Internal"] is False
    assert config["Options"].pop(f"{BRIDGE}.name").startswith(f"me-{owner_tag(OWNER)}")
    assert config["Options"] == {f"{BRIDGE}.enable_icc": "false", f"{BRIDGE}.enable_ip_masquerade": "true"}


def test_network_config__bridge_of_any_network__fits_an_interface_and_is_of_its_owner() -> None:
    long = "mn-7b4ab889-abababababab-a-long-workload.65535.another-long-workload"
    specs = [NetworkSpec(name, (), kind, 16) for name in (long, f"{long}x") for kind in NetworkKind]
    names = [network_config(each, SUBNET, OWNER)["Options"][f"{BRIDGE}.name"] for each in specs]

    assert {(len(name), name[:3]) for name in names} == {(15, "mw-"), (15, "mf-"), (15, "me-")}
    assert len(set(names)) == 6
    other = network_config(specs[0], SUBNET, (*OWNER, ("moorage.other", "1")))["Options"][f"{BRIDGE}.name"]
    assert other[3:7] != names[0][3:7] == owner_tag(OWNER)


def test_container_config__published__is_bound_to_the_given_address_and_a_port_that_the_engine_chooses() -> None:
    config = container_config(WEB, ADDRESS, 10)

    assert config["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "192.0.2.1", "HostPort": ""}]}
    assert config["HostConfig"]["NetworkMode"] == WEB.attachments[0].network


def test_container_config__published_with_address_and_port__is_bound_to_both() -> None:
    config = container_config(replace(WEB, published_ports=(PublishedPort(80, "192.0.2.2", 30_000),)), ADDRESS, 10)

    assert config["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "192.0.2.2", "HostPort": "30000"}]}


def test_container_config__a_place_on_its_first_network__is_that_address() -> None:
    config = container_config(WEB, ADDRESS, 10)

    (endpoint,) = config["NetworkingConfig"]["EndpointsConfig"].values()
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.224.0.3"}


def test_container_config__binds_and_sysctls_of_the_agents_own__are_added() -> None:
    ours = replace(WEB, binds=(Bind("/a", "/b", True),), sysctls=(("net.ipv4.ip_nonlocal_bind", "1"),))

    host = container_config(ours, ADDRESS, 10)["HostConfig"]

    assert host["Mounts"] == [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]
    assert host["Sysctls"] == {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ip_nonlocal_bind": "1"}


def test_container_config__command_user_and_args_are_not_given__leaves_the_images() -> None:
    config = container_config(WEB, ADDRESS, 10)

    assert not {"Entrypoint", "Cmd", "User"} & config.keys()


def test_container_config__command_and_args__replace_entry_point_and_command() -> None:
    config = container_config(replace(WEB, command=("/bin/a",), args=("-b",), user="5"), ADDRESS, 10)

    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (["/bin/a"], ["-b"], "5")


def test_container_config__without_networks__has_none_at_all() -> None:
    config = container_config(replace(WEB, attachments=()), None, 10)

    assert config["HostConfig"]["NetworkMode"] == "none"
    assert "NetworkingConfig" not in config
