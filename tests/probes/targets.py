"""Runs in a container or a namespace: tries to connect to each `address port` it is given, and prints the answers.

`open` and `refused` mean that somebody was reached; nothing but `silent` and `unreachable` mean that nobody was.
"""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 1.5


def answer(target: str) -> str:
    address, port = target.split(" ")
    try:
        with socket.create_connection((address, int(port)), SECONDS) as connection:
            connection.settimeout(SECONDS)
            return "open" if connection.recv(9) == b"reached" else "silent"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except OSError as error:
        return "unreachable" if error.errno in (101, 113, 22, 99, 97, -2, -3) else f"error {error.errno}"


with ThreadPoolExecutor(32) as pool:
    print(json.dumps(dict(zip(sys.argv[1:], pool.map(answer, sys.argv[1:]), strict=True))))
