"""Traces: the context goes on by the recommendation, and a collector gets spans that are what the protocol says."""

import contextlib
import http.server
import json
import re
import threading
import time

from lib.node import Node
from lib.origin import Origin
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 90
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def check(value, shape, place="body"):
    """A value against a shape: {name: shape}, [shape], a pattern of text, a type, or a function. Unknown fields are wrong."""
    if isinstance(shape, dict):
        ensure(isinstance(value, dict), f"{place} is {value!r}")
        for name, inner in value.items():
            ensure(name in shape or name + "!" in shape, f"{place}.{name} is no field of the protocol")
            check(inner, shape.get(name, shape.get(name + "!")), f"{place}.{name}")
        for name in shape:
            ensure(not name.endswith("!") or name[:-1] in value, f"{place}.{name} is missing")
    elif isinstance(shape, list):
        ensure(isinstance(value, list), f"{place} is {value!r}")
        for index, inner in enumerate(value):
            check(inner, shape[0], f"{place}[{index}]")
    elif isinstance(shape, str):
        ensure(isinstance(value, str) and re.fullmatch(shape, value), f"{place} is {value!r}")
    elif isinstance(shape, type):
        ensure(type(value) is shape, f"{place} is {value!r}")
    else:
        ensure(shape(value), f"{place} is {value!r}")


# opentelemetry-proto 1: common.v1.KeyValue, trace.v1.Span, collector.trace.v1.ExportTraceServiceRequest, in OTLP's JSON.
ANY = {"stringValue": str, "intValue": r"-?\d+", "boolValue": bool, "doubleValue": float}
ATTRIBUTES = [{"key!": ".+", "value!": lambda value: len(value) == 1 and check(value, ANY) is None}]
SPAN = {
    "traceId!": "[0-9a-f]{32}", "spanId!": "[0-9a-f]{16}", "parentSpanId": "[0-9a-f]{16}", "traceState": str, "name!": ".+",
    "kind!": lambda kind: kind in (2, 3), "flags": lambda flags: flags & 255 == 1, "startTimeUnixNano!": r"\d{19}",
    "endTimeUnixNano!": r"\d{19}", "attributes": ATTRIBUTES, "status": {"code": lambda code: code in (0, 1, 2), "message": str},
}
REQUEST = {"resourceSpans!": [{
    "resource!": {"attributes!": ATTRIBUTES},
    "scopeSpans!": [{"scope!": {"name!": "sluice", "version": str}, "spans!": [SPAN]}],
}]}


class Collector:
    """An OTLP collector's place: takes what is valid, keeps it, and can be held."""

    def __init__(self, s):
        self.spans, self.wrong, self.resources, self.batches = [], [], [], 0
        self.go = threading.Event()
        self.go.set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.go.wait(20)
                status = 200
                try:
                    equal(self.path, "/v1/traces", "path")
                    equal(self.headers["Content-Type"], "application/json", "type")
                    request = json.loads(body)
                    check(request, REQUEST)
                    for resource in request["resourceSpans"]:
                        collector.resources.append(values(resource["resource"]))
                        for scope in resource["scopeSpans"]:
                            for span in scope["spans"]:
                                ensure(int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]), "it ends before it begins")
                                collector.spans.append(span)
                    collector.batches += 1
                except Exception as error:
                    collector.wrong.append(f"{error}: {body[:300]}")
                    status = 400
                # Whoever was made to wait may be gone.
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", s.port("collector")), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        s.defer(self.stop)

    def stop(self):
        self.go.set()
        self.server.shutdown()

    def of(self, trace, count=2):
        """The spans of a trace: ours, and that of the backend's part."""
        wait(lambda: sum(span["traceId"] == trace for span in self.spans) >= count, f"{count} spans of {trace}")
        found = {span["kind"]: span for span in self.spans if span["traceId"] == trace}
        return found.get(2), found.get(3)


def values(holder):
    return {one["key"]: next(iter(one["value"].values())) for one in holder.get("attributes", [])}


def run(s):
    collector = Collector(s)
    origins = [Origin(s, "a"), Origin(s, "b")]
    node = Node(s)
    begun(s, collector, origins)
    continued(s, collector, origins)
    broken(s, origins)
    failed(s, collector, origins)
    held(s, node, collector)
    with s.fact("every batch was what the protocol says"):
        equal(collector.wrong, [], "refused batches")
        ensure(len(collector.spans) > 100, "spans")
    s.figure("spans that were checked", len(collector.spans), f"{collector.batches} batches")


def ask(s, origins, target="/shop/x", *fields):
    """(answer, the request as the backend saw it)."""
    before = [len(origin.requests) for origin in origins]
    answer = get(s.port("web"), target, headers=list(fields))
    return answer, [seen for origin, start in zip(origins, before) for seen in origin.requests[start:]]


def begun(s, collector, origins):
    with s.fact("a request without a trace begins one, and the backend is told of it"):
        answer, (seen,) = ask(s, origins)
        version, trace, child, flags = seen.header("traceparent").split("-")
        equal((version, flags, len(trace), len(child)), ("00", "01", 32, 16), "traceparent")
        ours, theirs = collector.of(trace)
        ensure("parentSpanId" not in ours, "it has a parent")
        equal((theirs["parentSpanId"], theirs["spanId"]), (ours["spanId"], child), "the chain of spans")
        ensure(int(ours["startTimeUnixNano"]) <= int(theirs["startTimeUnixNano"]), "the backend's part begins first")
        ensure(abs(int(ours["startTimeUnixNano"]) / 1e9 - time.time()) < 60, "the time")
        equal(ours["name"], "GET shop", "name")
        found = values(ours)
        for key, value in (("http.request.method", "GET"), ("url.path", "/shop/x"), ("http.response.status_code", "200"),
                           ("http.route", "shop"), ("sluice.pool", "web"), ("sluice.listener", "web"), ("client.address", "127.0.0.1")):
            equal(found.get(key), value, key)
        contains("ab", values(theirs)["sluice.backend"])
        resource = collector.resources[-1]
        equal((resource["service.name"], resource["service.instance.id"]), ("shop", "n1"), "resource")


def continued(s, collector, origins):
    with s.fact("a trace that is under way goes on, with its state"):
        _, (seen,) = ask(s, origins, "/shop", ("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=1,b=2"))
        ours, theirs = collector.of(TRACE)
        equal(ours["parentSpanId"], PARENT, "parent")
        equal(seen.all("traceparent"), [f"00-{TRACE}-{theirs['spanId']}-01"], "traceparent")
        equal((seen.all("tracestate"), ours["traceState"]), (["a=1,b=2"], "a=1,b=2"), "tracestate")
    with s.fact("one that its sender does not sample is passed on as it is"):
        line = f"00-{'1' * 32}-{PARENT}-00"
        _, (seen,) = ask(s, origins, "/", ("traceparent", line), ("tracestate", "a=1"))
        equal((seen.all("traceparent"), seen.all("tracestate")), ([line], ["a=1"]), "lines")
    with s.fact("a later version may say more"):
        trace = "2" * 32
        _, (seen,) = ask(s, origins, "/", ("traceparent", f"cc-{trace}-{PARENT}-01-what-will-be"))
        contains(seen.header("traceparent"), f"00-{trace}-")


def broken(s, origins):
    bad = {
        "upper case": f"00-{TRACE.upper()}-{PARENT}-01", "no trace id": f"00-{'0' * 32}-{PARENT}-01", "no parent": f"00-{TRACE}-{'0' * 16}-01",
        "version ff": f"ff-{TRACE}-{PARENT}-01", "short": f"00-{TRACE}-{PARENT}", "more than version 00 has": f"00-{TRACE}-{PARENT}-01-x",
        "a letter": f"00-{TRACE[:-1]}g-{PARENT}-01", "other separators": f"00_{TRACE}_{PARENT}_01", "empty": "",
    }
    for what, line in bad.items():
        with s.fact(f"a traceparent that is wrong begins anew ({what})"):
            _, (seen,) = ask(s, origins, "/", ("traceparent", line), ("tracestate", "a=1"))
            equal((len(seen.all("traceparent")), seen.all("tracestate")), (1, []), "lines")
            ensure(TRACE not in seen.header("traceparent"), seen.header("traceparent"))
    with s.fact("so do two of them"):
        line = ("traceparent", f"00-{TRACE}-{PARENT}-01")
        _, (seen,) = ask(s, origins, "/", line, line)
        equal(len(seen.all("traceparent")), 1, "lines")
        ensure(TRACE not in seen.header("traceparent"), "it is the same trace")


def failed(s, collector, origins):
    with s.fact("a failed request is an error, with its tries and who ended it"):
        trace = "3" * 32
        _, seen = ask(s, origins, "/status/503", ("traceparent", f"00-{trace}-{PARENT}-01"))
        ours, theirs = collector.of(trace)
        equal((len(seen), values(theirs)["http.request.resend_count"]), (2, "1"), "tries")
        equal((ours["status"].get("code"), values(ours)["error.type"]), (2, "503"), "status")
    with s.fact("a client's fault is none of ours"):
        trace = "4" * 32
        ask(s, origins, "/status/404", ("traceparent", f"00-{trace}-{PARENT}-01"))
        ours, theirs = collector.of(trace)
        equal((ours["status"], theirs["status"].get("code")), ({}, 2), "status")
    with s.fact("names that are not text stay valid"):
        trace = "5" * 32
        ask(s, origins, '/a"b\\c?x', ("traceparent", f"00-{trace}-{PARENT}-01"))
        equal(values(collector.of(trace)[0])["url.path"], '/a"b\\c', "path")


def held(s, node, collector):
    def counts():
        text = node.api("GET", "/metrics")[1]
        return {name: int(float(re.search(rf"^sluice_traced_requests_{name}_total (\S+)$", text, re.M)[1])) for name in ("exported", "lost", "dropped")}
    with s.fact("a collector that hangs costs spans, counted, and no request"):
        before = counts()
        collector.go.clear()
        slowest = 0
        with Wire(s.port("web")) as wire:
            for _ in range(1500):
                started = time.monotonic()
                equal(wire.exchange(target="/").status, 200, "status")
                slowest = max(slowest, time.monotonic() - started)
        wait(lambda: counts()["dropped"] > before["dropped"] + 500, "spans are dropped")
        wait(lambda: counts()["lost"] > before["lost"], "a batch is lost", 15)
        contains(node.must("events"), "spans are lost: ")
        s.figure("while the collector hung", f"1500 requests, the slowest {slowest * 1000:.0f} ms", f"{counts()['dropped']} not kept, {counts()['lost']} lost")
    with s.fact("it takes them again when it is back"):
        collector.go.set()
        mark = counts()["exported"]
        get(s.port("web"), "/")
        wait(lambda: counts()["exported"] > mark, "more are exported", 15)
        contains(node.must("events"), "the collector takes spans again")
