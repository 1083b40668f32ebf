"""Deployment files that are valid: what they say, and what they become on a chain."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from moorage import deployment_file, manifest
from moorage.deployment_file import Datacenter, DeploymentFileError, DeploymentSpec, Placement, Profile, Service
from moorage.manifest import Connection
from moorage.regions import mask_of
from moorage.types import ComputeUnit, Group, ResourceGroup
from moorage.workload_health import Health, HttpCheck
from moorage.workload_secrets import Credentials, Secret
from tests.factories.deployments import PARAMETERS

FILES = Path(__file__).with_name("deployment_files")
EXAMPLE = Path(__file__).parents[2] / "examples" / "webapp" / "moorage.yml"
SALT = bytes(range(32))
TOKEN = 10**18
MINIMAL = """\
version: "0.1"
services:
  web:
    image: nginx
deployment:
  datacenters:
    dock:
      region: local
      profiles:
        small:
          pricing: {max-price: 5}
  services:
    web:
      dock: {profile: small}
"""

# The same with a second datacenter, in which nothing is placed yet.
WITH_PIER = MINIMAL.replace("dock:\n      r", "dock: &dock\n      r").replace(
    "  services:\n", "    pier: *dock\n  services:\n"
)


def load_text(text: str) -> DeploymentSpec:
    return deployment_file.load_text(text, Path("moorage.yml"))


def messages_of(spec: DeploymentSpec, seconds_per_block: Fraction = Fraction(1)) -> list[str]:
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.compile(spec, seconds_per_block=seconds_per_block, salt=SALT)
    return [problem.message for problem in caught.value.problems]


def connection(port: int, protocol: manifest.Protocol, workload: str | None, is_global: bool) -> Connection:
    return Connection(port=port, protocol=protocol, workload=workload, datacenter=None, is_global=is_global)


def test_load__the_complete_file__gives_every_value() -> None:
    spec = deployment_file.load(FILES / "complete.yml")

    web, pool, db = spec.services
    assert web == Service(
        name="web",
        image="registry.example:5000/shop/web:2.1@sha256:" + "a" * 64,
        command=("nginx", "-g", "daemon off;"),
        args=("--port", "8080", "--ratio", "1.10", "--debug", "true"),
        env={
            "SIZE": "1.10",
            "DEBUG": "yes",
            "MODE": "0644",
            "TIME": "22:22",
            "DATE": "2018-03-01",
            "ON": "true",
            "EMPTY": "",
            "TEXT": "two\nlines\n",
        },
        user="1000:1000",
        read_only=True,
        storage={"/data": 10**9, "/var/cache": 5 * 10**8},
        connections=(connection(80, "http", None, True), connection(443, "https", None, True)),
        depends_on=("pool", "db"),
        health=Health(
            http=HttpCheck(path="/up", port=80),
            tcp_port=None,
            command=None,
            interval_seconds=30,
            timeout_seconds=2,
            retries=5,
            start_seconds=60,
        ),
        host=("www.shop.example", "shop.example"),
        secrets={"key": Secret(value="first\nsecond\n")},
        credentials=Credentials(user="robot", password="p:w"),
        restart="on-failure",
    )
    assert pool.health == Health(
        http=None, tcp_port=5432, command=None, interval_seconds=10, timeout_seconds=5, retries=3, start_seconds=0
    )
    assert (pool.restart, db.restart) == ("always", "always")
    assert (pool.user, pool.read_only, pool.command, pool.storage) == ("1000", False, None, {})
    assert db.connections == (
        connection(5432, "tcp", "pool", False),
        connection(5432, "tcp", "pool", True),
        connection(5432, "tcp", "db", True),
    )
    assert (spec.wait_duration_blocks, spec.wait_duration_seconds) == (None, 300)
    position = spec.position
    assert spec.datacenters == (
        Datacenter(
            name="west-coast",
            regions=mask_of("us-west"),
            persist=False,
            profiles=(
                Profile("front", ComputeUnit(500, 2**28, 2 * 10**9), Fraction(1, 4), Fraction(6), position),
                Profile("store", ComputeUnit(1_000, 10**10, 2**30), Fraction(10), Fraction(7_200), position),
            ),
            placements=(Placement("web", "front", 20), Placement("pool", "front", 10), Placement("db", "store", 1)),
            position=position,
        ),
        Datacenter(
            name="europe",
            regions=mask_of("europe"),
            persist=True,
            profiles=(Profile("store", ComputeUnit(1_500, 2**29, 2**30), Fraction(3), Fraction(100), position),),
            placements=(Placement("db", "store", 2),),
            position=position,
        ),
    )


def test_load__the_minimal_file__gives_the_documented_defaults() -> None:
    spec = load_text(MINIMAL)

    assert spec.wait_duration_seconds == 60
    assert spec.datacenters[0].persist
    assert spec.datacenters[0].placements == (Placement("web", "small", 1),)
    assert spec.datacenters[0].profiles == (
        Profile("small", ComputeUnit(1_000, 512 * 2**20, 2**30), Fraction(5), Fraction(5), spec.position),
    )


def test_load__second_names_of_the_sections__mean_the_same() -> None:
    spec = deployment_file.load(FILES / "second_names.yml")

    assert [datacenter.name for datacenter in spec.datacenters] == ["westcoast"]
    assert spec.datacenters[0].placements == (Placement("web", "web", 20), Placement("db", "web", 1))
    assert spec.datacenters[0].profiles[0].collateral == 5


@pytest.mark.parametrize(
    ("port", "protocol"), [("80", "http"), ("443", "https"), ("8080", "tcp"), ("80\n        proto: tcp", "tcp")]
)
def test_load__an_exposed_port__has_the_protocol_given_or_that_of_the_port(port: str, protocol: str) -> None:
    expose = f"    image: nginx\n    expose:\n      - port: {port}\n        to: {{global: true}}\n"

    spec = load_text(MINIMAL.replace("    image: nginx\n", expose))

    assert [each.protocol for each in spec.services[0].connections] == [protocol]


@pytest.mark.parametrize(
    ("lifetime", "tokens"), [("short", Fraction(5)), ("medium", Fraction(120)), ("long", Fraction(3_600))]
)
def test_load__a_lifetime__is_the_collateral_as_a_time_at_the_maximum_price(lifetime: str, tokens: Fraction) -> None:
    spec = load_text(MINIMAL.replace("{max-price: 5}", f"{{max-price: 5}}\n          qos: {{lifetime: {lifetime}}}"))

    assert spec.datacenters[0].profiles[0].collateral == tokens


@pytest.mark.parametrize(
    ("collateral", "tokens"),
    [("0", 0), ("7", 7), ("0.5", Fraction(1, 2)), ('"7"', 7), ("90s", Fraction(1, 8)), ("1d", 120)],
)
def test_load__a_collateral__is_tokens_or_a_time(collateral: str, tokens: Fraction) -> None:
    spec = load_text(MINIMAL.replace("max-price: 5", f"max-price: 5, collateral: {collateral}"))

    assert spec.datacenters[0].profiles[0].collateral == tokens


@pytest.mark.parametrize(
    ("written", "blocks", "seconds"), [("7", 7, 0), ("0", 0, 0), ("7s", None, 7), ("2h", None, 7_200)]
)
def test_load__a_wait_duration__is_blocks_or_a_time(written: str, blocks: int | None, seconds: int) -> None:
    spec = load_text(MINIMAL.replace("deployment:\n", f"deployment:\n  wait-duration: {written}\n"))

    assert (spec.wait_duration_blocks, spec.wait_duration_seconds) == (blocks, seconds)


def test_load__anchors_and_aliases__are_copies() -> None:
    spec = load_text(WITH_PIER.replace("{profile: small}", "&place {profile: small}\n      pier: *place"))

    assert [datacenter.name for datacenter in spec.datacenters] == ["dock", "pier"]
    assert spec.datacenters[0].profiles == spec.datacenters[1].profiles


def test_load__a_byte_order_mark_and_windows_lines__are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "moorage.yml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())

    assert deployment_file.load(path) == load_text(MINIMAL)


def test_load__json__is_yaml() -> None:
    text = (
        '{"version": "0.1", "services": {"web": {"image": "nginx"}}, "deployment": {'
        '"datacenters": {"dock": {"region": "local", "profiles": {"small": {"pricing": {"max-price": 5}}}}}, '
        '"services": {"web": {"dock": {"profile": "small"}}}}}'
    )

    assert load_text(text) == load_text(MINIMAL)


def test_compile__the_complete_file__gives_groups_for_the_chain() -> None:
    spec = deployment_file.load(FILES / "complete.yml")

    groups, wait_duration_blocks, _ = deployment_file.compile(spec, seconds_per_block=Fraction(12), salt=SALT)

    assert wait_duration_blocks == 25
    assert groups == (
        Group(
            "west-coast",
            mask_of("us-west"),
            False,
            (
                ResourceGroup(ComputeUnit(500, 2**28, 2 * 10**9), 833_333_333_333_333, 6 * TOKEN, 30),
                ResourceGroup(ComputeUnit(1_000, 10**10, 2**30), 33_333_333_333_333_333, 7_200 * TOKEN, 1),
            ),
        ),
        Group(
            "europe",
            mask_of("europe"),
            True,
            (ResourceGroup(ComputeUnit(1_500, 2**29, 2**30), TOKEN // 100, 100 * TOKEN, 2),),
        ),
    )


def test_compile__the_complete_file__gives_a_manifest_that_its_leases_cover() -> None:
    spec = deployment_file.load(FILES / "complete.yml")

    groups, _, compiled = deployment_file.compile(spec, seconds_per_block=Fraction(12), salt=SALT)

    assert compiled.salt == SALT.hex()
    assert manifest.decode(manifest.encode(compiled)) == compiled
    for group in groups:
        manifest.check_against_lease(compiled, group)
    west, europe = compiled.groups
    assert [(each.name, each.resource_group, each.count) for each in west.workloads] == [
        ("web", 0, 20),
        ("pool", 0, 10),
        ("db", 1, 1),
    ]
    web = spec.services[0]
    assert west.workloads[0].storage == {"/data": 10**9, "/var/cache": 5 * 10**8}
    assert (west.workloads[0].health, west.workloads[0].host) == (web.health, web.host)
    assert (west.workloads[0].secrets, west.workloads[0].credentials) == (web.secrets, web.credentials)
    assert [each.is_job for each in west.workloads] == [True, False, False]
    assert [(each.name, each.resource_group, each.count) for each in europe.workloads] == [("db", 0, 2)]


def test_compile__a_dependency_in_another_datacenter__is_not_waited_for() -> None:
    text = WITH_PIER.replace("  services:\n    web:", "  services:\n    db:\n      pier: {profile: small}\n    web:")
    text = text.replace("nginx\n", "nginx\n    depends-on: [db]\n  db:\n    image: postgres\n")

    _, _, compiled = deployment_file.compile(load_text(text), seconds_per_block=Fraction(1), salt=SALT)

    assert [(group.name, group.workloads[0].depends_on) for group in compiled.groups] == [("dock", ()), ("pier", ())]


def test_compile__another_salt__changes_the_manifest_only() -> None:
    spec = load_text(MINIMAL)

    one = deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=bytes(32))
    other = deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=SALT)

    assert one.groups == other.groups
    assert one.manifest != other.manifest


def test_compile__a_token_with_24_decimals__is_counted_in_its_base_units() -> None:
    parameters = replace(PARAMETERS, token_decimals=24)
    spec = load_text(MINIMAL)
    compiled = deployment_file.compile(spec, seconds_per_block=Fraction(36), salt=SALT, parameters=parameters)

    assert compiled.groups[0].resources[0].price_per_block == 5 * 10**22
    assert compiled.groups[0].resources[0].collateral == 5 * 10**24


def test_compile__a_price_of_nothing_per_block__is_refused() -> None:
    spec = load_text(MINIMAL.replace("max-price: 5", "max-price: 0.000000000000003599"))

    assert messages_of(spec) == ["max-price of profile 'small' is nothing per block"]


@pytest.mark.parametrize(("charge", "nodes"), [(2**80, 1), (2**81, 2), (2**88, 256)])
def test_compile__a_charge_of_more_than_80_bits__is_refused(charge: int, nodes: int) -> None:
    max_price = _decimal(Fraction(-(-charge // nodes) * 3_600, TOKEN))
    text = MINIMAL.replace("max-price: 5", f"max-price: {max_price}, collateral: 0")

    spec = load_text(text.replace("{profile: small}", f"{{profile: small, nodes: {nodes}}}"))

    assert messages_of(spec) == ["datacenter 'dock' costs more per block than an order may cost"]


def test_compile__the_largest_charge_and_collateral__are_taken() -> None:
    price = Fraction((2**80 - 1) * 3_600, TOKEN)
    collateral = Fraction(2**96 - 1, TOKEN)
    written = f"max-price: {_decimal(price)}, collateral: {_decimal(collateral)}"

    groups, _, _ = deployment_file.compile(
        load_text(MINIMAL.replace("max-price: 5", written)), seconds_per_block=Fraction(1), salt=SALT
    )

    assert groups[0].resources[0].price_per_block == 2**80 - 1
    assert groups[0].resources[0].collateral == 2**96 - 1


def _decimal(amount: Fraction) -> str:
    whole, part = divmod(int(amount * TOKEN), TOKEN)
    return f"{whole}.{part:018d}"


@pytest.mark.parametrize("nodes", [1, 2])
def test_compile__collateral_of_more_than_96_bits__is_refused(nodes: int) -> None:
    collateral = _decimal(Fraction(2**96 // nodes, TOKEN))
    text = MINIMAL.replace("max-price: 5", f"max-price: 5, collateral: {collateral}")

    spec = load_text(text.replace("{profile: small}", f"{{profile: small, nodes: {nodes}}}"))

    assert messages_of(spec) == ["datacenter 'dock' asks for more collateral than an order may hold"]


@pytest.mark.parametrize(
    ("pricing", "of_market", "problem"),
    [
        (
            "max-price: 0.0001, collateral: 1h",
            {"facilitator_tip": TOKEN // 10_000 + 1},
            "collateral of datacenter 'dock' is 0.0001, this market takes 0.000100000000000001 or more: "
            "raise pricing.collateral, or the max-price that it is a time of",
        ),
        (
            f"max-price: {(2**80 - 1) * 3_600 // TOKEN}, collateral: 2",
            {"collateral_interest_rate": TOKEN},
            "datacenter 'dock' costs more per block, with the interest on its collateral, than an order may cost",
        ),
        (
            "max-price: 36000000, collateral: 1",
            {"reconfirmation_period_blocks": 2**32 - 1},
            "two periods of datacenter 'dock' cost more than an order may hold",
        ),
    ],
)
def test_compile__what_the_exchange_of_a_market_refuses__is_refused_before(
    pricing: str, of_market: dict[str, int], problem: str
) -> None:
    spec = load_text(MINIMAL.replace("max-price: 5", pricing))
    parameters = replace(PARAMETERS, **of_market)

    deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=SALT)  # without a market nobody knows
    with pytest.raises(DeploymentFileError) as caught:
        deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=SALT, parameters=parameters)

    assert [each.message for each in caught.value.problems] == [problem]
    assert caught.value.problems[0].position.line > 1


def test_compile__collateral_of_exactly_the_tip__is_taken() -> None:
    spec = load_text(MINIMAL.replace("max-price: 5", "max-price: 0.0001, collateral: 1h"))
    parameters = replace(PARAMETERS, facilitator_tip=TOKEN // 10_000)

    deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=SALT, parameters=parameters)


def test_compile__a_wait_of_more_than_32_bits__is_refused() -> None:
    spec = load_text(MINIMAL.replace("deployment:\n", "deployment:\n  wait-duration: 4294967295s\n"))

    assert deployment_file.compile(spec, seconds_per_block=Fraction(1), salt=SALT).wait_duration_blocks == 2**32 - 1
    assert messages_of(spec, Fraction(1, 2)) == ["wait-duration is 8589934590 blocks, at most 4294967295 can be"]


def test_compile__a_manifest_of_more_than_a_mebibyte__is_refused() -> None:
    spec = load_text(WITH_PIER.replace("{profile: small}", "{profile: small}\n      pier: {profile: small}"))
    service = replace(spec.services[0], env={f"K{number}": "x" * 1_000 for number in range(900)})

    assert messages_of(replace(spec, services=(service,)))[0].startswith("the manifest has ")


def test_example__compiled__is_covered_by_its_leases() -> None:
    groups, wait_duration_blocks, compiled = deployment_file.compile(
        deployment_file.load(EXAMPLE), seconds_per_block=Fraction(1), salt=SALT
    )

    manifest.check_against_lease(compiled, groups[0])
    assert wait_duration_blocks == 10
    assert {each.name: [to.workload for to in each.connections] for each in compiled.groups[0].workloads} == {
        "front": [None],
        "app": ["front"],
        "cache": ["app"],
    }
