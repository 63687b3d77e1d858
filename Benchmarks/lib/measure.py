"""Runs a scenario: every entry in turn, round after round, so that what drifts on the machine hits all alike."""

import traceback

from lib import machine, peers
from lib.processes import Processes, require_free, wait_until, connects, tail
from lib.settings import DURATION, OUT, PORT, REPEATS, RESPONDER, RUNS, WARMUP, Trouble



def say(text):
    print(text, flush=True)


class Bench:
    """A scenario's entry during one run: its ports, its backends, its processes."""

    def __init__(self, scenario, entry, processes):
        self.scenario, self.entry, self.processes = scenario, entry, processes
        self.port = PORT
        self.backend_ports = [PORT + 1 + number for number in range(max(2, scenario.backends))]
        self.peer = peers.ALL[entry.peer]
        self.shape = entry.shape
        if self.shape.backends:
            ports = self.backend_ports
            filled = [
                f"127.0.0.1:{ports[int(text[1:])]}" if text.startswith("@") else text.replace("@", str(ports[0]))
                for text in self.shape.backends]
            self.shape = self.shape.with_(backends=tuple(filled))
        self.what = f"{scenario.name}: {entry.label}"
        self.folder = processes.folder

    def start_backends(self):
        require_free([self.port, *self.backend_ports], self.scenario.name)
        pattern = self.scenario.backend
        if "{port}" in pattern:
            specs = [pattern.format(port=self.backend_ports[0])]
        else:
            specs = [pattern.format(f"127.0.0.1:{port}") for port in self.backend_ports[:self.scenario.backends]]
        if pattern.startswith("nghttpd"):
            root = self.processes.folder / "www"
            root.mkdir(parents=True, exist_ok=True)
            (root / "x").write_text("Hello, world\n")
            options = pattern.split()[1:]
            command = ["nghttpd", "--no-tls", "-n1", "-d", str(root), *options, str(self.backend_ports[0])]
            self.backend = self.processes.start("nghttpd", command, machine.LOAD_CORE)
            wait_until(lambda: connects(self.backend_ports[0]), self.backend, 10, self.what)
            return self.backend
        if self.scenario.name == "p2c-slow-backend":
            specs[-1] = specs[-1].replace("delay=1,", "delay=10,")
        self.backend = self.processes.start("responder", [RESPONDER, *specs], machine.LOAD_CORE)
        wait_until(lambda: "serving" in self.backend.log.read_text(), self.backend, 10, self.what)
        return self.backend

    def start(self, wait=True):
        self.balancer = self.peer.start(self.processes, self.shape, self.port, self.backend_ports, self.what, wait)
        return self.balancer


def run_once(scenario, entry, group):
    """One run of one entry: its figures. Everything it started is gone afterwards."""
    slug = entry.label.replace(",", "").replace(" ", "-").replace("(", "").replace(")", "")
    processes = Processes(group, OUT / "runs" / scenario.name / slug)
    try:
        bench = Bench(scenario, entry, processes)
        bench.start_backends()
        if scenario.measure:
            return scenario.measure(bench)
        bench.start()
        return loaded(bench, scenario)
    finally:
        processes.stop_all()


def loaded(bench, scenario):
    """Warm-up, then the window: CPU per unit of work, the client's latencies, memory."""
    if WARMUP > 0:
        scenario.client(bench.processes, bench.port, WARMUP)
    window = machine.Window([bench.balancer.pid, bench.backend.pid])
    figures = scenario.client(bench.processes, bench.port, DURATION)
    used = window.close()
    if bench.balancer.poll() is not None:
        raise Trouble(f"{bench.what} ended during the run: {tail(bench.balancer.log)} (log: {bench.balancer.log})")
    balancer, backend = used[bench.balancer.pid], used[bench.backend.pid]
    units = figures["bytes"] / 1048576 if scenario.unit == "MiB" else figures["requests"]
    if units == 0:
        raise Trouble(f"{bench.what}: nothing came through: {figures} (log: {bench.balancer.log})")
    return {
        **figures, "cpu_us": balancer.total / units * 1e6, "user_us": balancer.user / units * 1e6,
        "system_us": balancer.system / units * 1e6, "backend_us": backend.total / units * 1e6,
        "per_second": units / figures["seconds"], "utilisation": balancer.total / window.seconds,
        "memory": machine.memory(bench.balancer.pid), "foreign": window.foreign, "stolen": window.stolen,
        "disturbed": window.disturbed,
    }


def scenario_runs(scenario, wanted, group):
    """All rounds: label -> its runs, and what went wrong."""
    entries = [entry for entry in scenario.entries if entry.peer in wanted]
    rounds = scenario.runs or RUNS
    runs, troubles = {entry.label: [] for entry in entries}, {}
    say(f"── {scenario.name}: {scenario.about}")
    for entry in list(entries):
        try:
            peers.ALL[entry.peer].require()
        except Trouble as trouble:
            troubles[entry.label] = f"{scenario.name}: {trouble}"
            say(f"   {entry.label}: left out: {trouble}")
            entries.remove(entry)
    for number in range(rounds):
        for entry in list(entries):
            try:
                figures = one_run(scenario, entry, group)
            except Trouble as trouble:
                troubles[entry.label] = str(trouble)
            except Exception as error:
                troubles[entry.label] = f"{scenario.name}: {entry.label}: {error!r} ({OUT / 'runs' / scenario.name})"
                traceback.print_exc()
            else:
                runs[entry.label] += [{**run, "round": number} for run in figures]
                continue
            say(f"   {entry.label}: {troubles[entry.label]}")
            entries.remove(entry)
    return runs, troubles


def one_run(scenario, entry, group):
    """A run; a disturbed one is kept, marked, and repeated so long as REPEATS allows."""
    kept = []
    for attempt in range(REPEATS + 1):
        figures = run_once(scenario, entry, group)
        kept.append(figures)
        say("   " + line(scenario, entry, figures))
        if not figures["disturbed"]:
            break
    return kept


def line(scenario, entry, figures):
    value = figures[scenario.metric]
    text = f"{entry.label:24} {scenario.metric} {value:10.2f}"
    if "cpu_us" in figures:
        text += (f"  cpu {figures['cpu_us']:8.2f} us/{scenario.unit}  {figures['per_second']:9.0f}/s"
                 + (f"  p99 {figures['p99']:9.1f} us" if "p99" in figures else "") + f"  core {figures['utilisation'] * 100:3.0f}%")
        if figures["errors"]:
            text += f"  errors {figures['errors']}"
    if figures["disturbed"]:
        text += f"  DISTURBED (others {figures['foreign'] * 100:.0f}%, stolen {figures['stolen'] * 100:.0f}%)"
    return text
