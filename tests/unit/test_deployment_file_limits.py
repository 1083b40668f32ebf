"""How much a deployment file may ask of one datacenter: the limit of each kind, and one more with its position."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from moorage import deployment_file
from moorage.deployment_file import DeploymentFileError, DeploymentSpec


def load(text: str) -> DeploymentSpec:
    return deployment_file.load_text(text, Path("moorage.yml"))


def problems_of(text: str) -> list[str]:
    """Return what is wrong, each with the line of the file that it points at."""
    with pytest.raises(DeploymentFileError) as caught:
        load(text)
    lines = text.splitlines()
    return [f"{lines[problem.position.line or 0].strip()} {problem.message}" for problem in caught.value.problems]


def file_of(services: dict[str, list[str]], nodes: dict[str, int] | None = None, ports: str = "") -> str:
    """Return a file: service -> entries of expose, and how many nodes each has if not one."""
    lines = ['version: "0.1"', "services:"]
    for name, exposed in services.items():
        lines += [f"  {name}:", "    image: example/x:1"]
        lines += ["    expose:", *(f"      - {entry}" for entry in exposed)] if exposed else []
    lines += ["deployment:", "  datacenters:", "    dock:", "      region: local", "      profiles:"]
    lines += ["        small: {pricing: {max-price: 5}}", "  services:"]
    for name in services:
        lines.append(f"    {name}: {{dock: {{profile: small, nodes: {(nodes or {}).get(name, 1)}}}}}")
    return "\n".join([*lines, ""])


def published(ports: int) -> list[str]:
    return [f"{{port: {port}, to: {{global: true}}}}" for port in range(1, ports + 1)]


def opened_to(service: str, ports: int, first: int = 1_000) -> list[str]:
    return [f"{{port: {port}, to: {{service: {service}}}}}" for port in range(first, first + ports)]


def compiled(text: str) -> None:
    """Load and compile a file, which checks the manifest's limits too."""
    deployment_file.compile(load(text), seconds_per_block=Fraction(12), salt=b"\x01" * 32)


def test_load__64_connections_of_a_service__are_the_most() -> None:
    compiled(file_of({"web": opened_to("web", 64)}))

    assert problems_of(file_of({"web": opened_to("web", 65)})) == ["expose: 65 connections, at most 64 can be"]


def test_load__connections_of_one_port__are_counted_each() -> None:
    consumers = {f"c{number}": [] for number in range(33)}
    everyone = ", ".join(f"{{service: {name}}}" for name in consumers)
    entries = [f"{{port: {port}, to: [{everyone}]}}" for port in (1, 2)]

    assert problems_of(file_of({"web": entries, **consumers})) == ["expose: 66 connections, at most 64 can be"]


def test_i10_load__32_published_ports_of_a_service__are_the_most() -> None:
    compiled(file_of({"web": published(32) + opened_to("web", 32)}))

    assert problems_of(file_of({"web": published(33)})) == ["expose: 33 published ports, at most 32 can be"]


def test_load__64_services_in_a_datacenter__are_the_most() -> None:
    compiled(file_of({f"s{number}": [] for number in range(64)}))

    assert problems_of(file_of({f"s{number}": [] for number in range(65)})) == [
        "dock: 65 services in one datacenter, at most 64 can be"
    ]


def test_load__256_nodes_in_a_datacenter__are_the_most() -> None:
    compiled(file_of({"web": [], "db": []}, {"web": 200, "db": 56}))

    assert problems_of(file_of({"web": [], "db": []}, {"web": 200, "db": 57})) == [
        "dock: 257 nodes in one datacenter, at most 256 can be"
    ]


def test_load__more_nodes_of_one_service_than_a_datacenter_may_have__is_refused_there() -> None:
    compiled(file_of({"web": []}, {"web": 256}))

    (problem,) = problems_of(file_of({"web": []}, {"web": 257}))

    assert problem == "web: {dock: {profile: small, nodes: 257}} 257 is not a number of nodes, 1 to 256"


def test_load__256_connections_between_services_of_a_datacenter__are_the_most() -> None:
    servers = {f"s{number}": opened_to("web", 64) for number in range(4)}
    compiled(file_of({"web": published(1), **servers}))

    assert problems_of(file_of({"web": opened_to("s0", 1), **servers})) == [
        "dock: 257 connections between services in one datacenter, at most 256 can be"
    ]
