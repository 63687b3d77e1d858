/// What a request is refused with: the words that clients have always read.
package struct APIError: Error, Hashable, Sendable {
  /// Errors of a resource's controller are "faults"; those of routing and paging are not.
  package enum Form: Hashable, Sendable {
    case fault(String)
    case plain(title: String, description: String)
  }

  package var status: Int
  package var form: Form
  /// The Allow header of a 405.
  package var allow: String?

  package init(_ status: Int, _ text: String) {
    self.status = status
    form = .fault(text)
  }

  package init(_ status: Int, title: String, description: String, allow: String? = nil) {
    self.status = status
    form = .plain(title: title, description: description)
    self.allow = allow
  }

  package var body: JSON {
    switch form {
    case .fault(let text):
      .object([
        "faultcode": .string(status < 500 ? "Client" : "Server"), "faultstring": .string(text), "debuginfo": .null,
      ])
    case .plain(let title, let description):
      .object(["code": .int(status), "title": .string(title), "description": .string(description)])
    }
  }
}

extension APIError {
  package static func notFound(_ resource: String, _ id: String) -> APIError {
    APIError(404, "\(resource) \(id) not found.")
  }
  package static func validation(_ detail: String) -> APIError { APIError(400, "Validation failure: \(detail)") }
  package static func invalidOption(_ value: String, _ option: String) -> APIError {
    APIError(400, "\(value) is not a valid option for \(option)")
  }
  package static func invalidInput(_ field: String, _ value: JSON, _ reason: String) -> APIError {
    APIError(400, "Invalid input for field/attribute \(field). Value: '\(value.pythonText)'. \(reason)")
  }
  package static func immutable(_ resource: String, _ id: String) -> APIError {
    APIError(409, "\(resource) \(id) is immutable and cannot be updated.")
  }
  package static func pending(_ id: String, _ state: String) -> APIError {
    APIError(409, "Invalid state \(state) of loadbalancer resource \(id)")
  }
  package static func quota(_ resource: String) -> APIError {
    APIError(403, "Quota has been met for resources: \(resource)")
  }
  package static let forbidden = APIError(403, "Policy does not allow this request to be performed.")
  package static let missingProject = APIError(400, "Missing project ID in request where one is required.")
  package static func disabled(_ value: String, _ option: String) -> APIError {
    APIError(400, "The selected \(option) is not allowed in this deployment: \(value)")
  }
  package static func duplicateName(_ field: String, _ name: String) -> APIError {
    APIError(409, "A \(field) of \(name) already exists.")
  }
  package static func inUse(_ object: String, _ id: String) -> APIError {
    APIError(409, "\(object) \(id) is in use and cannot be modified.")
  }
  package static func unsupported(_ provider: String, _ text: String) -> APIError {
    APIError(501, "Provider '\(provider)' does not support a requested option: \(text)")
  }
  package static func noRoute() -> APIError {
    APIError(404, title: "Not Found", description: "The resource could not be found.")
  }
}
