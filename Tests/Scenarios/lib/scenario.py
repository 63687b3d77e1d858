"""One scenario's life: its directory, processes, facts, figures, and the end of them all."""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback


class Failure(AssertionError):
    """Something expected that is not so."""


class Scenario:
    def __init__(self, folder):
        self.folder = folder
        self.name = folder.name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"sluice-{self.name}-"))
        self.binary = os.environ["SLUICE"]
        self.failures = []
        self.facts = self.held = 0
        self.rows = []
        self._ports = {}
        self._locks = []
        self._cleanup = contextlib.ExitStack()
        self._processes = []

    # MARK: the run

    def conduct(self, run):
        """Runs it, cleans up whatever happens, prints the figures; the exit status."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            with self._cleanup:
                run(self)
                for process in self._processes:
                    if process.crashed:
                        self._fail(f"{process.name} died by itself: {process.ending}")
        except SystemExit:
            self._fail("stopped from outside")
        except Exception as error:
            self._fail(f"{describe(error)}")
        self._print_figures()
        if self.failures:
            self._print_failures()
            if said := os.environ.get("SCENARIO_FAILURES"):
                pathlib.Path(said).write_text("\n".join(self.failures))
        if not self.failures and not os.environ.get("SCENARIO_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        elif not self.failures:
            print(f"   kept: {self.dir}")
        print(f"   {self.held} of {self.facts} facts hold", flush=True)
        return 1 if self.failures else 0

    @contextlib.contextmanager
    def fact(self, text):
        """One thing that shall be so. A failure is noted and the scenario goes on."""
        self.facts += 1
        try:
            yield
            self.held += 1
        except Exception as error:
            self._fail(f"{text}: {describe(error)}")

    def check(self, condition, text):
        """A fact that is already known to be so or not."""
        with self.fact(text):
            if not condition:
                raise Failure("not so")

    def figure(self, *columns):
        """A row of the table at the end."""
        self.rows.append([str(column) for column in columns])

    def _fail(self, text):
        self.failures.append(text)
        print(f"   ✗ {text}", flush=True)

    def _print_figures(self):
        if not self.rows:
            return
        widths = [max(len(row[i]) for row in self.rows if i < len(row)) for i in range(max(map(len, self.rows)))]
        for row in self.rows:
            print("   │ " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def _print_failures(self):
        for process in self._processes:
            if process.name.startswith("sluice"):
                tail = process.log()[-3000:].splitlines()[-15:]
                print(f"   the end of {process.name}'s log:\n     " + "\n     ".join(tail))
        print(f"   logs: {self.dir}")

    # MARK: what scenarios ask for

    def defer(self, call, *arguments):
        """Called at the end, last in first out, also after a failure."""
        self._cleanup.callback(call, *arguments)

    def path(self, name):
        return self.dir / name

    def port(self, name):
        """A free port by name, the same at every call; TCP and UDP, IPv4 and IPv6."""
        if name not in self._ports:
            self._ports[name] = self._free_port()
        return self._ports[name]

    def _free_port(self):
        # Below the kernel's own range, so that no outgoing connection takes it in between.
        low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        for _ in range(1000):
            port = random.randrange(10000, max(low, 11000))
            # An abstract socket is the lock that other runs see, and that a crash frees.
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0sluice-scenario-port-{port}")
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(socket.AF_INET6, kind) as probe:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                        probe.bind(("::", port))
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            return port
        raise Failure("no free port")

    def fill(self, template):
        """${name} → the port of that name; ${dir} → the scenario's directory."""
        return re.sub(
            r"\$\{([a-z0-9-]+)\}", lambda m: str(self.dir) if m[1] == "dir" else str(self.port(m[1])), template
        )

    def start(self, name, command, **options):
        return Process(self, name, command, **options)


class Process:
    """A child process: its output in a file, its end by its pid."""

    def __init__(self, scenario, name, command, environment=None, expect_exit=False, stop_signal=signal.SIGTERM, cwd=None, output=None):
        self.name = name
        self.stop_signal = stop_signal
        self.expect_exit = expect_exit
        self.ending = None
        log = scenario.path(f"{name}.log")
        self.log_path = log
        with open(log, "ab") as errors:
            self.popen = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output or errors, stderr=errors, cwd=cwd,
                env=dict(os.environ, **(environment or {})), start_new_session=True,
            )
        scenario._processes.append(self)
        scenario.defer(self.stop)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def crashed(self):
        """Ended without having been asked to."""
        if self.popen.poll() is None or self.ending == "asked" or self.expect_exit:
            return False
        self.ending = f"status {self.popen.returncode}"
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """kill -9, of the process and what it started."""
        self.ending = "asked"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()

    def wait(self, seconds):
        """The exit status; fails when it does not end in time."""
        self.ending = "asked"
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} has not ended after {seconds} s") from None

    def stop(self):
        if self.popen.poll() is None:
            self.ending = "asked"
            self.popen.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(3)
        if self.popen.poll() is None:
            self.kill()

    def rss(self):
        """Resident memory in KiB."""
        return proc_status(self.pid, "VmRSS")


def proc_status(pid, field):
    found = re.search(rf"^{field}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found[1])


def wait(condition, what, seconds=10, every=0.02):
    """Until condition() is true-ish; its value. The deadline is a failure, not a pause."""
    deadline = time.monotonic() + seconds
    error = None
    while True:
        try:
            value = condition()
            error = None
            if value:
                return value
        except (OSError, Failure, ValueError, KeyError, IndexError, StopIteration) as caught:
            error = caught
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}" + (f" ({describe(error)})" if error else ""))
        time.sleep(every)


def accepts(port, host="127.0.0.1"):
    with socket.create_connection((host, port), 1):
        return True


def equal(found, expected, what="value"):
    if found != expected:
        raise Failure(f"{what} is {shorten(found)}, expected {shorten(expected)}")


def ensure(condition, text):
    if not condition:
        raise Failure(text)


def contains(text, part):
    if part not in text:
        raise Failure(f"no {part!r} in {shorten(text)}")


def shorten(value, length=300):
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def describe(error):
    """The message and the line of the scenario that it came from."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith("scenario.py") and "/lib/" not in frame.filename:
            place = f" [line {frame.lineno}]"
    kind = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
    return f"{kind}{error}{place}"
