// Routing: from a request's host, path and fields to a route.
//
// Role: compiles a listener's routes into flat hash tables, so that thousands of
// hosts cost a request no more than one. Boundary: bytes and ranges in, a route's
// index out; PCRE2 behind one type. Absent on purpose: actions (the Proxy's).
