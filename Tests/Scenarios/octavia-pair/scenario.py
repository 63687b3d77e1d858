"""ACTIVE_STANDBY, with the real HAProxy inside and with Sluice's own data plane: the active amphora loses its data plane,
its life, its link; clients go on, and the pair is whole again without help. Every time line is printed.

OCTAVIA_PAIR=long does each act five times, with these timers and with Octavia's default ones, and those with keepalived, too;
OCTAVIA_PAIR=keepalived does only the latter.
"""

import datetime
import os
import time

from lib.amphorae import Cloud, Traffic
from lib.scenario import ensure, equal, wait

LONG = os.environ.get("OCTAVIA_PAIR") in ("long", "keepalived")
LIMIT = 1500 if LONG else 180
FAST, DEFAULT = "60ms", "1s"
# VRRP: three intervals and the skew of priority 90; the client sees it at its next request.
BOUNDS = {FAST: 0.4, DEFAULT: 3.75}


def run(s):
    s.figure("act", "longest gap of the client", "address moved", "pair whole and ONLINE")
    cases = [("amphora", FAST, "sluice"), ("sluice", FAST, "sluice")]
    if LONG:
        cases += [("amphora", DEFAULT, "sluice"), ("sluice", DEFAULT, "sluice"), ("amphora", DEFAULT, "keepalived")]
    if os.environ.get("OCTAVIA_PAIR") == "keepalived":
        cases = cases[-1:]
    for tag, (advertisement, vrrp) in zip("abc", dict.fromkeys((case[1], case[2]) for case in cases)):
        cloud = Cloud(
            s, amphora=f"topology: ACTIVE_STANDBY, advertisement: {advertisement}, vrrp: {vrrp}",
            # A second goes by before keepalived has ended and the data plane reports again.
            health=f"heartbeat: 300ms, timeout: {'1500ms' if vrrp == 'sluice' else '4s'}, interval: 200ms, grace: 1s, retry-after: 1s", tag=tag)
        for number, case in enumerate(case for case in cases if case[1:] == (advertisement, vrrp)):
            play(s, cloud, case, f"10.77.0.{100 + number}")
        cloud.controller.process.stop()


def play(s, cloud, case, vip):
    provider, advertisement, vrrp = case
    controller, bound = cloud.controller, BOUNDS[advertisement]
    title = f"{'HAProxy' if provider == 'amphora' else 'Sluice'}, VRRP of {vrrp} every {advertisement}"
    lb = cloud.create(name=f"lb-{provider}", vip=vip, provider=provider)["id"]
    with s.fact(f"{title}: one of the two amphorae has the address, and everything is ONLINE"):
        wait(lambda: cloud.holder(lb, vip), "somebody has the address", 15)
        cloud.online(lb)
    traffic = Traffic(cloud, vip)
    traffic.flows()
    word = "haproxy.cfg" if provider == "amphora" else "sluice.yaml"
    acts = [
        ("data plane killed", lambda amphora: cloud.kill(amphora, word), True),
        ("amphora killed", cloud.kill, False),
        ("link cut", cloud.cut, False),
    ]
    for name, act, stays in acts:
        for _ in range(5 if LONG else 1):
            with s.fact(f"{title}: {name}: a gap of at most {bound * 1000:.0f} ms, then a whole pair"):
                before = wait(lambda: cloud.holder(lb, vip), "somebody has the address", 15)["id"]
                pair = {amphora["id"] for amphora in controller.amphorae(lb)}
                start, clock = time.monotonic(), datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
                act(before)
                wait(lambda: any(cloud.has(amphora, vip) for amphora in pair - {before}), "the standby has the address", 15, 0.01)
                moved = time.monotonic()
                try:
                    wait(lambda: whole(cloud, lb, pair if stays else pair - {before}, None if stays else before), "the pair is whole", 40)
                    cloud.online(lb)
                finally:
                    timeline(controller, lb, clock, f"{title}: {name}")
                end = time.monotonic()
                traffic.flows()
                gap = traffic.gap(start)
                s.figure(f"{title}: {name}", f"{gap * 1000:.0f} ms", f"{(moved - start) * 1000:.0f} ms", f"{end - start:.2f} s")
                ensure(gap <= bound, f"the gap was {gap * 1000:.0f} ms")
                if not stays:
                    ensure(cloud.space(before) not in cloud.spaces(), "the old amphora's namespace is gone")
    traffic.stop()
    controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb}?cascade=true")
    with s.fact(f"{title}: deleted, it leaves nothing"):
        wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{lb}")[0] == 404, "the load balancer is gone", 20)
        equal(cloud.spaces(), [])


def whole(cloud, lb, kept, gone):
    """Two allocated amphorae that run VRRP, those that should have stayed among them, and nothing pending."""
    amphorae = cloud.controller.amphorae(lb)
    found = cloud.controller.get(f"/v2/lbaas/loadbalancers/{lb}", "loadbalancer")
    ids = {amphora["id"] for amphora in amphorae}
    return (len(ids) == 2 and kept <= ids and gone not in ids and all(amphora["status"] == "ALLOCATED" for amphora in amphorae)
            and found["provisioning_status"] == "ACTIVE" and all(cloud.pids(a, "keepalived") or cloud.pids(a, "vrrp.conf") for a in ids)
            # keepalived takes a second to end, and only then its amphora's data plane is started again.
            and all(cloud.pids(a, "haproxy.cfg") or cloud.pids(a, "sluice.yaml") for a in ids))


def timeline(controller, lb, clock, title):
    print(f"   {title}")
    for event in controller.explain(lb)["events"]:
        at = (datetime.datetime.fromisoformat(event["at"]) - clock).total_seconds()
        if at >= 0:
            print(f"     {at:7.3f} s  {event['text']}")
