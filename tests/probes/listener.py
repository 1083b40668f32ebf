"""Runs in a namespace: greets whoever connects to one of the ports it is given, on every address, over IPv4 and IPv6.

If a file is named first it also answers all who ask for names at UDP port 53, and writes a line for each.
"""

import selectors
import socket
import sys
from pathlib import Path

queries, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
selector = selectors.DefaultSelector()
for port in ports:
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    selector.register(server, selectors.EVENT_READ)
if queries:
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("0.0.0.0", 53))
    selector.register(names, selectors.EVENT_READ)
    Path(queries).write_text("")
while True:
    for key, _ in selector.select():
        if key.fileobj.type == socket.SOCK_DGRAM:
            query, sender = names.recvfrom(512)
            with Path(queries).open("a") as file:
                file.write("query\n")
            header = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
            question = query[12 : query.index(b"\0", 12) + 5]
            answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\xcb\x00\x71\x01"  # 203.0.113.1
            names.sendto(header + question + answer, sender)
        else:
            connection, _ = key.fileobj.accept()
            connection.sendall(b"reached")
            connection.close()
