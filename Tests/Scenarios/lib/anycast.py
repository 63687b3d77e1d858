"""Anycast sites: a server behind each, a client that never stops, and what it saw."""

import struct
import sys

from lib.scenario import wait


def server(host, name, port=9000):
    """nginx on a host's loopback that answers everything with its name."""
    base = host.network.scenario.path(f"nginx-{name}")
    base.mkdir(exist_ok=True)
    temporary = "".join(f"{kind}_temp_path {base}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (base / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log warn;\nevents {{ }}\n"
        f"http {{ access_log off; {temporary}\n server {{ listen 127.0.0.1:{port} reuseport; location / {{ default_type text/plain; return 200 \"{name}\\n\"; }} }} }}\n")
    process = host.start(f"nginx-{name}", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])
    wait(lambda: host.run("curl", "-s", f"http://127.0.0.1:{port}/", check=False).strip() == name, f"the server of {name} answers", 10)
    return process


SLOW = """
import asyncio, sys
async def answer(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            await asyncio.sleep(float(sys.argv[3]))
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s\\n" % (len(sys.argv[1]) + 1, sys.argv[1].encode()))
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[2]), backlog=256) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def slow_server(host, name, port=9000, seconds=0.02):
    """Answers everything with its name, after a moment."""
    process = host.start(f"slow-{name}", [sys.executable, "-c", SLOW, name, port, seconds])
    wait(lambda: host.run("curl", "-s", f"http://127.0.0.1:{port}/", check=False).strip() == name, f"the server of {name} answers", 10)
    return process


class Client:
    """lib/anycast_client.py on a host."""

    def __init__(self, host, name, address, port=80, rate=100, timeout=2, connections=0):
        self.path = host.network.scenario.path(f"client-{name}.txt")
        with open(self.path, "wb") as output:
            self.process = host.start(
                f"client-{name}", [sys.executable, "-m", "lib.anycast_client", address, port, rate, timeout, connections], output=output)

    def requests(self, since=0.0, until=float("inf")):
        """(start, seconds, answer) of those that began in between and have ended."""
        found = []
        for line in self.path.read_text().splitlines(keepends=True):
            words = line.split()
            if line.endswith("\n") and len(words) >= 3 and since <= float(words[0]) < until:
                found.append((float(words[0]), float(words[1]), words[2]))
        return found

    def failed(self, since=0.0, until=float("inf")):
        return [item for item in self.requests(since, until) if item[2].startswith("!")]

    def answers(self, since=0.0, until=float("inf")):
        """How many requests each server answered."""
        counts = {}
        for _, _, answer in self.requests(since, until):
            counts[answer] = counts.get(answer, 0) + 1
        return counts


def bgp_messages(pcap):
    """(seconds since the epoch, source address, type, body) of each BGP message that begins a TCP segment."""
    data = pcap.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    nano = data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    position = 24
    while position + 16 <= len(data):
        seconds, fraction, captured, _ = struct.unpack(order + "IIII", data[position : position + 16])
        frame = data[position + 16 : position + 16 + captured]
        position += 16 + captured
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        start = 14 + (frame[14] & 15) * 4
        payload = frame[start + (frame[start + 12] >> 4) * 4 : 14 + struct.unpack("!H", frame[16:18])[0]]
        while len(payload) >= 19 and payload[:16] == b"\xff" * 16:
            length = struct.unpack("!H", payload[16:18])[0]
            yield seconds + fraction / (1e9 if nano else 1e6), ".".join(map(str, frame[26:30])), payload[18], payload[19:length]
            payload = payload[length:]


def withdrawals(pcap, source, after):
    """When IPv4 prefixes were withdrawn by that speaker."""
    return [moment for moment, origin, kind, body in bgp_messages(pcap)
            if origin == source and kind == 2 and body[:2] != b"\0\0" and moment > after]
