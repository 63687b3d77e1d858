"""kill -9 of one of three backends under load, and its return."""

import time

from lib.load import Load
from lib.node import Node
from lib.peers import named_nginx
from lib.scenario import ensure, wait

LIMIT = 120
CONNECTIONS = 64


def run(s):
    backends = {name: named_nginx(s, name) for name in "abc"}
    node = Node(s)
    for pool in ("web", "once"):
        for name in "abc":
            node.wait_verdict(pool, name, ("up", "warming"))
    s.figure("kill -9 of one of three", "requests", "failed", "p99")
    without_retries(s, node, backends)
    with_retries(s, node, backends)


def busy(node, pool, name, requests):
    """Once the backend has served this many more."""
    start = node.backend(pool, name)["requests"]
    wait(lambda: node.backend(pool, name)["requests"] > start + requests, f"{pool}/{name} serves under load")


def without_retries(s, node, backends):
    load = Load(s, f"http://127.0.0.1:{s.port('once')}/", name="wrk-once", connections=CONNECTIONS)
    busy(node, "once", "b", 2000)
    backends["b"].kill()
    node.wait_verdict("once", "b", ("down", "ejected"))
    busy(node, "once", "a", 5000)
    figures = load.stop()
    s.figure("without retries", figures.requests, figures.failed, figures.p99)
    # Each connection may lose what was in flight, and the few that it sends there before each worker knows of the ejection.
    with s.fact("without retries what was in flight fails, and what comes before the ejection"):
        ensure(figures.failed <= 4 * CONNECTIONS, str(figures))
    backends["b"] = named_nginx(s, "b")
    node.wait_verdict("once", "b", ("up", "warming"))
    node.wait_verdict("web", "b", "up", 15)


def with_retries(s, node, backends):
    load = Load(s, f"http://127.0.0.1:{s.port('web')}/", name="wrk-retries", connections=CONNECTIONS)
    busy(node, "web", "b", 2000)
    backends["b"].kill()
    verdict = node.wait_verdict("web", "b", "down")
    with s.fact("the verdict has a reason"):
        ensure(verdict["reason"], str(verdict))
    busy(node, "web", "a", 5000)
    served = node.backend("web", "b")["requests"]
    backends["b"] = named_nginx(s, "b")
    node.wait_verdict("web", "b", ("warming", "up"))
    shares = ramp(s, node)
    figures = load.stop()
    s.figure("with retries", figures.requests, figures.failed, figures.p99)
    s.figure("seconds after rise", *(f"{moment:.1f}" for moment, _ in shares))
    s.figure("share of the returned", *(f"{share:.0%}" for _, share in shares))
    with s.fact("with retries nothing fails"):
        ensure(figures.failed == 0, str(figures))
    with s.fact("the returned backend gets traffic"):
        ensure(node.backend("web", "b")["requests"] > served, "its counter stands still")
    with s.fact("its share ramps up by slow start"):
        ensure(shares[0][1] < 0.2, f"it begins with {shares[0][1]:.0%}")
        # Two choices: its share is what its speed on this machine makes it, not a third.
        last = sum(share for _, share in shares[-3:]) / 3
        ensure(last > 0.15 and last > 1.5 * shares[0][1], f"it ends with {last:.0%}")
        ensure(shares[len(shares) // 2][1] > shares[0][1], "it does not grow")


def ramp(s, node):
    """(seconds, share of the pool's new requests) of b over its slow start and a bit."""
    def counters():
        return {backend["name"]: backend["requests"] for backend in node.pool("web")["backends"]}

    start, before, shares = time.monotonic(), counters(), []
    while (elapsed := time.monotonic() - start) < 5.5:
        time.sleep(0.5)  # the sampling interval, not a synchronisation
        now = counters()
        new = {name: now[name] - before[name] for name in now}
        shares.append((elapsed, new["b"] / max(1, sum(new.values()))))
        before = now
    return shares
