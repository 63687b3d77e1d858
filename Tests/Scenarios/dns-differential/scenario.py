"""The same zone file in Knot DNS and here: every name and its surroundings times every type, and random queries, until
there are 20,000 (DNS_QUERIES sets another number). Code, AA, TC and all sections as sets must be the same, but for EXPLAINED."""

import collections
import os
import pathlib
import random
import shutil
import socket
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from lib.names import ask
from lib.node import Node
from lib.scenario import Failure, ensure, equal, wait

LIMIT = 150
COUNT = int(os.environ.get("DNS_QUERIES") or 20_000)
VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Vectors/dns"
TYPES = ["A", "AAAA", "NS", "SOA", "CNAME", "MX", "TXT", "SRV", "CAA", "PTR", "NAPTR", "TLSA", "SVCB", "HTTPS", "DS", "DNAME",
         "HINFO", "SSHFP", "TYPE62347", "TYPE1234"]

KNOT = """
server:
    rundir: {dir}
    listen: 127.0.0.1@{port}
    udp-max-payload: 1232
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {dir}
log:
  - target: stderr
    any: error
acl:
  - id: everybody
    action: transfer
zone:
  - domain: rich.test
    file: {zone}
    semantic-checks: off
    acl: everybody
"""


class Answer:
    def __init__(self, wire):
        message = dns.message.from_wire(wire, one_rr_per_rrset=False)
        self.code = dns.rcode.to_text(message.rcode())
        self.aa = bool(message.flags & dns.flags.AA)
        self.tc = bool(message.flags & dns.flags.TC)
        self.sections = [self.keys(section) for section in (message.answer, message.authority, message.additional)]

    @staticmethod
    def keys(section):
        return frozenset((rrset.name, rrset.rdtype, rrset.ttl, item.to_digestable()) for rrset in section for item in rrset)

    def head(self):
        return self.code, self.aa, self.tc

    def same(self, other):
        # What a truncated answer holds does not matter: it is asked again over TCP.
        return self.head() == other.head() and (self.tc or self.sections == other.sections)


# (what is meant to differ, query, theirs, ours) -> whether that is all that differs.
def own_target(kind, size, theirs, ours):
    extra = ours.sections[2] - theirs.sections[2]
    dots = {item[0] for item in theirs.sections[0] if item[3][2:3] == b"\0"}
    return (kind in ("SVCB", "HTTPS") and theirs.head() == ours.head() and theirs.sections[:2] == ours.sections[:2]
            and theirs.sections[2] <= ours.sections[2] and all(item[0] in dots for item in extra))


def soa_that_fits(kind, size, theirs, ours):
    extra = ours.sections[1] - theirs.sections[1]
    return (size <= 600 and theirs.code == "NXDOMAIN" and theirs.head() == ours.head() and theirs.sections[0] == ours.sections[0]
            and not theirs.sections[1] and [item[1] for item in extra] == [dns.rdatatype.SOA])


EXPLAINED = [
    ("addresses of a SVCB or HTTPS target that is the owner itself (RFC 9460 §4.1)", own_target),
    ("the SOA of a negative answer, which fits into a short message here (RFC 2308 §3)", soa_that_fits),
]


def run(s):
    zone = s.path("rich.zone")
    shutil.copy(VECTORS / "rich.zone", zone)
    config = s.path("knot.conf")
    config.write_text(KNOT.format(dir=s.dir, port=s.port("knot"), zone=zone))
    s.start("knotd", ["knotd", "-c", config])
    node = Node(s)
    wait(lambda: ask(s.port("knot"), "rich.test", "SOA", timeout=0.3).answer, "Knot answers", 15)
    names = owners(s.port("knot"))
    questions = list(systematic(names))
    dice = random.Random(20)
    while len(questions) < COUNT:
        questions.append(invented(dice, names))
    started = time.monotonic()
    explained, wrong, orders = collections.Counter(), [], 0
    with Client(s.port("knot")) as knot, Client(s.port("dns")) as own:
        for number, (name, kind, edns, size) in enumerate(questions):
            query = dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=size)
            query.flags, query.id = 0, number & 0xffff
            wire = query.to_wire()
            theirs, ours = knot.ask(wire), own.ask(wire)
            if theirs == ours:
                continue
            theirs, ours = Answer(theirs), Answer(ours)
            if theirs.same(ours):
                continue
            reason = next((text for text, test in EXPLAINED if test(kind, size if edns else 512, theirs, ours)), None)
            if reason:
                explained[reason] += 1
            else:
                wrong.append(f"{name} {kind} {'EDNS ' + str(size) if edns else 'plain'}: {difference(theirs, ours)}")
    s.figure("queries", len(questions))
    s.figure("names", len(names))
    s.figure("seconds", f"{time.monotonic() - started:.1f}")
    for reason, count in explained.items():
        s.figure("explained", count, reason)
    s.figure("unexplained", len(wrong))
    with s.fact(f"{len(questions)} answers are those of Knot"):
        ensure(len(questions) >= COUNT, "enough queries")
        equal(wrong[:10], [])


class Client:
    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(3)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, wire):
        self.socket.send(wire)
        while True:
            answer = self.socket.recv(65535)
            if answer[:2] == wire[:2]:
                return answer


def owners(port):
    """The names of the zone, and its empty non-terminals."""
    import dns.query
    origin = dns.name.from_text("rich.test")
    names = set()
    for reply in dns.query.xfr("127.0.0.1", "rich.test", port=port, relativize=False):
        names |= {rrset.name for rrset in reply.answer}
    for name in list(names):
        while name != origin:
            name = name.parent()
            names.add(name)
    return sorted(names)


def child(labels, name):
    try:
        return dns.name.Name(tuple(labels) + name.labels)
    except dns.name.NameTooLong:
        return name


def systematic(names):
    around = set(names) | {dns.name.from_text(n) for n in ("test.", "other.test.", ".", "xrich.test.", "com.")}
    for name in names:
        for labels in ((b"nx",), (b"*",), (b"deep", b"er"), (b"x",), (b"ns",), (b"\x00\xff.",)):
            around.add(child(labels, name))
    for name in sorted(around):
        for kind in TYPES:
            yield name, kind, True, 1232


def invented(dice, names):
    name = dice.choice(names)
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3])):
        word = dice.choice([b"www", b"a", b"*", b"ns", b"sub", b"wild", b"star", b"target", b"ent", b"\x07\x00", b"_tcp",
                            bytes(dice.randrange(256) for _ in range(dice.randint(1, 12)))])
        name = child((word,), name)
    if dice.random() < 0.1 and len(name.labels) > 1:
        name = name.parent()
    mixed = dns.name.Name(bytes(c ^ 32 if chr(c).isalpha() and c < 128 and dice.random() < 0.3 else c for c in label) for label in name.labels)
    edns = dice.random() < 0.7
    return mixed, dice.choice(TYPES), edns, dice.choice([512, 600, 1232, 4096])


def difference(theirs, ours):
    text = "" if theirs.head() == ours.head() else f"{theirs.head()} there, {ours.head()} here; "
    for title, there, here in zip(("answer", "authority", "additional"), theirs.sections, ours.sections):
        for word, items in (("missing", there - here), ("too much", here - there)):
            for name, kind, ttl, data in list(items)[:3]:
                text += f"{word} in {title}: {name} {ttl} {dns.rdatatype.to_text(kind)} {data!r}; "
    return text
