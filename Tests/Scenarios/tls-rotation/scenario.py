"""Certificates that change under load: no request fails, a bad pair changes nothing and is told of, expiry is told of."""

import os
import re
import signal
import ssl
import threading
import time

from lib.load import Load
from lib.node import Node
from lib.peers import named_nginx
from lib.pki import Authority, replace, s_client
from lib.scenario import contains, ensure, equal, wait

ROTATIONS = 200
LIMIT = 200


def run(s):
    ca = Authority(s)
    # Its certificates near their ends while the rest goes on.
    ends = Ends(s, ca)
    pairs = [ca.issue(f"pair-{number}", ["web.test", "127.0.0.1"]) for number in range(4)]
    # Within a week of its end.
    soon = ca.issue("soon", ["web.test", "127.0.0.1"], days=5)
    put(s, pairs[0])
    named_nginx(s, "nginx")
    node = Node(s)
    with s.fact(f"{ROTATIONS} rotations under load: no request fails"):
        rotate(s, ca, node, pairs)
    with s.fact("a mismatched pair is refused and told of; the one in force goes on"):
        # The last rotation may not be in force yet.
        put(s, pairs[0])
        wait(lambda: serial(s) == number_of(pairs[0]), "it is served", 6)
        serving = serial(s)
        replace(s.path("live.key"), pairs[1][1])
        wait(lambda: any("private key is not that of" in event["message"] for event in events(node)), "an event tells of it", 5)
        equal(serial(s), serving, "the certificate that is served")
        node.process.signal(signal.SIGHUP)
        wait(lambda: "stays" in node.process.log(), "SIGHUP says that the old one stays", 5)
        equal(serial(s), serving, "the certificate that is served after SIGHUP")
    with s.fact("an unreadable file is no different"):
        os.remove(s.path("live.pem"))
        wait(lambda: any("cannot be read" in event["message"] for event in events(node)), "an event tells of it", 5)
        equal(serial(s), serving, "the certificate that is served")
    with s.fact("the files being right again are taken over by themselves"):
        put(s, pairs[3])
        wait(lambda: serial(s) == number_of(pairs[3]), "it is served", 6)
    with s.fact("a certificate that was refused and put back is forgotten: the key that comes later does not bring it in"):
        told = lambda text: sum(text in event["message"] for event in events(node))
        before = told("private key is not that of")
        replace(s.path("live.pem"), pairs[1][0])
        wait(lambda: told("private key is not that of") > before, "an event tells of it", 5)
        replace(s.path("live.pem"), pairs[3][0])
        wait(lambda: told("is again what is in force"), "an event tells of that, too", 5)
        replace(s.path("live.key"), pairs[1][1])
        wait(lambda: told("private key is not that of") > before + 1, "the key alone is refused", 5)
        equal(serial(s), number_of(pairs[3]), "the certificate that is served")
    with s.fact("a connection from before goes on with what it began with"):
        long = ssl.create_default_context(cafile=ca.certificate).wrap_socket(
            __import__("socket").create_connection(("127.0.0.1", s.port("web")), 5), server_hostname="web.test")
        put(s, soon)
        wait(lambda: serial(s) == number_of(soon), "the next one is served", 6)
        long.sendall(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n")
        ensure(long.recv(12) == b"HTTP/1.1 200", "it is gone")
        long.close()
    with s.fact("a certificate near its end is told of, and its date is in the status"):
        wait(lambda: any("expires within 7 days" in event["message"] for event in events(node)), "an event tells of it", 5)
        report = node.status()["listeners"][0]["tls"]["certificates"][0]
        ensure(0 < report["expires_at"] - time.time() < 7 * 86400, report)
        equal(sorted(report["names"]), ["web.test"], "its names")
    node.process.stop()
    ends.verdict()


MONTH, WEEK, DAY, OVER = "expires within 30 days", "expires within 7 days", "expires within a day", "has expired on"
# Seconds from its issue to what is crossed while it is served.
SOON = 20
# Seconds from now that a certificate ends, and what is told of it in the end, each once.
ENDS = {
    "month": (29 * 86400, [MONTH]), "week": (6 * 86400, [WEEK]), "day": (20 * 3600, [DAY]), "over": (-86400, [OVER]), "fine": (40 * 86400, []),
    "to-month": (30 * 86400 + SOON, [MONTH]), "to-week": (7 * 86400 + SOON, [MONTH, WEEK]), "to-day": (86400 + SOON, [WEEK, DAY]),
    "to-end": (SOON, [DAY, OVER]),
}
EXPIRY = """workers: 1
admin: { socket: "${dir}/ends.sock" }
listeners:
  web:
    bind: "127.0.0.1:${ends}"
    protocol: http
    tls: { certificates: [%s] }
    routes: [{ respond: { status: 200, body: here } }]
"""


class Ends:
    """A node whose certificates have ended, or are about to."""

    def __init__(self, s, ca):
        self.s, self.ca = s, ca
        self.ends = {}
        for name, (seconds, _) in ENDS.items():
            now = time.time()
            self.ends[name] = int(now + seconds)
            pair = ca.issue(f"end-{name}", [f"{name}.test"], begin=now - 10 * 86400, end=self.ends[name])
            for at, file in zip((".pem", ".key"), pair):
                replace(s.path(name + at), file)
        files = ", ".join(f'{{ certificate: "{s.path(name)}.pem", key: "{s.path(name)}.key" }}' for name in ENDS)
        self.node = Node(s, name="sluice-ends", text=EXPIRY % files)
        self.node.socket = s.path("ends.sock")
        # On a machine that is too slow for it, less is seen of the crossing.
        self.wanted = {name: texts if time.time() < self.ends["to-month"] - 30 * 86400 - 2 else texts[-1:] for name, (_, texts) in ENDS.items()}

    def told(self, name):
        messages = [event["message"] for event in events(self.node) if event["kind"] == "certificate" and f"/{name}.pem" in event["message"]]
        return [one for one in messages if "expire" in one]

    def verdict(self):
        s, node = self.s, self.node
        for name, (seconds, _) in ENDS.items():
            wanted = self.wanted[name]
            with s.fact(f"a certificate that ends in {seconds / 3600:.2f} hours: {', then '.join(wanted) or 'nothing is told'}"):
                wait(lambda: len(self.told(name)) >= len(wanted), "the events", SOON + 5)
                for found, text in zip(self.told(name), wanted, strict=True):
                    contains(found, text)
                    wait(lambda: text in node.process.log(), f"the log says {text!r}")
                metric = re.search(rf'^sluice_certificate_expiry_seconds\{{.*/{name}\.pem"\}} (\S+)$', node.api("GET", "/metrics")[1], re.M)
                equal(int(float(metric[1])), self.ends[name], "what the metric says")
        with s.fact("each is told of once, and not again after a reload"):
            before = node.generation()
            node.process.signal(signal.SIGHUP)
            wait(lambda: node.process.log().count("reloaded, generation") >= 1, "the reload", 5)
            # Taking a fresh one over shows that another second's look has passed.
            for turn in range(2):
                pair = self.ca.issue(f"fresh-{turn}", ["fine.test"], days=365)
                replace(s.path("fine.key"), pair[1])
                replace(s.path("fine.pem"), pair[0])
                wait(lambda: sum("/fine.pem taken over" in event["message"] for event in events(node)) > turn, "it is taken over", 6)
            ensure(node.generation() > before, "nothing was taken over")
            for name, wanted in self.wanted.items():
                equal(len(self.told(name)), len(wanted), f"events of {name}")
                # The configuration's check says it without the subject.
                equal(len(re.findall(rf"/{name}\.pem \(.*\) (?:expires|has expired)", node.process.log())), len(wanted), f"lines of {name}")


def put(s, pair):
    # The key first and the certificate a moment later, as most tools do it.
    replace(s.path("live.key"), pair[1])
    replace(s.path("live.pem"), pair[0])


def number_of(pair):
    from lib.pki import openssl
    return openssl("x509", "-in", pair[0], "-noout", "-serial").stdout.decode().strip().split("=")[1]


def serial(s):
    from lib.pki import openssl
    out = s_client(s.port("web"), "-servername", "web.test")[1]
    return openssl("x509", "-noout", "-serial", stdin=out.encode()).stdout.decode().strip().split("=")[1]


def events(node):
    return node.api("GET", "/v1/events?after=0")[1]["events"]


def rotate(s, ca, node, pairs):
    """Half of them by SIGHUP at once after another, the rest as files that change by themselves."""
    load = Load(s, f"https://127.0.0.1:{s.port('web')}/", connections=32)
    fresh, stop = {"made": 0, "failed": []}, threading.Event()
    context = ssl.create_default_context(cafile=ca.certificate)

    def handshakes():
        # wrk keeps its connections: these are full handshakes, each verified.
        import http.client
        while not stop.is_set():
            try:
                client = http.client.HTTPSConnection("127.0.0.1", s.port("web"), timeout=10, context=context)
                client.request("GET", "/")
                if client.getresponse().status != 200:
                    fresh["failed"].append("status")
                client.close()
                fresh["made"] += 1
            except Exception as error:
                fresh["failed"].append(repr(error))

    threads = [threading.Thread(target=handshakes) for _ in range(2)]
    for thread in threads:
        thread.start()
    start, seen = time.monotonic(), set()
    try:
        for round_ in range(ROTATIONS):
            before = node.generation()
            put(s, pairs[(round_ + 1) % len(pairs)])
            node.process.signal(signal.SIGHUP)
            wait(lambda: node.generation() > before, f"rotation {round_} is in", 5, every=0.005)
            if round_ % 10 == 0:
                equal(serial(s), number_of(pairs[(round_ + 1) % len(pairs)]), "the certificate that is served")
                seen.add(round_ % len(pairs))
    finally:
        took = time.monotonic() - start
        stop.set()
        for thread in threads:
            thread.join()
        figures = load.stop()
    s.figure("rotations", ROTATIONS, f"{took:.1f} s", f"requests {figures.requests}, failed {figures.failed}",
             f"handshakes {fresh['made']}, failed {len(fresh['failed'])}")
    equal(figures.failed, 0, f"wrk: {figures}")
    equal(fresh["failed"][:3], [], "failed handshakes")
    ensure(figures.requests > 1000 and fresh["made"] > 100, f"{figures.requests} requests, {fresh['made']} handshakes: no load")
