"""RFC 9113 by raw frames: each row of table.py on a connection of its own, against the real binary."""

import collections
import importlib.util
import pathlib
import socket
import struct

from lib.h2peer import H2
from lib.node import Node
from lib.origin import Origin, Server
from lib.scenario import Failure, ensure


def ends(wire):
    """A server whose tunnels and responses end as the target says."""
    target = wire.line().split(" ")[1].strip("/")
    wire.fields()
    if target.endswith(":1"):
        wire.send("HTTP/1.1 200 Connection established\r\n\r\n")
    elif target in ("idle", "reset"):
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    else:
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    verb = target.removesuffix(":1")
    if verb == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif verb == "done":
        wire.half_close()
    if verb not in ("reset", "cut"):
        while wire.socket.recv(65536):
            pass


def run(s):
    spec = importlib.util.spec_from_file_location("table", pathlib.Path(__file__).with_name("table.py"))
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    Origin(s, "plain")
    Server(s, "ends", ends)
    node = Node(s)
    counts = collections.Counter()
    ensure(len(table.ROWS) >= 120, f"only {len(table.ROWS)} rows")
    for section, name, allowed, stream, raw, listener, function in table.ROWS:
        with s.fact(f"§{section}: {name}"), H2(s.port(listener), preface=not raw) as h2:
            if not raw:
                h2.settle()
            outcome = function(h2) or h2.outcome(stream, 4)
            counts[section.split(".")[0]] += 1
            if outcome not in allowed:
                raise Failure(f"{outcome}; allowed: {', '.join(allowed)}")
    with s.fact("the process is the same as before"):
        ensure(node.process.running, "it ended")
    for section, count in sorted(counts.items(), key=lambda one: int(one[0])):
        s.figure(f"RFC {section}" if int(section) > 1000 else f"RFC 9113 §{section}", f"{count} rows")
    s.figure("all", f"{sum(counts.values())} rows")
