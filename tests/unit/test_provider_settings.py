"""The provider's settings file: what it means, and one clear error for everything that it may not be."""

from __future__ import annotations

import json
import os
import tomllib
from fractions import Fraction
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from moorage.reachable import Reachable
from moorage.regions import REGIONS, mask_of
from moorage.sending import Sending
from moorage.types import ComputeUnit
from provider_agent.core.gateway_container import EdgeSite, GatewaySite
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.core.ports import PortRange
from provider_agent.gateway_settings import gateway_owner
from provider_agent.isolation_settings import Isolation
from provider_agent.settings import KNOWN, AdmissionLimits, HourlyPrices, Settings, SettingsError, load_settings
from provider_agent.shell.images import ImageOptions

MINIMAL = """
rpc = "http://127.0.0.1:8545"
market = "deployments/31337.json"
data_dir = "data"
operator_key_file = "operator.key"
region = "us-west"
endpoint = "https://203.0.113.5:8443"
listen = "0.0.0.0:8443"
collateral_cap = "1000"
[capacity]
cpu = 8
memory = "16GiB"
disk = "200GB"
[prices]
cpu = "0.02"
memory = "0.005"
disk = 0
"""
OPTIONAL = {
    "operator_password_file": "password",
    "docker": "tcp://10.0.0.1:2375",
    "publish_address": "0.0.0.0",
    "public_host": "example.org",
    "claim_after": "90s",
}
REQUIRED = [key for key in tomllib.loads(MINIMAL) if key not in ("capacity", "prices")]
INNER = [f"{table}.{key}" for table in ("capacity", "prices") for key in KNOWN[table] if key != "minimum"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path / "provider.toml"


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else repr(value)


def load(path: Path, **changes: Any) -> Settings:
    """Load the minimal settings with some values changed, by `key` or `table__key`; None takes one away."""
    document = tomllib.loads(MINIMAL)
    for name, value in changes.items():
        table, _, key = name.rpartition("__")
        place = document[table] if table else document
        place[key] = value
        if value is None:
            del place[key]
    path.write_text("\n".join(f"{key} = {written(value)}" for key, value in document.items()), encoding="utf-8")
    return load_settings(path)


def refused(path: Path, **changes: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, **changes)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_load_settings__only_what_is_needed__has_the_defaults(path: Path) -> None:
    folder = path.parent
    uid, gid = gateway_owner() or (os.getuid(), os.getgid())

    assert load(path) == Settings(
        file=path,
        rpc_urls=("http://127.0.0.1:8545",),
        market_file=folder / "deployments/31337.json",
        data_dir=folder / "data",
        sending=Sending(folder / "operator.key", None, None, None, None, None, folder / "data" / "transactions.db"),
        value_at_risk=Fraction(1),
        region=mask_of("us-west"),
        endpoint="https://203.0.113.5:8443",
        listen_host="0.0.0.0",
        listen_port=8443,
        ws_url=None,
        metrics=("127.0.0.1", 9421),
        docker_url="unix:///var/run/docker.sock",
        gateways=GatewaySite(str(folder / "data" / "gateways"), user=f"{uid}:{gid}"),
        collateral_cap="1000",
        claim_after_seconds=3_600,
        longest_wait_seconds=3_600,
        advertise_every_seconds=86_400,
        coins_per_token=None,
        capacity=ComputeUnit(8_000, 16 * 2**30, 200 * 10**9),
        prices=HourlyPrices(Fraction(1, 50), Fraction(1, 200), Fraction(0), Fraction(0)),
        admission=AdmissionLimits(),
        images=ImagePolicy(),
        isolation=Isolation(),
        image_options=ImageOptions(),
        policy=None,
        pricing=None,
    )


def test_load_settings__everything_set__is_taken(path: Path) -> None:
    settings = load(path, **OPTIONAL, prices__minimum="0.001", listen="[::]:443", capacity__cpu="1500m")

    assert settings.sending.password_file == path.parent / "password"
    assert (settings.docker_url, settings.gateways.publish_address) == ("tcp://10.0.0.1:2375", "0.0.0.0")
    assert (settings.gateways.public_host, settings.claim_after_seconds) == ("example.org", 90)
    assert (settings.listen_host, settings.listen_port) == ("::", 443)
    assert (settings.capacity.milli_cpu, settings.prices.minimum) == (1_500, Fraction(1, 1_000))


def test_load_settings__images__are_taken(path: Path) -> None:
    table = {
        "allow": ["ghcr.io/*"],
        "inside": ["10.1.0.0/16"],
        "insecure": ["registry.lan:5000"],
        "compressed": "1GB",
        "unpacked": "2GB",
        "pull_time": "5m",
        "pulls": 2,
        "keep": "1d",
        "keep_room": "3GB",
    }

    settings = load(path, images=table)

    assert settings.images == ImagePolicy(("ghcr.io/*",))
    inside = Reachable((ip_network("10.1.0.0/16"),))
    assert settings.image_options == ImageOptions(
        inside, ("registry.lan:5000",), 10**9, 2 * 10**9, 300, 2, 86_400, 3 * 10**9
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"inside": ["10.1.0.1/16"]}, "images.inside: '10.1.0.1/16' is not a network"),
        ({"inside": ["lan"]}, "images.inside: 'lan' is not a network"),
        ({"insecure": ["http://lan"]}, "images.insecure: 'http://lan' is not a host"),
        ({"pulls": 0}, "images.pulls: '0' is not a whole number from 1 to 64"),
        ({"pulls": 65}, "images.pulls: '65' is not a whole number from 1 to 64"),
        ({"pulls": 1.5}, "images.pulls: '1.5' is not a whole number from 1 to 64"),
        ({"pulls": "many"}, "images.pulls: 'many' is not a whole number from 1 to 64"),
        ({"pulls": "9" * 5_000}, "images.pulls: "),
        ({"pull_time": "0s"}, "images.pull_time: has to be at least 1s"),
        ({"compressed": 0}, "images.compressed: has to be at least 1MB"),
        ({"unpacked": "1kB"}, "images.unpacked: has to be at least 1MB"),
        ({"keep": "often"}, "images.keep: "),
        ({"compressed": "-1"}, "images.compressed: "),
    ],
)
def test_load_settings__images_out_of_form__are_refused(path: Path, table: dict[str, Any], message: str) -> None:
    assert refused(path, images=table).startswith(message)


def test_load_settings__gateways_and_edge__are_taken(path: Path) -> None:
    load(path)
    with path.open("a") as file:
        file.write(
            '\n[gateway]\nimage = "gateway:2"\nports = "2000-2009"\n'
            '[edge]\ndomain = "apps.example.org"\nhttp = "192.0.2.1:8080"\n'
        )

    gateways = load_settings(path).gateways

    assert (gateways.image, gateways.ports) == ("gateway:2", PortRange(2_000, 2_009))
    assert gateways.edge == EdgeSite("apps.example.org", ("192.0.2.1", 8080), ("0.0.0.0", 443))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[gateway]\nports = "30000"', 'gateway.ports: has to be of the form first-last, such as "30000-32767"'),
        ('[gateway]\nports = "80-90"', "gateway.ports: has to be within 1024-65535, the smaller one first"),
        ('[gateway]\nports = "3000-2000"', "gateway.ports: has to be within 1024-65535, the smaller one first"),
        ('[edge]\ndomain = "Apps.org"', "edge.domain: 'Apps.org' is not a domain of at most 150 characters"),
        ('[edge]\ndomain = "a.org"\nhttp = "80"', "edge.http: has to be of the form address:port"),
        ('[edge]\nhttp = "0.0.0.0:80"', "edge.domain: "),
        ('[gateway]\nports = ""', "gateway.ports: is empty"),
        ('[gateway]\nimage = " "', "gateway.image: is empty"),
        ('[edge]\ndomain = ""', "edge.domain: is empty"),
        ('[gateway]\nimage = "No Good:::"', "gateway.image: 'No Good:::' is not the name of an image"),
        (f'[gateway]\nimage = "{"a" * 600}"', "gateway.image: "),
    ],
)
def test_load_settings__gateways_out_of_form__says_which_key(path: Path, text: str, message: str) -> None:
    load(path)
    with path.open("a") as file:
        file.write(f"\n{text}\n")

    with pytest.raises(SettingsError) as caught:
        load_settings(path)

    assert str(caught.value).removeprefix(f"{path}: ").startswith(message)


@pytest.mark.parametrize(
    ("tables", "keys"),
    [
        ('[edge]\ndomain = "a.org"\nhttp = "0.0.0.0:443"', "edge.https: has the port of edge.http, 0.0.0.0:443"),
        ('[edge]\ndomain = "a.org"\nhttp = "192.0.2.1:443"', "edge.https: has the port of edge.http, 192.0.2.1:443"),
        ('[edge]\ndomain = "a.org"\nhttp = "0.0.0.0:8443"', "edge.http: has the port of listen, 0.0.0.0:8443"),
        ('[edge]\ndomain = "a.org"\nhttps = "192.0.2.1:8443"', "edge.https: has the port of listen, 0.0.0.0:8443"),
        ('[edge]\ndomain = "a.org"\nhttps = "0.0.0.0:9421"', "edge.https: has the port of metrics, 127.0.0.1:9421"),
        ('[gateway]\nports = "8000-8443"', "gateway.ports: has the port of listen, 0.0.0.0:8443"),
        ('[gateway]\nports = "9421-9500"', "gateway.ports: has the port of metrics, 127.0.0.1:9421"),
        (
            '[gateway]\nports = "2000-2009"\n[edge]\ndomain = "a.org"\nhttp = "0.0.0.0:2005"',
            "gateway.ports: has the port of edge.http, 0.0.0.0:2005",
        ),
    ],
)
def test_load_settings__two_on_one_port__names_both(path: Path, tables: str, keys: str) -> None:
    load(path)
    with path.open("a") as file:
        file.write(f"\n{tables}\n")

    with pytest.raises(SettingsError) as caught:
        load_settings(path)

    assert str(caught.value).removeprefix(f"{path}: ").startswith(keys)


def test_load_settings__metrics_where_tenants_come_in__names_both(path: Path) -> None:
    assert refused(path, metrics="127.0.0.1:8443").startswith("metrics: has the port of listen, 0.0.0.0:8443")


@pytest.mark.parametrize(
    ("changes", "tables"),
    [
        ({"listen": "192.0.2.2:443"}, '[edge]\ndomain = "a.org"\nhttps = "192.0.2.1:443"'),
        ({"listen": "[::]:443"}, '[edge]\ndomain = "a.org"'),
        ({"listen": "192.0.2.2:8443"}, '[gateway]\nports = "8000-9000"'),
        ({"metrics": ""}, '[gateway]\nports = "9000-9500"'),
        ({"docker": "tcp://10.0.0.1:2375", "listen": "0.0.0.0:443"}, '[edge]\ndomain = "a.org"'),
    ],
)
def test_load_settings__ports_that_do_not_meet__are_taken(path: Path, changes: dict[str, Any], tables: str) -> None:
    load(path, **changes)
    with path.open("a") as file:
        file.write(f"\n{tables}\n")

    load_settings(path)


def test_load_settings__two_on_one_port_of_another_host__names_both(path: Path) -> None:
    load(path, docker="tcp://10.0.0.1:2375")
    with path.open("a") as file:
        file.write('\n[edge]\ndomain = "a.org"\nhttp = "0.0.0.0:443"\n')

    with pytest.raises(SettingsError, match=r"edge\.https: has the port of edge\.http"):
        load_settings(path)


def test_load_settings__absolute_path_or_home__is_not_below_the_file(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", "/home/provider")

    settings = load(path, market="/etc/market.json", data_dir="~/data")

    assert (settings.market_file, settings.data_dir) == (Path("/etc/market.json"), Path("/home/provider/data"))


def test_load_settings__docker_host_in_the_environment__counts_unless_the_file_says_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine:2375")

    assert load(path).docker_url == "tcp://engine:2375"
    assert load(path, docker="unix:///run/other.sock").docker_url == "unix:///run/other.sock"


@pytest.mark.parametrize("key", [*REQUIRED, *INNER])
def test_load_settings__key_is_missing__names_it(path: Path, key: str) -> None:
    assert refused(path, **{key.replace(".", "__"): None}).startswith(f"{key}: is missing")


def test_load_settings__empty_file__names_the_first_key_that_is_missing(path: Path) -> None:
    path.write_text("")

    with pytest.raises(SettingsError, match=r"provider\.toml: listen: is missing"):
        load_settings(path)


@pytest.mark.parametrize("key", [*REQUIRED, *OPTIONAL])
@pytest.mark.parametrize("value", [True, 1.5, [], {}, "", " ", "a\nb", "\x1b[2J"])
def test_load_settings__value_of_another_kind__names_key_and_what_is_allowed(path: Path, key: str, value: Any) -> None:
    message = refused(path, **{key: value})

    assert message.startswith(f"{key}: ")
    assert "\x1b" not in message
    assert any(words in message for words in ("text in quotes", "is not ", "quotes, such as", "is empty"))


FORMS = {
    "rpc": ("localhost:8545", "ftp://host", "http://", "http://host:99999", "http://host:0", "secret"),
    "endpoint": (
        *("http://host:1", "https://host", "https://:8443", "https://host:0", "https://host:99999"),
        *("https://host:8443/", "https://host:8443/path", "https://host:8443?query", "https://user@host:8443"),
        *("https://hüst:8443", f"https://{'h' * 250}:8443", "HTTPS://host:8443"),
    ),
    "listen": ("8443", ":8443", "0.0.0.0", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:65536", "0.0.0.0:x", f"::1:{'9' * 5_000}"),
}
ALLOWED = {
    "rpc": "has to be of the form http(s)://host:port, such as http://127.0.0.1:8545",
    "endpoint": "has to be of the form https://host:port, as tenants reach the agent",
    "listen": "has to be of the form address:port, such as 0.0.0.0:8443",
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in FORMS.items() for value in values])
def test_load_settings__address_out_of_form__says_the_form_and_not_the_value(path: Path, key: str, value: str) -> None:
    assert refused(path, **{key: value}) == f"{key}: {ALLOWED[key]}"


OTHERS: list[tuple[str, Any, str]] = [
    ("listen", "localhost:8443", "'localhost' is not an IP address, such as 0.0.0.0 for all of this host"),
    ("publish_address", "eth0", "'eth0' is not an IP address"),
    (
        "docker",
        "/var/run/docker.sock",
        "'/var/run/docker.sock' has to begin with one of unix://, tcp://, http://, https://",
    ),
    ("region", "atlantis", f"'atlantis' is not one of {', '.join(REGIONS)}"),
    ("market", "~nosuchuser/market.json", "'~nosuchuser/market.json': there is no such user"),
    ("claim_after", "90", "'90' is not a time"),
    ("claim_after", "1.5h", "'1.5h' is not a time"),
    ("runtime", "", "is empty"),
    ("rpc", [], "is empty"),
    ("rpc", [f"http://host-{number}" for number in range(9)], "has more than 8 addresses"),
    ("capacity.cpu", 0, "has to be at least 1m"),
    ("capacity.memory", "1kB", "has to be at least 1MiB"),
    ("collateral_cap", "-1", "'-1' is not an amount of tokens"),
    ("collateral_cap", "1e3", "'1e3' is not an amount of tokens"),
    ("capacity.cpu", "8cores", "'8cores' is not an amount of cpu: cores (2 or 0.5) or thousandths of a core (500m)"),
    ("capacity.cpu", True, "'True' is not an amount of cpu"),
    ("capacity.cpu", -1, "'-1' is not an amount of cpu"),
    ("capacity.memory", "16G", "'16G' is not a size: a number with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB (512MiB)"),
    ("capacity.disk", "1.5B", "'1.5B' is not a whole number of bytes"),
    ("prices.cpu", "0.02 MOOR", "'0.02 MOOR' is not an amount of tokens: digits with at most one decimal point"),
    ("prices.disk", "free", "'free' is not an amount of tokens"),
]


@pytest.mark.parametrize(("key", "value", "expected"), OTHERS)
def test_load_settings__value_out_of_form__names_key_value_and_what_is_allowed(
    path: Path, key: str, value: Any, expected: str
) -> None:
    assert refused(path, **{key.replace(".", "__"): value}).startswith(f"{key}: {expected}")


@pytest.mark.parametrize("key", ["collateral_cap", "capacity.cpu", "prices.cpu", "prices.minimum", "claim_after"])
@pytest.mark.parametrize("value", [0.02, 1e300, float("inf"), float("nan")])
def test_load_settings__float__is_refused_because_it_is_not_exact(path: Path, key: str, value: float) -> None:
    message = refused(path, **{key.replace(".", "__"): value})

    assert message == f'{key}: a number with a point has to be written in quotes, such as "{value}", to be exact'


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colateral_cap": "1"}, "colateral_cap: unknown key; known are rpc, market, data_dir, "),
        ({"capacity__gpu": 1}, "capacity.gpu: unknown key; known are cpu, memory, disk"),
        ({"prices__gpu": 1}, "prices.gpu: unknown key; known are cpu, memory, disk, minimum"),
        ({"capacity": 7}, "capacity: has to be a table"),
        ({"prices": []}, "prices: has to be a table"),
    ],
)
def test_load_settings__unknown_key_or_no_table__says_what_is_known(path: Path, changes: Any, expected: str) -> None:
    assert refused(path, **changes).startswith(expected)


def test_load_settings__no_such_file__says_where_an_example_is(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"absent\.toml: no such file: docs/operations/provider.md has one to start"
    ):
        load_settings(tmp_path / "absent.toml")


def test_load_settings__example_of_the_documentation__is_accepted(path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operations" / "provider.md").read_text(encoding="utf-8")
    path.write_text(guide.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")

    assert load_settings(path).endpoint == "https://203.0.113.5:8443"


@pytest.mark.parametrize("content", [b"\xff", b"rpc = ", b"rpc = 1\nrpc = 2", b"[capacity", b"rpc = 'a\nb'"])
def test_load_settings__no_toml__says_so(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=r"provider\.toml: not TOML: [^\n]+$"):
        load_settings(path)


def test_load_settings__folder__says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{tmp_path}: cannot be read: Is a directory"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sending": {"value_at_risk": "0.5"}}, "sending.value_at_risk: says nothing without coins_per_token"),
        ({"sending": {"value_at_risk": 0}, "coins_per_token": "1"}, "sending.value_at_risk: has to be more than 0"),
        (
            {"operator_key_file": None},
            "operator_key_file: is missing: name the operator's key, or a signer in [sending]",
        ),
        ({"sending": {"signer": "http://a:1"}}, "sending.signer: operator_key_file is there too"),
    ],
)
def test_load_settings__key_and_limits_that_cannot_be__are_named(path: Path, given: Any, words: str) -> None:
    assert refused(path, **given).startswith(words)


def test_d02_load_settings__value_at_risk__is_a_part_of_it(path: Path) -> None:
    settings = load(path, coins_per_token="0.0004", sending={"value_at_risk": "0.5"})

    assert (settings.coins_per_token, settings.value_at_risk) == (Fraction(1, 2_500), Fraction(1, 2))
