"""The manifest: what runs in each group of a deployment and who may connect to it, in one canonical form of bytes.

The version of a deployment is the sha256 of these bytes, so that there is exactly one way to write a manifest
(RFC 8785) and an agent refuses every other. The schema is closed: an agent never ignores what it does not know.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

import msgspec
import rfc8785

from moorage import types
from moorage.closed import END, Closed
from moorage.workload_health import Health, Port
from moorage.workload_secrets import DIRECTORY, MAX_SECRETS, Credentials, Secret, SecretName

FORMAT = "0.1"
MAX_BYTES = 2**20
MAX_GROUPS = 8
MAX_RESOURCE_GROUPS = 8
MAX_WORKLOADS = 64
"""Of a group; this and the next four keep a lease from taking more of a provider's host than its resources say."""
MAX_CONTAINERS = 256
"""Of a group: the sum of the counts."""
MAX_LINKS = 256
"""Of a group: a server's port open to a consumer. Each may be a network of its own."""
MAX_CONNECTIONS = 64
"""Of a workload."""
KERNEL_DIRECTORIES = ("/proc", "/sys", "/dev")
"""Of every container: a volume in their place would keep it from starting."""
MAX_PUBLISHED_PORTS = 32
"""Of a workload: ports that are open to everybody. Each takes one of the host's."""
MAX_HOSTS = 16
"""Of a workload."""
MAX_MILLI_CPU = 2**32 - 1
MAX_REASON_CHARACTERS = 500  # a reason may quote the sender
MAX_EXACT_INTEGER = 2**53 - 1
"""What every JSON parser reads exactly."""

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?" + END
"""A workload's name: a DNS label of at most 32 characters."""
GROUP_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?" + END
"""A group's name: the same, at most 31, because it is kept in a word on chain."""
IMAGE_PATTERN = (
    r"^([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?" + END
)
"""`[registry[:port]/]repository[:tag][@sha256:digest]`, after the grammar of the OCI's reference implementation."""
USER_PATTERN = r"^[a-z0-9_][a-z0-9_-]{0,31}(:[a-z0-9_][a-z0-9_-]{0,31})?" + END
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*" + END
STORAGE_PATH_PATTERN = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+" + END
"""An absolute path without `.`, `..`, hidden or empty parts."""
HOST_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?" + END
"""A domain name of two labels or more in lower case, so that it is no IP address."""

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
GroupName = Annotated[str, msgspec.Meta(pattern=GROUP_NAME_PATTERN)]
Image = Annotated[str, msgspec.Meta(pattern=IMAGE_PATTERN, max_length=512)]
User = Annotated[str, msgspec.Meta(pattern=USER_PATTERN)]
EnvName = Annotated[str, msgspec.Meta(pattern=ENV_NAME_PATTERN, max_length=256)]
StoragePath = Annotated[str, msgspec.Meta(pattern=STORAGE_PATH_PATTERN, max_length=256)]
Host = Annotated[str, msgspec.Meta(pattern=HOST_PATTERN, max_length=253)]
Salt = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}" + END)]
Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_CONTAINERS)]
MilliCpu = Annotated[int, msgspec.Meta(ge=1, le=MAX_MILLI_CPU)]
PositiveBytes = Annotated[int, msgspec.Meta(ge=1, le=MAX_EXACT_INTEGER)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=MAX_EXACT_INTEGER)]
Protocol = Literal["tcp", "http", "https"]
Restart = Literal["always", "on-failure"]
"""When a container that has ended is started anew."""


class ManifestError(ValueError):
    """Bytes that are not a manifest, or a manifest that a lease does not cover; the message is the reason."""


class Compute(Closed, frozen=True, kw_only=True):
    """What one instance of a workload gets."""

    milli_cpu: MilliCpu
    memory_bytes: PositiveBytes
    disk_bytes: Bytes


class Connection(Closed, frozen=True, kw_only=True):
    """Who may come in on a port.

    No workload and global: everybody. A workload: its instances in the same group; with global also those in the other
    groups of the deployment, or only in `datacenter` if one is named.
    """

    port: Port
    protocol: Protocol
    workload: Name | None
    datacenter: GroupName | None
    is_global: bool = msgspec.field(name="global")


class Workload(Closed, frozen=True, kw_only=True):
    """A container to run `count` times."""

    name: Name
    image: Image
    command: tuple[str, ...] | None
    """In place of the image's entry point; None keeps it."""
    args: tuple[str, ...]
    env: dict[EnvName, str]
    user: User | None
    read_only: bool
    resource_group: Annotated[int, msgspec.Meta(ge=0, lt=MAX_RESOURCE_GROUPS)]
    """Index into the resources that the group has on chain."""
    compute: Compute
    count: Count
    depends_on: tuple[Name, ...]
    """Workloads of the same group to start first."""
    connections: Annotated[tuple[Connection, ...], msgspec.Meta(max_length=MAX_CONNECTIONS)]
    health: Health | None
    """None: it works as long as it runs."""
    storage: dict[StoragePath, PositiveBytes]
    """Path of a volume -> bytes, out of the compute unit's disk."""
    host: Annotated[tuple[Host, ...], msgspec.Meta(max_length=MAX_HOSTS)]
    """Names under which everybody reaches its http and https, beside the one that the provider gives it."""
    secrets: Annotated[dict[SecretName, Secret], msgspec.Meta(max_length=MAX_SECRETS)]
    credentials: Credentials | None
    """Of the image's registry."""
    restart: Literal["on-failure"] | msgspec.UnsetType = msgspec.UNSET
    """Absent: always. It came later, so that its absence is the one form of what was written before it."""

    @property
    def is_job(self) -> bool:
        """Whether it is done when it has ended with 0."""
        return self.restart == "on-failure"


class ManifestGroup(Closed, frozen=True, kw_only=True):
    """What runs in one datacenter."""

    name: GroupName
    workloads: Annotated[tuple[Workload, ...], msgspec.Meta(min_length=1, max_length=MAX_WORKLOADS)]


class Manifest(Closed, frozen=True, kw_only=True):
    format: Literal["0.1"]
    salt: Salt
    """32 random bytes: the hash on chain tells nothing about content that can be guessed."""
    groups: Annotated[tuple[ManifestGroup, ...], msgspec.Meta(min_length=1, max_length=MAX_GROUPS)]


def encode(manifest: Manifest) -> bytes:
    """Return the canonical bytes (RFC 8785) of a manifest.

    Raises:
        ManifestError: a value that `decode` would not accept.
    """
    encoded = _canonical(manifest)
    decode(encoded)
    return encoded


def decode(encoded: bytes) -> Manifest:
    """Return the manifest that these bytes are.

    Raises:
        ManifestError: larger than 1 MiB, not of the schema, contradicting itself, or not the canonical form.
    """
    if len(encoded) > MAX_BYTES:
        raise ManifestError(f"the manifest has {len(encoded)} bytes, more than {MAX_BYTES}")
    try:
        manifest = msgspec.json.decode(encoded, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"not a manifest: {str(error)[:MAX_REASON_CHARACTERS]}") from error
    if _canonical(manifest) != encoded:  # also finds repeated keys and numbers such as 1.0
        raise ManifestError("not the canonical form of this manifest (RFC 8785)")
    _check_groups(manifest)
    return manifest


def version_of(encoded: bytes) -> types.Version:
    """Return the version of a deployment with this manifest: sha256 of its bytes."""
    return types.Version(hashlib.sha256(encoded).digest())


def count_published(connections: Iterable[Connection]) -> int:
    """Return how many of a workload's ports are open to everybody."""
    return len({connection.port for connection in connections if connection.workload is None})


def count_links(connections: Iterable[Connection]) -> int:
    """Return how many pairs of a port and a workload that may connect to it a workload has."""
    pairs = {(connection.port, connection.workload) for connection in connections}
    return sum(consumer is not None for _, consumer in pairs)


def check_against_lease(manifest: Manifest, group: types.Group) -> None:
    """Check that what the manifest wants to run in a group is covered by the group's lease.

    Raises:
        ManifestError: no such group, other compute units than leased, or more of them.
    """
    wanted = next((candidate for candidate in manifest.groups if candidate.name == group.name), None)
    if wanted is None:
        raise ManifestError(f"the manifest has no group {group.name}")
    counts: Counter[int] = Counter()
    for workload in wanted.workloads:
        _check_compute(workload, group)
        counts[workload.resource_group] += workload.count
    for index, count in counts.items():
        if count > group.resources[index].count:
            leased = group.resources[index].count
            raise ManifestError(
                f"asks more than the lease: {count} units of resource group {index}, leased are {leased}"
            )


def _check_compute(workload: Workload, group: types.Group) -> None:
    if workload.resource_group >= len(group.resources):
        raise ManifestError(
            f"asks more than the lease: {workload.name} wants resource group {workload.resource_group}, "
            f"the lease has {len(group.resources)}"
        )
    leased = group.resources[workload.resource_group].compute
    wanted = workload.compute
    if types.ComputeUnit(wanted.milli_cpu, wanted.memory_bytes, wanted.disk_bytes) != leased:
        raise ManifestError(
            f"asks more than the lease: {workload.name} wants {_described(wanted)}, leased is {_described(leased)}"
        )


def _described(compute: Compute | types.ComputeUnit) -> str:
    return (
        f"{compute.milli_cpu} milli cpu, {compute.memory_bytes} bytes of memory and {compute.disk_bytes} bytes of disk"
    )


def _canonical(manifest: Manifest) -> bytes:
    try:
        plain: Any = msgspec.to_builtins(manifest)
        return rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, TypeError) as error:
        raise ManifestError(f"cannot be written as canonical JSON: {error}") from error


def _check_groups(manifest: Manifest) -> None:
    group_names = [group.name for group in manifest.groups]
    _refuse_repeated("group", group_names)
    all_workloads = {workload.name for group in manifest.groups for workload in group.workloads}
    for group in manifest.groups:
        _refuse_repeated(f"{group.name}: workload", [workload.name for workload in group.workloads])
        for workload in group.workloads:
            _check_workload(f"{group.name}.{workload.name}", workload)
            _check_life(f"{group.name}.{workload.name}", workload)
            _check_connections(f"{group.name}.{workload.name}", workload, all_workloads, group_names)
        _refuse_repeated(f"{group.name}: host", [host for workload in group.workloads for host in workload.host])
        _check_dependencies(group)
        _check_limits(group)


def _check_workload(where: str, workload: Workload) -> None:
    texts = (*(workload.command or ()), *workload.args, *workload.env.values())
    if any("\0" in text for text in texts):
        raise ManifestError(f"{where}: a NUL character can't be passed to a container")
    if workload.command == ():
        raise ManifestError(f"{where}: an empty command")
    stored = sum(workload.storage.values())
    if stored > workload.compute.disk_bytes:
        raise ManifestError(f"{where}: {stored} bytes of storage, but {workload.compute.disk_bytes} bytes of disk")


def taken_place(path: str, *, has_secrets: bool) -> str | None:
    """Return what keeps a workload's storage from being at a path, in words; None: nothing."""
    for directory in KERNEL_DIRECTORIES:
        if f"{path}/".startswith(f"{directory}/"):
            return f"{directory}, which is the kernel's"
    return f"{DIRECTORY}, where the secrets are" if has_secrets and f"{path}/".startswith(f"{DIRECTORY}/") else None


def _check_life(where: str, workload: Workload) -> None:
    health = workload.health
    if health is not None and health.ways != 1:
        raise ManifestError(f"{where}: health has {health.ways} ways to check, exactly one can be")
    if health is not None and any("\0" in text for text in health.command or ()):
        raise ManifestError(f"{where}: a NUL character can't be passed to a container")
    taken = (taken_place(path, has_secrets=bool(workload.secrets)) for path in workload.storage)
    if (place := next(filter(None, taken), None)) is not None:
        raise ManifestError(f"{where}: storage in {place}")
    web = {each.port for each in workload.connections if each.workload is None and each.protocol != "tcp"}
    if workload.host and not web:
        raise ManifestError(f"{where}: has host names, but no http or https for everybody")


def _check_connections(where: str, workload: Workload, workloads: set[str], groups: list[str]) -> None:
    connections = workload.connections
    _refuse_repeated(f"{where}: connection", connections)
    if len({(connection.port, connection.protocol) for connection in connections}) != len(
        {connection.port for connection in connections}
    ):
        raise ManifestError(f"{where}: a port with two protocols")
    for connection in connections:
        if connection.workload is None and (not connection.is_global or connection.datacenter is not None):
            raise ManifestError(
                f"{where}: port {connection.port} is for nobody: no workload and not global to everybody"
            )
        if connection.workload is not None and connection.workload not in workloads:
            raise ManifestError(f"{where}: port {connection.port} is for {connection.workload}, which is no workload")
        if connection.datacenter is not None and connection.datacenter not in groups:
            raise ManifestError(f"{where}: port {connection.port} is for {connection.datacenter}, which is no group")


def _check_dependencies(group: ManifestGroup) -> None:
    depends_on = {workload.name: workload.depends_on for workload in group.workloads}
    for name, dependencies in depends_on.items():
        _refuse_repeated(f"{group.name}.{name}: dependency", dependencies)
        unknown = [dependency for dependency in dependencies if dependency not in depends_on]
        if unknown:
            raise ManifestError(f"{group.name}.{name}: depends on {unknown[0]}, which is no workload of the group")
    try:
        TopologicalSorter(depends_on).prepare()
    except CycleError as error:
        raise ManifestError(f"{group.name}: workloads depend on each other: {' <- '.join(error.args[1])}") from error


def _check_limits(group: ManifestGroup) -> None:
    for workload in group.workloads:
        where = f"{group.name}.{workload.name}"
        _refuse_more(where, count_published(workload.connections), "published ports", MAX_PUBLISHED_PORTS)
    containers = sum(workload.count for workload in group.workloads)
    _refuse_more(group.name, containers, "containers", MAX_CONTAINERS)
    links = sum(count_links(workload.connections) for workload in group.workloads)
    _refuse_more(group.name, links, "connections between workloads", MAX_LINKS)


def _refuse_more(where: str, number: int, what: str, limit: int) -> None:
    if number > limit:
        raise ManifestError(f"{where}: {number} {what}, at most {limit} can be")


def _refuse_repeated(what: str, values: Iterable[object]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ManifestError(f"{what} given twice: {repeated[0]}")
