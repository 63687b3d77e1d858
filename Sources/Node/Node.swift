// Node: the composition root and the sole owner of the truth.
//
// Role: every observation and every change comes in through `Node.apply`; out go
// whole Worlds to the data plane and whole sets of probes to the prober. Boundary:
// knows neither sockets nor threads, only `Ports`, so that tests own the time.
// Absent on purpose: how to judge (Health), how to weigh (Planner), the API's types.
