"""The engine interface on Docker, through aiodocker and version 1.41 of the Docker Engine API.

Nothing is remembered between calls. Every call has a time limit, and "it is not there" is success when something is
removed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Network
from typing import Any

import aiodocker
import aiohttp

from moorage.types import OrderId
from provider_agent.core.containers import (
    ContainerSpec,
    Labels,
    NetworkSpec,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
    sorted_labels,
)
from provider_agent.core.workloads import LEASE_LABEL
from provider_agent.shell.docker_config import Json, container_config, endpoint_config, network_config
from provider_agent.shell.docker_events import CHANGES, listening
from provider_agent.shell.docker_state import is_as_specified, network_names, observed_container
from provider_agent.shell.engine import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    ImageNotFound,
    ImagePullFailed,
    NameConflict,
)
from provider_agent.shell.subnets import free_subnets

DEFAULT_POOL = IPv4Network("10.224.0.0/12")
NO_CONNECTION = 900  # aiodocker's status when there is no answer
MAX_SUBNET_ATTEMPTS = 64
MAX_REASON_LENGTH = 300
SAYS_NOT_FOUND = ("not found", "unknown", "denied", "does not exist", "unauthorized", "no matching manifest")


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How an agent uses its engine."""

    publish_address: str = "127.0.0.1"
    """The host's address that published ports are bound to."""
    network_pool: IPv4Network = DEFAULT_POOL
    """Private addresses for networks; no route of the host may lead into it."""
    call_seconds: int = 60
    pull_seconds: int = 600
    stop_seconds: int = 10
    """What a container has to finish before it is killed."""


class DockerEngine:
    """One provider's share of a Docker engine."""

    def __init__(self, docker: aiodocker.Docker, owner: Labels, options: DockerOptions) -> None:
        self._docker = docker
        self._owner = owner
        self._options = options

    async def observe(self, lease: OrderId | None = None) -> Observed:
        labels = [*self._owner, *([(LEASE_LABEL, lease.hex())] if lease is not None else [])]
        filters = {"filters": json.dumps({"label": _written(labels)})}
        with _refusing(EngineUnavailable):  # without a complete list nothing is known
            containers = await self._call("GET", "containers/json", {**filters, "all": "true"})
            networks = await self._call("GET", "networks", filters)
            volumes = await self._call("GET", "volumes", filters)
            seen = [await self._observe_container(each, is_closely=lease is not None) for each in containers]
        return Observed(
            tuple(sorted((each for each in seen if each is not None), key=lambda each: each.name)),
            tuple(ObservedNetwork(each["Name"], sorted_labels(each["Labels"])) for each in networks),
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
        with _refusing():
            if await self._own(f"networks/{spec.name}") is None:
                await self._create_network(spec)

    async def ensure_image(self, image: str) -> None:
        with _refusing():
            try:
                await self._call("GET", f"images/{image}/json")
            except aiodocker.DockerError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                await self._pull(image)

    async def ensure_container(self, spec: ContainerSpec) -> None:
        with _refusing():
            await self.ensure_image(spec.image)
            found = await self._own(f"containers/{spec.name}/json")
            if found is not None and not is_as_specified(found, spec):
                await self.remove_container(spec.name)
                found = None
            if found is None:
                found = await self._create_container(spec)
            try:
                await self._connect(found, spec)
                await self._call("POST", f"containers/{found['Id']}/start")
            except aiodocker.DockerError:
                if not found["State"]["Running"]:
                    await self.remove_container(spec.name)  # the next attempt begins anew, whatever is wrong with this
                raise

    async def stop_container(self, name: str) -> None:
        with _refusing():
            found = await self._own(f"containers/{name}/json")
            if found is not None:
                await self._stop(found["Id"])

    async def remove_container(self, name: str) -> None:
        with _refusing():
            found = await self._own(f"containers/{name}/json")
            if found is None:
                return
            await self._stop(found["Id"])
            with _ignoring(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):  # gone, or being removed
                await self._call("DELETE", f"containers/{found['Id']}", {"force": "true", "v": "true"})

    async def remove_network(self, name: str) -> None:
        with _refusing():
            found = await self._own(f"networks/{name}")
            if found is None:
                return
            for member in found["Containers"] or ():
                await self._disconnect(found["Id"], member)
            with _ignoring(HTTPStatus.NOT_FOUND):
                await self._call("DELETE", f"networks/{found['Id']}")

    async def remove_volume(self, name: str) -> None:
        with _refusing():
            if await self._own(f"volumes/{name}") is not None:
                with _ignoring(HTTPStatus.NOT_FOUND):
                    await self._call("DELETE", f"volumes/{name}")

    async def _observe_container(self, listed: Json, *, is_closely: bool) -> ObservedContainer | None:
        """Complete an entry of the list; None if the container has gone meanwhile.

        The engine tells of a death before its list has it: who was told looks closely, at the container itself.
        """
        if listed["State"] in ("running", "created") and not is_closely:
            return observed_container(listed, None)
        with _ignoring(HTTPStatus.NOT_FOUND):
            inspected = await self._call("GET", f"containers/{listed['Id']}/json")
            return observed_container({**listed, "State": inspected["State"]["Status"]}, inspected)
        return None

    async def _stop(self, container: str) -> None:
        seconds = self._options.stop_seconds
        with _ignoring(HTTPStatus.NOT_FOUND):
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
        taken = await self._subnets()
        candidates = free_subnets(self._options.network_pool, spec.capacity, taken, spec.name)
        for _, subnet in zip(range(MAX_SUBNET_ATTEMPTS), candidates, strict=False):
            try:
                await self._call("POST", "networks/create", body=network_config(spec, subnet))
                return
            except aiodocker.DockerError as error:
                if "overlaps" not in error.message:
                    raise
        raise EngineRefused("no free addresses for a network")

    async def _subnets(self) -> list[IPv4Network]:
        networks = await self._call("GET", "networks")
        configs = [config for each in networks for config in each["IPAM"]["Config"] or ()]
        subnets = [config["Subnet"] for config in configs if "Subnet" in config]
        return [IPv4Network(subnet, strict=False) for subnet in subnets if ":" not in subnet]

    async def _create_container(self, spec: ContainerSpec) -> Json:
        body = container_config(spec, self._options.publish_address, self._options.stop_seconds)
        created = await self._call("POST", "containers/create", {"name": spec.name}, body)
        found: Json = await self._call("GET", f"containers/{created['Id']}/json")
        return found

    async def _connect(self, found: Json, spec: ContainerSpec) -> None:
        """Put a container on the networks that it shall be on, and on no other."""
        present = network_names(found)
        wanted = {attachment.network: attachment.alias for attachment in spec.attachments}
        for network in sorted(present - wanted.keys()):
            await self._disconnect(network, found["Id"])
        for network in sorted(wanted.keys() - present):
            body = {"Container": found["Id"], "EndpointConfig": endpoint_config(wanted[network])}
            await self._call("POST", f"networks/{network}/connect", body=body)

    async def _disconnect(self, network: str, container: str) -> None:
        with _ignoring(HTTPStatus.NOT_FOUND):
            await self._call("POST", f"networks/{network}/disconnect", body={"Container": container, "Force": True})

    async def _pull(self, image: str) -> None:
        try:
            async with asyncio.timeout(self._options.pull_seconds):
                await self._docker.images.pull(image)
        except TimeoutError as error:
            raise ImagePullFailed(f"image {image} took longer than {self._options.pull_seconds} s") from error
        except aiohttp.ClientError as error:
            raise EngineUnavailable(f"the engine went away: {error}") from error
        except aiodocker.DockerError as error:
            if error.status == NO_CONNECTION:
                raise EngineUnavailable(error.message) from error
            is_absent = any(words in error.message.lower() for words in SAYS_NOT_FOUND)
            if error.status == HTTPStatus.NOT_FOUND or is_absent:
                raise ImageNotFound(f"image {image} was not found: {_reason(error)}") from error
            raise ImagePullFailed(f"image {image} could not be pulled: {_reason(error)}") from error

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
        async with _answering(self._options.call_seconds + wait):
            return await self._docker._query_json(path, method, params=params, data=body)


@asynccontextmanager
async def connected(url: str, owner: Labels, options: DockerOptions) -> AsyncIterator[DockerEngine]:
    """Open an engine, for instance at `unix:///var/run/docker.sock`, while the block runs.

    The address has to be given: without one aiodocker would follow the user's Docker context.
    """
    docker = aiodocker.Docker(url=url, api_version="v1.41")
    try:
        yield DockerEngine(docker, owner, options)
    finally:
        await docker.close()


def _written(labels: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in labels]


@asynccontextmanager
async def _answering(seconds: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer from the engine in {seconds} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnavailable(f"the engine went away: {error}") from error
    except aiodocker.DockerError as error:
        if error.status == NO_CONNECTION:
            raise EngineUnavailable(error.message) from error
        raise


@contextmanager
def _refusing(kind: type[EngineError] = EngineRefused) -> Iterator[None]:
    """Turn what the engine says no to into our error."""
    try:
        yield
    except aiodocker.DockerError as error:
        raise kind(_reason(error)) from error


@contextmanager
def _ignoring(*statuses: int) -> Iterator[None]:
    try:
        yield
    except aiodocker.DockerError as error:
        if error.status not in statuses:
            raise


def _reason(error: aiodocker.DockerError) -> str:
    """Return the engine's words without the layers of the runtime that they came through."""
    reason = error.message.rsplit("unable to start container process: ", 1)[-1].strip()
    return reason[:MAX_REASON_LENGTH]
