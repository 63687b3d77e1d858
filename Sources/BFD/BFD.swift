// BFD: bidirectional forwarding detection as values.
//
// Role: the control packet's codec and `Session`, the asynchronous mode of RFC 5880
// for one path, single-hop (RFC 5881) or multihop (RFC 5883). Boundary: imports Wire and
// Model; datagrams with their TTL, time and randomness come in, datagrams and changes of
// state go out; the driver picks the session by discriminator or address. Absent on
// purpose: sockets, clocks, threads (Announcer), authentication, echo and demand mode
// of our own (a peer's demand is honoured).
