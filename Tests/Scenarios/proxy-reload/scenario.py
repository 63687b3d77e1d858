"""Twenty reloads under load: weights, a backend that comes and goes, a route; nothing fails."""

from lib.load import Load
from lib.node import Node
from lib.peers import named_nginx
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 120
RELOADS = 20


def variant(template, turn):
    """The config of one turn."""
    text = template.replace('body: "0"', f'body: "{turn}"')
    text = text.replace('${a}", weight: 100', f'${{a}}", weight: {50 + turn * 5}')
    if turn % 2:
        text += '      - { name: c, address: "127.0.0.1:${c}", weight: 70 }\n'
    if turn % 3 == 0:
        text = text.replace("      - pool: web\n", "      - match: { path: /extra }\n        pool: web\n      - pool: web\n")
    return text


def run(s):
    for name in "abc":
        named_nginx(s, name)
    node = Node(s)
    for name in "ab":
        node.wait_verdict("web", name, "up")
    first = node.generation()
    kept = Wire(s.port("web"))
    s.defer(kept.close)
    load = Load(s, f"http://127.0.0.1:{s.port('web')}/")
    seen = {"a": 0, "b": 0}

    for turn in range(1, RELOADS + 1):
        text = variant(node.template, turn)
        if turn % 2:
            node.reload(text)
        else:
            node.hangup(text)
        wait(lambda: get(s.port("web"), "/version").text == str(turn), f"the route of reload {turn} answers")
        with s.fact(f"reload {turn} keeps health, counters and open connections"):
            for name in "ab":
                backend = node.backend("web", name)
                equal(backend["verdict"], "up", f"{name}'s verdict")
                ensure(backend["requests"] >= seen[name], f"{name}'s counter fell from {seen[name]} to {backend['requests']}")
                seen[name] = backend["requests"]
            equal(node.backend("web", "a")["weight"], 50 + turn * 5, "a's weight")
            equal(kept.exchange(target="/version").text, str(turn), "the answer on the connection opened before")
        target = seen["a"] + 500
        wait(lambda: node.backend("web", "a")["requests"] > target, "traffic goes on")
    figures = load.stop()
    s.figure("reloads", "requests", "failed", "p50", "p99", "generations")
    s.figure(RELOADS, figures.requests, figures.failed, figures.p50, figures.p99, node.generation() - first)
    with s.fact("no request fails"):
        ensure(figures.failed == 0, str(figures))
    with s.fact("the added backend took traffic"):
        node.reload(variant(node.template, 1))
        node.wait_verdict("web", "c", "up")
        wait(lambda: "c" in get(s.port("web"), "/").text, "c answers")
    protocol(s, node)
    refused(s, node)


def protocol(s, node):
    web = 'bind: "127.0.0.1:${web}"\n    protocol: http\n    routes:\n'
    start = node.template.index(web)
    end = node.template.index("pools:")
    with s.fact("a listener that becomes another protocol's: its old connections end, its new ones are served"):
        with Wire(s.port("web")) as wire:
            equal(wire.exchange().status, 200, "status before")
            node.reload(node.template[:start] + 'bind: "127.0.0.1:${web}"\n    protocol: tcp\n    pool: web\n' + node.template[end:])
            wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            ensure(wire.ended(3), "the old connection is open")
        equal(get(s.port("web")).status, 200, "status through TCP")
        node.reload(variant(node.template, 1))
        equal(get(s.port("web"), "/version").text, "1", "the route's answer")


def shape(node):
    """What a file decides. The generation also grows when health does, a slow start for one."""
    status = node.status()
    return (
        [(listener["name"], listener["protocol"]) for listener in status["listeners"]],
        [(pool["name"], [(b["name"], b["address"], b["weight"]) for b in pool["backends"]]) for pool in status["pools"]],
    )


def refused(s, node):
    before, generation = shape(node), node.generation()
    with s.fact("a wrong config is refused with its place and changes nothing"):
        node.write(node.template.replace("pool: web\n", "pool: wbe\n"))
        done = node.cli("reload")
        ensure(done.returncode != 0, "sluice reload says success")
        contains(done.stderr + done.stdout, "wbe")
        equal(shape(node), before, "listeners, pools and weights")
        equal(get(s.port("web"), "/").status, 200, "status")
    with s.fact("the corrected config goes in"):
        node.reload(node.template)
        ensure(node.generation() > generation, "no new generation")
        equal(get(s.port("web"), "/version").text, "0", "the route's answer")
