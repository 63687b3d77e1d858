// NameServer: the driver of `DNS`: sockets, threads, and the way from a World to answers.
//
// Role: serves UDP, TCP and TLS on a thread per worker, each with its own sockets and its own copy of what it remembers;
// turns each World into zones and a view of what is well, and hands both down by mailbox. Boundary: what an answer
// says is `DNS`'s business; what is well, the World's. Absent on purpose: recursion, zones as a secondary, updates.
