"""The one canonical form of a manifest, and what a lease covers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moorage import manifest
from moorage.manifest import Compute, Connection, Manifest, ManifestError, ManifestGroup, Workload
from moorage.types import ComputeUnit, Group, ResourceGroup
from moorage.workload_health import Health, HttpCheck
from moorage.workload_secrets import Credentials, Secret

VECTORS = json.loads(Path(__file__).with_name("manifest_vectors.json").read_text("utf-8"))
EVERYBODY = Connection(port=80, protocol="http", workload=None, datacenter=None, is_global=True)
FROM_WEB = Connection(port=5432, protocol="tcp", workload="web", datacenter=None, is_global=False)
COMPUTE = Compute(milli_cpu=500, memory_bytes=256 * 2**20, disk_bytes=10**9)
HTTP = Health(
    http=HttpCheck(path="/up", port=80),
    tcp_port=None,
    command=None,
    interval_seconds=10,
    timeout_seconds=5,
    retries=3,
    start_seconds=0,
)


def workload(name: str = "web", **changes: Any) -> Workload:
    plain: dict[str, Any] = {
        "name": name,
        "image": "nginx:1.22",
        "command": None,
        "args": (),
        "env": {},
        "user": None,
        "read_only": False,
        "resource_group": 0,
        "compute": COMPUTE,
        "count": 1,
        "depends_on": (),
        "connections": (EVERYBODY,),
        "health": None,
        "storage": {},
        "host": (),
        "secrets": {},
        "credentials": None,
    }
    return Workload(**{**plain, **changes})


def manifest_of(
    *workloads: Workload, salt: str = "5a" * 32, others: dict[str, tuple[Workload, ...]] | None = None
) -> Manifest:
    """Return a manifest: these workloads in westcoast, and those of other groups by name."""
    groups = {"westcoast": workloads or (workload(),), **(others or {})}
    return Manifest(
        format="0.1",
        salt=salt,
        groups=tuple(ManifestGroup(name=name, workloads=members) for name, members in groups.items()),
    )


FULL = manifest_of(
    workload(
        command=("nginx", "-g", "daemon off;"),
        args=("--", "$(id)", ""),
        env={"GREETING": 'grüße \U0001f30a\n"', "_A.b-c": ""},
        user="1000:1000",
        read_only=True,
        count=20,
        depends_on=("db",),
        storage={"/data": 10**9},
        health=HTTP,
        host=("www.example.com",),
        secrets={"key": Secret(value="canary-of-a-secret")},
        credentials=Credentials(user="robot", password="canary-of-a-password"),
        restart="on-failure",
    ),
    workload("db", image="registry.example:5000/team/db@sha256:" + "ab" * 32, connections=(FROM_WEB,)),
    others={
        "eastcoast": (
            workload(
                connections=(
                    Connection(port=443, protocol="https", workload="db", datacenter="westcoast", is_global=True),
                    EVERYBODY,
                )
            ),
        )
    },
)
FULL_BYTES = manifest.encode(FULL)


def reason_of(encoded: bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        manifest.decode(encoded)
    return str(caught.value)


def reason_not_to_encode(*workloads: Workload, others: dict[str, tuple[Workload, ...]] | None = None) -> str:
    with pytest.raises(ManifestError) as caught:
        manifest.encode(manifest_of(*workloads, others=others))
    return str(caught.value)


def test_encode__every_field__comes_back() -> None:
    assert manifest.decode(FULL_BYTES) == FULL


def test_encode__keys__are_sorted_and_all_there() -> None:
    plain = json.loads(manifest.encode(manifest_of()))

    assert list(plain) == ["format", "groups", "salt"]
    assert list(plain["groups"][0]["workloads"][0]) == sorted({*workload().__struct_fields__} - {"restart"})
    assert plain["groups"][0]["workloads"][0]["connections"] == [
        {"datacenter": None, "global": True, "port": 80, "protocol": "http", "workload": None}
    ]


@pytest.mark.parametrize("value", ['"always"', '"never"', "null", '""', "true"])
def test_decode__restart_that_has_no_form_of_its_own__is_refused(value: str) -> None:
    encoded = FULL_BYTES.replace(b'"restart":"on-failure"', f'"restart":{value}'.encode())

    assert encoded != FULL_BYTES
    assert "restart" in reason_of(encoded)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_version_of__vector__is_the_sha256_of_its_canonical_bytes(vector: dict[str, str]) -> None:
    encoded = vector["canonical"].encode()

    assert manifest.encode(manifest.decode(encoded)) == encoded
    assert manifest.version_of(encoded).hex() == vector["version"]
    assert hashlib.sha256(encoded).hexdigest() == vector["version"]


def test_h01_decode__any_byte_flipped__is_refused_or_has_another_version() -> None:
    version = manifest.version_of(FULL_BYTES)
    accepted = 0
    for index in range(len(FULL_BYTES)):
        for bit in range(8):
            flipped = bytearray(FULL_BYTES)
            flipped[index] ^= 1 << bit
            assert manifest.version_of(bytes(flipped)) != version
            try:
                accepted += manifest.encode(manifest.decode(bytes(flipped))) == bytes(flipped)
            except ManifestError:
                continue

    assert accepted > 0  # a letter of a name or the salt: valid, and caught by the version alone


def test_h01_decode__cut_off_anywhere__is_refused() -> None:
    for length in range(len(FULL_BYTES)):
        reason_of(FULL_BYTES[:length])


def test_h02_version_of__same_content_with_another_salt__differs() -> None:
    one = manifest.encode(manifest_of(salt="00" * 32))
    other = manifest.encode(manifest_of(salt="01" * 32))

    assert manifest.version_of(one) != manifest.version_of(other)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"count":20', b'"count":20.0', "Expected `int`, got `float`"),
        (b'"count":20', b'"count":2e1', "Expected `int`, got `float`"),
        (b'"count":20', b'"count":020', "malformed"),
        (b'"count":20', b'"count":"20"', "Expected `int`, got `str`"),
        (b'"count":20', b'"count":true', "Expected `int`, got `bool`"),
        (b'"count":20', b'"count":20,"count":20', "not the canonical form"),
        (b'"count":20', b'"count": 20', "not the canonical form"),
        (b'"count":20', b'"count":0', "Expected `int` >= 1"),
        (b'"count":20', b'"count":257', "Expected `int` <= 256"),
        (b'"count":20', b'"count":' + b"9" * 5_000, "out of range"),
        (b'"disk_bytes":1000000000', b'"disk_bytes":9007199254740992', "Expected `int` <= 9007199254740991"),
        (b'"memory_bytes":268435456', b'"memory_bytes":0', "Expected `int` >= 1"),
        (b'"format":"0.1"', b'"format":"0.2"', "Invalid enum value"),
        (b'"format":"0.1",', b"", "missing required field `format`"),
        (b'"user":null', b'"user":null,"privileged":true', "unknown field `privileged`"),
        (b',"user":null', b"", "missing required field `user`"),
        (b'"health":null', b'"health":{}', "missing required field `http`"),
        (b'"path":"/up"', b'"path":"up"', "matching regex"),
        (b'"path":"/up"', b'"path":"/up\\n"', "matching regex"),
        (b'"path":"/up"', b'"path":"/ #"', "matching regex"),
        (b'"interval_seconds":10', b'"interval_seconds":0', "Expected `int` >= 1"),
        (b'"interval_seconds":10', b'"interval_seconds":1.5', "Expected `int`, got `float`"),
        (b'"timeout_seconds":5', b'"timeout_seconds":3601', "Expected `int` <= 3600"),
        (b'"retries":3', b'"retries":0', "Expected `int` >= 1"),
        (b'"start_seconds":0', b'"start_seconds":-1', "Expected `int` >= 0"),
        (b'"host":[]', b'"host":["a"]', "matching regex"),
        (b'"www.example.com"', b'"WWW.example.com"', "matching regex"),
        (b'"www.example.com"', b'"127.0.0.1"', "matching regex"),
        (b'"www.example.com"', b'"*.example.com"', "matching regex"),
        (b'"secrets":{"key"', b'"secrets":{"../key"', "matching regex"),
        (b'"secrets":{"key"', b'"secrets":{".key"', "matching regex"),
        (b'"secrets":{"key":{', b'"secrets":{"key":{"mode":1,', "unknown field `mode`"),
        (b'"user":"robot"', b'"user":"ro:bot"', "matching regex"),
        (b'"user":"robot"', b'"user":""', "matching regex"),
        (b'"read_only":true', b'"read_only":1', "Expected `bool`"),
        (b'"protocol":"tcp"', b'"protocol":"udp"', "Invalid enum value"),
        (b'"port":5432', b'"port":0', "Expected `int` >= 1"),
        (b'"port":5432', b'"port":65536', "Expected `int` <= 65535"),
        (b'"resource_group":0', b'"resource_group":8', "Expected `int` <= 7"),
        (b'"resource_group":0', b'"resource_group":-1', "Expected `int` >= 0"),
        (b"gr\xc3\xbc\xc3\x9fe", b"gr\\u00fc\\u00dfe", "not the canonical form"),
        (b"gr\xc3\xbc\xc3\x9fe", b"gr\\ud800", "malformed"),
        (b"gr\xc3\xbc\xc3\x9fe", b"gr\xff", "not a manifest"),
        (b'"salt":"5a', b'"salt":"5A', "matching regex"),
        (b'"salt":"5a', b'"salt":"', "matching regex"),
        (b'"storage":{"/data"', b'"storage":{"/../etc"', "matching regex"),
        (b'"storage":{"/data"', b'"storage":{"data"', "matching regex"),
        (b"nginx:1.22", b"http://nginx", "matching regex"),
        (b"nginx:1.22", b"nginx:1.22\\n", "matching regex"),
        (b'"_A.b-c"', b'"A=B"', "matching regex"),
        (b'"1000:1000"', b'"root; id"', "matching regex"),
    ],
)
def test_h03_decode__not_of_the_schema_or_not_canonical__is_refused(old: bytes, new: bytes, reason: str) -> None:
    assert old in FULL_BYTES

    assert reason in reason_of(FULL_BYTES.replace(old, new, 1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"health": msgspec.structs.replace(HTTP, http=None)}, "westcoast.web: health has 0 ways to check"),
        ({"health": msgspec.structs.replace(HTTP, tcp_port=80)}, "westcoast.web: health has 2 ways to check"),
        ({"health": msgspec.structs.replace(HTTP, http=None, command=("a\0",))}, "NUL character"),
        ({"health": msgspec.structs.replace(HTTP, http=None, command=())}, "length >= 1"),
        ({"host": ("a.example", "a.example")}, "westcoast: host given twice: a.example"),
        ({"host": ("a.example",), "connections": ()}, "has host names, but no http or https for everybody"),
        ({"host": tuple(f"a{index}.example" for index in range(17))}, "length <= 16"),
        ({"secrets": {f"k{index}": Secret(value="") for index in range(33)}}, "length <= 32"),
        ({"secrets": {"key": Secret(value="x" * 65_537)}}, "length <= 65536"),
        ({"secrets": {"key": Secret(value="")}, "storage": {"/run/secrets": 1}}, "where the secrets are"),
        ({"secrets": {"key": Secret(value="")}, "storage": {"/run/secrets/more": 1}}, "where the secrets are"),
        *(({"storage": {path: 1}}, "which is the kernel's") for path in ("/proc", "/sys/fs", "/dev", "/dev/shm")),
    ],
)
def test_encode__life_of_a_workload_that_cannot_be__is_refused(changes: dict[str, Any], reason: str) -> None:
    assert reason in reason_not_to_encode(workload(**changes))


def test_encode__storage_beside_the_secrets__is_taken() -> None:
    beside = workload(secrets={"key": Secret(value="")}, storage={"/run": 1, "/run/secrets-too": 1})

    assert manifest.decode(manifest.encode(manifest_of(beside))) == manifest_of(beside)


def test_h11_manifest__shown_as_text__holds_no_secret_and_no_password() -> None:
    assert "canary" not in f"{FULL!r} {FULL}"
    assert b"canary-of-a-secret" in FULL_BYTES  # the canary is one


def test_h11_decode__a_secret_that_is_not_text__is_refused_without_showing_it() -> None:
    odd = FULL_BYTES.replace(b'"canary-of-a-secret"', b'["canary-of-a-secret"]')

    assert "canary" not in reason_of(odd)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"\xef\xbb\xbf" + FULL_BYTES,
        FULL_BYTES + b"\n",
        FULL_BYTES + b"{}",
        b" " + FULL_BYTES,
    ],
)
def test_decode__another_document__is_refused(encoded: bytes) -> None:
    reason_of(encoded)


@pytest.mark.parametrize("opening", [b"[", b'{"groups":', b'{"x":'])
def test_decode__nested_a_hundred_thousand_times__is_refused(opening: bytes) -> None:
    reason_of(opening * 100_000)


def test_decode__an_unknown_key_of_a_megabyte__gives_a_short_reason() -> None:
    encoded = b'{"' + b"x" * 1_000_000 + b'":1}'

    assert len(reason_of(encoded)) < 600


def test_decode__more_than_a_mebibyte__is_refused() -> None:
    room = manifest.MAX_BYTES - len(manifest.encode(manifest_of(workload(env={"A": ""}))))
    largest = manifest.encode(manifest_of(workload(env={"A": "x" * room})))

    assert len(largest) == manifest.MAX_BYTES
    assert manifest.decode(largest)
    assert reason_of(largest + b" ") == "the manifest has 1048577 bytes, more than 1048576"


@pytest.mark.parametrize("name", ["", "a" * 33, "-a", "a-", "A", "a_b", "a.b", "a b", "ä", "\u0430", "a\n", "a\u202e"])
def test_encode__a_name_that_is_no_dns_label__is_refused(name: str) -> None:
    assert "matching regex" in reason_not_to_encode(workload(name))


@pytest.mark.parametrize("name", ["a", "0", "a" * 32, "a-b", "a--b"])
def test_encode__a_name_that_is_a_dns_label__is_taken(name: str) -> None:
    manifest.encode(manifest_of(workload(name)))


def test_encode__a_group_name__has_at_most_31_characters() -> None:
    manifest.encode(manifest_of(others={"a" * 31: (workload(),)}))

    assert "matching regex" in reason_not_to_encode(others={"a" * 32: (workload(),)})


@pytest.mark.parametrize(
    ("workloads", "reason"),
    [
        ((workload(), workload()), "westcoast: workload given twice: web"),
        ((workload(connections=(EVERYBODY, EVERYBODY)),), "westcoast.web: connection given twice"),
        (
            (workload(connections=(EVERYBODY, msgspec.structs.replace(EVERYBODY, protocol="tcp"))),),
            "westcoast.web: a port with two protocols",
        ),
        (
            (workload(connections=(msgspec.structs.replace(EVERYBODY, is_global=False),)),),
            "westcoast.web: port 80 is for nobody: no workload and not global to everybody",
        ),
        (
            (workload(connections=(msgspec.structs.replace(EVERYBODY, datacenter="westcoast"),)),),
            "westcoast.web: port 80 is for nobody: no workload and not global to everybody",
        ),
        (
            (workload("db", connections=(FROM_WEB,)),),
            "westcoast.db: port 5432 is for web, which is no workload",
        ),
        (
            (workload(connections=(msgspec.structs.replace(FROM_WEB, datacenter="mars"),)),),
            "westcoast.web: port 5432 is for mars, which is no group",
        ),
        ((workload(depends_on=("db",)),), "westcoast.web: depends on db, which is no workload of the group"),
        (
            (workload(depends_on=("db", "db")), workload("db")),
            "westcoast.web: dependency given twice: db",
        ),
        ((workload(depends_on=("web",)),), "westcoast: workloads depend on each other: web <- web"),
        (
            (workload(depends_on=("db",)), workload("db", depends_on=("web",))),
            "westcoast: workloads depend on each other: ",
        ),
        ((workload(command=()),), "westcoast.web: an empty command"),
        ((workload(args=("a\0b",)),), "westcoast.web: a NUL character can't be passed to a container"),
        ((workload(command=("\0",)),), "westcoast.web: a NUL character can't be passed to a container"),
        ((workload(env={"A": "\0"}),), "westcoast.web: a NUL character can't be passed to a container"),
        (
            (workload(storage={"/a": 10**9, "/b": 1}),),
            "westcoast.web: 1000000001 bytes of storage, but 1000000000 bytes of disk",
        ),
        ((workload(env={"A": "\ud800"}),), "cannot be written as canonical JSON: "),
        ((workload(args=(object(),)),), "cannot be written as canonical JSON: "),
        ((workload(count=1.5),), "not a manifest: Expected `int`, got `float`"),
        ((workload(count=2**53),), "cannot be written as canonical JSON: "),
    ],
)
def test_encode__a_contradiction__is_refused(workloads: tuple[Workload, ...], reason: str) -> None:
    assert reason_not_to_encode(*workloads).startswith(reason)


def test_encode__two_groups_of_one_name__is_refused() -> None:
    group = ManifestGroup(name="westcoast", workloads=(workload(),))

    with pytest.raises(ManifestError, match=r"^group given twice: westcoast$"):
        manifest.encode(Manifest(format="0.1", salt="00" * 32, groups=(group, group)))


@pytest.mark.parametrize("count", [0, 9])
def test_encode__not_1_to_8_groups__is_refused(count: int) -> None:
    groups = tuple(ManifestGroup(name=f"g{number}", workloads=(workload(),)) for number in range(count))

    with pytest.raises(ManifestError, match="Expected `array` of length"):
        manifest.encode(Manifest(format="0.1", salt="00" * 32, groups=groups))


def test_encode__a_group_without_workloads__is_refused() -> None:
    assert "Expected `array` of length >= 1" in reason_not_to_encode(others={"eastcoast": ()})


def opened_to(*consumers: str, ports: int = 1) -> tuple[Connection, ...]:
    """Return connections of each of these workloads to as many ports."""
    return tuple(
        msgspec.structs.replace(FROM_WEB, port=port, workload=consumer)
        for port in range(1_000, 1_000 + ports)
        for consumer in consumers
    )


def published(ports: int) -> tuple[Connection, ...]:
    return tuple(msgspec.structs.replace(EVERYBODY, port=port) for port in range(1, ports + 1))


def test_h30_encode__64_connections_of_a_workload__are_the_most() -> None:
    manifest.encode(manifest_of(workload(connections=opened_to("web", ports=64))))

    assert reason_not_to_encode(workload(connections=opened_to("web", ports=65))) == (
        "not a manifest: Expected `array` of length <= 64 - at `$.groups[0].workloads[0].connections`"
    )


def test_i10_encode__32_published_ports_of_a_workload__are_the_most() -> None:
    manifest.encode(manifest_of(workload(connections=published(32) + opened_to("web", ports=32))))

    assert reason_not_to_encode(workload(connections=published(33))) == (
        "westcoast.web: 33 published ports, at most 32 can be"
    )


def test_h30_encode__64_workloads_of_a_group__are_the_most() -> None:
    many = tuple(workload(f"w{number}") for number in range(65))
    manifest.encode(manifest_of(*many[:64], others={"eastcoast": many[:64]}))

    assert reason_not_to_encode(*many) == (
        "not a manifest: Expected `array` of length <= 64 - at `$.groups[0].workloads`"
    )


def test_h30_encode__256_containers_of_a_group__are_the_most() -> None:
    manifest.encode(manifest_of(workload(count=250), workload("db", count=6), others={"eastcoast": (workload(),)}))

    assert reason_not_to_encode(workload(count=250), workload("db", count=7)) == (
        "westcoast: 257 containers, at most 256 can be"
    )


def test_h30_encode__256_connections_between_workloads_of_a_group__are_the_most() -> None:
    servers = [workload(f"w{number}", connections=opened_to("web", "w0", ports=32)) for number in range(4)]
    one_more = workload(connections=(EVERYBODY, *opened_to("w0")))
    manifest.encode(manifest_of(workload(), *servers, others={"eastcoast": (one_more,)}))

    assert reason_not_to_encode(one_more, *servers) == (
        "westcoast: 257 connections between workloads, at most 256 can be"
    )


def test_h30_encode__one_port_and_consumer_in_two_datacenters__is_one_connection() -> None:
    twice = tuple(
        msgspec.structs.replace(each, datacenter=name, is_global=True)
        for each in opened_to("web", ports=32)
        for name in ("westcoast", "eastcoast")
    )

    servers = [workload(f"w{number}", connections=twice) for number in range(8)]

    manifest.encode(manifest_of(workload(), *servers, others={"eastcoast": (workload(),)}))


UNIT = ComputeUnit(COMPUTE.milli_cpu, COMPUTE.memory_bytes, COMPUTE.disk_bytes)
BIGGER_UNIT = ComputeUnit(1_000, 2**30, 0)


def lease_of(*resources: tuple[ComputeUnit, int], name: str = "westcoast") -> Group:
    return Group(name, 1, True, tuple(ResourceGroup(compute, 1, 1, count) for compute, count in resources))


def refusal(wanted: Manifest, leased: Group) -> str:
    with pytest.raises(ManifestError) as caught:
        manifest.check_against_lease(wanted, leased)
    return str(caught.value)


def test_h30_check_against_lease__all_of_it_or_less__is_covered() -> None:
    wanted = manifest_of(workload(count=2), workload("db", count=3))

    manifest.check_against_lease(wanted, lease_of((UNIT, 5)))
    manifest.check_against_lease(wanted, lease_of((UNIT, 6), (BIGGER_UNIT, 1)))


def test_h30_check_against_lease__one_unit_more__is_refused() -> None:
    wanted = manifest_of(workload(count=2), workload("db", count=3))

    assert refusal(wanted, lease_of((UNIT, 4))) == (
        "asks more than the lease: 5 units of resource group 0, leased are 4"
    )


def test_h30_check_against_lease__counts_of_each_resource_group__are_separate() -> None:
    bigger = Compute(milli_cpu=1_000, memory_bytes=2**30, disk_bytes=0)
    wanted = manifest_of(workload(count=2), workload("db", resource_group=1, compute=bigger, count=2))

    manifest.check_against_lease(wanted, lease_of((UNIT, 2), (BIGGER_UNIT, 2)))

    assert refusal(wanted, lease_of((UNIT, 3), (BIGGER_UNIT, 1))) == (
        "asks more than the lease: 2 units of resource group 1, leased are 1"
    )


@pytest.mark.parametrize("field", ["milli_cpu", "memory_bytes", "disk_bytes"])
@pytest.mark.parametrize("change", [1, -1])
def test_h30_check_against_lease__another_compute_unit__is_refused(field: str, change: int) -> None:
    compute = msgspec.structs.replace(COMPUTE, **{field: getattr(COMPUTE, field) + change})

    assert refusal(manifest_of(workload(compute=compute)), lease_of((UNIT, 1))).startswith(
        "asks more than the lease: web wants "
    )


def test_h30_check_against_lease__a_resource_group_that_is_not_leased__is_refused() -> None:
    assert refusal(manifest_of(workload(resource_group=1)), lease_of((UNIT, 9))) == (
        "asks more than the lease: web wants resource group 1, the lease has 1"
    )


def test_check_against_lease__another_group__is_refused() -> None:
    assert refusal(manifest_of(), lease_of((UNIT, 1), name="eastcoast")) == "the manifest has no group eastcoast"


def test_check_against_lease__what_other_groups_ask__is_not_counted() -> None:
    wanted = manifest_of(workload(), others={"eastcoast": (workload(count=9),)})

    manifest.check_against_lease(wanted, lease_of((UNIT, 1)))
