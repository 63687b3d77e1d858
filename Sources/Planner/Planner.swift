// Planner: from what is wished and what is known to the next World.
//
// Role: a pure function that gives every backend its slot and its standing (state,
// weight, who takes part), and words for what differs between two Worlds.
// Boundary: values in, a value out; asks no clock. Absent on purpose: how a verdict
// comes about (Health), who publishes a World (Node), tables for picking (Balance).
