"""The access log in every form and to every place; a reader that does not read stalls nobody."""

import os
import re
import socket
import threading

from lib.load import Load
from lib.node import Node
from lib.peers import named_nginx
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 120
LINE = re.compile(
    r'(\S+) "(\S+) (\S+) (\S+)" (?:HTTP/1\.1|-) - (\d+) (\S+)/(\S+) tries=(\S+) q=(\S+) c=(\S+) f=(\S+) t=(\d+) (\S+) (.+) \{x\}$')


def run(s):
    named_nginx(s, "a")
    receiver = Receiver(s.port("syslog"))
    s.defer(receiver.close)
    slow = Slow(s.port("slow"))
    s.defer(slow.close)
    node = Node(s)
    syslog(s, receiver, slow)
    places(s, node)
    node.process.stop()
    blocked(s)


class Receiver:
    """A syslog daemon: RFC 5424 by UDP, or on a Unix socket."""

    HEAD = re.compile(r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) sluice (\d+) access - (.*)$")

    def __init__(self, place):
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(place if isinstance(place, str) else ("127.0.0.1", place))
        self.socket.settimeout(0.1)
        self.lines, self.bad, self.running = [], [], True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            try:
                text = self.socket.recv(65536).decode()
            except TimeoutError:
                continue
            found = self.HEAD.match(text)
            if found:
                self.lines.append((int(found[1]), found[5]))
            else:
                self.bad.append(text)

    def one(self, select, what):
        return wait(lambda: next((line for _, line in reversed(self.lines) if select(line)), None), what, 5)

    def close(self):
        self.running = False
        self.thread.join()
        self.socket.close()


class Slow:
    """Answers each request after 200 ms."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            pause = threading.Event()
            while client.recv(65536):
                pause.wait(0.2)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self):
        self.listener.close()


def syslog(s, receiver, slow):
    with s.fact("a line in the operator's form reaches syslog as RFC 5424 says"):
        equal(get(s.port("web"), '/say"hello\\').status, 200, "status")
        line = receiver.one(lambda l: "hello" in l, "the line")
        found = LINE.match(line)
        ensure(found, line)
        equal(found.groups()[1:8], ("GET", "sluice.test", '/say\\"hello\\\\', "200", "web", "a", "1"), "its fields")
        ensure(found[9] == "-" and int(found[10]) >= 0 and 0 < int(found[11]) <= int(found[12]), f"times: {line}")
        equal((found[13], found[14]), ("-", "-"), "reason and detail")
        # local3, informational
        equal({priority for priority, _ in receiver.lines}, {19 * 8 + 6}, "priorities")
        ensure(not receiver.bad, f"not understood: {receiver.bad[:1]}")
    with s.fact("a kept-alive connection is no connect; a wait in the queue is told"):
        turns = [threading.Thread(target=get, args=(s.port("web"), f"/narrow/{n}")) for n in range(3)]
        for turn in turns:
            turn.start()
        for turn in turns:
            turn.join()
        receiver.one(lambda l: sum("/narrow/" in line for _, line in receiver.lines) == 3, "three lines")
        found = [LINE.match(line) for _, line in receiver.lines if "/narrow/" in line]
        waits = sorted(0 if f[9] == "-" else int(f[9]) for f in found)
        ensure(waits[0] == 0 and waits[1] > 100_000 and waits[2] > 300_000, f"waits {waits}")
        equal(sorted(f[10] == "-" for f in found), [False, True, True], "connections that were there already")
        for f in found:
            ensure(int(f[11]) >= (0 if f[9] == "-" else int(f[9])) + 190_000, f"first byte {f[11]} after a wait of {f[9]}")
        s.figure("waits in the queue", ", ".join(f"{w // 1000} ms" for w in waits))
    with s.fact("a refused request names its fault, and cannot break the line"):
        with Wire(s.port("web")) as wire:
            wire.send("GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(wire.response().status, 400, "status")
        line = receiver.one(lambda l: "malformed-request" in l, "the line")
        contains(line, '"- - -" - - 400 -/-')
    with s.fact("a TCP connection has its line, too"):
        equal(get(s.port("plain"), headers={"Connection": "close"}).status, 200, "status")
        line = receiver.one(lambda l: '"- - -" - - 0 web/a' in l, "the line")
        contains(line, "tries=1")


def places(s, node):
    path = str(s.path("log.sock"))
    unix = Receiver(path)
    with s.fact("a reload moves the log to another socket"):
        node.reload(node.template.replace('syslog:127.0.0.1:${syslog}', f"syslog:unix:{path}"))
        get(s.port("web"), "/over-unix")
        unix.one(lambda l: "/over-unix" in l, "the line")
    unix.close()
    os.unlink(path)
    with s.fact("without a receiver lines are lost and counted, and a new one is found"):
        get(s.port("web"), "/nobody")
        wait(lambda: dropped(node) > 0, "a line is counted as lost", 5)
        unix = Receiver(path)
        get(s.port("web"), "/somebody")
        unix.one(lambda l: "/somebody" in l, "the line")
        unix.close()
    with s.fact("the same form into a file, opened again by signal"):
        file = s.path("lines.log")
        node.reload(
            node.template.replace('"syslog:127.0.0.1:${syslog}"', f'"{file}"').replace("  facility: local3\n", ""))
        get(s.port("web"), "/first")
        wait(lambda: "/first" in file.read_text(), "the line", 5)
        os.rename(file, s.path("lines.old"))
        os.kill(node.pid, 10)
        wait(file.exists, "the file is made anew", 5)
        get(s.port("web"), "/second")
        wait(lambda: "/second" in file.read_text(), "the line", 5)
        ensure("/first" not in file.read_text(), "lines of before")


def dropped(node):
    return node.status()["droppedLogLines"]


def blocked(s):
    """Standard output into a pipe that nobody reads."""
    reader, writer = os.pipe()
    node = Node(
        s, name="sluice-2", output=writer,
        replace=(('"syslog:127.0.0.1:${syslog}"', "stdout"), ("  facility: local3\n", "")))
    os.close(writer)
    load = Load(s, f"http://127.0.0.1:{s.port('web')}/{'x' * 400}", connections=16)
    wait(lambda: dropped(node) > 1000, "lines are dropped", 60)
    served = node.status()["listeners"][0]["requests"]
    wait(lambda: node.status()["listeners"][0]["requests"] > served + 2000, "requests go on", 20)
    figures = load.stop()
    s.figure("into a pipe that nobody reads", f"{figures.requests} requests", f"{figures.failed} failed", f"{dropped(node)} lines dropped")
    with s.fact("a reader that does not read stalls no request, and what is lost is counted"):
        equal(figures.failed, 0, "failed requests")
        metrics = node.api("GET", "/metrics")[1]
        found = re.search(r"^sluice_access_log_lines_dropped_total (\d+)", metrics, re.M)
        ensure(found and int(found[1]) > 1000, "not in the metrics")
    with s.fact("nor does it keep the node from ending"):
        node.process.signal(15)
        equal(node.process.wait(10), 0, "exit status")
    os.close(reader)
