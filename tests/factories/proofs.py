"""Proofs that leases are over, as final blocks of one node give them."""

from __future__ import annotations

from moorage.snapshot import Block
from moorage.types import OrderId
from provider_agent.core.endings import Over, Proof, Standing


def final_block(number: int) -> Block:
    return Block(number, number.to_bytes(32, "big"), 1_700_000_000 + number)


def proof(lease: OrderId, block: int, standing: Standing = Standing.OVER, *, node: int = 0, nodes: int = 1) -> Proof:
    return Proof(lease, standing, final_block(block), node, nodes)


def over(lease: OrderId) -> Over:
    return Over(proof(lease, 1), proof(lease, 2))
