"""Who acts on the chain besides the daemons: a tenant and a rival provider, straight on the node, by what they see.

Each act depends on what has happened, not on a height: where a fault delays a match, what follows it comes later, and
costs the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from moorage import manifest, terms
from moorage.chain.contracts import Call, Exchange
from moorage.chain.logs import Happening
from moorage.chain.market import Market
from moorage.types import Address, DeploymentId, OrderId, OrderKey, ProviderNumber
from provider_agent.shell.manifest_store import ManifestMemory
from tests.chain import ONE_TOKEN
from tests.fakes.lease_world import body
from tests.markets import make_group

GROUP = make_group(price=1_000, collateral=ONE_TOKEN)
"""It persists: a stale lease of it is replaced."""
WAIT_BLOCKS = 6
PREPAID_BLOCKS = 300
RIVAL_PRICE = 800
"""Below ours: the rival wins what it bids on."""
LIFE_BLOCKS = {"closed": 14, "rescued": 8}
"""How long after its first confirmation by us a deployment is closed; `kept` lives on."""
DEPLOYMENTS = ("closed", "rescued", "kept")


@dataclass(frozen=True, slots=True)
class Act:
    """A transaction of an actor."""

    sender: LocalAccount
    call: Call


@dataclass
class Actors:
    """The tenant has three deployments of one group; the rival takes one of them and never confirms it."""

    market: Market
    exchange: Exchange
    tenant: LocalAccount
    rival_operator: LocalAccount
    us: ProviderNumber
    rival: ProviderNumber
    disk: ManifestMemory
    keys: dict[OrderId, OrderKey] = field(default_factory=dict)
    """Of all orders, by what the events say."""
    current: dict[str, OrderId] = field(default_factory=dict)
    """The newest order of each deployment."""
    leased: set[OrderId] = field(default_factory=set)
    confirmed: dict[OrderId, int] = field(default_factory=dict)
    """Where each of our leases was confirmed first."""
    closed: set[str] = field(default_factory=set)
    over: set[DeploymentId] = field(default_factory=set)
    has_bid: bool = False

    def deployment(self, name: str) -> DeploymentId:
        address = Address(self.tenant.address)
        return terms.deployment_id(self.market.chain_id, self.market.exchange, address, _salt(name))

    def name_of(self, order: OrderId) -> str:
        deployment = self.keys[order].deployment
        return next(name for name in DEPLOYMENTS if self.deployment(name) == deployment)

    @property
    def is_over(self) -> bool:
        """Whether all is done that ends."""
        return {self.deployment(name) for name in LIFE_BLOCKS} <= self.over

    def acts(self, block: int) -> Iterator[Act]:
        """Yield what shall be in a block."""
        if not self.keys:
            yield from (Act(self.tenant, self._submission(name)) for name in DEPLOYMENTS)
        elif not self.has_bid:
            self.has_bid = True
            key = self.keys[self.current["rescued"]]
            yield Act(self.rival_operator, self.exchange.submit_fulfillment(self.rival, key, GROUP, [RIVAL_PRICE]))
        for name, life in LIFE_BLOCKS.items():
            order = self.current.get(name)
            began = self.confirmed.get(order) if order is not None else None
            if order is not None and began is not None and name not in self.closed and block >= began + life:
                self.closed.add(name)
                yield Act(self.tenant, self.exchange.close_deployment(self.deployment(name), [self.keys[order]]))

    async def see(self, happenings: Iterable[Happening]) -> None:
        """Take in what has happened in a block; a manifest goes to our disk as soon as there is a lease."""
        for happening in happenings:
            arguments = happening.arguments
            match happening.name:
                case "OrderCreated":
                    nonce = terms.nonce_of(arguments["nonce"])
                    self._add(OrderId(arguments["order"]), DeploymentId(arguments["deployment"]), nonce)
                case "OrderRecreated":
                    self._add(OrderId(arguments["order"]), DeploymentId(arguments["deployment"]), arguments["replaced"])
                case "LeaseCreated" if arguments["provider"] == self.us:
                    lease = OrderId(arguments["lease"])
                    self.leased.add(lease)
                    await self.disk.put(lease, BODY)
                case "LeaseConfirmed" if arguments["lease"] in self.leased:
                    self.confirmed.setdefault(OrderId(arguments["lease"]), happening.block_number)
                case "DeploymentClosed":
                    self.over.add(DeploymentId(arguments["deployment"]))
                case _:
                    pass

    def _submission(self, name: str) -> Call:
        parameters = self.market.parameters
        amount = terms.minimum_deposit(GROUP, parameters) + PREPAID_BLOCKS * terms.max_charge(GROUP, parameters)
        return self.exchange.submit_deployment(_salt(name), manifest.version_of(BODY), WAIT_BLOCKS, [GROUP], [amount])

    def _add(self, order: OrderId, deployment: DeploymentId, nonce: bytes) -> None:
        self.keys[order] = terms.order_key(deployment, nonce, WAIT_BLOCKS, GROUP, self.market.parameters)
        self.current[self.name_of(order)] = order


def _salt(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


BODY = body()
