// Sniff: what a connection says before its protocol starts.
//
// Role: PROXY protocol v1 and v2, read and written; a TLS client's first message,
// read. Boundary: bytes in, values out, no IO. Absent on purpose: trust (who may
// send it is the listener's word), and anything of TLS that needs a key.
