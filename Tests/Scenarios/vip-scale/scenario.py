"""255 virtual routers on one node at 100 ms: what it costs, as active and as backup."""

import os
import pathlib
import time

from lib.netns import Network
from lib.scenario import ensure, wait

LIMIT = 120
SECONDS = 5


def text(priority, realtime=False):
    vips = "".join(
        f"  v{n}: {{ interface: eth0, addresses: 10.1.{n}.1, router-id: {n}, priority: {priority}, interval: 100ms, announce: {{ delay: never }} }}\n"
        for n in range(1, 256))
    return f"admin: {{ socket: ${{socket}} }}\nlisteners: {{}}\nvips:\n{vips}"


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(s):
    net = Network(s)
    lan = net.switch("sw")
    hosts, nodes = {}, {}
    for number, name in enumerate("ab", 11):
        hosts[name] = net.host(name)
        hosts[name].attach(lan, "eth0", f"198.51.100.{number}/24")
    nodes["a"] = hosts["a"].node(s, text=text(200), name="a")
    states = lambda who: [v["state"] for v in nodes[who].api("GET", "/v1/vips")[1]["vips"]]
    begin = time.monotonic()
    wait(lambda: states("a").count("active") == 255, "a has all 255", 10)
    nodes["b"] = hosts["b"].node(s, text=text(100), name="b")
    wait(lambda: states("b").count("backup") == 255, "b is backup of all", 10)
    time.sleep(0.5)
    before = {who: ticks(nodes[who].pid) for who in "ab"}
    sent = sum(v["sent"] for v in nodes["a"].api("GET", "/v1/vips")[1]["vips"])
    start = time.monotonic()
    time.sleep(SECONDS)
    length = time.monotonic() - start
    rate = (sum(v["sent"] for v in nodes["a"].api("GET", "/v1/vips")[1]["vips"]) - sent) / length
    s.figure("255 routers, 100 ms", "CPU of one core")
    for who, role in (("a", "active"), ("b", "backup")):
        s.figure(role, f"{(ticks(nodes[who].pid) - before[who]) / length * 100:.1f}%")
    s.figure("adverts sent", f"{rate:.0f}/s")
    s.check(rate > 2300, f"adverts go out at 2,550/s ({rate:.0f}/s)")
    s.check(states("a").count("active") == 255 and states("b").count("backup") == 255, "nobody flapped")
    with s.fact("all 255 move when the active node is killed"):
        hosts["a"].cut("eth0")
        nodes["a"].process.kill()
        begin = time.monotonic()
        wait(lambda: states("b").count("active") == 255, "b has all 255", 5, every=0.01)
        s.figure("all 255 taken over after", f"{(time.monotonic() - begin) * 1000:.0f} ms")
