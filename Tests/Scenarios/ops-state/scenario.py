"""What operators say outlives SIGKILL; a store that is lost (damaged, full, read-only, deleted) is said, and all runs on."""

import contextlib
import os
import sqlite3
import subprocess
import time

from lib.node import Node
from lib.scenario import contains, ensure, equal, wait

LIMIT = 100


def run(s):
    disk = s.path("disk")
    disk.mkdir()
    node = start(s, (s.folder / "sluice.yaml").read_text())
    words(s, node)
    node = killed(s, node)
    lost(s, node, disk)


def stands(node):
    return {b["name"]: (b["state"], b["weight"]) for b in node.pool("web")["backends"]}


def events(node, kind):
    return [e for e in node.api("GET", "/v1/events")[1]["events"] if e["kind"] == kind]


def start(s, template):
    """A run of its own name, since the log of a name goes on."""
    s.runs = getattr(s, "runs", 0) + 1
    return Node(s, text=template, name=f"run{s.runs}")


def again(s, node):
    node.process.kill()
    return start(s, node.template)


def words(s, node):
    with s.fact("an order that was answered is on the disk"):
        node.must("drain", "web/a")
        node.must("weight", "web/b", "7")
        begin = time.monotonic()
        status, _ = node.api("PUT", "/v1/backends/web/c/weight", {"weight": 9})
        s.figure("order, until it is on the disk and answered", f"{(time.monotonic() - begin) * 1000:.1f} ms")
        equal(status, 200, "status")
        rows = sqlite3.connect(f"file:{s.path('disk')}/state.db?mode=ro", uri=True)
        with contextlib.closing(rows):
            equal(rows.execute("SELECT backend, state, weight FROM backend_override ORDER BY backend").fetchall(),
                  [("a", "drain", None), ("b", None, 7), ("c", None, 9)], "rows")


def killed(s, node):
    with s.fact("after SIGKILL every word holds again"):
        node = again(s, node)
        equal(stands(node), {"a": ("drain", 100), "b": ("ready", 7), "c": ("ready", 9)}, "backends")
    with s.fact("a word that the file has made void meanwhile is dropped, and told of"):
        node.process.kill()
        node = start(s, node.template.replace('name: b, address', 'weight: 50, name: b, address'))
        equal(stands(node), {"a": ("drain", 100), "b": ("ready", 50), "c": ("ready", 9)}, "backends")
        equal([e["subject"] for e in events(node, "dropped")], ["web/b"], "events")
    with s.fact("what was taken back stays so"):
        node.must("ready", "web/a")
        node = again(s, node)
        equal(stands(node)["a"], ("ready", 100), "a")
    return node


def lost(s, node, disk):
    file = disk / "state.db"

    def says(reason):
        loss = node.status()["store"].get("loss")
        ensure(loss and reason in loss, f"store.loss is {loss!r}")
        contains(node.must("status"), "nothing is kept")
        return True

    def back():
        wait(lambda: node.status()["store"].get("loss") is None, "the store is back", 12)

    with s.fact("a damaged file is said at the start; the node serves, takes orders, and leaves the file as it is"):
        node.process.kill()
        for old in disk.iterdir():
            old.unlink()
        file.write_bytes(b"this is no database" * 1000)
        node = start(s, node.template)
        says("not a database")
        wait(lambda: events(node, "store-lost"), "an event")
        node.must("drain", "web/a")
        equal(stands(node)["a"], ("drain", 100), "a")
        equal(file.read_bytes()[:10], b"this is no", "the file")
    with s.fact("with the file out of the way, what is in force is kept"):
        file.unlink()
        back()
        wait(lambda: events(node, "store-back"), "an event")
        node = again(s, node)
        equal(stands(node)["a"], ("drain", 100), "a after SIGKILL")
    with s.fact("a file that is deleted under the node is made anew with the next word"):
        for old in disk.iterdir():
            old.unlink()
        node.must("weight", "web/b", "8")
        node = again(s, node)
        equal((stands(node)["a"][0], stands(node)["b"][1]), ("drain", 8), "a and b after SIGKILL")
    if os.geteuid() != 0:
        return
    with s.fact("a full disk is said, and made good when there is room"):
        node.process.kill()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=True)
        s.defer(lambda: subprocess.run(["umount", "-l", disk], check=False))
        node = start(s, node.template)
        node.must("drain", "web/a")
        filler = disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as full:
            while True:
                full.write(b"x" * 4096)
        # The log's own room is used up first.
        for weight in range(1, 100):
            node.must("weight", "web/c", str(weight))
            if node.status()["store"].get("loss"):
                break
        says("full")
        equal(stands(node)["c"], ("ready", weight), "c")
        filler.unlink()
        back()
        node = again(s, node)
        equal(stands(node)["c"], ("ready", weight), "c after SIGKILL")
    with s.fact("so is a disk that is read-only"):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=False)
        if os.access(disk, os.W_OK):
            # The open file keeps the mount writable.
            node.process.kill()
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            node = start(s, node.template)
        node.must("weight", "web/b", "3")
        wait(lambda: says("cannot"), "it is said")
        equal(stands(node)["b"], ("ready", 3), "b")
    node.process.kill()
