// Peering: what Sluice nodes tell each other.
//
// Role: the authenticated channel between nodes and what goes over it: reports
// (health, load, VIPs, announcements, verdicts), overrides that the last writer
// wins, persistence entries, messages. Neighborhood is the whole of it as a state
// machine; Channel is one connection; Docs/peering.md draws the wire format.
// Boundary: sans-IO. Bytes, connections and time come as events, effects go out;
// cryptography is given from above. Absent on purpose: sockets (PeerLink), OpenSSL
// (TLS), consensus, and relaying of reports: each node speaks for itself.
