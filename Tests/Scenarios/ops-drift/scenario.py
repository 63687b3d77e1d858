"""A backend that drifts from its pool is seen before its probe says anything, loses weight, and gets it back."""

import re
import threading
import time

from lib.node import Node
from lib.scenario import accepts, contains, ensure, equal, wait
from lib.wire import Wire

LIMIT = 90


def run(s):
    for name in "abcd":
        s.path(f"{name}.txt").write_text("20 0")
    places = [word for name in "abcd" for word in (s.port(name), s.path(f"{name}.txt"))]
    s.start("servers", ["/usr/bin/python3", s.folder / "server.py", *places])
    for name in "abcd":
        wait(lambda: accepts(s.port(name)), f"{name} listens")
    node = Node(s)
    for name in "abcd":
        node.wait_verdict("web", name, "up")
    stop = threading.Event()
    s.defer(stop.set)
    for _ in range(16):
        threading.Thread(target=load, args=(s, stop), daemon=True).start()
    with s.fact("backends that are alike are left alone"):
        # Some forty looks.
        wait(lambda: sum(one["requests"] for one in node.pool("web")["backends"]) > 8000, "8000 requests", 40)
        equal([one["name"] for one in node.pool("web")["backends"] if one.get("drift")], [], "who drifts")
    for what, how in (("errors", "20 0.15"), ("slow answers", "30 0")):
        drifts(s, node, what, how)


def drifts(s, node, what, how):
    with s.fact(f"one with more {what} is flagged, with the figures, while its probe is content"):
        s.path("b.txt").write_text(how)
        started = time.monotonic()
        found = wait(lambda: (one := node.backend("web", "b")).get("drift") and one, "it is flagged", 20, 0.05)
        s.figure(f"more {what}", f"flagged after {time.monotonic() - started:.1f} s", found["drift"])
        contains(found["drift"], f"{what}: ")
        equal(found["verdict"], "up", "verdict")
        contains(node.must("events"), f"web/b  {found['drift']}")
    with s.fact(f"{what}: it has a quarter of its weight, and the others all of theirs"):
        weights = lambda: {one["name"]: one["effectiveWeight"] for one in node.pool("web")["backends"]}
        wait(lambda: weights() == {"a": 100, "b": 25, "c": 100, "d": 100}, "weights")
        text = node.api("GET", "/metrics")[1]
        equal(re.findall(r'^sluice_backend_drifting\{pool="web",backend="(.)"\} (\d)', text, re.M), [("a", "0"), ("b", "1"), ("c", "0"), ("d", "0")], "metric")
    with s.fact(f"{what}: it gets it back when it is as before"):
        s.path("b.txt").write_text("20 0")
        wait(lambda: not node.backend("web", "b").get("drift"), "it is no longer flagged", 30, 0.1)
        wait(lambda: node.backend("web", "b")["effectiveWeight"] == 100, "its weight is back")
        contains(node.must("events"), "as its pool's others again")


def load(s, stop):
    while not stop.is_set():
        try:
            with Wire(s.port("web")) as wire:
                while not stop.is_set():
                    wire.exchange()
        except Exception:
            stop.wait(0.1)
