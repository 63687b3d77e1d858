"""Takeover by crash, clean stop and loss of link, as a client that pings each 10 ms sees it: Sluice and keepalived in
every pairing, on the wire of both versions, families and ways. VIP_LONG=1 measures the whole matrix, which takes
minutes; otherwise what differs most."""

import concurrent.futures
import os
import time

from lib.netns import Network
from lib.scenario import ensure, wait
from lib.vip import Duel, Setup

LIMIT = 600

PAIRS = ["ss", "sk", "ks", "kk"]
NAMES = {"s": "sluice", "k": "keepalived"}
EVENTS = ["crash", "stop", "link_down"]


def plan():
    every = [
        Setup(), Setup(six=True), Setup(unicast=True), Setup(six=True, unicast=True), Setup(version=2, interval=1000),
        Setup(version=2, interval=1000, unicast=True), Setup(interval=1000),
    ]
    if os.environ.get("VIP_LONG"):
        return [(setup, pair) for setup in every for pair in PAIRS] + [(Setup(interval=10), "ss")]
    chosen = [(Setup(), pair) for pair in PAIRS]
    chosen += [(setup, pair) for setup in (Setup(six=True), Setup(unicast=True)) for pair in ("sk", "ks")]
    chosen += [(Setup(six=True, unicast=True), "sk"), (Setup(six=True, unicast=True), "ks")]
    chosen += [(Setup(version=2, interval=1000), "sk"), (Setup(version=2, interval=1000), "ks")]
    return chosen + [(Setup(interval=10), "ss")]


def bound(setup, event):
    """The formula, 10% on top, and the client's own grain of 10 ms with what the scheduler adds; 60 ms and that grain at the least."""
    silence = setup.skew() if event == "stop" else setup.down()
    return max(silence * 1.1 + 20, 70)


def measure(s, number, setup, pair):
    duel = Duel(s, pair, setup, name=f"{number}{pair}")
    found = {}
    for event in EVENTS:
        found[event] = duel.outage(getattr(duel, event), settle=setup.interval / 1000)
        duel.return_a()
    for who in "ab":
        duel.process(who).stop()
    duel.net.remove()
    return found


def run(s):
    work = plan()
    s.figure("wire", "active -> backup", *(f"{event.replace('_', ' ')} ms" for event in EVENTS), "by the formula")
    # At 10 ms nothing else may run; the rest waits for timers most of the time.
    for width, chosen in ((4, [w for w in work if w[0].interval > 10]), (1, [w for w in work if w[0].interval == 10])):
        with concurrent.futures.ThreadPoolExecutor(width) as pool:
            tasks = [(w, pool.submit(measure, s, number, *w)) for number, w in enumerate(chosen)]
            for (setup, pair), task in tasks:
                label = f"{setup.label}, {NAMES[pair[0]]} -> {NAMES[pair[1]]}"
                with s.fact(f"{label}: is measured"):
                    found = task.result()
                    s.figure(
                        setup.label, f"{NAMES[pair[0]]} -> {NAMES[pair[1]]}", *(f"{found[event]:.0f}" for event in EVENTS),
                        f"{setup.down():.0f} / {setup.skew():.0f} / {setup.down():.0f}")
                    if pair == "kk":
                        continue
                    for event in EVENTS:
                        s.check(
                            found[event] <= bound(setup, event),
                            f"{label}: {event} {found[event]:.0f} ms, at most {bound(setup, event):.0f} ms")
    with s.fact("nothing is left"):
        ensure(not [space for space in os.listdir("/run/netns") if space.startswith(f"sl{os.getpid()}")], "namespaces are left")
