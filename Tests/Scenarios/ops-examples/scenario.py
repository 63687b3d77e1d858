"""Every file in Examples/ is valid as it stands, and serves (on free ports)."""

import pathlib
import re
import subprocess

from lib.scenario import ensure, equal, wait

LIMIT = 120
EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "Examples"


# These need addresses and a router of their own: the scenario that gives them is named.
ELSEWHERE = {"anycast.yaml": "bgp-example"}


def run(s):
    files = sorted(EXAMPLES.glob("*.yaml"))
    s.check(len(files) > 0, "there are examples")
    for file in files:
        with s.fact(f"{file.name}: sluice check"):
            done = subprocess.run([s.binary, "check", file], capture_output=True, text=True, timeout=20)
            equal(done.returncode, 0, f"exit status ({done.stderr.strip()[:300]})")
        if file.name in ELSEWHERE:
            continue
        with s.fact(f"{file.name}: sluice run"):
            config = s.path(file.name)
            config.write_text(elsewhere(s, file.read_text()))
            node = s.start(f"sluice-{file.stem}", [s.binary, "run", config, "--socket", s.path(f"{file.stem}.sock")])
            wait(lambda: "serving" in node.log() or not node.running, "it serves", 20)
            ensure(node.running, f"it ended: {node.log()[-300:]}")
            node.stop()
            equal(node.popen.returncode, 0, "exit status")


def elsewhere(s, text):
    """The same with free ports, and with its files in the scenario's directory."""
    text = re.sub(
        r"(127\.0\.0\.1|\[::1\]|0\.0\.0\.0|\[::\]):(\d+)", lambda found: f"{found[1]}:{s.port(f'example-{found[2]}')}", text
    )
    # No example may speak on this machine's own interfaces.
    text = re.sub(r"interface: eth[0-9]", "interface: sl-absent0", text)
    return re.sub(r"/tmp/[a-z-]+", str(s.dir), text)
