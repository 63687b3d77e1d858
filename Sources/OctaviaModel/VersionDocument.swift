/// `GET /`: what this API can do, as a list of versions that clients look features up in.
package enum VersionDocument {
  private static let dates = [
    "2016-12-11T00", "2018-04-20T00", "2018-07-31T00", "2018-12-18T00", "2018-12-19T00", "2019-01-21T00",
    "2019-01-25T00",
    "2018-01-25T12", "2019-02-12T00", "2019-03-04T00", "2019-03-05T00", "2019-06-24T00", "2019-09-11T00",
    "2019-09-13T00",
    "2019-11-10T00", "2020-03-10T00", "2020-03-15T00", "2020-04-29T00", "2020-04-29T01", "2020-05-12T00",
    "2020-08-02T00",
    "2020-09-03T00", "2020-09-04T00", "2020-09-07T00", "2020-10-15T00", "2021-10-02T00", "2022-08-29T00",
    "2023-05-05T00",
    "2023-11-08T00", "2024-10-15T00", "2025-02-26T00",
  ]

  /// - Parameter base: the request's own address, without a slash at its end.
  package static func document(base: String) -> JSON {
    let versions: [JSON] = dates.enumerated().map { minor, date in
      .object([
        "id": .string("v2.\(minor)"), "status": minor == dates.count - 1 ? "CURRENT" : "SUPPORTED",
        "updated": .string("\(date):00:00Z"),
        "links": [.object(["href": .string("\(base)/v2"), "rel": "self"])],
      ])
    }
    return .object(["versions": .array(versions)])
  }
}
