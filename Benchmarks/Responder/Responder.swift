// responder: the server behind every balancer of the benchmarks.
//
// Role: answers HTTP with bodies of a fixed size, echoes, discards or pours bytes
// over TCP, echoes UDP. It must be cheaper than any balancer, so that the balancer
// is what a run measures. Boundary: one thread, loopback, its own benchmarks.
// Absent on purpose: HTTP beyond "a head without a body ends in an empty line".

internal import Kernel

@main enum Responder {
  static func main() {
    let services = CommandLine.arguments.dropFirst().map(Service.parsed)
    Loop.serve(services)
  }
}
