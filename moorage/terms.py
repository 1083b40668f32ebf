"""The terms of an order as the 128 bytes that name it; the same arithmetic as contracts/_modules/terms.vy."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from moorage.types import Address, DeploymentId, Group, OrderId, OrderKey, Parameters

_RESOURCES_TYPE = "(uint256,uint256,uint256,uint256,uint256,uint256)[]"
_COLLATERAL_SHIFT = 80
_WAIT_SHIFT = 176
_REGIONS_SHIFT = 208
_PERSIST_SHIFT = 240
_INTEREST_ONE = 10**18


def deployment_id(chain_id: int, exchange: Address, tenant: Address, salt: bytes) -> DeploymentId:
    """Return the id that a tenant's deployment with this salt has."""
    types = ["uint256", "address", "address", "bytes32"]
    return DeploymentId(keccak(encode(types, [chain_id, exchange, tenant, salt])))


def order_id(key: OrderKey) -> OrderId:
    """Return the id of the order and of its lease."""
    return OrderId(keccak(b"".join((key.deployment, key.nonce, key.terms.to_bytes(32, "big"), key.resources_hash))))


def order_key(
    deployment: DeploymentId, nonce: bytes, wait_duration_blocks: int, group: Group, parameters: Parameters
) -> OrderKey:
    """Return the key of the order that a group makes."""
    terms = (
        max_charge(group, parameters)
        | collateral(group) << _COLLATERAL_SHIFT
        | wait_duration_blocks << _WAIT_SHIFT
        | group.regions << _REGIONS_SHIFT
        | int(group.persist) << _PERSIST_SHIFT
    )
    name, resources = encoded_name(group.name), resource_tuples(group)
    return OrderKey(deployment, nonce, terms, keccak(encode(["bytes32", _RESOURCES_TYPE], [name, resources])))


def wait_duration_blocks(key: OrderKey) -> int:
    """Return the blocks between an order's creation and its first match."""
    return key.terms >> _WAIT_SHIFT & 0xFFFFFFFF


def max_charge_of(key: OrderKey) -> int:
    """Return the charge per block at the maximum prices, as packed in the key."""
    return key.terms & (1 << _COLLATERAL_SHIFT) - 1


def nonce_of(counter: int) -> bytes:
    """Return the nonce of the order that is the deployment's `counter`-th, from 0."""
    return counter.to_bytes(32, "big")


def collateral(group: Group) -> int:
    """Return the ledger units that each bidder locks."""
    return sum(resource.collateral * resource.count for resource in group.resources)


def interest(collateral_locked: int, parameters: Parameters) -> int:
    """Return the ledger units per block that a tenant pays on collateral, rounded down."""
    return collateral_locked * parameters.collateral_interest_rate // _INTEREST_ONE


def max_charge(group: Group, parameters: Parameters) -> int:
    """Return the ledger units per block at the maximum prices, interest included."""
    price = sum(resource.price_per_block * resource.count for resource in group.resources)
    return price + interest(collateral(group), parameters)


def minimum_deposit(group: Group, parameters: Parameters) -> int:
    """Return what an order holds at least: two periods of the maximum charge and the tip of its match."""
    periods = 2 * parameters.reconfirmation_period_blocks * max_charge(group, parameters)
    return periods + parameters.facilitator_tip


def encoded_name(name: str) -> bytes:
    """Return a group's name as on chain: zero padded to 32 bytes."""
    return name.encode("latin-1").ljust(32, b"\0")


def decoded_name(name: bytes) -> str:
    """Return a name on chain as text. Ours are ASCII; the exchange takes any bytes, and all of them come back."""
    return name.rstrip(b"\0").decode("latin-1")


def resource_tuples(group: Group) -> list[tuple[int, int, int, int, int, int]]:
    """Return a group's resources as the ABI's tuples."""
    return [
        (
            resource.compute.milli_cpu,
            resource.compute.memory_bytes,
            resource.compute.disk_bytes,
            resource.price_per_block,
            resource.collateral,
            resource.count,
        )
        for resource in group.resources
    ]


def group_tuple(group: Group) -> tuple[bytes, int, bool, list[tuple[int, int, int, int, int, int]]]:
    """Return a group as the ABI's tuple."""
    return encoded_name(group.name), group.regions, group.persist, resource_tuples(group)


def key_tuple(key: OrderKey) -> tuple[bytes, bytes, int, bytes]:
    """Return a key as the ABI's tuple."""
    return key.deployment, key.nonce, key.terms, key.resources_hash
