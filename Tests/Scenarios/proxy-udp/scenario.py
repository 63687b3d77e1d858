"""UDP: sessions, per-datagram balancing, expiry, the way back."""

import socket

from lib.node import Node
from lib.peers import UDPEcho
from lib.scenario import Failure, ensure, equal, wait


class Client:
    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, port))
        self.socket.settimeout(3)

    def ask(self, text):
        """Sends and returns (who answered, what)."""
        self.socket.send(text.encode())
        return self.receive()

    def receive(self):
        try:
            name, _, text = self.socket.recv(65535).decode().partition(":")
        except TimeoutError:
            raise Failure("no answer in 3 s") from None
        return name, text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def run(s):
    servers = {name: UDPEcho(s, name) for name in ("one", "two", "three")}
    node = Node(s)
    for name in servers:
        node.wait_verdict("echo", name, "up")
    sessions(s, servers)
    datagrams(s)
    ends(s, node, servers)


def others(seen):
    return [(peer, data) for peer, data in seen if data != b"probe"]


def sessions(s, servers):
    with s.fact("a client keeps its backend; clients spread over all"):
        counts = {name: 0 for name in servers}
        for index in range(60):
            with Client(s.port("session")) as client:
                names = {client.ask(f"{index}-{turn}")[0] for turn in range(5)}
                equal(len(names), 1, f"backends of one client {names}")
                counts[names.pop()] += 1
        s.figure("clients per backend, by session", *counts.items())
        ensure(min(counts.values()) >= 10, f"spread {counts}")
    with s.fact("each session has a way back of its own"):
        clients = [Client(s.port("session")) for _ in range(30)]
        for index, client in enumerate(clients):
            client.socket.send(f"mine-{index}".encode())
        for index, client in reversed(list(enumerate(clients))):
            equal(client.receive()[1], f"mine-{index}", "the answer")
            client.socket.close()
    with s.fact("a backend may send later what nobody asked for"), Client(s.port("session")) as client:
        name, _ = client.ask("hello-later")
        peer = next(peer for peer, data in servers[name].seen if data == b"hello-later")
        servers[name].push(b"news:later", peer)
        equal(client.receive(), ("news", "later"), "the datagram")
    with s.fact("a session ends when it is idle"), Client(s.port("session")) as client:
        name, _ = client.ask("expire")
        peer = next(peer for peer, data in servers[name].seen if data == b"expire")

        def gone():
            servers[name].push(b"late:late", peer)
            client.socket.settimeout(0.05)
            try:
                client.receive()
            except Failure:
                return True
            return False
        # Each answer refreshes the session at most once; then silence lets it end.
        client.socket.settimeout(3)
        wait(gone, "the way back is closed", 6, every=1.6)
    with s.fact("IPv6"), Client(s.port("session"), "::1") as client:
        equal(client.ask("six")[1], "six", "the answer")
    with s.fact("an empty and a large datagram pass whole"), Client(s.port("session")) as client:
        equal(client.ask("")[1], "", "the answer")
        equal(client.ask("x" * 60_000)[1], "x" * 60_000, "the answer")


def datagrams(s):
    with s.fact("per-datagram balancing: one client's datagrams go to all backends"), Client(s.port("datagram")) as client:
        names = [client.ask(str(turn))[0] for turn in range(30)]
        counts = {name: names.count(name) for name in sorted(set(names))}
        s.figure("datagrams per backend, by datagram", *counts.items())
        equal(len(counts), 3, f"backends in {counts}")
    with s.fact("after its only reply a session is over: the next may go elsewhere"), Client(s.port("once")) as client:
        names = {client.ask(str(turn))[0] for turn in range(12)}
        ensure(len(names) > 1, f"all went to {names}")
    with s.fact("more sessions than allowed: the node serves on"):
        clients = [Client(s.port("few")) for _ in range(12)]
        answered = 0
        for client in clients:
            client.socket.settimeout(0.3)
            try:
                answered += client.ask("few")[1] == "few"
            except Failure:
                pass
        s.figure("clients answered with max-sessions 4", answered)
        ensure(answered >= 4, f"{answered} answered")
        for client in clients:
            client.socket.close()


def ends(s, node, servers):
    with s.fact("a datagram for a pool that refuses does no harm"), Client(s.port("dead")) as client:
        for _ in range(3):
            client.socket.send(b"nobody")
    with s.fact("a backend that dies: new clients go to the others"):
        servers["one"].stop()
        verdict = node.wait_verdict("echo", "one", "down")
        s.figure("verdict of a stopped UDP server", verdict["reason"])
        for index in range(12):
            with Client(s.port("session")) as client:
                ensure(client.ask(str(index))[0] != "one", "the dead one answered")
