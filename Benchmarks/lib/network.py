"""A network of the benchmark's own: nothing but loopback, the kernel's defaults, and CUBIC."""

import os
import subprocess
import sys

# As Linux and Debian have it. BBR, where the host chose it, paces by timers, also on loopback: a transfer's cost then has two
# states, one twice the other, whoever the balancer is.
CONGESTION = "cubic"
MARK = "SLUICE_BENCH_NETWORK"


def enter():
    """Goes on in a network namespace of its own, by running this program again; says which network it is, with loopback ready.

    Without the right to make one it stays in the host's network.
    """
    note = os.environ.get(MARK)
    if note:
        prepare()
        return note
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0:
        os.environ[MARK] = f"a namespace of its own, {CONGESTION}"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv, "--no-install"])
    return described()


def described():
    return os.environ.get(MARK) or "the host's (no right to make a namespace)"


def prepare():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for where in ("127.0.0.0/8", "127.0.0.1"):
        route = ["dev", "lo", "table", "local", "src", "127.0.0.1", "congctl", CONGESTION]
        subprocess.run(["ip", "route", "replace", "local", where, *route], check=True)
