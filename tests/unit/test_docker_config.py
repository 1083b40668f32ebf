"""What the engine is told about networks and containers, where a running engine would not show a mistake."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from provider_agent.core.containers import NetworkSpec
from provider_agent.shell.docker_config import bridge_name, container_config, network_config
from tests.factories.workloads import connection, lease_of, workload

SUBNET = IPv4Network("10.224.0.0/28")
WEB = lease_of(workload("web", connection(80))).containers[0]
BRIDGE = "com.docker.network.bridge"


def test_network_config__internal__leads_nowhere() -> None:
    config = network_config(NetworkSpec("mn-a", (("moorage.lease", "ab"),), True, 16), SUBNET)

    assert config["Internal"] is True
    assert config["Labels"] == {"moorage.lease": "ab"}
    assert config["IPAM"]["Config"] == [{"Subnet": "10.224.0.0/28"}]


def test_network_config__public__keeps_its_members_apart_and_gets_no_answer_from_outside() -> None:
    config = network_config(NetworkSpec("mn-a", (), False, 16), SUBNET)

    assert config["Options"] == {
        f"{BRIDGE}.name": bridge_name("mn-a"),
        f"{BRIDGE}.enable_icc": "false",
        f"{BRIDGE}.enable_ip_masquerade": "false",
    }


def test_bridge_name__of_any_network__fits_an_interface_and_the_rules_for_it() -> None:
    name = bridge_name("mn-7b4ab889-abababababab-a-long-workload.65535.another-long-workload")

    assert len(name) == 15
    assert name.startswith("mw-")


def test_container_config__published__is_bound_to_the_given_address_and_a_port_that_the_engine_chooses() -> None:
    config = container_config(WEB, "192.0.2.1", 10)

    assert config["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "192.0.2.1", "HostPort": ""}]}
    assert config["HostConfig"]["NetworkMode"] == WEB.attachments[0].network


def test_container_config__command_user_and_args_are_not_given__leaves_the_images() -> None:
    config = container_config(WEB, "127.0.0.1", 10)

    assert not {"Entrypoint", "Cmd", "User"} & config.keys()


def test_container_config__command_and_args__replace_entry_point_and_command() -> None:
    config = container_config(replace(WEB, command=("/bin/a",), args=("-b",), user="5"), "127.0.0.1", 10)

    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (["/bin/a"], ["-b"], "5")


def test_container_config__without_networks__has_none_at_all() -> None:
    config = container_config(lease_of(workload("web")).containers[0], "127.0.0.1", 10)

    assert config["HostConfig"]["NetworkMode"] == "none"
    assert "NetworkingConfig" not in config


def test_container_config__any__grants_nothing() -> None:
    host = container_config(WEB, "127.0.0.1", 10)["HostConfig"]

    assert (host["CapDrop"], host["SecurityOpt"], host["Privileged"]) == (["ALL"], ["no-new-privileges"], False)
    assert not {"CapAdd", "Binds", "Devices", "PidMode", "Ulimits", "VolumesFrom"} & host.keys()
    assert (host["Dns"], host["PidsLimit"], host["MemorySwap"]) == (["127.0.0.1"], 512, WEB.memory_bytes)
