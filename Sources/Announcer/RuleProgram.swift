internal import Kernel

/// Why the kernel does not translate as it should.
package struct FloatingFailure: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// `nft`, with a file beside the state for what it reads and what it says. One thread's.
package struct RuleProgram: Sendable {
  /// A transaction takes milliseconds; beyond this something is wrong.
  static let patience: Int32 = 5_000
  static let path = "/usr/sbin/nft"

  private let file: String

  /// - Parameter file: that may be written.
  package init(file: String) { self.file = file }

  /// Carries the transaction out: all of it, or nothing.
  package func replace(_ rules: FloatingRules) throws(FloatingFailure) {
    do throws(Errno) {
      try TextFile.write(rules.text, to: file)
    } catch {
      throw FloatingFailure(description: "the rules cannot be written to \(file): \(error)")
    }
    let ending = try run([RuleProgram.path, "-j", "-f", file])
    guard ending == .exit(0) else {
      throw FloatingFailure(
        description: "nft did not take the rules in \(file): \(ending.map { "\($0)" } ?? "it does not end")")
    }
  }

  /// What the kernel has of our table, as JSON; nil: there is none.
  package func list() throws(FloatingFailure) -> String? {
    let words = "exec \(RuleProgram.path) -j list table inet \(FloatingRules.table) >\"$1\" 2>/dev/null"
    let ending = try run(["/bin/sh", "-c", words, "sh", file])
    // nft(8): 1 where there is no such table. Anything else says nothing of the table.
    if ending == .exit(1) { return nil }
    guard ending == .exit(0) else {
      let reason = ending == .exit(126) || ending == .exit(127) ? "cannot be run" : "does not list the rules"
      throw FloatingFailure(description: "\(RuleProgram.path) \(reason): is nftables installed?")
    }
    do throws(Errno) {
      return try TextFile.read(file)
    } catch {
      throw FloatingFailure(description: "what nft says cannot be read from \(file): \(error)")
    }
  }

  private func run(_ command: [String]) throws(FloatingFailure) -> ChildProcess.Ending? {
    let program: ChildProcess
    do throws(Errno) {
      program = try ChildProcess.spawn(command, environment: [])
    } catch {
      throw FloatingFailure(description: "\(command[0]) cannot be run: \(error)")
    }
    defer { Socket.close(program.descriptor) }
    program.waitForEnd(milliseconds: RuleProgram.patience)
    if let ending = program.reap() { return ending }
    program.killGroup()
    program.waitForEnd(milliseconds: RuleProgram.patience)
    return program.reap() == nil ? nil : .unknown
  }
}
