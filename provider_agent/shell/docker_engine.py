"""The engine interface on Docker, through aiodocker and version 1.41 of the Docker Engine API.

Nothing is remembered between calls. Every call has a time limit, and "it is not there" is success when something is
removed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import aiodocker
import structlog

from moorage.types import OrderId
from moorage.workload_secrets import DIRECTORY
from provider_agent.core.containers import (
    HEALTH_LABEL,
    Attachment,
    Bind,
    ContainerSpec,
    Labels,
    NetworkKind,
    NetworkSpec,
    Observed,
    ObservedContainer,
    ObservedVolume,
    sorted_labels,
)
from provider_agent.core.lease_names import LEASE_LABEL
from provider_agent.core.log_frames import FrameReader, OutputLine
from provider_agent.shell.docker_calls import answering, docker_at, ignoring, port_taken, reason, refusing
from provider_agent.shell.docker_config import Json, container_config, endpoint_config, network_config
from provider_agent.shell.docker_events import CHANGES, listening
from provider_agent.shell.docker_state import (
    is_as_specified,
    network_names,
    network_subnets,
    observed_container,
    observed_network,
)
from provider_agent.shell.docker_streams import read_logs, running_exec
from provider_agent.shell.engine import (
    EngineRefused,
    EngineUnavailable,
    Exec,
    ExecSpec,
    ImageNotFound,
    LogRange,
    NameConflict,
)
from provider_agent.shell.host_config import USUAL, Confinement, bind_mount
from provider_agent.shell.past_logs import KEPT_LINES, PastLogs, with_past
from provider_agent.shell.secret_files import SecretDirectory, SecretFilesError
from provider_agent.shell.subnets import free_subnets

DEFAULT_POOL = IPv4Network("10.224.0.0/12")
MAX_SUBNET_ATTEMPTS = 64
RUN_DIGITS = 12
"""Of a container's id; enough to tell one from those of the same name before it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How an agent uses its engine."""

    network_pool: IPv4Network = DEFAULT_POOL
    """Private addresses for networks; no route of the host may lead into it."""
    call_seconds: int = 60
    stop_seconds: int = 10
    """What a container has to finish before it is killed."""
    confinement: Confinement = USUAL
    secrets: SecretDirectory | None = None
    """None: containers with secrets are refused."""
    past: PastLogs | None = None
    """None: what a container wrote goes with it."""
    egress_fault: Callable[[], str | None] = lambda: "the host has no firewall of this provider"
    """Tells why nothing that leads out may be started; None: it may."""


class DockerEngine:
    """One provider's share of a Docker engine."""

    def __init__(self, docker: aiodocker.Docker, owner: Labels, options: DockerOptions) -> None:
        self._docker = docker
        self._owner = owner
        self._options = options

    def confine(self, confinement: Confinement) -> None:
        """Have containers that are made from now on confined like this."""
        self._options = replace(self._options, confinement=confinement)

    async def observe(self, lease: OrderId | None = None, told: Collection[OrderId] = ()) -> Observed:
        closely = {each.hex() for each in (*told, *([lease] if lease is not None else []))}
        labels = [*self._owner, *([(LEASE_LABEL, lease.hex())] if lease is not None else [])]
        filters = {"filters": json.dumps({"label": _written(labels)})}
        with refusing(EngineUnavailable):  # without a complete list nothing is known
            containers = await self._call("GET", "containers/json", {**filters, "all": "true"})
            networks = await self._call("GET", "networks", filters)
            volumes = await self._call("GET", "volumes", filters)
            seen = [await self._observe_container(each, closely) for each in containers]
        return Observed(
            tuple(sorted((each for each in seen if each is not None), key=lambda each: each.name)),
            tuple(found for each in networks if (found := observed_network(each)) is not None),
            tuple(ObservedVolume(each["Name"], sorted_labels(each["Labels"])) for each in volumes["Volumes"] or ()),
        )

    async def changes(self) -> AsyncGenerator[str | None, None]:
        filters = {"type": ["container"], "event": CHANGES, "label": _written(self._owner)}
        async with listening(self._docker, filters, self._options.call_seconds) as lines:
            yield None
            async for line in lines:
                event = json.loads(line)
                yield event["Actor"]["Attributes"].get(LEASE_LABEL, "")

    async def ensure_network(self, spec: NetworkSpec) -> None:
        self._check_firewall(spec.kind is NetworkKind.EGRESS)
        with refusing():
            found = await self._own(f"networks/{spec.name}")
            if found is not None and observed_network(found) is None:
                await self.remove_network(spec.name)
                found = None
            if found is None:
                await self._create_network(spec)

    async def ensure_image(self, image: str) -> None:
        with refusing():
            if not await self.has_image(image):
                raise ImageNotFound(f"image {image} was not found on the engine")

    async def has_image(self, image: str) -> bool:
        with refusing(), ignoring(HTTPStatus.NOT_FOUND):
            await self._call("GET", f"images/{image}/json")
            return True
        return False

    async def ensure_container(self, spec: ContainerSpec) -> None:
        self._check_firewall(spec.is_let_out)
        with refusing():
            await self.ensure_image(spec.image)
            found = await self._own(f"containers/{spec.name}/json")
            if found is not None and not is_as_specified(found, spec):
                await self.remove_container(spec.name)
                found = None
            secrets = await self._deliver(spec)
            try:
                if found is None:
                    found = await self._create_container(spec, secrets)
                await self._connect(found, spec)
                await self._call("POST", f"containers/{found['Id']}/start")
            except aiodocker.DockerError as error:
                if found is None or not found["State"]["Running"]:
                    await self.remove_container(spec.name)  # the next attempt begins anew, whatever is wrong with this
                if (taken := port_taken(error)) is not None:
                    raise taken from error
                raise

    async def stop_container(self, name: str) -> None:
        with refusing():
            found = await self._own(f"containers/{name}/json")
            if found is not None:
                await self._stop(found["Id"], self._options.stop_seconds)

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        with refusing():
            found = await self._own(f"containers/{name}/json")
            if found is not None:
                await self._stop(found["Id"], 0 if at_once else self._options.stop_seconds)
                if self._options.past is not None:
                    lines = self._log(found["Id"], LogRange(tail=KEPT_LINES))
                    await self._options.past.keep(name, found["Id"][:RUN_DIGITS], lines)
                with ignoring(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):  # gone, or being removed
                    await self._call("DELETE", f"containers/{found['Id']}", {"force": "true", "v": "true"})
            if self._options.secrets is not None:
                await asyncio.to_thread(self._options.secrets.remove, name)

    async def remove_network(self, name: str) -> None:
        with refusing():
            found = await self._own(f"networks/{name}")
            if found is None:
                return
            for member in found["Containers"] or ():
                await self._disconnect(found["Id"], member)
            with ignoring(HTTPStatus.NOT_FOUND):
                await self._call("DELETE", f"networks/{found['Id']}")

    async def remove_volume(self, name: str) -> None:
        with refusing():
            if await self._own(f"volumes/{name}") is not None:
                with ignoring(HTTPStatus.NOT_FOUND):
                    await self._call("DELETE", f"volumes/{name}")

    async def logs(self, name: str, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        with refusing():
            found = await self._own(f"containers/{name}/json")
        container = found["Id"] if found is not None else ""
        past, now = self._options.past, partial(self._log, container)
        if past is None or not await past.has(name):
            lines = now(wanted)
        else:
            room = await self._room(container, wanted.tail) if wanted.tail else 0
            lines = with_past(partial(past.read, name, container[:RUN_DIGITS]), now, room, wanted)
        async with aclosing(lines):
            async for line in lines:
                yield line

    async def kept_logs(self, lease: OrderId) -> frozenset[str]:
        return await self._options.past.containers(lease) if self._options.past is not None else frozenset()

    async def forget_logs(self, lease: OrderId, but_for: Collection[str] = ()) -> None:
        if self._options.past is not None:
            await self._options.past.forget(lease, but_for)

    @asynccontextmanager
    async def exec(self, name: str, spec: ExecSpec) -> AsyncIterator[Exec]:
        with refusing():
            found = await self._own(f"containers/{name}/json")
            if found is None:
                raise EngineRefused("the container is gone")
            async with running_exec(self._docker, found["Id"], spec, self._options.call_seconds) as running:
                yield running

    async def _log(
        self, container: str, wanted: LogRange, reader: FrameReader | None = None
    ) -> AsyncGenerator[OutputLine, None]:
        """Yield the engine's own log of a container; nothing if its id is empty."""
        if not container:
            return
        seconds = self._options.call_seconds
        with refusing(), ignoring(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):  # gone, or being removed
            async with aclosing(read_logs(self._docker, container, wanted, seconds, reader or FrameReader())) as lines:
                async for line in lines:
                    yield line

    async def _room(self, container: str, tail: int) -> int:
        """Return how many of the last lines were written before a container's log begins."""
        reader, count = FrameReader(), 0
        async with aclosing(self._log(container, LogRange(tail=tail), reader)) as lines:
            async for _ in lines:
                count += 1
        return tail - count if reader.frames < tail else 0

    async def _observe_container(self, listed: Json, closely: Collection[str]) -> ObservedContainer | None:
        """Complete an entry of the list; None if the container has gone meanwhile, or only its name has.

        The engine tells of a death before its list has it: who was told looks closely, at the container itself. One
        that the engine does not show, as it may not while it is being removed, is what the list says.
        """
        if not listed["Names"]:
            return None
        is_told, is_checked = listed["Labels"].get(LEASE_LABEL) in closely, HEALTH_LABEL in listed["Labels"]
        if listed["State"] in ("running", "created") and not is_told and not is_checked:
            return observed_container(listed, None)
        try:
            inspected = await self._call("GET", f"containers/{listed['Id']}/json")
        except aiodocker.DockerError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            log.warning("container not shown by the engine", id=listed["Id"], reason=reason(error))
            return observed_container(listed, None)
        return observed_container({**listed, "State": inspected["State"]["Status"]}, inspected)

    def _check_firewall(self, is_let_out: bool) -> None:
        if is_let_out and (fault := self._options.egress_fault()) is not None:
            raise EngineRefused(f"not started, as the rules that keep it from its host are not in place: {fault}")

    async def _stop(self, container: str, seconds: int) -> None:
        with ignoring(HTTPStatus.NOT_FOUND):
            await self._call("POST", f"containers/{container}/stop", {"t": str(seconds)}, wait=seconds)

    async def _own(self, path: str) -> Json | None:
        """Return an object of this provider, or None if there is none.

        Raises:
            NameConflict: it is somebody else's.
        """
        try:
            found: Json = await self._call("GET", path)
        except aiodocker.DockerError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        labels = found["Config"]["Labels"] if "Config" in found else found["Labels"]
        if not set(self._owner) <= set((labels or {}).items()):
            raise NameConflict(f"the name of {path} is taken by something else")
        return found

    async def _create_network(self, spec: NetworkSpec) -> None:
        """Create a network on the first free subnet; an engine may know of others that it does not list."""
        taken = [subnet for each in await self._call("GET", "networks") for subnet in network_subnets(each)]
        candidates = free_subnets(self._options.network_pool, spec.capacity, taken, spec.name)
        for _, subnet in zip(range(MAX_SUBNET_ATTEMPTS), candidates, strict=False):
            try:
                await self._call("POST", "networks/create", body=network_config(spec, subnet, self._owner))
                return
            except aiodocker.DockerError as error:
                if "overlaps" not in error.message:
                    raise
        raise EngineRefused("no free addresses for a network")

    async def _deliver(self, spec: ContainerSpec) -> tuple[Bind, ...]:
        """Deliver a container's secrets: before each start, as what holds them forgets when the host is started."""
        if spec.secrets is None:
            return ()
        if self._options.secrets is None:
            raise EngineRefused("this provider does not deliver secrets")
        try:
            place = await asyncio.to_thread(self._options.secrets.put, spec.name, spec.secrets)
        except SecretFilesError as error:
            raise EngineRefused(str(error)) from error
        return (Bind(str(place), DIRECTORY, is_read_only=True),)

    async def _create_container(self, spec: ContainerSpec, secrets: tuple[Bind, ...]) -> Json:
        first = spec.attachments[0] if spec.attachments else None
        address = await self._address(first) if first is not None else None
        body = container_config(spec, address, self._options.stop_seconds, self._options.confinement)
        body["HostConfig"]["Mounts"].extend(map(bind_mount, secrets))
        created = await self._call("POST", "containers/create", {"name": spec.name}, body)
        found: Json = await self._call("GET", f"containers/{created['Id']}/json")
        return found

    async def _connect(self, found: Json, spec: ContainerSpec) -> None:
        """Put a container on the networks that it shall be on, and on no other."""
        present = network_names(found)
        wanted = {attachment.network: attachment for attachment in spec.attachments}
        for network in sorted(present - wanted.keys()):
            await self._disconnect(network, found["Id"])
        for network in sorted(wanted.keys() - present):
            endpoint = endpoint_config(wanted[network].alias, await self._address(wanted[network]))
            body = {"Container": found["Id"], "EndpointConfig": endpoint}
            await self._call("POST", f"networks/{network}/connect", body=body)

    async def _address(self, attachment: Attachment) -> IPv4Address:
        """Return the address of a place; what the engine says of a network that is not there passes through."""
        network = observed_network(await self._call("GET", f"networks/{attachment.network}"))
        if network is None:
            raise EngineRefused(f"the network {attachment.network} has no addresses")
        return network.address(attachment.place)

    async def _disconnect(self, network: str, container: str) -> None:
        with ignoring(HTTPStatus.NOT_FOUND):
            await self._call("POST", f"networks/{network}/disconnect", body={"Container": container, "Force": True})

    async def _call(
        self, method: str, path: str, params: dict[str, str] | None = None, body: Json | None = None, wait: int = 0
    ) -> Any:
        """Make one request.

        Args:
            wait: seconds that the engine itself is asked to wait.

        Raises:
            EngineUnavailable: no answer.
            aiodocker.DockerError: a refusal.
        """
        async with answering(self._options.call_seconds + wait):
            return await self._docker._query_json(path, method, params=params, data=body)


@asynccontextmanager
async def connected(url: str, owner: Labels, options: DockerOptions) -> AsyncIterator[DockerEngine]:
    """Open the engine at an address while the block runs."""
    async with docker_at(url) as docker:
        yield DockerEngine(docker, owner, options)


def _written(labels: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in labels]
