"""WebSocket through a http listener, with Python's `websockets` on both ends."""

import asyncio
import os
import signal
import time

import websockets

from lib.h2peer import DATA, END_STREAM, H2, HEADERS, RST_STREAM
from lib.node import Node
from lib.origin import Origin
from lib.peers import websocket_echo
from lib.scenario import contains, ensure, equal, wait
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
    with s.fact("a drained backend's sockets end at the pool's time, by HTTP/1.1 and HTTP/2; another's go on"):
        s.figure("sockets of a drained backend, given 1 s, ended after", asyncio.run(drained(s, node, url)))
    with s.fact("the access log has the tunnels with status 101"):
        entry = node.wait_logged(lambda entry: entry.get("status") == 101, "a 101")
        contains(str(entry["path"]), "/")
    with s.fact("a node that stops gives sockets its drain-timeout, no longer"):
        seconds = asyncio.run(stopped(node, url))
        s.figure("sockets of a stopping node, given 2 s, ended after", f"{seconds:.2f} s")
        ensure(1.5 <= seconds <= 5, f"after {seconds:.2f} s")
        wait(lambda: node.process.popen.poll() is not None, "the node ends", 5)
        equal(node.process.popen.returncode, 0, "its exit status")


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


async def drained(s, node, url):
    # Each worker takes its turns by itself: six sockets of each kind, more if all came to one backend.
    sockets, streams = [], []
    try:
        while len({name for _, name in sockets}) < 2 or len(sockets) < 6:
            ensure(len(sockets) < 60, "all sockets came to one backend")
            socket = await websockets.connect(url, ping_interval=None)
            await socket.send("x")
            sockets.append((socket, (await socket.recv()).split(":")[0]))
            streams.append(await asyncio.to_thread(stream, s))
        name = streams[0][1]
        node.must("drain", f"echo/{name}")
        start = time.monotonic()
        for socket, at in sockets:
            if at == name:
                try:
                    await asyncio.wait_for(socket.recv(), 8)
                except websockets.ConnectionClosed:
                    continue
        seconds = time.monotonic() - start
        ensure(0.7 <= seconds <= 4, f"after {seconds:.2f} s")
        await asyncio.to_thread(streams[0][0].read, lambda f: f.stream == 1 and (f.kind == RST_STREAM or f.flags & END_STREAM), 4)
        other = next(socket for socket, at in sockets if at != name)
        await other.send("still")
        contains(await other.recv(), "still")
        node.must("ready", f"echo/{name}")
        return f"{seconds:.2f} s"
    finally:
        for socket, _ in sockets:
            await socket.close()
        for h2, _ in streams:
            h2.close()


def stream(s):
    """(a connection whose stream 1 is a WebSocket, its backend's name)."""
    h2 = H2(s.port("web")).settle()
    h2.headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "x"),
                   ("sec-websocket-version", "13")], end=False)
    equal(dict(h2.decoder.decode(h2.read(lambda f: f.kind == HEADERS).payload))[":status"], "200", "status")
    h2.data(1, b"\x81\x81\0\0\0\0x")
    return h2, h2.read(lambda f: f.kind == DATA and f.payload).payload[2:].split(b":")[0].decode()


async def stopped(node, url):
    async with websockets.connect(url, ping_interval=None) as socket:
        node.process.expect_exit = True
        node.process.signal(signal.SIGTERM)
        start = time.monotonic()
        try:
            await asyncio.wait_for(socket.recv(), 8)
        except websockets.ConnectionClosed:
            pass
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
