"""Servers in this process: raw connections, and an HTTP origin that keeps what it saw."""

import contextlib
import hashlib
import json
import os
import socket
import threading
import time

from lib.wire import Closed, Wire


class Server:
    """Accepts on an address and gives each connection to `handle(wire)` in a thread."""

    def __init__(self, scenario, name, handle=None, port=None, path=None, host="127.0.0.1"):
        self.scenario, self.name = scenario, name
        self.handle = handle or self.handle
        self.host, self.path = host, path
        self.port = None if path else port or scenario.port(name)
        self.open, self.accepted = set(), 0
        self.listener = None
        self.start()
        scenario.defer(self.stop)

    def start(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            self.listener.bind(str(self.path))
        else:
            self.listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.host, self.port))
        self.listener.listen(1024)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Refuses new connections and cuts the open ones."""
        if self.listener:
            # close alone would leave the thread in accept, and with it the socket listening.
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.cut()

    def cut(self):
        for wire in list(self.open):
            with contextlib.suppress(OSError):
                wire.socket.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        wire = Wire.__new__(Wire)
        wire.socket, wire.buffer = connection, b""
        connection.settimeout(120)
        self.open.add(wire)
        try:
            self.handle(wire)
        except (OSError, Closed, ValueError):
            pass
        except Exception as error:  # a server of the test that fails shall be seen
            print(f"   {self.name}: {type(error).__name__}: {error}", flush=True)
        finally:
            self.open.discard(wire)
            with contextlib.suppress(OSError):
                connection.close()


class Seen:
    """A request as the origin saw it."""

    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.body, self.length, self.sha256, self.trailers, self.proxied = b"", 0, "", [], None
        self.whole = False  # its body has been read

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        found = self.all(name)
        return found[0] if found else None

    @property
    def path(self):
        return self.target.split("?")[0]


class Origin(Server):
    """An HTTP/1.1 server whose path says what it does; everything else is answered with what it saw.

    /status/N · /bytes/N (with a length) · /chunked/N (with a trailer) · /close/N (ended by the close)
    /delay/MS · /early (103 first) · /refuse (417 before the body) · /quit (closes without an answer)
    /stall (reads its body when `resume` is set) · /hop (with hop-by-hop fields)
    """

    def __init__(self, scenario, name, accept_proxy=False, **options):
        self.requests = []
        self.statuses = {}
        self.accept_proxy = accept_proxy
        self.concurrent = self.most = 0
        self.resume = threading.Event()
        self.lock = threading.Lock()
        super().__init__(scenario, name, **options)

    def handle(self, wire):
        proxied = read_proxy(wire) if self.accept_proxy else None
        while True:
            try:
                line = wire.line()
            except Closed:
                return
            method, target, version = line.split(" ")
            seen = Seen(method, target, version, wire.fields())
            seen.proxied = proxied
            self.requests.append(seen)
            if seen.header("expect") == "100-continue":
                if seen.path == "/refuse":
                    wire.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            with self.lock:
                self.concurrent += 1
                self.most = max(self.most, self.concurrent)
            try:
                self.read_body(wire, seen)
                seen.whole = True
                if self.answer(wire, seen) == "close" or seen.header("connection") == "close" or version == "HTTP/1.0":
                    return
            finally:
                with self.lock:
                    self.concurrent -= 1

    def read_body(self, wire, seen):
        if seen.path == "/stall":
            self.resume.wait(60)
        digest = hashlib.sha256()

        def keep(part):
            digest.update(part)
            seen.length += len(part)
            if len(seen.body) < 65536:
                seen.body += part

        if seen.header("transfer-encoding"):
            while size := int(wire.line().split(";")[0], 16):
                while size:
                    part = wire.exactly(min(size, 65536))
                    keep(part)
                    size -= len(part)
                wire.exactly(2)
            seen.trailers = wire.fields()
        elif length := seen.header("content-length"):
            left = int(length)
            while left:
                part = wire.exactly(min(left, 65536))
                keep(part)
                left -= len(part)
        seen.sha256 = digest.hexdigest()

    def answer(self, wire, seen):
        words = seen.path.strip("/").split("/")
        verb, number = words[0], int(words[1]) if len(words) == 2 and words[1].isdigit() else 0
        if verb == "quit":
            return "close"
        if verb == "delay":
            time.sleep(number / 1000)
        if verb == "early":
            wire.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        if verb == "bytes":
            self.send_bytes(wire, seen, number)
        elif verb == "chunked":
            self.send_chunked(wire, number)
        elif verb == "close":
            wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            send_pattern(wire, number)
            return "close"
        else:
            status = number if verb == "status" else self.statuses.get(seen.path, 200)
            hop = "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n"
            self.reply(wire, seen, status, hop if verb == "hop" else "")
        return None

    def reply(self, wire, seen, status, headers=""):
        body = json.dumps({
            "backend": self.name, "method": seen.method, "target": seen.target, "version": seen.version,
            "headers": seen.headers, "length": seen.length, "sha256": seen.sha256, "trailers": seen.trailers,
        }).encode()
        length = "" if status in (204, 304) else f"Content-Length: {len(body)}\r\n"
        head = f"HTTP/1.1 {status} Status\r\nX-Backend: {self.name}\r\nServer: origin\r\n{headers}{length}\r\n"
        wire.send(head.encode() + (b"" if status in (204, 304) or seen.method == "HEAD" else body))

    def send_bytes(self, wire, seen, count):
        wire.send(f"HTTP/1.1 200 OK\r\nX-Backend: {self.name}\r\nContent-Length: {count}\r\n\r\n")
        if seen.method != "HEAD":
            send_pattern(wire, count)

    def send_chunked(self, wire, count):
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
        digest = hashlib.sha256()
        for part in pattern(count):
            digest.update(part)
            wire.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        wire.send(f"0\r\nx-sum: {digest.hexdigest()}\r\n\r\n")


BLOCK = bytes(i * 7 % 251 for i in range(65536))


def pattern(count):
    """`count` bytes that are the same each time, in blocks."""
    while count:
        part = BLOCK[:count]
        yield part
        count -= len(part)


def send_pattern(wire, count):
    for part in pattern(count):
        wire.send(part)


def pattern_sha256(count):
    digest = hashlib.sha256()
    for part in pattern(count):
        digest.update(part)
    return digest.hexdigest()


def tlvs(block):
    """{type: value}; of PP2_TYPE_SSL (0x20) its flags, its verdict and its own."""
    found = {}
    while block:
        kind, size = block[0], int.from_bytes(block[1:3], "big")
        value, block = block[3:3 + size], block[3 + size:]
        found[kind] = (value[0], int.from_bytes(value[1:5], "big"), tlvs(value[5:])) if kind == 0x20 else value
    return found


def read_proxy(wire):
    """A PROXY protocol header, v1 or v2: (version, source, source port, destination, destination port)."""
    start = wire.exactly(12)
    if start == b"\r\n\r\n\0\r\nQUIT\n":
        command, family = wire.exactly(2)
        block = wire.exactly(int.from_bytes(wire.exactly(2), "big"))
        if command == 0x20:
            return ("v2 local",)
        kind, size = {0x11: (socket.AF_INET, 4), 0x12: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}[family]
        source, destination = (socket.inet_ntop(kind, block[i * size:(i + 1) * size]) for i in range(2))
        ports = [int.from_bytes(block[2 * size + i:2 * size + i + 2], "big") for i in (0, 2)]
        wire.tlvs = tlvs(block[2 * size + 4:])
        return ("v2", source, ports[0], destination, ports[1])
    wire.buffer = start + wire.buffer
    words = wire.line().split(" ")
    if words[0] != "PROXY":
        raise ValueError(f"no PROXY header: {words}")
    if words[1] == "UNKNOWN":
        return ("v1 unknown",)
    return ("v1", words[2], int(words[4]), words[3], int(words[5]))
