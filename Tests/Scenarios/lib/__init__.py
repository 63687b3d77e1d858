"""The scenario harness: the real binary, real peers, facts and figures.

scenario.py of each folder has `def run(s)`; `s` is a `lib.scenario.Scenario`.
Role of the modules: scenario (facts, waiting, cleaning up), node (the binary and
its admin API), peers (nginx, HAProxy and servers in Python), origin (an HTTP
server that keeps what it saw), wire (a client that sends exactly these bytes),
load (wrk). Absent on purpose: anything outside Python's standard library.
"""
