"""A headless Chromium, driven by its DevTools protocol."""

import asyncio
import base64
import itertools
import json
import re
import urllib.request

import websockets

from lib.scenario import Failure, wait


class Browser:
    def __init__(self, scenario):
        profile = scenario.path("chromium")
        self.process = scenario.start("chromium", [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"])
        found = wait(lambda: re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)", self.process.log()), "Chromium listens", 30)
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/json/list", timeout=5) as answer:
            page = next(one for one in json.load(answer) if one["type"] == "page")
        self.loop = asyncio.new_event_loop()
        scenario.defer(self.loop.close)
        self.socket = self.now(lambda: websockets.connect(page["webSocketDebuggerUrl"], max_size=64 << 20, ping_interval=None))
        scenario.defer(lambda: self.now(self.socket.close))
        self.numbers = itertools.count(1)
        self.messages = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def now(self, begin):
        """The value of what `begin` awaits: the scenarios are without coroutines."""
        async def value():
            return await begin()
        return self.loop.run_until_complete(asyncio.wait_for(value(), 20))

    def call(self, method, **parameters):
        number = next(self.numbers)
        self.now(lambda: self.socket.send(json.dumps({"id": number, "method": method, "params": parameters})))
        while True:
            message = json.loads(self.now(self.socket.recv))
            if message.get("id") == number:
                if "error" in message:
                    raise Failure(f"{method}: {message['error']}")
                return message["result"]
            self.messages.append(message)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete'", "the page is loaded")

    def run(self, script):
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure(f"{script}: {result['exceptionDetails'].get('exception', {}).get('description')}")
        return result["result"].get("value")

    def wait(self, script, what, seconds=15):
        return wait(lambda: self.run(script), what, seconds, 0.05)

    def look(self, width, height, dark=False):
        # A bar would take room that a picture does not show.
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def key(self, name):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode={"Tab": 9, "Enter": 13, " ": 32}[name],
                      **({"text": "\r"} if name == "Enter" and kind == "keyDown" else {}))

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def troubles(self):
        """What the page complained about, and the addresses it asked."""
        self.run("1")
        errors, asked = [], set()
        for message in self.messages:
            if message["method"] == "Runtime.exceptionThrown":
                errors.append(message["params"]["exceptionDetails"].get("exception", {}).get("description"))
            elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                errors.append(message["params"]["entry"]["text"])
            elif message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"])
        return errors, asked
