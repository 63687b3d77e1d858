"""How much one controller takes: API calls, heartbeats of many amphorae, memory. Figures, and nothing may be lost.

OCTAVIA_AMPHORAE=10000 has so many; 400 unless it says otherwise.
"""

import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import socket
import time
import zlib

from lib.controller import SUBNET, Controller
from lib.scenario import equal, wait

AMPHORAE = int(os.environ.get("OCTAVIA_AMPHORAE", "400"))
LIMIT = 120 + AMPHORAE // 10
KEY = "a-key-of-this-scenario"
ROUNDS = 3
# Nobody sends heartbeats while the load balancers are made.
QUIET = 60 + AMPHORAE // 20
SETTINGS = f"""
directory: ${{dir}}/state
compute: noop
api: {{ bind: "127.0.0.1:${{controller}}" }}
amphora: {{ topology: ACTIVE_STANDBY }}
health: {{ bind: "127.0.0.1:${{health}}", key: {KEY}, timeout: {QUIET}s, grace: {QUIET}s }}
"""


def run(s):
    controller = Controller(s, SETTINGS)
    count = AMPHORAE // 2
    port = s.port("controller")

    def create(number):
        body = {"loadbalancer": {"name": f"lb{number}", "vip_subnet_id": SUBNET, "listeners": [
            {"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
             "members": [{"address": "192.0.2.1", "protocol_port": 80}, {"address": "192.0.2.2", "protocol_port": 80}]}}]}}
        return call(port, "POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]

    with s.fact(f"{count} load balancers with listener, pool and two members become ACTIVE"):
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(pool.map(create, range(count)))
        took = time.monotonic() - begin
        wait(lambda: len(controller.get("/v2/lbaas/loadbalancers?provisioning_status=ACTIVE&fields=id&limit=-1", "loadbalancers")) == count,
             "all are ACTIVE", 30 + count / 10, 0.5)
        s.figure("creates of a full tree", f"{count / took:.0f}/s", f"all ACTIVE after {time.monotonic() - begin:.1f} s")
    with s.fact("reads"):
        ids = [lb["id"] for lb in made][:200]
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda id: call(port, "GET", f"/v2/lbaas/loadbalancers/{id}"), ids * 5))
        s.figure("reads of one load balancer", f"{len(ids) * 5 / (time.monotonic() - begin):.0f}/s")

    listeners = {lb["id"]: lb["listeners"][0]["id"] for lb in made}
    pools = {lb["id"]: lb["pools"][0] for lb in made}
    amphorae = controller.get("/v2/octavia/amphorae?limit=-1", "amphorae")
    equal(len(amphorae), 2 * count, "amphorae")
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target = ("127.0.0.1", s.port("health"))

    def packet(amphora, turn):
        lb = amphora["loadbalancer_id"]
        stats = {"tx": 1000, "rx": 100, "conns": 1, "totconns": 10, "ereq": 0}
        pool = pools[lb]
        document = {"id": amphora["id"], "seq": turn, "ver": 3, "listeners": {listeners[lb]: {"status": "OPEN", "stats": stats}},
                    "pools": {f"{pool['id']}:{listeners[lb]}": {"status": "UP", "members": {member["id"]: "UP" for member in pool["members"]}}}}
        body = zlib.compress(json.dumps(document).encode(), 9)
        return body + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest().encode()

    with s.fact(f"heartbeats of {len(amphorae)} amphorae, each every 10 s, are all taken"):
        seconds = 10 * AMPHORAE / 10_000
        before, cpu, begin = taken(controller), used(controller), time.monotonic()
        sent = 0
        for turn in range(ROUNDS):
            packets = [packet(amphora, turn) for amphora in amphorae]
            start = time.monotonic()
            for index, bytes in enumerate(packets):
                out.sendto(bytes, target)
                sent += 1
                if index % 20 == 0:
                    time.sleep(max(0, start + seconds * index / len(packets) - time.monotonic()))
        wait(lambda: taken(controller) - before == sent, "all are taken", 30, 0.1)
        took = time.monotonic() - begin
        s.figure("heartbeats at 1,000/s", f"{sent} sent and taken", f"{(used(controller) - cpu) / took * 100:.0f}% of a core",
                 f"{controller.process.rss() / 1024:.0f} MiB resident")
    with s.fact("as fast as one manager takes them, none is lost while its queue has room"):
        packets = [packet(amphora, 9) for amphora in amphorae] * max(1, 4000 // len(amphorae))
        before, begin = taken(controller), time.monotonic()
        for index, bytes in enumerate(packets):
            out.sendto(bytes, target)
            if index % 500 == 499:
                wait(lambda: taken(controller) - before > index - 2000, "the manager follows", 30, 0.002)
        wait(lambda: taken(controller) - before == len(packets), "all are taken", 60)
        s.figure("heartbeats at most", f"{len(packets) / (time.monotonic() - begin):.0f}/s")
    with s.fact("statistics have counted every one"):
        total = call(port, "GET", f"/v2/lbaas/loadbalancers/{made[0]['id']}/stats")["stats"]["total_connections"]
        equal(total, 2 * 10 * (ROUNDS + max(1, 4000 // len(amphorae))), "connections")
    out.close()


def taken(controller):
    return controller.get("/sluice/health")["taken"]


def used(controller):
    """Seconds of CPU."""
    fields = pathlib.Path(f"/proc/{controller.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text)
    finally:
        connection.close()
