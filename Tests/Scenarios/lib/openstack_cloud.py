"""Nova, Neutron, Glance and Keystone v3 as far as an Octavia driver asks them, over HTTPS, with servers that are real:
each is a network namespace that runs what its user data says. Faults are put in by hand.

    fake = FakeCloud(cloud, networks={network: {subnet: ("10.77.0.0/24", "vip0")}})
    fake.refuse("POST", "/compute/servers", 503, headers={"Retry-After": "0"})   # the next such call
    fake.broken = "No valid host was found."                                      # the next server goes to ERROR
"""

import base64
import contextlib
import http.server
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

PLACE = "/var/lib/sluice-amphora"


class FakeCloud:
    def __init__(self, cloud, subnets, port=5000):
        """`subnets`: identifier to (network, prefix, bridge, first host)."""
        self.cloud, self.s, self.port = cloud, cloud.s, port
        self.subnets = {id: dict(network=network, prefix=ipaddress.ip_network(prefix), bridge=bridge, next=first)
                        for id, (network, prefix, bridge, first) in subnets.items()}
        self.lock = threading.RLock()
        self.tokens, self.ports, self.servers, self.groups = {}, {}, {}, {}
        self.faults, self.calls, self.broken, self.slow = [], [], None, 0.2
        self.logins = 0
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                url = urllib.parse.urlsplit(self.path)
                try:
                    status, document, headers = fake.answer(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), body, self.headers)
                except Exception as error:  # a fault of this file must be seen, and not only as a closed connection
                    status, document, headers = 500, {"fake": {"message": repr(error)}}, {}
                data = b"" if document is None else json.dumps(document).encode()
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        self.certificate = self.s.path("cloud.pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=cloud", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", self.s.path("cloud.key"), "-out", self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.s.path("cloud.key"))
        self.names = set()
        context.sni_callback = lambda _, name, __: self.names.add(name)
        with cloud.host:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        # Who does not trust the certificate ends the connection.
        self.server.handle_error = lambda *_: None
        pathlib.Path(PLACE).mkdir(parents=True, exist_ok=True)
        self.s.defer(self.stop)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        for server in list(self.servers.values()):
            self.unmake(server)
        with contextlib.suppress(OSError):
            pathlib.Path(PLACE).rmdir()

    # MARK: faults

    def refuse(self, method, path, status, document=None, headers=None, times=1):
        self.faults += [(method, path, status, document or {"error": {"message": "by order"}}, headers or {})] * times

    def forget_tokens(self):
        self.tokens.clear()

    # MARK: HTTP

    def answer(self, method, path, query, body, headers):
        with self.lock:
            self.calls.append((method, path))
            for fault in self.faults:
                if fault[0] == method and re.fullmatch(fault[1], path):
                    self.faults.remove(fault)
                    return fault[2], fault[3], fault[4]
        if path == "/v3/auth/tokens":
            return self.identity(method, body, headers)
        if headers.get("X-Auth-Token") not in self.tokens:
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}, {}
        service, _, rest = path.lstrip("/").partition("/")
        words = rest.split("/")
        if service == "network":
            words.pop(0)
        if service == "image":
            words.pop(0)
        status, document = getattr(self, service)(method, words, query, body)
        return status, document, {}

    def identity(self, method, body, headers):
        base = f"https://localhost:{self.port}"
        endpoints = [{"type": kind, "endpoints": [{"interface": "internal", "region": "RegionOne", "url": "http://192.0.2.1:1"},
                                                  {"interface": "public", "region": "RegionOne", "url": f"{base}/{kind}"}]} for kind in ("compute", "network", "image")]
        if method == "POST":
            password = body["auth"]["identity"]["password"]["user"]["password"]
            if password != "secret":
                return 401, {"error": {"message": "no"}}, {}
            token = uuid.uuid4().hex
            self.tokens[token] = True
            self.logins += 1
            return 201, {"token": {"catalog": endpoints}}, {"X-Subject-Token": token}
        if headers.get("X-Auth-Token") not in self.tokens:
            return 401, {"error": {"message": "no"}}, {}
        subject = headers.get("X-Subject-Token")
        if subject != "client":
            return 404, {"error": {"message": "no"}}, {}
        return 200, {"token": {"project": {"id": "p1"}, "user": {"id": "u1"}, "roles": [{"name": "admin"}]}}, {}

    def image(self, method, words, query, body):
        known = {"amphora": "11111111-0000-4000-8000-000000000001"}
        found = known.get(query.get("tag"))
        return 200, {"images": [{"id": found, "status": "active"}] if found else []}

    # MARK: Neutron

    def network(self, method, words, query, body):
        if words[0] == "subnets":
            subnet = self.subnets.get(words[1])
            if not subnet:
                return 404, {"NeutronError": {"type": "SubnetNotFound", "message": "no subnet", "detail": ""}}
            return 200, {"subnet": {"id": words[1], "name": "", "network_id": subnet["network"], "cidr": str(subnet["prefix"]), "gateway_ip": None}}
        if words[0] == "networks":
            subnets = [id for id, subnet in self.subnets.items() if subnet["network"] == words[1]]
            return (200, {"network": {"id": words[1], "subnets": subnets}}) if subnets else (404, {"NeutronError": {"message": "no network"}})
        with self.lock:
            if method == "GET" and len(words) == 1:
                return 200, {"ports": [port for port in self.ports.values() if all(port.get(key) == value for key, value in query.items())]}
            if method == "POST":
                return self.make_port(body["port"])
            port = self.ports.get(words[1])
            if not port:
                return 404, {"NeutronError": {"message": f"Port {words[1]} could not be found."}}
            if method == "DELETE":
                del self.ports[words[1]]
                return 204, None
            if method == "PUT":
                port.update(body["port"])
            return 200, {"port": port}

    def make_port(self, wanted):
        id, fixed = str(uuid.uuid4()), []
        taken = {place["ip_address"] for port in self.ports.values() for place in port["fixed_ips"]}
        for place in wanted["fixed_ips"]:
            subnet = self.subnets[place["subnet_id"]]
            address = place.get("ip_address")
            if address and address in taken:
                return 409, {"NeutronError": {"type": "IpAddressAlreadyAllocated", "message": f"IP address {address} already allocated in subnet", "detail": ""}}
            if address and ipaddress.ip_address(address) not in subnet["prefix"]:
                return 400, {"NeutronError": {"type": "InvalidIpForSubnet", "message": f"IP address {address} is not a valid IP for the specified subnet.", "detail": ""}}
            while not address:
                candidate = str(subnet["prefix"][subnet["next"]])
                subnet["next"] += 1
                address = candidate if candidate not in taken else None
            fixed.append({"subnet_id": place["subnet_id"], "ip_address": address})
        digits = id.replace("-", "")[:10]
        port = {"description": "", **wanted, "id": id, "fixed_ips": fixed, "allowed_address_pairs": [],
                "mac_address": "02:" + ":".join(digits[n:n + 2] for n in range(0, 10, 2))}
        self.ports[id] = port
        return 201, {"port": port}

    # MARK: Nova

    def compute(self, method, words, query, body):
        with self.lock:
            if words[0] == "os-server-groups":
                return self.server_groups(method, words, body)
            if method == "POST" and len(words) == 1:
                return self.make_server(body)
            if words[1:] == ["detail"]:
                # One a page, so that whoever asks must turn them.
                found = sorted((server for server in self.servers.values() if re.search(query.get("name", ""), server["name"])), key=lambda server: server["id"])
                found = [server for server in found if server["id"] > query.get("marker", "")]
                links = [{"rel": "next", "href": "x"}] if len(found) > 1 else []
                return 200, {"servers": [self.view(server) for server in found[:1]], "servers_links": links}
            server = self.servers.get(words[1])
            if not server:
                return 404, {"itemNotFound": {"code": 404, "message": f"Instance {words[1]} could not be found."}}
            if len(words) == 2:
                if method == "DELETE":
                    server["gone"] = time.monotonic() + self.slow
                    threading.Thread(target=self.remove, args=(server,), daemon=True).start()
                    return 204, None
                return 200, {"server": self.view(server)}
            if method == "GET":
                return 200, {"interfaceAttachments": [{"port_id": id, "mac_addr": self.ports[id]["mac_address"]} for id in server["ports"] if id in self.ports]}
            port = self.ports[body["interfaceAttachment"]["port_id"]]
            # What a real cloud does: the machine sees it a moment later.
            threading.Timer(0.3, self.plug, (server, port)).start()
            return 200, {"interfaceAttachment": {"port_id": port["id"], "mac_addr": port["mac_address"]}}

    def server_groups(self, method, words, body):
        if method == "GET":
            return 200, {"server_groups": list(self.groups.values())}
        if method == "POST":
            group = {**body["server_group"], "id": str(uuid.uuid4()), "members": []}
            self.groups[group["id"]] = group
            return 200, {"server_group": group}
        return (204, None) if self.groups.pop(words[1], None) else (404, {"itemNotFound": {"message": "no group"}})

    def view(self, server):
        status = "ERROR" if server["fault"] else "ACTIVE" if time.monotonic() >= server["ready"] else "BUILD"
        view = {key: server[key] for key in ("id", "name", "metadata", "image")}
        view["status"], view["OS-EXT-STS:task_state"] = status, "deleting" if "gone" in server else None
        if server["fault"]:
            view["fault"] = {"code": 500, "message": server["fault"]}
        return view

    def make_server(self, body):
        wanted = body["server"]
        id = str(uuid.uuid4())
        server = {"id": id, "name": wanted["name"], "metadata": wanted["metadata"], "image": {"id": wanted["imageRef"]}, "ports": [], "wanted": wanted,
                  "group": body.get("os:scheduler_hints", {}).get("group"), "fault": self.broken, "ready": time.monotonic() + self.slow, "space": f"{self.cloud.prefix}{id.replace('-', '')}"}
        self.broken = None
        self.servers[id] = server
        if server["group"]:
            self.groups[server["group"]]["members"].append(id)
        if not server["fault"]:
            threading.Thread(target=self.make, args=(server,), daemon=True).start()
        return 202, {"server": {"id": id}}

    # MARK: servers as namespaces

    def make(self, server):
        run("ip", "netns", "add", server["space"])
        run("ip", "-n", server["space"], "link", "set", "lo", "up")
        port = self.ports[server["wanted"]["networks"][0]["port"]]
        self.plug(server, port, dhcp=True)
        folder = self.s.path(server["id"])
        folder.mkdir()
        text = base64.b64decode(server["wanted"]["user_data"]).decode()
        head, _, document = text.partition("\n")
        assert head == "#cloud-config", head
        for file in json.loads(document)["write_files"]:
            if file["path"].startswith(PLACE):
                (folder / pathlib.Path(file["path"]).name).write_text(file["content"])
        log = open(folder / "agent.log", "ab")
        server["process"] = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{server['space']}", "unshare", "-m", "sh", "-c", f"mount --bind {folder} {PLACE} && exec {self.s.binary} amphora {PLACE}/agent.yaml"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def plug(self, server, port, dhcp=False):
        if server["id"] not in self.servers:
            return
        number = len(server["ports"])
        server["ports"].append(port["id"])
        near, far = f"eth{number}", "n" + port["id"].replace("-", "")[:12]
        subnet = self.subnets[port["fixed_ips"][0]["subnet_id"]]
        self.cloud.host.ip("link", "add", far, "type", "veth", "peer", "name", near, "address", port["mac_address"], "netns", server["space"])
        self.cloud.host.ip("link", "set", far, "master", subnet["bridge"], "up")
        if dhcp:
            run("ip", "-n", server["space"], "addr", "add", f"{port['fixed_ips'][0]['ip_address']}/{subnet['prefix'].prefixlen}", "dev", near)
            run("ip", "-n", server["space"], "link", "set", near, "up")

    def remove(self, server):
        time.sleep(max(0, server["gone"] - time.monotonic()))
        self.unmake(server)
        with self.lock:
            self.servers.pop(server["id"], None)
            # Nova deletes the ports that it made itself, and gives others back.
            for group in self.groups.values():
                if server["id"] in group["members"]:
                    group["members"].remove(server["id"])

    def unmake(self, server):
        self.kill(server)
        if "process" in server:
            server["process"].wait()
        for _ in range(50):
            if subprocess.run(["ip", "netns", "del", server["space"]], capture_output=True).returncode == 0 or not pathlib.Path(f"/run/netns/{server['space']}").exists():
                break
            time.sleep(0.02)
        shutil.rmtree(self.s.path(server["id"]), ignore_errors=True)

    def kill(self, server):
        for pid in run("ip", "netns", "pids", server["space"], check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def run(*words, check=True):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=20)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout
