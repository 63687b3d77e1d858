"""The dashboard in a real browser: live data, orders with a token, keys, a phone, dark mode, hostile names."""

import json
import os
import pathlib
import threading
import urllib.error
import urllib.request

from lib.browser import Browser
from lib.node import Node
from lib.origin import Origin
from lib.scenario import Failure, contains, ensure, equal, wait
from lib.wire import Wire

# Pictures for the documents show some minutes of plots.
PICTURES = os.environ.get("SCREENSHOTS")
LIMIT = 400 if PICTURES else 120


def run(s):
    for name in "abc":
        Origin(s, name)
    node = Node(s)
    for pool, name in (("web", "a"), ("web", "b"), ("api", "c")):
        node.wait_verdict(pool, name, "up")
    stop = threading.Event()
    s.defer(stop.set)
    for path in ("/", "/api/x"):
        threading.Thread(target=load, args=(s, path, stop), daemon=True).start()
    access(s)
    streams(s)
    browser = Browser(s)
    live(s, node, browser)
    orders(s, node, browser)
    panels(s, node, browser)
    looks(s, browser)
    with s.fact("the page asked nobody but the node, and complained of nothing but the missing token"):
        errors, asked = browser.troubles()
        equal([error for error in errors if "401" not in error and "403" not in error], [], "errors")
        equal({url for url in asked if not url.startswith(f"http://127.0.0.1:{s.port('admin')}/") and not url.startswith(("about:", "data:"))}, set(), "requests elsewhere")


def load(s, path, stop):
    while not stop.is_set():
        try:
            with Wire(s.port("web")) as wire:
                while not stop.wait(0.01):
                    wire.exchange(target=path)
        except Exception:
            stop.wait(0.1)


def ask(s, path, token=None, method="GET", origin=None):
    request = urllib.request.Request(f"http://127.0.0.1:{s.port('admin')}/{path}", method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if origin:
        request.add_header("Origin", origin)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def access(s):
    with s.fact("the page needs no token and may run nothing foreign; the data needs one"):
        status, headers, _ = ask(s, "")
        equal(status, 200, "status")
        contains(headers["Content-Security-Policy"], "default-src 'none'")
        for path in ("v1/status", "v1/history", "v1/stream", "v1/panels", "metrics"):
            equal(ask(s, path)[0], 401, path)
    with s.fact("the read-only token looks and gives no orders"):
        equal(ask(s, "v1/status", "a-token-for-looking")[0], 200, "status")
        equal(ask(s, "v1/backends/web/a/drain", "a-token-for-looking", "POST")[0], 403, "an order")
    with s.fact("a foreign page is refused with the right token, the node's own is not"):
        equal(ask(s, "v1/status", "a-token-for-orders", origin="http://evil.example")[0], 403, "foreign origin")
        equal(ask(s, "v1/status", "a-token-for-orders", origin=f"http://127.0.0.1:{s.port('admin')}")[0], 200, "own origin")


def streams(s):
    with s.fact("more followers than there is room for are told so, and their places are given back"):
        request = b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-token-for-looking\r\n\r\n"
        wires = [Wire(s.port("admin")) for _ in range(64)]
        for wire in wires:
            wire.socket.sendall(request)
        for wire in wires:
            contains(wire.socket.recv(15).decode(), " 200")
        equal(ask(s, "v1/stream", "a-token-for-looking")[0], 503, "the 65th")
        for wire in wires:
            wire.socket.close()

        def room():
            with Wire(s.port("admin")) as wire:
                wire.socket.sendall(request)
                return b" 200" in wire.socket.recv(15)
        wait(room, "places are free again", 10, 0.2)


def live(s, node, browser):
    browser.look(1280, 900)
    browser.open(f"http://127.0.0.1:{s.port('admin')}/")
    with s.fact("without a token the page asks for one, usable by keys alone"):
        browser.wait("document.getElementById('token-dialog').open", "the dialog is open")
        browser.wait("document.activeElement.id == 'token'", "the field has the focus")
        browser.type("a-token-for-orders")
        browser.key("Enter")
        browser.wait("document.getElementById('phase').textContent == 'serving'", "it is live", 20)
    with s.fact("tiles, topology and tables show the live node"):
        browser.wait("parseFloat(document.querySelector('#tiles b').textContent) > 10", "requests per second")
        equal(browser.run("[...document.querySelectorAll('#listeners .card')].map(n => n.dataset.key).sort().join()"), "db,web", "listeners")
        equal(browser.run("[...document.querySelectorAll('#pools .card')].map(n => n.dataset.key).sort().join()"), "api,db,web", "pools")
        equal(browser.run("document.querySelectorAll('#edges path').length"), 3, "edges")
        equal(browser.run("document.querySelectorAll('#backends tbody tr').length"), 5, "backends")
        contains(browser.run("document.getElementById('tiles').textContent"), "4 of 5")
    with s.fact("a name that is markup stays text"):
        equal(browser.run("document.querySelectorAll('img').length"), 0, "images")
        contains(browser.run("document.getElementById('backends').textContent"), "dead&lt;b&gt;")
    with s.fact("plots show the history"):
        browser.wait("document.querySelectorAll('.chart path').length >= 6", "lines", 30)
        contains(browser.run("document.querySelector('.legend').textContent"), "web")
    with s.fact("an event shows at once"):
        node.must("weight", "web/b", "77")
        browser.wait("document.getElementById('events').textContent.includes('weight 77')", "the event")


def orders(s, node, browser):
    button = "[...document.querySelectorAll('#backends button')].find(b => b.ariaLabel == 'drain: web/a')"
    with s.fact("a button drains, by the keyboard, and the page shows it"):
        browser.run(f"{button}.focus()")
        browser.key("Enter")
        wait(lambda: node.backend("web", "a")["state"] == "drain", "web/a drains")
        browser.wait(f"{button}.getAttribute('aria-pressed') == 'true'", "the button is pressed")
        node.must("ready", "web/a")
    with s.fact("a weight is set"):
        browser.run("(() => { const i = [...document.querySelectorAll('#backends input')].find(i => i.ariaLabel == 'weight of web/b'); i.value = 33; i.onchange() })()")
        wait(lambda: node.backend("web", "b")["weight"] == 33, "web/b has weight 33")
    with s.fact("with the token for looking, an order is refused in words"):
        browser.run("sessionStorage.setItem('sluice-token', 'a-token-for-looking')")
        browser.run(f"{button}.click()")
        browser.wait("document.getElementById('notice').textContent.includes('looking only')", "the notice")
        equal(node.backend("web", "a")["state"], "ready", "state")


def panels(s, node, browser):
    browser.run("(document.getElementById('notice').hidden = true, sessionStorage.setItem('sluice-token', 'a-token-for-orders'))")
    button = "[...document.querySelectorAll('#panels button')].find(b => b.ariaLabel == '{}: rollout of web')"
    with s.fact("a rollout is shown with its orders, which are given by the keyboard"):
        node.must("rollout", "start", "web", "--manual", "--backends", "a", "--max-unavailable", "2", "--drain-timeout", "1")
        browser.wait("document.getElementById('panels').textContent.includes('update a by hand')", "it waits for a person", 10)
        browser.run(button.format("pause") + ".focus()")
        browser.key("Enter")
        wait(lambda: rollout(node)["phase"] == "paused", "it pauses")
        browser.wait(button.format("resume") + " != null && " + button.format("next") + " == null", "a paused one can be resumed")
        browser.run(button.format("resume") + ".click()")
        wait(lambda: rollout(node)["phase"] == "running", "it goes on")
        browser.wait(button.format("next") + " != null", "and can be told the next step")
    with s.fact("a click on what led to an event leads to that one's row, in sight and marked"):
        browser.wait("document.querySelector('#events li a') != null", "a link")
        found = browser.run("""(() => {
            const link = document.querySelector('#events li a');
            link.click();
            const row = document.activeElement, box = row.getBoundingClientRect(), list = document.getElementById('events').getBoundingClientRect();
            return [row.id == link.hash.slice(1), box.top >= list.top - 1 && box.bottom <= list.bottom + 1, getComputedStyle(row).outlineStyle, link.textContent.startsWith('← rollout')];
        })()""")
        equal(found, [True, True, "solid", True], "the row, in sight, its outline, the link's words")
    with s.fact("panels are apart from each other"):
        browser.run("""panels([
            { name: "rollouts", title: "Rollouts", columns: ["pool", "what", "phase", "progress", "answers", "errors", "evidence", "why"], rows: [
              ["web", "update in place", "running", "3 of 10 backends", "", "", "", "update b3 by hand, then `sluice rollout next`"],
              ["api", "canary of v2", "rolled-back", "5% of the clients", "812", "4.9% against 0.1%", "99%", "errors: 40 of 812 against 3 of 15211; the chance that this is luck is below 1%"]] },
            { name: "drift", title: "Early warnings", columns: ["pool", "backend", "does worse in"], rows: [["web", "b", "slow answers: 48 ms against 21 ms of its pool's others, five looks in a row"]] },
            { name: "floating-ips", title: "Floating addresses", columns: ["address", "mapped to", "pool", "failover", "here"], rows: [["203.0.113.9", "10.0.0.5", "public", "", "yes"]] }])""")
        # What the node says next shall not take the place of it before it was looked at.
        browser.run("void (panels = () => {})")
        tops = browser.run("[...document.querySelectorAll('#panels > section')].slice(1).map((n, i) => n.getBoundingClientRect().top - document.querySelectorAll('#panels > section')[i].getBoundingClientRect().bottom)")
        ensure(tops and min(tops) >= 12, f"spaces of {tops} px")


def rollout(node):
    return json.loads(node.must("rollout", "status", "--json"))["rollouts"][0]


def looks(s, browser):
    folder = pathlib.Path(PICTURES or s.dir)
    folder.mkdir(parents=True, exist_ok=True)
    if PICTURES:
        wait(lambda: browser.run("kept.history.length") >= 24, "the plots have lines", 240, 2)
    browser.run("(document.getElementById('notice').hidden = true, sessionStorage.setItem('sluice-token', 'a-token-for-orders'))")
    for name, width, height, dark in (("light", 1280, 900, False), ("dark", 1280, 900, True), ("phone", 390, 844, False)):
        with s.fact(f"{name}: nothing runs over the edge"):
            browser.look(width, height, dark)
            browser.wait(f"innerWidth == {width}", "the size is set")
            browser.picture(folder / f"dashboard-{name}.png")
            ensure(browser.run("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways")
