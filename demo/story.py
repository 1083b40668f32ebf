"""What the demo shows, act by act."""

from __future__ import annotations

from dataclasses import dataclass, field

from demo import chain, facilitator, ledger, parties, providers, tenant
from demo.chain import ROOT, Actors
from demo.engine import Engine
from demo.narrator import Narrator, Wording
from demo.processes import DemoFailed, Processes, run
from demo.providers import CLAIM_AFTER_SECONDS, Datacenter, Site
from demo.tenant import EXAMPLE, Tenant
from demo.watcher import Watcher
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.types import Address, ProviderNumber
from moorage.units import to_blocks, to_seconds

PEOPLE = ("tenant", "facilitator", "deployer")
GIVEN = {"tenant": 200, "owner-1": 250, "owner-2": 250}
"""Whole tokens that the deployer hands out."""
DEPOSIT = "100"
CONFIRMATIONS = 3


@dataclass
class Story:
    """The demo's state as it goes on."""

    narrator: Narrator
    processes: Processes
    must_keep: bool
    then: str = ""
    """What to run in a shell, as the tenant, before it deletes its deployment."""
    engine: Engine | None = None
    chain_id: int = 0
    before: list[ledger.Entry] = field(default_factory=list)

    async def tell(self) -> None:
        """Play everything.

        Raises:
            DemoFailed: something did not happen as it should.
        """
        folder, say = self.processes.folder, self.narrator.say
        self.narrator.act("The stage: images, a chain, the contracts")
        await run(["bash", ROOT / "examples/webapp/build-images.sh"], ROOT, what="build-images.sh")
        await run(["bash", ROOT / "deploy/gateway/build-image.sh"], ROOT, what="build-image.sh")
        say("images of nginx, gunicorn and redis are built from Debian and PyPI packages")
        url, self.chain_id = await chain.start_anvil(self.processes)
        self.engine = Engine(self.chain_id)
        say(f"anvil runs chain {self.chain_id}: a block each second, final two blocks behind")
        actors = chain.make_actors(folder)
        market_file = await chain.deploy(url, self.chain_id, actors, folder)
        async with Rpc(url) as rpc:
            market = await chain.open_market(rpc, market_file)
            say(f"Brownie deployed the exchange at {market.exchange} and wrote {market_file.name}")
            await chain.hand_out(rpc, market, actors, GIVEN)
            self.before = await ledger.read(rpc, market, _accounts(actors))
            wording = Wording(market, parties.names(actors, PEOPLE, providers.CORE_PRICES))
            watcher = Watcher(rpc, market, self.narrator, wording, self.processes)
            customer = tenant.make_tenant(url, market_file, actors, folder)
            with watcher.beside():
                centers = await self._open(url, actors, market)
                await self._deploy(customer, market, watcher)
                await self._run(rpc, market, actors, watcher)
                await self._heal(customer, market, watcher, centers)
                await self._return(centers, market, watcher)
                if self.then:
                    await self._visit(customer)
                if self.must_keep:
                    self._leave(customer, url)
                    return
                await self._delete(customer, watcher)
            await self._settle(rpc, market, actors)

    async def _open(self, url: str, actors: Actors, market: Market) -> dict[ProviderNumber, Datacenter]:
        self.narrator.act("Two providers register with collateral, a facilitator starts")
        assert self.engine is not None
        market_file = self.processes.folder / "deployments" / f"{market.chain_id}.json"
        centers = {}
        for number in (1, 2):
            price = providers.CORE_PRICES[number]
            site = Site(self.engine.url, price)
            center = await providers.register(number, site, url, market_file, actors, self.processes.folder)
            centers[center.number] = center
            self.narrator.say(f"provider {number} registered; it wants {price} {market.token_symbol} per core and hour")
            center.start(self.processes)
        facilitator.start(url, market_file, actors, self.processes)
        self.narrator.say("both agents and the facilitator run as processes of their own")
        return centers

    async def _deploy(self, customer: Tenant, market: Market, watcher: Watcher) -> None:
        self.narrator.act(f"A tenant deploys {EXAMPLE.relative_to(ROOT)}")
        self.narrator.say((await customer.moorage("register", "--deposit", DEPOSIT, "--yes")).strip())
        tip = Wording(market, {}).amount(market.parameters.facilitator_tip)
        self.narrator.say(f"besides the deposit two tips of {tip} are set aside: to end the lease and the deployment")
        customer.deploy(self.processes)
        match = await watcher.until_event("LeaseCreated")
        self.narrator.say(f"the lowest bid has won: provider {match.arguments['provider']}")
        await self._show_page(customer)

    async def _show_page(self, customer: Tenant) -> None:
        try:
            address, body = await customer.wait_for_page(90)
        except TimeoutError:
            raise DemoFailed(
                f"the page did not answer; what `moorage deploy` said is in {self.processes.log(tenant.DEPLOY)}"
            ) from None
        self.narrator.say(f"GET {address}")
        self.narrator.say("\n".join(f"| {line}" for line in body.strip().splitlines()))

    async def _run(self, rpc: Rpc, market: Market, actors: Actors, watcher: Watcher) -> None:
        self.narrator.act(f"The provider confirms, period after period ({CONFIRMATIONS} times here), and earns")
        blocks = market.parameters.reconfirmation_period_blocks
        seconds = to_seconds(blocks, market.seconds_per_block)
        self.narrator.say(f"a period is {blocks} blocks, here {seconds} s; this agent confirms after half of it")
        self.narrator.say("a confirmation moves nothing: what it earns waits in the lease until a claim")
        lease = watcher.last("LeaseCreated").arguments["lease"]
        for number in range(1, CONFIRMATIONS + 1):
            await watcher.until_event("LeaseConfirmed", watcher.count("LeaseConfirmed") + 1)
            entries = await ledger.read(rpc, market, _accounts(actors), [lease])
            self.narrator.say(f"balances after confirmation {number}:")
            self.narrator.say(ledger.table(entries, self.before, market))

    async def _heal(
        self, customer: Tenant, market: Market, watcher: Watcher, centers: dict[ProviderNumber, Datacenter]
    ) -> None:
        match = watcher.last("LeaseCreated").arguments
        served_by = ProviderNumber(match["provider"])
        # the provider must be left with something to claim when it is back
        await watcher.until_owed(match["lease"], to_blocks(CLAIM_AFTER_SECONDS, market.seconds_per_block))
        self.narrator.act(f"The power of provider {served_by} fails: its agent and its containers are killed")
        assert self.engine is not None
        pid = self.processes.kill(centers[served_by].process)
        removed = await self.engine.remove(served_by)
        self.narrator.say(f"SIGKILL to the agent (pid {pid}), {removed} containers gone; nobody tells anybody")
        await watcher.until_event("LeaseStale")
        again = await watcher.until_event("LeaseCreated", 2)
        if again.arguments["provider"] == served_by:
            raise DemoFailed("the provider that failed has won again")
        self.narrator.say(
            f"provider {again.arguments['provider']} has it now, and gets the manifest from `moorage deploy`"
        )
        await self._show_page(customer)
        self.narrator.say("the visits start again: redis had them on the machine that is gone")

    async def _return(self, centers: dict[ProviderNumber, Datacenter], market: Market, watcher: Watcher) -> None:
        self.narrator.act("The power is back: the agent claims what its provider had earned until it failed")
        for center in centers.values():
            if center.process not in self.processes.running:
                center.start(self.processes)
        stale = watcher.last("LeaseStale")
        await watcher.until("the claim of a stale lease", lambda: watcher.has_paid(stale))
        earned = Wording(market, {}).amount(stale.arguments["earned"])
        self.narrator.say(f"provider {stale.arguments['provider']} has the {earned} that its stale lease kept for it")

    async def _visit(self, customer: Tenant) -> None:
        self.narrator.act(f"As you have asked for: {self.then}")
        said = await run(["bash", "-c", self.then], ROOT, customer.environment, self.then)
        self.narrator.say(said.strip())

    async def _delete(self, customer: Tenant, watcher: Watcher) -> None:
        self.narrator.act("The tenant deletes the deployment")
        deleted = await customer.moorage("delete", "-f", str(EXAMPLE), "--yes")
        await watcher.until_event("DeploymentClosed")
        self.narrator.quote("moorage delete", tenant.last_report(deleted))

    async def _settle(self, rpc: Rpc, market: Market, actors: Actors) -> None:
        self.narrator.act("The ledger")
        entries = await ledger.read(rpc, market, _accounts(actors))
        self.narrator.say(ledger.table(entries, self.before, market))
        self.narrator.say(await ledger.prove(rpc, market, entries))

    def _leave(self, customer: Tenant, url: str) -> None:
        """Say what to do with the running demo."""
        self.narrator.act("It goes on: what to try next")
        for name, value in customer.environment.items():
            if name != "PYTHONPATH":
                self.narrator.say(f"export {name}={value}")
        example = EXAMPLE.relative_to(ROOT)
        for command in ("list", f"status -f {example}", f"delete -f {example}"):
            self.narrator.say(f".venv/bin/moorage {command}")
        self.narrator.say(f"the node answers at {url}, logs are in {self.processes.folder}")
        self.narrator.say("make demo-stop      # ends it and removes everything")


def _accounts(actors: Actors) -> dict[str, tuple[Address, ...]]:
    return parties.accounts(actors, PEOPLE, providers.CORE_PRICES)
