"""Servers that answer after a while and fail as often as their files say at the time.

server.py PORT FILE [PORT FILE ...]; a file holds milliseconds and the share of errors. All are one process, so that what the machine
adds is the same for all of them.
"""

import asyncio
import pathlib
import random
import sys


class Manner:
    """How one of them answers now."""

    def __init__(self, file):
        self.file, self.delay, self.errors = file, 0.0, 0.0

    async def follow(self):
        while True:
            words = self.file.read_text().split()
            if len(words) == 2:
                self.delay, self.errors = float(words[0]) / 1000, float(words[1])
            await asyncio.sleep(0.05)


class Server(asyncio.Protocol):
    def __init__(self, manner):
        self.manner = manner

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /healthz"):
                self.answer(200)
            else:
                status = 500 if random.random() < self.manner.errors else 200
                asyncio.get_running_loop().call_later(self.manner.delay * random.uniform(0.75, 1.25), self.answer, status)

    def answer(self, status):
        body = b"ok"
        self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def main(words):
    tasks = []
    for port, file in zip(words[::2], words[1::2], strict=True):
        manner = Manner(pathlib.Path(file))
        server = await asyncio.get_running_loop().create_server(lambda manner=manner: Server(manner), "127.0.0.1", int(port), backlog=512)
        tasks += [server.serve_forever(), manner.follow()]
    await asyncio.gather(*tasks)

asyncio.run(main(sys.argv[1:]))
