"""Strict clients: what they do while something changes that nobody may notice. And the processes that come and go meanwhile."""

import contextlib
import os
import signal
import threading
import time

from lib.scenario import equal
from lib.wire import Wire


class Clients(threading.Thread):
    """One kind of client in a loop, in a network namespace if one is given: whatever is not a whole answer is a failure."""

    def __init__(self, kind, turn, pause=0, space=None):
        super().__init__(daemon=True, name=kind)
        self.kind, self.turn, self.pause = kind, turn, pause
        self.space = space or contextlib.nullcontext()
        self.stopping, self.done, self.failures = False, 0, []
        self.start()

    def run(self):
        with self.space:
            while not self.stopping:
                try:
                    self.turn()
                    self.done += 1
                    time.sleep(self.pause)
                except Exception as error:
                    self.failures.append(f"{time.monotonic():.3f} {type(error).__name__}: {error}")
                    time.sleep(0.01)

    def stop(self):
        self.stopping = True
        self.join(20)


def fresh(to):
    """A request on a connection of its own."""
    def turn():
        with Wire(to) as wire:
            wire.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            equal(wire.response().status, 200, "status")
    return turn


class Kept:
    """Requests on one connection; it ends where an answer says so, and nowhere else."""

    def __init__(self, to, pause=0):
        self.to, self.pause, self.wire = to, pause, None

    def __call__(self):
        self.wire = self.wire or Wire(self.to)
        try:
            answer = self.wire.exchange()
        except Exception:
            self.wire = None
            raise
        if (answer.header("Connection") or "").lower() == "close":
            self.wire.close()
            self.wire = None
        time.sleep(self.pause)
        equal(answer.status, 200, "status")


def alive(pid):
    """Not gone, and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pids):
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
