"""gRPC with TLS on both sides: calls of every kind, a deadline, cancelling, and the health check by TLS."""

import json
import os
import pathlib
import subprocess

from lib.node import Node
from lib.pki import Authority
from lib.scenario import contains, ensure, equal, wait

HOME = pathlib.Path(__file__).resolve().parents[1]


def run(s):
    made = subprocess.run([HOME.parents[1] / "scripts/scenario-venv"], capture_output=True, text=True, timeout=110)
    ensure(made.returncode == 0, made.stderr[-500:])
    python = made.stdout.strip()
    ca = Authority(s)
    ca.issue("server", ["server.test"])
    certificate, key = ca.issue("backend", ["backend.test"])
    secure = {"CERTIFICATE": str(certificate), "KEY": str(key)}
    for name in ("one", "two"):
        server = s.start(name, [python, "-m", "lib.grpc_server", s.port(name), name], cwd=HOME, environment=secure)
        wait(lambda: "ready" in server.log(), f"{name} is ready")
    node = Node(s)

    def call(what, argument=""):
        done = subprocess.run(
            [python, "-m", "lib.grpc_client", str(s.port("web")), what, str(argument)], capture_output=True, text=True, timeout=40,
            cwd=HOME, env={**os.environ, "CA": str(ca.certificate)})
        ensure(done.returncode == 0, done.stderr[-600:])
        return json.loads(done.stdout)

    with s.fact("the health check is asked by TLS"):
        for name in ("one", "two"):
            node.wait_verdict("calls", name, "up")
    with s.fact("a unary call with its trailers"):
        result = call("unary", "hello")
        ensure(result["answer"] in ("one:hello", "two:hello"), str(result))
        equal(result["trailers"].get("x-sum"), "5", "x-sum")
    with s.fact("a message of 3 MB both ways"):
        equal(call("large", 3_000_000)["answer"], 3_000_004, "length")
    with s.fact("the server streams, and both do"):
        equal(call("spread", 2000)["answer"], 2000, "messages")
        equal(call("chat", 200)["answer"], True, "order")
    with s.fact("each call of one connection is balanced on its own, over one connection to each backend"):
        names = call("many", 400)
        s.figure("calls of one connection by backend", str(names))
        ensure(min(names.get("one", 0), names.get("two", 0)) > 150, str(names))
        connections = [node.backend("calls", name)["connections"] for name in ("one", "two")]
        s.figure("connections to each backend", str(connections))
        ensure(max(connections) <= 3, str(connections))
    with s.fact("a deadline ends a call in time"):
        result = call("slow", "3000,0.5")
        equal(result.get("code"), "DEADLINE_EXCEEDED", "code")
        ensure(result["seconds"] < 1.5, str(result))
    with s.fact("the health check follows the service's word"):
        # Round robin reaches both sooner or later; one of them is told.
        call("health", "NOT_SERVING")
        wait(lambda: [node.backend("calls", name)["verdict"] for name in ("one", "two")].count("down") == 1, "one is down", 5)
        down = next(name for name in ("one", "two") if node.backend("calls", name)["verdict"] == "down")
        contains(str(node.backend("calls", down).get("reason")), "NOT_SERVING")
        equal(len(set(call("many", 20))), 1, "backends that answer")
