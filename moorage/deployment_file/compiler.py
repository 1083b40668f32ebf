"""Compiles a valid deployment file into what goes on chain (groups) and what goes to the providers (manifest)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from msgspec import UNSET

from moorage import manifest, units
from moorage.deployment_file.problems import DeploymentFileError, Problem, quoted
from moorage.deployment_file.spec import Datacenter, DeploymentSpec, Profile, Service
from moorage.types import LEDGER_DECIMALS, MAX_BLOCKS, MAX_MONEY, Group, Parameters, ResourceGroup

MAX_CHARGE = 2**80 - 1
"""Ledger units per block that one order may cost."""


class CompiledDeployment(NamedTuple):
    """What `submit_deployment` needs, and the manifest whose version it needs."""

    groups: tuple[Group, ...]
    wait_duration_blocks: int
    manifest: manifest.Manifest


def compile(
    spec: DeploymentSpec, *, seconds_per_block: Fraction, salt: bytes, parameters: Parameters | None = None
) -> CompiledDeployment:
    """Compile a deployment for a chain. The same arguments always give the same result.

    Args:
        spec: a loaded deployment file.
        seconds_per_block: of the chain.
        salt: 32 random bytes, new for each manifest.
        parameters: of the market; None: what only a market says is not checked, its token has 18 decimals.

    Raises:
        DeploymentFileError: the exchange would refuse it (terms.vy), or a manifest of more than 1 MiB.
    """
    token_decimals = parameters.token_decimals if parameters is not None else LEDGER_DECIMALS
    groups = tuple(_group(datacenter, seconds_per_block, token_decimals) for datacenter in spec.datacenters)
    wait_duration_blocks = _wait_duration_blocks(spec, seconds_per_block)
    pairs = list(zip(spec.datacenters, groups, strict=True))
    problems = [problem for pair in pairs for problem in _beyond(*pair)]
    if parameters is not None and not problems:
        problems = [problem for pair in pairs for problem in _refused(*pair, parameters)]
    if wait_duration_blocks > MAX_BLOCKS:
        message = f"wait-duration is {wait_duration_blocks} blocks, at most {MAX_BLOCKS} can be"
        problems.append(Problem(spec.position, message))
    if problems:
        raise DeploymentFileError(problems)
    return CompiledDeployment(groups, wait_duration_blocks, _manifest(spec, salt))


def _group(datacenter: Datacenter, seconds_per_block: Fraction, token_decimals: int) -> Group:
    nodes: Counter[str] = Counter()
    for placement in datacenter.placements:
        nodes[placement.profile] += placement.nodes
    resources = tuple(
        ResourceGroup(
            compute=profile.compute,
            price_per_block=units.price_per_block(profile.max_price, seconds_per_block, token_decimals),
            collateral=units.collateral_ledger_units(profile.collateral, token_decimals),
            count=nodes[profile.name],
        )
        for profile in datacenter.profiles
    )
    return Group(datacenter.name, datacenter.regions, datacenter.persist, resources)


def _wait_duration_blocks(spec: DeploymentSpec, seconds_per_block: Fraction) -> int:
    if spec.wait_duration_blocks is not None:
        return spec.wait_duration_blocks
    return units.to_blocks(spec.wait_duration_seconds, seconds_per_block)


def _beyond(datacenter: Datacenter, group: Group) -> Iterator[Problem]:
    """Yield what every exchange would refuse."""
    for profile, resource in zip(datacenter.profiles, group.resources, strict=True):
        if resource.price_per_block == 0:
            yield Problem(profile.position, f"max-price of profile {quoted(profile.name)} is nothing per block")
    shown = f"datacenter {quoted(datacenter.name)}"
    if sum(resource.price_per_block * resource.count for resource in group.resources) > MAX_CHARGE:
        yield Problem(datacenter.position, f"{shown} costs more per block than an order may cost")
    if sum(resource.collateral * resource.count for resource in group.resources) > MAX_MONEY:
        yield Problem(datacenter.position, f"{shown} asks for more collateral than an order may hold")


def _refused(datacenter: Datacenter, group: Group, parameters: Parameters) -> Iterator[Problem]:
    """Yield what this exchange would refuse: a tip is taken from the collateral, interest on it is part of the charge,
    and the deposit pays for two periods."""
    from moorage import terms  # imported here: who has a market's parameters has what encodes its terms, too

    shown, first = f"datacenter {quoted(datacenter.name)}", datacenter.profiles[0].position
    tip, held = parameters.facilitator_tip, terms.collateral(group)
    if held < tip:
        least, has = (units.format_amount(amount, parameters.token_decimals) for amount in (tip, held))
        advice = "raise pricing.collateral, or the max-price that it is a time of"
        yield Problem(first, f"collateral of {shown} is {has}, this market takes {least} or more: {advice}")
    if terms.max_charge(group, parameters) > MAX_CHARGE:
        text = f"{shown} costs more per block, with the interest on its collateral, than an order may cost"
        yield Problem(datacenter.position, text)
    elif terms.minimum_deposit(group, parameters) > MAX_MONEY:
        yield Problem(datacenter.position, f"two periods of {shown} cost more than an order may hold")


def _manifest(spec: DeploymentSpec, salt: bytes) -> manifest.Manifest:
    services = {service.name: service for service in spec.services}
    groups = tuple(_manifest_group(datacenter, services) for datacenter in spec.datacenters)
    compiled = manifest.Manifest(format="0.1", salt=salt.hex(), groups=groups)
    try:
        manifest.encode(compiled)
    except manifest.ManifestError as error:
        raise DeploymentFileError([Problem(spec.position, str(error))]) from error
    return compiled


def _manifest_group(datacenter: Datacenter, services: dict[str, Service]) -> manifest.ManifestGroup:
    profiles = {profile.name: (index, profile) for index, profile in enumerate(datacenter.profiles)}
    here = {placement.service for placement in datacenter.placements}
    workloads = tuple(
        _workload(services[placement.service], *profiles[placement.profile], placement.nodes, here)
        for placement in datacenter.placements
    )
    return manifest.ManifestGroup(name=datacenter.name, workloads=workloads)


def _workload(service: Service, resource_group: int, profile: Profile, nodes: int, here: set[str]) -> manifest.Workload:
    return manifest.Workload(
        name=service.name,
        image=service.image,
        command=service.command,
        args=service.args,
        env=service.env,
        user=service.user,
        read_only=service.read_only,
        resource_group=resource_group,
        compute=manifest.Compute(
            milli_cpu=profile.compute.milli_cpu,
            memory_bytes=profile.compute.memory_bytes,
            disk_bytes=profile.compute.disk_bytes,
        ),
        count=nodes,
        depends_on=tuple(name for name in service.depends_on if name in here),  # no order across providers
        connections=service.connections,
        health=service.health,
        storage=service.storage,
        host=service.host,
        secrets=service.secrets,
        credentials=service.credentials,
        restart="on-failure" if service.restart == "on-failure" else UNSET,
    )
