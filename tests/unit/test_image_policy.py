"""Which images a provider runs, under whatever name they come."""

from __future__ import annotations

import pytest

from provider_agent.core.image_names import image_name
from provider_agent.core.image_policy import ImagePolicy

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.22", "docker.io/library/nginx"),
        (f"nginx:1.22{DIGEST}", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("someone/miner:latest", "docker.io/someone/miner"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx"),
        ("Docker.IO:443/library/nginx", "docker.io/library/nginx"),
        ("localhost/x", "localhost/x"),
        ("LOCALHOST/x", "localhost/x"),
        ("127.0.0.1:5000/a/b/c:tag", "127.0.0.1:5000/a/b/c"),
        ("ghcr.io/one/two", "ghcr.io/one/two"),
    ],
)
def test_full_name__any_spelling__is_registry_and_repository(image: str, expected: str) -> None:
    assert image_name(image).full == expected


@pytest.mark.parametrize(
    ("policy", "image", "expected"),
    [
        (ImagePolicy(), "anything/at-all", None),
        (ImagePolicy(allow=("docker.io/library/*",)), "nginx", None),
        (
            ImagePolicy(allow=("docker.io/library/*",)),
            "someone/nginx",
            "this provider runs only images of its list, and docker.io/someone/nginx is not on it",
        ),
        (ImagePolicy(deny=("*/xmrig*",)), "evil/xmrig:6", "this provider does not run docker.io/evil/xmrig"),
        (ImagePolicy(deny=("*/xmrig*",)), "nginx", None),
        (
            ImagePolicy(allow=("*",), deny=("docker.io/evil/*",)),
            f"index.docker.io/evil/x{DIGEST}",
            "this provider does not run docker.io/evil/x",
        ),
        (ImagePolicy(allow=("ghcr.io/us/*",)), "ghcr.io.evil.example/us/x", "this provider runs only"),
    ],
)
def test_objection__patterns__a_refusal_wins(policy: ImagePolicy, image: str, expected: str | None) -> None:
    reason = policy.objection(image)

    assert reason is None if expected is None else (reason or "").startswith(expected)


def test_objections__several_images__tells_each_reason_once() -> None:
    policy = ImagePolicy(deny=("*/bad",))

    assert policy.objections(["x/bad:1", "nginx", "x/bad:2", "y/bad"]) == (
        "this provider does not run docker.io/x/bad",
        "this provider does not run docker.io/y/bad",
    )
