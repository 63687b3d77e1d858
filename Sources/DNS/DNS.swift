// DNS: an authoritative name server as values.
//
// Role: names, records, messages, zone files, the immutable zone store, balanced
// record sets and the one function `Responder.answer(query, client, zones, view)`
// that UDP, TCP and tests call. Boundary: imports `Wire` and `Model`; time, wall
// clock, randomness, places of clients and zone files' contents are arguments.
// Absent on purpose: sockets, resolution of other people's names (an ALIAS is
// answered from a table that a driver fills), signing (DNSSEC, TSIG).
