"""SNI passthrough: TLS that is never opened goes where its ClientHello says, however that is cut."""

import contextlib
import random
import socket
import ssl
import time

from lib.node import Node
from lib.origin import Server
from lib.pki import Authority, s_client
from lib.scenario import ensure, equal


def run(s):
    ca = Authority(s)
    pairs = {name: ca.issue(name, [f"{name}.test", f"x.{name}.test"]) for name in ("a", "b")}

    def serve(name, proxied=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pairs[name])
        context.set_alpn_protocols(["special", "http/1.1"])

        def handle(wire):
            if proxied:
                # Byte for byte: what follows is TLS's.
                header = wire.socket.recv(16, socket.MSG_WAITALL)
                wire.socket.recv(int.from_bytes(header[14:], "big"), socket.MSG_WAITALL)
            with contextlib.suppress(OSError, ssl.SSLError):
                secure = context.wrap_socket(wire.socket, server_side=True)
                secure.sendall(f"{name}\n".encode())
                while data := secure.recv(65536):
                    secure.sendall(data)
        return handle

    Server(s, "a", serve("a"))
    Server(s, "b", serve("b", proxied=True))
    Server(s, "other", lambda wire: wire.send("other\n"))
    node = Node(s)
    context = ssl.create_default_context(cafile=ca.certificate)

    def talk(name, size=None, pause=0, alpn=None):
        """The backend's name, behind a verified handshake; the ClientHello in pieces of `size` bytes, in records of one."""
        client = ssl.create_default_context(cafile=ca.certificate)
        if alpn:
            client.set_alpn_protocols([alpn])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        side = client.wrap_bio(incoming, outgoing, server_hostname=name)
        with socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = True
            while True:
                try:
                    side.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    data = outgoing.read()
                    if first and size:
                        for start in range(0, len(data), size):
                            plain.sendall(data[start:start + size])
                            time.sleep(pause)
                    else:
                        plain.sendall(data)
                    first = False
                    incoming.write(plain.recv(65536))
            plain.sendall(outgoing.read())
            while True:
                try:
                    return side.read(100).decode().strip()
                except ssl.SSLWantReadError:
                    incoming.write(plain.recv(65536))

    with s.fact("a name leads to its backend, which shows its own certificate"):
        equal([talk("a.test"), talk("x.b.test")], ["a", "b"], "who answers")
    with s.fact("a ClientHello in segments of one byte, of seven, of a hundred"):
        equal([talk("a.test", size) for size in (1, 7, 100)], ["a"] * 3, "who answers")
    with s.fact("segments with pauses between them"):
        equal(talk("a.test", 150, pause=0.05), "a", "who answers")
    with s.fact("the handshake message in many records"):
        equal([in_records(s, context, size) for size in (20, 1)], [b"a.test"] * 2, "the name that the backend saw")
    with s.fact("ALPN leads, too"):
        # Not verified: the name is nobody's.
        out = s_client(s.port("pass"), "-alpn", "special", "-servername", "nobody.test")[1]
        ensure("CN = b" in out, out[-300:])
    with s.fact("another name, no name and no TLS at all take the last route"):
        for first in (b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
                plain.sendall(first)
                equal(plain.recv(100), b"other\n", f"the answer to {first[:10]}")
    with s.fact("a ClientHello that two could read differently is refused"):
        with socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
            plain.settimeout(5)
            plain.sendall(bytes([22, 3, 1, 0, 4, 1, 0, 0, 0]))
            with contextlib.suppress(ConnectionResetError):
                equal(plain.recv(10), b"", "an end")
    with s.fact("half a ClientHello has its time"):
        with socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
            plain.settimeout(6)
            plain.sendall(b"\x16\x03\x01\x02")
            start = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                equal(plain.recv(10), b"", "an end")
            took = time.monotonic() - start
            ensure(1.8 < took < 4, f"after {took:.2f} s")
    with s.fact("noise breaks nothing"):
        dice = random.Random(7)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
                plain.sendall(b"\x16\x03" + dice.randbytes(dice.randrange(1, 600)))
        equal(talk("a.test"), "a", "who answers")


def in_records(s, context, size):
    """Cuts the ClientHello into TLS records of `size` bytes and returns what the backend's certificate is for."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context.wrap_bio(incoming, outgoing, server_hostname="a.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
    message = outgoing.read()[5:]
    with socket.create_connection(("127.0.0.1", s.port("pass")), 5) as plain:
        for start in range(0, len(message), size):
            part = message[start:start + size]
            plain.sendall(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part)
        while True:
            try:
                side.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                data = plain.recv(65536)
                if not data:
                    return b"closed"
                incoming.write(data)
    return dict(side.getpeercert()["subjectAltName"][:1])["DNS"].encode()
