"""When the demo cuts a provider's power: only while its lease holds pay that nobody is about to claim."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from demo import ledger, tenant
from demo.engine import Engine
from demo.ledger import Entry
from demo.narrator import Narrator
from demo.processes import Processes
from demo.providers import CLAIM_AFTER_SECONDS, Datacenter
from demo.story import Story
from demo.tenant import Tenant
from demo.watcher import Watcher, is_owed
from moorage.chain.logs import Happening
from moorage.chain.market import Market
from moorage.types import Address, Lease, OrderId, ProviderNumber
from tests.factories import deployments

EXCHANGE = Address("0x" + "11" * 20)
MARKET = Market(7, Fraction(1), 0, EXCHANGE, EXCHANGE, EXCHANGE, "MOOR", deployments.PARAMETERS, {})
FIRST, SECOND = ProviderNumber(1), ProviderNumber(2)
PERIOD_PART = 8


class ChainOfBlocks(Watcher):
    """A lease whose agent confirms every few blocks, and claims in the block after a claim has fallen due."""

    def __init__(self, confirmed_block: int, claimed_block: int) -> None:
        self.confirmed_block, self.claimed_block = confirmed_block, claimed_block
        self.served_by = FIRST

    async def lease(self, lease: OrderId) -> Lease:
        return deployments.lease(lease, confirmed_block=self.confirmed_block, claimed_block=self.claimed_block)

    def count(self, name: str) -> int:
        return 1

    def last(self, name: str) -> Happening:
        return Happening(1, name, {"lease": deployments.ORDER, "provider": self.served_by})

    async def until_event(self, name: str, count: int = 1, seconds: float = 90) -> Happening:
        if name == "LeaseConfirmed":
            self.claim()
            self.confirmed_block += PERIOD_PART
        if name == "LeaseStale":
            self.served_by = SECOND
        return self.last(name)

    def claim(self) -> None:
        if self.confirmed_block - self.claimed_block >= CLAIM_AFTER_SECONDS:
            self.claimed_block = self.confirmed_block


class PowerCut(Processes):
    """Kills nobody, and remembers what was not claimed; a claim that was on its way still arrives."""

    left_blocks = -1
    chain: ChainOfBlocks

    def kill(self, name: str) -> int:
        self.chain.claim()
        self.left_blocks = self.chain.confirmed_block - self.chain.claimed_block
        return 1


class Page(Tenant):
    async def wait_for_page(self, seconds: float) -> tuple[str, str]:
        return "http://front", "Visits: 1"


class EmptyEngine(Engine):
    async def remove(self, provider: ProviderNumber | None = None) -> int:
        return 4


@pytest.mark.parametrize(
    ("unclaimed_blocks", "left_blocks"),
    [
        (0, 8),  # the claim came just before
        (8, 8),
        (16, 16),
        (CLAIM_AFTER_SECONDS, 8),  # the claim is on its way
        (24, 8),
    ],
)
async def test_heal__before_and_after_a_claim__leaves_pay_for_the_next_stage(
    tmp_path: Path, unclaimed_blocks: int, left_blocks: int
) -> None:
    watcher = ChainOfBlocks(confirmed_block=100, claimed_block=100 - unclaimed_blocks)
    processes = PowerCut(tmp_path)
    processes.chain = watcher
    story = Story(Narrator(), processes, must_keep=False, engine=EmptyEngine(7))

    await story._heal(Page(tmp_path, {}), MARKET, watcher, {FIRST: Datacenter(FIRST, tmp_path)})

    assert processes.left_blocks == left_blocks


@pytest.mark.parametrize(("blocks", "expected"), [(0, False), (1, True), (19, True), (20, False), (21, False)])
def test_is_owed__blocks_beyond_the_last_claim__some_but_not_enough_for_one(blocks: int, expected: bool) -> None:
    lease = deployments.lease(claimed_block=100, confirmed_block=100 + blocks)

    assert is_owed(lease, 20) is expected


def test_table__one_more_confirmation__what_is_to_be_claimed_grows() -> None:
    before = [Entry("provider 1", 0, 10**18), Entry("held", 0, 10**18)]
    after = [Entry("provider 1", 0, 10**18, 10**17), Entry("held", 0, 9 * 10**17)]

    lines = ledger.table(after, before, MARKET).splitlines()

    assert [line.split()[-5:] for line in lines[1:]] == [
        ["1", "0", "1", "0.1", "+0.1"],
        ["held", "0", "0.9", "0", "-0.1"],
    ]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (
            "deployment 0x1 is active\nblock 5  closing\ndeployment 0x1 is closed\n  tips  3\n",
            "deployment 0x1 is closed\n  tips  3",
        ),
        ("nothing to delete\n", "nothing to delete"),
    ],
)
def test_last_report__what_a_command_has_printed__is_cut_to_its_last_heading(printed: str, expected: str) -> None:
    assert tenant.last_report(printed) == expected
