"""Machines of the demo on this one: each is a network, process and mount namespace with a Docker engine of its own.

They are on one bridge, which is in a namespace by itself: nothing of it is in the network of the real machine. A host
ends with its first process, and that one with ours, however we end: the kernel takes whatever runs in it, its mounts
and its interfaces along. What stays are files, and empty control groups; `clear` removes both.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from demo.namespace_traces import traces
from demo.processes import ENDS_WITH_US, DemoFailed, run

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90.0
POLL_SECONDS = 0.05
LAST_OF_SOCKET_PATH = 100
"""Linux takes 107 bytes for the path of a unix socket."""
OUTSIDE = "203.0.113.1"
"""Where the chain and the tenants are. RFC 5737: addresses that are nowhere on the internet."""
FIRST_HOST = 11
LAN_ADDRESS = "02:00:00:00:00:01"
METADATA = "169.254.169.254"
"""Where clouds tell machines their secrets; here it leads to the same place as OUTSIDE."""
# the host's own /run hides sockets, locks and state of other engines
BEGIN = (*ENDS_WITH_US, "unshare", "--net")
CONTAINED = ("--pid", "--fork", "--mount", "--propagation", "private", "--mount-proc", "--kill-child=KILL")
MACHINE = """\
mount -t tmpfs -o mode=755 tmpfs /run
dockerd --config-file "$1/daemon.json" --data-root "$1/data" --host "unix://$1/s" &
wait $!
"""
NEEDED = {"dockerd": "docker.io", "ip": "iproute2", "nsenter": "util-linux", "setpriv": "util-linux"}
"""Program -> Debian package."""
CLONE_NEWNET = 0x40000000
"""From sched.h."""


@dataclass(slots=True)
class Host:
    """One machine."""

    name: str
    address: str
    """On the network of all hosts."""
    folder: Path
    process: subprocess.Popen[bytes]
    """Its namespaces are the host's; after a power cut it is another one."""

    @property
    def docker(self) -> str:
        """Return the address of its engine, which this machine reaches as well."""
        return f"unix://{self.folder / 's'}"

    @property
    def control_group(self) -> str:
        """The parent of all control groups of its containers."""
        return _control_group(self.folder)

    @property
    def first_process(self) -> int:
        """The pid, here, of the process that the host ends with."""
        return children(self.process.pid)[0]

    def inside(self, command: Sequence[str | Path]) -> list[str | Path]:
        """Return the command that runs another one in the host's network."""
        return _in_network(f"/proc/{self.process.pid}/ns/net", command)

    def inside_container(self, pid: int, command: Sequence[str | Path]) -> list[str | Path]:
        """Return the command that runs another one in the network of a container.

        Args:
            pid: of the container's first process, as the host's engine tells it.
            command: a program of this machine.
        """
        return _in_network(f"/proc/{self.first_process}/root/proc/{pid}/ns/net", command)

    def power_off(self) -> None:
        """End all that runs in it, at once; it returns when nothing runs any more."""
        if self.process.poll() is not None:
            return  # its pid may be a stranger's by now
        with suppress(ProcessLookupError, IndexError):
            os.kill(self.first_process, 9)
        self.process.wait()


@dataclass(slots=True)
class Hosts:
    """The hosts and the network that joins them; `clear` has to be called, whatever `start` did."""

    folder: Path
    """A directory that belongs to them."""
    machines: list[Host] = field(default_factory=list)
    _middle: subprocess.Popen[bytes] | None = None
    _networks: set[int] = field(default_factory=set)
    """Inodes of the network namespaces that were made."""

    async def start(self, count: int) -> None:
        """Start the bridge and so many hosts, called 1, 2, ...

        Raises:
            DemoFailed: this machine cannot do it, or an engine does not start.
        """
        _check_machine(self.folder)
        configuration = self.folder / "daemon.json"
        await run([ROOT / "setup/engine.sh", "configuration", configuration], ROOT)
        self._middle = _begin((*BEGIN, "sleep", "infinity"), self.folder / "middle.log")
        for number in range(1, count + 1):
            self._prepare_host(number, json.loads(configuration.read_text(encoding="utf-8")))
        for process in (self._middle, *(host.process for host in self.machines)):
            self._networks.add(await _network_of(process))
        # without an address of its own a bridge has that of one of its cables, and another one when that is cut: until
        # all have asked anew who has its IP address nobody reaches the chain
        lan = ["link set lo up", f"link add lan address {LAN_ADDRESS} type bridge", f"addr add {OUTSIDE}/24 dev lan"]
        lan += [f"addr add {METADATA}/32 dev lan", "link set lan up"]
        await self._configure(f"/proc/{self._middle.pid}/ns/net", lan)
        await self._plug_in(self.machines)
        for host in self.machines:
            await _until_engine_answers(host)

    async def power_on(self, host: Host) -> None:
        """Start a host again that was powered off, with what its disk has.

        Raises:
            DemoFailed: its engine does not start.
        """
        host.process = _begin_host(host.folder)
        self._networks.add(await _network_of(host.process))
        await self._plug_in([host])
        await _until_engine_answers(host)

    async def load(self, images: Sequence[str], machines: Sequence[Host] | None = None) -> None:
        """Copy images of this machine's engine to hosts.

        Args:
            images: by name.
            machines: to which hosts; None: to all.

        Raises:
            DemoFailed: an image is missing, or an engine does not take it.
        """
        archive = self.folder / "images.tar"
        await run(["docker", "save", "--output", archive, *images], self.folder, what="docker save")
        load: tuple[str | Path, ...] = ("load", "--input", archive)
        engines = (("docker", "--host", host.docker) for host in machines or self.machines)
        await asyncio.gather(*(run((*engine, *load), self.folder, what="docker load") for engine in engines))
        archive.unlink()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Be where tenants are: what this thread opens and starts meanwhile is on the network of the hosts."""
        assert self._middle is not None
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self._middle.pid}/ns/net", os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(here)
            os.close(there)

    async def clear(self) -> list[str]:
        """End everything, remove everything, and return what is left all the same."""
        for host in self.machines:
            await asyncio.to_thread(host.power_off)
        if self._middle is not None:
            self._middle.kill()
            self._middle.wait()
        groups = [host.control_group for host in self.machines]
        shutil.rmtree(self.folder, ignore_errors=True)
        return await asyncio.to_thread(traces, self.folder, groups, self._networks)

    def _prepare_host(self, number: int, configuration: dict[str, object]) -> None:
        folder = self.folder / str(number)
        folder.mkdir()
        # systemd, where there is one, knows nothing of processes in here: the groups are made without it
        configuration |= {"cgroup-parent": f"/{_control_group(folder)}", "exec-opts": ["native.cgroupdriver=cgroupfs"]}
        (folder / "daemon.json").write_text(json.dumps(configuration), encoding="utf-8")
        self.machines.append(Host(str(number), _address(number), folder, _begin_host(folder)))

    async def _plug_in(self, machines: Sequence[Host]) -> None:
        """Lay cables from hosts to the bridge; those of an earlier start may take a moment to go."""
        cables = []
        for host in machines:
            cables += [
                f"link add port{host.process.pid} type veth peer name eth0 netns {host.process.pid}",
                f"link set port{host.process.pid} master lan up",
            ]
        assert self._middle is not None
        await self._configure(f"/proc/{self._middle.pid}/ns/net", cables)
        for host in machines:
            lines = ["link set lo up", f"addr add {host.address}/24 dev eth0", "link set eth0 up"]
            lines += [f"route add default via {OUTSIDE}", f"route add {METADATA} dev eth0"]
            await self._configure(f"/proc/{host.process.pid}/ns/net", lines)

    async def _configure(self, network: str, lines: Sequence[str]) -> None:
        batch = self.folder / "ip.batch"
        batch.write_text("\n".join(lines) + "\n", encoding="utf-8")
        await run(_in_network(network, ["ip", "-batch", batch]), self.folder, what="ip -batch")


def _address(number: int) -> str:
    return OUTSIDE.rpartition(".")[0] + f".{FIRST_HOST - 1 + number}"


def _in_network(network: str, command: Sequence[str | Path]) -> list[str | Path]:
    return ["nsenter", f"--net={network}", *command]


def _enter(network: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, CLONE_NEWNET) != 0:
        raise DemoFailed(f"the network of the hosts cannot be entered: {os.strerror(ctypes.get_errno())}")


def _control_group(folder: Path) -> str:
    return "-".join(("moorage", *folder.parts[-3:]))  # hosts of two runs at a time have different ones


def _begin_host(folder: Path) -> subprocess.Popen[bytes]:
    return _begin((*BEGIN, *CONTAINED, "bash", "-c", MACHINE, "host", str(folder)), folder / "log")


def _begin(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def _check_machine(folder: Path) -> None:
    if os.geteuid() != 0:
        raise DemoFailed("hosts of its own take the rights of root: run it with sudo")
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if missing:
        raise DemoFailed(f"missing on this machine: apt-get install {' '.join(missing)}")
    if len(str(folder)) > LAST_OF_SOCKET_PATH:
        raise DemoFailed(f"{folder} is too long a path for sockets: set TMPDIR to a shorter one")


def children(pid: int) -> list[int]:
    """Return the pids of a process's children; none if it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


async def _network_of(process: subprocess.Popen[bytes]) -> int:
    """Wait until a process has a network of its own, and return the namespace's inode."""
    ours = os.stat("/proc/self/ns/net").st_ino
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.poll() is not None:
                raise DemoFailed(f"no namespaces here: unshare has ended with code {process.returncode}")
            if (found := os.stat(f"/proc/{process.pid}/ns/net").st_ino) != ours:
                return found
            await asyncio.sleep(POLL_SECONDS)


async def _until_engine_answers(host: Host) -> None:
    socket = host.docker.removeprefix("unix://")
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(START_SECONDS),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as http,
        ):
            while host.process.poll() is None:
                with suppress(aiohttp.ClientError):
                    async with http.get("http://docker/_ping") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(POLL_SECONDS)
    tail = (host.folder / "log").read_text(errors="replace").strip().splitlines()[-3:]
    raise DemoFailed(f"the engine of host {host.name} does not start: {' / '.join(tail)}")
