internal import CKernel

/// The C library's memory.
package enum Allocator {
  /// Gives free pages back to the kernel, e.g. after something large was taken apart; some milliseconds.
  package static func trim() { sluice_trim_memory() }
}
