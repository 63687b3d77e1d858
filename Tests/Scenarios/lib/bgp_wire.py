"""A BGP peer by hand: bytes as a scenario wants them, right or wrong."""

import socket
import struct
import time

from lib.scenario import Failure

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16


def message(kind, body=b"", length=None, marker=MARKER):
    return marker + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def capability(code, value=b"", length=None):
    inner = bytes([code, len(value) if length is None else length]) + value
    return bytes([2, len(inner)]) + inner


MP4, MP6 = capability(1, b"\0\1\0\1"), capability(1, b"\0\2\0\1")


def as4(number):
    return capability(65, struct.pack("!I", number))


def open_body(asn=65010, hold=9, router_id="10.0.0.9", version=4, parameters=None):
    parameters = MP4 + MP6 + as4(asn) if parameters is None else parameters
    short = asn if asn < 65536 else 23456
    return struct.pack("!BHH", version, short, hold) + socket.inet_aton(router_id) + bytes([len(parameters)]) + parameters


def attribute(flags, kind, value, length=None):
    count = len(value) if length is None else length
    return bytes([flags, kind]) + (struct.pack("!H", count) if flags & 0x10 else bytes([count])) + value


ORIGIN = attribute(0x40, 1, b"\0")
HOP = attribute(0x40, 3, b"\x7f\0\0\1".replace(b"\x7f", b"\x0a"))


def path(asn=65010):
    return attribute(0x40, 2, struct.pack("!BBI", 2, 1, asn))


def prefix(text):
    address, length = text.split("/")
    return bytes([int(length)]) + socket.inet_aton(address)[: (int(length) + 7) // 8]


def update(attributes=b"", nlri=b"", withdrawn=b""):
    return message(UPDATE, struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + nlri)


class RawPeer:
    def __init__(self, port, source, seconds=5):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds, source_address=(source, 0))
        self.socket.settimeout(seconds)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """(kind, body) of the next message; None at the end of the stream."""
        while len(self.buffer) < 19 or len(self.buffer) < struct.unpack("!H", self.buffer[16:18])[0]:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            except TimeoutError:
                raise Failure("nothing comes") from None
            if not part:
                return None
            self.buffer += part
        length = struct.unpack("!H", self.buffer[16:18])[0]
        whole, self.buffer = self.buffer[:length], self.buffer[length:]
        return whole[18], whole[19:]

    def expect(self, kind):
        """The body of the next message of this kind; others are read over, but a NOTIFICATION."""
        while True:
            found = self.read()
            if found is None:
                raise Failure(f"closed before a message of type {kind}")
            if found[0] == kind:
                return found[1]
            if found[0] == NOTIFICATION:
                raise Failure(f"NOTIFICATION {found[1][0]}/{found[1][1]} before a message of type {kind}")

    def establish(self, **options):
        self.send(message(OPEN, open_body(**options)))
        self.expect(OPEN)
        self.expect(KEEPALIVE)
        self.send(message(KEEPALIVE))
        return self

    def ending(self):
        """"code/subcode" of the NOTIFICATION that ends it, or "closed"."""
        while (found := self.read()) is not None:
            if found[0] == NOTIFICATION:
                return f"{found[1][0]}/{found[1][1]}"
        return "closed"

    def close(self):
        self.socket.close()


class Flood:
    """UPDATEs with many /24s each, `count` prefixes in all."""

    def __init__(self, count, attributes):
        self.count, self.attributes = count, attributes

    def __iter__(self):
        for start in range(0, self.count, 500):
            nlri = b"".join(
                bytes([32]) + struct.pack("!I", 0x0B000000 + start + i) for i in range(min(500, self.count - start)))
            yield update(self.attributes, nlri)


def keep_alive(peer, until):
    """Sends KEEPALIVEs until a moment (monotonic) or the end; for a peer that waits for something."""
    while time.monotonic() < until:
        peer.send(message(KEEPALIVE))
        time.sleep(0.5)
