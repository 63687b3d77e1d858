"""Instructions in user space, counted by callgrind: the same on a quiet machine and on a busy one."""

import re
import shutil
import subprocess
import time

from lib import machine, peers
from lib.processes import wait_until
from lib.settings import OUT, Trouble

TOOLS = {"valgrind": "valgrind", "callgrind_control": "valgrind", "strip": "binutils"}


def require(tools):
    missing = sorted({package for tool, package in tools.items() if not shutil.which(tool)})
    if missing:
        raise Trouble(f"missing {', '.join(missing)}: apt-get install {' '.join(missing)}")


def stripped():
    """The binary without its debug information, which this valgrind cannot read; the symbols stay."""
    target, source = OUT / "guard/sluice", peers.ALL["sluice"].binary()
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["strip", "--strip-debug", "-o", target, source], check=True)
    return target


class Counted:
    """Sluice under callgrind, not counting yet."""

    def __init__(self, processes, config, what):
        require(TOOLS)
        self.out = processes.folder / "callgrind.out"
        for old in processes.folder.glob("callgrind.out*"):
            old.unlink()
        self.processes = processes
        self.dumps = 0
        self.popen = processes.start(
            "sluice-callgrind",
            ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no",
             f"--callgrind-out-file={self.out}", stripped(), "run", config], machine.PROXY_CORE)
        wait_until(lambda: "serving" in self.popen.log.read_text(errors="replace"), self.popen, 60, what)

    def control(self, *words):
        done = subprocess.run(["callgrind_control", *words, str(self.popen.pid)], capture_output=True, text=True, timeout=60)
        if done.returncode != 0 or "Error" in done.stdout + done.stderr:
            raise Trouble(f"callgrind_control {' '.join(words)}: {(done.stdout + done.stderr).strip()[-200:]}")

    def begin(self):
        self.control("-i", "on")

    def end(self):
        """Stops counting and returns the busiest thread's file: the worker's."""
        self.control("-i", "off")
        self.control("-d")
        self.dumps += 1
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            files = sorted(self.out.parent.glob(f"callgrind.out.{self.dumps}-*"))
            if files:
                return max(files, key=instructions)
            time.sleep(0.05)
        raise Trouble(f"callgrind wrote nothing (log: {self.popen.log})")


def instructions(file):
    found = re.search(r"^totals: (\d+)", file.read_text(errors="replace"), re.M)
    return int(found[1]) if found else 0


def top(file, count, units):
    """The functions that took most themselves: (instructions per unit, share, name)."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", file], capture_output=True, text=True).stdout
    if shutil.which("swift"):
        text = subprocess.run(["swift", "demangle", "--simplified"], input=text, capture_output=True, text=True).stdout
    rows = []
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+) \(\s*([\d.]+)%\)\s+(\S*?):(.*)$", line)
        if found and "PROGRAM TOTALS" not in line:
            name = re.sub(r" \[[^\]]*\]$", "", found[4])
            rows.append((int(found[1].replace(",", "")) / units, float(found[2]), name))
    return rows[:count]
