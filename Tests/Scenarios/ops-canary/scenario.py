"""Real servers of two versions under load: a bad one is stopped by its evidence and taken back, a good one takes over."""

import asyncio
import json
import random
import threading
import time

from lib.node import Node
from lib.scenario import accepts, contains, ensure, equal, wait
from lib.wire import Wire

LIMIT = 180
# What a canary of 5% errors, or 30% slower, needs at most: RolloutsTests has the table.
STATED = 600


class Servers:
    def __init__(self, s):
        self.s, self.processes = s, {}
        for name in "ab":
            self.launch(name, "v1")
        self.launch_new()

    def launch(self, name, version, delay=20, errors=0.0):
        if name in self.processes:
            self.processes[name].stop()
        self.processes[name] = self.s.start(f"{name}-{time.monotonic_ns()}", [
            "/usr/bin/python3", self.s.folder / "server.py", self.s.port(name), name, version, delay, errors])
        wait(lambda: accepts(self.s.port(name)), f"{name} listens")

    def launch_new(self, **how):
        for name in "cd":
            self.launch(name, "v2", **how)


class Load:
    """Many clients, each known by a field; counts what fails, and who changes versions."""

    def __init__(self, s, connections=24):
        self.port = s.port("web")
        self.stop = False
        self.clients = [f"client-{i}" for i in range(2000)]
        self.mark()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.run(connections),), daemon=True)
        self.thread.start()
        s.defer(self.end)

    def mark(self):
        self.good, self.failed, self.troubles = 0, {}, []
        self.versions, self.moves = {}, []
        self.total = {"v1": 0, "v2": 0}

    def end(self):
        self.stop = True
        self.thread.join(10)

    async def run(self, connections):
        await asyncio.gather(*(self.connection() for _ in range(connections)))

    async def connection(self):
        writer = None
        while not self.stop:
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                client = random.choice(self.clients)
                writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nX-Client: {client}\r\n\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = (await reader.readexactly(length)).decode()
                self.note(client, int(head.split(b" ")[1]), body)
            except Exception as error:
                self.failed["lost"] = self.failed.get("lost", 0) + 1
                self.troubles.append(repr(error))
                writer = None
                await asyncio.sleep(0.05)

    def note(self, client, status, body):
        version = body.split()[-1]
        if version in self.total:
            self.total[version] += 1
        if status != 200:
            self.failed[version] = self.failed.get(version, 0) + 1
            self.troubles.append(f"{status}: {body}")
        else:
            self.good += 1
        if self.versions.get(client, version) != version:
            self.moves.append((client, version))
        self.versions[client] = version


def run(s):
    servers = Servers(s)
    node = Node(s)
    for name in "abcd":
        node.wait_verdict("web", name, "up")
    load = Load(s)
    refusals(node)
    testers(s, node, load)
    mirrored(s, node, servers, load)
    bad(s, node, servers, load, "errors", errors=0.05)
    bad(s, node, servers, load, "slow answers", delay=26)
    good(s, node, servers, load)
    switched(s, node, load)
    guarded(s, node, servers, load)
    load.end()
    killed(s, node, servers)


def killed(s, node, servers):
    servers.launch_new()
    for name in "cd":
        node.wait_verdict("web", name, "up")
    with s.fact("SIGKILL in a canary's midst: the share holds from the first client on, and it goes on to its end"):
        load = Load(s)
        node.must("rollout", "canary", "web", "v2", "--steps", "20,50,100", "--hold", "2", "--samples", "100")
        wait(lambda: canary(node)["canary"]["share"] == 50, "half of the clients", 30, 0.05)
        load.end()
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests before")
        before = dict(load.versions)
        node.process.kill()
        node = Node(s, text=node.template, name="again")
        load = Load(s)
        wait(lambda: load.good > 300, "300 answers", 20)
        backward = [client for client, version in load.versions.items() if before.get(client) == "v2" and version == "v1"]
        equal(backward, [], "clients that went back")
        ensure(load.total["v1"] > 0, "nobody is with v1 any more")
        found = over(node, "completed", "rolled back")
        equal((found["phase"], [one["share"] for one in found["canary"]["steps"]]), ("completed", [20, 50, 100]), "the canary")
        ensure(found["canary"]["steps"][0]["canary"]["answers"] >= 100, "the first step's answers are forgotten")
        load.end()
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests after")
        contains(node.must("events"), "web: goes on after a restart")
    with s.fact("one that is over holds through SIGKILL, too, until the file says something new"):
        node.process.kill()
        node = Node(s, text=node.template, name="third")
        equal({ask(s, ("X-Client", f"client-{i}")) for i in range(60)}, {"v2"}, "versions")
        node.process.kill()
        node = Node(s, text=node.template.replace("serve: v1, ", ""), name="fourth")
        equal({ask(s, ("X-Client", f"client-{i}")) for i in range(200)}, {"v1", "v2"}, "versions")


def canary(node):
    return json.loads(node.must("rollout", "show", "web", "--json"))


def over(node, *phases, seconds=60):
    return wait(lambda: (found := canary(node))["phase"] in phases and found, f"the canary is {phases}", seconds, 0.1)


def start(node, *words, steps="5,25,50,100", samples=100):
    node.must("rollout", "canary", "web", "v2", "--steps", steps, "--hold", "0.5", "--samples", samples, *words)


def only(load, version):
    """Whoever is asked from now on is of this version."""
    load.mark()
    wait(lambda: load.good > 300, "300 answers", 20)
    other = "v2" if version == "v1" else "v1"
    # What was under way when the share changed may still come.
    ensure(load.total[other] <= 24, f"{load.total[other]} answers of {other}")


def ask(s, *fields):
    with Wire(s.port("web")) as wire:
        return wire.exchange(headers=list(fields)).body.decode().split()[-1]


def status(s, *fields):
    with Wire(s.port("web")) as wire:
        return wire.exchange(headers=list(fields)).status


def refusals(node):
    for words, part in (
        (("nosuch", "v2"), "there is no pool nosuch"),
        (("web", "v3"), "no backend of pool web is labelled `version: v3`"),
        (("web", "v2", "--steps", "5,5"), "growing percents"),
        (("web", "v2", "--false-alarms", "90"), "`false_alarms` must be"),
    ):
        with node.scenario.fact(f"refused: rollout canary {' '.join(words)}"):
            done = node.cli("rollout", "canary", *words)
            ensure(done.returncode != 0, "it was taken")
            contains(done.stderr, part)


def testers(s, node, load):
    with s.fact("before a rollout, only the version that serves takes clients"):
        only(load, "v1")
        equal(load.total["v2"], 0, "answers of v2")
        equal({one["name"]: one["effectiveWeight"] for one in node.pool("web")["backends"]}, {"a": 100, "b": 100, "c": 0, "d": 0}, "weights")
    with s.fact("a tester gets the other one by a field or a cookie, and a version that is not there is not asked for"):
        for fields, version in (
            ([("X-Version", "v2")], "v2"), ([("Cookie", "a=1; version=v2")], "v2"), ([("X-Version", "v1")], "v1"),
            ([("X-Version", "v9")], "v1"), ([("X-Version", "v")], "v1"), ([("Cookie", "version=")], "v1"),
        ):
            equal({ask(s, *fields) for _ in range(8)}, {version}, fields)


def mirrored(s, node, servers, load):
    with s.fact("a bad version is stopped by copies, before it has a client"):
        servers.launch_new(errors=0.2)
        for name in "cd":
            node.wait_verdict("web", name, "up")
        load.mark()
        # No time and one answer are asked for: what is compared once says nothing, and it is compared more often.
        node.must("rollout", "canary", "web", "v2", "--steps", "5,100", "--hold", "0", "--samples", "1", "--mirror", "50")
        found = over(node, "rolled back", "completed")
        equal((found["phase"], [one["share"] for one in found["canary"]["steps"]]), ("rolled back", [0]), "the canary")
        contains(found["reason"], "errors: canary ")
        equal((load.failed, load.troubles[:3], load.total["v2"]), ({}, [], 0), "failed requests, and answers of v2")
        copies = sum(node.backend("web", name)["requests"] for name in "cd")
        wait(lambda: node.status()["copies"]["sent"] >= 10, "copies were counted")
        s.figure("v2 with errors, by copies", f"stopped after {found['canary']['steps'][0]['canary']['answers']} answers to copies", f"{copies} requests to v2, none of a client")
        contains(node.must("rollout", "show", "web"), "copies")
    with s.fact("it gets no more copies then"):
        before = node.status()["copies"]["sent"]
        load.mark()
        wait(lambda: load.good > 300, "300 answers", 20)
        ensure(node.status()["copies"]["sent"] - before <= 24, "copies are still sent")
    with s.fact("a good one gets its first clients after its copies"):
        servers.launch_new()
        for name in "cd":
            node.wait_verdict("web", name, "up")
        load.mark()
        start(node, "--mirror", "100", steps="5,100")
        # A tester asks for the new version, and is no copy, whatever it says.
        equal(status(s, ("X-Version", "v2"), ("X-Sluice-Mirror", "forged")), 200, "the status of who says it is a copy")
        found = wait(lambda: (one := canary(node))["canary"]["share"] == 5 and one, "5%", 60, 0.1)
        ensure(found["canary"]["steps"][0]["canary"]["answers"] >= 100, "answers to copies")
        wait(lambda: load.total["v2"] > 0, "a client of v2", 10)
        node.must("rollout", "rollback", "web")
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests")
        only(load, "v1")


def bad(s, node, servers, load, what, **how):
    servers.launch_new(**how)
    for name in "cd":
        node.wait_verdict("web", name, "up")
    load.mark()
    started = time.monotonic()
    with s.fact(f"a canary with worse {what} is stopped by its evidence, within the stated sample size"):
        # Three steps of as many answers as the stated size allows: the test is not over before its evidence can be there.
        start(node, samples=STATED // 3 - 20)
        found = over(node, "rolled back", "completed")
        seconds = time.monotonic() - started
        equal(found["phase"], "rolled back", "phase")
        contains(found["reason"], f"{what}: canary ")
        test = next(one for one in found["canary"]["tests"] if one["name"] == what)
        ensure(test["canary"]["answers"] <= STATED, f"{test['canary']['answers']} answers")
        ensure(sum(one["canary"]["answers"] for one in found["canary"]["steps"]) <= STATED, "answers of all steps")
        s.figure(f"v2 with worse {what}", f"stopped after {test['canary']['answers']} answers, {seconds:.1f} s", found["reason"])
    with s.fact(f"{what}: all clients are back, and nobody else's request failed"):
        equal(set(load.failed) - {"v2"}, set(), f"failures {load.troubles[:3]}")
        only(load, "v1")
    with s.fact(f"{what}: the evidence is kept, in words and in the events"):
        text = node.must("rollout", "show", "web")
        for word in ("rolled back", "EVIDENCE", "100%", "others"):
            contains(text, word)
        contains(node.must("events"), f"web: rolled back: {what}")


def good(s, node, servers, load):
    servers.launch_new()
    for name in "cd":
        node.wait_verdict("web", name, "up")
    load.mark()
    started = time.monotonic()
    with s.fact("a good version goes to 100% with no request lost"):
        start(node)
        wait(lambda: canary(node)["canary"]["share"] >= 25, "a quarter", 60, 0.1)
        share = load.total["v2"] / max(1, sum(load.total.values()))
        equal({ask(s, ("X-Version", "v1")) for _ in range(8)}, {"v1"}, "a client that asks for v1")
        found = over(node, "completed", "rolled back")
        equal((found["phase"], found.get("reason")), ("completed", None), "phase")
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests")
        s.figure("an identical v2", f"{time.monotonic() - started:.1f} s to 100%", f"{load.good} requests, 0 failed; {share:.1%} in the first step")
    with s.fact("a client changed its version once at most, and forward"):
        moved = [client for client, _ in load.moves]
        equal(len(moved), len(set(moved)), "clients that moved twice")
        equal({version for _, version in load.moves}, {"v2"}, "where to")
    with s.fact("afterwards the new version serves, and the file's word can follow"):
        only(load, "v2")
        text = node.must("rollout", "show", "web")
        contains(text, "completed")
        contains(text, "serve: v2")
    with s.fact("each step wanted its answers"):
        equal([one["share"] for one in found["canary"]["steps"]], [5, 25, 50, 100], "steps")
        ensure(all(one["canary"]["answers"] >= 100 for one in found["canary"]["steps"]), "answers")


def switched(s, node, load):
    with s.fact("a completed one is taken back at a word"):
        node.must("rollout", "rollback", "web")
        only(load, "v1")
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests")
    with s.fact("blue and green change places at once, and back"):
        node.must("rollout", "switch", "web", "v2", "--hold", "0.2", "--samples", "50", "--most-errors", "5")
        over(node, "completed")
        only(load, "v2")
        node.must("rollout", "rollback", "web")
        only(load, "v1")
        equal((load.failed, load.troubles[:3]), ({}, []), "failed requests")
    with s.fact("a reload that changes what serves has the last word"):
        node.must("rollout", "switch", "web", "v2", "--hold", "0.2", "--samples", "50")
        over(node, "completed")
        path = node.config
        path.write_text(path.read_text().replace("serve: v1", "serve: v2"))
        node.must("reload")
        node.must("rollout", "canary", "web", "v1", "--steps", "10,100", "--hold", "60")
        wait(lambda: canary(node)["canary"]["version"] == "v1", "the other way round")
        path.write_text(path.read_text().replace("serve: v2", "serve: v1"))
        node.must("rollout", "abort", "web")
        node.must("reload")
        only(load, "v1")


def guarded(s, node, servers, load):
    with s.fact("a step that the new backends could not carry waits, and says why"):
        start(node, "--capacity", "1")
        found = wait(lambda: "backends" in (one := canary(node)).get("waiting", "") and one, "it waits", 30, 0.1)
        contains(found["waiting"], "backends of version v2, and 2 are up")
        node.must("rollout", "abort", "web")
        over(node, "rolled back")
    with s.fact("more errors than are allowed end a switch, which has nothing to compare with"):
        servers.launch_new(errors=0.5)
        for name in "cd":
            node.wait_verdict("web", name, "up")
        node.must("rollout", "switch", "web", "v2", "--most-errors", "10")
        contains(over(node, "rolled back")["reason"], "at most 10.0% are allowed")
        only(load, "v1")
    with s.fact("a version that dies is left at once"):
        servers.launch_new()
        for name in "cd":
            node.wait_verdict("web", name, "up")
        start(node, "--samples", "100000", steps="50,100")
        wait(lambda: load.total["v2"] > 100, "it serves")
        for name in "cd":
            servers.processes[name].stop()
        equal(over(node, "rolled back")["reason"], "no backend of version v2 is up", "reason")
        only(load, "v1")
