"""Every row of Tests/Vectors/smuggling.txt, by raw socket through the real binary.

The header of the file says what a row is. Each row has a connection of its own.
Besides the status it is checked that a refused connection ends, that the backend
sees at most one request of it, and nothing that is not a request.
"""

import pathlib

from lib.node import Node
from lib.origin import Origin
from lib.scenario import Failure, ensure, equal
from lib.wire import Closed, Wire, get

LIMIT = 200
VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Vectors/smuggling.txt"


def unescape(text):
    """The escapes that the file's header describes."""
    result, at = b"", 0
    while at < len(text):
        if text[at] != "\\":
            result += text[at].encode("latin-1")
            at += 1
        elif text[at + 1] == "x":
            result += bytes([int(text[at + 2:at + 4], 16)])
            at += 4
        elif text[at + 1] == "{":
            end = text.find("}", at)
            end = len(text) if end < 0 else end
            count, _, piece = text[at + 2:end].partition(":")
            result += unescape(piece) * int(count)
            at = end + 1
        else:
            result += {"r": b"\r", "n": b"\n", "t": b"\t"}.get(text[at + 1], text[at + 1].encode("latin-1"))
            at += 2
    return result


def rows():
    for number, line in enumerate(VECTORS.read_text(encoding="latin-1").split("\n"), 1):
        if line and not line.startswith("#"):
            name, status, data = line.split(" | ", 2)
            yield number, name, 200 if status == "ok" else int(status), unescape(data)


class Recorder(Origin):
    """An origin that also notes what it could not read as a request."""

    def __init__(self, *arguments):
        self.broken = []
        super().__init__(*arguments)

    def handle(self, wire):
        try:
            super().handle(wire)
        except (ValueError, Failure) as error:
            if not isinstance(error, Closed):
                self.broken.append(str(error))

    def answer(self, wire, seen):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def run(s):
    origin = Recorder(s, "origin")
    Node(s)
    table = list(rows())
    refused = sum(1 for row in table if row[2] != 200)
    s.check(refused >= 60, f"at least 60 malformed rows ({refused})")
    outcome = {}
    for number, name, expected, data in table:
        with s.fact(f"line {number}: {name}"):
            status = one(s, origin, expected, data)
            outcome[status] = outcome.get(status, 0) + 1
    s.figure(f"{len(table)} rows", *(f"{status}: {count}" for status, count in sorted(outcome.items())))
    with s.fact("the node serves on"):
        equal(get(s.port("web")).status, 200, "status")


def one(s, origin, expected, data):
    before = len(origin.requests)
    origin.broken.clear()
    with Wire(s.port("web"), timeout=5) as wire:
        wire.send(data)
        status = wire.head().status
        equal(status, expected, "status")
        if status != 200:
            ensure(wire.ended(3), f"after {status} the connection stays open")
    targets = [request.target for request in origin.requests[before:]]
    if status == 200:
        equal(len(targets), 1, f"requests at the backend {targets}")
    else:
        # A body that breaks in the middle may have been on its way.
        ensure(len(targets) <= 1, f"the backend saw {targets}")
    equal(origin.broken, [], "what the backend could not read")
    return status
