// Proxy: the data plane.
//
// Role: worker threads that take clients' connections, requests and datagrams to
// backends by the World that the Node hands down, and count what happens. Boundary:
// Worlds and drain orders in, observations and statistics out (DataPlane.swift);
// everything else is one worker's own. Absent on purpose: locks on the hot path,
// closures, connection objects (a connection is a slab's plain value), policy
// (Balance, Routing, Health decide; the proxy carries out).
