"""What the demo of three regions shows, act by act."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from demo import chain, facilitator, ledger, parties, providers, tenant
from demo.chain import ROOT, Actors
from demo.hosts import METADATA, OUTSIDE, Host, Hosts
from demo.narrator import Narrator, Wording
from demo.processes import DemoFailed, Processes, run
from demo.providers import CLAIM_AFTER_SECONDS, Datacenter
from demo.regions import stage, survey
from demo.regions.visitor import Answer, Visitor
from demo.tenant import Tenant
from demo.watcher import Watcher
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.types import OrderId
from moorage.units import to_blocks
from provider_agent.core.gateway_container import DEFAULT_IMAGE

REGIONS = ("us-east", "us-west", "europe")
DEPOSIT = "100"
WHOLE_SECONDS = 120.0
NO_LEASE = OrderId(b"")
PRIVATE = """
import socket
server = socket.create_server(("0.0.0.0", {port}))
while True:
    with server.accept()[0] as connection:
        connection.sendall(b"{name}")
"""
"""A service that a host has for itself."""


@dataclass
class Story:
    """The demo's state as it goes on."""

    narrator: Narrator
    processes: Processes
    hosts: Hosts
    visitor: Visitor = field(default_factory=Visitor)
    centers: dict[int, Datacenter] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Lease's id in hex -> its tenant."""
    europe: OrderId = NO_LEASE
    """The tenant's lease there."""
    chain_id: int = 0
    url: str = ""

    async def tell(self) -> None:
        """Play everything.

        Raises:
            DemoFailed: something did not happen as it should.
        """
        self.narrator.act("The stage: images, three hosts on this machine, a chain, the contracts")
        await run(["bash", ROOT / "examples/regions/build-images.sh"], ROOT, what="build-images.sh")
        await run(["bash", ROOT / "deploy/gateway/build-image.sh"], ROOT, what="build-image.sh")
        started = time.monotonic()
        await self.hosts.start(stage.HOSTS)
        names = ", ".join(f"host {host.name} {host.address}" for host in self.hosts.machines)
        self.narrator.say(f"{names}: a Docker engine and a network each, in {time.monotonic() - started:.1f} s")
        await self.hosts.load([*stage.IMAGES, DEFAULT_IMAGE])
        # from here on all that is opened or started is on the network of the hosts
        with self.hosts.outside():
            await self._play()

    async def _play(self) -> None:
        folder = self.processes.folder
        self.url, self.chain_id = await chain.start_anvil(self.processes, OUTSIDE, len(stage.ACTORS))
        self.narrator.say(f"anvil runs chain {self.chain_id} at {self.url}: a block each second, final two behind")
        actors = chain.make_actors(folder, stage.ACTORS)
        market_file = await chain.deploy(self.url, self.chain_id, actors, folder)
        async with AsyncExitStack() as stack:
            rpc = await stack.enter_async_context(Rpc(self.url))
            market = await chain.open_market(rpc, market_file)
            self.narrator.say(f"Brownie deployed the exchange at {market.exchange}")
            await chain.hand_out(rpc, market, actors, stage.GIVEN)
            accounts = parties.accounts(actors, stage.PEOPLE, stage.PLACES)
            before = await ledger.read(rpc, market, accounts)
            wording = Wording(market, parties.names(actors, stage.PEOPLE, stage.PLACES))
            watcher = Watcher(rpc, market, self.narrator, wording, self.processes)
            variables = {stage.PASSWORD_VARIABLE: secrets.token_hex(16)}
            customer = tenant.make_tenant(self.url, market_file, actors, folder, "tenant", stage.EXAMPLE, **variables)
            neighbour = tenant.make_tenant(self.url, market_file, actors, folder, "neighbour", stage.NEIGHBOUR_EXAMPLE)
            await stack.enter_async_context(_private_services())
            with watcher.beside():
                await self._open(actors, market, market_file)
                await self._deploy(customer, neighbour, watcher)
                await self._share(self.hosts.machines)
                await self._isolate()
                await self._heal(market, watcher)
                await self._return(customer, watcher)
                await self._delete((customer, neighbour), watcher)
            self.narrator.act("The ledger")
            entries = await ledger.read(rpc, market, accounts)
            self.narrator.say(ledger.table(entries, before, market))
            self.narrator.say(await ledger.prove(rpc, market, entries))

    async def _open(self, actors: Actors, market: Market, market_file: Path) -> None:
        self.narrator.act("Four providers register with collateral, a facilitator starts")
        folder, machines = self.processes.folder, self.hosts.machines
        for number in stage.PLACES:  # one after the other: the registry numbers them as they come
            site = stage.site(number, machines)
            center = await providers.register(number, site, self.url, market_file, actors, folder)
            place = stage.PLACES[center.number]
            self.centers[center.number] = center
            center.start(self.processes)
            price = f"{place.core_price} {market.token_symbol} per core and hour"
            self.narrator.say(f"provider {center.number}: {place.region}, on host {place.host}, wants {price}")
        for host in machines:
            self._start_private_service(host)
        facilitator.start(self.url, market_file, actors, self.processes)

    async def _deploy(self, customer: Tenant, neighbour: Tenant, watcher: Watcher) -> None:
        example, other = (each.example.relative_to(ROOT) for each in (customer, neighbour))
        self.narrator.act(f"A tenant deploys {example}, a neighbour {other}")
        for each in (customer, neighbour):
            self.narrator.say((await each.moorage("register", "--deposit", DEPOSIT, "--yes")).strip())
            each.deploy(self.processes)
        await watcher.until_event("LeaseCreated", 5)
        for each, name in ((customer, "tenant"), (neighbour, "neighbour")):
            orders = {group["name"]: group["order"].removeprefix("0x") for group in await each.groups()}
            self.owners |= dict.fromkeys(orders.values(), name)
            self.europe = OrderId(bytes.fromhex(orders.get("europe", self.europe.hex())))
        addresses = await self._pages(self.hosts.machines)
        for region in REGIONS:
            answer = await self.visitor.wait_until_whole(addresses[region], WHOLE_SECONDS)
            self.narrator.say(f"{addresses[region]} is the web tier of {region}, at provider {answer['provider']}")

    async def _share(self, machines: list[Host]) -> None:
        self.narrator.act("A page written through europe is read through us-west")
        addresses = await self._pages(machines)
        self._tell("PUT", await self.visitor.write(addresses["europe"], "harbour", "a berth in each region"))
        for region in ("us-west", "us-west", "us-east", "europe"):
            answer = await self.visitor.read(addresses[region], "harbour")
            self._tell("GET", answer)
            if (answer["answered_by"], answer["written_in"]) != (region, "europe"):
                raise DemoFailed(f"that is not the page from europe, read in {region}: {answer}")

    async def _isolate(self) -> None:
        self.narrator.act("Everybody tries to connect to everybody")
        agents = [(self.hosts.machines[place.host - 1], place.port) for place in stage.PLACES.values()]
        matrix = await survey.survey(self.hosts, self.chain_id, self.owners, agents)
        self.narrator.say(matrix.table())
        ends = ", ".join(f"{number} {end}" for end, number in matrix.outcomes.items())
        self.narrator.say(f"{matrix.pairs} pairs, {sum(matrix.outcomes.values())} attempts: {ends}")
        if matrix.faults:
            raise DemoFailed("not as declared: " + "; ".join(matrix.faults))
        self.narrator.say(f"reached: the {len(matrix.declared)} that were declared, and nothing else")

    async def _heal(self, market: Market, watcher: Watcher) -> None:
        self.narrator.act("The tenants' machines are switched off, then host 3 with provider 3: europe is gone")
        for name in ("tenant-deploy", "neighbour-deploy"):
            self.processes.kill(name)
        self.narrator.say("no program of a tenant runs any more")
        leases = watcher.count("LeaseCreated")
        # the provider must be left with something to claim when it is back
        await watcher.until_owed(self.europe, to_blocks(CLAIM_AFTER_SECONDS, market.seconds_per_block))
        pid = self.processes.kill(self.centers[3].process)
        self.processes.kill("private-3")
        self.hosts.machines[2].power_off()
        self.narrator.say(f"SIGKILL to agent 3 (pid {pid}) and to all that ran on its host; nobody tells anybody")
        await watcher.until_event("LeaseStale")
        again = await watcher.until_event("LeaseCreated", leases + 1)
        self.owners[again.arguments["lease"].hex()] = "tenant"
        number = again.arguments["provider"]
        self.narrator.say(f"provider {number} has europe now, and needs the manifest")
        left = self.hosts.machines[:2]
        addresses = await self._pages(left)
        await self.visitor.wait_until_whole(addresses["europe"], WHOLE_SECONDS)
        source = self._manifest_source(self.centers[number])
        if not source.startswith("provider "):
            raise DemoFailed(f"the manifest has come from {source}, and no tenant was there")
        self.narrator.say(f"its manifest has come from {source}; europe is at {addresses['europe']}, with new tunnels")
        self._tell("GET", await self.visitor.read(addresses["europe"], "harbour"))
        self._tell("PUT", await self.visitor.write(addresses["europe"], "healed", "by a provider that came later"))
        self._tell("GET", await self.visitor.read(addresses["us-west"], "healed"))
        await self._isolate()

    async def _return(self, customer: Tenant, watcher: Watcher) -> None:
        self.narrator.act("Host 3 has power again: its agent claims what it had earned, and removes what it had run")
        host = self.hosts.machines[2]
        await self.hosts.power_on(host)
        self._start_private_service(host)
        self.centers[3].start(self.processes)
        stale = watcher.last("LeaseStale")
        await watcher.until("the claim of a stale lease", lambda: watcher.has_paid(stale))
        shown = await customer.moorage("status", "-f", str(customer.example))
        self.narrator.quote("moorage status", tenant.last_report(shown))

    async def _delete(self, customers: tuple[Tenant, ...], watcher: Watcher) -> None:
        self.narrator.act("Both tenants delete their deployments")
        for customer in customers:
            deleted = await customer.moorage("delete", "-f", str(customer.example), "--yes")
            self.narrator.quote("moorage delete", tenant.last_report(deleted))
        await watcher.until_event("DeploymentClosed", len(customers))

    async def _pages(self, machines: list[Host]) -> dict[str, str]:
        """Return by region where the tenant's pages are, once they are in all regions."""
        async with asyncio.timeout(WHOLE_SECONDS):
            while True:
                self.processes.check()
                leases = [lease for lease, owner in self.owners.items() if owner == "tenant"]
                found = await self.visitor.find(await survey.published(machines, self.chain_id), leases)
                if found.keys() >= set(REGIONS):
                    return found
                await asyncio.sleep(1)

    def _manifest_source(self, center: Datacenter) -> str:
        """Return who has given an agent its newest manifest, by what it has logged."""
        lines = self.processes.log(center.process).read_text(encoding="utf-8").splitlines()
        accepted = [line for line in lines if '"manifest accepted"' in line]
        return str(json.loads(accepted[-1])["source"]) if accepted else "nobody"

    def _start_private_service(self, host: Host) -> None:
        command = host.inside(
            [sys.executable, "-c", PRIVATE.format(port=survey.PRIVATE_PORT, name=f"host {host.name}")]
        )
        self.processes.start(f"private-{host.name}", command)

    def _tell(self, method: str, answer: Answer) -> None:
        source = f", from its {answer['came_from']}" if "came_from" in answer else ""
        self.narrator.say(
            f"{method} {answer['page']} through {answer['answered_by']} (provider {answer['provider']}): "
            f"{answer['text']!r}, written in {answer['written_in']}{source}"
        )


@asynccontextmanager
async def _private_services() -> AsyncIterator[None]:
    """Serve what is on the network of the hosts and for none of the workloads."""
    async with AsyncExitStack() as stack:
        for name, address, port in ((survey.LAN, OUTSIDE, survey.PRIVATE_PORT), (survey.CLOUD, METADATA, 80)):
            server = await asyncio.start_server(partial(_say, name), address, port)
            await stack.enter_async_context(server)
        yield


def _say(name: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(name.encode())
    writer.close()
