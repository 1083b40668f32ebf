"""What a registry that is a stranger gets to know, and how much of it is listened to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from aiohttp import web

from moorage.guarded_http import GuardedHttp
from moorage.reachable import Reachable
from moorage.workload_secrets import Credentials
from provider_agent.core.image_names import image_name
from provider_agent.core.oci import Descriptor
from provider_agent.shell.engine import ImagePullFailed
from provider_agent.shell.registry import MAX_REDIRECTS, MAX_TOKEN_BYTES, Registry
from tests.image_registry import ImageRegistry, digest_of, image_registry, layer_of

LOOPBACK = Reachable((ip_network("127.0.0.0/8"),))
LAYER = layer_of({"program": b"one"})
ROBOT = Credentials(user="robot", password="canary-77ab")


@pytest.fixture
async def served() -> AsyncIterator[ImageRegistry]:
    async with image_registry() as registry:
        registry.put("1", [LAYER])
        yield registry


@pytest.fixture
async def http() -> AsyncIterator[GuardedHttp]:
    opened = GuardedHttp(LOOPBACK)
    yield opened
    await opened.close()


def asked(http: GuardedHttp, *served: ImageRegistry, reference: str = ":1") -> Registry:
    name = image_name(f"{served[0].authority}/team/app{reference}")
    return Registry(http, name, ROBOT, [each.authority for each in served])


async def read(registry: Registry, blob: Descriptor) -> bytes:
    return b"".join([chunk async for chunk in registry.blob(blob)])


async def test_i13_blob__is_kept_elsewhere__the_authorization_is_not_shown_there(
    served: ImageRegistry, http: GuardedHttp
) -> None:
    served.login = (ROBOT.user, ROBOT.password)
    async with image_registry() as elsewhere:
        elsewhere.blobs = served.blobs
        place = f"http://{elsewhere.authority}/v2/team/app/blobs"
        served.redirects = {digest: f"{place}/{digest}" for digest in served.blobs}
        registry = asked(http, served, elsewhere)
        _, content = await registry.content("amd64")

        config = await read(registry, content.config)

        assert digest_of(config) == content.config.digest
        assert len(elsewhere.asked) == 1
        assert elsewhere.authorizations == []
    assert "Bearer good" in served.authorizations


async def test_i11_blob__registry_leads_in_a_circle__is_given_up(served: ImageRegistry, http: GuardedHttp) -> None:
    registry = asked(http, served)
    _, content = await registry.content("amd64")
    path = f"/v2/team/app/blobs/{content.config.digest}"
    served.redirects = {content.config.digest: f"http://{served.authority}{path}"}

    with pytest.raises(ImagePullFailed, match="answers 307"):
        await read(registry, content.config)

    assert served.asked.count(path) == MAX_REDIRECTS + 1


async def test_i11_content__name_with_a_digest_and_another_manifest__is_refused(
    served: ImageRegistry, http: GuardedHttp
) -> None:
    digest = digest_of(served.tags["1"][1])
    served.put("2", [LAYER])
    served.tags[digest] = served.tags["2"]

    with pytest.raises(ImagePullFailed, match="sends something else than sha256:"):
        await asked(http, served, reference=f"@{digest}").content("amd64")


async def test_i11_blob__longer_than_it_claims_to_be__is_not_passed_on(
    served: ImageRegistry, http: GuardedHttp
) -> None:
    content = bytes(2**22)
    served.blobs[digest_of(content)] = content
    length = 0

    with pytest.raises(ImagePullFailed, match="sends something else"):
        async for chunk in asked(http, served).blob(Descriptor("a", digest_of(content), 10)):
            length += len(chunk)

    assert length <= 10


async def test_i11_content__token_without_end__is_not_taken(
    served: ImageRegistry, http: GuardedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.login = (ROBOT.user, ROBOT.password)
    endless = web.json_response({"token": "good", "more": "x" * MAX_TOKEN_BYTES})
    monkeypatch.setattr(served, "_token", lambda request, shown: endless)

    with pytest.raises(ImagePullFailed, match=f"more than {MAX_TOKEN_BYTES} bytes"):
        await asked(http, served).content("amd64")


async def test_i11_http__proxy_in_the_environment__is_not_asked(
    served: ImageRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with image_registry() as proxy:
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://{proxy.authority}")
        http = GuardedHttp(LOOPBACK)

        await asked(http, served).content("amd64")

        assert proxy.asked == []
        await http.close()
