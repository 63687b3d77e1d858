"""Processes that the benchmark starts, and ends by their id."""

import ctypes
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

from lib import machine
from lib.settings import Trouble

PR_SET_PDEATHSIG = 1
PR_SET_TIMERSLACK = 29
LIBC = ctypes.CDLL(None)


class Processes:
    """All that runs for one scenario; its logs lie in one folder."""

    def __init__(self, group, folder):
        self.group, self.folder, self.running = group, folder, []
        folder.mkdir(parents=True, exist_ok=True)

    def _prepare(self, core):
        def prepare():
            os.setsid()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            # Kernel timers are 50 µs late by default; the same for all, balancers too.
            LIBC.prctl(PR_SET_TIMERSLACK, 1000)
            os.sched_setaffinity(0, {core})
            self.group.enter()
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return prepare

    def start(self, name, command, core, environment=None, log=None):
        log = log or self.folder / f"{name}.log"
        with open(log, "wb") as out:
            popen = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.folder, env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})},
                preexec_fn=self._prepare(core))
        popen.log, popen.name = pathlib.Path(log), name
        self.running.append(popen)
        return popen

    def output(self, command, core, timeout, environment=None):
        """The standard output of a command that ends by itself."""
        done = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout, cwd=self.folder, env={**os.environ, **(environment or {})},
            preexec_fn=self._prepare(core))
        if done.returncode != 0:
            raise Trouble(f"{pathlib.Path(str(command[0])).name} failed: {done.stdout.strip()[-300:]}")
        return done.stdout

    def stop(self, popen):
        """Kills the process and its descendants; a balancer's grace is not what is measured."""
        if popen not in self.running:
            return
        pids = machine.tree(popen.pid) if popen.poll() is None else []
        # All at once: a master that sees a worker die would start another.
        try:
            os.killpg(popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        popen.wait()
        for pid in pids[1:]:
            if alive(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        deadline = time.monotonic() + 5
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.005)
        self.running.remove(popen)

    def stop_all(self):
        for popen in list(self.running):
            self.stop(popen)


def alive(pid):
    """Not gone, and not a zombie that init has yet to reap."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def require_free(ports, scenario):
    """Says which port is taken, before something half starts."""
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as one:
                if kind == socket.SOCK_STREAM:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    one.bind(("0.0.0.0", port))
                except OSError as error:
                    raise Trouble(f"{scenario}: port {port} is taken ({error.strerror}); BENCH_PORT=n moves all of them")


def wait_until(ready, popen, seconds, what):
    """Waits for `ready()`; names the log when the process ends first or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if popen.poll() is not None:
            raise Trouble(f"{what}: {popen.name} ended with {popen.returncode}: {tail(popen.log)} (log: {popen.log})")
        if ready():
            return
        time.sleep(0.005)
    raise Trouble(f"{what}: {popen.name} was not ready after {seconds} s (log: {popen.log})")


def tail(path):
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def connects(port):
    """Whether TCP connects."""
    with socket.socket() as one:
        one.settimeout(0.2)
        return one.connect_ex(("127.0.0.1", port)) == 0


def get(port, host="h0.bench.test", path="/", timeout=1.0):
    """(status, body) of one request, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as one:
            one.settimeout(timeout)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := one.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    except (OSError, IndexError, ValueError):
        return None


def answers(port):
    """Whether the balancer answers 200."""
    got = get(port, path="/p0/x")
    return got is not None and got[0] == 200
