"""TCP: every kind of address, half-close, large transfers, dead backends."""

import contextlib
import hashlib
import os
import socket
import stat
import struct
import threading
import time

from lib.node import Node
from lib.origin import Server, pattern, pattern_sha256
from lib.scenario import ensure, equal, wait
from lib.wire import Closed, Wire

MIB = 1 << 20
SIZE = 256 * MIB


def named_echo(name):
    def handle(wire):
        wire.send(f"{name}\n")
        while data := wire.socket.recv(65536):
            wire.send(data)
    return handle


def digest_then_answer(wire):
    """Reads to the client's end, then says what it read: needs a half-close."""
    digest, count = hashlib.sha256(), 0
    while data := wire.socket.recv(1 << 18):
        digest.update(data)
        count += len(data)
    wire.send(f"{count} {digest.hexdigest()}\n")


def talk(wire):
    """Sends as many bytes as the client asks for, then ends."""
    for part in pattern(int(wire.socket.recv(100))):
        wire.send(part)


def answers(wire):
    """Gives as many bytes as each line asks for, then ten more, a byte at a time; the connection stays."""
    with contextlib.suppress(Closed):
        while True:
            for part in pattern(int(wire.line_any())):
                wire.send(part)
            for _ in range(10):
                time.sleep(0.005)  # the pace of one who has little more to say
                wire.send(b"x")


def run(s):
    servers = {
        "four": Server(s, "four", named_echo("four")),
        "six": Server(s, "six", named_echo("six"), host="::1"),
        "path": Server(s, "path", named_echo("path"), path=s.path("backend.sock")),
    }
    Server(s, "hash-backend", digest_then_answer)
    Server(s, "talk-backend", talk)
    Server(s, "answers-backend", answers)
    node = Node(s)
    echo = s.port("echo")
    addresses(s, echo)
    transfers(s, node)
    ends(s, node, servers)


def addresses(s, echo):
    for label, to in (("IPv4", echo), ("IPv6", ("::1", echo)), ("a Unix socket", s.path("echo.sock"))):
        with s.fact(f"a client by {label} reaches backends by IPv4, IPv6 and Unix socket"):
            names = set()
            for _ in range(12):
                with Wire(to) as wire:
                    names.add(wire.exactly(4).decode().strip())
            equal(names, {"four", "six", "path"}, "backends")
    with s.fact("the Unix socket has the mode of the config"):
        equal(oct(stat.S_IMODE(os.stat(s.path("echo.sock")).st_mode)), "0o660", "mode")
    with s.fact("a route matches by source"):
        with Wire(s.port("sources"), source="127.0.0.7") as wire:
            wire.send("3")
            equal(wire.rest(), bytes(i * 7 % 251 for i in range(3)), "the talker's answer")


def transfers(s, node):
    expected = pattern_sha256(SIZE)
    with s.fact("a half-closed client still gets its answer; all bytes arrive"), Wire(s.port("hash"), timeout=30) as wire:
        start = time.monotonic()
        for part in pattern(SIZE):
            wire.send(part)
        wire.half_close()
        equal(wire.rest().decode(), f"{SIZE} {expected}\n", "what the backend read")
        s.figure("upload", f"{SIZE // MIB} MiB", f"{SIZE / MIB / (time.monotonic() - start):.0f} MiB/s", f"RSS {node.rss()} KiB")
    with s.fact("a backend that talks and ends: all bytes arrive, then the end"), Wire(s.port("talk"), timeout=30) as wire:
        start = time.monotonic()
        wire.send(str(SIZE))
        equal(*digest_of(wire, expected))
        s.figure("download", f"{SIZE // MIB} MiB", f"{SIZE / MIB / (time.monotonic() - start):.0f} MiB/s", f"RSS {node.rss()} KiB")
    with s.fact("what ends a long transfer arrives, though the connection stays; so does what is said after it"):
        with Wire(s.port("answers"), timeout=10) as wire:
            for size in (64 * MIB + 777, 10, 48 * MIB + 1, 1):
                wire.send(f"{size}\n")
                digest = hashlib.sha256()
                for _ in range(size // MIB):
                    digest.update(wire.exactly(MIB))
                digest.update(wire.exactly(size % MIB))
                equal(digest.hexdigest(), pattern_sha256(size), f"the digest of {size} bytes")
                start = time.monotonic()
                equal(wire.exactly(10), b"x" * 10, "the end")
                s.figure("ten bytes behind", f"{size} bytes", f"{(time.monotonic() - start) * 1000:.0f} ms")
    with s.fact("both directions at once"), Wire(s.port("echo"), timeout=30) as wire:
        size = 32 * MIB
        writer = threading.Thread(target=lambda: ([wire.send(part) for part in pattern(size)], wire.half_close()))
        writer.start()
        name, _, body = wire.rest().partition(b"\n")
        writer.join()
        equal((len(body), hashlib.sha256(body).hexdigest()), (size, pattern_sha256(size)), f"the echo of {name}")
    with s.fact("a client that does not read stops the backend, not the memory"), Wire(s.port("talk"), receive_buffer=4096) as wire:
        before = node.rss()
        wire.send(str(SIZE))
        wire.exactly(1)
        time.sleep(1)  # the window in which memory would grow
        grown = node.rss() - before
        s.figure("slow reader", f"{SIZE // MIB} MiB offered", f"RSS grew by {grown} KiB", "")
        ensure(grown < 8192, f"RSS grew by {grown} KiB")


def digest_of(wire, expected):
    digest = hashlib.sha256()
    while data := wire.socket.recv(1 << 18):
        digest.update(data)
    return digest.hexdigest(), expected, "the checksum"


def ends(s, node, servers):
    with s.fact("a connection without a byte ends after its timeout"), Wire(s.port("idle")) as wire:
        wire.exactly(4)
        start = time.monotonic()
        ensure(wire.ended(6), "it stays open")
        ensure(time.monotonic() - start > 0.7, f"after {time.monotonic() - start:.2f} s already")
    with s.fact("no backend: the client is told by a close at once"):
        # The reset may be there before connect returns.
        with contextlib.suppress(ConnectionResetError), Wire(s.port("dead")) as wire:
            ensure(wire.ended(3), "it stays open")
    with s.fact("a refused connect goes to the next backend"):
        for _ in range(5):
            with Wire(s.port("retry")) as wire:
                equal(wire.exactly(5), b"four\n", "who answers")
    with s.fact("a client's reset reaches the backend"):
        for server in servers.values():
            server.cut()
        wait(lambda: not any(server.open for server in servers.values()), "all backend connections are gone")
        wire = Wire(s.port("echo"))
        wire.exactly(4)
        ensure(any(server.open for server in servers.values()), "no backend has the connection")
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
        wait(lambda: not any(server.open for server in servers.values()), "the backend's connection ends", 3)
    with s.fact("a backend's end reaches the client"), Wire(s.port("echo")) as wire:
        wire.exactly(4)
        for server in servers.values():
            server.cut()
        ensure(wire.ended(3), "the client's connection stays open")
    with s.fact("nothing is in flight at the end"):
        wait(lambda: sum(b["inFlight"] for b in node.pool("echo")["backends"]) == 0, "in-flight is 0", 5)
