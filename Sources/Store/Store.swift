// Store: what outlives a restart.
//
// Role: one SQLite file (WAL, migrations) with the node's own state: operators' words
// and documents by area and key for other parts. Boundary: values of the Model in
// and out, typed errors; never on the way of traffic. Absent on purpose: a cache
// (the truth has it all in memory), replication, and any wish to decide: a store
// that is lost is said, and the node runs on.
