"""A server that answers after a while and fails as often as its file says at the time.

server.py PORT FILE, which holds milliseconds and the share of errors
"""

import asyncio
import pathlib
import random
import sys

PORT, FILE = int(sys.argv[1]), pathlib.Path(sys.argv[2])
now = [0.0, 0.0]


async def follow():
    while True:
        words = FILE.read_text().split()
        if len(words) == 2:
            now[:] = float(words[0]) / 1000, float(words[1])
        await asyncio.sleep(0.05)


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /healthz"):
                self.answer(200)
            else:
                status = 500 if random.random() < now[1] else 200
                asyncio.get_running_loop().call_later(now[0] * random.uniform(0.75, 1.25), self.answer, status)

    def answer(self, status):
        body = b"ok"
        self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", PORT, backlog=512)
    await asyncio.gather(server.serve_forever(), follow())

asyncio.run(main())
