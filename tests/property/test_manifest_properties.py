"""Every manifest has one form, and no other bytes are a manifest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage import manifest
from moorage.manifest import Compute, Connection, Manifest, ManifestError, ManifestGroup, Workload
from moorage.workload_health import Health, HttpCheck
from moorage.workload_secrets import Credentials, Secret

MANY_VALUES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = st.sampled_from(["web", "db", "0", "a-b", "a" * 31])
BYTES = st.integers(1, 2**53 - 1)
COMPUTES = st.builds(
    Compute,
    milli_cpu=st.integers(1, 2**32 - 1),
    memory_bytes=BYTES,
    disk_bytes=st.integers(0, 2**53 - 1),
)

HEALTHS = st.one_of(
    [
        st.builds(
            Health,
            http=st.just(HttpCheck(path="/up?a=1", port=80)) if way == 0 else st.none(),
            tcp_port=st.integers(1, 65_535) if way == 1 else st.none(),
            command=st.just(("check", "$(id)")) if way == 2 else st.none(),
            interval_seconds=st.integers(1, 3_600),
            timeout_seconds=st.integers(1, 3_600),
            retries=st.integers(1, 20),
            start_seconds=st.integers(0, 3_600),
        )
        for way in range(3)
    ]
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    group_names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    groups = tuple(
        ManifestGroup(
            name=group_name,
            workloads=tuple(
                draw(_workloads(name, names[:index], names, group_names)) for index, name in enumerate(names)
            ),
        )
        for group_name in group_names
    )
    return Manifest(format="0.1", salt=draw(st.binary(min_size=32, max_size=32)).hex(), groups=groups)


def _workloads(name: str, earlier: list[str], names: list[str], group_names: list[str]) -> st.SearchStrategy[Workload]:
    subset = st.lists(st.sampled_from(earlier), unique=True) if earlier else st.just([])
    return st.builds(
        Workload,
        name=st.just(name),
        image=st.sampled_from(["nginx", "nginx:1.22", "r.example:5000/a/b@sha256:" + "ab" * 32]),
        command=st.none() | st.lists(TEXT, min_size=1, max_size=2).map(tuple),
        args=st.lists(TEXT, max_size=2).map(tuple),
        env=st.dictionaries(st.sampled_from(["A", "_", "a.b-c", "A1"]), TEXT, max_size=2),
        user=st.none() | st.just("1000:1000"),
        read_only=st.booleans(),
        resource_group=st.integers(0, 7),
        compute=COMPUTES,
        count=st.integers(1, manifest.MAX_CONTAINERS // 2),
        depends_on=subset.map(tuple),
        connections=st.lists(_connections(names, group_names), max_size=3, unique_by=lambda each: each.port).map(tuple),
        health=st.none() | HEALTHS,
        storage=st.just({}),
        host=st.just(()),
        secrets=st.dictionaries(
            st.sampled_from(["key", "a.b_c-"]), TEXT.map(lambda text: Secret(value=text)), max_size=2
        ),
        credentials=st.none() | st.just(Credentials(user="robot", password="p:w")),
        restart=st.sampled_from([msgspec.UNSET, "on-failure"]),
    )


def _connections(names: list[str], group_names: list[str]) -> st.SearchStrategy[Connection]:
    ports, protocols = st.integers(1, 65_535), st.sampled_from(["tcp", "http", "https"])
    everybody = st.builds(
        Connection, port=ports, protocol=protocols, workload=st.none(), datacenter=st.none(), is_global=st.just(True)
    )
    some = st.builds(
        Connection,
        port=ports,
        protocol=protocols,
        workload=st.sampled_from(names),
        datacenter=st.none() | st.sampled_from(group_names),
        is_global=st.booleans(),
    )
    return everybody | some


@MANY_VALUES
@given(manifests())
def test_manifest__encoded_and_decoded__is_the_same(wanted: Manifest) -> None:
    encoded = manifest.encode(wanted)

    assert manifest.decode(encoded) == wanted
    assert manifest.encode(manifest.decode(encoded)) == encoded


@MANY_VALUES
@given(manifests(), st.data())
def test_manifest__a_byte_changed__is_refused_or_another_manifest(wanted: Manifest, data: st.DataObject) -> None:
    encoded = bytearray(manifest.encode(wanted))
    index = data.draw(st.integers(0, len(encoded) - 1))
    encoded[index] ^= data.draw(st.integers(1, 255))

    try:
        found = manifest.decode(bytes(encoded))
    except ManifestError:
        return

    assert found != wanted
    assert manifest.encode(found) == bytes(encoded)


@MANY_VALUES
@given(manifests(), st.sampled_from([None, 1, " "]), st.booleans(), st.booleans())
def test_manifest__written_another_way__is_refused(
    wanted: Manifest, indent: int | str | None, is_sorted: bool, is_ascii: bool
) -> None:
    plain: Any = msgspec.to_builtins(wanted)
    other = json.dumps(plain, indent=indent, sort_keys=is_sorted, ensure_ascii=is_ascii).encode()

    try:
        manifest.decode(other)
    except ManifestError:
        return

    raise AssertionError("json.dumps writes spaces, so this is never the canonical form")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_manifest__any_bytes__are_refused(encoded: bytes) -> None:
    try:
        manifest.decode(encoded)
    except ManifestError:
        return

    raise AssertionError("random bytes are no manifest")
