// Balance: the policies that pick a backend.
//
// Role: one file per balancer, each with its source. A `PickTable` is what a pool
// looks like now: immutable, built once, shared by all workers; a `Picker` is one
// worker's memory (rotation, latencies) on top of it. Boundary: sees candidates
// with weights, a view of their load, a hash and a random generator; returns an
// index. Absent on purpose: health (a candidate without weight is simply not
// picked), queues (nil says that nobody has room), sockets, locks, allocation per pick.
