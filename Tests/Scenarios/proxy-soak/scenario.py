"""Everything at once, by a seed: moody clients, moody backends, reloads, drains and weights; then everything is back at zero."""

import asyncio
import contextlib
import os
import pathlib
import random
import threading
import time

from lib.chaos import Backend, Client
from lib.node import Node
from lib.scenario import ensure, equal, wait
from lib.wire import get

LIMIT = 180
SEED = int(os.environ.get("SOAK_SEED", 1))
SECONDS = int(os.environ.get("SOAK_SECONDS", 20))
CLIENTS = 24


def run(s):
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    s.defer(loop.call_soon_threadsafe, loop.stop)
    backends = [Backend(SEED + number) for number in range(5)]
    asyncio.run_coroutine_threadsafe(serve(s, backends), loop).result(5)
    node = Node(s)
    with s.fact("it serves before"):
        equal(get(s.port("web"), "/own").status, 200, "status")
    soak(s, node, loop, max(2, SECONDS // 5), SEED + 1000)  # memory and tables reach their size
    settle(s, node)
    before = (descriptors(node), node.rss())
    clients = soak(s, node, loop, SECONDS, SEED)
    counts = {}
    for client in clients:
        for what, number in client.counts.items():
            counts[what] = counts.get(what, 0) + number
    s.figure("seed", SEED, f"{sum(backend.requests for backend in backends)} requests at the backends")
    s.figure("ends", " ".join(f"{what}:{number}" for what, number in sorted(counts.items(), key=str)))
    s.figure("longest life of a client", f"{max(client.longest for client in clients):.1f} s")
    wrong = [text for client in clients for text in client.wrong]
    with s.fact("every whole answer is the right one, and every request has an end"):
        ensure(not wrong, f"{len(wrong)}: {wrong[:5]}")
    ensure(node.process.running, "the node has ended")
    with s.fact("afterwards nothing is open and nothing is counted"):
        settle(s, node)
    with s.fact("… no descriptor is left behind"):
        wait(lambda: descriptors(node) <= before[0], f"at most {before[0]} descriptors; there are {descriptors(node)}", 5)
    s.figure("descriptors, resident KiB", f"{before[0]} → {descriptors(node)}", f"{before[1]} → {node.rss()}")
    with s.fact("… and memory has not grown with the work"):
        ensure(node.rss() < before[1] * 1.3 + 20_000, f"{before[1]} → {node.rss()} KiB")
    with s.fact("… and it serves as before"):
        for _ in range(20):
            equal(get(s.port("web"), "/own").status, 200, "status")
    with s.fact("it ends when it is told to"):
        node.process.signal(15)
        equal(node.process.wait(10), 0, "exit status")


async def serve(s, backends):
    for backend, name in zip(backends, "abde"):
        handle = backend if name != "e" else lambda reader, writer, b=backend: echo(b, reader, writer)
        await asyncio.start_server(handle, "127.0.0.1", s.port(name), limit=1 << 20, backlog=1024)
    await asyncio.start_unix_server(backends[4], s.path("c.sock"), limit=1 << 20, backlog=1024)


async def echo(backend, reader, writer):
    try:
        await backend.echo(random.Random(backend.dice.random()), reader, writer)
    except OSError:
        pass
    finally:
        writer.close()


def soak(s, node, loop, seconds, seed):
    clients = [Client(seed * 100 + number, s.port("web"), s.port("tcp"), s.path("web.sock")) for number in range(CLIENTS)]

    async def all_of_them():
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(client.live(until) for client in clients))

    done = asyncio.run_coroutine_threadsafe(all_of_them(), loop)
    unrest(s, node, random.Random(seed), done)
    done.result(30)
    return clients


def unrest(s, node, dice, done):
    """Whatever an operator may do, all the time. The listener `web` stays: its clients are to notice nothing."""
    without = node.template.replace('  passing: { bind: "127.0.0.1:${passing}", protocol: http, pool: web }\n', "")
    moved = node.template.replace('passing: { bind: "127.0.0.1:${passing}", protocol: http', 'passing: { bind: "0.0.0.0:${passing}", protocol: tcp')
    renamed = node.template.replace("name: b,", "name: b2,").replace("max-connections: 3", "max-connections: 2")
    impossible = node.template.replace('"127.0.0.1:${passing}"', '"192.0.2.1:${passing}"')
    while not done.done():
        deed = dice.randrange(7)
        if deed < 3:
            node.write(dice.choice([node.template, without, moved, renamed]))
            equal(node.api("POST", "/v1/reload")[0], 200, "status of a reload")
        elif deed == 3:
            node.write(impossible)
            ensure(node.api("POST", "/v1/reload")[0] >= 400, "an address of somebody else is accepted")
        elif deed == 4:
            node.api("POST", "/v1/backends/web/a/" + dice.choice(["drain", "ready", "maintenance"]))
        elif deed == 5:
            node.api("PUT", "/v1/backends/web/a/weight", {"weight": dice.choice([0, 1, 100])})
        else:
            node.status()
        time.sleep(dice.choice([0, 0.02, 0.2]))  # the operator's pace
    node.write(node.template)
    equal(node.api("POST", "/v1/reload")[0], 200, "status of the last reload")
    node.api("POST", "/v1/backends/web/a/ready")


def settle(s, node):
    def quiet():
        status = node.status()
        left = [
            f"{kind}/{entry['name']}: {key} {entry[key]}"
            for kind, entries in (("listener", status["listeners"]), ("backend", [b for p in status["pools"] for b in p["backends"]]))
            for entry in entries for key in ("connections", "inFlight") if entry[key]
        ]
        ensure(not left, "; ".join(left))
        return True
    wait(quiet, "all counts are zero", 10)


def descriptors(node):
    """Without pipes: those are pooled, and how many there are depends on what was under way at once."""
    links = []
    for one in pathlib.Path(f"/proc/{node.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(one))
    return sum(not link.startswith("pipe:") for link in links)
