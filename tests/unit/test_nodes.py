"""Several nodes as one: whichever answers is asked, transactions go to all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from moorage.chain.nodes import BROADCAST, COMPARE_SECONDS, LAG_BLOCKS, RETURN_SECONDS, Nodes, connect
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc


@dataclass(eq=False)
class Stub(Rpc):
    """Answers its name, or what it is told to."""

    url: str
    answer: Any = None
    asked: list[str] = field(default_factory=list)
    is_hanging: bool = False

    def __post_init__(self) -> None:
        self.name = self.url

    async def __aenter__(self) -> Stub:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        self.asked.append(method)
        if self.is_hanging:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or self.name

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        return [await self.call(method, *params) for method, params in calls]


class World:
    def __init__(self, *answers: Any) -> None:
        self.stubs = [Stub(f"node {number}", answer) for number, answer in enumerate(answers, start=1)]
        self.now = 0.0
        self.nodes = Nodes(self.stubs, lambda: self.now)

    async def ask(self) -> Any:
        return await self.nodes.call("eth_call")

    async def height(self) -> Any:
        """Ask for the height, and let pass what is asked beside it."""
        answer = await self.nodes.call("eth_blockNumber")
        for _ in range(10):
            await asyncio.sleep(0)
        return answer


SILENT = NodeUnavailable("no answer")
REFUSED = NodeRefused(3, "reverted", None)


async def test_d05_nodes__first_does_not_answer__the_next_is_asked_and_stays_first_for_a_while() -> None:
    world = World(SILENT, None, None)

    assert [await world.ask(), await world.ask()] == ["node 2", "node 2"]
    assert len(world.stubs[0].asked) == 1

    world.now, world.stubs[0].answer = RETURN_SECONDS + 1, "back"
    assert await world.ask() == "back"


async def test_d05_nodes__batch__is_answered_by_one_of_them() -> None:
    world = World(SILENT, None)

    assert await world.nodes.batch([("eth_call", []), ("eth_call", [])]) == ["node 2", "node 2"]


async def test_nodes__refusal__is_an_answer() -> None:
    world = World(REFUSED, None)

    with pytest.raises(NodeRefused):
        await world.ask()
    assert world.stubs[1].asked == []


async def test_g12_nodes__none_answers__says_what_each_said() -> None:
    world = World(NodeUnavailable("one is down"), NodeUnavailable("two is down"))

    with pytest.raises(NodeUnavailable, match=r"one is down; two is down"):
        await world.ask()


async def test_g13_nodes__what_it_says_cannot_be__the_next_is_asked() -> None:
    world = World(None, None)

    world.nodes.distrust()

    assert await world.ask() == "node 2"
    assert [node.name for node in world.nodes.others] == ["node 1"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [((None, None), "node 1"), ((SILENT, None), "node 2"), ((REFUSED, None), "node 2"), ((None, REFUSED), "node 1")],
)
async def test_d05_nodes__transaction__goes_to_all_and_one_that_takes_it_is_enough(
    answers: tuple[Any, ...], expected: str
) -> None:
    world = World(*answers)

    assert await world.nodes.call(BROADCAST, "0x00") == expected
    assert await world.nodes.batch([(BROADCAST, ["0x00"])]) == [expected]
    assert all(stub.asked == [BROADCAST, BROADCAST] for stub in world.stubs)


@pytest.mark.parametrize(("answers", "error"), [((SILENT, REFUSED), NodeRefused), ((SILENT, SILENT), NodeUnavailable)])
async def test_d05_nodes__none_takes_a_transaction__a_refusal_says_more_than_silence(
    answers: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await World(*answers).nodes.call(BROADCAST, "0x00")


async def test_d05_nodes__one_hangs__a_transaction_and_a_height_do_not_wait_for_it() -> None:
    world = World("0x10", "0x10")
    world.stubs[1].is_hanging = True
    world.now = COMPARE_SECONDS

    async with asyncio.timeout(60), world.nodes:
        assert await world.nodes.call(BROADCAST, "0x00") == "0x10"
        assert await world.height() == "0x10"
        assert world.stubs[1].asked == [BROADCAST, "eth_blockNumber"]

    assert len(asyncio.all_tasks()) == 1  # what still waited has ended with the nodes


async def test_d05_nodes__one_was_never_checked__its_refusal_of_a_transaction_says_nothing() -> None:
    world = World("right", SILENT)
    await world.nodes.verify(wrong_chain)
    world.stubs[0].answer, world.stubs[1].answer = SILENT, "wrong"

    with pytest.raises(NodeUnavailable):
        await world.nodes.call(BROADCAST, "0x00")

    assert BROADCAST not in world.stubs[1].asked


async def test_g12_nodes__each_by_itself__can_be_asked_and_keeps_its_place() -> None:
    world = World(None, None)
    world.nodes.distrust()

    assert [await node.call("eth_call") for node in world.nodes.nodes] == ["node 1", "node 2"]


def test_connect__one_address__is_one_node() -> None:
    one = connect(["http://127.0.0.1:1"])
    assert type(one) is Rpc
    assert one.nodes == (one,)
    assert isinstance(connect(["http://127.0.0.1:1", "http://127.0.0.1:2"]), Nodes)


@pytest.mark.parametrize(("lag", "asked"), [(LAG_BLOCKS, "node 1"), (LAG_BLOCKS + 1, "node 2")])
async def test_g11_g16_nodes__first_stands_still__the_other_is_asked(lag: int, asked: str) -> None:
    world = World("0x10", hex(16 + lag))

    await world.height()
    world.now = COMPARE_SECONDS
    await world.height()

    for stub in world.stubs:
        stub.answer = None
    assert await world.ask() == asked


async def test_g16_nodes__heights_within_seconds__are_not_compared_again() -> None:
    world = World("0x10", "0x10")

    world.now = COMPARE_SECONDS
    for _ in range(5):
        await world.height()

    assert len(world.stubs[1].asked) == 1


async def test_g16_nodes__the_other_does_not_say_its_height__nothing_changes() -> None:
    world = World("0x10", SILENT)

    world.now = COMPARE_SECONDS

    assert await world.height() == "0x10"
    assert world.stubs[0].asked == ["eth_blockNumber"]


async def wrong_chain(node: Rpc) -> None:
    if await node.call("eth_chainId") == "wrong":
        raise ChainError(f"{node.name} is on another chain")


async def test_verify__one_of_them_is_on_another_chain__is_refused() -> None:
    with pytest.raises(ChainError, match=r"node 2 is on another chain"):
        await World(None, "wrong").nodes.verify(wrong_chain)


async def test_verify__none_answers__is_no_finding() -> None:
    with pytest.raises(NodeUnavailable):
        await World(SILENT, SILENT).nodes.verify(wrong_chain)


@pytest.mark.parametrize(("answer", "expected"), [("wrong", None), ("right", "right")])
async def test_d05_verify__one_answers_later__is_checked_before_it_is_asked(answer: str, expected: str | None) -> None:
    world = World("right", SILENT)
    await world.nodes.verify(wrong_chain)
    assert world.nodes.others == ()

    world.stubs[0].answer, world.stubs[1].answer = SILENT, answer
    if expected is None:
        with pytest.raises(NodeUnavailable, match=r"node 2 is on another chain"):
            await world.ask()
    else:
        assert await world.ask() == expected
        assert world.stubs[1].asked[-2:] == ["eth_chainId", "eth_call"]


async def test_checked__node_of_another_chain__is_not_given() -> None:
    world = World("right", SILENT)
    await world.nodes.verify(wrong_chain)

    for answer, reason in ((SILENT, "no answer"), ("wrong", "node 2 is on another chain")):
        world.stubs[1].answer = answer
        with pytest.raises(NodeUnavailable, match=reason):
            await world.nodes.checked(1)

    assert await world.nodes.checked(0) is world.stubs[0]
    world.stubs[1].answer = "right"
    assert await world.nodes.checked(1) is world.stubs[1]


async def test_verify__single_node__is_checked() -> None:
    await Rpc.verify(Stub("node 1"), wrong_chain)
    with pytest.raises(ChainError):
        await Rpc.verify(Stub("node 1", "wrong"), wrong_chain)


@pytest.mark.parametrize(("answers", "is_doubtful"), [((SILENT, REFUSED), True), ((REFUSED, REFUSED), False)])
async def test_g05_nodes__one_refuses_a_transaction__another_that_was_silent_may_have_taken_it(
    answers: tuple[Any, ...], is_doubtful: bool
) -> None:
    with pytest.raises(NodeRefused) as caught:
        await World(*answers).nodes.call(BROADCAST, "0x00")

    assert caught.value.is_doubtful is is_doubtful
