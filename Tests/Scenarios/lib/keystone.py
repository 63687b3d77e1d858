"""A Keystone just large enough for the OpenStack clients: one user, one project, a catalogue."""

import http.server
import json
import threading
import time
import uuid

PROJECT = "5f5b1f0a3c6c4a0db6b7b0f4a0e6b111"


class Keystone:
    """Serves on a port of 127.0.0.1. `tokens` maps a token to its roles; more may be added."""

    def __init__(self, scenario, controller):
        self.port = scenario.port("keystone")
        self.url = f"http://127.0.0.1:{self.port}/v3"
        self.controller = controller
        self.tokens = {}
        self.validations = 0
        handler = type("Handler", (Handler,), {"keystone": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        scenario.defer(self.server.shutdown)

    def issue(self, roles=("admin", "member"), project=PROJECT):
        token = uuid.uuid4().hex
        self.tokens[token] = {"roles": list(roles), "project": project}
        return token

    def document(self, token):
        known = self.tokens[token]
        later = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 3600))

        def service(kind, url):
            ends = [{"id": uuid.uuid4().hex, "interface": i, "region": "R", "region_id": "R", "url": url} for i in ("public", "internal", "admin")]
            return {"type": kind, "name": kind, "id": uuid.uuid4().hex, "endpoints": ends}

        domain = {"id": "default", "name": "Default"}
        return {"token": {
            "methods": ["password"], "expires_at": later, "issued_at": later,
            "user": {"id": "u1", "name": "admin", "domain": domain, "password_expires_at": None},
            "project": {"id": known["project"], "name": "admin", "domain": domain}, "is_domain": False,
            "roles": [{"id": r, "name": r} for r in known["roles"]],
            "catalog": [service("identity", self.url), service("load-balancer", self.controller), service("network", self.controller)],
        }}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keystone = None

    def log_message(self, *arguments):
        pass

    def answer(self, status, document, **headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        user = body.get("auth", {}).get("identity", {}).get("password", {}).get("user", {})
        if user.get("password") != "secret":
            return self.answer(401, {"error": {"code": 401, "message": "no", "title": "Unauthorized"}})
        token = self.keystone.issue()
        self.answer(201, self.keystone.document(token), X_Subject_Token=token)

    def do_GET(self):
        path = self.path.split("?")[0].rstrip("/")
        project = {"id": PROJECT, "name": "admin", "domain_id": "default", "enabled": True, "parent_id": "default", "is_domain": False, "links": {}}
        version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": self.keystone.url + "/"}], "media-types": []}
        if path == "/v3/auth/tokens":
            self.keystone.validations += 1
            token = self.headers.get("X-Subject-Token")
            if token not in self.keystone.tokens:
                return self.answer(404, {"error": {"code": 404, "message": "no such token", "title": "Not Found"}})
            return self.answer(200, self.keystone.document(token), X_Subject_Token=token)
        if path == "/v3":
            return self.answer(200, {"version": version})
        if path == "":
            return self.answer(300, {"versions": {"values": [version]}})
        if path == "/v3/projects":
            return self.answer(200, {"projects": [project], "links": {}})
        if path == f"/v3/projects/{PROJECT}":
            return self.answer(200, {"project": project})
        if path.startswith("/v3/domains"):
            return self.answer(200, {"domains": [{"id": "default", "name": "Default"}]})
        self.answer(404, {"error": {"code": 404, "message": "no", "title": "Not Found"}})
