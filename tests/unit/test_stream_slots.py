"""How many streams may be open."""

from __future__ import annotations

from contextlib import ExitStack

from moorage.types import Address, OrderId
from provider_agent.shell.stream_slots import StreamLimits, StreamSlots

TENANT, OTHER = Address("0x" + "01" * 20), Address("0x" + "02" * 20)


def lease(number: int) -> OrderId:
    return OrderId(bytes([number]) * 32)


def test_h16_slots__of_lease_tenant_or_all_are_taken__are_refused_and_come_free_again() -> None:
    slots = StreamSlots(StreamLimits(total=5, per_tenant=3, per_lease=2))
    with ExitStack() as stack:

        def take(number: int, tenant: Address) -> str:
            return stack.enter_context(slots.one(lease(number), tenant)) or ""

        assert [take(1, TENANT), take(1, TENANT)] == ["", ""]
        assert "this lease has 2" in take(1, TENANT)
        assert take(2, TENANT) == ""
        assert "this tenant has 3" in take(3, TENANT)
        assert [take(4, OTHER), take(5, OTHER)] == ["", ""]
        assert "too many streams" in take(6, OTHER)

    with slots.one(lease(1), TENANT) as refusal:
        assert refusal is None
