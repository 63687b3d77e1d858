internal import Hummingbird
internal import NIOCore

/// A file of the dashboard, as the browser gets it: no build step, no outside requests.
struct DashboardFile: Sendable {
  let path: String
  let contentType: String
  let content: ByteBuffer

  static let all = [
    DashboardFile(path: "/", contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html),
    DashboardFile(path: "dashboard.css", contentType: "text/css; charset=utf-8", bytes: PackageResources.style_css),
    DashboardFile(
      path: "dashboard.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.script_js),
  ]

  private init(path: String, contentType: String, bytes: [UInt8]) {
    self.path = path
    self.contentType = contentType
    content = ByteBuffer(bytes: bytes)
  }

  var response: Response {
    var headers: HTTPFields = [.contentType: contentType, .cacheControl: "no-cache"]
    // Names and reasons on the page come from files and peers: nothing of them may ever run or call out.
    headers[.contentSecurityPolicy] =
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    headers[.xContentTypeOptions] = "nosniff"
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: content))
  }
}
