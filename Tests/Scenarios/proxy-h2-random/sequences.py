"""Random sequences of HTTP/2 frames: a client's connection behind its preface, most of it right, some of it not.

Each step has a label, so that a difference between two servers has a name. Header blocks use no table: a step means the
same wherever it stands.
"""

import struct

from lib.h2peer import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PRIORITY_FLAG, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame)


def block(fields):
    """Literals without indexing (RFC 7541 §6.2.2)."""
    return b"".join(bytes([0, len(name)]) + name + bytes([len(value)]) + value for name, value in fields)


GOOD = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/small"), (b":authority", b"x")]
POST = [(b":method", b"POST"), *GOOD[1:]]


def without(name):
    return [field for field in GOOD if field[0] != name]


# What RFC 9113 §8 says of them: a malformed message.
MALFORMED = {
    "an upper-case name": [*GOOD, (b"X-Up", b"1")],
    "Connection": [*GOOD, (b"connection", b"close")],
    "Transfer-Encoding": [*GOOD, (b"transfer-encoding", b"chunked")],
    "te: gzip": [*GOOD, (b"te", b"gzip")],
    "no :method": without(b":method"),
    "no :path": without(b":path"),
    "no :scheme": without(b":scheme"),
    "two :path": [*GOOD, (b":path", b"/other")],
    "an unknown pseudo-header": [(b":odd", b"1"), *GOOD],
    "a response's pseudo-header": [(b":status", b"200"), *GOOD],
    "a late pseudo-header": [*GOOD[:3], (b"x", b"1"), GOOD[3]],
    "an empty :path": [*without(b":path"), (b":path", b"")],
    "LF in a value": [*GOOD, (b"x", b"a\nb")],
    "NUL in a value": [*GOOD, (b"x", b"a\0b")],
    "a blank in a name": [*GOOD, (b"x y", b"1")],
    "an empty name": [*GOOD, (b"", b"1")],
    "two Content-Length": [*POST, (b"content-length", b"3"), (b"content-length", b"4")],
    "a Content-Length that is no number": [*POST, (b"content-length", b"3x")],
}
EXTRA = {
    "": GOOD, "a field": [*GOOD, (b"x", b"1")], "two cookies": [*GOOD, (b"cookie", b"a=1"), (b"cookie", b"b=2")], "te: trailers": [*GOOD, (b"te", b"trailers")],
    "no :authority but Host": [*without(b":authority"), (b"host", b"x")], "https": [*without(b":scheme"), (b":scheme", b"https")],
}


class Sequence:
    """`steps`: (label, bytes) of one connection; by seed."""

    def __init__(self, random):
        self.random = random
        self.next = 1
        self.open, self.ended = [], []
        self.says_goodbye = False
        self.steps = []
        for _ in range(random.randint(1, 10)):
            # Nothing follows a GOAWAY: who has no stream open may close at once.
            if not self.says_goodbye:
                self.add()

    def add(self):
        kinds = (
            (self.request, 8), (self.data, 5), (self.trailers, 2), (self.window, 3), (self.settings, 3), (self.ping, 2), (self.reset, 2),
            (self.priority, 2), (self.malformed, 2), (self.unknown, 1), (self.split, 2), (self.out_of_place, 0.4), (self.goodbye, 0.3))
        made = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()
        if made is None:
            return
        label, data = made
        if not self.says_goodbye and self.random.random() < 0.03:
            label, data = self.mutated(label, data)
        self.steps.append((label, data))

    # MARK: steps

    def stream(self, end):
        number, self.next = self.next, self.next + self.random.choice((2, 2, 2, 4))
        (self.ended if end else self.open).append(number)
        return number

    def request(self):
        end = self.random.random() < 0.6
        label, fields = self.random.choice(list(EXTRA.items()))
        if not end:
            fields = [(b":method", b"POST"), *fields[1:]]
        payload, flags = block(fields), END_HEADERS | (END_STREAM if end else 0)
        number = self.stream(end)
        if self.random.random() < 0.2:
            depends = self.random.choice((0, 0, number))
            payload, flags = struct.pack(">IB", depends, 15) + payload, flags | PRIORITY_FLAG
            label += " that depends on itself" if depends else " with a priority"
        if self.random.random() < 0.2:
            size = self.random.choice((0, 7, 255))
            payload, flags = bytes([size]) + payload + bytes(size), flags | PADDED
        return f"request {label}".strip(), frame(HEADERS, flags, number, payload)

    def malformed(self):
        label, fields = self.random.choice(list(MALFORMED.items()))
        end = fields[0][1] != b"POST"
        return f"malformed: {label}", frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.stream(end), block(fields))

    def place(self):
        """(what kind of stream, its number)."""
        places = [("an idle stream", self.next + 100), ("stream 0", 0), ("an even stream", 2)]
        weights = [0.3, 0.2, 0.2]
        if self.open:
            places.append(("an open stream", self.random.choice(self.open)))
            weights.append(12)
        if self.ended:
            places.append(("an ended stream", self.random.choice(self.ended)))
            weights.append(0.5)
        return self.random.choices(places, weights)[0]

    def ends(self, number):
        if number in self.open:
            self.open.remove(number)
            self.ended.append(number)

    def data(self):
        label, number = self.place()
        end = self.random.random() < 0.3
        payload, flags = self.random.randbytes(self.random.choice((0, 1, 100, 4000))), END_STREAM if end else 0
        if self.random.random() < 0.2:
            size = self.random.choice((0, 9, 255))
            payload, flags = bytes([size]) + payload + bytes(size), flags | PADDED
        elif self.random.random() < 0.05:
            label, payload, flags = f"{label}, padded beyond its end", b"\xff" + payload[:200], flags | PADDED
        if end:
            self.ends(number)
        return f"DATA on {label}", frame(DATA, flags, number, payload)

    def trailers(self):
        if not self.open:
            return None
        number = self.random.choice(self.open)
        kind = self.random.choice(("", "", " without END_STREAM", " with a pseudo-header"))
        fields = [(b":path", b"/")] if "pseudo" in kind else [(b"x-sum", b"1")]
        self.ends(number)
        return f"trailers{kind}", frame(HEADERS, END_HEADERS | (0 if "without" in kind else END_STREAM), number, block(fields))

    def window(self):
        label, number = self.place() if self.random.random() < 0.6 else ("stream 0", 0)
        kind, amount = self.random.choices((("", 1000), (" by 0", 0), (" beyond 2^31-1", 0x7fffffff)), (10, 1, 1))[0]
        return f"WINDOW_UPDATE{kind} on {label}", frame(WINDOW_UPDATE, 0, number, struct.pack(">I", amount))

    def settings(self):
        label, flags, number, entries, cut = self.random.choices((
            ("", 0, 0, ((4, 70000), (3, 10)), 0), (" of unknown kinds", 0, 0, ((0x99, 1),), 0), (", none", 0, 0, (), 0), (" acknowledged", ACK, 0, (), 0),
            (" acknowledged with entries", ACK, 0, ((3, 10),), 0), (" on a stream", 0, 1, ((3, 10),), 0), (" of a broken length", 0, 0, ((3, 10),), 1),
            (", ENABLE_PUSH 2", 0, 0, ((2, 2),), 0), (", a window of 2^31", 0, 0, ((4, 1 << 31),), 0), (", frames of 100 bytes", 0, 0, ((5, 100),), 0),
            (", no window", 0, 0, ((4, 0),), 0), (", no table", 0, 0, ((1, 0),), 0)), (18, 6, 6, 3, 1, 1, 1, 1, 1, 1, 6, 6))[0]
        payload = b"".join(struct.pack(">HI", *entry) for entry in entries)
        return f"SETTINGS{label}", frame(SETTINGS, flags, number, payload[:len(payload) - cut])

    def ping(self):
        label, flags, number, size = self.random.choices((("", 0, 0, 8), (", an answer", ACK, 0, 8), (" of 7 bytes", 0, 0, 7), (" on a stream", 0, 1, 8)), (12, 4, 1, 1))[0]
        return f"PING{label}", frame(PING, flags, number, bytes(size))

    def reset(self):
        label, number = self.place()
        size = 4 if self.random.random() < 0.9 else 3
        self.ends(number)
        return f"RST_STREAM on {label}" + ("" if size == 4 else " of 3 bytes"), frame(RST_STREAM, 0, number, struct.pack(">I", 8)[:size])

    def priority(self):
        label, number = self.place()
        depends, size = self.random.choices(((0, 5), (number, 5), (0, 4)), (6, 1, 1))[0]
        kind = " of 4 bytes" if size == 4 else " on itself" if depends and depends == number else ""
        return f"PRIORITY{kind} on {label}", frame(PRIORITY, 0, number, struct.pack(">IB", depends, 1)[:size])

    def unknown(self):
        return "a frame of unknown kind", frame(self.random.randint(0x20, 0xff), self.random.randint(0, 255), self.random.choice((0, 1)), self.random.randbytes(20))

    def split(self):
        """A header block over several frames, which nothing may come between."""
        payload = block(GOOD)
        number, at = self.stream(True), self.random.randint(0, len(payload))
        first, last = frame(HEADERS, END_STREAM, number, payload[:at]), frame(CONTINUATION, END_HEADERS, number, payload[at:])
        kind = self.random.choices(("", ", a PING between", ", on another stream", ", never ended"), (16, 1, 1, 1))[0]
        if kind == ", a PING between":
            return f"CONTINUATION{kind}", first + frame(PING, 0, 0, bytes(8)) + last
        if kind == ", on another stream":
            return f"CONTINUATION{kind}", first + frame(CONTINUATION, END_HEADERS, number + 2, payload[at:])
        return f"CONTINUATION{kind}", first if "never" in kind else first + last

    def out_of_place(self):
        return self.random.choice((
            ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, block(GOOD))),
            ("PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + block(GOOD))),
            ("a request on an even stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, block(GOOD))),
            ("a request on stream 0", frame(HEADERS, END_HEADERS | END_STREAM, 0, block(GOOD))),
            ("a frame of 16,385 bytes", frame(DATA, 0, 1, bytes(16385))),
            ("a header block that is none", frame(HEADERS, END_HEADERS | END_STREAM, self.stream(True), b"\xff\xff\xff\xff\xff\xff")),
        ))

    def goodbye(self):
        self.says_goodbye = True
        return "GOAWAY", frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))

    def mutated(self, label, data):
        """One byte of it is another: not of its length, which would only move the border of the next frame, nor of its stream,
        since what closes by a higher one is told of as closed or as unexpected (RFC 9113 §5.1, §5.1.1)."""
        at = self.random.choice([place for place in (3, 4, *range(9, min(len(data), 60))) if place < len(data)])
        part = {3: "kind", 4: "flags"}.get(at, "payload")
        return f"{label}, another {part}", data[:at] + bytes([data[at] ^ self.random.randint(1, 255)]) + data[at + 1:]
