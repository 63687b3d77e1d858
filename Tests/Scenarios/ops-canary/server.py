"""A server of some version: answers with its name and version after a while, and fails as often as it is told to.

server.py PORT NAME VERSION MILLISECONDS SHARE-OF-ERRORS
"""

import asyncio
import random
import sys

PORT, NAME, VERSION = int(sys.argv[1]), sys.argv[2], sys.argv[3]
DELAY, ERRORS = float(sys.argv[4]) / 1000, float(sys.argv[5])


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            if b"\r\nx-sluice-mirror: forged" in head.lower():
                self.answer(418)
            elif head.startswith(b"GET /healthz"):
                self.answer(200)
            else:
                status = 500 if random.random() < ERRORS else 200
                asyncio.get_running_loop().call_later(DELAY * random.uniform(0.75, 1.25), self.answer, status)

    def answer(self, status):
        body = f"{NAME} {VERSION}".encode()
        self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", PORT, backlog=512)
    await server.serve_forever()

asyncio.run(main())
