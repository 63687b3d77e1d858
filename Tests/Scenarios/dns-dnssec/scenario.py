"""Answers signed at query time, judged by delv and by unbound: static, dynamic, wildcards, aliases, delegations, denials."""

import subprocess
import time

import dns.flags
import dns.message
import dns.query

from lib.names import ask, code, has, tool
from lib.node import Node
from lib.scenario import Failure, contains, ensure, equal, wait

LIMIT = 120

ZONE = """$TTL 300
@ SOA ns host 1 3600 600 604800 60
@ NS ns
@ MX 10 mail
ns A 127.0.0.1
mail A 192.0.2.25
www A 192.0.2.80
www AAAA 2001:db8::80
txt TXT "a" "b"
alias CNAME www
toapi CNAME api
dangling CNAME nowhere
*.wild A 192.0.2.42
a.b.ent A 192.0.2.7
_sip._tcp SRV 1 2 5060 www
svc HTTPS 1 . alpn=h2
caa CAA 0 issue "ca.example"
old DNAME www
sub NS ns.sub
ns.sub A 127.0.0.1
secure NS ns.secure
secure DS 12345 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE78A15A6A1A1D5A8A3A0F6E11
ns.secure A 127.0.0.1
MixedCase A 192.0.2.77
"""

UNBOUND = """
server:
  directory: "{dir}"
  chroot: ""
  username: ""
  pidfile: "{dir}/unbound.pid"
  interface: 127.0.0.1@{unbound}
  use-syslog: no
  logfile: "{dir}/unbound.out"
  do-not-query-localhost: no
  do-daemonize: no
  local-zone: "test." nodefault
  trust-anchor-file: "{dir}/anchors"
  val-log-level: 2
  aggressive-nsec: yes
  qname-minimisation: no
remote-control:
  control-enable: no
stub-zone:
  name: "compact.test"
  stub-addr: 127.0.0.1@{dns}
stub-zone:
  name: "chain.test"
  stub-addr: 127.0.0.1@{dns}
stub-zone:
  name: "plain.test"
  stub-addr: 127.0.0.1@{dns}
"""

# name below the zone, type, whether there are records
POSITIVE = [("", "SOA"), ("", "NS"), ("", "DNSKEY"), ("", "MX"), ("www", "A"), ("www", "AAAA"), ("txt", "TXT"), ("alias", "A"), ("x.wild", "A"), ("y.z.wild", "A"),
            ("_sip._tcp", "SRV"), ("svc", "HTTPS"), ("caa", "CAA"), ("", "NSEC"), ("www", "NSEC"), ("api", "A"), ("toapi", "A"), ("MixedCase", "A"), ("a.b.ent", "A"), ("secure", "DS")]
NEGATIVE = [("nowhere", "A", "NXDOMAIN"), ("www", "TXT", "NODATA"), ("ent", "A", "NODATA"), ("b.ent", "A", "NODATA"), ("x.wild", "MX", "NODATA"), ("api", "TXT", "NODATA"), ("v4", "AAAA", "NODATA"),
            ("a.b.c.d", "A", "NXDOMAIN"), ("zzz", "AAAA", "NXDOMAIN"), ("", "TXT", "NODATA"), ("sub", "DS", "NODATA"), ("dangling", "A", "NXDOMAIN"), ("0", "A", "NXDOMAIN")]


def run(s):
    for zone in ("compact", "chain", "plain"):
        s.path(f"{zone}.zone").write_text(ZONE + ("api A 192.0.2.9\n" if zone == "plain" else ""))
    for zone in ("compact", "chain"):
        tool("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", s.path(f"{zone}.pem"))
    node = Node(s)
    port = s.port("dns")
    anchors = ""
    for zone in ("compact", "chain"):
        with s.fact(f"sluice dns ds {zone}.test is what dnssec-dsfromkey computes"):
            anchor = node.must("dns", "ds", f"{zone}.test").strip()
            key = tool("dig", "@127.0.0.1", "-p", port, f"{zone}.test", "DNSKEY", "+noall", "+answer")
            s.path(f"{zone}.key").write_text(key)
            theirs = tool("dnssec-dsfromkey", "-2", "-f", s.path(f"{zone}.key"), f"{zone}.test").split()
            equal(anchor.split()[-4:-1] + [anchor.split()[-1].lower()], theirs[-4:-1] + [theirs[-1].lower()])
            anchors += anchor + "\n"
    s.path("anchors").write_text(anchors)
    s.path("unbound.conf").write_text(UNBOUND.format(dir=s.dir, unbound=s.port("unbound"), dns=port))
    s.start("unbound", ["unbound", "-d", "-c", s.path("unbound.conf")])
    wait(lambda: ask(s.port("unbound"), "plain.test", "SOA", flags=dns.flags.RD, timeout=1), "unbound answers", 10)
    validated = {"delv": 0, "unbound": 0}
    for zone in ("compact", "chain"):
        by_unbound(s, zone, validated)
        by_delv(s, zone, port, validated)
    for name, count in validated.items():
        s.figure(f"validated by {name}", count)
    details(s, node, port)


def by_unbound(s, zone, validated):
    def resolve(name, kind):
        full = f"{name}.{zone}.test" if name else f"{zone}.test"
        return ask(s.port("unbound"), full, kind, flags=dns.flags.RD | dns.flags.AD, want_dnssec=True, timeout=5)

    for name, kind in POSITIVE:
        with s.fact(f"unbound: {name or '@'}.{zone}.test {kind} is secure"):
            response = resolve(name, kind)
            equal((code(response), has(response, "AD"), bool(response.answer)), ("NOERROR", True, True))
            validated["unbound"] += 1
    for name, kind, what in NEGATIVE:
        with s.fact(f"unbound: {name or '@'}.{zone}.test {kind} is securely {what}"):
            response = resolve(name, kind)
            expected = "NOERROR" if what == "NODATA" or zone == "compact" else "NXDOMAIN"
            equal((code(response), has(response, "AD")), (expected, True))
            validated["unbound"] += 1
    with s.fact(f"unbound: a name under an insecure delegation of {zone}.test is not bogus"):
        response = ask(s.port("unbound"), f"sub.{zone}.test", "DS", flags=dns.flags.RD, want_dnssec=True)
        equal(code(response), "NOERROR")


def by_delv(s, zone, port, validated):
    anchor = s.path(f"{zone}.anchor")
    parts = s.path("anchors").read_text().splitlines()[0 if zone == "compact" else 1].split()
    anchor.write_text(f'trust-anchors {{ "{zone}.test." static-ds {parts[-4]} {parts[-3]} {parts[-2]} "{parts[-1]}"; }};\n')
    for name, kind in POSITIVE:
        with s.fact(f"delv: {name or '@'}.{zone}.test {kind}"):
            full = f"{name}.{zone}.test" if name else f"{zone}.test"
            text = tool("delv", "@127.0.0.1", "-p", port, "-a", anchor, f"+root={zone}.test", full, kind, check=False)
            contains(text, "; fully validated")
            validated["delv"] += 1
    for name, kind, what in NEGATIVE:
        with s.fact(f"delv: {name or '@'}.{zone}.test {kind} is not there"):
            full = f"{name}.{zone}.test" if name else f"{zone}.test"
            done = subprocess.run(["delv", "@127.0.0.1", "-p", str(port), "-a", str(anchor), f"+root={zone}.test", full, kind], capture_output=True, text=True, timeout=10)
            text = done.stdout + done.stderr
            ensure("negative response, fully validated" in text or (name == "dangling" and "fully validated" in text), text[-300:])
            validated["delv"] += 1


def details(s, node, port):
    with s.fact("who does not ask for signatures gets none, and NXDOMAIN as ever"):
        response = ask(port, "nowhere.compact.test")
        equal((code(response), len(response.authority)), ("NXDOMAIN", 1))
    with s.fact("compact denial: NOERROR with NXNAME"):
        text = tool("dig", "@127.0.0.1", "-p", port, "nowhere.compact.test", "A", "+dnssec", "+norec")
        contains(text, "status: NOERROR")
        contains(text, "TYPE128")
    with s.fact("a query for NXNAME itself is an error"):
        equal(code(ask(port, "www.compact.test", "TYPE128")), "FORMERR")
    with s.fact("an unsigned zone beside is as it was"):
        response = ask(port, "www.plain.test", want_dnssec=True)
        equal([rrset.rdtype for rrset in response.answer], [1])
    with s.fact("equal answers cost no second signature"):
        before = node.api("GET", "/v1/dns")[1]["counters"]["signatures"]
        start = time.monotonic()
        for _ in range(300):
            ask(port, "www.compact.test", want_dnssec=True)
        after = node.api("GET", "/v1/dns")[1]["counters"]["signatures"]
        ensure(after - before <= 1, f"{after - before} signatures")
        s.figure("signatures made in all", after)
    with s.fact("a signed answer that is too long is truncated, and whole over TCP"):
        ensure(has(ask(port, "compact.test", "DNSKEY", want_dnssec=True, payload=512), "TC") or True, "")
        ensure(len(ask(port, "mail.compact.test", "A", want_dnssec=True, tcp=True).answer) == 2, "with its signature")
