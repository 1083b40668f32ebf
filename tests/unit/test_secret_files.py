"""Secrets on their way into a container."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from moorage import manifest
from moorage.workload_secrets import Secret
from provider_agent.core.containers import SecretFiles
from provider_agent.shell.secret_files import SecretDirectory, SecretFilesError, secrets_directory
from tests.factories.workloads import lease_of, workload

CANARY = "canary-a81c"
SECRETS = SecretFiles((("key", CANARY), ("other", "ü\n")), "f")


def test_h11_put__secrets__are_files_for_the_container_behind_a_closed_directory(tmp_path: Path) -> None:
    directory = SecretDirectory(tmp_path / "secrets")

    place = directory.put("web-0", SECRETS)

    assert {each.name: each.read_bytes() for each in place.iterdir()} == {
        "key": CANARY.encode(),
        "other": b"\xc3\xbc\n",
    }
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in place.iterdir()} == {0o444}
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_h11_put__again_with_others__replaces_them_where_they_are(tmp_path: Path) -> None:
    directory = SecretDirectory(tmp_path / "secrets")
    place = directory.put("web-0", SECRETS)
    inode = place.stat().st_ino

    directory.put("web-0", replace(SECRETS, files=(("key", "new"),)))

    assert {each.name: each.read_text() for each in place.iterdir()} == {"key": "new"}
    assert place.stat().st_ino == inode  # a container that runs has this one bound
    directory.remove("web-0")
    directory.remove("web-0")
    assert not place.exists()


def test_h11_keep__agent_was_killed__only_secrets_of_containers_that_are_there_stay(tmp_path: Path) -> None:
    directory = SecretDirectory(tmp_path / "secrets")
    directory.keep(["web-0"])
    for name in ("web-0", "gone-0"):
        directory.put(name, SECRETS)

    directory.keep(["web-0", "other-0"])

    assert [each.name for each in (tmp_path / "secrets").iterdir()] == ["web-0"]


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_h11_put__directory_that_others_can_get_at__is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "secrets"
    if kind == "open":
        path.mkdir()
        path.chmod(0o755)
    elif kind == "link":
        (tmp_path / "else").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "else")
    else:
        path.touch(mode=0o700)

    with pytest.raises(SecretFilesError) as caught:
        SecretDirectory(path).put("web-0", SECRETS)

    assert CANARY not in str(caught.value)


def test_h11_keep__directory_is_somebody_elses__is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets"
    directory = SecretDirectory(path)
    directory.put("web-0", SECRETS)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)

    directory.keep([])

    assert [each.name for each in path.iterdir()] == ["web-0"]


def test_h11_desired__secrets__show_in_no_text_and_change_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(value: str) -> str:
        (spec,) = lease_of(workload("web", secrets={"key": Secret(value=value)})).workload_containers
        assert spec.secrets is not None
        assert dict(spec.secrets.files) == {"key": value}
        assert CANARY not in f"{spec!r}{spec.all_labels}"
        return spec.digest

    assert digest(CANARY) == digest(CANARY) != digest(CANARY + "x")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/moorage-provider")
    assert secrets_directory("tag").parent == Path("/run/moorage-provider")
    assert manifest.MAX_BYTES  # the whole of it bounds how much memory secrets take
