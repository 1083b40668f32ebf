"""What the agent needs of a container engine, and how it can fail. Implementations: Docker, and one in memory.

An engine works for one provider: it lists, changes and removes only what carries that provider's labels.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from moorage.streams import Source, TerminalSize
from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec, NetworkSpec, Observed
from provider_agent.core.log_frames import OutputLine


class EngineError(Exception):
    """Something could not be done; the message is fit for a tenant to read."""


class EngineUnavailable(EngineError):
    """The engine does not answer, or not in time. Nothing is known about what it has."""


class ImageNotFound(EngineError):
    """The registry has no such image, or does not show it."""


class ImagePullFailed(EngineError):
    """The registry could not be reached, the transfer broke off or took too long, or the image is not taken."""


class RegistryUnreachable(ImagePullFailed):
    """The registry does not answer at all."""


class NameConflict(EngineError):
    """The name is taken by something that is not this provider's, which stays as it is."""


class EngineRefused(EngineError):
    """The engine cannot do it as asked: a command that the image has not, more memory than there is, …"""


class PortTaken(EngineRefused):
    """A port of the host that was asked for is somebody else's."""

    def __init__(self, message: str, port: int | None = None) -> None:
        """
        Args:
            port: which one, if the engine says it.
        """
        super().__init__(message)
        self.port = port


@dataclass(frozen=True, slots=True)
class LogRange:
    """Which part of a container's output is wanted."""

    since: str | None = None
    """From this moorage.streams.TIME on; None: from its start."""
    tail: int | None = None
    """The last so many lines; None: all."""
    is_following: bool = False
    """Whether it goes on until the container ends."""


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A command to run in a container: with its user, its limits and none of the engine's privileges."""

    command: tuple[str, ...]
    has_input: bool = False
    terminal: TerminalSize | None = None


class Exec(Protocol):
    """A command that runs in a container."""

    @property
    def problem(self) -> str | None:
        """Why the engine did not start it, once that is known; nothing of it is in the output."""
        ...

    async def read(self) -> tuple[Source, bytes] | None:
        """Return what it writes next, None when it has ended; with a terminal all of it is standard output."""
        ...

    async def write(self, data: bytes) -> None:
        """Give it input; returns when there is room for more. What it does not read any more is dropped."""
        ...

    async def end_input(self) -> None: ...

    async def resize(self, size: TerminalSize) -> None: ...

    async def exit_code(self) -> int:
        """Return how it has ended, after `read` has said that it has.

        Raises:
            EngineUnavailable: the engine does not tell.
        """
        ...


class Engine(Protocol):
    """A container engine.

    Everything may raise EngineUnavailable. What is asked for twice is done once; what is gone already is removed.
    """

    async def observe(self, lease: OrderId | None = None, told: Collection[OrderId] = ()) -> Observed:
        """Return everything on the engine that carries the provider's labels, or only what one lease has.

        Args:
            told: leases of which something was told as changed: their containers are seen as they are by now. Without
                that a death may be seen later than it was told.
        """
        ...

    def changes(self) -> AsyncGenerator[str | None, None]:
        """Yield None when changes are told from now on, then the lease label of each container that changes.

        These are hints: some may be missing, and the agent's own changes are among them. It ends only by
        EngineUnavailable.
        """
        ...

    async def ensure_network(self, spec: NetworkSpec) -> None:
        """Create a network unless it is there.

        Raises:
            NameConflict, EngineRefused
        """
        ...

    async def ensure_image(self, image: str) -> None:
        """See that an image is there; the engine gets none by itself.

        Raises:
            ImageNotFound
        """
        ...

    async def has_image(self, image: str) -> bool:
        """Return whether an image is there without a pull."""
        ...

    async def ensure_container(self, spec: ContainerSpec) -> None:
        """Make a container run as specified, on its networks and on no other.

        A container of this name is replaced if its digest or its
        number of restarts is another; the old one goes only when the new image is there.

        Raises:
            ImageNotFound, NameConflict, PortTaken, EngineRefused
        """
        ...

    async def stop_container(self, name: str) -> None:
        """Stop a container, with time to finish; it stays, and ensure_container starts it again."""
        ...

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        """Stop a container, with time to finish unless it is to go at once, and remove it.

        Its volumes stay, and the end of what a lease's workload wrote.
        """
        ...

    async def remove_network(self, name: str) -> None:
        """Remove a network, also from containers that are still on it."""
        ...

    async def remove_volume(self, name: str) -> None:
        """Remove a volume and the data in it.

        Raises:
            EngineRefused: a container uses it.
        """
        ...

    def logs(self, name: str, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        """Yield what containers of this name have written, those that are gone first, as far as it is kept.

        Raises:
            NameConflict
        """
        ...

    async def kept_logs(self, lease: OrderId) -> frozenset[str]:
        """Return the names of a lease's containers of which something is kept though they are gone."""
        ...

    async def forget_logs(self, lease: OrderId, but_for: Collection[str] = ()) -> None:
        """Remove what is kept of a lease's containers that are gone, but for these names. Disk errors are OSError."""
        ...

    def exec(self, name: str, spec: ExecSpec) -> AbstractAsyncContextManager[Exec]:
        """Run a command in a running container; if it runs when the block ends it is ended.

        Raises:
            NameConflict
            EngineRefused: the container does not run, or the engine does not start the command.
        """
        ...
