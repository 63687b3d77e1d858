// Wire: bytes in and out of protocols.
//
// Role: bounds-checked readers and writers over `Span<UInt8>`, checksums, keyed
// hashes, seeded random numbers. Boundary: imports nothing, does no IO, says no
// `unsafe`. Absent on purpose: strings as a wire type (text is bytes until an edge
// needs it), Foundation, growable buffers for the data plane (those are the
// Reactor's).
