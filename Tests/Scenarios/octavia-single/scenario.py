"""One amphora with the real HAProxy: traffic, changes that lose nothing, and a rebuild without any help."""

import subprocess
import time

from lib.amphorae import VIP, Cloud, Traffic
from lib.scenario import contains, ensure, equal, wait


def run(s):
    cloud = Cloud(s, amphora="topology: SINGLE", health="heartbeat: 300ms, timeout: 1500ms, interval: 300ms, grace: 2s", api=", metrics: true")
    controller = cloud.controller
    start = time.monotonic()
    lb = cloud.create()
    s.figure("created and ACTIVE", f"{time.monotonic() - start:.2f} s")
    traffic = Traffic(cloud)
    with s.fact("the VIP answers through both members, and heartbeats make everything ONLINE"):
        wait(lambda: set(traffic.names) == {"m1", "m2"}, "both members answer")
        cloud.online(lb["id"])

        def members():
            tree = controller.get(f"/v2/lbaas/loadbalancers/{lb['id']}/status", "statuses")["loadbalancer"]
            return [member["operating_status"] for member in tree["listeners"][0]["pools"][0]["members"]]
        wait(lambda: members() == ["ONLINE", "ONLINE"], "both members are ONLINE", 10)
    with s.fact("statistics count the client's connections"):
        wait(lambda: controller.get(f"/v2/lbaas/loadbalancers/{lb['id']}/stats", "stats")["total_connections"] > 50, "statistics", 15)

    with s.fact("metrics count everything by its state, and promtool finds nothing wrong"):
        text = controller.call("GET", "/metrics")[1].decode()
        for line in (
            'load_balancers{provisioning_status="ACTIVE",operating_status="ONLINE"} 1', 'amphorae{role="STANDALONE",status="ALLOCATED"} 1',
            'members{operating_status="ONLINE"} 2', "flows 0", "amphorae_silent 0",
        ):
            contains(text, f"sluice_octavia_{line}\n")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=20)
        equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool")

    with s.fact("a policy, a member less and a reload lose no request"):
        begin = time.monotonic()
        listener = lb["listeners"][0]["id"]
        policy = controller.must("POST", "/v2/lbaas/l7policies", {"l7policy": {"action": "REJECT", "listener_id": listener}})["l7policy"]
        controller.settled(lb["id"])
        controller.must("POST", f"/v2/lbaas/l7policies/{policy['id']}/rules", {"rule": {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/no"}})
        controller.settled(lb["id"])
        pool = lb["pools"][0]["id"]
        members = controller.get(f"/v2/lbaas/pools/{pool}/members", "members")
        controller.must("DELETE", f"/v2/lbaas/pools/{pool}/members/{members[0]['id']}")
        controller.settled(lb["id"])
        # HAProxy is told to reload, and its process of before answers until the next one listens.
        wait(lambda: cloud.client.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP}/no") == "403", "403", 2)
        traffic.flows()
        equal(traffic.failures(begin), [], "failed requests")
    with s.fact("a configuration that HAProxy refuses leaves the object in ERROR, the load balancer ACTIVE and traffic untouched"):
        begin = time.monotonic()
        body = {"l7rule": {}, "rule": {"type": "COOKIE", "compare_type": "REGEX", "key": "a", "value": "(?P<x"}}
        body.pop("l7rule")
        status, _ = controller.call("POST", f"/v2/lbaas/l7policies/{policy['id']}/rules", body)
        equal(status, 400)
        traffic.flows()
        equal(traffic.failures(begin), [], "failed requests")

    old = controller.amphorae(lb["id"])[0]
    with s.fact("the killed amphora is replaced without help"):
        begin = time.monotonic()
        cloud.kill(old["id"])
        wait(lambda: [a["id"] for a in controller.amphorae(lb["id"])] not in ([old["id"]], []) and
             controller.get(f"/v2/lbaas/loadbalancers/{lb['id']}", "loadbalancer")["provisioning_status"] == "ACTIVE", "a new amphora", 30)
        traffic.flows()
        s.figure("killed, replaced and ACTIVE", f"{time.monotonic() - begin:.2f} s", f"longest gap {traffic.gap(begin):.2f} s")
        cloud.online(lb["id"])
        ensure(cloud.space(old["id"]) not in cloud.spaces(), "the old namespace is gone")

    with s.fact("deleted, it leaves nothing"):
        traffic.stop()
        controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb['id']}?cascade=true")
        wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{lb['id']}")[0] == 404, "the load balancer is gone", 20)
        equal(cloud.spaces(), [])
        equal(controller.get("/v2/octavia/amphorae", "amphorae"), [])
