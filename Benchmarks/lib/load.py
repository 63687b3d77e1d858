"""The clients: wrk where it fits, the project's loadgen where no packaged tool does."""

import json
import pathlib

from lib import machine
from lib.settings import CONNECTIONS, LOADGEN, OUT, Trouble

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


def wrk(processes, port, seconds, path="/p0/x", close=False):
    """Requests as fast as answers come, on CONNECTIONS connections."""
    script = OUT / "report.lua"
    script.write_text(WRK_REPORT)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script, "-H", "Host: h0.bench.test"]
    if close:
        command += ["-H", "Connection: close"]
    text = processes.output([*command, f"http://127.0.0.1:{port}{path}"], machine.LOAD_CORE, seconds + 30)
    return parsed(text, "JSON ")


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
