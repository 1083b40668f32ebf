"""Tries to connect, from the network that it is started in: attempts as JSON on standard input, outcomes on output.

It is started in the networks of containers that have no Python, so it takes nothing but the standard library, and names
are asked for at Docker's name server as a container would ask.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import struct
import sys
from contextlib import suppress

NAME_SERVER = ("127.0.0.11", 53)
SECONDS = 2.0
GREETINGS = {
    "postgres": struct.pack("!ii", 8, 80877103),  # SSLRequest: answered with one letter
    "redis": b"INFO server\r\n",
    "http": b"GET /here HTTP/1.0\r\n\r\n",
    "banner": b"",  # the server speaks first
    "tcp": None,  # being accepted is enough
}
LONGEST_ANSWER = 4096


async def attempt(host: str, port: int, protocol: str) -> str:
    """Connect and greet.

    Returns:
        `answers: ` with the answer, or why there is none.
    """
    try:
        async with asyncio.timeout(SECONDS):
            address = host if host[0].isdigit() else await resolve(host)
            if address is None:
                return "no such name"
            reader, writer = await asyncio.open_connection(address, port)
            try:
                greeting = GREETINGS[protocol]
                if greeting is None:
                    return "answers: connected"
                writer.write(greeting)
                answer = await until_quiet(reader, is_short=protocol == "postgres")
                return f"answers: {answer}" if answer else "closed"
            finally:
                writer.close()
    except TimeoutError:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else type(error).__name__


async def until_quiet(reader: asyncio.StreamReader, is_short: bool) -> str:
    """Return what comes until nothing more does for a moment."""
    answer = await reader.read(1)
    if answer and not is_short:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while len(answer) < LONGEST_ANSWER and (more := await reader.read(LONGEST_ANSWER)):
                    answer += more
    return answer.decode(errors="replace")


async def resolve(name: str) -> str | None:
    """Return the IPv4 address of a name (RFC 1035), None if there is none."""
    found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Answer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not found.done():
                found.set_result(data)

        def error_received(self, error: Exception) -> None:
            if not found.done():
                found.set_exception(error)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answer, remote_addr=NAME_SERVER)
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    try:
        transport.sendto(struct.pack("!6H", secrets.randbits(16), 0x0100, 1, 0, 0, 0) + question)
        answer = await found
    finally:
        transport.close()
    if struct.unpack("!H", answer[6:8])[0] == 0:
        return None
    return ".".join(str(byte) for byte in answer[-4:])  # Docker's server says one address per answer, and last


async def main() -> None:
    attempts = json.load(sys.stdin)
    outcomes = await asyncio.gather(*(attempt(host, port, protocol) for host, port, protocol in attempts))
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
