"""Ten real servers are updated under load: nobody notices; what goes wrong pauses with a reason and loses nothing.

A rollout outlives its process: binary upgrades, SIGTERM and SIGKILL in its midst.
"""

import contextlib
import http.client
import http.server
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

from lib.node import Node
from lib.scenario import Failure, accepts, contains, ensure, equal, wait

LIMIT = 180
NAMES = [f"b{i}" for i in range(10)]
PAIRS = ("--batch", "2", "--max-unavailable", "2")


class Fleet:
    """The servers, and the deployment system that updates them when it is called."""

    def __init__(self, s):
        self.s, self.processes, self.kind, self.hang = s, {}, {}, None
        self.next = ("2",)
        self.calls, self.hung, self.freed = [], [], []
        for name in NAMES:
            self.launch(name, ("1",))
        fleet = self

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fleet.calls.append((order["backend"], order["direction"]))
                hang = fleet.hang
                if hang and order["direction"] == "forward":
                    fleet.hung.append(order["backend"])
                    hang.wait(30)
                fleet.launch(order["backend"], ("1",) if order["direction"] == "back" else fleet.next)
                if hang:
                    fleet.freed.append(order["backend"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        hook = http.server.ThreadingHTTPServer(("127.0.0.1", s.port("hook")), Hook)
        hook.daemon_threads = True
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        s.defer(hook.shutdown)

    def launch(self, name, words):
        old = self.processes.get(name)
        if old:
            old.stop()
        self.processes[name] = self.s.start(f"{name}-{time.monotonic_ns()}", [
            "/usr/bin/python3", self.s.folder / "server.py", self.s.port(name), name, *words])
        wait(lambda: accepts(self.s.port(name)), f"{name} listens")


class Load:
    """Clients that count what fails, and what is of a version that it should not be of any more."""

    def __init__(self, s, count=8):
        self.s, self.stop = s, threading.Event()
        self.good = self.bad = 0
        self.seen, self.troubles, self.lock = {}, [], threading.Lock()
        s.defer(self.stop.set)
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def client(self):
        connection = None
        while not self.stop.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.s.port("web"), timeout=10)
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status != 200:
                    raise Failure(f"status {answer.status}: {body}")
                name, version = body.split()
                with self.lock:
                    self.good += 1
                    self.seen.setdefault(version, set()).add(name)
            except Exception as error:
                connection = None
                with self.lock:
                    self.bad += 1
                    self.troubles.append(repr(error))

    def mark(self):
        with self.lock:
            self.seen = {}

    def end(self):
        """Returns when the last request is answered."""
        self.stop.set()
        for thread in self.threads:
            thread.join(15)


def run(s):
    s.path("disk").mkdir()
    fleet = Fleet(s)
    node = Node(s)
    for name in NAMES:
        node.wait_verdict("web", name, "up")
    load = Load(s)
    hook = f"http://127.0.0.1:{s.port('hook')}/"
    flags = ["--version-path", "/version", "--soak", "0.3", "--health-timeout", "5"]
    good(s, node, fleet, load, [*flags, "--webhook", hook])
    bad(s, node, fleet, load, [*flags, "--webhook", hook])
    steered(s, node, fleet, load, flags, hook)
    refusals(s, node)
    replaced(s, node, fleet, [*flags, "--webhook", hook])
    with s.fact("no request failed in all of it"):
        load.end()
        equal((load.bad, load.troubles[:3]), (0, []), "failed requests")
        ensure(load.good > 2000, f"only {load.good} requests")
    s.figure("requests", load.good)
    s.figure("failed", load.bad)
    node = ended(s, node, fleet, [*flags, "--webhook", hook])
    unkept(s, node, fleet, [*flags, "--webhook", hook])
    nonsense(s, node)


def done(node):
    return [one["name"] for one in rollout(node)["backends"] if one["step"] == "done"]


def updating(node):
    return [one["name"] for one in rollout(node)["backends"] if one["step"] == "updating"]


def counted(fleet, twice=()):
    """Each backend was updated once, but those whose update was cut off."""
    for name in NAMES:
        calls = fleet.calls.count((name, "forward"))
        ensure(calls == 1 or (name in twice and calls == 2), f"{name} was updated {calls} times")


def replaced(s, node, fleet, flags):
    with s.fact("a binary upgrade in the midst of a rollout: the next process goes on, under load"):
        fleet.calls.clear()
        fleet.next = ("6",)
        node.must("rollout", "start", "web", *PAIRS, "--version", "6", *flags)
        wait(lambda: len(done(node)) >= 2, "two are done", 30, 0.05)
        old = node.pid
        node.process.expect_exit = True
        node.heir = json.loads(node.must("upgrade", "--json"))["process"]
        s.defer(lambda: reap(node.heir))
        ensure(node.heir != old, "it is the same process")
        before = len(done(node))
        ensure(before < 10, "the rollout was over before the upgrade")
        equal(over(node, "completed", "paused")["phase"], "completed", "phase")
        counted(fleet)
        s.figure("upgrade in mid-rollout", f"{before} of 10 were done", "each updated once")


def reap(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def gone(process):
    def ended():
        try:
            with open(f"/proc/{process}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True
    wait(ended, f"process {process} is gone", 30)


def ended(s, node, fleet, flags):
    """The process ends in mid-rollout, in two ways; clients ask whenever one serves."""
    for number, (how, word) in enumerate(((signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "SIGKILL")), 7):
        version = str(number)
        with s.fact(f"{word} while an update runs, and another start: the rollout goes on and ends, no request fails"):
            fleet.calls.clear()
            fleet.next = (version,)
            load = Load(s)
            node.must("rollout", "start", "web", *PAIRS, "--version", version, *flags)
            wait(lambda: len(done(node)) >= 2, "two are done", 30, 0.05)
            fleet.hung, fleet.freed, fleet.hang = [], [], threading.Event()
            wait(lambda: fleet.hung, "an update runs", 30, 0.02)
            # With the process its clients' connections go; none of them shall ask while there is none.
            load.end()
            good = load.good
            equal(load.troubles[:3], [], "failed requests before")
            wait(lambda: set(updating(node)) <= set(fleet.hung), "no other update runs", 30, 0.02)
            process = getattr(node, "heir", None) or node.pid
            node.process.ending = "asked"
            os.kill(process, how)
            gone(process)
            hung, hang, fleet.hang = fleet.hung, fleet.hang, None
            hang.set()
            wait(lambda: len(fleet.freed) == len(hung), "what was cut off has ended by itself")
            node = Node(s, text=node.template, name=f"after-{word}")
            equal(node.backend("web", hung[0])["state"], "drain", "the backend that was being updated")
            load = Load(s)
            equal(over(node, "completed", "paused")["phase"], "completed", "phase")
            counted(fleet, twice=hung)
            equal({one["state"] for one in node.pool("web")["backends"]}, {"ready"}, "states")
            load.mark()
            wait(lambda: load.seen.get(version) == set(NAMES), "all ten answer", 20)
            equal(set(load.seen), {version}, "versions")
            load.end()
            equal((load.bad, load.troubles[:3]), (0, []), "failed requests after")
            contains(node.must("events"), "web: goes on after a restart")
            s.figure(f"{word} in mid-rollout", f"{good} + {load.good} requests", "0 failed")
    return node


def unkept(s, node, fleet, flags):
    disk = s.path("disk")
    if os.geteuid() != 0:
        return
    with s.fact("a store that is lost in mid-rollout: it pauses with the reason, nothing further is begun"):
        fleet.calls.clear()
        fleet.next = ("9",)
        load = Load(s)
        node.must("rollout", "start", "web", *PAIRS, "--version", "9", *flags)
        wait(lambda: len(done(node)) >= 1, "one is done", 30, 0.05)
        aside = s.path("aside")
        disk.rename(aside)
        disk.write_text("no directory")
        contains(over(node, "paused")["reason"], "its state cannot be kept")
        out = [one["name"] for one in node.pool("web")["backends"] if one["state"] != "ready"]
        ensure(len(out) <= 2, f"{out} are out of traffic")
        touched = len(set(fleet.calls))
        node.must("rollout", "resume", "web")
        contains(over(node, "paused")["reason"], "its state cannot be kept")
        equal(len(set(fleet.calls)), touched, "backends that were updated")
        # Back, and resumed: it ends.
        disk.unlink()
        aside.rename(disk)
        wait(lambda: node.status()["store"].get("loss") is None, "the store is back", 15)
        node.must("rollout", "resume", "web")
        over(node, "completed")
        load.end()
        equal((load.bad, load.troubles[:3]), (0, []), "failed requests")


def nonsense(s, node):
    with s.fact("what was kept and is nonsense is said at the start, and left alone"):
        node.process.kill()
        with contextlib.closing(sqlite3.connect(s.path("disk") / "state.db")) as rows:
            (value,) = rows.execute("SELECT value FROM document WHERE area = 'rollouts' AND key = 'web'").fetchone()
            kept = json.loads(value)
            kept["rollout"]["plan"]["batch"] = -5
            for key, text in (("web", json.dumps(kept)), ("other", "{"), ("third", '{"format": 1, "intents": {}}')):
                rows.execute("INSERT OR REPLACE INTO document VALUES ('rollouts', ?, ?)", (key, text.encode()))
            rows.commit()
        node = Node(s, text=node.template, name="after-nonsense")
        text = node.must("events")
        for key in ("web", "other", "third"):
            contains(text, f"{key}: what was kept of its rollout is not understood")
        equal(json.loads(node.must("rollout", "status", "--json"))["rollouts"], [], "rollouts")


def rollout(node):
    return json.loads(node.must("rollout", "status", "--json"))["rollouts"][0]


def over(node, *phases, seconds=60):
    return wait(lambda: (found := rollout(node))["phase"] in phases and found, f"the rollout is {phases}", seconds, 0.1)


def good(s, node, fleet, load, flags):
    started = time.monotonic()
    with s.fact("ten backends go from 1 to 2, at most two out at once"):
        node.must("rollout", "start", "web", "--batch", "2", "--max-unavailable", "2", "--version", "2", *flags)
        fewest = 10

        def done():
            nonlocal fewest
            fewest = min(fewest, sum(one["state"] == "ready" and one["verdict"] in ("up", "warming") for one in node.pool("web")["backends"]))
            return rollout(node)["phase"] == "completed"
        wait(done, "it is completed", 60, 0.05)
        ensure(fewest >= 8, f"only {fewest} carried traffic")
        s.figure("ten backends, two at once", f"{time.monotonic() - started:.1f} s", f"never below {fewest} of 10")
    with s.fact("afterwards only version 2 answers, from all of them"):
        load.mark()
        wait(lambda: load.seen.get("2") == set(NAMES), "all ten answer", 20)
        equal(set(load.seen), {"2"}, "versions")
    with s.fact("the events tell it"):
        text = node.must("events")
        for word in ("web: begun", "web: b0: updated", "web: b9: done", "web: completed"):
            contains(text, word)
        equal([kind for kind, _ in node.chain("override")][:2], ["override", "rollout"], "who drained and admitted")


def bad(s, node, fleet, load, flags):
    with s.fact("a version that is not well pauses the rollout, out of traffic"):
        fleet.next = ("3", "broken")
        node.must("rollout", "start", "web", "--version", "3", *flags, "--health-timeout", "1")
        found = over(node, "paused")
        contains(found["reason"], "b0: it is not up: ")
        equal(node.backend("web", "b0")["state"], "drain", "state of b0")
        wait(lambda: [kind for kind, _ in node.chain("rollout")] == ["rollout", "down"], "the pause leads to b0's verdict", 5)
        contains(node.must("rollout", "status"), "resume")
    with s.fact("a rollback undoes the one that was touched, and no other"):
        fleet.calls.clear()
        node.must("rollout", "rollback", "web")
        equal(over(node, "aborted")["reason"], "rolled back", "reason")
        equal(fleet.calls, [("b0", "back")], "calls")
        equal(node.backend("web", "b0")["state"], "ready", "state of b0")
        events = {event["id"]: event for event in node.api("GET", "/v1/events?after=0")[1]["events"]}
        drained = [event for event in events.values() if (event["kind"], event["message"]) == ("override", "drain")][-1]
        equal(events[drained["cause"]]["message"], "web: order: rollback", "what b0 was drained for")
    with s.fact("a server that comes back with the old version is not taken for updated"):
        fleet.next = ("2",)
        node.must("rollout", "start", "web", "--version", "4", "--backends", "b1", *flags, "--health-timeout", "1")
        contains(over(node, "paused")["reason"], "b1: it reports version 2, not 4")
        fleet.next = ("4",)
        node.must("rollout", "resume", "web")
        over(node, "completed")
    with s.fact("a webhook that hangs is given up"):
        fleet.hang = threading.Event()
        node.must("rollout", "start", "web", "--backends", "b2", "--version", "4", *flags, "--update-timeout", "1")
        contains(over(node, "paused")["reason"], "b2: ")
        fleet.hang.set()
        fleet.hang = None
        wait(lambda: fleet.calls[-1] == ("b2", "forward"), "the hook was called")
        node.must("rollout", "resume", "web")
        over(node, "completed")


def must(node, *words):
    """`--command` takes all the rest, so that the socket comes first."""
    done = start(node, *words)
    equal(done.returncode, 0, f"exit status ({done.stderr})")


def start(node, *words):
    return subprocess.run(
        [node.scenario.binary, "rollout", "start", "web", "--socket", node.socket, *map(str, words)],
        capture_output=True, text=True, timeout=20)


def steered(s, node, fleet, load, flags, hook):
    with s.fact("a program updates as well, and its failure is named"):
        must(node, "--backends", "b3", *flags[2:], "--command", "/bin/false")
        contains(over(node, "paused")["reason"], "b3: update failed: exit status 1")
        node.must("rollout", "abort", "web")
        over(node, "aborted")
        node.must("ready", "web/b3")
        fleet.next = ("5",)
        must(node, "--backends", "b3,b4", "--version", "5", *flags, "--command",
             "/usr/bin/curl", "--fail", "--silent", "--data", '{"backend": "{backend}", "direction": "{direction}"}', hook)
        over(node, "completed")
        load.mark()
        wait(lambda: load.seen.get("5") == {"b3", "b4"}, "both answer with version 5", 20)
    with s.fact("it waits while the rest could not answer what comes in a second, and takes nobody out"):
        node.must("rollout", "start", "web", "--backends", "b5", "--manual", "--rate", "1")
        wait(lambda: "requests a second need" in (rollout(node)["waiting"] or ""), "it waits", 10)
        equal([b["state"] for b in node.pool("web")["backends"] if b["state"] != "ready"], [], "who takes no traffic")
        node.must("rollout", "abort", "web")
        over(node, "aborted")
    with s.fact("a person is waited for"):
        node.must("rollout", "start", "web", "--backends", "b5", "--manual", "--version", "5", *flags)
        wait(lambda: rollout(node)["waiting"] == "update b5 by hand, then `sluice rollout next`", "it waits")
        fleet.launch("b5", ("5",))
        node.must("rollout", "next", "web")
        over(node, "completed")


def refusals(s, node):
    for words, part in (
        (("nosuch", "--manual"), "there is no pool nosuch"),
        (("web",), "must be a command"),
        (("web", "--command", "relative"), "absolute path"),
        (("web", "--command", "/bin/echo update {backend}"), "--command /bin/echo update {backend}; for a shell"),
        (("web", "--command", "/nosuch"), "is no program"),
        (("web", "--manual", "--backends", "b0,zz"), "there is no backend web/zz"),
        (("web", "--manual", "--batch", "11"), "`batch` must be 1 to 10"),
        (("web", "--manual", "--version", "2"), "belong together"),
    ):
        with s.fact(f"refused: rollout start {' '.join(words)}"):
            done = start(node, *words[1:]) if words[0] == "web" else node.cli("rollout", "start", *words)
            ensure(done.returncode != 0, "it was taken")
            contains(done.stderr, part)
    with s.fact("orders to a rollout that is over are refused"):
        ensure(node.cli("rollout", "pause", "web").returncode != 0, "it was taken")
