import Balance
import Model
import Testing
import Wire

/// Ten servers, one of them five times slower, at 70% of their capacity: Poisson arrivals,
/// exponential service times, one request at a time per server and a queue before it.
@Suite struct SimulationTests {
  struct Figures {
    var maxOverMean: Double
    var median: Double
    var p99: Double
    var served: Int
  }

  @Test func oneSlowBackendOfTen() {
    let policies: [(String, BalancePolicy)] = [
      ("random", .random), ("round-robin", .roundRobin), ("p2c", .p2c), ("peak-ewma", .peakEWMA),
      ("least-connections", .leastConnections),
    ]
    var figures: [String: Figures] = [:]
    print("one backend of ten five times slower, 70% load, milliseconds")
    print(padded("policy", 20) + padded("max/mean in flight", 20) + padded("p50", 10) + "p99")
    for (name, policy) in policies {
      let result = simulate(policy, seed: 42, requests: 30_000)
      figures[name] = result
      print(
        padded(name, 20) + padded(rounded(result.maxOverMean), 20) + padded(rounded(result.median), 10)
          + rounded(result.p99))
    }
    guard let random = figures["random"], let rotation = figures["round-robin"], let p2c = figures["p2c"],
      let ewma = figures["peak-ewma"]
    else { return }
    for rival in [random, rotation] {
      #expect(p2c.maxOverMean < rival.maxOverMean / 2)
      #expect(p2c.p99 < rival.p99 / 2)
      #expect(ewma.p99 < rival.p99 / 2)
    }
  }

  /// A binary heap of what happens next would be faster; ten servers are few.
  func simulate(_ policy: BalancePolicy, seed: UInt64, requests: Int) -> Figures {
    let servers = 10
    let means = (0..<servers).map { $0 == 6 ? 50.0 : 10.0 }
    let capacity = means.reduce(0) { $0 + 1 / $1 }
    var random = Random(seed: seed)
    var arrivals = Random(seed: seed &+ 1)
    var picker = Picker(policy: policy, candidates: candidates(Array(repeating: 100, count: servers)), seed: seed)
    var loads = ArrayLoads(counts: Array(repeating: 0, count: servers))
    var queues: [[Double]] = Array(repeating: [], count: servers)
    var heads = Array(repeating: 0, count: servers)
    var done = Array(repeating: Double.infinity, count: servers)
    var area = Array(repeating: 0.0, count: servers)
    var latencies: [Double] = []
    var now = 0.0
    var arrival = 0.0
    var sent = 0
    while latencies.count < requests {
      let server = done.indices.min { done[$0] < done[$1] } ?? 0
      let next = sent < requests ? min(arrival, done[server]) : done[server]
      for index in area.indices { area[index] += Double(loads.counts[index]) * (next - now) }
      now = next
      let instant = Instant(nanoseconds: Int64(now * 1e6))
      if sent < requests, arrival <= done[server] {
        sent += 1
        arrival += exponential(1 / (0.7 * capacity), &arrivals)
        guard let index = picker.pick(PickRequest(hash: random.next()), loads: loads, random: &random, now: instant)
        else {
          continue
        }
        queues[index].append(now)
        loads.counts[index] += 1
        if loads.counts[index] == 1 { done[index] = now + exponential(means[index], &arrivals) }
      } else {
        let started = queues[server][heads[server]]
        heads[server] += 1
        loads.counts[server] -= 1
        latencies.append(now - started)
        picker.observe(latency: Int64((now - started) * 1e6), backend: server, now: instant)
        done[server] = loads.counts[server] > 0 ? now + exponential(means[server], &arrivals) : .infinity
      }
    }
    latencies.sort()
    let mean = area.reduce(0, +) / Double(servers)
    return Figures(
      maxOverMean: (area.max() ?? 0) / mean, median: latencies[requests / 2], p99: latencies[requests * 99 / 100],
      served: latencies.count)
  }

  func exponential(_ mean: Double, _ random: inout Random) -> Double {
    let unit = (Double(random.next() >> 11) + 1) / 9_007_199_254_740_992
    return -naturalLogarithm(unit) * mean
  }

  /// By the series around the mantissa, so that the test needs no Foundation either.
  func naturalLogarithm(_ value: Double) -> Double {
    let ratio = (value.significand - 1) / (value.significand + 1)
    var power = ratio
    var sum = 0.0
    for odd in stride(from: 1.0, through: 31, by: 2) {
      sum += power / odd
      power *= ratio * ratio
    }
    return 2 * sum + Double(value.exponent) * 0.693_147_180_559_945_3
  }
}
