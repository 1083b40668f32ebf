"""Reads a profile: what one node gets, the most that it may cost, and what the provider has to stake for it."""

from __future__ import annotations

from fractions import Fraction

from moorage import units
from moorage.deployment_file.document import Path
from moorage.deployment_file.reader import Reader
from moorage.deployment_file.spec import Profile
from moorage.manifest import MAX_EXACT_INTEGER, MAX_MILLI_CPU
from moorage.types import ComputeUnit
from moorage.units import Written

DEFAULT_MILLI_CPU = 1_000
DEFAULT_MEMORY_BYTES = 512 * 2**20
DEFAULT_DISK_BYTES = 2**30
DEFAULT_LIFETIME = "short"
MIN_MEMORY_BYTES = 6 * 2**20
"""Docker refuses containers with less."""


def read_profile(reader: Reader, path: Path) -> Profile:
    """Return a profile, and note in the reader what is wrong with it."""
    max_price = _max_price(reader, path)
    return Profile(
        name=str(path[-1]),
        compute=_compute(reader, path),
        max_price=max_price,
        collateral=_collateral(reader, path, max_price),
        position=reader.document.key_position(path),
    )


def _compute(reader: Reader, path: Path) -> ComputeUnit:
    cpu, memory, disk = (_given(reader, path, key) for key in ("cpu", "memory", "disk"))
    compute = ComputeUnit(
        milli_cpu=reader.number(cpu, units.parse_cpu, DEFAULT_MILLI_CPU),
        memory_bytes=reader.number(memory, units.parse_size, DEFAULT_MEMORY_BYTES),
        disk_bytes=reader.number(disk, units.parse_size, DEFAULT_DISK_BYTES),
    )
    if not 1 <= compute.milli_cpu <= MAX_MILLI_CPU:
        reader.refuse(cpu, f"cpu has to be from 1m to {MAX_MILLI_CPU}m")
    if not MIN_MEMORY_BYTES <= compute.memory_bytes <= MAX_EXACT_INTEGER:
        reader.refuse(memory, f"memory has to be from 6MiB to {MAX_EXACT_INTEGER} bytes")
    if compute.disk_bytes > MAX_EXACT_INTEGER:
        reader.refuse(disk, f"disk has to be at most {MAX_EXACT_INTEGER} bytes")
    return compute


def _given(reader: Reader, path: Path, key: str) -> Path:
    """Return the path of a resource, which stands under `compute` or under `qos`."""
    if not reader.has(*path, "qos", key):
        return (*path, "compute", key)
    if reader.has(*path, "compute", key):
        reader.refuse_key((*path, "qos", key), f"'{key}' is given under compute too; give it once")
    return (*path, "qos", key)


def _max_price(reader: Reader, path: Path) -> Fraction:
    """Return tokens per compute unit and hour."""
    pricing = (*path, "pricing")
    if not reader.has(*pricing, "max-price"):
        if not any(reader.document.is_blanked(blanked) for blanked in (path, pricing)):
            reader.refuse_key(pricing if reader.has(*pricing) else path, "pricing.max-price is missing")
        return Fraction(0)
    max_price = reader.number((*pricing, "max-price"), units.parse_tokens, Fraction(1))
    if not max_price:
        reader.refuse((*pricing, "max-price"), "pricing.max-price has to be more than 0")
    return max_price


def _collateral(reader: Reader, path: Path, max_price: Fraction) -> Fraction:
    """Return tokens per compute unit: as given, or a time at the maximum price."""
    collateral, lifetime = (*path, "pricing", "collateral"), (*path, "qos", "lifetime")
    if reader.has(*collateral) and reader.has(*lifetime):
        reader.refuse_key(collateral, "qos.lifetime gives the collateral already; give one of the two")
    if reader.has(*collateral):
        return reader.number(collateral, lambda written: _collateral_tokens(written, max_price), Fraction(0))
    return _collateral_tokens(reader.get(*lifetime) or DEFAULT_LIFETIME, max_price)


def _collateral_tokens(written: Written, max_price: Fraction) -> Fraction:
    if isinstance(written, str) and written[-1:].isalpha():
        return max_price * units.parse_duration(written) / units.SECONDS_PER_HOUR
    return units.parse_tokens(written)
