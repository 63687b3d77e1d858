"""A real Prometheus scrapes the node: its own checks pass, and the alert rules tell what happened."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

from lib.node import Node, UnixHTTP
from lib.origin import Origin
from lib.scenario import Failure, contains, ensure, equal, wait
from lib.wire import Wire

LIMIT = 90
EXAMPLES = Path(__file__).resolve().parents[3] / "Examples"


def run(s):
    a, _ = (Origin(s, name) for name in "ab")
    node = Node(s)
    for name in "ab":
        node.wait_verdict("web", name, "up")
    with Wire(s.port("web")) as wire:
        for _ in range(195):
            wire.exchange()
        for _ in range(5):
            equal(wire.exchange(target="/none").status, 404, "status")
    text(s, node)
    files(s)
    top(s, node)
    prometheus = start(s)
    scraped(s, node, prometheus)
    alerts(s, node, a, prometheus)


def scrape(s, accept="text/plain"):
    request = urllib.request.Request(f"http://127.0.0.1:{s.port('metrics')}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def text(s, node):
    kind, plain = scrape(s)
    with s.fact("promtool check metrics finds nothing"):
        contains(kind, "version=0.0.4")
        done = subprocess.run(["promtool", "check", "metrics"], input=plain, capture_output=True, text=True, timeout=20)
        equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool")
    with s.fact("OpenMetrics is told by its type and its end"):
        kind, opened = scrape(s, "application/openmetrics-text; version=1.0.0")
        contains(kind, "application/openmetrics-text")
        ensure(opened.endswith("# EOF\n"), "no end mark")
    with s.fact("the metrics are those of the status"):
        requests = int(re.search(r'^sluice_listener_requests_total\{listener="web"\} (\d+)$', plain, re.M)[1])
        equal(requests, 200, "requests")
        count = int(re.search(r'^sluice_listener_request_duration_seconds_count\{listener="web"\} (\d+)$', plain, re.M)[1])
        equal(count, 200, "durations")
        routes = dict(re.findall(r'^sluice_route_(\w+\{listener="web",route="\w+".*\}) (\d+)$', plain, re.M))
        equal(routes, {
            'requests_total{listener="web",route="all"}': "195", 'requests_total{listener="web",route="none"}': "5",
            'errors_total{listener="web",route="all",code="4xx"}': "0", 'errors_total{listener="web",route="all",code="5xx"}': "0",
            'errors_total{listener="web",route="none",code="4xx"}': "5", 'errors_total{listener="web",route="none",code="5xx"}': "0",
        }, "routes")
    with s.fact("the port has nothing but metrics, the socket has them too"):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{s.port('metrics')}/v1/status", timeout=5)
            raise Failure("the status is served without a token")
        except urllib.error.HTTPError as error:
            equal(error.code, 404, "status")
        connection = UnixHTTP(str(node.socket))
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        equal(answer.status, 200, "status on the socket")
        contains(answer.read().decode(), "sluice_build_info")
        connection.close()


def files(s):
    with s.fact("promtool check rules takes the example"):
        done = subprocess.run(["promtool", "check", "rules", EXAMPLES / "prometheus/rules.yaml"], capture_output=True, text=True, timeout=20)
        equal(done.returncode, 0, f"exit status ({done.stdout} {done.stderr})")
    with s.fact("the dashboard asks for metrics that there are"):
        _, plain = scrape(s)
        known = set(re.findall(r"^([a-z_]+)[ {]", plain, re.M))
        dashboard = json.loads((EXAMPLES / "grafana/dashboard.json").read_text())
        asked = {name for panel in dashboard["panels"] for target in panel["targets"] for name in re.findall(r"sluice_[a-z_]+", target["expr"])}
        ensure(len(asked) > 10, "it asks for hardly anything")
        equal(asked - known, set(), "unknown metrics")


def top(s, node):
    with s.fact("sluice top shows rates of the time between two pictures"):
        with Wire(s.port("web")) as wire:
            process = s.start("top", [s.binary, "top", "--socket", node.socket, "--count", "2", "--interval", "0.5"], expect_exit=True)
            while process.running:
                wire.exchange()
                time.sleep(0.005)
        equal(process.wait(5), 0, "exit status")
        rows = re.findall(r"^web +\d+ +[\d.]+ +([\d.]+) ", process.log(), re.M)
        equal(len(rows), 2, "pictures")
        ensure(float(rows[-1]) > 10, f"requests per second: {rows}")
        ensure("\x1b" not in process.log(), "colours without a terminal")


def start(s):
    rules = (EXAMPLES / "prometheus/rules.yaml").read_text()
    # A scenario has seconds where an operator has minutes.
    s.path("rules.yaml").write_text(re.sub(r"for: \d+m", "for: 0s", rules).replace("[5m]", "[10s]"))
    s.path("prometheus.yml").write_text(f"""
global: {{ scrape_interval: 500ms, evaluation_interval: 500ms }}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: sluice
    static_configs: [{{ targets: ["127.0.0.1:{s.port('metrics')}"] }}]
""")
    s.start("prometheus", [
        "prometheus", f"--config.file={s.path('prometheus.yml')}", f"--storage.tsdb.path={s.path('tsdb')}",
        f"--web.listen-address=127.0.0.1:{s.port('prometheus')}", "--log.level=warn"])
    base = f"http://127.0.0.1:{s.port('prometheus')}/api/v1/"

    def ask(path, **query):
        with urllib.request.urlopen(base + path + "?" + urllib.parse.urlencode(query), timeout=5) as answer:
            return json.load(answer)["data"]
    wait(lambda: ask("query", query="sluice_build_info")["result"], "Prometheus has scraped", 30, 0.1)
    return ask


def value(ask, query):
    found = ask("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else None


def scraped(s, node, ask):
    with s.fact("queries give what happened"):
        equal(value(ask, "sum(sluice_backend_up)"), 2.0, "backends up")
        ensure(value(ask, 'sluice_listener_requests_total{listener="web"}') >= 200, "requests")
    with s.fact("a quantile of the scraped histogram is that of the node, within a doubling"):
        mine = next(one for one in node.status()["listeners"] if one["name"] == "web")["requestTimes"]["p50"]
        theirs = value(ask, "histogram_quantile(0.5, sluice_listener_request_duration_seconds_bucket)")
        ensure(0.4 < theirs / mine < 2.5, f"{theirs} against {mine}")
        s.figure("p50 of 200 requests", f"node {mine * 1e6:.0f} us", f"Prometheus {theirs * 1e6:.0f} us")


def alerts(s, node, a, ask):
    def firing():
        return {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"}
    with s.fact("a node that has just started is told, and nothing else is wrong"):
        wait(lambda: firing() == {"SluiceRestarted"}, "only SluiceRestarted fires", 20, 0.2)
    with s.fact("a dead backend fires SluiceBackendDown with its name"):
        a.stop()
        node.wait_verdict("web", "a", "down")
        wait(lambda: "SluiceBackendDown" in firing(), "SluiceBackendDown fires", 20, 0.2)
        names = {alert["labels"].get("backend") for alert in ask("alerts")["alerts"] if alert["labels"]["alertname"] == "SluiceBackendDown"}
        equal(names, {"a"}, "backends")
    with s.fact("it stops when the backend is back"):
        a.start()
        node.wait_verdict("web", "a", "up")
        wait(lambda: firing() == {"SluiceRestarted"}, "it has stopped", 20, 0.2)
