// loadgen: the client of the benchmarks that no packaged tool is.
//
// Role: fixed connections that send HTTP at a fixed rate (latency from when a
// request was due, so a stall is not hidden) or as fast as answers come; small and
// bulk TCP; UDP. Prints one line of JSON. Boundary: one thread; what wrk does well
// is left to wrk. Absent on purpose: TLS, redirects, anything but 200.

internal import Kernel

@main enum Loadgen {
  static func main() {
    var run = Run(Options.parsed(CommandLine.arguments))
    run.perform()
  }
}
