"""Balancing on the live binary: one slow backend of eight, Maglev, weights, persistence."""

import json
import threading

from lib.load import Load
from lib.node import Node
from lib.origin import Origin
from lib.scenario import accepts, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 150
POLICIES = ["round-robin", "random", "least-connections", "p2c", "peak-ewma"]
FAST_MS, SLOW_MS, BACKENDS, CLIENTS, SECONDS = 20, 200, 8, 48, 5
TEN = [f"m{i}" for i in range(10)]


def config(s):
    listeners, pools = "", ""
    addresses = ", ".join(f'"127.0.0.1:{s.port(f"paced-{i}")}"' for i in range(BACKENDS))
    for policy in POLICIES:
        listeners += f'  {policy}: {{ bind: "127.0.0.1:{s.port(policy)}", protocol: http, pool: {policy} }}\n'
        pools += f"  {policy}: {{ balance: {policy}, backends: [{addresses}] }}\n"
    ten = "".join(f'      - {{ name: {name}, address: "127.0.0.1:{s.port(name)}" }}\n' for name in TEN)
    return [("  # one listener per policy\n", listeners), ("  # one pool per policy\n", pools), ("      # ten backends\n", ten)]


def run(s):
    origins = {name: Origin(s, name) for name in ["s1", "s2", "s3", *TEN]}
    paced = [f"{s.port(f'paced-{i}')}:{SLOW_MS if i == 0 else FAST_MS}" for i in range(BACKENDS)]
    s.start("paced", ["/usr/bin/python3", "-m", "lib.paced", s.port("control"), *paced])
    wait(lambda: accepts(s.port("control")), "the paced servers accept")
    node = Node(s, replace=config(s))
    one_slow(s)
    maglev(s, node)
    by_source(s)
    weights(s, node)
    persistence(s, node, origins)


def one_slow(s):
    """In-flight requests as the servers themselves count them."""
    s.figure(f"{BACKENDS} backends, one 10 times slower", "max/mean in flight", "on the slow one", "requests/s", "p99")
    ratio, rate = {}, {}
    for policy in POLICIES:
        url = f"http://127.0.0.1:{s.port(policy)}/"
        warm = Load(s, url, name=f"wrk-warm-{policy}", connections=CLIENTS, seconds=1)
        warm.result(10)
        load = Load(s, url, name=f"wrk-{policy}", connections=CLIENTS, seconds=SECONDS)
        get(s.port("control"), method="POST")
        counts = {}
        timer = threading.Timer(SECONDS - 0.5, lambda: counts.update(json.loads(get(s.port("control")).body)))
        timer.start()
        figures = load.result(SECONDS + 10)
        timer.join()
        means = [server["mean"] for server in counts.values()]
        ratio[policy] = max(means) / (sum(means) / len(means))
        rate[policy] = figures.rate
        slow = counts[str(s.port("paced-0"))]["mean"]
        s.figure(policy, f"{ratio[policy]:.2f}", f"{slow:.1f} of {sum(means):.1f}", f"{figures.rate:.0f}", figures.p99)
        s.check(figures.failed == 0, f"{policy}: no request fails ({figures})")
    with s.fact("P2C keeps the load even where round robin and random pile up"):
        ensure(ratio["p2c"] < 2, f"max/mean {ratio['p2c']:.2f}")
        ensure(ratio["p2c"] < ratio["round-robin"] / 1.5, f"{ratio['p2c']:.2f} against round robin's {ratio['round-robin']:.2f}")
        ensure(ratio["p2c"] < ratio["random"] / 1.5, f"{ratio['p2c']:.2f} against random's {ratio['random']:.2f}")
        ensure(rate["p2c"] > rate["round-robin"], f"{rate['p2c']:.0f} requests/s against round robin's {rate['round-robin']:.0f}")
    with s.fact("least connections and peak EWMA do so, too"):
        for policy in ("least-connections", "peak-ewma"):
            ensure(ratio[policy] < ratio["round-robin"] / 1.3, f"{policy}: {ratio[policy]:.2f}")


def mapping(s, users):
    with Wire(s.port("maglev")) as wire:
        return {user: wire.exchange(headers={"X-User": user}).header("x-backend") for user in users}


def maglev(s, node):
    users = [f"user-{i}" for i in range(1000)]
    with s.fact("maglev: the same key goes to the same backend, keys spread evenly"):
        before = mapping(s, users)
        equal(mapping(s, users), before, "a second pass")
        counts = [list(before.values()).count(name) for name in TEN]
        s.figure("maglev: 1,000 keys on 10 backends", f"min {min(counts)}", f"max {max(counts)}")
        ensure(min(counts) > 60 and max(counts) < 150, f"counts {counts}")
    with s.fact("maglev: when one of ten leaves, its keys move and few others do"):
        node.must("maintenance", "maglev/m3")
        wait(lambda: "m3" not in mapping(s, users[:50]).values(), "the change takes effect")
        after = mapping(s, users)
        own = [user for user in users if before[user] == "m3"]
        others = [user for user in users if before[user] != "m3" and after[user] != before[user]]
        s.figure("maglev: one of ten leaves", f"its keys {len(own)}", f"moved beside them {len(others)}")
        ensure(not any(after[user] == "m3" for user in users), "m3 still serves")
        ensure(len(others) <= 50, f"{len(others)} others moved")
    with s.fact("maglev: when it is back, all keys are where they were"):
        node.must("ready", "maglev/m3")
        wait(lambda: mapping(s, own[:1])[own[0]] == "m3", "the change takes effect")
        equal(mapping(s, users), before, "the mapping")


def by_source(s):
    with s.fact("source hash: a source keeps its backend; sources spread"):
        found = set()
        for last in range(2, 40):
            names = {get(s.port("by-source"), source=f"127.0.1.{last}").header("x-backend") for _ in range(3)}
            equal(len(names), 1, f"backends of one source: {names}")
            found |= names
        equal(found, {"s1", "s2", "s3"}, "backends of all sources")
    with s.fact("bounded load: a source keeps its backend while there is no crowd"):
        names = {get(s.port("bounded"), source="127.0.1.50").header("x-backend") for _ in range(10)}
        equal(len(names), 1, f"backends {names}")
    with s.fact("bounded load: a crowd from one source overflows to the others"):
        wires = [Wire(s.port("bounded"), source="127.0.1.50") for _ in range(12)]
        for wire in wires:
            wire.send("GET /delay/500 HTTP/1.1\r\nHost: x\r\n\r\n")
        names = [wire.response().header("x-backend") for wire in wires]
        counts = {name: names.count(name) for name in sorted(set(names))}
        s.figure("bounded load: 12 at once from one source", counts)
        ensure(max(counts.values()) <= 7, f"{counts}")
        for wire in wires:
            wire.close()


def weights(s, node):
    def shares():
        with Wire(s.port("weighted")) as wire:
            names = [wire.exchange().header("x-backend") for _ in range(400)]
        return {name: names.count(name) for name in ("s1", "s2", "s3")}

    with s.fact("weights 10, 30, 0"):
        found = shares()
        s.figure("weights 10, 30, 0 over 400", found)
        ensure(abs(found["s1"] - 100) <= 4 and found["s3"] == 0, f"{found}")
    with s.fact("a new weight by the command line counts at once"):
        node.must("weight", "weighted/s3", "40")
        wait(lambda: node.backend("weighted", "s3")["weight"] == 40, "the weight is in the status")
        found = shares()
        s.figure("weights 10, 30, 40 over 400", found)
        ensure(abs(found["s3"] - 200) <= 6, f"{found}")


def persistence(s, node, origins):
    def ask(cookie=None):
        response = get(s.port("sticky"), headers={"Cookie": cookie} if cookie else {})
        return response.header("x-backend"), response.header("set-cookie")

    for name in ("s1", "s2", "s3"):
        node.wait_verdict("sticky", name, "up")
    name, line = ask()
    cookie = line.split(";")[0]
    with s.fact("the cookie is opaque, and has the attributes of the config"):
        ensure(name not in cookie and str(s.port(name)) not in cookie, cookie)
        ensure("max-age=3600" in line.lower() and "samesite=lax" in line.lower() and "path=/" in line.lower(), line)
    with s.fact("the cookie holds its client on a backend, and is not set anew"):
        equal({ask(cookie) for _ in range(9)}, {(name, None)}, "backend and Set-Cookie")
    with s.fact("… also across a reload"):
        node.reload(node.template.replace("max-age: 1h", "max-age: 2h"))
        equal({ask(cookie)[0] for _ in range(9)}, {name}, "backends")
    with s.fact("a forged or broken cookie counts as none"):
        for forged in (f"{cookie}x", cookie[:-1], "SLUICE=", "SLUICE=s1", f"SLUICE={'A' * 500}"):
            found = [ask(forged) for _ in range(3)]
            ensure(all(line for _, line in found), f"{forged} was believed")
    with s.fact("when its backend is down, the client moves and gets a new cookie; later it stays moved"):
        origins[name].stop()
        node.wait_verdict("sticky", name, "down")
        moved, line = ask(cookie)
        ensure(moved != name and line, f"answered by {moved}, Set-Cookie {line}")
        fresh = line.split(";")[0]
        origins[name].start()
        node.wait_verdict("sticky", name, "up")
        equal({ask(fresh)[0] for _ in range(9)}, {moved}, "backends")
