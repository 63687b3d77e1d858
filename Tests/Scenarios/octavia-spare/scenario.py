"""Spare amphorae run before anybody needs them: a new load balancer and a failover take one, and another is started."""

import time

from lib.amphorae import Cloud, Traffic
from lib.scenario import ensure, equal, wait


def run(s):
    cloud = Cloud(
        s, amphora="topology: SINGLE, spares: 1", health="heartbeat: 300ms, timeout: 1500ms, interval: 200ms, grace: 1s")
    controller = cloud.controller

    def spare(but=None):
        found = [a["id"] for a in controller.get("/v2/octavia/amphorae", "amphorae") if a["status"] == "READY" and a["loadbalancer_id"] is None]
        return found[0] if len(found) == 1 and found[0] != but else None

    with s.fact("a spare amphora runs"):
        first = wait(spare, "a spare amphora", 20)
        ensure(cloud.pids(first, "agent.yaml"), "its agent runs")
        unknown = controller.get("/sluice/health")["refused"]["unknown"]
        taken = controller.get("/sluice/health")["taken"]
        wait(lambda: controller.get("/sluice/health")["taken"] > taken + 2, "its heartbeats are taken")
        equal(controller.get("/sluice/health")["refused"]["unknown"], unknown, "refused heartbeats")
    with s.fact("a new load balancer takes it, and another is started"):
        begin = time.monotonic()
        lb = cloud.create()["id"]
        s.figure("created and ACTIVE with a spare", f"{time.monotonic() - begin:.2f} s")
        equal([a["id"] for a in controller.amphorae(lb)], [first], "the load balancer's amphora")
        second = wait(lambda: spare(but=first), "another spare", 20)
        cloud.online(lb)
    traffic = Traffic(cloud)
    traffic.flows()
    with s.fact("a dead amphora is replaced by the spare"):
        begin = time.monotonic()
        cloud.kill(first)
        wait(lambda: [a["id"] for a in controller.amphorae(lb)] == [second], "the spare has taken over", 20)
        controller.settled(lb)
        cloud.online(lb)
        traffic.flows()
        s.figure("killed, replaced by a spare and ONLINE", f"{time.monotonic() - begin:.2f} s", f"longest gap {traffic.gap(begin):.2f} s")
    with s.fact("a spare that dies is replaced"):
        third = wait(lambda: spare(but=second), "another spare", 20)
        cloud.kill(third)
        wait(lambda: spare(but=third), "another spare", 20)
        wait(lambda: cloud.space(third) not in cloud.spaces(), "the dead one's namespace is gone", 10)
    traffic.stop()
    with s.fact("without load balancers there are the spares only"):
        controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb}?cascade=true")
        wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{lb}")[0] == 404, "the load balancer is gone", 20)
        wait(lambda: cloud.spaces() == [cloud.space(spare() or "")], "one namespace, the spare's", 10)
