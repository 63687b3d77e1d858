"""A new version of the amphora reaches every load balancer, one after the other, while clients go on: no request fails.

OCTAVIA_UPGRADE=20 has so many load balancers; 2 unless it says otherwise.
"""

import os
import shutil
import time

from lib.amphorae import Cloud, Traffic
from lib.scenario import ensure, equal, wait

COUNT = int(os.environ.get("OCTAVIA_UPGRADE", "2"))
LIMIT = 120 + 40 * COUNT


def run(s):
    new = s.path("sluice-next")
    try:
        os.link(s.binary, new)
    except OSError:
        shutil.copy2(s.binary, new)
    cloud = Cloud(
        s, amphora="topology: ACTIVE_STANDBY, advertisement: 200ms",
        health="heartbeat: 2s, timeout: 30s, interval: 1s")
    controller = cloud.controller
    vips = {}
    for number in range(COUNT):
        vip = f"10.77.0.{100 + number}"
        # The data planes take turns.
        vips[vip] = cloud.create(f"lb{number}", vip, "sluice" if number % 2 else "amphora")["id"]
    for vip, lb in vips.items():
        wait(lambda: cloud.holder(lb, vip), f"{vip} is there", 20)
        cloud.online(lb)
    traffic = [Traffic(cloud, vip, every=max(0.02, COUNT * 0.005)) for vip in vips]
    for one in traffic:
        one.flows()

    controller.process.kill()
    text = controller.file.read_text()
    controller.file.write_text(text.replace("topology: ACTIVE_STANDBY", f"topology: ACTIVE_STANDBY, program: {new}"))
    controller.start()
    begin = time.monotonic()
    with s.fact(f"{COUNT} load balancers are renewed by failover, one after the other"):
        for lb in vips.values():
            old = {amphora["id"] for amphora in controller.amphorae(lb)}
            controller.must("PUT", f"/v2/lbaas/loadbalancers/{lb}/failover", {})
            controller.settled(lb, 60)
            now = {amphora["id"] for amphora in controller.amphorae(lb)}
            equal(len(now), 2, "amphorae")
            ensure(not old & now, "all are new")
            for amphora in now:
                ensure(cloud.pids(amphora, str(new)), f"{amphora} runs the new version")
    took = time.monotonic() - begin
    with s.fact("no request has failed"):
        for one in traffic:
            one.flows()
            one.stop()
        equal([failure for one in traffic for failure in one.failures(begin)], [], "failed requests")
    s.figure("load balancers", "amphorae replaced", "seconds", "requests", "failed", "slowest request")
    s.figure(COUNT, 2 * COUNT, f"{took:.1f}", sum(1 for one in traffic for start, _ in one.good if start >= begin),
             sum(len(one.failures(begin)) for one in traffic), f"{max(one.slowest(begin) for one in traffic):.2f} s")
    with s.fact("everything is ONLINE"):
        for lb in vips.values():
            cloud.online(lb, 40)
