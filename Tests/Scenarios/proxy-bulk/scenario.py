"""Large bodies pass through pipes in the kernel: every framing, both ways, slow readers, cuts, and no pipe left over."""

import hashlib
import os
import socket
import struct
import threading
import time

from lib.node import Node
from lib.origin import BLOCK, Origin, Server, pattern, pattern_sha256
from lib.scenario import ensure, equal, wait
from lib.wire import Closed, Wire

MIB = 1 << 20
SIZE = 16 * MIB + 4321
RESET = struct.pack("ii", 1, 0)


def odd(wire):
    """By its path: too much, too little, a reset in the middle, or huge chunks."""
    while True:
        verb = wire.line().split(" ")[1].strip("/")
        wire.fields()
        if verb == "chunks":
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(4):
                wire.send(f"{3 * MIB:x};note=1\r\n".encode() + b"".join(pattern(3 * MIB)) + b"\r\n")
            wire.send("0\r\n\r\n")
            continue
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {4 * MIB}\r\n\r\n")
        for part in pattern(2 * MIB):
            wire.send(part)
        if verb == "cut":
            return
        if verb == "reset":
            time.sleep(0.2)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        for part in pattern(2 * MIB):
            wire.send(part)
        if verb == "surplus":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")


def digest(data):
    return len(data), hashlib.sha256(data).hexdigest()


def pipes(node):
    """Descriptors of pipes that the node has open."""
    folder = f"/proc/{node.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{name}").startswith("pipe:")
        except OSError:
            pass
    return found


def run(s):
    origin = Origin(s, "origin")
    backend = Server(s, "odd-backend", odd)
    node = Node(s)
    downloads(s, node)
    uploads(s, origin)
    slow(s, node)
    broken(s, node, backend)


def downloads(s, node):
    want = (SIZE, pattern_sha256(SIZE))
    with s.fact("bodies with a length, one after the other on one connection"), Wire(s.port("web"), timeout=30) as wire:
        start = time.monotonic()
        for _ in range(3):
            equal(digest(wire.exchange(target=f"/bytes/{SIZE}").body), want, "the body")
        s.figure("downloads", f"{3 * SIZE // MIB} MiB", f"{3 * SIZE / MIB / (time.monotonic() - start):.0f} MiB/s", f"{pipes(node)} pipe ends")
        # One that looks large before it comes, and is not.
        equal(wire.exchange(target="/bytes/5").body, BLOCK[:5], "a small body behind large ones")
    with s.fact("sizes about a pipe's and a read's edges"), Wire(s.port("web"), timeout=30) as wire:
        for size in (4095, 4096, 32768, 65535, 65536, 65537, 98304, 262143, 262144, 262145, 524288):
            equal(digest(wire.exchange(target=f"/bytes/{size}").body), (size, pattern_sha256(size)), f"a body of {size}")
    with s.fact("chunks of 64 KiB, with a trailer"), Wire(s.port("web"), timeout=30) as wire:
        response = wire.exchange(target=f"/chunked/{SIZE}")
        equal(digest(response.body), want, "the body")
        equal(response.trailers, [("x-sum", want[1])], "trailers")
    with s.fact("chunks of 3 MiB, twice"), Wire(s.port("odd"), timeout=30) as wire:
        for _ in range(2):
            equal(digest(wire.exchange(target="/chunks").body), digest(b"".join(pattern(3 * MIB)) * 4), "the body")
    with s.fact("a body that ends with the connection"), Wire(s.port("web"), timeout=30) as wire:
        equal(digest(wire.exchange(target=f"/close/{SIZE}").body), want, "the body")


def uploads(s, origin):
    body = b"".join(pattern(SIZE))
    with s.fact("an upload with a length, then another request on the connection"), Wire(s.port("web"), timeout=30) as wire:
        for _ in range(2):
            equal(wire.exchange("POST", "/up", body=body).status, 200, "status")
            equal((origin.requests[-1].length, origin.requests[-1].sha256), digest(body), "what the origin got")
    with s.fact("an upload in large chunks"), Wire(s.port("web"), timeout=30) as wire:
        wire.send("POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        equal(wire.response().status, 200, "status")
        equal((origin.requests[-1].length, origin.requests[-1].sha256), digest(body), "what the origin got")
    with s.fact("the limit of a body counts in chunks that nobody looks at"), Wire(s.port("small"), timeout=30) as wire:
        wire.send(f"POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n")

        def push():
            try:
                wire.socket.sendall(body)
            except OSError:
                pass
        pusher = threading.Thread(target=push)
        pusher.start()
        # Its answer, or a cut: never the whole body to the origin.
        try:
            equal(wire.head().status, 413, "status")
        except Closed:
            pass
        wire.socket.shutdown(socket.SHUT_RDWR)
        pusher.join()
        ensure(origin.requests[-1].length <= MIB + 65536, f"{origin.requests[-1].length} bytes went up")


def slow(s, node):
    with s.fact("a reader slower than its idle time goes on as long as it reads, and others are served"):
        with Wire(s.port("web"), receive_buffer=65536, timeout=30) as wire:
            wire.send(f"GET /bytes/{64 * MIB} HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.head()
            end = time.monotonic() + 5
            while time.monotonic() < end:
                wire.exactly(131072)
                with Wire(s.port("web")) as other:
                    equal(other.exchange(target="/bytes/9").body, BLOCK[:9], "another's answer")
                time.sleep(0.02)  # the reader's pace
    with s.fact("a reader that stops is cut after its idle time"), Wire(s.port("web"), receive_buffer=8192, timeout=30) as wire:
        wire.send(f"GET /bytes/{32 * MIB} HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.head()
        wait(lambda: node.pool("origin")["backends"][0]["inFlight"] == 0, "the exchange ends", 8)


def broken(s, node, backend):
    for verb, what in (("cut", "a backend that ends in the middle"), ("reset", "a backend that resets in the middle")):
        with s.fact(f"{what}: the client sees that the rest is missing"), Wire(s.port("odd"), timeout=10) as wire:
            wire.send(f"GET /{verb} HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(wire.head().header("content-length"), str(4 * MIB), "the promise")
            got = len(wire.rest())
            ensure(got < 4 * MIB, f"{got} bytes")
    with s.fact("bytes behind a body are nobody's answer"), Wire(s.port("odd"), timeout=10) as wire:
        for _ in range(3):
            accepted = backend.accepted
            equal(digest(wire.exchange(target="/surplus").body), (4 * MIB, digest(b"".join(pattern(2 * MIB)) * 2)[1]), "the body")
            ensure(backend.accepted <= accepted + 1, "more connections than requests")
        equal(wire.exchange(target="/whole").status, 200, "status")
    with s.fact("a client that resets in the middle takes its pipe along"):
        for _ in range(50):
            wire = Wire(s.port("web"), receive_buffer=8192)
            wire.send(f"GET /bytes/{4 * MIB} HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.head()
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            wire.close()
        wait(lambda: node.pool("origin")["backends"][0]["inFlight"] == 0, "nothing is in flight", 5)
        wait(lambda: pipes(node) <= 64, lambda: f"{pipes(node)} ends of pipes are open", 5)
