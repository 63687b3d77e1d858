"""The clients: wrk where it fits, the project's loadgen where no packaged tool does."""

import http.server
import json
import pathlib
import re
import socket
import threading

from lib import machine, peers
from lib.settings import CONNECTIONS, LOADGEN, OUT, Trouble

RESUMERS = 4

# Only `done` is Lua: requests are sent by wrk's own C.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nJSON {"seconds": %f, "requests": %d, "bytes": %d, "errors": %d, "mean": %f, ' ..
    '"p50": %f, "p90": %f, "p99": %f, "p999": %f, "max": %f}\\n',
    summary.duration / 1e6, summary.requests, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency.mean, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
    latency.max))
end
"""


def wrk(processes, port, seconds, path="/p0/x", close=False, secure=False):
    """Requests as fast as answers come, on CONNECTIONS connections."""
    script = OUT / "report.lua"
    script.write_text(WRK_REPORT)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script, "-H", "Host: h0.bench.test"]
    if close:
        command += ["-H", "Connection: close"]
    text = processes.output([*command, f"{'https' if secure else 'http'}://127.0.0.1:{port}{path}"], machine.LOAD_CORE, seconds + 30)
    return parsed(text, "JSON ")


def observed(processes, port, seconds):
    """wrk; where Sluice logs, its metrics are read once a second, and its spans taken, too."""
    if not (processes.folder / "sluice.access.log").exists():
        return wrk(processes, port, seconds)
    done = threading.Event()
    reader = threading.Thread(target=scrape, args=(processes.folder / "sluice.sock", done))
    with http.server.HTTPServer(("127.0.0.1", peers.collector([port + 1])), Collector) as spans:
        taker = threading.Thread(target=spans.serve_forever)
        reader.start()
        taker.start()
        try:
            return wrk(processes, port, seconds)
        finally:
            done.set()
            reader.join()
            spans.shutdown()
            taker.join()


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans, and forgets them."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


def scrape(path, done):
    while not done.wait(1):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n")
            while connection.recv(65536):
                pass


def resumed(processes, port, seconds):
    """Handshakes that resume a session, RESUMERS clients at once: one alone would leave the balancer idle between its steps,
    and what an idle core costs to wake would be measured. TLS 1.2: s_time knows no tickets of 1.3."""
    whole = max(1, round(seconds))
    one = f"openssl s_time -connect 127.0.0.1:{port} -reuse -tls1_2 -time {whole} &"
    text = processes.output(["sh", "-c", one * RESUMERS + " wait"], machine.LOAD_CORE, seconds + 30)
    found = re.findall(r"(\d+) connections in (\d+) real seconds", text)
    if len(found) != RESUMERS:
        raise Trouble(f"s_time said: {text.strip()[-300:]}")
    return {"seconds": whole, "requests": sum(int(count) for count, _ in found), "bytes": 0, "errors": 0}


def h2load(processes, port, seconds, path="/x", streams=32, connections=8, message=None, secure=False):
    """Requests by HTTP/2, by ALPN or with prior knowledge; percentiles from its log of each request."""
    log = OUT / "h2load.log"
    log.unlink(missing_ok=True)
    command = [
        "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{max(1, round(seconds))}", f"--log-file={log}", "-H", ":authority: h0.bench.test"]
    if message is not None:
        body = OUT / "h2load.message"
        body.write_bytes(message)
        command += ["-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers"]
    text = processes.output([*command, f"{'https' if secure else 'http'}://127.0.0.1:{port}{path}"], machine.LOAD_CORE, seconds + 30)
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(row[2]) for row in rows)
    failed = sum(not row[1].startswith("2") for row in rows)
    if not times:
        raise Trouble(f"h2load said no figures: {text.strip()[-300:]}")
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
    return {
        "seconds": float(max(1, round(seconds))), "requests": len(times) - failed, "bytes": 0, "errors": failed,
        "mean": sum(times) / len(times), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": times[-1]}


def loadgen(processes, mode, port, seconds, **options):
    words = [f"{key}={value}" for key, value in options.items()]
    command = [LOADGEN, mode, f"127.0.0.1:{port}", f"seconds={seconds}", *words]
    text = processes.output(command, machine.LOAD_CORE, seconds + 30)
    return parsed(text, "")


def parsed(text, prefix):
    for line in text.splitlines():
        if line.startswith(prefix + "{"):
            return json.loads(line[len(prefix):])
    raise Trouble(f"the client said no figures: {text.strip()[-300:]}")
