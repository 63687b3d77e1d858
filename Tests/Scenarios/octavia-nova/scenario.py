"""Amphorae as servers of Nova with ports of Neutron and images of Glance: the services are faked over HTTPS, their servers
are namespaces that run what their user data says. What clouds do wrong: busy, out of quota, servers in ERROR, forgotten tokens.
"""

import time

from lib.amphorae import VIP, Cloud, Traffic, run as command
from lib.controller import NETWORK, SUBNET
from lib.openstack_cloud import FakeCloud
from lib.scenario import ensure, equal, wait

MANAGEMENT = "7d1c3f7e-0000-4000-8000-0000000000aa"
NOVA = f"""
nova: {{ flavor: amphora.small, management-subnet: {MANAGEMENT}, anti-affinity: anti-affinity, poll-every: 100ms, vip-security-groups: [sg1] }}
"""


def run(s):
    cloud = Cloud(
        s, compute="nova", start=False, extra=NOVA, amphora="topology: ACTIVE_STANDBY, advertisement: 80ms, boot-timeout: 20s",
        api=', auth: keystone, keystone: { url: "https://localhost:5000/v3", user: octavia, password: secret }',
        health="heartbeat: 300ms, timeout: 1500ms, interval: 200ms, grace: 1s, retry-after: 1s")
    cloud.host.ip("addr", "add", "10.250.0.1/16", "dev", "sluicemgmt")
    fake = FakeCloud(cloud, {SUBNET: (NETWORK, "10.77.0.0/24", "vip0", 50), MANAGEMENT: ("mgmt-net", "10.250.0.0/16", "sluicemgmt", 20)})
    controller = cloud.controller
    controller.headers = {"X-Auth-Token": "client"}
    with s.fact("a cloud with a certificate that nobody vouches for is not spoken to"):
        calls = len(fake.calls)
        controller.start()
        equal(controller.call("GET", "/v2/lbaas/loadbalancers")[0], 503)
        equal(len(fake.calls), calls, "calls that reached it")
        controller.process.stop()
    controller.environment["SSL_CERT_FILE"] = str(fake.certificate)
    controller.start()

    with s.fact("nothing is asked for without a token"):
        equal(controller.call("GET", "/v2/lbaas/loadbalancers")[0], 200)
        equal(fake.names, {"localhost"}, "names that the cloud was asked for")
        equal(controller.call("GET", "/v2/lbaas/loadbalancers", headers={"X-Auth-Token": "other"})[0], 401)
        equal(controller.call("GET", "/sluice/health", headers={"X-Auth-Token": "other"})[0], 401)
    with s.fact("a controller that dies after it has made servers or ports goes on with the same"):
        for step in ("boot", "plug"):
            crashed = cloud.crash(f"create/{step}/after")
            equal((len(fake.servers), len(fake.ports), len(fake.groups)), (2, 5, 1), f"{step}: servers, ports, groups")
            controller.must("DELETE", f"/v2/lbaas/loadbalancers/{crashed}?cascade=true")
            wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{crashed}")[0] == 404, f"{step}: it is gone", 30)
            equal((fake.servers, fake.ports, fake.groups), ({}, {}, {}), step)
    begin, fake.calls[:] = time.monotonic(), []
    lb = cloud.create()["id"]
    s.figure("created and ACTIVE", f"{time.monotonic() - begin:.2f} s", f"{len(fake.calls)} calls to the cloud")
    traffic = Traffic(cloud)
    with s.fact("a pair of servers serves: in one group, each with its ports, the VIP allowed at them"):
        cloud.online(lb)
        traffic.flows()
        amphorae = controller.amphorae(lb)
        equal(sorted(a["compute_id"] for a in amphorae), sorted(fake.servers), "servers")
        group, = fake.groups.values()
        equal((group["policies"], sorted(group["members"])), (["anti-affinity"], sorted(fake.servers)))
        equal({a["image_id"] for a in amphorae}, {"11111111-0000-4000-8000-000000000001"}, "images")
        for amphora in amphorae:
            port = fake.ports[amphora["vrrp_port_id"]]
            equal((port["allowed_address_pairs"], port["security_groups"]), ([{"ip_address": VIP}], ["sg1"]))
        equal(len(fake.ports), 5, "ports: the VIP's, and two for each server")

    with s.fact("a token that was forgotten, a busy Nova and a busy Neutron delay a failover and do not fail it"):
        dead = fake.servers[holder(fake, amphorae)]
        fake.forget_tokens()
        fake.refuse("POST", "/compute/servers", 503, times=2)
        fake.refuse("POST", "/compute/servers", 429, headers={"Retry-After": "0"})
        fake.refuse("POST", "/network/v2.0/ports", 503)
        fake.refuse("POST", "/compute/servers/[^/]*/os-interface", 409)
        fake.refuse("DELETE", "/compute/servers/[^/]*", 413, headers={"Retry-After": "0"})
        begin = time.monotonic()
        fake.kill(dead)
        wait(lambda: dead["id"] not in fake.servers, "the dead server is deleted", 30)
        controller.settled(lb)
        cloud.online(lb)
        traffic.flows()
        s.figure("server killed, replaced, ONLINE", f"{time.monotonic() - begin:.2f} s", f"longest gap {traffic.gap(begin) * 1000:.0f} ms")
        equal(fake.faults, [], "faults that nobody met")
        ensure(fake.logins > 1, "a new token was asked for")
        equal((len(fake.servers), len(fake.ports)), (2, 5), "servers and ports")

    for title, put in (
            ("a server in ERROR", lambda: setattr(fake, "broken", "No valid host was found.")),
            ("a quota", lambda: fake.refuse("POST", "/compute/servers", 403, {"forbidden": {"code": 403, "message": "Quota exceeded for instances"}}, times=3)),
            ("no address left", lambda: fake.refuse("POST", "/network/v2.0/ports", 409, {"NeutronError": {"message": "No more IP addresses available"}}, times=9))):
        with s.fact(f"{title}: the load balancer is in ERROR with the cloud's own words, and what was half made is gone"):
            before = (set(fake.servers), set(fake.ports), set(fake.groups))
            body = {"loadbalancer": {"name": "bad", "vip_subnet_id": SUBNET}}
            if title != "no address left":
                put()
            made = controller.must("POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]["id"]
            if title == "no address left":
                controller.settled(made, 30)
                controller.must("DELETE", f"/v2/lbaas/loadbalancers/{made}?cascade=true")
                wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{made}")[0] == 404, "it is gone", 30)
                put()
                status, answer = controller.call("POST", "/v2/lbaas/loadbalancers", body)
                equal((status, answer["faultstring"]), (409, "No more IP addresses available"))
                fake.faults.clear()
            else:
                wait(lambda: controller.get(f"/v2/lbaas/loadbalancers/{made}", "loadbalancer")["provisioning_status"] == "ERROR", "ERROR", 30)
                why = " ".join(controller.explain(made)["why"])
                ensure("No valid host" in why or "Quota exceeded" in why, why)
                equal((len(fake.servers), controller.amphorae(made)), (2, []), "servers, and amphorae of it")
                controller.must("DELETE", f"/v2/lbaas/loadbalancers/{made}?cascade=true")
                wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{made}")[0] == 404, "it is gone", 30)
            fake.faults.clear()
            equal((set(fake.servers), set(fake.ports), set(fake.groups)), before, "what the cloud holds")
    with s.fact("servers of others in the same project are let alone, and a stranger of this deployment is removed at the start"):
        mine = next(iter(fake.servers.values()))
        for id, metadata in (("other", {"amphora_id": "00000000-0000-4000-8000-00000000dead", "sluice_deployment": "another"}),
                             ("stray", {**mine["metadata"], "amphora_id": "00000000-0000-4000-8000-00000000beef"})):
            fake.servers[id] = {"id": id, "name": f"amphora-{metadata['amphora_id']}", "metadata": metadata, "image": {"id": ""}, "ports": [], "fault": None, "ready": 0, "group": None, "space": f"{cloud.prefix}{id}"}
        controller.process.stop()
        controller.start()
        wait(lambda: "stray" not in fake.servers, "the stranger is gone", 15)
        ensure("other" in fake.servers, "the other one is there")
        del fake.servers["other"]
        traffic.flows()
    traffic.stop()
    with s.fact("deleted, the cloud holds nothing of it"):
        controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb}?cascade=true")
        wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{lb}")[0] == 404, "the load balancer is gone", 30)
        equal((fake.servers, fake.ports, fake.groups), ({}, {}, {}))


def holder(fake, amphorae):
    """The server that has the address."""
    return next(a["compute_id"] for a in amphorae if f" {VIP}/" in command("ip", "-n", fake.servers[a["compute_id"]]["space"], "-o", "addr"))
