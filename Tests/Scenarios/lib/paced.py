"""HTTP servers with a pace, in one process: python3 -m lib.paced CONTROL PORT:MS...

Each answers after its delay and counts; a GET to the CONTROL port returns
{port: {"served", "mean", "most"}}: requests, time-weighted and highest in-flight.
"""

import asyncio
import json
import sys
import time


class Paced(asyncio.Protocol):
    def __init__(self, server):
        self.server, self.buffer = server, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            self.buffer = self.buffer.partition(b"\r\n\r\n")[2]
            self.server.change(1)
            asyncio.get_running_loop().call_later(self.server.delay, self.answer)

    def answer(self):
        self.server.change(-1)
        self.server.served += 1
        if not self.transport.is_closing():
            self.transport.write(self.server.reply)


class Pace:
    def __init__(self, port, delay):
        self.port, self.delay = port, delay
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Backend: %d\r\n\r\n" % port
        self.now = 0
        self.reset()

    def reset(self):
        self.served, self.most, self.area, self.start = 0, self.now, 0.0, time.monotonic()
        self.last = self.start

    def change(self, by):
        moment = time.monotonic()
        self.area += self.now * (moment - self.last)
        self.last = moment
        self.now += by
        self.most = max(self.most, self.now)

    def figures(self):
        self.change(0)
        return {"served": self.served, "most": self.most, "mean": self.area / max(self.last - self.start, 1e-6)}


async def main():
    loop = asyncio.get_running_loop()
    paces = [Pace(int(port), float(ms) / 1000) for port, ms in (word.split(":") for word in sys.argv[2:])]
    for pace in paces:
        await loop.create_server(lambda pace=pace: Paced(pace), "127.0.0.1", pace.port, backlog=1024)

    async def control(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({pace.port: pace.figures() for pace in paces}).encode()
        if head.startswith(b"POST"):
            for pace in paces:
                pace.reset()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    await asyncio.start_server(control, "127.0.0.1", int(sys.argv[1]))
    await asyncio.Future()


asyncio.run(main())
