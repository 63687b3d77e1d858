"""Three nodes: health, orders and persistence are shared and outlive cuts and restarts; strangers are turned away.

Every link goes through a relay that can be cut (it keeps the connection and says nothing, as a dead cable does) and
that records what passes, so that it can be replayed.
"""

import json
import signal
import socket
import subprocess
import threading
import time

from lib.node import Node
from lib.origin import Origin
from lib.scenario import contains, ensure, equal, wait
from lib.wire import get

LIMIT = 150
NAMES = "abc"


class Relay:
    """Stands before a node's peer address; `cut` holds back all bytes in both directions."""

    def __init__(self, s, name):
        self.target = s.port(f"peer-{name}")
        self.listener = socket.create_server(("127.0.0.1", s.port(f"to-{name}")))
        self.open, self.taken = threading.Event(), []
        self.open.set()
        self.lock = threading.Lock()
        self.pairs = []
        s.defer(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=2)
                server.settimeout(None)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.pairs.append((client, server))
                record = bytearray()
                self.taken.append(record)
            threading.Thread(target=self.pump, args=(client, server, record), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()

    def pump(self, source, sink, record):
        try:
            while data := source.recv(65536):
                self.open.wait()
                if record is not None:
                    record += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.open.set()
        self.listener.close()
        with self.lock:
            for pair in self.pairs:
                for end in pair:
                    end.close()


class Peer(Node):
    def __init__(self, s, name, key="a-key-that-all-nodes-have", serving=True):
        super().__init__(s, name=f"sluice-{name}", replace=[("NAME", name), ("KEY", key)], serving=False)
        self.socket = s.path(f"{name}.sock")
        if serving:
            # The log may still speak of an earlier start.
            wait(lambda: self.status()["phase"] == "serving", f"{name} serves")

    def peers(self):
        status, body = self.api("GET", "/v1/peers")
        equal(status, 200, "GET /v1/peers")
        return {peer["name"]: peer for peer in body["peers"]}

    def link(self, name):
        return self.peers()[name]["link"]

    def web(self, s, client):
        answer = get(s.port(f"web-{self.name[-1]}"), headers={"x-client": client})
        return answer.header("x-backend") or str(answer.status)


def events(node, kind):
    return [event for event in node.api("GET", "/v1/events")[1]["events"] if event["kind"] == kind]


def run(s):
    origins = {name: Origin(s, name) for name in ("o1", "o2", "o3")}
    relays = {name: Relay(s, name) for name in NAMES}
    nodes = {name: Peer(s, name) for name in NAMES}
    s.figure("what", "measured", "bound")
    found(s, nodes)
    health(s, nodes, origins)
    orders(s, nodes)
    persistence(s, nodes)
    cut(s, nodes, relays)
    restart(s, nodes)
    strangers(s, nodes, relays)
    command(s, nodes)


def timed(s, what, bound, condition, seconds=10):
    begin = time.monotonic()
    wait(condition, what, seconds)
    s.figure(what, f"{(time.monotonic() - begin) * 1000:.0f} ms", bound)


def found(s, nodes):
    with s.fact("all three find each other"):
        for node in nodes.values():
            wait(lambda: all(peer["link"] == "up" for peer in node.peers().values()), f"{node.name} hears both", 10)
    with s.fact("each knows the others' site, phase and whom they hear"):
        peer = wait(lambda: (p := nodes["a"].peers()["b"])["hears"] == ["a", "c"] and p, "b hears a and c")
        equal((peer["site"], peer["phase"]), ("site-b", "serving"), "site and phase")
    with s.fact("the round trip is measured"):
        wait(lambda: nodes["a"].peers()["b"]["round_trip_ms"] is not None, "a round trip")
        s.figure("round trip a ↔ b", f"{nodes['a'].peers()['b']['round_trip_ms']} ms", "")


def pool_of(node, peer):
    return next((p for p in node.peers()[peer]["pools"] if p["name"] == "web"), {})


def health(s, nodes, origins):
    with s.fact("a backend's fall is known on the other nodes"):
        wait(lambda: pool_of(nodes["a"], "c").get("up") == 3, "c says 3 of 3")
        origins["o3"].stop()
        wait(lambda: pool_of(nodes["a"], "c").get("up") == 2, "c says 2 of 3")
        origins["o3"].start()
        wait(lambda: pool_of(nodes["a"], "c").get("up") == 3, "c says 3 of 3 again")


def state_of(node, backend):
    return node.backend("web", backend)


def orders(s, nodes):
    with s.fact("a drain said on one node holds on all"):
        equal(nodes["b"].api("POST", "/v1/backends/web/o1/drain")[0], 200, "drain")
        timed(s, "drain on b, in force on a and c", "", lambda: all(state_of(nodes[n], "o1")["state"] == "drain" for n in "ac"))
        wait(lambda: any("said on b" in e["message"] for e in events(nodes["a"], "override")), "the event says where")
    with s.fact("a weight too, and the last word counts"):
        for node, weight in (("a", 10), ("c", 20), ("b", 30)):
            equal(nodes[node].api("PUT", "/v1/backends/web/o3/weight", {"weight": weight})[0], 200, "weight")
        wait(lambda: all(state_of(n, "o3")["weight"] == 30 for n in nodes.values()), "30 everywhere")
    with s.fact("a file that says something new of a backend frees that node from the word, and nobody else"):
        nodes["c"].write(nodes["c"].template.replace("weight: 50", "weight: 60"))
        equal(nodes["c"].api("POST", "/v1/reload")[0], 200, "reload")
        equal(state_of(nodes["c"], "o3")["weight"], 60, "c's weight")
        time_to_talk(nodes)
        equal([state_of(nodes[n], "o3")["weight"] for n in "ab"], [30, 30], "the others' weight")
    with s.fact("ready again, everywhere"):
        equal(nodes["a"].api("POST", "/v1/backends/web/o1/ready")[0], 200, "ready")
        wait(lambda: all(state_of(n, "o1")["state"] == "ready" for n in nodes.values()), "ready everywhere")


def time_to_talk(nodes):
    """Until every node has heard every other one twice more: what was to be said has been said."""
    for node in nodes.values():
        for peer in node.peers():
            before = [node.peers()[peer]["generation"], time.monotonic()]
            wait(lambda: node.peers()[peer]["age_s"] < 0.2 and time.monotonic() - before[1] > 0.25, "two heartbeats")


def persistence(s, nodes):
    with s.fact("500 clients keep their backend on the other nodes"):
        homes = {f"client-{i}": nodes["a"].web(s, f"client-{i}") for i in range(500)}
        ensure(len(set(homes.values())) == 3, f"spread over {set(homes.values())}")
        # Asking earlier would make b choose for itself.
        time_to_talk(nodes)
        for name in "bc":
            wrong = [c for c, home in homes.items() if nodes[name].web(s, c) != home]
            equal(wrong, [], f"clients that lost their backend on {name}")
        s.figure("clients that kept their backend on b and c", "500 of 500", "500")
    s.homes = homes


def cut(s, nodes, relays):
    with s.fact("a cut is noticed within the timeout, on both sides"):
        # a and b call c, and nobody calls a: cutting c's relay isolates c.
        relays["c"].open.clear()
        timed(s, "cut noticed by a", "≤ 600 ms", lambda: nodes["a"].link("c") != "up", 3)
        wait(lambda: nodes["c"].link("a") == "stale" and nodes["a"].link("c") == "stale", "stale on both sides", 3)
        wait(lambda: events(nodes["a"], "peer-stale"), "an event says so")
        ensure(nodes["a"].peers()["c"]["pools"], "what c last said is still shown, with its age")
        equal(nodes["a"].link("b"), "up", "the other link")
    with s.fact("what is said on both sides of the cut is known on both sides after it"):
        equal(nodes["a"].api("POST", "/v1/backends/web/o2/drain")[0], 200, "drain on a")
        equal(nodes["c"].api("PUT", "/v1/backends/web/o1/weight", {"weight": 77})[0], 200, "weight on c")
        late = {f"late-{i}": nodes["a"].web(s, f"late-{i}") for i in range(50)}
        relays["c"].open.set()
        timed(s, "healed", "≤ 5.5 s (back-off)", lambda: nodes["a"].link("c") == "up" and nodes["b"].link("c") == "up", 15)
        wait(lambda: state_of(nodes["c"], "o2")["state"] == "drain", "c drains o2")
        wait(lambda: state_of(nodes["a"], "o1")["weight"] == 77 and state_of(nodes["b"], "o1")["weight"] == 77, "a and b weigh o1")
        time_to_talk(nodes)
        wrong = [c for c, home in late.items() if nodes["c"].web(s, c) != home]
        equal(wrong, [], "clients of the time of the cut that c does not know")
    with s.fact("open again"):
        equal(nodes["b"].api("POST", "/v1/backends/web/o2/ready")[0], 200, "ready")
        wait(lambda: state_of(nodes["c"], "o2")["state"] == "ready", "ready on c")


def restart(s, nodes):
    with s.fact("a node that was killed and started anew knows orders and clients from its peers"):
        equal(nodes["a"].api("POST", "/v1/backends/web/o3/drain")[0], 200, "drain")
        wait(lambda: state_of(nodes["b"], "o3")["state"] == "drain", "drain on b")
        nodes["b"].process.kill()
        wait(lambda: nodes["a"].link("b") != "up", "a misses b", 5)
        nodes["b"] = Peer(s, "b")
        timed(s, "started anew, drain in force", "", lambda: state_of(nodes["b"], "o3")["state"] == "drain")
        wait(lambda: nodes["b"].link("a") == "up" and nodes["b"].link("c") == "up", "links")
        time_to_talk(nodes)
        wrong = [c for c, home in s.homes.items() if home != "o3" and nodes["b"].web(s, c) != home]
        equal(wrong, [], "clients that b does not know")
    with s.fact("a clean stop is told at once"):
        nodes["b"].process.signal(signal.SIGTERM)
        peer = wait(lambda: (p := nodes["a"].peers()["b"])["link"] != "up" and p, "a misses b", 5)
        contains(peer["reason"], "stopped")
        nodes["b"].process.wait(5)
        nodes["b"] = Peer(s, "b")
        wait(lambda: nodes["a"].link("b") == "up", "b is back", 10)


def strangers(s, nodes, relays):
    with s.fact("another key is refused, on both sides with a reason, and nothing is taken over"):
        nodes["c"].process.stop()
        wait(lambda: nodes["a"].link("c") != "up", "a misses c", 5)
        nodes["c"] = Peer(s, "c", key="another-key-than-the-others")
        wait(lambda: "the key" in nodes["a"].peers()["c"]["reason"], "a says why", 10)
        wait(lambda: any("the key" in e["message"] for e in events(nodes["c"], "peer-refused")), "c says why", 10)
        equal(state_of(nodes["c"], "o3")["state"], "ready", "o3 on c, which is drained on a and b")
        nodes["c"].process.stop()
        nodes["c"] = Peer(s, "c")
        wait(lambda: nodes["a"].link("c") == "up" and nodes["b"].link("c") == "up", "c is back", 15)
        wait(lambda: state_of(nodes["c"], "o3")["state"] == "drain", "and knows")
    with s.fact("a replayed talk is refused"):
        talks = [bytes(t) for t in relays["c"].taken if len(t) > 200]
        ensure(talks, "something was recorded")
        before = nodes["c"].peers()
        for talk in talks[-3:]:
            with socket.create_connection(("127.0.0.1", s.port("peer-c")), timeout=5) as replay:
                replay.sendall(talk)
                answer = b""
                try:
                    while part := replay.recv(4096):
                        answer += part
                except ConnectionResetError:
                    pass
                ensure(len(answer) <= 40, f"{len(answer)} bytes of answer: more than a hello")
        equal(nodes["c"].link("a"), "up", "the real link")
        equal(nodes["c"].peers()["a"]["since_s"] >= before["a"]["since_s"], True, "and the same one")
        s.figure("replayed talks refused", f"{len(talks[-3:])} of {len(talks[-3:])}", "all")
    with s.fact("garbage, silence and floods of callers do no harm"):
        idle = [socket.create_connection(("127.0.0.1", s.port("peer-c"))) for _ in range(100)]
        for number, caller in enumerate(idle[:50]):
            try:
                caller.sendall(bytes([number]) * 3000)
            except OSError:
                pass
        time_to_talk(nodes)
        equal([nodes["c"].link("a"), nodes["c"].link("b")], ["up", "up"], "links of c")
        for caller in idle:
            caller.close()


def command(s, nodes):
    with s.fact("sluice peers shows it"):
        done = subprocess.run([s.binary, "peers", "--socket", nodes["a"].socket], capture_output=True, text=True, timeout=10)
        equal(done.returncode, 0, f"exit status ({done.stderr})")
        for word in ("site-b", "site-c", "up", "web/o3", "drain"):
            contains(done.stdout, word)
        raw = subprocess.run([s.binary, "peers", "--json", "--socket", nodes["a"].socket], capture_output=True, text=True, timeout=10)
        equal(json.loads(raw.stdout)["node"], "a", "the JSON")
