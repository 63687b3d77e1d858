"""results.json: every run of every scenario, and what it ran on."""

import json
import statistics

from lib import machine, peers
from lib.settings import CONNECTIONS, DURATION, HOME, RUNS, SERIOUS_DURATION, SERIOUS_RUNS, WARMUP

FILE = HOME / "results.json"


def load():
    try:
        return json.loads(FILE.read_text())
    except (OSError, ValueError):
        return {"scenarios": {}}


def store(book, scenario, runs, troubles, started, group):
    if not any(runs.values()) and scenario.name in book["scenarios"]:
        # Nothing ran at all: what was measured before stays, with the reason why it was not renewed.
        book["scenarios"][scenario.name]["troubles"] = troubles
        return
    book["machine"] = machine.facts()
    # Versions are kept by peer: a later run with fewer peers forgets none.
    versions = book.setdefault("versions", {})
    for peer in {entry.peer for entry in scenario.entries if runs.get(entry.label)}:
        versions[peer] = peers.ALL[peer].version()
    versions["wrk"] = machine.output(["wrk", "-v"]).split("Copyright")[0].strip()
    book["scenarios"][scenario.name] = {
        "started": started, "runs": runs, "troubles": troubles, "cgroup": group, "wanted": scenario.runs or RUNS,
        "duration": DURATION, "warmup": WARMUP, "connections": CONNECTIONS,
        "preliminary": RUNS < SERIOUS_RUNS or DURATION < SERIOUS_DURATION,
        "binary": peers.ALL["sluice"].version(),
    }


def save(book):
    FILE.write_text(json.dumps(book, indent=1, sort_keys=True) + "\n")


def counted(runs):
    """The runs that count: the undisturbed ones; if there are none, all (and the report says so)."""
    return [run for run in runs if not run["disturbed"]] or runs


def median(runs, metric):
    return statistics.median(run[metric] for run in counted(runs))


def rounds(own, other, metric):
    """own/other for each round in which both have a run that counts."""
    by_round = {run["round"]: run[metric] for run in counted(other)}
    pairs = [(run[metric], by_round[run["round"]]) for run in counted(own) if run["round"] in by_round]
    # Rounds in which one of them was always disturbed: no pair is left, the medians must do.
    pairs = pairs or [(median(own, metric), median(other, metric))]
    return [mine / theirs if theirs else float("inf") for mine, theirs in pairs]


def ratio(own, other, metric):
    """The median of the rounds' ratios: what slows a whole round down is in both of its halves."""
    return statistics.median(rounds(own, other, metric))


def quartiles(own, other, metric):
    """The rounds' ratios: first and third quartile."""
    values = rounds(own, other, metric)
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def spread(runs, metric):
    """Half the range between the quartiles over the median, of the runs that count."""
    values = sorted(run[metric] for run in counted(runs))
    middle = statistics.median(values)
    if len(values) < 2 or middle == 0:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle
