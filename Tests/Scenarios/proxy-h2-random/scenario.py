"""Random frames to Sluice and to nghttpd: both find the same sequences right, and what differs has its reason.

SLUICE_H2_SEQUENCES: how many (CI: 1,500), SLUICE_H2_SEED: which.
"""

import collections
import importlib.util
import os
import pathlib
import random
import socket
import struct
import time

from lib.h2peer import ACK, ERRORS, GOAWAY, MAGIC, PING, RST_STREAM, SETTINGS, frame
from lib.node import Node
from lib.scenario import accepts, ensure, equal, wait

SEQUENCES = int(os.environ.get("SLUICE_H2_SEQUENCES", 1500))
SEED = int(os.environ.get("SLUICE_H2_SEED", 9113))
LIMIT = 60 + SEQUENCES // 20
RANK = {"ok": 0, "stream": 1, "connection": 2}

# (how the last step of the shortest such sequence is called, Sluice's class, nghttpd's): why both may be, or why ours is right.
EXPLAINED = (
    ("PRIORITY on itself", "ok", "connection", "RFC 9113 §5.3.2: priorities of RFC 7540 are ignored, whatever they say"),
    ("PRIORITY on itself", "stream", "connection", "the same, behind a stream that was reset"),
    ("depends on itself", "ok", "connection", "the same"),
    ("another payload", "stream", "ok", "our rules for fields (RFC 9113 §8) are stricter than the library's"),
    ("DATA on an ended stream", "connection", "stream", "RFC 9113 §5.1: STREAM_CLOSED of the connection, where the peer has ended the stream itself"),
    ("DATA on an ended stream", "connection", "ok", "the same"),
)


def explained(key):
    return next((why for label, ours, theirs, why in EXPLAINED if label in key[0] and key[1:] == (ours, theirs)), None)


def run(s):
    spec = importlib.util.spec_from_file_location("sequences", pathlib.Path(__file__).with_name("sequences.py"))
    sequences = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sequences)
    root = s.path("www")
    root.mkdir()
    (root / "small").write_text("small\n")
    s.start("nghttpd", ["nghttpd", "--no-tls", "-d", root, s.port("nghttpd")])
    wait(lambda: accepts(s.port("nghttpd")), "nghttpd accepts")
    node = Node(s)
    ports = (s.port("web"), s.port("nghttpd"))
    outcomes, differences, sizes = collections.Counter(), {}, []
    start = time.monotonic()
    for number in range(SEQUENCES):
        sequence = sequences.Sequence(random.Random(SEED * 1_000_000 + number))
        found = [outcome(port, sequence.steps, sequence.says_goodbye) for port in ports]
        outcomes[found[0][0]] += 1
        if found[0][0] != found[1][0]:
            label, found = shortest(ports, sequence)
            if label and not explained((label, *(one[0] for one in found))):
                print(f"   #{number}: {[step for step, _ in sequence.steps]}: {label} {found}", flush=True)
            if label:
                differences.setdefault((label, *(one[0] for one in found)), []).append((number, found))
        if number in (SEQUENCES // 4, SEQUENCES - 1):
            sizes.append(node.rss())
    took = time.monotonic() - start
    s.figure(f"{SEQUENCES} sequences of seed {SEED}", f"{took:.1f} s", *(f"{kind} {count}" for kind, count in sorted(outcomes.items())))
    for key, cases in sorted(differences.items(), key=lambda one: -len(one[1])):
        s.figure(f"{len(cases)} × {key[0]}", f"Sluice: {key[1]} ({cases[0][1][0][1]})", f"nghttpd: {key[2]} ({cases[0][1][1][1]})", explained(key) or f"? #{cases[0][0]}")
    with s.fact("sequences of all kinds were among them"):
        ensure(all(outcomes[kind] > SEQUENCES / 20 for kind in RANK), str(outcomes))
    with s.fact("both find the same sequences right, but for what is explained"):
        equal([f"{key}: #{cases[0][0]}" for key, cases in differences.items() if not explained(key)], [], "differences")
    with s.fact("the process is the same, its memory is what it was, and nothing is left in flight"):
        ensure(node.process.running, "it ended")
        s.figure("RSS after a quarter, and at the end", *(f"{size} KiB" for size in sizes))
        ensure(sizes[-1] - sizes[0] < 4096, f"RSS grew from {sizes[0]} to {sizes[-1]} KiB")
        wait(lambda: all(one["connections"] == one["inFlight"] == 0 for one in node.status()["listeners"]), "no connection is left", 5)


def shortest(ports, sequence):
    """(label of the last step, outcomes) of the shortest beginning that both find different; (None, None): none, this time."""
    for count in range(1, len(sequence.steps) + 1):
        found = [outcome(port, sequence.steps[:count], sequence.says_goodbye) for port in ports]
        if found[0][0] != found[1][0]:
            return sequence.steps[count - 1][0], found
    return None, None


def outcome(port, steps, says_goodbye):
    """(class, its reason) of what a server makes of these steps: "ok", "stream" (it resets one with an error), "connection"."""
    with socket.create_connection(("127.0.0.1", port), 5) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        worst, why, buffer, marks = "ok", "", b"", 0
        data = MAGIC + frame(SETTINGS) + frame(SETTINGS, ACK) + b"".join(step for _, step in steps)
        wire.settimeout(2)
        try:
            # An answer to PING overtakes resets: what comes before the second one's is all there is.
            wire.sendall(data + frame(PING, 0, 0, b"mark   0"))
            while True:
                while len(buffer) >= 9 and len(buffer) >= 9 + (size := int.from_bytes(buffer[:3], "big")):
                    kind, flags, payload, buffer = buffer[3], buffer[4], buffer[9:9 + size], buffer[9 + size:]
                    if kind == GOAWAY and (code := struct.unpack(">I", payload[4:8])[0]):
                        return "connection", ERRORS[code]
                    if kind == RST_STREAM and (code := struct.unpack(">I", payload)[0]):
                        worst, why = "stream", ERRORS[code]
                    if kind == PING and flags & ACK and payload[:4] == b"mark":
                        marks += 1
                        if marks == 2:
                            return worst, why
                        wire.sendall(frame(PING, 0, 0, b"mark   1"))
                part = wire.recv(65536)
                if not part:
                    break
                buffer += part
        except TimeoutError:
            return "waits", ""
        except ConnectionError:
            pass
        return (worst, why) if says_goodbye else ("connection", "closed")
