"""Answers by place: databases that are written here, clients told by ECS, read by Sluice and by mmdblookup; a database replaced at run time, and one that is none."""

import ipaddress

import dns.edns

from lib.mmdb import write
from lib.names import addresses, ask, tool
from lib.node import Node
from lib.scenario import contains, ensure, equal

LIMIT = 30


def place(country, continent, latitude, longitude):
    return {"country": {"iso_code": country}, "continent": {"code": continent}, "location": {"latitude": latitude, "longitude": longitude}}


CITIES = {
    "198.51.100.0/24": place("DE", "EU", 52.5, 13.4), "198.51.101.0/24": place("FR", "EU", 48.9, 2.4),
    "203.0.113.0/25": place("KR", "AS", 37.6, 127.0), "203.0.113.128/25": place("US", "NA", 42.4, -71.1),
    "2001:db8:1::/48": place("DE", "EU", 52.5, 13.4), "2001:db8:2::/48": place("US", "NA", 42.4, -71.1),
}
SYSTEMS = {"198.51.101.128/25": {"autonomous_system_number": 64500}, "2001:db8:2:8000::/49": {"autonomous_system_number": 64500}}
WANTED = [
    ("198.51.100.7", "192.0.2.1", "its country"), ("198.51.101.7", "192.0.2.2", "its continent"),
    ("198.51.101.200", "192.0.2.4", "its autonomous system, from the second database"),
    ("203.0.113.7", "192.0.2.5", "the nearer of two places"), ("203.0.113.200", "192.0.2.6", "the nearer of two places"),
    ("192.0.2.99", "192.0.2.3", "in no database"), ("2001:db8:1::7", "192.0.2.1", "its country"),
    ("2001:db8:2::7", "192.0.2.6", "the nearer of two places"), ("2001:db8:2:8000::7", "192.0.2.4", "its autonomous system"),
]


def run(s):
    write(s.path("city.mmdb"), CITIES)
    write(s.path("asn.mmdb"), SYSTEMS)
    with s.fact("the databases are as libmaxminddb's own tool reads them"):
        contains(tool("mmdblookup", "--file", s.path("city.mmdb"), "--ip", "203.0.113.200", "country", "iso_code"), '"US"')
        contains(tool("mmdblookup", "--file", s.path("asn.mmdb"), "--ip", "198.51.101.129", "autonomous_system_number"), "64500")
    node = Node(s)
    port = s.port("dns")

    def answer(client):
        response = ask(port, "api.geo.test", options=[dns.edns.ECSOption(client, ipaddress.ip_address(client).max_prefixlen)])
        scope = next((option.scopelen for option in response.options if isinstance(option, dns.edns.ECSOption)), None)
        return addresses(response), scope

    for client, wanted, why in WANTED:
        with s.fact(f"{client} is answered by {why}"):
            found, scope = answer(client)
            equal(found, [wanted], "the answer")
            s.figure(client, wanted, why, f"scope /{scope}")
    with s.fact("a scope is no shorter than what decided"):
        ensure(answer("198.51.101.200")[1] >= 25, "a resolver may give this answer to the other half")
    with s.fact("a resolver that tells nothing of its clients is answered by its own place"):
        equal(addresses(ask(port, "api.geo.test")), ["192.0.2.3"])
    with s.fact("a database that is none is refused, and the old ones go on"):
        s.path("broken.mmdb").write_bytes(b"no database at all")
        text = node.config.read_text()
        node.config.write_text(text.replace("city.mmdb", "broken.mmdb"))
        done = node.cli("reload")
        ensure(done.returncode != 0, "it was taken")
        contains(done.stdout + done.stderr, "broken.mmdb")
        equal(answer("198.51.100.7")[0], ["192.0.2.1"], "the answer")
        node.config.write_text(text)
    with s.fact("a new database is taken by a reload, under the same name"):
        write(s.path("city.new"), {"198.51.100.0/24": place("FR", "EU", 48.9, 2.4)})
        s.path("city.new").rename(s.path("city.mmdb"))
        node.must("reload")
        equal(answer("198.51.100.7")[0], ["192.0.2.2"], "the answer")
