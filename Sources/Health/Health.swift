// Health: from observations to a verdict.
//
// Role: state machines for active probes, agents and outlier detection
// (`BackendHealth`, and `PoolHealth`, which owns those of a pool and decides what
// only a pool can: how many may be ejected), and the schedule that spreads probes
// over time. Boundary: events and the time come in, effects go out. Absent on
// purpose: sockets (Prober), weights (Planner), maintenance (nobody probes then).
