"""An amphora that hangs is replaced; one that comes back from the dead after it was replaced is fenced: its certificate is
revoked, its VRRP is refused, its heartbeats are dropped, its namespace is removed."""

import json
import pathlib
import shutil
import signal
import sqlite3
import time

from lib.amphorae import VIP, Cloud, Traffic, run as command
from lib.scenario import ensure, equal, wait


def run(s):
    cloud = Cloud(
        s, amphora="topology: ACTIVE_STANDBY, advertisement: 80ms",
        health="heartbeat: 300ms, timeout: 1500ms, interval: 200ms, grace: 1s")
    controller = cloud.controller
    lb = cloud.create()["id"]
    traffic = Traffic(cloud)
    with s.fact("the pair serves"):
        wait(lambda: cloud.holder(lb), "somebody has the address", 15)
        cloud.online(lb)
        traffic.flows()

    with s.fact("an amphora that hangs with every process is replaced"):
        old = cloud.holder(lb)
        begin = time.monotonic()
        cloud.kill(old["id"], number=signal.SIGSTOP)
        replaced(cloud, lb, old)
        traffic.flows()
        s.figure("hung", f"longest gap {traffic.gap(begin) * 1000:.0f} ms", f"whole again after {time.monotonic() - begin:.2f} s")

    old = cloud.holder(lb)
    folder = s.path("state") / "amphorae" / old["id"]
    saved = s.path("saved")
    shutil.copytree(folder, saved)
    with s.fact("a killed amphora is replaced, and its certificates are revoked"):
        cloud.kill(old["id"])
        replaced(cloud, lb, old)
        with sqlite3.connect(s.path("state") / "controller.sqlite") as rows:
            found = dict(rows.execute("SELECT amphora, min(revoked) FROM certificate GROUP BY amphora").fetchall())
        equal(found[old["id"]], 1, "revoked")
        equal([found[amphora["id"]] for amphora in controller.amphorae(lb)], [0, 0], "those of the pair")
    survivor = cloud.holder(lb)

    # Nobody who could remove it is there when it returns.
    controller.process.kill()
    zombie = revive(s, cloud, old, folder, saved)
    with s.fact("come back, it wants the address again, and the pair refuses its adverts"):
        wait(lambda: cloud.has(old["id"], VIP), "the zombie takes the address for itself", 15)
        place = f"/run/sluice-amphora/{survivor['id'].replace('-', '')[:12]}/vrrp.sock"

        def dropped():
            shown = json.loads(command(s.binary, "vip", "show", "vip", "--json", "--socket", place))
            return shown["dropped"] if sum(shown["dropped"].values()) > 5 else None
        found = wait(dropped, "dropped adverts", 10)
        s.figure("adverts of the zombie", ", ".join(f"{count} {reason}" for reason, count in found.items()))
        ensure(cloud.has(survivor["id"], VIP), "the pair keeps the address")
    with s.fact("a controller that starts removes it"):
        begin = time.monotonic()
        controller.start()
        wait(lambda: cloud.space(old["id"]) not in cloud.spaces(), "its namespace is gone", 10)
        s.figure("zombie removed", f"{time.monotonic() - begin:.2f} s after the controller's start")
        equal(zombie.wait(5), -signal.SIGKILL, "its agent's end")
        ensure(not folder.exists(), "its folder is gone")
        traffic.flows()
        equal(controller.call("GET", f"/v2/octavia/amphorae/{old['id']}")[0], 404)

    with s.fact("while the controller runs, its first heartbeat gives it away"):
        cloud.online(lb)
        unknown = controller.get("/sluice/health")["refused"]["unknown"]
        begin = time.monotonic()
        zombie = revive(s, cloud, old, folder, saved)
        zombie.wait(10)
        wait(lambda: cloud.space(old["id"]) not in cloud.spaces(), "its namespace is gone", 10)
        s.figure("zombie removed", f"{time.monotonic() - begin:.2f} s after it came back")
        ensure(controller.get("/sluice/health")["refused"]["unknown"] > unknown, "its heartbeats are dropped")
        traffic.flows()
        cloud.online(lb)
        equal(cloud.holder(lb)["id"], survivor["id"], "who has the address")
    traffic.stop()


def replaced(cloud, lb, old):
    def check():
        found = cloud.controller.amphorae(lb)
        return len(found) == 2 and old["id"] not in {amphora["id"] for amphora in found}
    wait(check, "a new amphora", 30, 0.05)
    cloud.online(lb)
    ensure(cloud.space(old["id"]) not in cloud.spaces(), "the old namespace is gone")


def revive(s, cloud, amphora, folder, saved):
    """The same machine with the same disk and the same addresses."""
    space = cloud.space(amphora["id"])
    shutil.copytree(saved, folder)
    pathlib.Path(f"/run/sluice-amphora/{amphora['id'].replace('-', '')[:12]}").mkdir(parents=True, exist_ok=True)
    command("ip", "netns", "add", space)
    for far, near, bridge, address in (
            ("zombie0", "mgmt", "sluicemgmt", f"{amphora['lb_network_ip']}/16"), ("zombie1", amphora["vrrp_interface"], "vip0", f"{amphora['vrrp_ip']}/24")):
        cloud.host.ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", space)
        cloud.host.ip("link", "set", far, "master", bridge, "up")
        command("ip", "-n", space, "addr", "add", address, "dev", near)
        command("ip", "-n", space, "link", "set", near, "up")
    command("ip", "-n", space, "link", "set", "lo", "up")
    return s.start("zombie", ["nsenter", f"--net=/run/netns/{space}", s.binary, "amphora", folder / "agent.yaml"], expect_exit=True)
