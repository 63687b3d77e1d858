"""RESULTS.md: tables, method and verdicts, from results.json alone."""

from lib import chart, results, scenarios
from lib.settings import HOME

METRICS = {
    "cpu_us": "CPU µs per {unit}", "p99": "p99 µs", "bytes_per_connection": "bytes per connection",
    "cpu_ms_per_second": "CPU ms per second", "apply_ms": "ms to apply", "start_ms": "ms to the first byte",
}
COLUMNS = {
    "cpu_us": [("user", "user_us", 2), ("system", "system_us", 2)],
    "bytes_per_connection": [("MiB in all", "memory", "MiB")],
    "cpu_ms_per_second": [("backend's ms/s", "backend_ms_per_second", 1), ("MiB", "memory", "MiB")],
    "apply_ms": [("slowest", "apply_max_ms", 1), ("p99 µs", "p99", 0), ("max µs", "max", 0), ("errors", "errors", 0), ("MiB", "memory", "MiB")],
    "start_ms": [("CPU ms", "start_cpu_ms", 1), ("MiB", "memory", "MiB")],
}
LOAD = [("{units}/s", "per_second", 0), ("p50 µs", "p50", 0), ("p99 µs", "p99", 0), ("p99.9 µs", "p999", 0), ("core 0", "utilisation", "%"),
        ("backend µs", "backend_us", 2), ("MiB", "memory", "MiB"), ("errors", "errors", 0)]


def number(value, form):
    if form == "MiB":
        return f"{value / 1048576:.1f}"
    if form == "%":
        return f"{value * 100:.0f}%"
    return f"{value:,.{form}f}"


def rivals(scenario, runs):
    """The labels that Sluice's champion is compared with."""
    if scenario.against and scenario.against.startswith("sluice"):
        # Against a setting of its own.
        return [label for label, ones in runs.items() if ones and label == scenario.against]
    return [label for label, ones in runs.items()
            if ones and not label.startswith("sluice") and label.startswith(scenario.against or "")]


def compared(scenario, runs):
    """(ratio to the best peer, that peer's label, ratio to HAProxy) by the scenario's metric; None where there is none."""
    own = champion(scenario, runs)
    if own is None:
        return None, None, None
    to = lambda label: results.ratio(runs[own], runs[label], scenario.metric)
    best = max(rivals(scenario, runs), key=to, default=None)
    haproxy = max((to(label) for label, ones in runs.items() if ones and label.startswith("haproxy")), default=None)
    return (to(best) if best else None), best, haproxy if best else None


def champion(scenario, runs):
    """The setting of Sluice that counts: the best of those that may; None if none ran."""
    there = [label for label in scenario.champions if runs.get(label)]
    return min(there, key=lambda label: results.median(runs[label], scenario.metric), default=None)


def verdict(scenario, ratio):
    if ratio is None:
        return "not compared"
    if scenario.at_most is None:
        return "no target"
    if scenario.aim and ratio <= scenario.aim and scenario.metric == "cpu_us":
        return "**beyond the aim**"
    return "**met**" if ratio <= scenario.at_most else "**short**"


def write(book):
    lines = ["# Results", ""]
    if any(entry["preliminary"] for entry in book["scenarios"].values()):
        lines += ["> Some scenarios below ran too short or too seldom for a verdict; they are marked *preliminary*.", ""]
    lines += summary(book) + method(book)
    for scenario in scenarios.ALL:
        if scenario.name in book["scenarios"]:
            lines += section(scenario, book["scenarios"][scenario.name])
    (HOME / "RESULTS.md").write_text("\n".join(lines) + "\n")
    (HOME / "ratios.svg").write_text(chart.drawn(ratios(book)))
    print(f"bench: wrote {HOME / 'RESULTS.md'}, results.json, ratios.svg")


def ratios(book):
    """(scenario, label -> value relative to Sluice's champion, at most) for the chart."""
    found = []
    for scenario in scenarios.ALL:
        entry = book["scenarios"].get(scenario.name)
        if not entry:
            continue
        ratio, best, _ = compared(scenario, entry["runs"])
        if ratio is None:
            continue
        relative = {label: results.ratio(runs, entry["runs"][best], scenario.metric) for label, runs in entry["runs"].items() if runs}
        found.append((scenario.name, relative, scenario.at_most, scenario.champions))
    return found


def summary(book):
    lines = ["| scenario | compared | Sluice | best peer | ratio | quartiles | to HAProxy | at most | aim | verdict |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for scenario in scenarios.ALL:
        entry = book["scenarios"].get(scenario.name)
        if not entry:
            continue
        ratio, best, haproxy = compared(scenario, entry["runs"])
        own, rival = entry["runs"].get(champion(scenario, entry["runs"])), entry["runs"].get(best) if best else None
        show = lambda runs: f"{results.median(runs, scenario.metric):,.1f}" if runs else "none"
        low, high = results.quartiles(own, rival, scenario.metric) if own and rival else (None, None)
        target = lambda value: f"{value:.2f}" if value else ""
        mark = " *(preliminary)*" if entry["preliminary"] else ""
        disturbed = " *(all runs disturbed)*" if any(runs and all(run["disturbed"] for run in runs) for runs in entry["runs"].values()) else ""
        lines.append(
            f"| [{scenario.name}](#{scenario.name}) | {METRICS[scenario.metric].format(unit=scenario.unit)} | {show(own)} | "
            f"{f'{show(rival)} ({best})' if best else 'none'} | {f'**{ratio:.2f}**' if ratio is not None else ''} | "
            f"{f'{low:.2f}–{high:.2f}' if low is not None else ''} | "
            f"{f'{haproxy:.2f}' if haproxy is not None else ''} | {target(scenario.at_most)} | {target(scenario.aim)} | "
            f"{verdict(scenario, ratio)}{mark}{disturbed} |")
    return lines + ["", "![Each scenario relative to its best peer](ratios.svg)", ""]


def method(book):
    facts = "; ".join(f"{key}: {value}" for key, value in book.get("machine", {}).items())
    versions = "; ".join(f"{name} {value}" if name not in value.lower() else value for name, value in sorted(book.get("versions", {}).items()))
    return [
        "## Method", "", f"- Machine: {facts}.", f"- Versions: {versions}.",
        "- What counts is CPU time per unit of work: user and system time of the balancer's whole process tree, from `/proc`, over the",
        "  measured window, divided by what the client completed in it. The balancer is pinned to core 0 with one worker thread; client and backend to",
        "  core 1. Requests per second are shown, but the load side may be what limits them (`core 0` is how busy the balancer was).",
        "- Loopback charges the receiver's work to the sender: the balancer pays for delivering to client and backend. That is the same for all.",
        "- Runs are interleaved (A B C A B C); each has a fresh process, a warm-up that is thrown away, then the window. Figures are medians of",
        "  the undisturbed runs; ± is half the quartile range. A **ratio** is the median of the rounds' own ratios (and beside it their quartiles),",
        "  since the machine changes its speed between rounds more than within one. The best peer is the one whose ratio is worst for Sluice.",
        "  A run during which other processes used over 4% of the machine, or the hypervisor took",
        "  as much, is marked, kept in `results.json`, and repeated a bounded number of times.",
        "- All processes run in a CPU cgroup with a high share where one can be made: autogroup would give other work an equal one.",
        "- Sluice runs with every feature at its default: retries, forwarding headers, request ids, timeouts, metrics, and health probes each",
        "  2 s. Peers check health as often where they can (nginx cannot), keep connections to backends, and set X-Forwarded-For and -Proto.",
        "- The backend answers from memory on the project's own event loop; `backend µs` is what it used, so that it can be seen to be cheaper",
        "  than any balancer. The client is wrk where it fits (one thread), else the project's `loadgen`.",
        "- Configs: [Benchmarks/configs](configs); what is generated (routes, pools) is in [lib/peers.py](lib/peers.py).", "",
    ]


def section(scenario, entry):
    units = scenario.unit if scenario.unit == "MiB" else scenario.unit + "s"
    columns = [("", None)] and COLUMNS.get(scenario.metric, [("CPU µs", "cpu_us", 2)])
    if scenario.client:
        columns = columns + [(title.format(units=units), key, form) for title, key, form in LOAD if key != scenario.metric]
    kinds = sorted({entry.shape.kind for entry in scenario.entries})
    lines = [f"## {scenario.name}", "", f"{scenario.about[0].upper()}{scenario.about[1:]}.", ""]
    mark = "**preliminary**, " if entry["preliminary"] else ""
    lines += [f"{mark}{entry['started']}, {entry['wanted']} runs of {entry['duration']:g} s, {entry['binary']}, {entry['cgroup']}, "
              f"configs `*/{kinds[0]}.*`.", ""]
    title = METRICS[scenario.metric].format(unit=scenario.unit)
    lines += ["| | " + " | ".join([title, "±", "to best peer"] + [column[0] for column in columns] + ["runs"]) + " |",
              "|---" * (len(columns) + 5) + "|"]
    ratio, best, _ = compared(scenario, entry["runs"])
    ordered = sorted(((label, runs) for label, runs in entry["runs"].items() if runs), key=lambda pair: results.median(pair[1], scenario.metric))
    for label, runs in ordered:
        value = results.median(runs, scenario.metric)
        cells = [f"{value:,.2f}" if value < 1000 else f"{value:,.0f}", f"{results.spread(runs, scenario.metric) * 100:.0f}%",
                 f"{results.ratio(runs, entry['runs'][best], scenario.metric):.2f}" if best else ""]
        # Not every client tells everything: s_time knows no latencies.
        cells += [number(results.median(runs, key), form) if all(key in run for run in runs) else "–" for _, key, form in columns]
        bad = sum(run["disturbed"] for run in runs)
        cells.append(f"{len(runs)}" + (f", {bad} disturbed" if bad else ""))
        name = f"**{label}**" if label in scenario.champions else label
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    own, beside = champion(scenario, entry["runs"]), scenario.beside
    if own and entry["runs"].get(beside):
        share = results.ratio(entry["runs"][own], entry["runs"][beside], scenario.metric)
        lines += [f"- {own} is {share:.2f} of {beside}.", ""]
    for trouble in entry["troubles"].values():
        lines.append(f"- Left out or ended early: {trouble}")
    if entry["troubles"]:
        lines.append("")
    return lines
