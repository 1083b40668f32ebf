"""A small image with this machine's Python, and what tests run in it to see a container from inside."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

import aiodocker

IMAGE = "moorage-test/python:1"
PYTHON = Path("/usr/bin/python3.11")
LIBRARY = Path("/usr/lib/python3.11")
LEFT_OUT = re.compile(
    r"/(test|idlelib|lib2to3|ensurepip|tkinter|turtledemo|pydoc_data|distutils|config-[^/]*|__pycache__)(/|$)"
)
PROGRAMS = ("/bin/sh", "/bin/cat", "/bin/sleep", str(PYTHON))


async def import_probe_image(docker: aiodocker.Docker) -> None:
    """Make the image unless the engine has it."""
    try:
        await docker.images.inspect(IMAGE)
    except aiodocker.DockerError:
        repository, tag = IMAGE.split(":")
        created = {"fromSrc": "-", "repo": repository, "tag": tag}
        await docker._query_json("images/create", "POST", params=created, data=_root_file_system())


def _root_file_system() -> bytes:
    loaded = [*PROGRAMS, *map(str, (LIBRARY / "lib-dynload").glob("_ctypes.*"))]
    listings = (subprocess.run(["ldd", each], check=True, capture_output=True, text=True).stdout for each in loaded)
    files = {*PROGRAMS, *(path for listing in listings for path in re.findall(r"(/\S+)", listing))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(files):
            archive.add(Path(file).resolve(), arcname=file.lstrip("/"))
        archive.add(LIBRARY, arcname=str(LIBRARY).lstrip("/"), filter=_without_ballast)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return buffer.getvalue()


def _without_ballast(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if LEFT_OUT.search(f"/{entry.name}") else entry
