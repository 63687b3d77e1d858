// HTTP2: HTTP/2 connections (RFC 9113) without IO.
//
// Role: bytes in, events out; commands in, bytes out. Frames and HPACK are libnghttp2's, behind
// FrameEngine.swift, the only file here that is unsafe beside ByteArena.swift; which messages are
// well-formed (RFC 9113 §8), and which floods end a connection, is decided here. A message leaves
// and enters as the text of an HTTP/1.1 head, so that one path serves both versions.
// Absent on purpose: sockets, time of its own, buffers of bodies (the caller's), server push, priorities.
