"""Opens COUNT keep-alive connections, uses each once, and holds them: python3 -m lib.holder PORT COUNT."""

import signal
import socket
import sys

port, count = int(sys.argv[1]), int(sys.argv[2])
held = []
for index in range(count):
    connection = socket.socket()
    # Several sources, so that no source runs out of ports.
    connection.bind((f"127.0.2.{index % 4 + 1}", 0))
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(4096)
        if not part:
            sys.exit(f"connection {index} was closed")
        data += part
    if not data.startswith(b"HTTP/1.1 200"):
        sys.exit(f"connection {index}: {data[:100]}")
    held.append(connection)
print(f"holding {len(held)}", flush=True)
signal.pause()
