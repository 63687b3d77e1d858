"""A client that makes one HTTP request after the other to the address, through 20 takeovers: half by `sluice vip move`,
half by a clean stop of the active node."""

import http.client
import time

from lib.netns import Network
from lib.scenario import ensure, equal, wait
from lib.vip import Asker

LIMIT = 180
VIP = "198.51.100.100"


def text(priority):
    return f"""
admin: {{ socket: ${{socket}} }}
drain-timeout: 1s
listeners:
  web: {{ bind: "{VIP}:8080", protocol: http, pool: web }}
pools:
  web:
    probe: {{ tcp: {{}}, every: 1s, rise: 1 }}
    backends: ["198.51.100.20:8000"]
vips:
  front:
    interface: eth0
    addresses: {VIP}
    router-id: 51
    priority: {priority}
    interval: 100ms
    track: [{{ pool: web, weight: -50 }}]
"""


class Keeper(Asker):
    """One request after the other on a connection that stays, as long as the node lets it; some take 200 ms."""

    asked_to_go = 0

    def run(self):
        connection, asked = None, 0
        with self.host:
            while self.running:
                begin = time.monotonic()
                fresh = connection is None
                try:
                    if fresh:
                        connection = http.client.HTTPConnection(VIP, 8080, timeout=5)
                    connection.request("GET", "/slow" if asked % 20 == 0 else "/")
                    asked += 1
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        raise OSError(f"status {answer.status}")
                    self.good += 1
                    self.times.append(time.monotonic())
                    if answer.getheader("connection", "").lower() == "close":
                        self.asked_to_go += 1
                        connection.close()
                        connection = None
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append((begin, f"{type(error).__name__}: {error}, {'new' if fresh else 'kept'} connection"))
                    if connection:
                        connection.close()
                    connection = None


def run(s):
    net = Network(s)
    lan = net.switch("sw")
    hosts = {}
    for number, name in enumerate(["a", "b"], 11):
        hosts[name] = net.host(name)
        hosts[name].attach(lan, "eth0", f"198.51.100.{number}/24")
    origin = net.host("origin")
    origin.attach(lan, "eth0", "198.51.100.20/24")
    visitor = net.host("client")
    visitor.attach(lan, "eth0", "198.51.100.30/24")
    base = s.path("origin")
    base.mkdir()
    (base / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log;\nevents {{}}\nhttp {{ access_log off;\n"
        + "".join(f"{k}_temp_path {base}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        + f"server {{ listen 198.51.100.20:8000; root {base};\n"
        # The first 20 KiB at once, the rest 200 ms later.
        'location = /slow { sendfile_max_chunk 20k; limit_rate 100k; }\nlocation / { return 200 "ok\\n"; } } }\n')
    (base / "slow").write_bytes(b"x" * 24 * 1024)
    origin.start("origin", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])
    nodes = {"a": hosts["a"].node(s, text=text(200), name="a"), "b": hosts["b"].node(s, text=text(150), name="b")}

    def owners():
        return "".join(name for name in "ab" if VIP in hosts[name].addresses("eth0"))

    wait(lambda: owners() == "a", "a has the address")
    rows = []
    for kind in ("vip move", "clean stop"):
        moves = []
        client, keeper = Asker(visitor, VIP, timeout=1.5, pause=0.002), Keeper(visitor, VIP)
        client.start()
        keeper.start()
        wait(lambda: client.good > 50 and keeper.good > 50, "the clients are served")
        for _ in range(5):
            if kind == "vip move":
                begin = time.monotonic()
                answer = nodes["a"].must("vip", "move", "front", "--to", "198.51.100.12")
                ensure("front is with 198.51.100.12 now" in answer, answer)
                wait(lambda: owners() == "b", "b has it")
                moves.append((begin, time.monotonic()))
                # What began until now has ended when five more have.
                before = client.good, keeper.good
                wait(lambda: client.good > before[0] + 5 and keeper.good > before[1] + 5, "the clients are served by b")
                nodes["a"].must("vip", "restore", "front")
            else:
                nodes["a"].process.stop()
                wait(lambda: owners() == "b", "b has it")
                nodes["a"] = hosts["a"].node(s, text=text(200), name=f"a{len(s._processes)}")
            wait(lambda: owners() == "a", "a has it again", 15)
            before = client.good
            wait(lambda: client.good > before + 20, "the client is served")
        longest, kept = client.stop(), keeper.stop()
        if kind == "vip move":
            with s.fact("vip move: no request fails on the way there, of new connections and of kept ones"):
                # The way back is the other node's to lose: it is outranked, and resigns without a drain.
                lost = [f for f in client.failed + keeper.failed if any(begin <= f[0] <= end for begin, end in moves)]
                equal(lost, [], "failed")
                # Where the address comes back, so do connections that the keeper still had.
                ensure(keeper.asked_to_go >= 1, "kept connections were never asked to go")
        with s.fact(f"{kind}: no request fails but those in flight"):
            ensure(len(client.failed) <= 10, f"{len(client.failed)} failed: {client.failed[:3]}")
        rows.append((f"10 takeovers, 5 by {kind}, kept connections", keeper.good, len(keeper.failed), f"{kept:.0f} ms"))
        s.check(longest < 2_000, f"{kind}: the longest gap is {longest:.0f} ms")
        rows.append((f"10 takeovers, 5 by {kind}", client.good, len(client.failed), f"{longest:.0f} ms"))
    s.figure("", "requests", "failed", "longest gap")
    for row in rows:
        s.figure(*row)
