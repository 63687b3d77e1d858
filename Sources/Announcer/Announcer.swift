// Announcer: the addresses that clients use, moved between nodes.
//
// Role: the drivers of VRRP, BGP and BFD: they move the bytes of those protocols'
// values, put addresses on interfaces, and tell the neighbours. VIP* and VRRP* are
// virtual routers. Each driver has a thread of its own, so that load on the workers
// delays no heartbeat. Boundary: orders are sets, reports go up through a closure.
// Absent on purpose: decisions (the Planner says what is announced), routes of others
// in the kernel's tables, `unsafe`.
