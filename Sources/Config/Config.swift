// Config: YAML to a Topology, or diagnostics.
//
// Role: reads a file, checks every key, type, name and value, and says file, line,
// column, what was expected and the nearest valid key. Boundary: knows YAML and the
// Model, nothing that runs. Absent on purpose: partial results; defaults other than
// the Model's own.
