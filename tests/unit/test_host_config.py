"""What a container gets of its host: nothing but what is in a golden file, whatever a manifest says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given

from moorage.manifest import Manifest
from provider_agent.core import seccomp
from provider_agent.core.containers import ROLE_LABEL, Attachment, ContainerSpec, PublishedPort, VolumeMount
from provider_agent.core.workloads import desired_lease
from provider_agent.shell.docker_config import container_config
from provider_agent.shell.host_config import USUAL, Confinement, host_config
from tests.factories.workloads import IDENTITY, LEASE, VERSION
from tests.property.test_manifest_properties import MANY_VALUES, manifests

GOLDEN = Path(__file__).parent / "host_config.json"
WEB = ContainerSpec(
    name="mw-web-0",
    labels=(("moorage.lease", "ab"),),
    image="example/web:1",
    hostname="web-0",
    command=None,
    args=(),
    env=(),
    user=None,
    is_read_only=False,
    milli_cpu=250,
    memory_bytes=64 << 20,
    attachments=(Attachment("mn-web", None, 3),),
    published_ports=(PublishedPort(80, "192.0.2.1", 30_000),),
    mounts=(VolumeMount("mv-web-0", "/data", 10**8),),
    mount_labels=(("moorage.lease", "ab"),),
    restarts=0,
)
BODY = {
    *("Image", "Hostname", "Labels", "Env", "ExposedPorts", "StopTimeout", "HostConfig", "Entrypoint", "Cmd", "User"),
    *("NetworkingConfig", "Healthcheck"),
}
OF_THE_SPEC = {
    *("Memory", "MemorySwap", "Mounts", "NanoCpus", "NetworkMode", "PortBindings", "ReadonlyRootfs", "ShmSize"),
    *("Tmpfs", "Dns", "Ulimits"),
}
"""The only parts of HostConfig in which two containers may differ."""


def told(spec: ContainerSpec, confinement: Confinement = USUAL) -> dict[str, Any]:
    return host_config(spec, confinement)


def golden(config: dict[str, Any]) -> str:
    options = ["seccomp=..." if each.startswith("seccomp=") else each for each in config["SecurityOpt"]]
    return json.dumps({**config, "SecurityOpt": options}, indent=2) + "\n"


def test_i03_host_config__of_a_workload__is_the_golden_file() -> None:
    assert golden(told(WEB)) == GOLDEN.read_text()


@MANY_VALUES
@given(manifests())
def test_i01_i03_host_config__of_any_manifest__is_within_the_allowed_set(manifest: Manifest) -> None:
    usual = told(WEB)
    for group in manifest.groups:
        for spec in desired_lease(IDENTITY, LEASE, manifest, group.name, VERSION).containers:
            body = container_config(spec, None, 10)
            config = body["HostConfig"]

            assert body.keys() <= BODY
            assert config.keys() == usual.keys()
            assert {key for key in config if config[key] != usual[key]} <= OF_THE_SPEC
            assert config["Memory"] == config["MemorySwap"] == spec.memory_bytes
            assert {mount["Type"] for mount in config["Mounts"]} <= {"volume"}
            assert config["Dns"] == ["127.0.0.1"]
            assert [each["Name"] for each in config["Ulimits"]] == ["core", "fsize", "nofile"]
            assert config["NetworkMode"].startswith("mn-")


def test_host_config__engine_with_quotas__limits_layer_and_volumes() -> None:
    spec = replace(WEB, layer_bytes=5 * 10**8, mounts=(VolumeMount("mv-a", "/data", 10**8), VolumeMount("mv-b", "/b")))

    config = told(spec, Confinement(limits_layers=True, limits_volumes=True))

    assert config["StorageOpt"] == {"size": "500000000"}
    drivers = [mount["VolumeOptions"]["DriverConfig"] for mount in config["Mounts"]]
    assert drivers == [{"Name": "local", "Options": {"size": size}} for size in ("100000000", "1048576")]
    assert "StorageOpt" not in told(replace(spec, is_read_only=True), Confinement(limits_layers=True))


def test_host_config__no_disk_at_all__is_not_taken_for_no_limit() -> None:
    assert told(replace(WEB, layer_bytes=0), Confinement(limits_layers=True))["StorageOpt"] == {"size": "1048576"}


def test_host_config__runtime_is_set__is_for_tenants_containers_alone() -> None:
    ours = replace(WEB, labels=(*WEB.labels, (ROLE_LABEL, "gateway")))

    assert told(WEB, Confinement(runtime="runsc"))["Runtime"] == "runsc"
    assert "Runtime" not in told(ours, Confinement(runtime="runsc"))


def test_host_config__name_servers_of_an_egress_policy__are_asked_in_place_of_nobody() -> None:
    assert told(replace(WEB, name_servers=("192.0.2.53",)))["Dns"] == ["192.0.2.53"]


def test_i03_profile__any__denies_what_it_does_not_name_and_rings_segments_and_tracing_are_not_in_it() -> None:
    profile = json.loads(seccomp.profile())

    named = [name for rule in profile["syscalls"] for name in rule["names"]]
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in profile["syscalls"] if rule["names"] != ["clone3"]} == {"SCMP_ACT_ALLOW"}
    assert len(seccomp.ALLOWED) == len(set(seccomp.ALLOWED))
    assert not {each for each in named if each.startswith("io_uring")}
    assert not {"ptrace", "modify_ldt", "bpf", "keyctl", "add_key", "userfaultfd", "unshare", "mount"} & set(named)
