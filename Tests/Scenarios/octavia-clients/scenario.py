"""The real OpenStack clients drive the controller: every `openstack loadbalancer` command, and openstacksdk."""

import json
import pathlib
import subprocess

from lib.controller import NETWORK, SUBNET, Controller, Shell
from lib.keystone import PROJECT, Keystone
from lib.scenario import contains, ensure, equal

LIMIT = 300  # the first run installs the clients

SETTINGS = f"""
directory: ${{dir}}/state
compute: noop
api:
  bind: 127.0.0.1:${{controller}}
  auth: keystone
  keystone: {{ url: "http://127.0.0.1:${{keystone}}/v3", user: admin, password: secret }}
networks:
  - {{ id: {NETWORK}, name: net, bridge: none, subnets: [ {{ id: {SUBNET}, name: subnet, cidr: 203.0.113.0/24 }} ] }}
health: {{ bind: "127.0.0.1:${{health}}", key: secret }}
"""

# What each command is, and what its output must hold; {x} is the id that an earlier command made.
# A leading "!" expects a refusal.
COMMANDS = """
provider list | amphora
provider capability list amphora | loadbalancer_topology
flavorprofile create --name fp --provider amphora --flavor-data {"loadbalancer_topology":"SINGLE"} > fp
flavorprofile list | fp
flavorprofile show fp | loadbalancer_topology
flavorprofile set --name fp2 fp
flavor create --name fl --flavorprofile fp2 --enable > fl
flavor list | fl
flavor show fl | True
flavor set --description said fl
flavor unset --description fl
availabilityzoneprofile create --name ap --provider amphora --availability-zone-data {"compute_zone":"nova"} > ap
availabilityzoneprofile list | ap
availabilityzoneprofile show ap | compute_zone
availabilityzoneprofile set --name ap2 ap
availabilityzone create --name az --availabilityzoneprofile ap2 --enable
availabilityzone list | az
availabilityzone show az | True
availabilityzone set --description said az
availabilityzone unset --description az
create --name lb --vip-subnet-id subnet --flavor fl --availability-zone az --wait > lb | ACTIVE
list | lb
show lb | 203.0.113.
set --description said --tag one lb
show lb | said
unset --description lb
status show lb | provisioning_status
stats show lb | bytes_in
listener create --name li --protocol HTTP --protocol-port 80 --wait lb > li | ACTIVE
listener list | li
listener show li | 80
listener set --connection-limit 100 --wait li
listener unset --connection-limit --wait li
listener stats show li | bytes_out
pool create --name po --protocol HTTP --lb-algorithm ROUND_ROBIN --listener li --wait > po | ACTIVE
pool list | po
pool show po | ROUND_ROBIN
pool set --description said --wait po
pool unset --description --wait po
member create --name me --address 192.0.2.1 --protocol-port 80 --wait po > me | 192.0.2.1
member list po | me
member show po me | 192.0.2.1
member set --weight 5 --wait po me
member unset --weight --wait po me
healthmonitor create --name hm --delay 5 --timeout 3 --max-retries 2 --type HTTP --wait po > hm | /
healthmonitor list | hm
healthmonitor show hm | GET
healthmonitor set --url-path /up --wait hm
healthmonitor unset --url-path --wait hm
l7policy create --name l7 --action REDIRECT_TO_URL --redirect-url http://example.org/ --wait li > l7 | 302
l7policy list | l7
l7policy show l7 | example.org
l7policy set --position 1 --redirect-url http://example.com/ --wait l7
l7policy unset --name --wait {l7}
l7rule create --type PATH --compare-type STARTS_WITH --value /x --wait {l7} > ru | STARTS_WITH
l7rule list {l7} | STARTS_WITH
l7rule show {l7} {ru} | /x
l7rule set --value /y --wait {l7} {ru}
l7rule unset --invert --wait {l7} {ru}
amphora list --loadbalancer lb > am | STANDALONE
amphora show {am} | ALLOCATED
amphora configure --wait {am}
!amphora stats show {am} | not found
amphora failover --wait {am}
failover --wait lb
!amphora delete {am} | not found
quota defaults show | -1
quota list
quota set --loadbalancer 7 admin | 7
quota show admin | 7
quota unset --loadbalancer admin
quota reset admin
l7rule delete --wait {l7} {ru}
l7policy delete --wait {l7}
healthmonitor delete --wait hm
member delete --wait po me
pool delete --wait po
listener delete --wait li
delete --cascade --wait lb
availabilityzone delete az
availabilityzoneprofile delete ap2
flavor delete fl
flavorprofile delete fp2
"""

SDK = """
import json, sys
import openstack
c = openstack.connect(auth_type="password", auth=dict(auth_url=sys.argv[1], username="admin", password="secret", project_name="admin",
    user_domain_id="default", project_domain_id="default"), region_name="R", identity_api_version="3").load_balancer
members = [{"address": f"192.0.2.{n}", "protocol_port": 80, "name": f"m{n}"} for n in range(1, 21)]
monitor = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}
lb = c.create_load_balancer(name="tree", vip_subnet_id=sys.argv[2], listeners=[
    {"name": "web", "protocol": "HTTP", "protocol_port": 80,
     "default_pool": {"name": "p1", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": members, "healthmonitor": monitor},
     "l7policies": [{"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "p2"}, "rules": [{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}]},
                    {"action": "REJECT", "position": 1, "rules": [{"type": "HEADER", "compare_type": "EQUAL_TO", "key": "x-bad", "value": "1"}]}]},
    {"name": "raw", "protocol": "TCP", "protocol_port": 81, "default_pool": {"name": "p3"}}],
    pools=[{"name": "p2", "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"}, {"name": "p3", "protocol": "TCP", "lb_algorithm": "SOURCE_IP"}])
lb = c.wait_for_load_balancer(lb.id, interval=0.1)
c.update_load_balancer(lb, description="said")
lb = c.wait_for_load_balancer(lb.id, interval=0.1)
pool = c.find_pool("p1")
found = dict(description=lb.description, listeners=len(list(c.listeners(load_balancer_id=lb.id))), pools=len(list(c.pools(loadbalancer_id=lb.id))),
    members=len(list(c.members(pool, limit=7))), policies=sorted([p.position, p.action] for p in c.l7_policies()),
    stats=c.get_load_balancer_statistics(lb.id).total_connections, monitors=len(list(c.health_monitors())))
c.delete_load_balancer(lb, cascade=True)
c.wait_for_delete(lb, interval=0.1, wait=20)
found["left"] = len(list(c.load_balancers()))
print(json.dumps(found))
"""


def run(s):
    python = subprocess.run([pathlib.Path(__file__).parents[3] / "scripts" / "openstack-venv"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    keystone = Keystone(s, f"http://127.0.0.1:{s.port('controller')}")
    controller = Controller(s, SETTINGS)
    shell = Shell(
        s, python, OS_AUTH_TYPE="password", OS_AUTH_URL=keystone.url, OS_USERNAME="admin", OS_PASSWORD="secret", OS_PROJECT_NAME="admin",
        OS_USER_DOMAIN_ID="default", OS_PROJECT_DOMAIN_ID="default", OS_IDENTITY_API_VERSION="3", OS_REGION_NAME="R")
    commands(s, shell)

    with s.fact("openstacksdk creates a full tree, waits, updates, lists and deletes it"):
        found = subprocess.run([python, "-c", SDK, keystone.url, SUBNET], capture_output=True, text=True, timeout=60)
        ensure(found.returncode == 0, found.stderr[-1500:])
        equal(json.loads(found.stdout), {
            "description": "said", "listeners": 2, "pools": 3, "members": 20, "stats": 0, "monitors": 1, "left": 0,
            "policies": [[1, "REJECT"], [2, "REDIRECT_TO_POOL"]]})
    access(s, controller, keystone)


def commands(s, shell):
    ids, seen = {}, set()
    count = 0
    for line in COMMANDS.strip().splitlines():
        text, _, wanted = line.partition(" | ")
        text, _, name = text.partition(" > ")
        refused = text.startswith("!")
        words = [word.format(**ids) if word.startswith("{") and not word.startswith('{"') else word for word in text.lstrip("!").split()]
        seen.add(command(words))
        with s.fact(f"openstack loadbalancer {text}"):
            extra = ["-f", "json"] if name else []
            status, out, err = shell.run("loadbalancer", *words, *extra)
            ensure((status == 0) != refused, f"status {status}: {err or out}")
            contains(out + err, wanted.strip())
            if name:
                document = json.loads(out)
                ids[name] = document[0]["id"] if isinstance(document, list) else document["id"]
            count += 1
    with s.fact("all 82 commands were run"):
        equal(len(seen), 82, "commands")
    s.figure("openstack loadbalancer commands", f"{len(seen)} of 82", f"{count} invocations as expected")


def command(words):
    """The command's name without its arguments."""
    nouns = {"amphora", "availabilityzone", "availabilityzoneprofile", "flavor", "flavorprofile", "healthmonitor", "l7policy",
             "l7rule", "listener", "member", "pool", "provider", "quota"}
    length = 1 + (words[0] in nouns)
    if words[length - 1] in ("stats", "status", "capability", "defaults"):
        length += 1
    return " ".join(words[:length])


def access(s, controller, keystone):
    with s.fact("no token: 401; an unknown one: 401; a reader reads and may not write; another project sees nothing"):
        equal(controller.call("GET", "/v2/lbaas/loadbalancers")[0], 401)
        equal(controller.call("GET", "/v2/lbaas/loadbalancers", headers={"X-Auth-Token": "x"})[0], 401)
        reader = {"X-Auth-Token": keystone.issue(["reader"])}
        member = {"X-Auth-Token": keystone.issue(["member"])}
        other = {"X-Auth-Token": keystone.issue(["member"], "other")}
        body = {"loadbalancer": {"name": "x", "vip_subnet_id": SUBNET}}
        equal(controller.call("POST", "/v2/lbaas/loadbalancers", body, reader), (403, {
            "faultcode": "Client", "faultstring": "Policy does not allow this request to be performed.", "debuginfo": None}))
        made = controller.must("POST", "/v2/lbaas/loadbalancers", body, headers=member)["loadbalancer"]
        equal(made["project_id"], PROJECT)
        equal(len(controller.get("/v2/lbaas/loadbalancers", "loadbalancers", headers=reader)), 1)
        equal(controller.get("/v2/lbaas/loadbalancers", "loadbalancers", headers=other), [])
        equal(controller.call("GET", f"/v2/lbaas/loadbalancers/{made['id']}", headers=other)[0], 403)
        equal(controller.call("GET", "/v2/octavia/amphorae", headers=member)[0], 403)
    with s.fact("a quota is kept, with its message"):
        admin = {"X-Auth-Token": keystone.issue(["admin"])}
        controller.must("PUT", f"/v2/lbaas/quotas/{PROJECT}", {"quota": {"loadbalancer": 1}}, headers=admin)
        equal(controller.call("POST", "/v2/lbaas/loadbalancers", body, member), (403, {
            "faultcode": "Client", "faultstring": "Quota has been met for resources: Load Balancer", "debuginfo": None}))
