"""A flood of queries with a victim's address as source: what reaches the victim is bounded, and the victim's own resolvers are served on: by a cookie, or over TCP when an answer slips through truncated."""

import socket
import sys
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.query

from lib.names import addresses, ask
from lib.netns import Network
from lib.scenario import ensure, equal, wait

LIMIT = 40
SERVER, VICTIM = "192.0.2.53", "198.51.100.77"
CONFIG = """
admin: { socket: "${socket}" }
workers: 1
dns:
  listen: "192.0.2.53:53"
  rate-limit: { responses: 50, slip: 2, window: 5s }
  zones:
    flood.test:
      records: |
        $TTL 60
        @ SOA ns host 7 1h 10m 1w 30
        @ NS ns
        ns A 192.0.2.53
        www A 192.0.2.80
        big TXT "BIG"
""".replace("BIG", '" "'.join(["0123456789" * 20] * 5))
SECONDS, RATE = 4, 5000
# RFC 7873.
COOKIE = 10

# Datagrams with a forged source; IP and UDP by hand.
FLOOD = """
import socket, struct, sys, time
source, destination, seconds, rate, query = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), bytes.fromhex(sys.argv[5])
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
length = 28 + len(query)
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
# A UDP checksum of 0 is none.
packet = head + struct.pack("!HHHH", 5353, 53, 8 + len(query), 0)
start, sent = time.monotonic(), 0
while time.monotonic() - start < seconds:
    due = int((time.monotonic() - start) * rate)
    while sent < due:
        out.sendto(packet + struct.pack("!H", sent & 65535) + query[2:], (destination, 0))
        sent += 1
    time.sleep(0.001)
print(sent, length, flush=True)
"""


class Victim(threading.Thread):
    """Counts what arrives at the port that the flood names."""

    def __init__(self, host):
        super().__init__(daemon=True)
        with host:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.socket.bind((VICTIM, 5353))
        self.whole = self.cut = self.bytes = 0
        self.socket.settimeout(0.2)
        self.ending = False

    def run(self):
        while not self.ending:
            try:
                data = self.socket.recv(4096)
            except TimeoutError:
                continue
            self.bytes += len(data) + 28
            if data[2] & 2:
                self.cut += 1
            else:
                self.whole += 1


def run(s):
    net = Network(s)
    router = net.host("router")
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    hosts = {}
    for name, near, far in (("server", "192.0.2.1", [SERVER]), ("victim", "198.51.100.1", [VICTIM]), ("attacker", "203.0.113.1", ["203.0.113.66"])):
        hosts[name] = net.host(name)
        net.wire(router, f"to{name}", hosts[name], "eth0", ([f"{near}/24"], [f"{address}/24" for address in far]))
        hosts[name].ip("route", "add", "default", "via", near)
        router.run("sysctl", "-qw", f"net.ipv4.conf.to{name}.rp_filter=0")
    node = hosts["server"].node(s, name="server", text=CONFIG)
    victim = Victim(hosts["victim"])
    victim.start()
    query = dns.message.make_query("big.flood.test", "TXT", use_edns=0, payload=1232)
    query.flags = 0

    def resolver(name, cookie=b"", wait_for=0.25):
        """One query as the victim's resolver sends it: over TCP when told to; the answer and how it came."""
        options = [dns.edns.GenericOption(COOKIE, b"client00" + cookie)] if cookie is not None else []
        with hosts["victim"]:
            for attempt in range(8):
                try:
                    response = ask(53, name, "TXT", host=SERVER, timeout=wait_for, options=options)
                except TimeoutError:
                    continue
                if not response.flags & dns.flags.TC:
                    return response, f"UDP, attempt {attempt + 1}"
                return ask(53, name, "TXT", host=SERVER, timeout=2, tcp=True, options=options), f"TCP, attempt {attempt + 1}"
        return None, "no answer"

    first, _ = resolver("big.flood.test")
    cookie = next(option for option in first.options if option.otype == COOKIE).to_wire()[8:]
    before = node.api("GET", "/v1/dns")[1]["counters"]["rateLimited"]
    flood = hosts["attacker"].start("flood", [sys.executable, "-c", FLOOD, VICTIM, SERVER, SECONDS, RATE, query.to_wire().hex()])
    wait(lambda: node.api("GET", "/v1/dns")[1]["counters"]["rateLimited"] > before + 1000, "the flood is limited", 5)
    with s.fact("with a cookie the victim's resolver is answered at once, each time"):
        ways = [resolver("big.flood.test", cookie)[1] for _ in range(50)]
        equal(set(ways), {"UDP, attempt 1"}, "how the answers came")
    with s.fact("without one it is served after a retry, over TCP"):
        ways = [resolver("big.flood.test", None) for _ in range(10)]
        ensure(all(response is not None and response.answer for response, _ in ways), [way for _, way in ways])
        s.figure("without a cookie", ", ".join(sorted({way for _, way in ways})))
    with s.fact("another name is not in the flood's account"):
        with hosts["victim"]:
            equal(addresses(ask(53, "www.flood.test", host=SERVER, timeout=1)), ["192.0.2.80"])
    flood.wait(SECONDS + 10)
    wait(lambda: flood.log().strip(), "the flood's own count", 3)
    sent, length = map(int, flood.log().split())
    victim.ending = True
    victim.join(2)
    counters = node.api("GET", "/v1/dns")[1]["counters"]
    whole = victim.whole
    s.figure("forged queries", sent, f"{sent * length:,} bytes")
    s.figure("reached the victim", f"{whole} whole, {victim.cut} truncated", f"{victim.bytes:,} bytes", f"amplification {victim.bytes / (sent * length):.2f}")
    s.figure("kept back", counters["rateLimited"] - before)
    with s.fact("the victim gets no more whole answers than the rate allows"):
        ensure(whole <= 50 * (SECONDS + 2), whole)
    with s.fact("the flood is not amplified, though each answer is twenty times its query"):
        ensure(victim.bytes < sent * length, victim.bytes / (sent * length))
