extension ZoneDeparture {
  /// CNAMEs of several zones that lead into each other, each circle once, at one of its records. Answers follow
  /// none to an end.
  package static func circles(_ readings: [ZoneReading]) -> [(zone: Int, warning: ZoneDiagnostic)] {
    guard readings.count > 1 else { return [] }
    let zones = Zones(readings.map(\.zone))
    var told: Set<Step> = []
    var result: [(zone: Int, warning: ZoneDiagnostic)] = []
    for (number, reading) in readings.enumerated() {
      for departure in reading.departures {
        let start = Step(zone: number, node: departure.node)
        guard !told.contains(start), let circle = zones.circle(from: start) else { continue }
        told.formUnion(circle)
        let names = circle.map { zones.list[$0.zone].name(of: $0.node) }
        let way =
          names.count > 8 ? names[1...8].map(\.description) + ["…"] : (names[1...] + names[...0]).map(\.description)
        result.append(
          (
            number,
            ZoneDiagnostic(
              severity: .warning, place: departure.place,
              text: "the CNAME of \(names[0]) leads into a circle through other zones: \(way.joined(separator: ", "))")
          ))
      }
    }
    return result
  }
}

/// A node with a CNAME.
private struct Step: Hashable {
  var zone: Int
  var node: Int
}

extension Zones {
  /// The steps of the circle that a CNAME is in; nil: it is in none.
  fileprivate func circle(from start: Step) -> [Step]? {
    var steps: [Step] = []
    var passed: Set<Step> = []
    var here = start
    var lookup = LookupName()
    while passed.insert(here).inserted {
      steps.append(here)
      let set = list[here.zone].set(.cname, at: here.node)
      let (pool, start) = (list[here.zone].pool, set < 0 ? 0 : Int(list[here.zone].sets[set].start) + 10)
      guard set >= 0, lookup.load(pool.span, at: start) != nil, let (zone, apex) = find(lookup) else { return nil }
      var node = list[zone].find(lookup, 0)
      if node < 0 {
        // RFC 4592 §3.3.1: the wildcard of the closest encloser.
        var label = 1
        while node < 0, label <= apex {
          node = list[zone].find(lookup, label)
          label += 1
        }
        if node >= 0 { node = Int(list[zone].nodes[node].wildcard) }
      }
      guard node >= 0, list[zone].nodes[node].cut < 0 else { return nil }
      here = Step(zone: zone, node: node)
    }
    return here == start ? steps : nil
  }
}
