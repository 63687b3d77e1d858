/// What is known of a response while it is written.
struct ResponseState {
  var answers: UInt16 = 0
  var authorities: UInt16 = 0
  var additionals: UInt16 = 0
  var isAuthoritative = false
  var isTruncated = false
  /// The limit of the whole message; the writer's own leaves room for OPT.
  var fullLimit = 512
  /// Behind the question.
  var body: MessageWriter.Mark?
  /// What rate limiting counts it as.
  var kind = RateLimiter.Kind.answer
  var subject: UInt64 = 0
  /// For how many bits of the client's subnet the answer holds.
  var scope: UInt8 = 0
  /// RFC 8914.
  var extendedError: UInt16?
  /// A set whose targets' addresses go to the additional section: its zone, index, and the cut if a referral.
  var pending: (zone: Int, set: Int, cut: Int)?

  /// Whether the same question gets the same answer from this zone alone: nothing was drawn, no other zone was asked.
  var isFixed = true

  mutating func empty() {
    (answers, authorities, additionals, scope) = (0, 0, 0, 0)
    pending = nil
  }
}
