"""One image for several containers: how often its registry is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moorage.guarded_http import GuardedHttp
from moorage.reachable import PUBLIC
from moorage.types import OrderId
from provider_agent.core.image_names import ImageRequest
from provider_agent.shell.engine import ImagePullFailed
from provider_agent.shell.image_care import ImageCare
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.images import ImageOptions, Images
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, OTHER_LEASE, lease_of, workload
from tests.fakes.engine_images import FakeEngineImages
from tests.full_pass import reconcile

REPLICAS = lease_of(workload("web", count=3)).containers
REQUEST = ImageRequest(REPLICAS[0].image, None)


class Refusing:
    """Stands in for images whose registry refuses."""

    def __init__(self) -> None:
        self.pulls: list[OrderId] = []

    async def pull(self, lease: OrderId, request: ImageRequest) -> str:
        self.pulls.append(lease)
        raise ImagePullFailed("no")


async def test_i11_made_of__image_cannot_be_pulled__its_registry_is_asked_once_for_all_replicas_of_a_lease() -> None:
    refusing: Any = Refusing()
    care = ImageCare(refusing)

    for lease in (LEASE, OTHER_LEASE, LEASE):
        care.begin(lease)
        for replica in REPLICAS:
            with pytest.raises(ImagePullFailed):
                await care.made_of(lease, replica, REQUEST)

    assert refusing.pulls == [LEASE, OTHER_LEASE, LEASE]


async def test_i11_reconcile__new_version_has_another_image__what_the_old_name_meant_is_forgotten(
    tmp_path: Path,
) -> None:
    contents = {f"example/web:{number}": f"sha256:{number * 64}" for number in "12"}
    known = FakeEngineImages()
    for name, content in contents.items():
        known.provide(f"docker.io/{name}", content)
    ledger, http = ImageLedger(tmp_path / "images.json"), GuardedHttp(PUBLIC)
    engine = MemoryEngine(IDENTITY.labels, clock=lambda: 0, images=set(contents.values()))
    images = Images(known, http, ledger, "moorage-pulled-0", ImageOptions(), lambda: 0)
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: 0, images=images)

    found = []
    for image in contents:
        await reconcile(runner, [lease_of(workload("web", image=image))], ())
        found.append([*ledger.pins(LEASE)])

    await http.close()
    assert found == [[image] for image in contents]
