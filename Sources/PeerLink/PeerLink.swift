// PeerLink: the connections to the other nodes.
//
// Role: one thread that moves the bytes of Peering's Neighborhood: it listens,
// calls, sends, and looks through the persistence tables when a link asks for it
// (PeerLinks is the door). Boundary: settings, content and letters in, observations
// out; entries go from table to table, since they decide nothing by themselves.
// Absent on purpose: what is said and when (Peering), cryptography (TLS), what
// follows from it (Node).
