"""A client that makes one HTTP request after the other to the address, through 20 takeovers: half by `sluice vip move`,
half by a clean stop of the active node."""

import http.client
import threading
import time

from lib.netns import Network
from lib.scenario import ensure, equal, wait

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


class Client(threading.Thread):
    """New connections, one request each, as fast as answers come."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.running = host, True
        self.good, self.failed, self.times = 0, [], []

    def run(self):
        with self.host:
            while self.running:
                begin = time.monotonic()
                try:
                    connection = http.client.HTTPConnection(VIP, 8080, timeout=1)
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    if answer.status != 200:
                        raise OSError(f"status {answer.status}")
                    self.good += 1
                    self.times.append(time.monotonic())
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append((begin, f"{type(error).__name__}: {error}"))
                time.sleep(0.002)

    def stop(self):
        self.running = False
        self.join()
        return max((b - a for a, b in zip(self.times, self.times[1:])), default=0) * 1000


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
        + 'server { listen 198.51.100.20:8000; location / { return 200 "ok\\n"; } } }\n')
    origin.start("origin", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])
    nodes = {"a": hosts["a"].node(s, text=text(200), name="a"), "b": hosts["b"].node(s, text=text(150), name="b")}

    def owners():
        return "".join(name for name in "ab" if VIP in hosts[name].addresses("eth0"))

    wait(lambda: owners() == "a", "a has the address")
    rows = []
    for kind in ("vip move", "clean stop"):
        client = Client(visitor)
        client.start()
        wait(lambda: client.good > 50, "the client is served")
        for _ in range(5):
            if kind == "vip move":
                answer = nodes["a"].must("vip", "move", "front", "--to", "198.51.100.12")
                ensure("front is with 198.51.100.12 now" in answer, answer)
                wait(lambda: owners() == "b", "b has it")
                nodes["a"].must("vip", "restore", "front")
            else:
                nodes["a"].process.stop()
                wait(lambda: owners() == "b", "b has it")
                nodes["a"] = hosts["a"].node(s, text=text(200), name=f"a{len(s._processes)}")
            wait(lambda: owners() == "a", "a has it again", 15)
            before = client.good
            wait(lambda: client.good > before + 20, "the client is served")
        longest = client.stop()
        with s.fact(f"{kind}: no request fails but those in flight"):
            ensure(len(client.failed) <= 10, f"{len(client.failed)} failed: {client.failed[:3]}")
        s.check(longest < 2_000, f"{kind}: the longest gap is {longest:.0f} ms")
        rows.append((f"10 takeovers, 5 by {kind}", client.good, len(client.failed), f"{longest:.0f} ms"))
    s.figure("", "requests", "failed", "longest gap")
    for row in rows:
        s.figure(*row)
