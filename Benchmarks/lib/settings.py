"""Where things are, and what the environment may set."""

import os
import pathlib

HOME = pathlib.Path(__file__).resolve().parents[1]
ROOT = HOME.parent
OUT = HOME / "out"
CONFIGS = HOME / "configs"
BINARY = pathlib.Path(os.environ.get("SLUICE") or ROOT / ".build/release/sluice")
RESPONDER = ROOT / ".build/release/responder"
LOADGEN = ROOT / ".build/release/loadgen"

RUNS = int(os.environ.get("RUNS") or 5)
DURATION = float(os.environ.get("DURATION") or 5)
WARMUP = float(os.environ.get("WARMUP") or 1)
CONNECTIONS = int(os.environ.get("CONNECTIONS") or 64)
# A disturbed run is repeated so often; after that it stands, marked.
REPEATS = int(os.environ.get("REPEATS") or 2)
# Below the ephemeral ports, and away from what people run by hand.
PORT = int(os.environ.get("BENCH_PORT") or 23000)
# Requests per second where all peers get the same load.
RATE = int(os.environ.get("RATE") or 10000)

# Below these a result is for trying the harness, not for a verdict.
SERIOUS_RUNS, SERIOUS_DURATION = 5, 2


class Trouble(Exception):
    """Something that ends a scenario or a peer's part in it, and not the benchmark."""
