"""What a service manager says and hears: READY, RELOADING, STOPPING, the watchdog, MAINPID, sockets that it has opened."""

import json
import os
import signal
import socket
import subprocess
import threading

from lib.node import Node
from lib.peers import UDPEcho, named_nginx
from lib.scenario import contains, ensure, equal, wait
from lib.wire import get

LIMIT = 90


class Manager:
    """The socket that sd_notify(3) sends to, with the sender of each message."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.said, self.running = [], True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            try:
                data, control, _, _ = self.socket.recvmsg(4096, 256)
            except TimeoutError:
                continue
            sender = next(int.from_bytes(c[2][:4], "little") for c in control if c[1] == socket.SCM_CREDENTIALS)
            self.said.append((sender, data.decode().split("\n")))

    def count(self, word, sender=None):
        return sum(word in words for who, words in self.said if sender in (None, who))

    def close(self):
        self.running = False
        self.thread.join()
        self.socket.close()


def run(s):
    named_nginx(s, "a")
    UDPEcho(s, "e")
    manager = Manager(s.path("notify.sock"))
    s.defer(manager.close)
    # As a socket unit does: bound, listening, from descriptor 3 on.
    tcp = socket.create_server(("127.0.0.1", s.port("web")), backlog=64)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(s.path("web.sock")))
    unix.listen(64)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", s.port("echo")))
    # Somebody who comes before the service does.
    early = socket.create_connection(("127.0.0.1", s.port("web")))
    early.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    pid_file = s.path("sluice.pid")
    launcher = s.path("launch")
    launcher.write_text(
        "#!/usr/bin/python3\nimport os, sys\n"
        # By way of high numbers, since one may be another's place.
        f"high = [os.dup2(fd, 100 + fd) for fd in [{tcp.fileno()}, {unix.fileno()}, {udp.fileno()}]]\n"
        "for number, fd in enumerate(high):\n"
        "    os.dup2(fd, 3 + number, inheritable=True)\n"
        "os.closerange(6, 300)\n"
        "os.environ.update(LISTEN_FDS='3', LISTEN_PID=str(os.getpid()))\n"
        f"os.execv(sys.argv[1], sys.argv[1:] + ['--pid-file', '{pid_file}'])\n")
    launcher.chmod(0o755)
    node = Started(s, manager, launcher, [tcp, unix, udp])
    with s.fact("READY=1 comes when it serves, from the process that is named"):
        wait(lambda: manager.count("READY=1", node.pid) == 1, "READY=1", 10)
        contains(manager.said[0][1], f"MAINPID={node.pid}")
        equal(pid_file.read_text().strip(), str(node.pid), "the number in the file")
    with s.fact("the manager's sockets are served, and whoever waited in them"):
        with early, early.makefile("rb") as answer:
            contains(answer.readline().decode(), "200")
        for _ in range(20):
            equal(get(s.port("web")).status, 200, "by TCP")
            equal(get(str(s.path("web.sock"))).status, 200, "by the Unix socket")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(3)
                client.sendto(b"x", ("127.0.0.1", s.port("echo")))
                contains(client.recv(100), b"x")
        ensure(inode(node.pid, 3) == os.fstat(tcp.fileno()).st_ino, "another socket listens")
    with s.fact("the watchdog hears of it, again and again"):
        wait(lambda: manager.count("WATCHDOG=1", node.pid) >= 3, "three times", 10)
    with s.fact("a reload says RELOADING=1, then READY=1"):
        node.reload()
        wait(lambda: manager.count("RELOADING=1") == 1 and manager.count("READY=1") == 2, "both", 5)
    upgraded(s, node, manager, pid_file)


def upgraded(s, node, manager, pid_file):
    old = node.pid
    new = json.loads(node.must("upgrade", "--json"))["process"]
    s.defer(kill, new)
    with s.fact("an upgrade names the process that goes on, which then says that it is ready"):
        wait(lambda: manager.count("READY=1", new) == 1, "READY=1 of the new process", 10)
        named = [i for i, (who, words) in enumerate(manager.said) if who == old and words == [f"MAINPID={new}"]]
        ready = [i for i, (who, words) in enumerate(manager.said) if who == new and "READY=1" in words]
        ensure(named and ready and named[0] < ready[0], f"said: {manager.said[-4:]}")
        wait(lambda: pid_file.read_text().strip() == str(new), "the number in the file")
    with s.fact("the sockets are the manager's still, and the watchdog is fed"):
        equal(get(s.port("web")).status, 200, "by TCP")
        equal(get(str(s.path("web.sock"))).status, 200, "by the Unix socket")
        wait(lambda: manager.count("WATCHDOG=1", new) >= 2, "twice", 10)
    with s.fact("the end is said, the number goes, the manager's socket file stays"):
        os.kill(new, signal.SIGTERM)
        wait(lambda: manager.count("STOPPING=1", new) == 1, "STOPPING=1", 5)
        wait(lambda: not pid_file.exists(), "the file is gone", 10)
        ensure(s.path("web.sock").exists(), "the manager's file was removed")
    s.figure("READY=1", "RELOADING=1", "WATCHDOG=1", "STOPPING=1")
    s.figure(*(manager.count(word) for word in ("READY=1", "RELOADING=1", "WATCHDOG=1", "STOPPING=1")))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def inode(pid, fd):
    return os.stat(f"/proc/{pid}/fd/{fd}").st_ino


class Started(Node):
    """`sluice run` as a service manager starts it."""

    def __init__(self, s, manager, launcher, sockets):
        for one in sockets:
            one.set_inheritable(True)
        start = s.start

        def with_sockets(name, command, **options):
            popen = subprocess.Popen
            subprocess.Popen = lambda *a, **k: popen(*a, **dict(k, pass_fds=[one.fileno() for one in sockets]))
            try:
                return start(name, command, **options)
            finally:
                subprocess.Popen = popen

        s.start = with_sockets
        super().__init__(
            s, prefix=(launcher,),
            environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"})
        s.start = start
        self.process.expect_exit = True
