// fuzz: Config Model Wire Routing Yams CYaml -lpcre2-8
// The configuration reader: any bytes give a topology or diagnostics, never a crash or a hang.

import Config

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: count))
  do {
    let loaded = try Config.load(bytes, file: "f", baseDirectory: "/", secretFile: noSecrets)
    // What loads must show its warnings too.
    for warning in loaded.warnings { _ = warning.text(source: String(decoding: bytes, as: UTF8.self)) }
  } catch {
    precondition(error.diagnostics.contains { $0.severity == .error }, "refused without an error")
    let source = String(decoding: bytes, as: UTF8.self)
    for diagnostic in error.diagnostics.prefix(5) { _ = diagnostic.text(source: source) }
  }
  return 0
}

/// A fuzzer must not read files that its input names.
private func noSecrets(_ path: String) throws(SecretFileError) -> String { throw SecretFileError("not read") }
