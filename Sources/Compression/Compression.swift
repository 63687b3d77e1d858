// Compression: zlib's format (RFC 1950), as heartbeats of amphorae have it.
//
// Role: whole messages in and out of the system's zlib. Boundary: what comes from
// outside has a limit that it may not grow beyond. Absent on purpose: streams.
