"""Runs in a container: answers requests over TCP, asks itself one every few milliseconds, and prints how long it took.

A line for each second: its number and the median of its round trips in microseconds.
"""

import socket
import statistics
import threading
import time


def serve(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        connection.sendall(connection.recv(64) * 16)
        connection.close()


server = socket.create_server(("127.0.0.1", 0), backlog=64)
threading.Thread(target=serve, args=(server,), daemon=True).start()
second, took = 0, []
began = time.monotonic()
while True:
    asked = time.monotonic()
    with socket.create_connection(server.getsockname()) as connection:
        connection.sendall(b"a question")
        while connection.recv(4096):
            pass
    took.append(time.monotonic() - asked)
    time.sleep(0.004)
    if time.monotonic() - began >= second + 1:
        print(second, round(statistics.median(took) * 1_000_000), flush=True)
        second, took = second + 1, []
