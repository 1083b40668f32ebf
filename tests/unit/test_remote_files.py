"""Fetching of remote includes: only from public addresses, wherever names and redirects lead, small and soon."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from moorage import pki
from moorage.deployment_file import addresses, fetching
from moorage.deployment_file.include_rules import NotIncluded
from moorage.reachable import PUBLIC, Reachable
from moorage.types import Address, ProviderNumber
from tests.file_server import FileServer, send_head, serving

HERE = Reachable((ip_network("127.0.0.1/32"),))
"""What a test takes for public: its own server, and nothing else of this machine."""


class Names(AbstractResolver):
    """A resolver whose answers are written down; the last one is given again and again."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kinds = [(address, socket.AF_INET6 if ":" in address else socket.AF_INET) for address in addresses]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for address, kind in kinds
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as files:
        yield files


def refusal(address: str, **settings: Any) -> str:
    """Return why a file is not fetched."""
    with pytest.raises(NotIncluded) as caught:
        fetching.fetch(address, **({"reachable": HERE} | settings))
    return str(caught.value)


def test_h07_fetch__file_at_a_public_address__is_what_is_there(server: FileServer) -> None:
    server.put("/a.yml?v=1", b"\xef\xbb\xbfversion\r\n")

    assert fetching.fetch(server.url("/a.yml?v=1"), HERE) == b"\xef\xbb\xbfversion\r\n"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "100.100.100.200", "198.18.0.1", "192.0.0.192", "168.63.129.16", "224.0.0.1"),
        *("255.255.255.255", "[::]", "[::1]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]"),
        *("[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]"),
    ],
)
def test_h07_fetch__address_of_this_network__is_not_connected_to(host: str) -> None:
    reason = refusal(f"https://{host}/a.yml", reachable=PUBLIC)

    assert "is not a public address" in reason


@pytest.mark.parametrize(
    "answer",
    [("127.0.0.1",), ("10.0.0.1", "192.168.0.1"), ("::1",), ("::ffff:10.0.0.1",), ("169.254.169.254",), ("fe80::1%1",)],
)
def test_h07_fetch__name_that_leads_into_this_network__is_not_connected_to(answer: tuple[str, ...]) -> None:
    reason = refusal("https://files.example/a.yml", reachable=PUBLIC, resolver=Names(answer))

    assert reason == "files.example is not connected to: it has no public address"


def test_h07_fetch__localhost__is_not_connected_to(server: FileServer) -> None:
    assert "no public address" in refusal(server.url("/", "localhost"), reachable=PUBLIC)
    assert server.asked == []


def test_h07_fetch__one_of_several_addresses_is_public__only_that_one_is_connected_to(server: FileServer) -> None:
    server.put("/a.yml", "a")
    names = Names(("127.0.0.2", "127.0.0.1", "::1"))

    assert fetching.fetch(server.url("/a.yml", "files.example"), HERE, names) == b"a"


def test_h07_fetch__name_that_changes_its_mind__is_checked_at_each_connection(server: FileServer) -> None:
    server.redirect("/a.yml", server.url("/b.yml", "files.example"), Connection="close")
    server.put("/b.yml", "secret")
    names = Names(("127.0.0.1",), ("127.0.0.2",))

    assert "no public address" in refusal(server.url("/a.yml", "files.example"), resolver=names)
    assert server.asked == ["/a.yml"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.2:{port}/x", "127.0.0.2 is not connected to: 127.0.0.2 is not a public address"),
        ("http://[::1]:{port}/x", "::1 is not connected to: ::1 is not a public address"),
        ("http://localhost.localdomain./x", "is not connected to"),
        ("file:///etc/passwd", "redirected to 'file:///etc/passwd': only http:// and https:// can be included"),
        ("ftp://files.example/x", "only http:// and https:// can be included"),
        ("http://u:p@127.0.0.1:{port}/x", "a name or password in front of the host is not supported"),
        ("http://2130706433/x", "its host is a number"),
        ("http://017700000001/x", "its host is a number"),
        ("http://0x7f.1/x", "its host is a number"),
        ("//0x7f.1:{port}/x", "its host is a number"),
        ("", "redirected more than 3 times"),
    ],
)
def test_h07_fetch__redirect_to_where_nothing_is_fetched_from__is_not_followed(
    server: FileServer, location: str, reason: str
) -> None:
    server.redirect("/a.yml", location.format(port=server.port))
    names = Names(("127.0.0.2",))

    assert reason in refusal(server.url("/a.yml"), resolver=names)
    assert "/x" not in server.asked


def test_h07_fetch__more_than_three_redirects__are_not_followed(server: FileServer) -> None:
    for step in range(5):
        server.redirect(f"/{step}", f"/{step + 1}", status=(301, 302, 303, 307, 308)[step])
    server.put("/5", "end")

    assert fetching.fetch(server.url("/2"), HERE) == b"end"
    assert refusal(server.url("/1")) == "it is redirected more than 3 times"


@pytest.mark.parametrize("status", [404, 500, 204, 206, 304, 401])
def test_fetch__answer_without_the_file__is_told(server: FileServer, status: int) -> None:
    server.put("/a.yml", b"", status)

    assert refusal(server.url("/a.yml")).startswith(f"the server answers {status}")


def test_fetch__nobody_listens__is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    assert refusal(f"http://127.0.0.1:{port}/") == "Connection refused"


class Nowhere(Names):
    """A resolver that knows no name."""

    async def resolve(self, *_: object) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_fetch__name_that_nobody_knows__is_told() -> None:
    assert refusal("https://files.example/", resolver=Nowhere()) == "Name or service not known"


def endless(request: BaseHTTPRequestHandler) -> None:
    send_head(request, 200, Connection="close")
    while True:
        request.wfile.write(b"a" * 65_536)


def slow(request: BaseHTTPRequestHandler) -> None:
    send_head(request, 200, Content_Length="20")
    for _ in range(20):  # who waits for a second gets it
        request.wfile.write(b"a")
        time.sleep(0.05)


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(1)


def talkative(request: BaseHTTPRequestHandler) -> None:
    send_head(request, 200, X_Long="a" * 100_000, Content_Length="0")


def compressed(request: BaseHTTPRequestHandler) -> None:
    send_head(request, 200, Content_Encoding="gzip", Content_Length="2")
    request.wfile.write(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless, "it is larger than 250000 bytes"),
        (slow, "it has not arrived in 0.3 seconds"),
        (silent, "it has not arrived in 0.3 seconds"),
        (talkative, "400"),
        (compressed, "the server has compressed it, although it was asked not to"),
    ],
)
def test_h07_fetch__hostile_server__takes_little_time_and_memory(server: FileServer, answer: Any, reason: str) -> None:
    server.answers["/a.yml"] = answer
    seconds = 0.3 if "seconds" in reason else 10

    assert reason in refusal(server.url("/a.yml"), seconds=seconds)


def test_h07_fetch__largest_file__is_taken(server: FileServer) -> None:
    server.put("/a.yml", b"a" * 250_000)
    server.put("/b.yml", b"a" * 250_001)

    assert len(fetching.fetch(server.url("/a.yml"), HERE)) == 250_000
    assert refusal(server.url("/b.yml")) == "it is larger than 250000 bytes"


def test_h07_fetch__cookies_passwords_and_proxies__play_no_part(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login tenant password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.redirect("/a.yml", "/b.yml", Set_Cookie="canary=1")
    server.put("/b.yml", "b")

    assert fetching.fetch(server.url("/a.yml"), HERE) == b"b"
    for headers in server.headers:
        assert headers.keys() == {"host", "accept", "accept-encoding", "user-agent"}
        assert headers["accept-encoding"] == "identity"


@pytest.fixture
def root() -> pki.Credential:
    exchange = Address("0x" + "11" * 20)
    return pki.create_root(ProviderNumber(1), exchange, datetime.now(UTC), ["files.example"])


@pytest.fixture
def protected(root: pki.Credential, tmp_path: Path) -> Iterator[FileServer]:
    pki.store(pki.issue_server(root, datetime.now(UTC), ["files.example"]), tmp_path / "server.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    with serving(tls) as files:
        yield files


def test_h07_fetch__https__is_fetched_from_whom_the_certificate_names(
    protected: FileServer, root: pki.Credential
) -> None:
    protected.put("/a.yml", "a")
    tls = ssl.create_default_context(cadata=root.der)
    settings: dict[str, Any] = {"reachable": HERE, "resolver": Names(("127.0.0.1",))}
    address = protected.url("/a.yml", "files.example", "https")

    assert fetching.fetch(address, tls=tls, **settings) == b"a"
    assert "certificate" in refusal(address, **settings).lower()
    assert "certificate" in refusal(address.replace("files", "other"), tls=tls, **settings).lower()


def test_h07_fetch__redirect_away_from_https__is_not_followed(
    protected: FileServer, root: pki.Credential, server: FileServer
) -> None:
    protected.redirect("/a.yml", server.url("/b.yml", "files.example"))
    server.redirect("/c.yml", protected.url("/d.yml", "files.example", "https"))
    protected.put("/d.yml", "d")
    settings: dict[str, Any] = {
        "reachable": HERE,
        "resolver": Names(("127.0.0.1",)),
        "tls": ssl.create_default_context(cadata=root.der),
    }

    assert refusal(protected.url("/a.yml", "files.example", "https"), **settings).endswith("/b.yml': away from https")
    assert fetching.fetch(server.url("/c.yml", "files.example"), **settings) == b"d"


def test_fetch__inside_of_a_running_loop__is_fetched(server: FileServer) -> None:
    import asyncio

    server.put("/a.yml", "a")

    async def program() -> bytes:
        return fetching.fetch(server.url("/a.yml"), HERE)

    assert asyncio.run(program()) == b"a"


@pytest.mark.parametrize(
    "address",
    [
        *("https://files.example/a.yml", "HTTP://Files.Example:8080/a%20b.yml?v=1&w=~", "https://files.example."),
        *("https://93.184.215.14/a.yml", "https://[2606:4700::1111]:443/", "https://xn--bcher-kva.example/a.yml"),
        *("https://a_b.example", "https://3com.example/", "https://files.example:65535/"),
    ],
)
def test_address__well_formed__has_no_objection(address: str) -> None:
    assert addresses.objection(address) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://tenant:password@files.example/", "a name or password in front of the host"),
        ("https://127.0.0.1@files.example/", "a name or password in front of the host"),
        ("https://files.example@127.0.0.1/", "a name or password in front of the host"),
        ("https://2130706433/", "its host is a number, but not written as four decimal numbers"),
        ("https://0177.0.0.1/", "its host is a number"),
        ("https://0x7f.0.0.1/", "its host is a number"),
        ("https://0x7f000001/", "its host is a number"),
        ("https://127.1/", "its host is a number"),
        ("https://127.0.0.1./", "its host is a number"),
        ("https://files.example.0x1/", "its host is a number"),
        ("https://[1.2.3.4]/", "its host is a number"),
        ("https://[fe80::1%25eth0]/", "it has no valid host and port"),
        ("https://bücher.example/", "its host has to be written in ASCII, as 'xn--bcher-kva.example' if that is what"),
        ("https://\u0440\u0430\u0443\u0440\u0430l.example/", "in ASCII, as 'xn--l-7sba6dbr.example'"),
        ("https://\uff11\uff12\uff17.0.0.1/", "its host has to be written in ASCII, as '127.0.0.1'"),
        ("https://files\u3002example/", "in ASCII, as 'files.example'"),
        (f"https://{'ü' * 70}.example/", "its host has to be written in ASCII"),
        ("https://files.example/ü", "it has characters that an address has to have as %XX"),
        ("https://files.example/a b", "it has characters"),
        ("https://files.example\\@127.0.0.1/", "a name or password"),
        ("https://files.example\\.127.0.0.1/", "it has characters"),
        ("https://files.example\t/", "it has characters"),
        ("https://files.example/\r\nHost: x", "it has characters"),
        ("https://files.example/a#b", "a file has no part after '#'"),
        ("https://", "it has no valid host and port"),
        ("https:///etc/passwd", "it has no valid host and port"),
        ("https://files.example:0/", "it has no valid host and port"),
        ("https://files.example:65536/", "it has no valid host and port"),
        ("https://files..example/", "it has no valid host and port"),
        (f"https://files.example/{'a' * 2048}", "it is longer than 2048 characters"),
        ("file:///etc/passwd", "only http:// and https:// can be included"),
        ("gopher://files.example/", "only http:// and https:// can be included"),
    ],
)
def test_h07_address__with_a_trick__is_refused(address: str, reason: str) -> None:
    assert reason in (addresses.objection(address) or "")
