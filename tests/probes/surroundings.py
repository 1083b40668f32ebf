"""Runs in a container: prints, as JSON, what a program there may do and sees of its host."""

import json
import os
import resource
import socket
import sys
from pathlib import Path

HIDDEN = (
    "/proc/cmdline",
    "/proc/kallsyms",
    "/proc/modules",
    "/proc/interrupts",
    "/proc/sys/kernel/random/boot_id",
)


def attempt(what):
    """Return the name of the error, or None if it could be done."""
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return None


def text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        return type(error).__name__


def raw_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


status = dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines())
found = {
    "status": {key: status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")},
    "ids": [os.getuid(), os.getgid(), os.getgroups()],
    "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("NOFILE", "CORE")},
    "argv": sys.argv[1:],
    "env": dict(os.environ),
    "hostname": socket.gethostname(),
    "processes": sorted(int(each) for each in os.listdir("/proc") if each.isdigit()),
    "cgroup": text("/proc/self/cgroup"),
    "hidden": {path: text(path) for path in HIDDEN},
    "devices": sorted(os.listdir("/dev")),
    "mounts": sorted(line.split()[1] for line in text("/proc/self/mounts").splitlines()),
    "attempts": {
        "write root": attempt(lambda: Path("/written").write_text("a")),
        "write tmp": attempt(lambda: Path("/tmp/written").write_text("a")),
        "write sysctl": attempt(lambda: Path("/proc/sys/kernel/hostname").write_text("a")),
        "become another": attempt(lambda: os.setuid(65_534)),
        "give away": attempt(lambda: os.chown("/tmp/written", 65_534, 65_534)),
        "device node": attempt(lambda: os.mknod("/tmp/node", 0o600 | 0o060000, os.makedev(8, 0))),
        "raw socket": attempt(raw_socket),
        "renice": attempt(lambda: os.nice(-5)),
        "hostname": attempt(lambda: socket.sethostname("a")),
        "chroot": attempt(lambda: os.chroot("/tmp")),
        "engine socket": attempt(lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")),
    },
}
print(json.dumps(found))
