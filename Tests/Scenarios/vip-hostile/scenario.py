"""Adverts that are wrong in every way, and floods of them: dropped, counted by reason, and no state changes."""

import socket
import struct
import time

from lib.netns import Network
from lib.scenario import ensure, equal, wait

LIMIT = 120
VIP = "198.51.100.100"
GROUP = "224.0.0.18"
SECRET = "a-secret-of-this-link"


def text(priority, more=""):
    return f"""
admin: {{ socket: ${{socket}} }}
listeners: {{}}
vips:
  open: {{ interface: eth0, addresses: {VIP}, router-id: 51, priority: {priority}, interval: 100ms }}
  old: {{ interface: eth0, addresses: 198.51.100.101, router-id: 52, version: 2, password: "s3cret", priority: {priority}, interval: 1s }}
  signed:
    interface: eth0
    addresses: 198.51.100.102
    router-id: 53
    priority: {priority}
    interval: 100ms
    keys: [{{ id: 7, secret: "{SECRET}" }}]
"""


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def advert(router=51, priority=250, version=3, kind=1, count=None, interval=10, addresses=(VIP,), tail=b"", auth=0, bad_sum=False, source="198.51.100.30"):
    body = b"".join(socket.inet_aton(a) for a in addresses)
    word = interval if version != 2 else auth << 8 | interval
    head = struct.pack("!BBBBH", version << 4 | kind, router, priority, len(addresses) if count is None else count, word)
    message = head + b"\0\0" + body + tail
    pseudo = b"" if version == 2 else socket.inet_aton(source) + socket.inet_aton(GROUP) + struct.pack("!HH", len(message), 112)
    total = checksum(pseudo + message) ^ (0x5555 if bad_sum else 0)
    return head + struct.pack("!H", total) + body + tail


def run(s):
    net = Network(s)
    lan = net.switch("sw")
    a, b, attacker = (net.host(name) for name in ("a", "b", "x"))
    for number, host in ((11, a), (12, b), (30, attacker)):
        host.attach(lan, "eth0", f"198.51.100.{number}/24")
    one = a.node(s, text=text(200), name="a")
    two = b.node(s, text=text(100), name="b")

    def vips(node):
        return {vip["name"]: vip for vip in node.api("GET", "/v1/vips")[1]["vips"]}

    def states(node):
        return [vip["state"] for vip in vips(node).values()]

    wait(lambda: states(one) == ["active"] * 3 and states(two) == ["backup"] * 3, "a is active, b is backup", 15)
    transitions = {node.name: [vip["transitions"] for vip in vips(node).values()] for node in (one, two)}
    with attacker:
        wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("198.51.100.30"))
        far = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
        far.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("198.51.100.30"))
        far.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 254)
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)

    # Captured adverts of the signed router, to be played again.
    with attacker:
        ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton("198.51.100.30"))
    ear.settimeout(3)

    def captured():
        while True:
            packet = ear.recv(2048)
            payload = packet[(packet[0] & 15) * 4:]
            if payload[1] == 53:
                return payload

    genuine = captured()
    with s.fact("a signed advert is laid out as documented"):
        equal(len(genuine), 8 + 4 + 32)
        equal(genuine[12:16], b"SL\x01\x07", "magic, format and key")
        sequence = struct.unpack("!Q", genuine[20:28])[0] >> 32
        ensure(abs(sequence - time.time()) < 600, "the sequence starts at the sender's start")
        import hashlib, hmac
        covered = socket.inet_aton("198.51.100.11") + socket.inet_aton(GROUP) + genuine[:6] + b"\0\0" + genuine[8:28]
        equal(genuine[28:44], hmac.new(SECRET.encode(), covered, hashlib.sha256).digest()[:16], "the code")

    rows = [
        ("hop-limit", "open", far, advert()),
        ("checksum", "open", wire, advert(bad_sum=True)),
        ("version", "open", wire, advert(version=2, tail=bytes(8), interval=1)),
        ("version", "open", wire, advert(version=4)),
        ("type", "open", wire, advert(kind=2)),
        ("count", "open", wire, advert(addresses=())),
        ("length", "open", wire, advert(count=2)),
        ("length", "open", wire, advert(tail=b"abcd")),
        ("interval", "open", wire, advert(interval=0)),
        ("length", "open", wire, advert(tail=bytes(32))),
        ("password", "old", wire, advert(router=52, version=2, interval=1, auth=1, addresses=("198.51.100.101",), tail=b"wrong\0\0\0")),
        ("authentication-type", "old", wire, advert(router=52, version=2, interval=1, auth=0, addresses=("198.51.100.101",), tail=bytes(8))),
        ("authentication-type", "old", wire, advert(router=52, version=2, interval=1, auth=2, addresses=("198.51.100.101",), tail=bytes(8))),
        ("interval", "old", wire, advert(router=52, version=2, interval=9, auth=1, addresses=("198.51.100.101",), tail=b"s3cret\0\0")),
        ("addresses", "old", wire, advert(router=52, version=2, interval=1, auth=1, addresses=("198.51.100.99",), tail=b"s3cret\0\0")),
        ("unsigned", "signed", wire, advert(router=53, addresses=("198.51.100.102",))),
        ("unknown-key", "signed", wire, advert(router=53, addresses=("198.51.100.102",), tail=b"SL\x01\x09" + bytes(28))),
        ("signature", "signed", wire, advert(router=53, addresses=("198.51.100.102",), tail=b"SL\x01\x07" + bytes(28))),
        ("signed", "open", wire, advert(tail=b"SL\x01\x07" + bytes(28))),
    ]
    s.figure("dropped for", "sent", "counted by a and b")
    for reason, vip, how, packet in rows:
        with s.fact(f"{reason} ({vip})"):
            before = [vips(node)[vip]["dropped"].get(reason, 0) for node in (one, two)]
            for _ in range(10):
                how.sendto(packet, (GROUP, 0))
            wait(lambda: all(vips(node)[vip]["dropped"].get(reason, 0) >= old + 10 for node, old in zip((one, two), before)),
                 f"ten more are counted as {reason} ({[vips(n)[vip]['dropped'] for n in (one, two)]})", 3)
            s.figure(reason, 10, ", ".join(str(vips(n)[vip]["dropped"][reason] - o) for n, o in zip((one, two), before)))
    with s.fact("an advert of another router, and what is no advert"):
        for _ in range(10):
            wire.sendto(advert(router=99), (GROUP, 0))
            wire.sendto(b"\x31\x33", (GROUP, 0))
        strangers = lambda reason: one.api("GET", "/v1/vips")[1]["strangers"].get(reason, 0)
        wait(lambda: strangers("router-id") >= 10 and strangers("length") >= 10, "counted as strangers")
        equal(strangers("length"), 10)
    with s.fact("a replayed signed advert, sent from the active node's address"):
        # The kernel refuses a foreign source; the header is written by hand.
        with attacker:
            forge = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            forge.bind(("eth0", 0))
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0xc0, 20 + len(genuine), 0, 0, 255, 112, 0,
                             socket.inet_aton("198.51.100.11"), socket.inet_aton(GROUP))
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        frame = bytes.fromhex("01005e000012020000000030") + b"\x08\x00" + header + genuine
        before = vips(two)["signed"]["dropped"].get("replay", 0)
        for _ in range(10):
            forge.send(frame)
        wait(lambda: vips(two)["signed"]["dropped"].get("replay", 0) >= before + 10, "counted as replay", 3)
    with s.fact("a flood of 50,000 bad adverts changes nothing"):
        packets = [row[3] for row in rows if row[2] is wire]
        start = time.monotonic()
        for number in range(50_000):
            try:
                wire.sendto(packets[number % len(packets)], (GROUP, 0))
            except OSError:
                pass
        rate = 50_000 / (time.monotonic() - start)
        s.figure("flood", f"{rate:.0f}/s", f"a counted {sum(sum(v['dropped'].values()) for v in vips(one).values())}")
    with s.fact("nobody changed its state"):
        for node in (one, two):
            equal([vip["transitions"] for vip in vips(node).values()], transitions[node.name], f"transitions of {node.name}")
        equal(states(one), ["active"] * 3)
        equal(states(two), ["backup"] * 3)
    with s.fact("the first of each reason is in the events, not all of them"):
        events = [e for e in one.api("GET", "/v1/events")[1]["events"] if "was dropped" in e["message"]]
        ensure(10 <= len(events) <= 30, f"{len(events)} events")
