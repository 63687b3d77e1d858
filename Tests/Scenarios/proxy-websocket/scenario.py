"""WebSocket through a http listener, with Python's `websockets` on both ends."""

import asyncio
import os
import time

import websockets

from lib.node import Node
from lib.origin import Origin
from lib.peers import websocket_echo
from lib.scenario import contains, ensure, equal
from lib.wire import Wire


def run(s):
    for name in ("one", "two"):
        websocket_echo(s, name)
    plain = Origin(s, "plain")
    node = Node(s)
    for name in ("one", "two"):
        node.wait_verdict("echo", name, "up")
    url = f"ws://127.0.0.1:{s.port('web')}/chat"
    with s.fact("text and binary messages come back"):
        asyncio.run(messages(url))
    with s.fact("ping is answered, the close code passes"):
        asyncio.run(ping_and_close(url))
    with s.fact("200 sockets at once, on both backends"):
        names = asyncio.run(many(url, 200))
        equal(names, {"one", "two"}, "backends")
    with s.fact("messages of 4 MiB pass both ways"):
        seconds = asyncio.run(large(url))
        s.figure("4 MiB message there and back", f"{seconds * 1000:.0f} ms")
    with s.fact("a tunnel without a byte ends after its timeout"):
        seconds = asyncio.run(idle(f"ws://127.0.0.1:{s.port('short')}/"))
        s.figure("idle tunnel of 1 s ended after", f"{seconds:.2f} s")
        ensure(0.8 <= seconds <= 4, f"after {seconds:.2f} s")
    with s.fact("bytes sent right after the upgrade request are not lost"):
        early_bytes(s)
    with s.fact("an upgrade that the backend ignores is an ordinary response"), Wire(s.port("web")) as wire:
        response = wire.exchange(target="/plain", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
        equal(response.status, 200, "status")
        equal(wire.exchange(target="/plain").status, 200, "status of the next request")
        ensure(len(plain.requests) == 2, "the backend saw another number of requests")
    with s.fact("the access log has the tunnels with status 101"):
        entry = node.wait_logged(lambda entry: entry.get("status") == 101, "a 101")
        contains(str(entry["path"]), "/")


async def messages(url):
    async with websockets.connect(url) as socket:
        await socket.send("hello")
        answer = await socket.recv()
        ensure(answer in ("one:hello", "two:hello"), f"answered {answer}")
        data = os.urandom(100_000)
        await socket.send(data)
        equal(await socket.recv(), data, "the echo")


async def ping_and_close(url):
    socket = await websockets.connect(url)
    await asyncio.wait_for(await socket.ping(), 3)
    await socket.close(4321, "done")
    equal(socket.close_code, 4321, "the close code")


async def many(url, count):
    async def one(index):
        async with websockets.connect(url, open_timeout=20) as socket:
            await socket.send(str(index))
            name, _, text = (await socket.recv()).partition(":")
            equal(text, str(index), "the echo")
            return name
    return set(await asyncio.gather(*(one(index) for index in range(count))))


async def large(url):
    data = os.urandom(4 << 20)
    async with websockets.connect(url, max_size=None) as socket:
        start = time.monotonic()
        await socket.send(data)
        equal(await socket.recv() == data, True, "the echo is the same")
        return time.monotonic() - start


async def idle(url):
    async with websockets.connect(url, ping_interval=None) as socket:
        start = time.monotonic()
        try:
            await asyncio.wait_for(socket.recv(), 8)
        except websockets.ConnectionClosed:
            return time.monotonic() - start


def early_bytes(s):
    with Wire(s.port("web")) as wire:
        frame = b"\x81\x85\0\0\0\0early"  # a text frame, masked with zeros
        wire.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + frame
        )
        response = wire.response()
        equal(response.status, 101, "status")
        equal(response.header("upgrade"), "websocket", "Upgrade")
        answer = wire.exactly(2 + len("one:early"))
        contains(answer, b":early")
