"""Sessions with three more implementations: GoBGP, OpenBGPD and ExaBGP. Each has both families and hears every attribute."""

import json
import os

from lib.netns import Network
from lib.routers import SiteNode
from lib.scenario import contains, ensure, equal, wait

LIMIT = 60
V4, V6 = "203.0.113.1/32", "2001:db8:f::1/128"

NODE = """
admin: { socket: "${socket}" }
drain-timeout: 0s
bgp:
  as: 65001
  router-id: 192.0.2.1
  listen: [192.0.2.1]
  drain: { convergence: 0s, settle: 0s }
  templates: { both: { families: [ipv4, ipv6], connect-retry: 500ms, prefix-limit: 10 } }
  speakers:
    gobgp: { template: both, address: 192.0.2.2, as: 65002 }
    openbgpd: { template: both, address: 192.0.2.3, as: 65003 }
    exabgp: { template: both, address: 192.0.2.4, as: 65004 }
  announcements:
    web:
      prefixes: [203.0.113.1/32, "2001:db8:f::1/128"]
      next-hop: [192.0.2.1, "2001:db8::1"]
      med: 50
      communities: ["65001:100"]
      large-communities: ["65001:1:2"]
      extended-communities: ["rt:65001:7"]
"""

GOBGP = """
[global.config]
  as = 65002
  router-id = "192.0.2.2"
  local-address-list = ["192.0.2.2"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.1"
    peer-as = 65001
  [neighbors.timers.config]
    connect-retry = 1
  [neighbors.transport.config]
    local-address = "192.0.2.2"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""

OPENBGPD = """
AS 65003
router-id 192.0.2.3
listen on 192.0.2.3
fib-update no
socket "SOCKET"
network 198.18.3.0/24
neighbor 192.0.2.1 {
  remote-as 65001
  local-address 192.0.2.3
  announce IPv4 unicast
  announce IPv6 unicast
}
allow from any
allow to any
"""

EXABGP = """
process heard { run PROGRAM; encoder json; }
neighbor 192.0.2.1 {
  router-id 192.0.2.4; local-address 192.0.2.4; local-as 65004; peer-as 65001;
  family { ipv4 unicast; ipv6 unicast; }
  api { processes [ heard ]; receive { parsed; update; } }
  static { route 198.18.4.0/24 next-hop self; route 2001:db8:4::/48 next-hop 2001:db8::4; }
}
"""


# Its standard input does not block: cat would end at once.
LISTENER = """#!/usr/bin/python3
import os, select
file = os.open("HEARD", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while select.select([0], [], []) and (data := os.read(0, 65536)):
    os.write(file, data)
"""


class GoBGP:
    def __init__(self, s, host):
        self.host = host
        config = s.path("gobgp.toml")
        config.write_text(GOBGP)
        self.process = host.start("gobgp", ["gobgpd", "-f", config])

    def route(self, family, prefix):
        rows = json.loads(self.host.run("gobgp", "-j", "global", "rib", "-a", family, prefix, check=False) or "{}")
        return json.dumps(rows) if rows else None


class OpenBGPD:
    def __init__(self, s, host):
        self.host = host
        self.socket = s.path("openbgpd.sock")
        config = s.path("openbgpd.conf")
        config.write_text(OPENBGPD.replace("SOCKET", str(self.socket)))
        os.chmod(config, 0o600)
        self.process = host.start("openbgpd", ["/usr/sbin/bgpd", "-d", "-v", "-f", config])

    def route(self, prefix):
        text = self.host.run("bgpctl", "-s", self.socket, "show", "rib", "detail", prefix, check=False)
        return text if "BGP routing table entry" in text else None


class ExaBGP:
    def __init__(self, s, host):
        self.heard = s.path("exabgp-heard.json")
        program = s.path("exabgp-heard.py")
        program.write_text(LISTENER.replace("HEARD", str(self.heard)))
        os.chmod(program, 0o755)
        config = s.path("exabgp.conf")
        config.write_text(EXABGP.replace("PROGRAM", str(program)))
        options = {"daemon_user": "root", "daemon_drop": "false", "api_cli": "false", "log_level": "INFO", "tcp_bind": "192.0.2.4"}
        self.process = host.start("exabgp", [
            "env", *(f"exabgp_{name}={value}" for name, value in options.items()), "exabgp", config])

    def messages(self):
        text = self.heard.read_text() if self.heard.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def update(self, prefix, kind="announce"):
        for message in self.messages():
            update = message.get("neighbor", {}).get("message", {}).get("update", {})
            if prefix in json.dumps(update.get(kind, {})):
                return json.dumps(update)
        return None


def run(s):
    net = Network(s)
    lan = net.switch("lan")
    hosts = {}
    for number, name in enumerate(("node", "gobgp", "openbgpd", "exabgp"), 1):
        hosts[name] = net.host(name)
        hosts[name].attach(lan, "eth0", f"192.0.2.{number}/24", f"2001:db8::{number}/64")
    gobgp, openbgpd, exabgp = GoBGP(s, hosts["gobgp"]), OpenBGPD(s, hosts["openbgpd"]), ExaBGP(s, hosts["exabgp"])
    node = SiteNode(s, hosts["node"], "node", NODE)

    with s.fact("all three sessions come up"):
        node.wait_established("gobgp", "openbgpd", "exabgp", seconds=25)
    for peer in node.bgp()["peers"]:
        s.figure(peer["name"], f"AS {peer['autonomousSystem']}", peer["state"], " ".join(peer["capabilities"])[:100])
    with s.fact("what they say is heard"):
        wait(lambda: node.peer("openbgpd")["received"] == 1 and node.peer("exabgp")["received"] == 2, "their routes", 10)

    with s.fact("GoBGP has both routes"):
        text = wait(lambda: gobgp.route("ipv4", V4), "the route in GoBGP", 10)
        contains(text, "192.0.2.1")
        text = wait(lambda: gobgp.route("ipv6", V6), "the IPv6 route in GoBGP", 10)
        contains(text, "2001:db8::1")
    with s.fact("OpenBGPD has both routes with every attribute"):
        text = wait(lambda: openbgpd.route(V4), "the route in OpenBGPD", 10)
        for part in ("65001:100", "65001:1:2", "rt 65001:7", "metric 50"):
            contains(text, part)
        wait(lambda: openbgpd.route(V6), "the IPv6 route in OpenBGPD", 10)
    with s.fact("ExaBGP has both routes with every attribute"):
        text = wait(lambda: exabgp.update(V4), "the route in ExaBGP", 10)
        for part in ('"med": 50', "[65001, 100]", "[65001, 1, 2]"):
            contains(text, part)
        wait(lambda: exabgp.update(V6), "the IPv6 route in ExaBGP", 10)

    node.must("bgp", "withdraw", "web")
    with s.fact("a withdrawal reaches all of them, and no session goes"):
        wait(lambda: gobgp.route("ipv4", V4) is None and openbgpd.route(V4) is None, "the route is gone", 10)
        wait(lambda: exabgp.update(V4, "withdraw") and exabgp.update(V6, "withdraw"), "ExaBGP hears the withdrawal", 10)
        for peer in node.bgp()["peers"]:
            equal(peer["established"], 1, f"{peer['name']}'s sessions")
            ensure(peer["state"] == "Established", f"{peer['name']} is {peer['state']}")
