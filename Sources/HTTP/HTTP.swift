// HTTP: HTTP/1.1 messages as bytes (RFC 9110, RFC 9112).
//
// Role: parse request and response heads, frame bodies, decode chunks, normalise
// paths for routing; say which status a malformed message earns. Boundary: works
// on `Span<UInt8>`, allocates nothing while parsing, does no IO, trusts no peer.
// Absent on purpose: header dictionaries and strings (fields are ranges into the
// bytes), and repair: what two parsers could read differently is refused.
