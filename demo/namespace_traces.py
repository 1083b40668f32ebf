"""Looks for what hosts of the demo could leave on this machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")


def traces(folder: Path, control_groups: Collection[str], networks: Collection[int]) -> list[str]:
    """Remove empty control groups, and return whatever is left of hosts that have ended.

    Args:
        folder: theirs.
        control_groups: names of the parents of their containers' groups.
        networks: inodes of their network namespaces.
    """
    for name in control_groups:
        for top in _groups(name):
            _remove_empty(top)
    found = [str(top) for name in control_groups for top in _groups(name)]
    found += [f"mount {mount}" for mount in _mounts(folder)]
    found += [f"loop device of {file}" for file in _loop_devices(folder)]
    found += [f"pid {pid} ({name})" for pid, name in _processes(networks)]
    return [*found, *([str(folder)] if folder.exists() else [])]


def _groups(name: str) -> list[Path]:
    """Return the directories of a group: one in cgroup v2, one for each controller in v1."""
    return [path for path in (CONTROL_GROUPS / name, *CONTROL_GROUPS.glob(f"*/{name}")) if path.is_dir()]


def _remove_empty(top: Path) -> None:
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()


def _mounts(folder: Path) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        point = line.split(" ")[4]
        if point == str(folder) or point.startswith(f"{folder}/"):
            yield point


def _loop_devices(folder: Path) -> Iterator[str]:
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if str(folder) in (backing := file.read_text(encoding="utf-8").strip()):
                yield backing


def _processes(networks: Collection[int]) -> Iterator[tuple[str, str]]:
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            if os.stat(process / "ns/net").st_ino in networks:
                yield process.name, (process / "comm").read_text(encoding="utf-8").strip()
