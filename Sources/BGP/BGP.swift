// BGP: a BGP-4 speaker as values.
//
// Role: the codec (messages, capabilities, path attributes, with RFC 7606's ladder
// of reactions), `Session` (RFC 4271's state machine with collision detection and
// damping), the two tables (`AdjRIBIn` bounded, `AdjRIBOut` a set reconciler), and
// `Speaker`, which joins them for one peer. Boundary: imports Wire and Model; bytes,
// time and randomness come in, effects go out. Absent on purpose: sockets and clocks
// (Announcer), route selection and installing (Sluice announces; what it hears is only
// shown), route reflection, confederations, ADD-PATH, families beyond unicast.
