// Telemetry: what a running node counts, as plain values.
//
// Role: one vocabulary of counters and gauges that the data plane fills and the
// edges (status, metrics) read. Boundary: values only; adding two snapshots (one
// per worker) is all the arithmetic. Absent on purpose: atomics and padding (the
// data plane's own storage), text and JSON (Admin), rates (the reader's business).
