"""`sluice demo`: a node with three built-in backends; every URL that it prints works."""

import re
import signal
import subprocess
import urllib.parse

from lib.scenario import contains, ensure, equal, wait
from lib.wire import get


def run(s):
    demo = s.start("sluice-demo", [s.binary, "demo", "--port", s.port("demo"), "--socket", s.path("demo.sock")])
    urls = wait(lambda: "serving" in demo.log() and found(demo.log(), s.port("demo")), "the demo serves and prints its URLs", 20)
    s.check(len(urls) >= 1, "at least one URL is printed")
    for url in sorted(urls):
        with s.fact(f"{url} works"):
            parts = urllib.parse.urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            response = get((parts.hostname, parts.port), target, host=parts.netloc)
            s.figure(url, response.status, response.text.strip().splitlines()[0][:60] if response.body else "")
            ensure(200 <= response.status < 400, f"status {response.status}: {response.text[:100]}")
    with s.fact("all three backends answer, each with its name"):
        answers = [get(s.port("demo")).text for _ in range(200)]
        counts = {answer.strip()[:40]: answers.count(answer) for answer in set(answers)}
        s.figure("200 requests", counts)
        ensure(len(counts) >= 3, f"answers {counts}")
    with s.fact("the commands that it names work"):
        contains(demo.log(), "sluice status")
        for words in (["status"], ["drain", "web/one"], ["ready", "web/one"], ["weight", "web/slow", "10"]):
            done = subprocess.run([s.binary, *words, "--socket", s.path("demo.sock")], capture_output=True, text=True, timeout=10)
            equal(done.returncode, 0, f"exit status of sluice {' '.join(words)} ({done.stderr.strip()})")
    with s.fact("Ctrl-C ends it, and nothing is left"):
        demo.signal(signal.SIGINT)
        demo.wait(5)
        equal([path.name for path in s.dir.iterdir() if path.suffix == ".sock"], [], "sockets left")


def found(log, port):
    return set(re.findall(rf"http://[\w.:\[\]-]+:{port}[^\s'\"`,)]*", log))
