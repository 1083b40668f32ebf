"""Reads the datacenters: their profiles, what is placed on them, and whether services and placements fit together."""

from __future__ import annotations

from collections.abc import Iterator

from moorage import regions
from moorage.deployment_file.problems import quoted, suggestion
from moorage.deployment_file.profiles import read_profile
from moorage.deployment_file.reader import Reader
from moorage.deployment_file.spec import Datacenter, Placement, Service
from moorage.manifest import MAX_CONTAINERS, MAX_LINKS, MAX_RESOURCE_GROUPS, MAX_WORKLOADS, count_links

DATACENTERS = ("deployment", "datacenters")
PLACEMENTS = ("deployment", "services")
DEFAULT_NODES = 1


def read_datacenters(reader: Reader, services: tuple[Service, ...]) -> tuple[Datacenter, ...]:
    """Return the datacenters, and note in the reader what is wrong with them."""
    placements = list(_placements(reader))
    datacenters = tuple(
        _datacenter(reader, name, tuple(placement for datacenter, placement in placements if datacenter == name))
        for name in reader.map(*DATACENTERS)
    )
    if reader.get(*PLACEMENTS) is not None:
        _check_everything_is_placed(reader)
        _check_connections_meet(reader, services)
    for datacenter in datacenters:
        _check_limits(reader, services, datacenter)
        _check_storage(reader, services, datacenter)
    return datacenters


def _datacenter(reader: Reader, name: str, placements: tuple[Placement, ...]) -> Datacenter:
    path = (*DATACENTERS, name)
    profiles = [read_profile(reader, (*path, "profiles", profile)) for profile in reader.map(*path, "profiles")]
    used = {placement.profile for placement in placements}
    region = reader.get(*path, "region")
    return Datacenter(
        name=name,
        regions=regions.mask_of(region) if region else 0,
        persist=reader.get(*path, "persist") is not False,
        profiles=tuple(profile for profile in profiles if profile.name in used),
        placements=placements,
        position=reader.document.key_position(path),
    )


def _placements(reader: Reader) -> Iterator[tuple[str, Placement]]:
    """Yield each placement with the name of its datacenter; note unknown names."""
    services, datacenters = reader.map("services"), reader.map(*DATACENTERS)
    for service in reader.map(*PLACEMENTS):
        if services and service not in services:  # none at all has been told
            message = f"unknown service {quoted(service)}{suggestion(service, services)}"
            reader.refuse_key((*PLACEMENTS, service), message)
        for name in reader.map(*PLACEMENTS, service):
            if name in datacenters:
                yield from _placement(reader, service, name)
            else:
                message = f"unknown datacenter {quoted(name)}{suggestion(name, datacenters)}"
                reader.refuse_key((*PLACEMENTS, service, name), message)


def _placement(reader: Reader, service: str, datacenter: str) -> Iterator[tuple[str, Placement]]:
    path = (*PLACEMENTS, service, datacenter)
    profile, profiles = reader.get(*path, "profile"), reader.get(*DATACENTERS, datacenter, "profiles")
    if profile is None or profiles is None:
        return
    if profile not in profiles:
        message = f"datacenter {quoted(datacenter)} has no profile {quoted(profile)}{suggestion(profile, profiles)}"
        return reader.refuse((*path, "profile"), message)
    yield datacenter, Placement(service, profile, reader.get(*path, "nodes") or DEFAULT_NODES)


def _check_everything_is_placed(reader: Reader) -> None:
    for service in reader.map("services"):
        if not reader.has(*PLACEMENTS, service):
            message = f"service {quoted(service)} is placed nowhere: name a datacenter for it under deployment.services"
            reader.refuse_key(("services", service), message)
    in_use = {name for service in reader.map(*PLACEMENTS) for name in reader.map(*PLACEMENTS, service)}
    for name in reader.map(*DATACENTERS):
        if name not in in_use:
            reader.refuse_key((*DATACENTERS, name), f"nothing is placed in datacenter {quoted(name)}")


def _check_connections_meet(reader: Reader, services: tuple[Service, ...]) -> None:
    """Note connections that can never be made, because they stay in a datacenter that the two do not share."""
    for service in services:
        places = reader.map(*PLACEMENTS, service.name).keys()
        across = {(each.port, each.workload) for each in service.connections if each.is_global}
        for port, peer in {(each.port, each.workload) for each in service.connections} - across:
            peer_places = reader.map(*PLACEMENTS, str(peer)).keys()
            if places and peer_places and not places & peer_places:
                message = f"port {port} is for {quoted(peer)}, which runs in other datacenters only; add global: true"
                reader.refuse_key(("services", service.name, "expose"), message)


def _check_limits(reader: Reader, services: tuple[Service, ...], datacenter: Datacenter) -> None:
    path = (*DATACENTERS, datacenter.name)
    if len(datacenter.profiles) > MAX_RESOURCE_GROUPS:
        used = len(datacenter.profiles)
        message = f"{used} profiles are used in one datacenter, at most {MAX_RESOURCE_GROUPS} can be"
        reader.refuse_key((*path, "profiles"), message)
    links = {service.name: count_links(service.connections) for service in services}
    for number, what, limit in (
        (len(datacenter.placements), "services", MAX_WORKLOADS),
        (sum(placement.nodes for placement in datacenter.placements), "nodes", MAX_CONTAINERS),
        (
            sum(links.get(placement.service, 0) for placement in datacenter.placements),
            "connections between services",
            MAX_LINKS,
        ),
    ):
        if number > limit:
            reader.refuse_key(path, f"{number} {what} in one datacenter, at most {limit} can be")


def _check_storage(reader: Reader, services: tuple[Service, ...], datacenter: Datacenter) -> None:
    stored = {service.name: sum(service.storage.values()) for service in services}
    disks = {profile.name: profile.compute.disk_bytes for profile in datacenter.profiles}
    for placement in datacenter.placements:
        needed, disk = stored.get(placement.service, 0), disks[placement.profile]
        if needed > disk:
            profile = f"profile {quoted(placement.profile)} of datacenter {quoted(datacenter.name)}"
            message = f"{needed} bytes of storage, but {profile} has {disk} bytes of disk"
            reader.refuse_key(("services", placement.service, "storage"), message)
