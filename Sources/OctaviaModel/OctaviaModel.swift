// OctaviaModel: the load balancers of an OpenStack cloud as values.
//
// Role: what the Octavia v2 API accepts and answers, the states that a load balancer
// goes through, the steps of every flow, what heartbeats mean, and the configuration
// that an amphora is given.
// Boundary: sans-IO. Requests, rows, time and identifiers are arguments.
// Absent on purpose: HTTP, SQL, processes, addresses of real networks (Octavia).
