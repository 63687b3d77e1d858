"""Knot and BIND as secondaries: AXFR and IXFR signed by TSIG, NOTIFY; who may not have a zone."""

import base64
import pathlib
import shutil
import time

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rrset
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.xfr
import dns.zone

from lib.names import ask, code, lookup, tool
from lib.node import Node
from lib.scenario import Failure, contains, ensure, equal, wait

LIMIT = 120
VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Vectors/dns"
SECRET = "c2Vjb25kYXJ5LXNlY29uZGFyeS1zZWNvbmRhcnkhISE="

KNOT = """
server:
    rundir: {dir}/knot
    listen: 127.0.0.1@{knot}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {dir}/knot
log:
  - target: stderr
    any: info
key:
  - id: second.key
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: primary
    address: 127.0.0.1@{dns}
    key: second.key
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
zone:
  - domain: rich.test
    storage: {dir}/knot
    file: copy.zone
    master: primary
    acl: notify
    semantic-checks: off
"""

BIND = """
options {{ directory "{dir}/bind"; listen-on port {bind} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "{dir}/bind/pid";
  session-keyfile "{dir}/bind/session"; recursion no; dnssec-validation no; allow-notify {{ 127.0.0.1; }}; check-names secondary ignore; }};
controls {{ }};
key second.key {{ algorithm hmac-sha256; secret "{secret}"; }};
server 127.0.0.1 {{ keys {{ second.key; }}; }};
zone rich.test {{ type secondary; primaries {{ 127.0.0.1 port {dns} key second.key; }}; file "copy.zone"; masterfile-format text; }};
"""


def serial(port):
    answer = ask(port, "rich.test", "SOA", timeout=0.5).answer
    return answer[0][0].serial if answer else None


def run(s):
    text = (VECTORS / "rich.zone").read_text()
    s.path("rich.zone").write_text(text)
    for name in ("knot", "bind"):
        s.path(name).mkdir()
    words = {"dir": s.dir, "secret": SECRET, **{name: s.port(name) for name in ("knot", "bind", "dns")}}
    node = Node(s)
    s.path("knot.conf").write_text(KNOT.format(**words))
    s.path("named.conf").write_text(BIND.format(**words))
    knot = s.start("knotd", ["knotd", "-c", s.path("knot.conf")])
    named = s.start("named", ["named", "-g", "-c", s.path("named.conf")])

    for name in ("knot", "bind"):
        with s.fact(f"{name} has the zone by AXFR with TSIG"):
            wait(lambda: serial(s.port(name)) == 2026010101, f"serial in {name}", 20)
            for owner, kind in (("www.rich.test", "A"), ("svc2.rich.test", "SVCB"), ("unknown.rich.test", "TYPE62347"), ("big.rich.test", "TXT")):
                mine, theirs = (ask(port, owner, kind, tcp=True) for port in (s.port("dns"), s.port(name)))
                equal(theirs.answer, mine.answer, f"{owner} {kind}")
    with s.fact("a reload with a new serial is told by NOTIFY and fetched by IXFR"):
        s.path("rich.zone").write_text(text.replace("2026010101", "2026010102") + "\nfresh A 192.0.2.222\n")
        start = time.monotonic()
        node.reload()
        for name in ("knot", "bind"):
            wait(lambda: serial(s.port(name)) == 2026010102, f"serial in {name}", 15)
            s.figure(f"NOTIFY to served by {name}", f"{(time.monotonic() - start) * 1000:.0f} ms")
            equal(lookup(s.port(name), "fresh.rich.test"), ["192.0.2.222"])
        wait(lambda: "IXFR, incoming" in knot.log(), "Knot logs an IXFR", 5)
        ensure("AXFR, incoming" not in knot.log().split("2026010102")[-1], "no second AXFR")
    refusals(s)
    formats(s)


def refusals(s):
    port = s.port("dns")

    def transfer(zone, keyring=None, keyname=None, algorithm=dns.tsig.HMAC_SHA256):
        options = {"keyring": keyring, "keyname": keyname, "keyalgorithm": algorithm} if keyring else {}
        return sum(len(m.answer) for m in dns.query.xfr("127.0.0.1", zone, port=port, timeout=3, lifetime=5, **options))

    ring = lambda name, secret: dns.tsigkeyring.from_text({name: secret})
    with s.fact("an address that is allowed, and nobody else"):
        ensure(transfer("open.test") > 2, "transferred")
        for zone in ("closed.test", "rich.test", "nothing.test"):
            try:
                transfer(zone)
                raise Failure(f"{zone} was given away")
            except dns.query.TransferError as error:
                ensure(error.rcode in (dns.rcode.REFUSED, dns.rcode.NOTAUTH), f"{zone}: {error}")
    with s.fact("the right key"):
        ensure(transfer("rich.test", ring("second.key", SECRET), "second.key") > 50, "transferred")
    for title, name, secret, expected in (
        ("a known key that is not this zone's", "other.key", "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXIhISE=", None),
        ("an unknown key", "nobody.key", SECRET, "BADKEY"),
        ("a wrong secret", "second.key", base64.b64encode(b"wrong" * 7).decode(), "BADSIG"),
    ):
        with s.fact(f"refused: {title}"):
            algorithm = "hmac-sha512" if name == "other.key" else "hmac-sha256"
            text = tool("dig", "@127.0.0.1", "-p", port, "rich.test", "AXFR", "-y", f"{algorithm}:{name}:{secret}", "+noall", "+answer", "+comments", check=False)
            ensure("IN\tSOA" not in text, f"the zone was given away: {text[:200]}")
            if expected:
                text = tool("dig", "@127.0.0.1", "-p", port, "rich.test", "SOA", "-y", f"{algorithm}:{name}:{secret}", check=False)
                contains(text, "NOTAUTH")
                contains(text, expected)
    with s.fact("a signed query gets a signed answer, over UDP too"):
        text = tool("dig", "@127.0.0.1", "-p", port, "www.rich.test", "A", "+norec", "-y", f"hmac-sha256:second.key:{SECRET}")
        contains(text, "192.0.2.80")
        contains(text, "TSIG PSEUDOSECTION")
        ensure("WARNING" not in text and "Couldn't verify" not in text, text[-300:])


def formats(s):
    with s.fact("IXFR over UDP, and with a serial that is ours, is the SOA alone"):
        query = dns.message.make_query("open.test", "IXFR")
        query.authority.append(dns.rrset.from_text("open.test.", 0, "IN", "SOA", "ns.open.test. h.open.test. 1 2 3 4 5"))
        equal(len(dns.query.udp(query, "127.0.0.1", port=s.port("dns"), timeout=2).answer), 1)
    with s.fact("a slow secondary gets all of it"):
        zone = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", "open.test", port=s.port("dns")))
        equal(zone.get_rdataset("ns", "A")[0].address, "127.0.0.1")
