import Balance
import Model
import Wire

/// Loads that a test sets; index = slot.
struct ArrayLoads: LoadView {
  var counts: [Int]
  func inFlight(_ slot: BackendSlot) -> Int { counts[Int(slot.index)] }
}

let epoch = Instant(nanoseconds: 1_000_000_000)

func candidates(_ weights: [UInt32], capacity: UInt32 = Candidate.unlimited) -> [Candidate] {
  weights.enumerated().map { Candidate(slot: BackendSlot(UInt32($0)), weight: $1, capacity: capacity) }
}

let allPolicies: [BalancePolicy] = [
  .roundRobin, .leastConnections, .random, .p2c, .peakEWMA, .maglev(.source), .boundedLoad(.source, factor: 1.25),
  .first,
]

/// How often each of `weights` is picked in `picks` picks on an idle pool.
func shares(
  of policy: BalancePolicy, weights: [UInt32], picks: Int, seed: UInt64, capacity: UInt32 = Candidate.unlimited
) -> [Int] {
  var picker = Picker(policy: policy, candidates: candidates(weights, capacity: capacity), seed: seed)
  var random = Random(seed: seed)
  let loads = ArrayLoads(counts: Array(repeating: 0, count: weights.count))
  var counts = Array(repeating: 0, count: weights.count)
  for _ in 0..<picks {
    let request = PickRequest(hash: random.next())
    if let index = picker.pick(request, loads: loads, random: &random, now: epoch) { counts[index] += 1 }
  }
  return counts
}

/// Pearson's statistic against the shares that the weights ask for.
func chiSquare(_ counts: [Int], _ weights: [UInt32]) -> Double {
  let total = Double(counts.reduce(0, +))
  let sum = Double(weights.reduce(0) { $0 + UInt64($1) })
  return zip(counts, weights).reduce(0) { result, pair in
    let expected = total * Double(pair.1) / sum
    guard expected > 0 else { return pair.0 == 0 ? result : .infinity }
    return result + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
  }
}

func rounded(_ value: Double, _ digits: Int = 2) -> String {
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = Int((value * scale).rounded())
  let fraction = String(scaled % Int(scale))
  return "\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }
