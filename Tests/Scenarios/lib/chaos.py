"""Clients and backends that do whatever a seed says, on one asyncio loop: what may come, comes.

A request's path tells the backend how to behave, so that a client knows what it must get:
/good/N answers with N bytes of the pattern; /bad/SEED does something wrong.
"""

import asyncio
import random
import socket
import struct

from lib.origin import BLOCK

PATTERN = BLOCK * 8
GRACE = 12  # seconds after which a client that has no end to its request says so


def reset(writer):
    """Ends a connection with a reset."""
    connection = writer.get_extra_info("socket")
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    writer.transport.abort()


async def dribble(dice, writer, data):
    """Sends in pieces of any size, sometimes with a pause between them."""
    position = 0
    while position < len(data):
        size = dice.choice([1, 7, 100, 4096, 65535, 65536, 1 << 20])
        # Single bytes of a large body would take for ever.
        size = max(size, (len(data) - position) // 12)
        writer.write(data[position:position + size])
        position += size
        await writer.drain()
        if dice.random() < 0.3:
            await asyncio.sleep(dice.choice([0, 0, 0.001, 0.01]))


class Backend:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.requests = 0

    async def __call__(self, reader, writer):
        dice = random.Random(self.dice.random())
        try:
            while await self.one(dice, reader, writer):
                pass
        except (OSError, ValueError, EOFError):
            pass
        finally:
            writer.close()

    async def one(self, dice, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests += 1
        method, target, _ = head.split("\r\n")[0].split(" ")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        words = target.strip("/").split("/")
        number = int(words[-1]) if words[-1].isdigit() else 0
        if words[0] == "bad":
            return await self.misbehave(random.Random(number), reader, writer)
        if "upgrade" in fields:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            return await self.echo(dice, reader, writer)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            return await self.echo(dice, reader, writer)
        if fields.get("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self.read_body(reader, fields)
        if dice.random() < 0.2:
            await asyncio.sleep(dice.random() / 50)
        if dice.random() < 0.1:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        return await self.answer(dice, writer, method, number)

    async def read_body(self, reader, fields):
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                await reader.readexactly(size + 2)
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
        else:
            await reader.readexactly(int(fields.get("content-length", 0)))

    async def answer(self, dice, writer, method, number):
        body = PATTERN[:number]
        kind = dice.choice(["length", "length", "chunked", "close", "last"])
        lines = {
            "length": f"Content-Length: {number}\r\n", "chunked": "Transfer-Encoding: chunked\r\n", "close": "",
            "last": f"Content-Length: {number}\r\nConnection: close\r\n",
        }[kind]
        data = f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()
        if method == "HEAD":
            pass
        elif kind == "chunked":
            position = 0
            while position < number:
                size = dice.randint(1, 70000)
                part = body[position:position + size]
                data += b"%x\r\n" % len(part) + part + b"\r\n"
                position += size
            data += b"0\r\n\r\n"
        else:
            data += body
        await dribble(dice, writer, data)
        return kind in ("length", "chunked") and dice.random() < 0.95

    async def echo(self, dice, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            if dice.random() < 0.02:
                reset(writer)
                return False
        return False

    async def misbehave(self, dice, reader, writer):
        deed = dice.randrange(11)
        if deed == 0:
            reset(writer)
        elif deed == 1:
            await dribble(dice, writer, b"HTTP/1.1 200 OK\r\nContent-Len")
        elif deed == 2:
            await dribble(dice, writer, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PATTERN[:dice.randrange(99999)])
        elif deed == 3:
            await dribble(dice, writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n")
        elif deed == 4:
            writer.write(dice.randbytes(dice.randrange(1, 3000)))
        elif deed == 5:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n" + b"and yet" * dice.randrange(3))
            await writer.drain()
            await asyncio.sleep(0.01)
        elif deed == 6:
            writer.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n" + dice.choice([b"", b"Connection: close\r\n"]) + b"\r\n")
            await writer.drain()
            return dice.random() < 0.5
        elif deed == 7:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * dice.choice([1, 5, 40]))
            await asyncio.sleep(0.05)
        elif deed == 8:
            await reader.read(100)
        elif deed == 9:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PATTERN[:5000])
            await writer.drain()
            await asyncio.sleep(0.02)
            reset(writer)
        else:
            writer.write(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)
        return False


class Client:
    """One life after another: each opens a connection and does one thing with it."""

    def __init__(self, seed, web, tcp, path):
        self.dice = random.Random(seed)
        self.web, self.tcp, self.path = web, tcp, path
        self.counts = {}
        self.wrong = []
        self.longest = 0.0

    def note(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    async def live(self, until):
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            dice = random.Random(self.dice.random())
            deed = dice.choice([self.good, self.good, self.good, self.pipeline, self.rude, self.bad, self.tunnel, self.raw])
            start = loop.time()
            writer = None
            try:
                if deed == self.raw:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.tcp)
                elif dice.random() < 0.1:
                    reader, writer = await asyncio.open_unix_connection(self.path)
                else:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.web)
                await asyncio.wait_for(deed(dice, reader, writer), GRACE)
            except asyncio.TimeoutError:
                self.wrong.append(f"{deed.__name__}: no end after {GRACE} s")
            except (OSError, EOFError, asyncio.LimitOverrunError):
                self.note("cut")
            except ValueError as error:
                self.wrong.append(f"{deed.__name__}: {error}")
            finally:
                if writer:
                    reset(writer) if dice.random() < 0.1 else writer.close()
            self.longest = max(self.longest, loop.time() - start)

    async def response(self, dice, reader, method="GET"):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if not head.startswith("HTTP/1.1 "):
                raise ValueError(f"a strange head: {head[:100]!r}")
            status = int(head[9:12])
            if status >= 200 or status == 101:
                break
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        if method == "HEAD" or status in (101, 204, 304):
            return status, b"", fields
        if "chunked" in fields.get("transfer-encoding", ""):
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        elif "content-length" in fields:
            left, body = int(fields["content-length"]), b""
            while left:
                part = await reader.read(min(left, dice.choice([100, 5000, 1 << 20])) if left < 20000 else 1 << 20)
                if not part:
                    raise EOFError
                left -= len(part)
                body += part
                if dice.random() < 0.1:
                    await asyncio.sleep(dice.choice([0, 0.002, 0.02]))
        else:
            body = await reader.read(-1)
        return status, body, fields

    def request(self, dice, path, last=False):
        """(method, bytes) of a correct request."""
        method = dice.choice(["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT"])
        head = f"{method} {path} HTTP/1.1\r\nHost: soak\r\n" + ("Connection: close\r\n" if last else "")
        if method in ("GET", "HEAD"):
            return method, f"{head}\r\n".encode()
        body = PATTERN[:dice.choice([0, 1, 1000, 65000, 65536, 65537, 200_000])]
        if dice.random() < 0.5:
            return method, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        chunks, position = b"", 0
        while position < len(body):
            part = body[position:position + dice.randint(1, 66000)]
            chunks += b"%x\r\n" % len(part) + part + b"\r\n"
            position += len(part)
        return method, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"

    def judge(self, status, body, method, size):
        """A whole answer must be the right one; 502 and 503 are what a moody backend or a full queue lead to."""
        self.note(status)
        if status == 200 and method != "HEAD" and body != PATTERN[:size]:
            raise ValueError(f"a wrong body: {len(body)} bytes for {size}")
        if status not in (200, 502, 503, 504):
            raise ValueError(f"status {status}")

    async def good(self, dice, reader, writer):
        turns = dice.choice([1, 1, 3, 10])
        for _ in range(turns):
            size = dice.choice([0, 1, 500, 65300, 65536, 150_000, len(PATTERN)])
            place = dice.choice(["/good", "/good", "/narrow"])
            method, data = self.request(dice, f"{place}/{size}")
            await dribble(dice, writer, data)
            if turns == 1 and dice.random() < 0.1:
                writer.write_eof()
            status, body, fields = await self.response(dice, reader, method)
            self.judge(status, body, method, size)
            if fields.get("connection") == "close":
                return

    async def pipeline(self, dice, reader, writer):
        wanted, data = [], b""
        for _ in range(dice.choice([2, 5, 50])):
            size = dice.choice([0, 10, 3000])
            own = dice.random() < 0.2
            method, request = ("GET", b"GET /own HTTP/1.1\r\nHost: soak\r\n\r\n") if own else self.request(dice, f"/good/{size}")
            wanted.append((method, None if own else size))
            data += request
        sending = asyncio.create_task(dribble(dice, writer, data))
        try:
            for method, size in wanted:
                status, body, fields = await self.response(dice, reader, method)
                if size is None and (status, body) != (200, b"own"):
                    raise ValueError(f"not our own answer: {status} {body[:50]}")
                if size is not None:
                    self.judge(status, body, method, size)
                if fields.get("connection") == "close":
                    return
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def rude(self, dice, reader, writer):
        """Leaves in the middle of its request or of the response."""
        _, data = self.request(dice, "/good/500000")
        await dribble(dice, writer, data[:dice.randrange(len(data) + 1)])
        if dice.random() < 0.5:
            await reader.read(dice.randrange(1, 5000))
        if dice.random() < 0.5:
            reset(writer)
        self.note("left")

    async def bad(self, dice, reader, writer):
        method, data = self.request(dice, f"/bad/{dice.randrange(1 << 30)}", last=True)
        await dribble(dice, writer, data)
        status, _, _ = await self.response(dice, reader, method)
        self.note(f"bad {status}")

    async def tunnel(self, dice, reader, writer):
        early = dice.randbytes(dice.choice([0, 10, 70000]))
        if dice.random() < 0.5:
            writer.write(b"CONNECT soak:80 HTTP/1.1\r\nHost: soak:80\r\n\r\n" + early)
        else:
            writer.write(b"GET /echo HTTP/1.1\r\nHost: soak\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n" + early)
        head = await reader.readuntil(b"\r\n\r\n")
        if head[9:12] not in (b"101", b"200"):
            return self.note(head[9:12].decode())
        await self.talk(dice, reader, writer, early)

    async def raw(self, dice, reader, writer):
        await self.talk(dice, reader, writer, b"")

    async def talk(self, dice, reader, writer, owed):
        data = dice.randbytes(dice.choice([1, 1000, 300_000]))
        sending = asyncio.create_task(dribble(dice, writer, data))
        try:
            back = await reader.readexactly(len(owed) + len(data))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if back != owed + data:
            raise ValueError("the echo is wrong")
        if dice.random() < 0.5:
            writer.write_eof()
            if await reader.read(1):
                raise ValueError("something after the echo")
        self.note("echo")
