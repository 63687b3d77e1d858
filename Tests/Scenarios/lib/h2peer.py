"""HTTP/2 by raw frames: a client that sends exactly these, and reads what comes."""

import socket
import struct
import time

import hpack

from lib.scenario import Failure

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 32
ERRORS = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL "
    "COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def code(self):
        """The error code of RST_STREAM or GOAWAY, by name."""
        value = struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0]
        return ERRORS[value] if value < len(ERRORS) else str(value)

    @property
    def last(self):
        return struct.unpack(">I", self.payload[:4])[0] & 0x7fffffff

    def __repr__(self):
        names = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
        text = names[self.kind] if self.kind < 10 else str(self.kind)
        if self.kind in (RST_STREAM, GOAWAY):
            text += f" {self.code}"
        return f"{text} on {self.stream} ({len(self.payload)} bytes, flags {self.flags:#x})"


class H2:
    """One connection. `preface=False`: nothing is sent by itself."""

    def __init__(self, port, preface=True, settings=b"", timeout=5, receive_buffer=None, wrap=None):
        self.socket = socket.socket(socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap:
            self.socket = wrap(self.socket)
        self.buffer = b""
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.timeout = timeout
        self.peer = {}
        if preface:
            self.send(MAGIC + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def settle(self):
        """Reads the server's SETTINGS and acknowledges them."""
        found = self.read(lambda f: f.kind == SETTINGS and not f.flags & ACK)
        for at in range(0, len(found.payload), 6):
            key, value = struct.unpack(">HI", found.payload[at:at + 6])
            self.peer[key] = value
        self.send(frame(SETTINGS, ACK))
        return self

    # MARK: requests

    def block(self, fields):
        return self.encoder.encode(fields, huffman=False)

    def fields(self, method="GET", path="/", authority="x", scheme="http", extra=()):
        pseudo = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
        return [(k, v) for k, v in pseudo if v is not None] + list(extra)

    def headers(self, stream, fields=None, end=True, flags=END_HEADERS):
        self.send(frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.block(fields or self.fields())))

    def data(self, stream, payload=b"", end=False):
        self.send(frame(DATA, END_STREAM if end else 0, stream, payload))

    # MARK: reading

    def next(self, deadline):
        """The next frame; None: the connection has ended."""
        while True:
            if len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + size:
                    kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
                    payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
                    return Frame(kind, flags, stream & 0x7fffffff, payload)
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure("nothing comes")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, socket.timeout):
                raise Failure("nothing comes") from None
            except (ConnectionResetError, BrokenPipeError):
                return None
            if not data:
                return None
            self.buffer += data

    def read(self, wanted, seconds=None):
        """The first frame that is wanted; others are skipped, header blocks decoded."""
        deadline = time.monotonic() + (seconds or self.timeout)
        while True:
            found = self.next(deadline)
            if found is None:
                raise Failure("the connection ended")
            if wanted(found):
                return found
            if found.kind == HEADERS:
                self.decoder.decode(found.payload)

    def response(self, stream=1, seconds=None, window=True):
        """(status, fields, body, trailers or None, interim heads) of a whole response."""
        deadline = time.monotonic() + (seconds or self.timeout)
        status, fields, body, trailers, interim = None, [], b"", None, []
        while True:
            found = self.next(deadline)
            if found is None:
                raise Failure("the connection ended within a response")
            if found.kind == GOAWAY and found.code != "NO_ERROR":
                raise Failure(f"GOAWAY {found.code} {found.payload[8:]!r}")
            if found.kind == RST_STREAM and found.stream == stream:
                raise Reset(found.code)
            if found.kind == HEADERS:
                decoded = self.decoder.decode(found.payload)
                if found.stream != stream:
                    continue
                if status is None or status < 200:
                    if status is not None:
                        interim.append((status, fields))
                    status, fields = int(decoded[0][1]), decoded[1:]
                else:
                    trailers = decoded
            if found.kind == DATA:
                if found.stream == stream:
                    body += found.payload
                if window and found.payload:
                    update = struct.pack(">I", len(found.payload))
                    self.send(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, found.stream, update))
            if found.stream == stream and found.flags & END_STREAM and found.kind in (HEADERS, DATA):
                return status, fields, body, trailers, interim

    def outcome(self, stream=None, seconds=None):
        """What a peer says to what was sent: "GOAWAY code", "RST_STREAM code", "closed", or the status of a response."""
        deadline = time.monotonic() + (seconds or self.timeout)
        while True:
            try:
                found = self.next(deadline)
            except Failure:
                return "nothing"
            if found is None:
                return "closed"
            if found.kind == GOAWAY:
                return f"GOAWAY {found.code}"
            if found.kind == RST_STREAM and stream in (None, found.stream):
                return f"RST_STREAM {found.code}"
            if found.kind == HEADERS:
                decoded = self.decoder.decode(found.payload)
                if stream in (None, found.stream) and decoded and decoded[0][0] == ":status":
                    return decoded[0][1]
            if found.kind == PING and found.flags & ACK and stream is None:
                return "PONG"

    def alive(self):
        """Whether the connection still answers a PING."""
        self.send(frame(PING, 0, 0, b"are you "))
        deadline = time.monotonic() + self.timeout
        while True:
            found = self.next(deadline)
            if found is None or found.kind == GOAWAY:
                return False
            if found.kind == HEADERS:
                self.decoder.decode(found.payload)
            if found.kind == PING and found.flags & ACK and found.payload == b"are you ":
                return True


class Reset(Failure):
    """The stream was reset."""

    def __init__(self, code):
        super().__init__(f"the stream was reset: {code}")
        self.code = code
