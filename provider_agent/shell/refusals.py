"""What the engine refused and which containers were evicted, by lease and container's name: until somebody forgets."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec
from provider_agent.core.workload_health import STABLE_SECONDS
from provider_agent.core.workload_plan import Failures, StartFailure


class Refusals:
    """Remembers what cannot be seen on the engine. To forget it costs one attempt too early."""

    def __init__(self) -> None:
        self._failures: dict[OrderId, dict[str, StartFailure]] = {}
        self._evictions: dict[OrderId, dict[str, StartFailure]] = {}
        """The newest of each container."""

    def of(self, lease: OrderId) -> Failures:
        """Return what is known of a lease."""
        return self._failures.get(lease, {})

    def of_all(self, leases: Iterable[OrderId]) -> Failures:
        """Return what is known of some leases."""
        return {name: failure for lease in leases for name, failure in self.of(lease).items()}

    def note(self, lease: OrderId, container: ContainerSpec, reason: str, now_seconds: int) -> None:
        """Note that a container could not be brought up."""
        failures = self._failures.setdefault(lease, {})
        before = failures.get(container.name)
        attempts = before.attempts + 1 if before is not None and before.digest == container.digest else 1
        failures[container.name] = StartFailure(container.digest, reason, attempts, now_seconds)

    def note_eviction(self, lease: OrderId, name: str, digest: str, reason: str, now_seconds: int) -> None:
        """Note that a container is removed while it runs."""
        evictions = self._evictions.setdefault(lease, {})
        before = evictions.get(name)
        is_again = before is not None and now_seconds - before.due_seconds < STABLE_SECONDS
        attempts = before.attempts + 1 if before is not None and is_again else 1
        failure = StartFailure(digest, reason, attempts, now_seconds)
        evictions[name] = self._failures.setdefault(lease, {})[name] = failure

    def settle(self, lease: OrderId, name: str) -> None:
        """Note that a container came up."""
        self._failures.get(lease, {}).pop(name, None)

    def keep(self, lease: OrderId, names: Collection[str]) -> None:
        """Forget the containers of a lease that nobody wants any more."""
        failures = self._failures.get(lease, {})
        for name in failures.keys() - set(names):
            del failures[name]

    def forget(self, lease: OrderId) -> None:
        """Forget a lease."""
        self._failures.pop(lease, None)
        self._evictions.pop(lease, None)
