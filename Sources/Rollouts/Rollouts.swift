// Rollouts: guided changes of backends from an old version to a new one.
//
// Role: the state machine of an update in place, the one of a canary, the
// sequential test that judges a canary, and its like for backends that drift. Boundary: values; time (milliseconds since
// 1970, since a rollout outlives its process) and observations are arguments,
// orders to backends are effects. Absent on purpose: how a backend is updated
// (commands and webhooks are the driver's), storage, statistics gathering.
