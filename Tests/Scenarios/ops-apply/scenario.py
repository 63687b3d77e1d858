"""Configurations on trial: undone by themselves, confirmed, taken back; what a file would change."""

import json
import signal
import subprocess
import time

from lib.node import Node
from lib.peers import named_nginx
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 120


def run(s):
    for name in "ab":
        named_nginx(s, name)
    node = Node(s)
    trial = s.path("trial.yaml")
    trial.write_text(s.fill(variant(node.template)))
    differences(s, node, trial)
    undone(s, node, trial)
    vanished(s, node, trial)
    confirmed(s, node, trial)
    kept(s, node)
    refused(s, node)


def variant(template):
    """Other weights, one listener for another."""
    return (
        template.replace('${a}", weight: 100', '${a}", weight: 300')
        .replace("  old:\n    bind: \"127.0.0.1:${old}\"", "  new:\n    bind: \"127.0.0.1:${new}\"")
    )


def weight(node):
    return node.backend("web", "a")["weight"]


def events(node, word):
    return [e for e in node.api("GET", "/v1/events?after=0")[1]["events"] if word in e["message"]]


def differences(s, node, trial):
    with Wire(s.port("web")) as kept, Wire(s.port("old")) as ending:
        for wire in (kept, ending):
            equal(wire.exchange().status, 200, "status")
        text = node.must("diff", trial)
        with s.fact("diff says in traffic terms what would change, and changes nothing"):
            for words in (
                "a: 50.0% -> 75.0%", "b: 50.0% -> 25.0%", f"opens   new 127.0.0.1:{s.port('new')} (tcp)",
                f"closes  old 127.0.0.1:{s.port('old')} (tcp)", "clients of web: 1 stay", "clients of old: 1 end when",
            ):
                contains(text, words)
            equal(weight(node), 100, "a's weight")
    with s.fact("--exit-code tells scripts whether something would change"):
        equal(node.cli("diff", trial, "--exit-code").returncode, 2, "with a change")
        equal(node.cli("diff", node.config, "--exit-code").returncode, 0, "without one")
        report = json.loads(node.must("diff", trial, "--json"))
        equal([share["after"] for share in report["shares"]], [75, 25], "shares")


def undone(s, node, trial):
    before = time.monotonic()
    text = node.must("apply", trial, "--confirm-within", "2s")
    with s.fact("it is in force at once, and says until when"):
        contains(text, "undone in 2 s")
        equal(weight(node), 300, "a's weight")
        equal(get(s.port("new")).status, 200, "the new listener")
    with s.fact("one change is on trial at a time, and nothing comes between"):
        for words in (("apply", trial), ("reload",), ("upgrade",)):
            done = node.cli(*words)
            equal(done.returncode, 1, f"{words[0]}'s exit status")
            contains(done.stderr, "awaits confirmation")
    with s.fact("without a word it is undone by itself"):
        wait(lambda: weight(node) == 100, "the weight of before", 10)
        took = time.monotonic() - before
        ensure(took >= 1.9, f"after {took:.1f} s")
        s.figure("asked", "undone after")
        s.figure("2 s", f"{took:.1f} s")
        equal(get(s.port("old")).status, 200, "the old listener")
        wait(lambda: events(node, "not confirmed within"), "the event")
        done = node.cli("confirm")
        equal(done.returncode, 1, "confirm's exit status")
        contains(done.stderr, "nothing awaits confirmation")


def vanished(s, node, trial):
    with s.fact("a client that dies before it hears the answer changes nothing of that"):
        command = subprocess.Popen(
            [s.binary, "apply", trial, "--confirm-within", "1s", "--socket", node.socket],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        count = len(events(node, "unless it is confirmed"))
        wait(lambda: len(events(node, "unless it is confirmed")) > count or command.poll() is not None, "it is applied", 10)
        command.send_signal(signal.SIGKILL)
        command.wait()
        wait(lambda: len(events(node, "not confirmed within")) >= 2, "it is undone", 10)
        equal(weight(node), 100, "a's weight")


def confirmed(s, node, trial):
    node.must("apply", trial, "--confirm-within", "5s")
    text = node.must("confirm")
    with s.fact("what is confirmed stays, and the node's file is named as another"):
        contains(text, f"{node.config} says something else")
        wait(lambda: events(node, "is confirmed"), "the event")
        equal(weight(node), 300, "a's weight")
    with s.fact("a reload brings the file back"):
        node.reload()
        equal(weight(node), 100, "a's weight")
    with s.fact("revert undoes it at once"):
        node.must("apply", trial, "--confirm-within", "1h")
        equal(weight(node), 300, "a's weight")
        node.must("revert")
        equal(weight(node), 100, "a's weight")
        wait(lambda: events(node, "taken back"), "the event")


def kept(s, node):
    with s.fact("applied without a trial, the node's own file is no other"):
        node.write(node.template.replace("weight: 100", "weight: 50"))
        text = node.must("apply", node.config)
        ensure("says something else" not in text, text)
        equal(weight(node), 50, "a's weight")


def refused(s, node):
    generation = node.generation()
    bad = s.path("bad.yaml")
    bad.write_text("listeners: [")
    with s.fact("a file that is not valid is refused by its place, and starts no trial"):
        for command in (("apply", bad, "--confirm-within", "5s"), ("diff", bad)):
            done = node.cli(*command)
            equal(done.returncode, 78, f"{command[0]}'s exit status")
            contains(done.stderr, "bad.yaml")
        equal(node.generation(), generation, "the generation")
    with s.fact("nonsense for a time is refused"):
        for text in ("0s", "1500ms", "soon", "2d"):
            equal(node.cli("apply", node.config, "--confirm-within", text).returncode, 64, f"exit status with {text}")
        equal(node.api("POST", "/v1/apply?confirm-within=-1", None)[0], 400, "status")
