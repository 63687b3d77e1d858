"""The health manager: bad heartbeats are dropped and counted, statuses follow good ones, and of two managers over one
database each stale amphora is claimed by one, once."""

import hashlib
import hmac
import random
import socket
import time
import zlib

from lib.controller import SUBNET, Controller
from lib.heartbeats import Sender, message, pack
from lib.scenario import equal, wait

KEY = "a-key-of-this-scenario"
COUNT = 50


def settings(name, extra="timeout: 2s, interval: 200ms, grace: 3s, threads: 100"):
    return f"""
directory: ${{dir}}/state
compute: noop
api: {{ bind: "127.0.0.1:${{{name}}}" }}
health: {{ bind: "127.0.0.1:${{{name}-health}}", key: {KEY}, heartbeat: 1s, {extra} }}
"""


def run(s):
    one = Controller(s, settings("one"), "one")
    two = Controller(s, settings("two"), "two")
    ports = [s.port("one-health"), s.port("two-health")]
    alive = set()
    Sender(s, lambda: list(alive), KEY, ports)
    made = []
    for number in range(COUNT):
        body = {"loadbalancer": {"name": f"lb{number}", "vip_subnet_id": SUBNET}}
        made.append(one.must("POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]["id"])
        one.settled(made[-1])
        alive.update(a["id"] for a in one.amphorae(made[-1]))
    first = set(alive)
    bad_packets(s, one, ports[0], next(iter(first)))
    claims(s, one, two, made, first, alive)
    guard(s)


def bad_packets(s, one, port, amphora):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    good = pack(message(amphora), KEY)
    dice = random.Random(7)
    cases = {
        "signature": [good[:-1] + b"0" if good[-1:] != b"0" else good[:-1] + b"1", pack(message(amphora), "another key"), dice.randbytes(500)],
        "short": [b"", b"x", b"x" * 60],
        "compression": [sign(b"not zlib"), sign(zlib.compress(b" " * (64 << 20), 9))],
        "syntax": [sign(zlib.compress(b"{")), sign(zlib.compress(b"[" * 100000))],
        "content": [sign(zlib.compress(b"[]")), sign(zlib.compress(b'{"id": 1}'))],
        "unknown": [pack(message("11111111-1111-4111-8111-111111111111"), KEY)],
    }
    with s.fact("a wrong signature, a bomb, bad JSON and an unknown amphora are dropped, each counted by its reason"):
        before = one.get("/sluice/health")["refused"]
        for packets in cases.values():
            for packet in packets:
                client.sendto(packet, ("127.0.0.1", port))

        def counted():
            now = one.get("/sluice/health")["refused"]
            return all(now[name] - before[name] == len(packets) for name, packets in cases.items())
        wait(counted, "each is counted", 10)
    with s.fact("the raw signature of older amphorae is taken"):
        taken = one.get("/sluice/health")["taken"]
        client.sendto(pack(message(amphora), KEY, raw=True), ("127.0.0.1", port))
        wait(lambda: one.get("/sluice/health")["taken"] > taken, "it is taken")
    client.close()


def guard(s):
    """Ten of ten silent at once are no amphora's fault; two are."""
    alive = set()
    one = Controller(s, settings("guarded", "timeout: 1500ms, interval: 100ms, grace: 1s, failover-threshold: 5").replace("/state", "/guarded"), "guarded")
    Sender(s, lambda: list(alive), KEY, [s.port("guarded-health")])
    for number in range(10):
        made = one.must("POST", "/v2/lbaas/loadbalancers", {"loadbalancer": {"name": f"g{number}", "vip_subnet_id": SUBNET}})["loadbalancer"]["id"]
        one.settled(made)
        alive.update(a["id"] for a in one.amphorae(made))
    everybody = set(alive)

    def health():
        return one.get("/sluice/health")
    with s.fact("more silent amphorae than the threshold: nothing is replaced for as long as that is so"):
        alive.clear()
        wait(lambda: health()["held_back"] == 10, "all are held back", 15)
        until = time.monotonic() + 2
        wait(lambda: health()["claimed"] > 0 or time.monotonic() > until, "a while passes", 5)
        equal(health()["claimed"], 0, "claimed")
        equal({a["id"] for a in one.get("/v2/octavia/amphorae", "amphorae")}, everybody, "amphorae")
    with s.fact("when most are back, the few that are not are replaced"):
        gone = set(sorted(everybody)[:2])
        alive.update(everybody - gone)
        wait(lambda: health()["claimed"] == 2, "two are claimed", 15)
        wait(lambda: not gone & {a["id"] for a in one.get("/v2/octavia/amphorae", "amphorae")}, "two are replaced", 15)
        equal(health()["held_back"], 0, "held back")
    s.figure("mass failure guard", "10 of 10 silent: 0 replaced; 2 of 10 silent: 2 replaced")


def sign(body):
    return body + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest().encode()


def claims(s, one, two, made, first, alive):
    with s.fact(f"{COUNT} amphorae fall silent at once: each is replaced exactly once by one of two managers"):
        time_of_death = time.monotonic()
        alive.clear()

        def replaced():
            now = {a["loadbalancer_id"]: a["id"] for a in one.get("/v2/octavia/amphorae", "amphorae")}
            # Those that are new send heartbeats from now on.
            alive.update(a for a in now.values() if a not in first)
            return len(now) == COUNT and not set(now.values()) & set(first)
        wait(replaced, "all are replaced", 40, 0.05)
        s.figure("50 stale amphorae replaced by two managers", f"{time.monotonic() - time_of_death:.1f} s after the last heartbeat")
        for balancer in made:
            one.settled(balancer, 20)
            claims = [e["text"] for e in one.explain(balancer)["events"] if "silent" in e["text"]]
            equal(len(claims), 1, f"claims of {balancer}")
        shares = [c.get("/sluice/health")["claimed"] for c in (one, two)]
        equal(sum(shares), COUNT, "claims")
        s.figure("claimed by each manager", *shares)
