// Admin: the node's HTTP+JSON API, its server and its client.
//
// Role: what the command line, scripts and dashboards say to a running node, over
// its Unix socket or, by choice, a loopback port with a token. Boundary: its own
// Codable types and one protocol, `AdminOperations`, that somebody implements.
// Absent on purpose: the Model's types (the API must not change when they do), any
// state of its own, TLS (a loopback port needs none).
