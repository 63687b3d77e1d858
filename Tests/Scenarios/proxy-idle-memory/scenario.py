"""What 10,000 idle keep-alive connections cost."""

import os

from lib.load import Load
from lib.node import Node
from lib.peers import named_nginx
from lib.scenario import ensure, equal, wait
from lib.wire import get

LIMIT = 120
COUNT = 10_000


def run(s):
    named_nginx(s, "nginx")
    node = Node(s, prefix=["prlimit", "--nofile=16384"])
    # The pools that every load fills once do not belong to an idle connection.
    warm = Load(s, f"http://127.0.0.1:{s.port('web')}/", connections=64, seconds=2).result(15)
    equal(warm.failed, 0, "failures while warming up")
    wait(lambda: open_sockets(node.pid) < 200, "the load's connections are gone")
    before = node.rss()
    holder = s.start(
        "holder", ["prlimit", "--nofile=16384", "/usr/bin/python3", "-m", "lib.holder", s.port("web"), COUNT], expect_exit=True
    )
    wait(lambda: "holding" in holder.log(), f"{COUNT} connections are open and have been used", 60)
    ensure(f"holding {COUNT}" in holder.log(), holder.log())
    after = node.rss()
    each = (after - before) * 1024 / COUNT
    s.figure("idle connections", "RSS before", "RSS after", "each")
    s.figure(COUNT, f"{before} KiB", f"{after} KiB", f"{each:.0f} bytes")
    s.check(each < 1024, f"an idle connection costs less than 1 KiB ({each:.0f} bytes)")
    with s.fact("they are all open, and new clients are served"):
        ensure(open_sockets(node.pid) >= COUNT, f"{open_sockets(node.pid)} descriptors")
        equal(get(s.port("web")).status, 200, "status")
    holder.stop()
    with s.fact("when they leave, the node lets them go"):
        wait(lambda: open_sockets(node.pid) < 300, "their descriptors are closed", 20)
        equal(get(s.port("web")).status, 200, "status")
    s.figure("after they left", "", f"{node.rss()} KiB", "")


def open_sockets(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
