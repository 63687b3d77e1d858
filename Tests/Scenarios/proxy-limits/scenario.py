"""Clients that ask for too much, and a machine that has too little."""

import json
import os
import signal
import socket
import subprocess
import time

from lib.node import Node
from lib.origin import Origin
from lib.scenario import Failure, contains, ensure, equal, wait
from lib.wire import Closed, Wire, get

LIMIT = 180


def run(s):
    origin = Origin(s, "origin")
    s.path("log").mkdir()
    node = Node(s)
    slow_clients(s, origin)
    sizes(s, origin)
    rates(s)
    access(s, origin)
    connections(s)
    port_in_use(s)
    lost_config(s, node)
    node.process.stop()
    full_disk(s)
    idle_reader(s)
    no_descriptors(s)


def ended_with(wire, statuses, seconds):
    """Ends with one of these statuses, or by a plain close, in time."""
    start = time.monotonic()
    try:
        status = wire.response().status
        ensure(status in statuses, f"status {status}")
    except Closed:
        status = "close"
    ensure(wire.ended(3), f"after {status} the connection stays open")
    took = time.monotonic() - start
    ensure(took < seconds, f"after {took:.2f} s")
    return status, f"{took:.2f} s"


def slow_clients(s, origin):
    s.figure("slow clients, limit 1 s", "ended by", "after")
    with s.fact("slowloris: a head that comes byte by byte is cut at the head timeout"), Wire(s.port("slow")) as wire:
        start, sent = time.monotonic(), 0
        wire.socket.setsockopt(6, 1, 1)
        try:
            for byte in b"GET /slowloris HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100:
                wire.send(bytes([byte]))
                sent += 1
                time.sleep(0.1)  # the attack's pace
                wire.socket.settimeout(0.001)
                try:
                    if wire.socket.recv(1000, socket.MSG_PEEK) is not None:
                        break
                except TimeoutError:
                    pass
                ensure(time.monotonic() - start < 4, "still open after 4 s")
        except (BrokenPipeError, ConnectionResetError):
            pass
        wire.socket.settimeout(5)
        status, _ = ended_with(wire, [408], 3)
        took = time.monotonic() - start
        s.figure("head, a byte per 0.1 s", status, f"{took:.2f} s")
        ensure(0.7 < took < 3, f"after {took:.2f} s")
    with s.fact("a head that stops in the middle"), Wire(s.port("slow")) as wire:
        wire.send("GET / HTTP/1.1\r\nHo")
        s.figure("head, stopped", *ended_with(wire, [408], 3))
    with s.fact("a body that does not come"), Wire(s.port("slow")) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        s.figure("body, stopped", *ended_with(wire, [408], 4))
    with s.fact("a chunked body that does not come"), Wire(s.port("slow")) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        s.figure("chunk, stopped", *ended_with(wire, [408], 4))
    with s.fact("a client that does not read its response"), Wire(s.port("slow"), receive_buffer=4096) as wire:
        wire.send("GET /bytes/67108864 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.head()
        wait(lambda: origin.concurrent == 0, "the backend's connection is released", 10)
    with s.fact("an idle connection is closed without a word"), Wire(s.port("slow")) as wire:
        equal(wire.exchange().status, 200, "status")
        start = time.monotonic()
        equal(wire.rest(), b"", "bytes before the close")
        ensure(0.7 < time.monotonic() - start < 3, f"after {time.monotonic() - start:.2f} s")
    with s.fact("a connection that never says anything is closed"), Wire(s.port("slow")) as wire:
        ensure(wire.ended(4), "it stays open")


def sizes(s, origin):
    small = s.port("small")
    cases = [
        ("a head in the limit", 200, {"headers": {"X-A": "a" * 3000}}),
        ("a head above the limit", 431, {"headers": {"X-A": "a" * 4100}}),
        ("many small fields above the limit", 431, {"headers": [(f"X-{i}", "y") for i in range(11)]}),
        ("a URI in the limit", 200, {"target": "/" + "a" * 1000}),
        ("a URI above the limit", 414, {"target": "/" + "a" * 1100}),
        ("a URI far above the limit", 414, {"target": "/" + "a" * 100_000}),
        ("a body in the limit", 200, {"method": "POST", "body": b"x" * 1024}),
        ("a body above the limit", 413, {"method": "POST", "body": b"x" * 1025}),
    ]
    for name, status, request in cases:
        with s.fact(f"{name}: {status}"):
            count = len(origin.requests)
            try:
                equal(get(small, **request).status, status, "status")
            except (ConnectionResetError, BrokenPipeError, Closed):
                # Cut while it still sent: as clear, when the head alone was beyond all limits.
                ensure(len(request.get("target", "")) > 50_000, "cut without a status")
            ensure(status == 200 or len(origin.requests) == count, "the backend saw it")
    with s.fact("a chunked body above the limit: 413 or the end, and the backend has no whole request"), Wire(small) as wire:
        chunk = "400\r\n" + "x" * 1024 + "\r\n"
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2 + "0\r\n\r\n")
        try:
            equal(wire.response().status, 413, "status")
        except Closed:
            pass
        ensure(wire.ended(3), "the connection stays open")
    with s.fact("an endless head costs the client its connection, not the node its memory"), Wire(s.port("web")) as wire:
        try:
            wire.send("GET / HTTP/1.1\r\nHost: x\r\n")
            for index in range(100_000):
                wire.send(f"X-{index}: {'y' * 100}\r\n")
            status = wire.response().status
        except (ConnectionError, Closed):
            status = "cut"
        ensure(status in (431, "cut"), f"status {status}")


def rates(s):
    with s.fact("request rate: after the burst 429, each source for itself, and it recovers"):
        port = s.port("requests")
        with Wire(port) as wire:
            statuses = []
            for _ in range(20):
                try:
                    statuses.append(wire.exchange().status)
                except Closed:
                    statuses.append("close")
                    break
        limited = [status for status in statuses if status != 200]
        s.figure("20 requests at 5/s burst 5", f"{statuses.count(200)} served", f"then {limited[:1]}")
        ensure(4 <= statuses.count(200) <= 7, f"statuses {statuses}")
        ensure(limited and limited[0] in (429, 503), f"statuses {statuses}")
        equal(get(port, source="127.0.0.2").status, 200, "status of another source")
        wait(lambda: get(port).status == 200, "the rate lets it in again", 3, every=0.25)
    for name in ("connects", "tcp-connects"):
        with s.fact(f"connection rate ({name}): after the burst closed, each source for itself, and it recovers"):
            port = s.port(name)

            def served(source=None):
                try:
                    with Wire(port, timeout=3, source=source) as wire:
                        return wire.exchange().status == 200
                except (Closed, ConnectionError):
                    return False

            answers = [served() for _ in range(20)]
            s.figure(f"20 connections at 5/s burst 5 ({name})", f"{sum(answers)} served", "")
            ensure(4 <= sum(answers) <= 7, f"{sum(answers)} of 20 served")
            ensure(served("127.0.0.2"), "another source was refused")
            wait(served, "the rate lets it in again", 4, every=0.5)


def access(s, origin):
    def served(name, source):
        count = len(origin.requests)
        try:
            with Wire(s.port(name), timeout=3, source=source) as wire:
                status = wire.exchange().status
        except (Closed, ConnectionError):
            status = 403
        ensure((status == 200) == (len(origin.requests) > count), f"status {status}, and the backend saw otherwise")
        ensure(status in (200, 403), f"status {status}")
        return status == 200

    for name, source, expected in [
        ("deny", "127.0.0.1", True), ("deny", "127.0.0.8", False), ("deny", "127.0.0.15", False), ("deny", "127.0.0.16", True),
        ("allow", "127.0.0.1", False), ("allow", "127.0.0.8", True), ("allow", "127.0.0.9", False), ("allow", "127.0.0.16", False),
        ("tcp-deny", "127.0.0.1", True), ("tcp-deny", "127.0.0.9", False),
    ]:
        with s.fact(f"{name}: {source} is {'served' if expected else 'refused'}"):
            equal(served(name, source), expected, "served")


def connections(s):
    with s.fact("above the connection limit a client waits until one leaves"):
        holders = [Wire(s.port("few")) for _ in range(4)]
        for holder in holders:
            equal(holder.exchange().status, 200, "status of the first four")
        with Wire(s.port("few"), timeout=0.5) as fifth:
            fifth.send("GET /fifth HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                fifth.response()
                raise Failure("the fifth is served at once")
            except Closed:
                raise Failure("the fifth is closed") from None
            except Failure as failure:
                if "nothing came" not in str(failure):
                    raise
            holders.pop().close()
            fifth.socket.settimeout(5)
            equal(fifth.response().status, 200, "status of the fifth")
        for holder in holders:
            holder.close()


def port_in_use(s):
    with s.fact("a port in use: the node names it and does not start"):
        with socket.socket() as occupant:
            occupant.bind(("127.0.0.1", s.port("occupied")))
            occupant.listen(1)
            config = s.path("occupied.yaml")
            config.write_text(s.fill(
                'admin: { socket: "${dir}/occupied.sock" }\nlisteners:\n  web: { bind: "127.0.0.1:${occupied}", protocol: tcp, pool: p }\n'
                'pools:\n  p: { backends: ["127.0.0.1:1"] }\n'
            ))
            done = subprocess.run([s.binary, "run", config], capture_output=True, text=True, timeout=10)
        ensure(done.returncode != 0, "exit status 0")
        text = done.stderr + done.stdout
        contains(text, f"127.0.0.1:{s.port('occupied')}")
        contains(text, "in use")
        s.figure("port in use", next(line for line in text.splitlines() if "in use" in line)[:110], "")


def lost_config(s, node):
    web = s.port("web")
    text = node.config.read_text()
    generation = node.generation()
    with s.fact("a config that has disappeared: reload says so, and the node serves on"):
        node.config.unlink()
        done = node.cli("reload")
        ensure(done.returncode != 0, "sluice reload says success")
        contains(done.stderr + done.stdout, node.config.name)
        logged = len(node.process.log())
        node.process.signal(signal.SIGHUP)
        wait(lambda: node.config.name in node.process.log()[logged:], "the log names the file", 5)
        equal(get(web).status, 200, "status")
        equal(node.generation(), generation, "generation")
    with s.fact("… an unreadable, an empty and a broken one likewise"):
        for broken in ("", "listeners: [", "\0\1\2", "listeners: {}\nsurprise: 1\n"):
            node.config.write_text(broken)
            ensure(node.cli("reload").returncode != 0, f"reload of {broken!r} says success")
        node.config.unlink()
        node.config.mkdir()
        ensure(node.cli("reload").returncode != 0, "reload of a directory says success")
        node.config.rmdir()
        equal(get(web).status, 200, "status")
        equal(node.generation(), generation, "generation")
    with s.fact("when it is back, it goes in"):
        node.config.write_text(text)
        node.must("reload")
        equal(get(web).status, 200, "status")


def full_disk(s):
    """A disk of 64 KiB for the access log, in a mount namespace that ends with the node."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
    node = Node(s, name="sluice-full-disk", prefix=[*unshare, "sh", "-c", script, "sh", s.path("log")])
    log = f"/proc/{node.pid}/root{s.path('log')}/access.log"
    with s.fact("a full disk for the access log: every request is served"):
        with Wire(s.port("web")) as wire:
            statuses = {wire.exchange(target=f"/{'x' * 200}").status for _ in range(1000)}
        equal(statuses, {200}, "statuses")
        size = wait(lambda: os.stat(log).st_size >= 60 * 1024 and os.stat(log).st_size, "the log fills the disk", 5)
        ensure(size <= 64 * 1024, f"{size} bytes")
        ensure(node.process.running, "the node has ended")
    with s.fact("… the node's own log says so once in a while, not for each line"):
        text = wait(lambda: "space" in node.process.log() and node.process.log(), "the log says that there is no space", 5)
        ensure(text.lower().count("space") < 50, f"{text.lower().count('space')} times")
    with s.fact("… each line is in the log or counted as lost"):
        def written():
            with open(log, "rb") as file:
                return file.read().count(b"\n")
        wait(lambda: written() + node.status()["droppedLogLines"] == 1000, "as many as there were requests", 5)
        ensure(written() > 100, f"{written()} lines in the log")
    with s.fact("… and when there is room again, the log goes on, and no line is spoilt by the one that had no room"):
        torn = os.stat(log).st_size
        subprocess.run(["nsenter", "--mount", f"--target={node.pid}", "mount", "-o", "remount,size=1m", s.path("log")], check=True)

        def again():
            get(s.port("web"), "/room-again")
            with open(log, "rb") as file:
                file.seek(torn)
                return b"/room-again" in file.read()
        wait(again, "a new line is in the log", 8, every=0.2)
        with open(log, "rb") as file:
            lines = file.read().split(b"\n")
        broken = [line for line in lines if line and not line.endswith(b"}")]
        ensure(len(broken) <= 1, f"{len(broken)} lines are broken")
        ensure(json.loads(next(line for line in lines if b"/room-again" in line)), "the new line is no JSON")
    node.process.stop()


def idle_reader(s):
    """The access log in a pipe that nobody reads."""
    reader, writer = os.pipe()
    with open(writer, "wb") as output:
        node = Node(s, name="sluice-idle-reader", replace=[('"${dir}/log/access.log"', "stdout")], output=output)
    with s.fact("a log that nobody reads: every request is served, and the node ends when it is told to"):
        with Wire(s.port("web")) as wire:
            equal({wire.exchange(target=f"/{'x' * 200}").status for _ in range(1000)}, {200}, "statuses")
        node.process.signal(signal.SIGTERM)
        equal(node.process.wait(8), 0, "exit status")
    os.close(reader)


def no_descriptors(s):
    node = Node(s, name="sluice-few-descriptors", prefix=["prlimit", "--nofile=96:96"])
    web, wires = s.port("web"), []
    with s.fact("without descriptors the node lives, and its log says why nobody is served"):
        for _ in range(200):
            wire = Wire(web, timeout=5)
            wire.send("GET /held HTTP/1.1\r\n")
            wires.append(wire)
        wait(lambda: len(os.listdir(f"/proc/{node.pid}/fd")) >= 90, "the node has no descriptors left", 5)
        before, start = ticks(node.pid), time.monotonic()
        time.sleep(1)  # the window in which a spinning loop would show
        share = (ticks(node.pid) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start)
        s.figure("CPU of a node without descriptors", f"{share:.0%} of a core", "")
        ensure(node.process.running, "it has ended")
        ensure(share < 0.5, f"it takes {share:.0%} of a core")
        wait(lambda: any(word in node.process.log().lower() for word in ("descriptors", "open files")), "the log names the cause")
    for wire in wires:
        wire.close()
    with s.fact("… and when they are back, it serves all again"):
        wait(lambda: get(web, timeout=2).status == 200, "a request is served", 10)
        equal([get(web).status for _ in range(50)], [200] * 50, "statuses")


def ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
