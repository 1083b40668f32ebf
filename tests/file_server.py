"""A web server on loopback for one test: each path answers with bytes, a redirect, or something hostile."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class FileServer:
    """What is served, and what was asked. Everything may be changed at any time."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    """Path -> what answers it; nothing there is a 404."""
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def put(self, path: str, content: bytes | str, status: int = 200, **headers: str) -> None:
        body = content.encode() if isinstance(content, str) else content

        def answer(request: BaseHTTPRequestHandler) -> None:
            send_head(request, status, **{"Content-Length": str(len(body)), **headers})
            request.wfile.write(body)

        self.answers[path] = answer

    def redirect(self, path: str, location: str, status: int = 302, **headers: str) -> None:
        self.put(path, b"", status, Location=location, **headers)


def send_head(request: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    """Send the status and the headers of an answer; _ in their names stands for -."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serve on a free port of 127.0.0.1."""
    files = FileServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            files.asked.append(self.path)
            files.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = files.answers.get(self.path)
            with suppress(OSError):  # the client may have had enough
                answer(self) if answer else self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client that does not trust the certificate

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        files.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield files
        finally:
            server.shutdown()
            thread.join()
