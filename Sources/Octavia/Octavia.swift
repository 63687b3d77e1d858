// Octavia: an OpenStack-compatible control plane, and the agent inside its amphorae.
//
// Role: the v2 API over HTTP, its rows in SQLite, the workers that carry flows out,
// the health manager, the compute drivers; on the other side the amphora's agent.
// Boundary: what is decided is decided in OctaviaModel, as values; here it is stored,
// sent and started. Absent on purpose: BoringSSL (mutual TLS is OpenSSL's), a message
// queue (controllers meet in the database), and traffic itself.
