"""Reads the services: what each runs, who may connect to it, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from moorage import units
from moorage.deployment_file.document import Path
from moorage.deployment_file.health import read_health
from moorage.deployment_file.private import read_credentials, read_secrets
from moorage.deployment_file.problems import quoted, suggestion
from moorage.deployment_file.reader import Reader
from moorage.deployment_file.spec import Service
from moorage.manifest import MAX_CONNECTIONS, MAX_PUBLISHED_PORTS, Connection, Protocol, count_published, taken_place

DEFAULT_PROTOCOLS: dict[int, Protocol] = {80: "http", 443: "https"}
"""All other ports are tcp."""


def read_services(reader: Reader) -> tuple[Service, ...]:
    """Return the services, and note in the reader what is wrong with them."""
    services = tuple(_service(reader, name) for name in reader.map("services"))
    for service in services:
        _check_limits(reader, service)
        _check_places(reader, service)
    _check_hosts(reader, services)
    _check_cycles(reader, services)
    return services


def _service(reader: Reader, name: str) -> Service:
    path = ("services", name)
    return Service(
        name=name,
        image=reader.get(*path, "image") or "",
        command=_words(reader, (*path, "command")) or None,
        args=_words(reader, (*path, "args")),
        env=_env(reader, (*path, "env")),
        user=reader.document.text((*path, "user")) if reader.get(*path, "user") is not None else None,
        read_only=bool(reader.get(*path, "read-only")),
        storage={key: _stored(reader, (*path, "storage", key)) for key in reader.map(*path, "storage")},
        connections=tuple(_connections(reader, (*path, "expose"))),
        depends_on=tuple(_dependencies(reader, (*path, "depends-on"))),
        health=read_health(reader, (*path, "health")),
        host=tuple(_hosts(reader, (*path, "host"))),
        secrets=read_secrets(reader, (*path, "secrets")),
        credentials=read_credentials(reader, (*path, "credentials")),
        restart=reader.get(*path, "restart") or "always",
    )


def _words(reader: Reader, path: Path) -> tuple[str, ...]:
    return tuple(
        reader.document.text((*path, index)) for index, word in enumerate(reader.list(*path)) if word is not None
    )


def _env(reader: Reader, path: Path) -> dict[str, str]:
    return {key: reader.document.text((*path, key)) for key, value in reader.map(*path).items() if value is not None}


def _stored(reader: Reader, path: Path) -> int:
    size_bytes = reader.number(path, units.parse_size, 1)
    if size_bytes == 0:
        reader.refuse(path, "storage has to be larger than 0 bytes")
    return size_bytes


def _connections(reader: Reader, path: Path) -> Iterator[Connection]:
    first_paths: dict[int, Path] = {}
    for index, entry in enumerate(reader.list(*path)):
        port = (entry or {}).get("port")
        if port is None:
            continue
        port_path = (*path, index, "port")
        if port in first_paths:
            first_line = reader.line(first_paths[port])
            reader.refuse(port_path, f"port {port} is exposed twice, first in line {first_line}")
            continue
        first_paths[port] = port_path
        protocol: Protocol = entry.get("proto") or DEFAULT_PROTOCOLS.get(port, "tcp")
        yield from _admitted(reader, (*path, index, "to"), port, protocol)


def _admitted(reader: Reader, path: Path, port: int, protocol: Protocol) -> Iterator[Connection]:
    """Yield a connection for each entry of `to`; a single map is a list of one."""
    to = reader.get(*path)
    paths = [path] if isinstance(to, dict) else [(*path, index) for index, _ in enumerate(to or [])]
    seen: set[Connection] = set()
    for entry_path in paths:
        connection = _connection(reader, entry_path, port, protocol)
        if connection in seen:
            reader.refuse(entry_path, "this is listed twice")
        elif connection is not None:
            seen.add(connection)
            yield connection


def _connection(reader: Reader, path: Path, port: int, protocol: Protocol) -> Connection | None:
    entry: dict[str, Any] | None = reader.get(*path)
    if entry is None or None in entry.values():
        return None  # reported already
    service, is_global = entry.get("service"), entry.get("global", False)
    if service is None and not is_global:
        reader.refuse(path, "this lets nobody connect: give a service, or global: true for everybody")
        return None
    if service is not None and not _is_known(reader, service, (*path, "service")):
        return None
    return Connection(port=port, protocol=protocol, workload=service, datacenter=None, is_global=is_global)


def _dependencies(reader: Reader, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for index, entry in enumerate(reader.list(*path)):
        entry_path: Path = (*path, index, "service") if isinstance(entry, dict) else (*path, index)
        service = reader.get(*entry_path)
        if service is None:
            continue
        if service in seen:
            reader.refuse(entry_path, f"{quoted(service)} is listed twice")
        elif _is_known(reader, service, entry_path):
            seen.add(service)
            yield service


def _hosts(reader: Reader, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for index, host in enumerate(reader.list(*path)):
        if host in seen:
            reader.refuse((*path, index), f"{quoted(host)} is listed twice")
        elif host is not None:
            seen.add(host)
            yield host


def _is_known(reader: Reader, service: str, path: Path) -> bool:
    services = reader.map("services")
    if service not in services:
        reader.refuse(path, f"unknown service {quoted(service)}{suggestion(service, services)}")
    return service in services


def _check_limits(reader: Reader, service: Service) -> None:
    path = ("services", service.name, "expose")
    if len(service.connections) > MAX_CONNECTIONS:
        reader.refuse_key(path, f"{len(service.connections)} connections, at most {MAX_CONNECTIONS} can be")
    published = count_published(service.connections)
    if published > MAX_PUBLISHED_PORTS:
        reader.refuse_key(path, f"{published} published ports, at most {MAX_PUBLISHED_PORTS} can be")


def _check_places(reader: Reader, service: Service) -> None:
    path = ("services", service.name)
    has_secrets = bool(reader.map(*path, "secrets"))  # not only those that are here
    for place in service.storage:
        if (taken := taken_place(place, has_secrets=has_secrets)) is not None:
            reader.refuse_key((*path, "storage", place), f"storage can't be in {taken}")
    is_web = any(each.workload is None and each.protocol != "tcp" for each in service.connections)
    if service.host and not is_web:
        reader.refuse_key(
            (*path, "host"), "nothing is served under these names: expose http or https with global: true"
        )


def _check_hosts(reader: Reader, services: tuple[Service, ...]) -> None:
    first: dict[str, str] = {}
    for service in services:
        for index, host in enumerate(reader.list("services", service.name, "host")):
            if host is not None and first.setdefault(host, service.name) != service.name:
                path = ("services", service.name, "host", index)
                reader.refuse(path, f"{quoted(host)} is a name of {quoted(first[host])} already")


def _check_cycles(reader: Reader, services: tuple[Service, ...]) -> None:
    """Note each circle of dependencies, and go on without the last service that is in it."""
    depends_on = {service.name: service.depends_on for service in services}
    while True:
        try:
            return TopologicalSorter(depends_on).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]
            path = " -> ".join(circle)
            reader.refuse_key(("services", circle[0], "depends-on"), f"the services wait for each other: {path}")
            del depends_on[circle[0]]
