// Reactor: what an event loop is made of.
//
// Role: slabs of connections, buffers that are lent while bytes are pending, a
// timer wheel, mailboxes, counters that other threads may read. Boundary: memory
// and time, no protocol; every unsafe pointer of the data plane lives here, behind
// bounds checks. Absent on purpose: callbacks and futures (the loop is its owner's).
