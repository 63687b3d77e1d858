// Octavia: an OpenStack-compatible control plane.
//
// Role: the v2 API over HTTP, its rows in SQLite, the workers that carry flows out,
// the health manager, and the agent inside an amphora. Boundary: what is decided is decided in OctaviaModel, as
// values; here it is stored, sent and started. Absent on purpose: BoringSSL (mutual
// TLS is OpenSSL's), a message queue (controllers meet in the database), and traffic
// itself, which HAProxy or another process of Sluice carries.
