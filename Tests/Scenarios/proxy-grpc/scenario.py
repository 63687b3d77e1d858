"""gRPC with grpcio on both ends: all kinds of calls, deadlines, cancelling, retries, balancing, and health checks."""

import json
import pathlib
import re
import subprocess

from lib.node import Node
from lib.scenario import contains, ensure, equal, wait

HOME = pathlib.Path(__file__).resolve().parents[1]


def run(s):
    made = subprocess.run([HOME.parents[1] / "scripts/scenario-venv"], capture_output=True, text=True, timeout=110)
    ensure(made.returncode == 0, made.stderr[-500:])
    python = made.stdout.strip()
    for name in ("one", "two"):
        server = s.start(name, [python, "-m", "lib.grpc_server", s.port(name), name], cwd=HOME)
        wait(lambda: "ready" in server.log(), f"{name} is ready")
    node = Node(s)
    for name in ("one", "two"):
        node.wait_verdict("calls", name, "up")

    def call(what, argument="", port="web"):
        done = subprocess.run(
            [python, "-m", "lib.grpc_client", str(s.port(port)), what, str(argument)], capture_output=True, text=True, timeout=40, cwd=HOME)
        ensure(done.returncode == 0, done.stderr[-600:])
        return json.loads(done.stdout)

    with s.fact("a unary call with its trailers"):
        result = call("unary", "hello")
        ensure(result["answer"] in ("one:hello", "two:hello"), str(result))
        equal(result["trailers"].get("x-sum"), "5", "x-sum")
    with s.fact("a message of 3 MB both ways"):
        equal(call("large", 3_000_000)["answer"], 3_000_004, "length")
    with s.fact("a message that is kept for another try, and comes at once: 40,000 bytes both ways"):
        equal(call("large", 40_000)["answer"], 40_004, "length")
    with s.fact("the client streams"):
        contains(call("collect")["answer"], ":a,b,c")
    with s.fact("the server streams 2,000 messages"):
        equal(call("spread", 2000)["answer"], 2000, "messages")
    with s.fact("both stream, and each answer comes before the next message"):
        equal(call("chat", 200)["answer"], True, "order")
    with s.fact("each call of one connection is balanced on its own"):
        names = call("many", 400)
        equal(sum(names.values()), 400, "answers")
        s.figure("calls of one connection by backend", str(names))
        ensure(min(names.get("one", 0), names.get("two", 0)) > 150, str(names))
    with s.fact("a deadline ends a call in time, at the backend too"):
        result = call("slow", "3000,0.5")
        equal(result.get("code"), "DEADLINE_EXCEEDED", "code")
        s.figure("deadline of 500 ms held after", f"{result['seconds'] * 1000:.0f} ms")
        ensure(result["seconds"] < 1.5, str(result))
    with s.fact("a call within its deadline"):
        ensure(call("slow", "100,5")["answer"] in ("one", "two"), "no answer")
    with s.fact("cancelling reaches the server"):
        equal(call("cancel", port="one-only")["answer"], "seen", "what the server says")
    with s.fact("a status and its message come through"):
        result = call("fail", 7)
        equal((result["code"], result["details"].startswith("as asked by")), ("PERMISSION_DENIED", True), "error")
    with s.fact("UNAVAILABLE before any message is tried at the other backend, other codes are not"):
        before = retries(node)
        call("fail", 14)
        equal(retries(node) - before, 1, "retries")
        call("fail", 13)
        equal(retries(node) - before, 1, "retries")
    with s.fact("without a server the client is told UNAVAILABLE"):
        done = subprocess.run(
            [python, "-c", "import grpc, sys\nc = grpc.insecure_channel(sys.argv[1], options=[('grpc.enable_retries', 0)])\n"
             "try: c.unary_unary('/t.T/Missing')(b'', timeout=5)\nexcept grpc.RpcError as e: print(e.code().name, e.details())",
             f"127.0.0.1:{s.port('web')}"], capture_output=True, text=True, timeout=20)
        contains(done.stdout, "UNAVAILABLE connect-failed")
    with s.fact("statuses are in the log and in the counters"):
        node.wait_logged(lambda entry: entry.get("grpc_status") == 7, "grpc_status 7")
        calls, single = (next(one for one in node.status()["listeners"] if one["name"] == name)["grpc_calls"] for name in ("web", "one-only"))
        s.figure("calls by status", str({code: count for code, count in enumerate(calls) if count}))
        # One call was cancelled, and one had its deadline, whoever noticed it first.
        ensure(calls[0] > 400 and (calls[1], calls[4], calls[7]) == (0, 1, 1), str(calls))
        equal((single[1], single[4]), (1, 0), "cancelled, and too late")
    with s.fact("the health check follows the service's word"):
        call("health", "NOT_SERVING", port="one-only")
        found = node.wait_verdict("calls", "one", "down")
        contains(str(found.get("reason")), "NOT_SERVING")
        equal(set(call("many", 20)), {"two"}, "who answers")
        call("health", "SERVING", port="one-only")
        node.wait_verdict("calls", "one", "up")


def retries(node):
    return sum(backend["retries"] for backend in node.pool("calls")["backends"])
