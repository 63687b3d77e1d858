"""What the machine is, who used its processors, and the place where our processes run."""

import os
import pathlib
import platform
import signal
import subprocess
import sys
import time

from lib import network
from lib.settings import Trouble

HZ = os.sysconf("SC_CLK_TCK")
PROXY_CORE = 0
LOAD_CORE = 1 if (os.cpu_count() or 1) > 1 else 0


# MARK: processor time

def children():
    """parent -> its children, of all processes."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            found.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    return found


def tree(pid):
    """The process and all that descend from it."""
    table, pending, found = children(), [pid], []
    while pending:
        one = pending.pop()
        found.append(one)
        pending += table.get(one, [])
    return found


class Usage:
    """Processor time of a process tree so far, in seconds; exact to the nanosecond but for the user/system split."""

    def __init__(self, pid):
        self.user = self.system = self.total = 0.0
        ticks = 0.0
        for one in tree(pid):
            try:
                fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
                # Threads that have ended count in stat alone; those alive are exact in schedstat.
                for task in os.listdir(f"/proc/{one}/task"):
                    self.total += int(pathlib.Path(f"/proc/{one}/task/{task}/schedstat").read_text().split()[0]) / 1e9
            except (OSError, IndexError):
                continue
            self.user += int(fields[11]) / HZ
            self.system += int(fields[12]) / HZ
            ticks += (int(fields[11]) + int(fields[12])) / HZ
        # Without CONFIG_SCHED_INFO the ticks are all there is.
        self.total = self.total or ticks

    def __sub__(self, earlier):
        result = object.__new__(Usage)
        result.total = self.total - earlier.total
        user, system = self.user - earlier.user, self.system - earlier.system
        share = user / (user + system) if user + system > 0 else 0
        result.user, result.system = result.total * share, result.total * (1 - share)
        return result


def busy():
    """Seconds that all processors worked, and that the hypervisor took, so far."""
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / HZ, steal / HZ


def memory(pid):
    """Proportional resident bytes of a process tree: shared pages count once."""
    total = 0
    for one in tree(pid):
        try:
            for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


class Window:
    """The measured time: what ours and others used in it."""

    # Foreign work or stolen time above this share of all processors disturbs a run.
    LIMIT = 0.04

    def __init__(self, pids):
        self.pids = pids
        self.before = {pid: Usage(pid) for pid in pids}
        self.child_time = sum(os.times()[2:4])
        self.own_time = sum(os.times()[:2])
        self.machine = busy()
        self.start = time.monotonic()

    def close(self):
        """The usage by pid; sets `seconds`, `foreign` and `stolen` (shares of all processors)."""
        self.seconds = time.monotonic() - self.start
        machine = busy()
        used = {pid: Usage(pid) - before for pid, before in self.before.items()}
        ours = sum(one.total for one in used.values())
        ours += sum(os.times()[2:4]) - self.child_time + sum(os.times()[:2]) - self.own_time
        capacity = self.seconds * (os.cpu_count() or 1)
        self.foreign = max(0.0, machine[0] - self.machine[0] - ours) / capacity
        self.stolen = (machine[1] - self.machine[1]) / capacity
        return used

    @property
    def disturbed(self):
        return self.foreign > Window.LIMIT or self.stolen > Window.LIMIT


# MARK: a cgroup with a high share

class Group:
    """A CPU cgroup for proxy, client and backend, so that other work on the machine (which autogroup would put on an
    equal footing) gets little while we run. Without the right to make one, runs go on without, and the report says so."""

    NAME = f"sluice-bench-{os.getpid()}"

    def __init__(self):
        self.path, self.note = None, "none"
        for root, weight, value, version in (
            ("/sys/fs/cgroup", "cpu.weight", "10000", "v2"),
            ("/sys/fs/cgroup/unified", "cpu.weight", "10000", "v2"),
            ("/sys/fs/cgroup/cpu", "cpu.shares", "262144", "v1"),
        ):
            path = pathlib.Path(root) / Group.NAME
            try:
                if version == "v2" and "cpu" not in (pathlib.Path(root) / "cgroup.controllers").read_text().split():
                    continue
                path.mkdir()
            except OSError:
                continue
            try:
                if version == "v2" and not (path / weight).exists():
                    (pathlib.Path(root) / "cgroup.subtree_control").write_text("+cpu")
                (path / weight).write_text(value)
                self.path, self.note = path, f"cgroup {version}, {weight} {value}"
                return
            except OSError:
                path.rmdir()

    def enter(self):
        """In the child, before exec."""
        if self.path:
            (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        for _ in range(50):
            if not self.path or not self.path.exists():
                return
            try:
                self.path.rmdir()
            except OSError:
                time.sleep(0.1)


# MARK: what it is

def facts():
    cpu = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    kilobytes = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
    return {
        "processor": cpu[0] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{kilobytes / 1048576:.0f} GiB",
        "kernel": platform.release(),
        "system": next((line.split("=", 1)[1].strip().strip('"') for line in open("/etc/os-release")
                        if line.startswith("PRETTY_NAME")), platform.system()),
        "network": network.described(),
    }


def output(command, pattern=None):
    """The first line of a command's output, for versions; "unknown" if it cannot be had."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and (pattern or "") in line]
    return lines[0].strip() if lines else "unknown"


def end_on_sigterm():
    """Being told to end is no reason to leave processes and a cgroup behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def need(path, how):
    if not os.access(path, os.X_OK):
        raise Trouble(f"no {path}: {how}")
