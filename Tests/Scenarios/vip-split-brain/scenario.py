"""A switch is cut into two halves for five seconds, each with a node and a client, and healed: one owner, both clients'
neighbour tables right, and the event log tells what happened."""

import time

from lib.netns import Network
from lib.scenario import ensure, equal, wait

LIMIT = 120
VIP = "198.51.100.100"
VIP6 = "2001:db8::100"


def text(priority):
    return f"""
admin: {{ socket: ${{socket}} }}
listeners: {{}}
vips:
  front:
    interface: eth0
    addresses: {VIP}
    companions: "{VIP6}"
    router-id: 51
    priority: {priority}
    interval: 100ms
"""


def run(s):
    net = Network(s)
    lan = net.switch("sw")
    hosts, ports = {}, {}
    for number, name in enumerate(["a", "b", "left", "right"], 11):
        hosts[name] = net.host(name)
        ports[name] = hosts[name].attach(lan, "eth0", f"198.51.100.{number}/24", f"2001:db8::{number}/64")
    a = hosts["a"].node(s, text=text(200), name="a")
    b = hosts["b"].node(s, text=text(100), name="b")

    def owners():
        return [name for name in "ab" if VIP in hosts[name].addresses("eth0")]

    def ping(client, address=VIP):
        return "1 received" in hosts[client].run("ping", "-c", "1", "-W", "1", address, check=False)

    wait(lambda: owners() == ["a"], "a is the owner")
    for client in ("left", "right"):
        s.check(ping(client) and ping(client, VIP6), f"{client} reaches the address before")
        equal(hosts[client].neighbour(VIP), hosts["a"].mac())

    start = time.monotonic()
    lan.split(ports["b"], ports["right"])
    wait(lambda: owners() == ["a", "b"], "both halves have an owner")
    wait(lambda: ping("right"), "the right half reaches b")
    with s.fact("each half's client has its own owner"):
        equal(hosts["left"].neighbour(VIP), hosts["a"].mac(), "left")
        equal(hosts["right"].neighbour(VIP), hosts["b"].mac(), "right")
    while time.monotonic() - start < 5:
        time.sleep(0.05)
    healed = time.monotonic()
    lan.join(ports["b"], ports["right"])
    wait(lambda: owners() == ["a"], "one owner after the cut is healed", 3, every=0.002)
    one = (time.monotonic() - healed) * 1000
    with s.fact("the right half's client knows the owner without asking"):
        wait(lambda: hosts["right"].neighbour(VIP) == hosts["a"].mac(), "right has a's MAC", 3, every=0.002)
    told = (time.monotonic() - healed) * 1000
    with s.fact("and so for IPv6"):
        wait(lambda: hosts["right"].neighbour(VIP6) in (hosts["a"].mac(), None), "right has a's MAC or asks anew", 3)
    for client in ("left", "right"):
        s.check(ping(client) and ping(client, VIP6), f"{client} reaches the address afterwards")

    def events(node, kind):
        return [e["message"] for e in node.api("GET", "/v1/events")[1]["events"] if e["kind"] == kind and e["subject"] == "front"]

    with s.fact("a tells of the rival, its end and the verification"):
        wait(lambda: events(a, "verified"), "verified", 5)
        for kind, words in (("dual", "198.51.100.12 is active, too"), ("dual", "has given way"), ("verified", "nobody else answers for the addresses")):
            wait(lambda: any(words in message for message in events(a, kind)), f"{kind}: {words}")
    with s.fact("b tells how long it was active, and by whom it was outranked"):
        last = events(b, "backup")[-1]
        ensure("outranked by 198.51.100.11, priority 200" in last and "was active for" in last, last)
    s.figure("one owner after", f"{one:.0f} ms")
    s.figure("the far client's table is right after", f"{told:.0f} ms")
    for name, node in (("a", a), ("b", b)):
        for event in node.api("GET", "/v1/events")[1]["events"]:
            if event["subject"] == "front":
                s.figure(f"{name}: {event['time'][11:23]} {event['kind']}", event["message"])
