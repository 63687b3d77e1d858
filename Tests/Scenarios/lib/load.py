"""Load by wrk: started in the background, stopped when the scenario has done its part."""

import re
import signal

from lib.scenario import Failure


class Load:
    def __init__(self, scenario, url, name="wrk", connections=64, threads=1, seconds=300, headers=()):
        command = ["wrk", "--latency", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        for header in headers:
            command += ["-H", header]
        self.process = scenario.start(name, [*command, url], expect_exit=True, stop_signal=signal.SIGINT)

    def stop(self):
        """Ends it and returns its figures."""
        if not self.process.running:
            raise Failure(f"wrk ended early: {self.process.log()}")
        self.process.signal(signal.SIGINT)
        return self.result(15)

    def result(self, seconds):
        """Its figures once it has run its time."""
        self.process.wait(seconds)
        return Figures(self.process.log())


class Figures:
    def __init__(self, text):
        def number(pattern):
            found = re.search(pattern, text)
            return int(found[1]) if found else 0

        if "requests in" not in text:
            raise Failure(f"wrk said: {text[-400:]}")
        self.text = text
        self.requests = number(r"(\d+) requests in")
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.p50 = (re.search(r"50%\s+(\S+)", text) or [0, "?"])[1]
        self.p99 = (re.search(r"99%\s+(\S+)", text) or [0, "?"])[1]
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.connect, self.read, self.write, self.timeout = map(int, errors.groups()) if errors else (0, 0, 0, 0)
        self.bad_status = number(r"Non-2xx or 3xx responses: (\d+)")

    @property
    def failed(self):
        return self.connect + self.read + self.write + self.timeout + self.bad_status

    def __str__(self):
        return (
            f"{self.failed} failed (connect {self.connect}, read {self.read}, write {self.write}, timeout {self.timeout}, "
            f"status {self.bad_status}) of {self.requests}"
        )
