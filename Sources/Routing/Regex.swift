import CPCRE2

/// A compiled PCRE2 pattern over bytes, shared by all threads.
///
/// Bytes, not characters: a peer may send what is no UTF-8, and "." must match it too.
/// Compiled by the JIT where the system allows executable memory. A match that costs too
/// much is given up (see `RegexScratch.exhausted`), so no subject can hold a worker.
@safe package final class Regex: Sendable {
  // SAFETY: a pcre2_code is immutable after pcre2_jit_compile and may be used by many
  // threads at once (pcre2api(3), "Multithreading"); freed once, in deinit.
  private nonisolated(unsafe) let code: OpaquePointer

  package init(_ pattern: String) throws(RegexError) {
    var error: Int32 = 0
    var offset = 0
    let bytes = Array(pattern.utf8)
    let compiled = unsafe bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
      // SAFETY: the pattern is read only during the call; an empty one needs any address.
      var nothing: UInt8 = 0
      return unsafe withUnsafePointer(to: &nothing) { placeholder in
        unsafe pcre2_compile_8(
          buffer.baseAddress ?? placeholder, buffer.count, Regex.options, &error, &offset, nil)
      }
    }
    guard let compiled = unsafe compiled else {
      throw RegexError(offset: min(offset, bytes.count), message: Regex.message(error))
    }
    unsafe code = compiled
    // A system that forbids executable memory gets the interpreter; nothing else changes.
    // SAFETY: nobody else has the code yet.
    _ = unsafe pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
  }

  deinit {
    // SAFETY: the last reference; no match runs.
    unsafe pcre2_code_free_8(code)
  }

  /// (*UTF) and (*UCP) in a pattern are refused: they would make invalid bytes a match error.
  private static var options: UInt32 { UInt32(PCRE2_NEVER_UTF) | UInt32(PCRE2_NEVER_UCP) }

  /// Where the pattern first matches in `subject`; nil also when the match was given up.
  package func firstMatch(in subject: Span<UInt8>, scratch: inout RegexScratch) -> Range<Int>? {
    let result = unsafe subject.withUnsafeBufferPointer { buffer -> Int32 in
      // SAFETY: code, data and context live as long as their owners, which are borrowed
      // here; the subject is read only during the call (the ovector holds offsets).
      unsafe pcre2_match_8(
        code, buffer.baseAddress ?? UnsafePointer(scratch.placeholder), buffer.count, 0, 0, scratch.data,
        scratch.context)
    }
    if result < 0 {
      if result != PCRE2_ERROR_NOMATCH { scratch.exhausted = true }
      return nil
    }
    // SAFETY: match data always has at least one pair, set by a match.
    let pair = unsafe pcre2_get_ovector_pointer_8(scratch.data)!
    let (lower, upper) = unsafe (pair[0], pair[1])
    // Before PCRE2 10.38, \K in a lookahead could put the start behind the end.
    return lower <= upper ? lower..<upper : upper..<lower
  }

  package func matches(_ subject: Span<UInt8>, scratch: inout RegexScratch) -> Bool {
    firstMatch(in: subject, scratch: &scratch) != nil
  }

  private static func message(_ code: Int32) -> String {
    // PCRE2's longest message has about 100 bytes.
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = unsafe buffer.withUnsafeMutableBufferPointer { target in
      // SAFETY: writes at most the given length.
      unsafe pcre2_get_error_message_8(code, target.baseAddress, target.count)
    }
    return String(decoding: buffer.prefix(Int(max(0, count))), as: UTF8.self)
  }
}

/// Why a pattern does not compile, in PCRE2's words.
package struct RegexError: Error, Hashable, Sendable {
  /// In bytes from the pattern's start.
  package let offset: Int
  package let message: String

  package init(offset: Int, message: String) {
    self.offset = offset
    self.message = message
  }
}

/// What matching needs to write to: one per thread, made once.
@safe package struct RegexScratch: ~Copyable {
  fileprivate let data: OpaquePointer
  fileprivate let context: OpaquePointer
  private let stack: OpaquePointer?
  fileprivate let placeholder: UnsafeMutablePointer<UInt8>

  /// Set when a match was given up: too many steps, or too little memory. The caller resets it.
  package var exhausted = false

  /// `steps` bounds the backtracking of one match; 100,000 take about a millisecond.
  package init(steps: UInt32 = 100_000) {
    // SAFETY: plain constructors; they return nil only without memory, as Swift's own
    // allocations trap then too. Freed once, in deinit.
    unsafe data = pcre2_match_data_create_8(1, nil)!
    unsafe context = pcre2_match_context_create_8(nil)!
    unsafe stack = pcre2_jit_stack_create_8(32 * 1024, 512 * 1024, nil)
    unsafe placeholder = .allocate(capacity: 1)
    unsafe placeholder.initialize(to: 0)
    _ = unsafe pcre2_set_match_limit_8(context, steps)
    _ = unsafe pcre2_set_depth_limit_8(context, 10_000)
    _ = unsafe pcre2_set_heap_limit_8(context, 1024)
    unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
  }

  deinit {
    // SAFETY: owned here alone.
    unsafe pcre2_match_data_free_8(data)
    unsafe pcre2_match_context_free_8(context)
    unsafe pcre2_jit_stack_free_8(stack)
    unsafe placeholder.deallocate()
  }
}
