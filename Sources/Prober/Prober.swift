// Prober: active checks and agents.
//
// Role: one thread that runs the set of `ProbeTarget`s it was given and reports what
// each run found (ProberThread.swift is the door). The checks read answers as values,
// without IO: HTTPCheck, ReplySearch, AgentReader; ProbeLoop and its extensions move
// the bytes. Boundary: targets and paces in, `ProbeReport`s out. Absent on purpose:
// verdicts, rise and fall (Health), and findings about this machine's own trouble:
// a probe that cannot run (no descriptors, no ports) says nothing of the backend.
