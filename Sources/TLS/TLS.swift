// TLS: OpenSSL 3, as the rest of Sluice sees it.
//
// Role: digests, signatures and random bytes for whoever needs them, certificates,
// and TLS sessions for the data plane. Boundary: OpenSSL's pointers stay in here,
// owned by values that free them once; bytes and typed errors come out. No loop and
// no policy: which certificate a listener has is the World's. Absent on purpose:
// home-made cryptography, and any second library for it.
