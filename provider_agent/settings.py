"""What an operator sets for one agent, from a TOML file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moorage import regions, sending, units
from moorage.sending import Sending, read_sending
from moorage.settings_file import SettingsError, SettingsFile, address_parts
from moorage.types import ComputeUnit
from provider_agent import gateway_settings, image_settings, isolation_settings
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.gateway_settings import read_gateways
from provider_agent.isolation_settings import Isolation, read_isolation
from provider_agent.port_settings import check_ports
from provider_agent.shell.images import ImageOptions

__all__ = ["DEFAULT_METRICS", "KNOWN", "HourlyPrices", "Settings", "SettingsError", "load_settings"]

DEFAULT_DOCKER = "unix:///var/run/docker.sock"
DEFAULT_METRICS = "127.0.0.1:9421"
DOCKER_SCHEMES = ("unix://", "tcp://", "http://", "https://")
EXAMPLE = "docs/operations/provider.md"
MAX_ENDPOINT = 256
"""What the registry takes."""
ORDER_SIZES = ("smallest_cpu", "smallest_memory", "largest_cpu", "largest_memory", "largest_disk")
KNOWN: dict[str, tuple[str, ...]] = {
    "rpc": (),
    "market": (),
    "data_dir": (),
    "operator_key_file": (),
    "operator_password_file": (),
    "region": (),
    "endpoint": (),
    "listen": (),
    "ws": (),
    "metrics": (),
    "docker": (),
    "publish_address": (),
    "public_host": (),
    "collateral_cap": (),
    "claim_after": (),
    "longest_wait": (),
    "advertise_every": (),
    "coins_per_token": (),
    "policy": (),
    "pricing": (),
    "capacity": ("cpu", "memory", "disk"),
    "prices": ("cpu", "memory", "disk", "minimum"),
    "admission": ("exposure", "exposure_per_lease", *ORDER_SIZES),
    image_settings.TABLE: image_settings.KNOWN,
    gateway_settings.TABLE: gateway_settings.KNOWN,
    gateway_settings.EDGE_TABLE: gateway_settings.EDGE_KNOWN,
    **isolation_settings.KNOWN,
    sending.TABLE: (*sending.KNOWN, "value_at_risk"),
}


@dataclass(frozen=True, slots=True)
class HourlyPrices:
    """Tokens per hour."""

    core: Fraction
    memory_gib: Fraction
    disk_gb: Fraction
    minimum: Fraction


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Which orders get a bid; None is no limit. Amounts are tokens, the sizes are those of a whole order."""

    exposure: Fraction | None = None
    exposure_per_lease: Fraction | None = None
    smallest_milli_cpu: int | None = None
    smallest_memory_bytes: int | None = None
    largest_milli_cpu: int | None = None
    largest_memory_bytes: int | None = None
    largest_disk_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    file: Path
    """Where they were read, for messages."""
    rpc_urls: tuple[str, ...]
    """The preferred node first."""
    market_file: Path
    data_dir: Path
    sending: Sending
    """The operator's key."""
    value_at_risk: Fraction
    """What part of what a missed confirmation costs its gas may cost, where it is known what a token is worth."""
    region: int
    """One bit of moorage.regions."""
    endpoint: str
    """https://host:port as tenants reach the agent; it is registered on chain."""
    listen_host: str
    listen_port: int
    ws_url: str | None
    """ws(s)://host:port of a node that tells of new blocks; None: nodes are asked."""
    metrics: tuple[str, int] | None
    """Where health and metrics are served; None: nowhere."""
    docker_url: str
    gateways: GatewaySite
    collateral_cap: str
    """Tokens, decimal."""
    claim_after_seconds: int
    longest_wait_seconds: int
    """How far away the match of an order may be that gets a bid: a bid holds capacity and collateral until then."""
    advertise_every_seconds: int
    """After how long the registry is told of free capacity again although it has not changed; 0: it is never told."""
    coins_per_token: Fraction | None
    """What a token is worth in the chain's coin: bounds the gas of confirmations, and doctor compares with it."""
    capacity: ComputeUnit
    prices: HourlyPrices
    admission: AdmissionLimits
    images: ImagePolicy
    """Which are run."""
    image_options: ImageOptions
    isolation: Isolation
    policy: str | None
    """module:function that decides on admission beside the limits."""
    pricing: str | None
    """module:function that prices in place of the prices above."""

    @property
    def rpc_setting(self) -> str:
        """How messages name the place of the nodes' URLs."""
        return f"rpc in {self.file}"


def load_settings(path: Path) -> Settings:
    """Read the settings of an agent. Relative paths in it are relative to the file.

    Raises:
        SettingsError: no such file, unknown or missing keys, values out of form.
    """
    file = SettingsFile.read(path, KNOWN, EXAMPLE)
    host, port = file.listening("listen")
    metrics = file.optional_listening("metrics", DEFAULT_METRICS)
    docker = _docker(file)
    gateways = read_gateways(file, file.file("data_dir"))
    check_ports(file, (host, port), metrics, gateways, is_one_host=docker.startswith("unix://"))
    return Settings(
        file=path,
        rpc_urls=file.nodes("rpc"),
        market_file=file.file("market"),
        data_dir=file.file("data_dir"),
        sending=_sending(file),
        value_at_risk=_value_at_risk(file),
        region=_region(file),
        endpoint=_endpoint(file),
        listen_host=host,
        listen_port=port,
        ws_url=file.websocket("ws"),
        metrics=metrics,
        docker_url=docker,
        gateways=gateways,
        collateral_cap=_collateral_cap(file),
        claim_after_seconds=file.parsed("claim_after", units.parse_duration, "1h"),
        longest_wait_seconds=file.parsed("longest_wait", units.parse_duration, "1h"),
        advertise_every_seconds=file.parsed("advertise_every", units.parse_duration, "1d"),
        coins_per_token=file.optional("coins_per_token", units.parse_tokens),
        capacity=ComputeUnit(
            file.parsed("capacity.cpu", units.parse_cpu, least="1m"),
            file.parsed("capacity.memory", units.parse_size, least="1MiB"),
            file.parsed("capacity.disk", units.parse_size),
        ),
        prices=HourlyPrices(
            file.parsed("prices.cpu", units.parse_tokens),
            file.parsed("prices.memory", units.parse_tokens),
            file.parsed("prices.disk", units.parse_tokens),
            file.parsed("prices.minimum", units.parse_tokens, "0"),
        ),
        admission=_admission(file),
        images=image_settings.read_image_policy(file),
        image_options=image_settings.read_image_options(file),
        isolation=read_isolation(file),
        policy=file.text("policy") if file.has("policy") else None,
        pricing=file.text("pricing") if file.has("pricing") else None,
    )


def _admission(file: SettingsFile) -> AdmissionLimits:
    return AdmissionLimits(
        exposure=file.optional("admission.exposure", units.parse_tokens),
        exposure_per_lease=file.optional("admission.exposure_per_lease", units.parse_tokens),
        smallest_milli_cpu=file.optional("admission.smallest_cpu", units.parse_cpu),
        smallest_memory_bytes=file.optional("admission.smallest_memory", units.parse_size),
        largest_milli_cpu=file.optional("admission.largest_cpu", units.parse_cpu),
        largest_memory_bytes=file.optional("admission.largest_memory", units.parse_size),
        largest_disk_bytes=file.optional("admission.largest_disk", units.parse_size),
    )


def _sending(file: SettingsFile) -> Sending:
    found = read_sending(lambda _: file, "operator_key_file", "operator_password_file", file.file("data_dir"))
    if found is None:
        raise file.error("operator_key_file", f"is missing: name the operator's key, or a signer in [{sending.TABLE}]")
    return found


def _value_at_risk(file: SettingsFile) -> Fraction:
    key = f"{sending.TABLE}.value_at_risk"
    part: Fraction = file.parsed(key, units.parse_tokens, "1")
    if part and not file.has("coins_per_token") and file.has(key):
        raise file.error(key, "says nothing without coins_per_token, what a token is worth in the chain's coin")
    if not part:
        raise file.error(key, "has to be more than 0: with 0 no lease would be confirmed")
    return part


def _region(file: SettingsFile) -> int:
    name = file.text("region")
    if name not in regions.REGIONS:
        raise file.error("region", f"{name!r} is not one of {', '.join(regions.REGIONS)}")
    return regions.mask_of(name)


def _endpoint(file: SettingsFile) -> str:
    endpoint = file.text("endpoint")
    parts = address_parts(endpoint)
    is_good = parts is not None and parts.port and endpoint == f"https://{parts.netloc}" and "@" not in endpoint
    if not is_good or not endpoint.isascii() or len(endpoint) > MAX_ENDPOINT:
        raise file.error("endpoint", "has to be of the form https://host:port, as tenants reach the agent")
    return endpoint


def _docker(file: SettingsFile) -> str:
    written = file.text("docker") if file.has("docker") else os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER
    if not written.startswith(DOCKER_SCHEMES):
        raise file.error("docker", f"{written!r} has to begin with one of {', '.join(DOCKER_SCHEMES)}")
    return written


def _collateral_cap(file: SettingsFile) -> str:
    file.parsed("collateral_cap", units.parse_tokens)
    return str(file.parsed("collateral_cap", lambda value: value))
