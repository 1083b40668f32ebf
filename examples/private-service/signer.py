"""Signs what is posted to /sign with the key in /run/secrets/signing-key: HMAC with SHA-256, RFC 2104."""

from __future__ import annotations

import hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY = Path("/run/secrets/signing-key").read_bytes().strip()
LARGEST = 4096


class Signer(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.answer(200, b"ok\n")
        else:
            self.answer(404, b"post to /sign\n")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/sign" or not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self.answer(400, b"post at most 4096 bytes to /sign\n")
            return
        signature = hmac.new(KEY, self.rfile.read(int(length)), "sha256").hexdigest()
        self.answer(200, signature.encode() + b"\n")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Signer).serve_forever()
