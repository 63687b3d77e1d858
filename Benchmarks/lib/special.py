"""Scenarios that are not a load through the balancer: memory, checks, reloads, the start."""

import os
import socket
import ssl
import threading
import time

from lib import load, machine
from lib.processes import get, wait_until
from lib.settings import DURATION, Trouble

IDLE = int(os.environ.get("IDLE") or 10_000)
# A private authority's certificate: who it is does not matter here.
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
REQUEST = b"GET /p0/x HTTP/1.1\r\nHost: h0.bench.test\r\n\r\n"


def idle(bench):
    """Memory with IDLE kept connections, less the memory before them."""
    import resource
    bench.start()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(IDLE + 1000, 4096), max(hard, IDLE + 1000)))
    window = machine.Window([bench.balancer.pid, bench.backend.pid])
    clients = []
    try:
        # What the first connections allocate once belongs to the process.
        clients = [opened(bench.port, bench.shape.secure) for _ in range(100)]
        time.sleep(0.5)
        before = machine.memory(bench.balancer.pid)
        clients += [opened(bench.port, bench.shape.secure) for _ in range(IDLE)]
        time.sleep(0.5)
        after = machine.memory(bench.balancer.pid)
        alive = sum(1 for one in clients if still_open(one))
    finally:
        for one in clients:
            one.close()
    window.close()
    if alive < len(clients):
        raise Trouble(f"{bench.what}: {len(clients) - alive} of {len(clients)} connections were closed")
    return {
        "bytes_per_connection": (after - before) / IDLE, "memory_before": before, "memory": after,
        # Memory is the same whoever else works.
        "foreign": window.foreign, "stolen": window.stolen, "disturbed": False,
    }


def opened(port, secure=False):
    one = socket.create_connection(("127.0.0.1", port), 10)
    if secure:
        one = CONTEXT.wrap_socket(one)
    one.sendall(REQUEST)
    answer = one.recv(4096)
    if b" 200 " not in answer[:16]:
        raise Trouble(f"an idle connection got {answer[:60]!r}")
    return one


def still_open(one):
    one.setblocking(False)
    try:
        return len(one.recv(1)) > 0
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False


def checking(bench):
    """CPU of nothing but health checks."""
    bench.start()
    # The first round, which connects and learns, is over after two intervals.
    time.sleep(5)
    window = machine.Window([bench.balancer.pid, bench.backend.pid])
    time.sleep(max(6, DURATION * 2))
    used = window.close()
    if used[bench.backend.pid].total / window.seconds < 0.002:
        raise Trouble(f"{bench.what}: hardly any check reached the backends (log: {bench.balancer.log})")
    return {
        "cpu_ms_per_second": used[bench.balancer.pid].total / window.seconds * 1000,
        # What the backends had to do says whether the checks were made at all.
        "backend_ms_per_second": used[bench.backend.pid].total / window.seconds * 1000,
        "memory": machine.memory(bench.balancer.pid),
        "foreign": window.foreign, "stolen": window.stolen, "disturbed": window.disturbed,
    }


def reloading(bench):
    """Reloads under a steady load: until the new config answers, and what the clients felt."""
    bench.start()
    seconds = max(DURATION, 3)
    window = machine.Window([bench.balancer.pid, bench.backend.pid])
    box = {}

    def drive():
        try:
            box["load"] = load.loadgen(
                bench.processes, "http", bench.port, seconds, connections=32, rate=1000, hosts=100, paths=10)
        except Trouble as trouble:
            box["trouble"] = trouble
    driver = threading.Thread(target=drive)
    driver.start()
    times = []
    try:
        for number in range(1, 6):
            time.sleep(seconds / 8)
            word = f"v{number}".encode()
            bench.peer.write(bench.shape.with_(version=word.decode()), bench.folder, bench.port, bench.backend_ports)
            start = time.monotonic()
            bench.peer.reload(bench.balancer, bench.folder)
            wait_until(lambda: (get(bench.port, path="/version") or (0, b""))[1] == word, bench.balancer, 60, bench.what)
            times.append((time.monotonic() - start) * 1000)
    finally:
        driver.join()
    window.close()
    if "trouble" in box:
        raise box["trouble"]
    return {
        "apply_ms": sorted(times)[len(times) // 2], "apply_max_ms": max(times),
        **{key: box["load"][key] for key in ("requests", "errors", "p50", "p99", "p999", "max")},
        "memory": machine.memory(bench.balancer.pid),
        "foreign": window.foreign, "stolen": window.stolen, "disturbed": window.disturbed,
    }


def starting(bench):
    """Process start to first answer."""
    window = machine.Window([bench.backend.pid])
    start = time.monotonic()
    bench.start(wait=False)
    wait_until(lambda: (get(bench.port) or (0,))[0] == 200, bench.balancer, 60, bench.what)
    taken = (time.monotonic() - start) * 1000
    used = machine.Usage(bench.balancer.pid)
    window.close()
    return {
        "start_ms": taken, "start_cpu_ms": used.total * 1000, "memory": machine.memory(bench.balancer.pid),
        "foreign": window.foreign, "stolen": window.stolen, "disturbed": False,
    }
