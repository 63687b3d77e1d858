"""RFC 9113 sections 3 to 6 and 8 as rows: section, what is sent, and what must come of it.

A row's function gets a fresh connection with the settings exchanged. The outcome is "GOAWAY code", "RST_STREAM code",
"closed", a response's status, or "PONG" when a PING behind it is answered. Where the RFC leaves a choice, each of its
choices is in the row: a stream error may be treated as a connection error (§5.4.2), and a connection may be closed
without a GOAWAY (§5.4.1).
"""

import struct

from lib.h2peer import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, MAGIC, PADDED, PING, PRIORITY, PRIORITY_FLAG, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
)

ROWS = []


def connection(*codes):
    return ["closed", *(f"GOAWAY {code}" for code in codes)]


def stream(*codes):
    return [f"RST_STREAM {code}" for code in codes] + connection(*codes)


PROTOCOL = connection("PROTOCOL_ERROR")
SIZE = connection("FRAME_SIZE_ERROR")
FLOW = connection("FLOW_CONTROL_ERROR")
CLOSED = connection("STREAM_CLOSED")
MALFORMED = stream("PROTOCOL_ERROR")
FINE = ["200"]
PONG = ["PONG"]


def row(section, name, allowed, wanted_stream=None, raw=False, listener="web"):
    def add(function):
        ROWS.append((section, name, allowed, wanted_stream, raw, listener, function))
        return function
    return add


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


def setting(key, value):
    return struct.pack(">HI", key, value)


def ping(h):
    h.send(frame(PING, 0, 0, b"12345678"))


def post(h, stream=1, extra=(), path="/fixed"):
    h.headers(stream, h.fields("POST", path, extra=extra), end=False)


def finished(h, stream=1):
    """A stream that is closed by its response."""
    h.headers(stream, h.fields(path="/fixed"))
    h.response(stream)


def simple(section, name, allowed, data, then_ping=False, wanted_stream=None):
    @row(section, name, allowed, wanted_stream)
    def send(h):
        h.send(data)
        if then_ping:
            ping(h)


# --- 3.4 Connection preface

@row("3.4", "a request behind the preface", FINE, 1)
def _(h): h.headers(1, h.fields(path="/fixed"))


@row("3.4", "a wrong preface", ["closed", "GOAWAY PROTOCOL_ERROR"], raw=True)
def _(h): h.send(MAGIC[:18] + b"XX\r\n\r\n" + frame(SETTINGS))


@row("3.4", "a first frame that is not SETTINGS", PROTOCOL, raw=True)
def _(h): h.send(MAGIC + frame(PING, 0, 0, bytes(8)))


@row("3.4", "SETTINGS of the server come first", ["ok"], raw=True)
def _(h):
    h.send(MAGIC + frame(SETTINGS))
    first = h.next(h_deadline())
    return "ok" if first.kind == SETTINGS and not first.flags & ACK else repr(first)


@row("3.4", "our SETTINGS are acknowledged", ["ok"], raw=True)
def _(h):
    h.send(MAGIC + frame(SETTINGS))
    h.read(lambda f: f.kind == SETTINGS and f.flags & ACK and not f.payload)
    return "ok"


def h_deadline():
    import time
    return time.monotonic() + 5


# --- 4 Frames

simple("4.1", "a frame of unknown type is ignored", PONG, frame(0xfe, 0xff, 0, b"whatever"), True)
simple("4.1", "so is one on a stream", PONG, frame(0xfe, 0, 1, b"whatever"), True)
simple("4.1", "undefined flags of PING are ignored", PONG, frame(PING, 0x16, 0, b"12345678"))
simple("4.1", "the reserved bit of PING is ignored", PONG, frame(PING, 0, 1 << 31, b"12345678"))
simple("4.2", "SETTINGS beyond the largest frame", SIZE, frame(SETTINGS, 0, 0, bytes(6 * 2731)))
simple("4.2", "a DATA frame beyond the largest", stream("FRAME_SIZE_ERROR"), frame(DATA, 0, 1, bytes(16385)))


@row("4.2", "a DATA frame of the largest size", FINE, 1)
def _(h):
    post(h, path="/x")
    h.data(1, bytes(16384), end=True)


@row("4.2", "HEADERS beyond the largest frame", SIZE)
def _(h): h.send(frame(HEADERS, END_HEADERS, 1, bytes(16385)))


simple("4.3", "an HPACK index that does not exist", connection("COMPRESSION_ERROR"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\x10"))
simple("4.3", "HPACK index 0", connection("COMPRESSION_ERROR"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"))
simple("4.3", "a header block that ends within a string", connection("COMPRESSION_ERROR"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x05ab"))
simple("4.3", "a table size above the limit", connection("COMPRESSION_ERROR"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xff\xff\xff\x0f"))
simple("4.3", "Huffman padding that is too long", connection("COMPRESSION_ERROR"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"))


@row("4.3", "another stream's frame within a header block", PROTOCOL)
def _(h):
    h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields())) + frame(HEADERS, END_STREAM | END_HEADERS, 3, h.block(h.fields())))


@row("4.3", "an unknown frame within a header block", PROTOCOL)
def _(h): h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields())) + frame(0xfe, 0, 1, b"x"))


@row("4.3", "a block in three frames", FINE, 1)
def _(h):
    block = h.block(h.fields(path="/fixed"))
    h.send(frame(HEADERS, END_STREAM, 1, block[:2]) + frame(CONTINUATION, 0, 1, block[2:4]) + frame(CONTINUATION, END_HEADERS, 1, block[4:]))


# --- 5.1 Stream states

for name, data in {
    "DATA": frame(DATA, 0, 1, b"x"), "RST_STREAM": frame(RST_STREAM, 0, 1, u32(8)), "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 1, u32(100)),
    "CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
}.items():
    simple("5.1", f"idle: {name}", PROTOCOL + (CLOSED if name == "DATA" else []), data)

simple("5.1", "idle: PRIORITY is taken", PONG, frame(PRIORITY, 0, 1, u32(0) + b"\x10"), True)

for name, send in {
    "DATA": lambda h: h.data(1, b"x"), "DATA that ends": lambda h: h.data(1, b"x", end=True),
    "HEADERS": lambda h: h.headers(1, [("x", "y")]),
}.items():
    @row("5.1", f"half-closed (remote): {name}", stream("STREAM_CLOSED"), 1)
    def _(h, send=send):
        h.headers(1, h.fields(path="/delay/300"))
        send(h)


@row("5.1", "half-closed (remote): CONTINUATION", CLOSED + PROTOCOL)
def _(h):
    h.headers(1, h.fields(path="/delay/300"))
    h.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))


@row("5.1", "half-closed (remote): WINDOW_UPDATE is taken", FINE, 1)
def _(h):
    h.headers(1, h.fields(path="/delay/100"))
    h.send(frame(WINDOW_UPDATE, 0, 1, u32(100)))


@row("5.1", "half-closed (remote): PRIORITY is taken", FINE, 1)
def _(h):
    h.headers(1, h.fields(path="/delay/100"))
    h.send(frame(PRIORITY, 0, 1, u32(0) + b"\x10"))


@row("5.1", "half-closed (remote): RST_STREAM ends it", PONG)
def _(h):
    h.headers(1, h.fields(path="/delay/300"))
    h.send(frame(RST_STREAM, 0, 1, u32(8)))
    ping(h)


for name, send in {"DATA": lambda h: h.data(1, b"x"), "HEADERS": lambda h: h.headers(1, [("x", "y")])}.items():
    @row("5.1", f"closed: {name} behind RST_STREAM", stream("STREAM_CLOSED") + PROTOCOL, None)
    def _(h, send=send):
        post(h, path="/x")
        h.send(frame(RST_STREAM, 0, 1, u32(8)))
        send(h)

    @row("5.1", f"closed: {name} behind both ends", stream("STREAM_CLOSED") + PROTOCOL, None)
    def _(h, send=send):
        finished(h)
        send(h)


@row("5.1", "closed: CONTINUATION behind both ends", CLOSED + PROTOCOL)
def _(h):
    finished(h)
    h.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))


for name, data in {
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 1, u32(100)), "RST_STREAM": frame(RST_STREAM, 0, 1, u32(8)),
    "PRIORITY": frame(PRIORITY, 0, 1, u32(0) + b"\x10"),
}.items():
    @row("5.1", f"closed: {name} is taken", PONG)
    def _(h, data=data):
        finished(h)
        h.send(data)
        ping(h)

# --- 5.1.1 Stream identifiers

@row("5.1.1", "an even identifier", PROTOCOL)
def _(h): h.headers(2)


@row("5.1.1", "an identifier below one that was used", PROTOCOL + CLOSED)
def _(h):
    h.headers(5, h.fields(path="/fixed"))
    h.response(5)
    h.headers(3)


@row("5.1.1", "identifiers may be skipped", FINE, 101)
def _(h): h.headers(101, h.fields(path="/fixed"))


@row("5.1.1", "HEADERS on stream 0", PROTOCOL)
def _(h): h.headers(0)


# --- 5.1.2 Concurrency

@row("5.1.2", "more streams than allowed", stream("REFUSED_STREAM", "PROTOCOL_ERROR"))
def _(h):
    for index in range(11):
        post(h, 1 + 2 * index, path="/delay/500")


@row("5.1.2", "as many as allowed, again and again", FINE, 59)
def _(h):
    for index in range(29):
        finished(h, 1 + 2 * index)
    h.headers(59, h.fields(path="/fixed"))


# --- 5.3, 5.4, 5.5

@row("5.3", "a stream that depends on itself is no error here (RFC 9113 §5.3.2)", PONG + MALFORMED)
def _(h):
    h.send(frame(PRIORITY, 0, 1, u32(1) + b"\x10"))
    ping(h)


@row("5.3", "HEADERS with priority fields", FINE, 1)
def _(h):
    h.send(frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, u32(0) + b"\xff" + h.block(h.fields(path="/fixed"))))


@row("5.4.1", "after a connection error the connection is closed", ["ok"])
def _(h):
    h.send(frame(DATA, 0, 0, b"x"))
    while True:
        found = h.next(h_deadline())
        if found is None:
            return "ok"


@row("5.4.2", "after a stream error the connection goes on", FINE, 3)
def _(h):
    h.headers(1, h.fields(extra=[("connection", "close")]))
    h.headers(3, h.fields(path="/fixed"))


@row("5.5", "an unknown setting is ignored", PONG)
def _(h):
    h.send(frame(SETTINGS, 0, 0, setting(0xff, 1)))
    ping(h)


# --- 6.1 DATA

@row("6.1", "on stream 0", PROTOCOL)
def _(h): h.data(0, b"x")


@row("6.1", "padding as long as the frame", PROTOCOL)
def _(h):
    post(h, path="/x")
    h.send(frame(DATA, PADDED | END_STREAM, 1, b"\x05abcd"))


@row("6.1", "padding longer than the frame", PROTOCOL)
def _(h):
    post(h, path="/x")
    h.send(frame(DATA, PADDED | END_STREAM, 1, b"\xffab"))


@row("6.1", "PADDED without a length", SIZE + PROTOCOL)
def _(h):
    post(h, path="/x")
    h.send(frame(DATA, PADDED | END_STREAM, 1, b""))


@row("6.1", "padded content", FINE, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "3")])
    h.send(frame(DATA, PADDED | END_STREAM, 1, b"\x04abc\0\0\0\0"))


@row("6.1", "padding alone", FINE, 1)
def _(h):
    post(h, path="/x")
    h.send(frame(DATA, PADDED, 1, b"\x03\0\0\0"))
    h.data(1, b"", end=True)


@row("6.1", "an empty frame that ends the stream", FINE, 1)
def _(h):
    post(h, path="/x")
    h.data(1, b"", end=True)


# --- 6.2 HEADERS

@row("6.2", "padding as long as the frame", PROTOCOL)
def _(h):
    block = h.block(h.fields())
    h.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([len(block) + 1]) + block))


@row("6.2", "padded", FINE, 1)
def _(h):
    h.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x03" + h.block(h.fields(path="/fixed")) + bytes(3)))


@row("6.2", "padded and with priority", FINE, 1)
def _(h):
    h.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITY_FLAG, 1, b"\x03" + u32(0) + b"\x05" + h.block(h.fields(path="/fixed")) + bytes(3)))


simple("6.2", "PRIORITY flag without room for it", SIZE + PROTOCOL, frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, b"\x82"))

# --- 6.3 PRIORITY

simple("6.3", "on stream 0", PROTOCOL, frame(PRIORITY, 0, 0, u32(0) + b"\x10"))
simple("6.3", "of 4 bytes", stream("FRAME_SIZE_ERROR"), frame(PRIORITY, 0, 1, u32(0)))
simple("6.3", "of 6 bytes", stream("FRAME_SIZE_ERROR"), frame(PRIORITY, 0, 1, bytes(6)))

# --- 6.4 RST_STREAM

simple("6.4", "on stream 0", PROTOCOL, frame(RST_STREAM, 0, 0, u32(8)))
simple("6.4", "on an idle stream", PROTOCOL, frame(RST_STREAM, 0, 9, u32(8)))
simple("6.4", "of 3 bytes", SIZE, frame(RST_STREAM, 0, 1, bytes(3)))
simple("6.4", "of 5 bytes", SIZE, frame(RST_STREAM, 0, 1, bytes(5)))


@row("6.4", "an unknown code is like any", PONG)
def _(h):
    post(h, path="/x")
    h.send(frame(RST_STREAM, 0, 1, u32(0xffff)))
    ping(h)

# --- 6.5 SETTINGS

simple("6.5", "an acknowledgement with content", SIZE, frame(SETTINGS, ACK, 0, setting(1, 1)))
simple("6.5", "on a stream", PROTOCOL, frame(SETTINGS, 0, 1, b""))
simple("6.5", "of 5 bytes", SIZE, frame(SETTINGS, 0, 0, bytes(5)))
simple("6.5.2", "ENABLE_PUSH of 2", PROTOCOL, frame(SETTINGS, 0, 0, setting(2, 2)))
simple("6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1", FLOW, frame(SETTINGS, 0, 0, setting(4, 1 << 31)))
simple("6.5.2", "MAX_FRAME_SIZE below 2^14", PROTOCOL, frame(SETTINGS, 0, 0, setting(5, 16383)))
simple("6.5.2", "MAX_FRAME_SIZE above 2^24-1", PROTOCOL, frame(SETTINGS, 0, 0, setting(5, 1 << 24)))
simple("6.5.2", "ENABLE_CONNECT_PROTOCOL of 2", PROTOCOL + PONG, frame(SETTINGS, 0, 0, setting(8, 2)), True)
simple("6.5.2", "each setting once", PONG, frame(SETTINGS, 0, 0, b"".join([setting(1, 0), setting(2, 0), setting(3, 5), setting(4, 9), setting(5, 1 << 15), setting(6, 9000)])), True)
simple("6.5.2", "a setting twice: the last counts", PONG, frame(SETTINGS, 0, 0, setting(4, 1) + setting(4, 65535)), True)


@row("6.5.3", "SETTINGS are acknowledged", ["ok"])
def _(h):
    h.send(frame(SETTINGS, 0, 0, setting(3, 100)))
    h.read(lambda f: f.kind == SETTINGS and f.flags & ACK)
    return "ok"


@row("6.5.3", "INITIAL_WINDOW_SIZE of 1 holds for what comes", ["ok"])
def _(h):
    h.send(frame(SETTINGS, 0, 0, setting(4, 1)))
    h.headers(1, h.fields(path="/fixed"))
    found = h.read(lambda f: f.kind == DATA)
    return "ok" if len(found.payload) == 1 else repr(found)


@row("6.9.2", "INITIAL_WINDOW_SIZE changes open streams", ["ok"])
def _(h):
    h.send(frame(SETTINGS, 0, 0, setting(4, 0)))
    h.headers(1, h.fields(path="/fixed"))
    h.read(lambda f: f.kind == HEADERS)
    h.send(frame(SETTINGS, 0, 0, setting(4, 3)))
    found = h.read(lambda f: f.kind == DATA)
    return "ok" if len(found.payload) == 3 else repr(found)


@row("6.9.2", "a window may become negative", ["ok"])
def _(h):
    h.send(frame(SETTINGS, 0, 0, setting(4, 3)))
    h.headers(1, h.fields(path="/fixed"))
    h.read(lambda f: f.kind == DATA)
    h.send(frame(SETTINGS, 0, 0, setting(4, 2)) + frame(WINDOW_UPDATE, 0, 1, u32(2)))
    found = h.read(lambda f: f.kind == DATA)
    return "ok" if len(found.payload) == 1 else repr(found)


# --- 6.6 PUSH_PROMISE, 6.7 PING, 6.8 GOAWAY

@row("6.6", "a client pushes nothing", PROTOCOL)
def _(h): h.send(frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + h.block(h.fields())))


simple("6.7", "is answered", PONG, frame(PING, 0, 0, b"abcdefgh"))
simple("6.7", "an answer is not answered", PONG, frame(PING, ACK, 0, b"other..."), True)
simple("6.7", "on a stream", PROTOCOL, frame(PING, 0, 1, bytes(8)))
simple("6.7", "of 6 bytes", SIZE, frame(PING, 0, 0, bytes(6)))
simple("6.7", "of 9 bytes", SIZE, frame(PING, 0, 0, bytes(9)))


@row("6.7", "the answer has the same content", ["ok"])
def _(h):
    h.send(frame(PING, 0, 0, b"\0\1\2\3\4\5\6\7"))
    found = h.read(lambda f: f.kind == PING)
    return "ok" if found.flags == ACK and found.payload == b"\0\1\2\3\4\5\6\7" else repr(found)


simple("6.8", "on a stream", PROTOCOL, frame(GOAWAY, 0, 1, u32(0, 0)))
simple("6.8", "of 7 bytes", SIZE + PROTOCOL, frame(GOAWAY, 0, 0, bytes(7)))


@row("6.8", "streams that are open are still served", FINE, 1)
def _(h):
    h.headers(1, h.fields(path="/delay/100"))
    h.send(frame(GOAWAY, 0, 0, u32(0, 0) + b"bye"))


# --- 6.9 WINDOW_UPDATE

simple("6.9", "of 0 on the connection", PROTOCOL, frame(WINDOW_UPDATE, 0, 0, u32(0)))
simple("6.9", "of 3 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(3)))
simple("6.9", "of 5 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(5)))


@row("6.9", "of 0 on a stream", MALFORMED, 1)
def _(h):
    post(h, path="/x")
    h.send(frame(WINDOW_UPDATE, 0, 1, u32(0)))


simple("6.9.1", "beyond 2^31-1 on the connection", FLOW, frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff)) * 2)


@row("6.9.1", "beyond 2^31-1 on a stream", stream("FLOW_CONTROL_ERROR"), 1)
def _(h):
    post(h, path="/delay/500")
    h.send(frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff)) * 2)


@row("6.9.1", "content beyond the stream's window", stream("FLOW_CONTROL_ERROR"), None)
def _(h):
    post(h, path="/stall")
    for _ in range(300):
        h.data(1, bytes(16384))


simple("6.9", "of 1 on the connection", PONG, frame(WINDOW_UPDATE, 0, 0, u32(1)), True)

# --- 6.10 CONTINUATION

@row("6.10", "on stream 0", PROTOCOL)
def _(h): h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields())) + frame(CONTINUATION, END_HEADERS, 0, b""))


@row("6.10", "of another stream", PROTOCOL)
def _(h): h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields())) + frame(CONTINUATION, END_HEADERS, 3, b""))


@row("6.10", "behind a complete block", PROTOCOL)
def _(h): h.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, h.block(h.fields(path="/delay/300"))) + frame(CONTINUATION, END_HEADERS, 1, b"\x82"))


@row("6.10", "behind a complete CONTINUATION", PROTOCOL)
def _(h):
    block = h.block(h.fields(path="/delay/300"))
    h.send(frame(HEADERS, END_STREAM, 1, block[:3]) + frame(CONTINUATION, END_HEADERS, 1, block[3:]) + frame(CONTINUATION, END_HEADERS, 1, b"\x82"))


@row("6.10", "behind DATA", PROTOCOL)
def _(h):
    post(h, path="/x")
    h.data(1, b"x")
    h.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))


@row("6.10", "DATA within a block", PROTOCOL)
def _(h): h.send(frame(HEADERS, 0, 1, h.block(h.fields("POST"))) + frame(DATA, END_STREAM, 1, b"x"))


@row("6.10", "an empty one", FINE, 1)
def _(h): h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields(path="/fixed"))) + frame(CONTINUATION, END_HEADERS, 1, b""))


# --- 8.1 Messages

@row("8.1", "trailers that do not end the stream", MALFORMED, 1)
def _(h):
    post(h, path="/x")
    h.headers(1, [("x", "y")], end=False)


@row("8.1", "trailers", FINE, 1)
def _(h):
    post(h, path="/x")
    h.data(1, b"x")
    h.headers(1, [("x", "y")])


@row("8.1", "DATA behind trailers", stream("STREAM_CLOSED"), 1)
def _(h):
    post(h, path="/delay/300")
    h.headers(1, [("x", "y")])
    h.data(1, b"x")


@row("8.1", "a pseudo-header in trailers", MALFORMED, 1)
def _(h):
    post(h, path="/x")
    h.headers(1, [(":method", "GET")])


@row("8.1", "Content-Length in trailers", MALFORMED, 1)
def _(h):
    post(h, path="/x")
    h.headers(1, [("content-length", "1")])


def request(section, name, allowed, fields, end=True):
    @row(section, name, allowed, 1)
    def _(h): h.headers(1, fields(h) if callable(fields) else fields, end=end)


GET = [(":method", "GET"), (":scheme", "http"), (":path", "/fixed"), (":authority", "x")]


def without(name):
    return [one for one in GET if one[0] != name]


def with_(name, value):
    return [(k, value if k == name else v) for k, v in GET]


# --- 8.2 Fields

for name, field in {
    "upper case in a name": ("X-Upper", "1"), "a space in a name": ("a b", "1"), "NUL in a name": ("a\0b", "1"), "CR in a name": ("a\rb", "1"),
    "LF in a name": ("a\nb", "1"), "a colon in a name": ("a:b", "1"), "an empty name": ("", "1"), "DEL in a name": ("a\x7fb", "1"),
    "NUL in a value": ("x", "a\0b"), "CR in a value": ("x", "a\rb"), "LF in a value": ("x", "a\nb"),
    "CR LF and a line in a value": ("x", "a\r\nevil: 1"), "a leading space in a value": ("x", " a"), "a trailing space": ("x", "a "),
    "a leading tab": ("x", "\ta"), "a trailing tab": ("x", "a\t"),
}.items():
    request("8.2.1", name, MALFORMED, GET + [field])
request("8.2.1", "an empty value", FINE, GET + [("x", "")])
request("8.2.1", "a tab within a value", FINE, GET + [("x", "a\tb")])
request("8.2.1", "bytes above ASCII in a value", FINE, GET + [("x", "\u00e9")])
for name, value in {
    "connection": "close", "keep-alive": "timeout=5", "proxy-connection": "keep-alive", "transfer-encoding": "chunked", "upgrade": "h2c",
}.items():
    request("8.2.2", f"the field {name}", MALFORMED, GET + [(name, value)])
request("8.2.2", "Connection that names a field", MALFORMED, GET + [("connection", "x-a"), ("x-a", "1")])
request("8.2.2", "TE: trailers", FINE, GET + [("te", "trailers")])
request("8.2.2", "TE: gzip", MALFORMED, GET + [("te", "gzip")])
request("8.2.2", "TE: trailers, deflate", MALFORMED, GET + [("te", "trailers, deflate")])
request("8.2.3", "cookies in crumbs", FINE, GET + [("cookie", "a=b"), ("cookie", "c=d")])

# --- 8.3 Control data

for name in (":method", ":scheme", ":path"):
    request("8.3.1", f"without {name}", MALFORMED, without(name))
request("8.3.1", "without :authority and Host", MALFORMED + ["400"], without(":authority"))
request("8.3.1", "Host in the place of :authority", FINE, without(":authority") + [("host", "x")])
for name, value in GET:
    request("8.3.1", f"{name} twice", MALFORMED, [(name, value), *GET])
    request("8.3", f"{name} behind a field", MALFORMED, [*without(name), ("x", "y"), (name, value)])
request("8.3", "an unknown pseudo-header", MALFORMED, [(":foo", "bar"), *GET])
request("8.3", "a response's pseudo-header", MALFORMED, [*GET, (":status", "200")])
request("8.3.1", "an empty :path", MALFORMED, with_(":path", ""))
request("8.3.1", ":path without a slash", MALFORMED, with_(":path", "fixed"))
request("8.3.1", ":path * of GET", MALFORMED, with_(":path", "*"))
request("8.3.1", ":path with a space", MALFORMED, with_(":path", "/a b"))
request("8.3.1", ":path with a line end", MALFORMED, with_(":path", "/ HTTP/1.1\r\nevil: 1\r\n\r\n"))
request("8.3.1", ":path with a fragment", MALFORMED + ["400"], with_(":path", "/fixed#x"))
request("8.3.1", ":method with a space", MALFORMED, with_(":method", "GET /evil"))
request("8.3.1", "an empty :method", MALFORMED, with_(":method", ""))
request("8.3.1", ":scheme that is none of HTTP's", MALFORMED + ["400"], with_(":scheme", "ftp"))
request("8.3.1", ":scheme https", FINE, with_(":scheme", "https"))
request("8.3.1", ":authority with userinfo", MALFORMED + ["400"], with_(":authority", "user@x"))
request("8.3.1", ":authority with a line end", MALFORMED, with_(":authority", "x\r\nevil: 1"))
request("8.3.1", "an empty :authority", MALFORMED + ["400"], with_(":authority", ""))
request("8.3.1", "Host that is the same", FINE, GET + [("host", "x")])
request("8.3.1", "Host that differs from :authority", MALFORMED + ["400"], GET + [("host", "y")])
request("8.3.1", "Host twice", MALFORMED + ["400"], GET + [("host", "x"), ("host", "x")])
request("8.1.1", "Content-Length without content", MALFORMED, with_(":method", "POST") + [("content-length", "5")])
request("8.1.1", "Content-Length twice", MALFORMED + ["400"], with_(":method", "POST") + [("content-length", "0"), ("content-length", "0")])
request("8.1.1", "Content-Length that is no number", MALFORMED + ["400"], with_(":method", "POST") + [("content-length", "0x0")])
request("8.1.1", "a negative Content-Length", MALFORMED + ["400"], with_(":method", "POST") + [("content-length", "-1")])
request("8.1.1", "a Content-Length of 0", FINE, with_(":method", "POST") + [("content-length", "0")])


@row("8.1.1", "more content than Content-Length", MALFORMED, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "1")])
    h.data(1, b"two", end=True)


@row("8.1.1", "less content than Content-Length", MALFORMED, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "5")])
    h.data(1, b"two", end=True)


@row("8.1.1", "less content, in several frames", MALFORMED, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "7")])
    h.data(1, b"two")
    h.data(1, b"two", end=True)


@row("8.1.1", "less content, ended by trailers", MALFORMED, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "7")])
    h.data(1, b"two")
    h.headers(1, [("x", "y")])


@row("8.1.1", "content as long as Content-Length", FINE, 1)
def _(h):
    post(h, path="/x", extra=[("content-length", "6")])
    h.data(1, b"two")
    h.data(1, b"two", end=True)


# --- 8.5 CONNECT, RFC 8441

request("8.5", "CONNECT with :path", MALFORMED, [(":method", "CONNECT"), (":authority", "x:1"), (":path", "/")])
request("8.5", "CONNECT with :scheme", MALFORMED, [(":method", "CONNECT"), (":authority", "x:1"), (":scheme", "http")])
request("8.5", "CONNECT without :authority", MALFORMED, [(":method", "CONNECT")])
request("8.5", "CONNECT that is not allowed", ["405"], [(":method", "CONNECT"), (":authority", "x:1")], end=False)
request("8441", ":protocol with GET", MALFORMED, [*GET, (":protocol", "websocket")])
request("8441", "extended CONNECT without :path", MALFORMED, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "x")])
request("8441", ":protocol that is unknown", MALFORMED + ["501"], [(":method", "CONNECT"), (":protocol", "foo"), *without(":method")])

# --- 7 What a stream's end says

def tunnel(h, target):
    h.headers(1, [(":method", "CONNECT"), (":authority", f"{target}:1")], end=False)


def websocket(h, path):
    h.headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path), (":authority", "x"),
                  ("sec-websocket-version", "13")], end=False)


def end(h):
    """How stream 1 ends, whatever comes before that."""
    found = h.read(lambda f: f.stream == 1 and (f.kind == RST_STREAM or f.kind in (HEADERS, DATA) and f.flags & END_STREAM))
    return f"RST_STREAM {found.code}" if found.kind == RST_STREAM else "ended"


def ends(section, name, code, function, listener="tunnels"):
    @row(section, name, [code], 1, listener=listener)
    def _(h):
        function(h)
        return end(h)


ends("7", "an idle tunnel", "RST_STREAM CANCEL", lambda h: tunnel(h, "idle"))
ends("7", "an idle WebSocket", "RST_STREAM CANCEL", lambda h: websocket(h, "/idle"))
ends("7", "a tunnel whose server is done, and whose client says nothing", "ended", lambda h: tunnel(h, "done"))
ends("8.5", "a tunnel whose server resets", "RST_STREAM CONNECT_ERROR", lambda h: tunnel(h, "reset"))
ends("8441", "a WebSocket whose server resets", "RST_STREAM CANCEL", lambda h: websocket(h, "/reset"))
ends("7", "a response that its server cuts", "RST_STREAM INTERNAL_ERROR", lambda h: h.headers(1, h.fields(path="/cut")))
ends("7", "a response that its server stops sending", "RST_STREAM INTERNAL_ERROR", lambda h: h.headers(1, h.fields(path="/silent")))
ends("7", "a response longer than its route allows", "RST_STREAM CANCEL", lambda h: h.headers(1, h.fields(path="/slow")))


@row("7", "… and then RST_STREAM NO_ERROR, for more is not wanted", ["RST_STREAM NO_ERROR"], 1, listener="tunnels")
def _(h):
    tunnel(h, "done")
    end(h)
    return end(h)


@row("7", "the connection outlives its streams' ends", PONG, listener="tunnels")
def _(h):
    tunnel(h, "reset")
    end(h)
    ping(h)


# --- 10.5 Limits

@row("10.5.1", "a header list above the limit", ["431", *stream("ENHANCE_YOUR_CALM", "PROTOCOL_ERROR")], 1)
def _(h): big(h)


def big(h):
    block = h.block(h.fields(extra=[(f"x-{n}", "y" * 1000) for n in range(20)]))
    h.send(frame(HEADERS, END_STREAM, 1, block[:16000]) + frame(CONTINUATION, END_HEADERS, 1, block[16000:]))


@row("10.5.1", "the connection outlives it", ["ok"])
def _(h):
    big(h)
    h.response(1)
    h.headers(3, h.fields(path="/fixed"))
    return "ok" if h.response(3)[0] == 200 else "no"


@row("10.5", "an HPACK bomb", ["431", *stream("ENHANCE_YOUR_CALM", "PROTOCOL_ERROR", "COMPRESSION_ERROR")], 1)
def _(h):
    # One field of 4000 bytes in the dynamic table, then thousands of references to it.
    block = h.block(h.fields(path="/fixed")) + b"\x40\x01a" + b"\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 9000
    h.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))


@row("10.5", "the connection outlives an HPACK bomb", PONG)
def _(h):
    block = h.block(h.fields(path="/fixed")) + b"\x40\x01a" + b"\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 9000
    h.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
    h.read(lambda f: f.kind == HEADERS)
    ping(h)
