"""DNS clients for scenarios: dnspython where an answer is looked at, dig and others where they are the point."""

import socket
import struct
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from lib.scenario import Failure


def ask(port, name, kind="A", tcp=False, host="127.0.0.1", timeout=3, flags=0, **options):
    """The response to one query, without RD unless `flags` has it."""
    query = dns.message.make_query(name, kind, **{"use_edns": 0, "payload": 1232, **options})
    query.flags = flags
    method = dns.query.tcp if tcp else dns.query.udp
    try:
        return method(query, host, port=port, timeout=timeout)
    except dns.exception.Timeout:
        raise TimeoutError(f"no answer to {name} {kind} within {timeout} s") from None


def addresses(response, kind="A"):
    """The addresses of the answer section, in their order."""
    wanted = dns.rdatatype.from_text(kind)
    return [item.to_text() for rrset in response.answer if rrset.rdtype == wanted for item in rrset]


def lookup(port, name, kind="A", **options):
    return addresses(ask(port, name, kind, **options), kind)


def code(response):
    return dns.rcode.to_text(response.rcode())


def has(response, flag):
    return bool(response.flags & getattr(dns.flags, flag))


def raw(port, data, timeout=0.3, host="127.0.0.1"):
    """What comes back for these bytes over UDP; None when nothing does."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect((host, port))
        client.send(data)
        try:
            return client.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


class Stream:
    """A TCP client that sends frames as it likes."""

    def __init__(self, port, host="127.0.0.1", timeout=5):
        self.socket = socket.create_connection((host, port), timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, wire):
        self.socket.sendall(struct.pack("!H", len(wire)) + wire)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError("closed by the server")
            data += part
        return data

    def read(self):
        return dns.message.from_wire(self.exactly(struct.unpack("!H", self.exactly(2))[0]))


def tool(*words, timeout=20, check=True):
    """The output of a program."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()[-300:]} {done.stdout.strip()[-300:]}")
    return done.stdout
