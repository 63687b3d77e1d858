// Model: the vocabulary of ARCHITECTURE.md as value types.
//
// Role: what a configuration, an API or a simulation says that Sluice shall do
// (Listener, Route, Pool, Backend, ...), and what is known of it (Verdict).
// Boundary: imports nothing. Every type is a Sendable, Equatable value, so that a
// reload is a comparison. Absent on purpose: how a thing was written (YAML, JSON),
// compiled tables (Routing, Balance), and anything that changes in place.
