"""A client that never stops: HTTP requests to one address at a steady pace, each on a connection of its own.

    python3 -m lib.anycast_client ADDRESS PORT REQUESTS-PER-SECOND [TIMEOUT [CONNECTIONS]]

With CONNECTIONS, requests go over so many kept-alive ones, which begin anew only when the server has said so.

One line per request: start (seconds since the epoch), seconds it took, the answer's first word or the error.
"""

import asyncio
import sys
import time


async def request(address, port, timeout):
    start = time.time()
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: anycast\r\nConnection: close\r\n\r\n")
                data = await reader.read(-1)
            finally:
                writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        result = body.decode().split()[0] if head.startswith(b"HTTP/1.1 200") and body.strip() else f"!{head[:40]!r}"
    except TimeoutError:
        result = "!timeout"
    except OSError as error:
        result = f"!{type(error).__name__}"
    print(f"{start:.6f} {time.time() - start:.6f} {result}".replace("\n", " "), flush=True)


async def keep(address, port, timeout, pause):
    """One kept-alive connection after the other."""
    reader = writer = None
    while True:
        start = time.time()
        try:
            async with asyncio.timeout(timeout):
                if writer is None:
                    reader, writer = await asyncio.open_connection(address, port)
                writer.write(b"GET / HTTP/1.1\r\nHost: anycast\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
                body = await reader.readexactly(length)
            result = body.decode().split()[0] if head.startswith(b"http/1.1 200") else f"!{head[:40]!r}"
            if b"connection: close" in head:
                writer.close()
                writer = None
        except (OSError, asyncio.IncompleteReadError, StopIteration) as error:
            result = f"!{type(error).__name__}"
            if writer:
                writer.close()
            writer = None
        print(f"{start:.6f} {time.time() - start:.6f} {result}".replace("\n", " "), flush=True)
        await asyncio.sleep(pause)


async def main(address, port, rate, timeout, connections=0):
    if connections:
        await asyncio.gather(*(keep(address, port, timeout, connections / rate) for _ in range(connections)))
    due = time.monotonic()
    running = set()
    while True:
        task = asyncio.create_task(request(address, port, timeout))
        running.add(task)
        task.add_done_callback(running.discard)
        due += 1 / rate
        await asyncio.sleep(max(0, due - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 2.0,
                     int(sys.argv[5]) if len(sys.argv) > 5 else 0))
