internal import CNGHTTP2
internal import HTTP

/// Text of HTTP/1.1 becomes fields.
extension FrameEngine {
  func makeResponse() -> Int {
    // RFC 8441 §5: what HTTP/1.1 says with 101 is 200 here.
    if known.lines.text.bytes(known.lines.status).isExactly("101") {
      set(0, ":status", "200")
    } else {
      set(0, ":status", known.lines.text.bytes(known.lines.status))
    }
    return addLines(1)
  }

  func makeRequest(secure: Bool, trailers: Bool, webSocket: Bool) -> Int {
    var count = 1
    let isConnect = known.lines.text.bytes(known.lines.method).isExactly("CONNECT")
    if webSocket {
      set(0, ":method", "CONNECT")
      set(1, ":protocol", "websocket")
      count = 2
    } else {
      set(0, ":method", known.lines.text.bytes(known.lines.method))
    }
    if webSocket || !isConnect {
      set(count, ":scheme", secure ? "https" : "http")
      set(count + 1, ":path", known.lines.text.bytes(known.lines.target))
      count += 2
    }
    // RFC 9113 §8.5: the authority of CONNECT is its target, whatever Host says.
    let authority = isConnect ? known.lines.target : known.lines.authority
    if !authority.isEmpty {
      set(count, ":authority", known.lines.text.bytes(authority))
      count += 1
    }
    if trailers {
      set(count, "te", "trailers")
      count += 1
    }
    return addLines(count)
  }

  func addLines(_ first: Int) -> Int {
    var count = first
    for line in known.lines.lines where count < FrameEngine.maxLines {
      let name = unsafe known.lines.text.memory + line.name.lowerBound
      let value = unsafe known.lines.text.memory + line.value.lowerBound
      unsafe nvs[count] = nghttp2_nv(
        name: name, value: value, namelen: line.name.count, valuelen: line.value.count, flags: 0)
      count += 1
    }
    return count
  }

  func set(_ index: Int, _ name: StaticString, _ value: Span<UInt8>) {
    // SAFETY: the library copies names and values before the call that they are for returns; `lines` is unchanged till then.
    unsafe value.withUnsafeBufferPointer { value in
      unsafe nvs[index] = nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.utf8Start),
        value: UnsafeMutablePointer(mutating: value.baseAddress ?? UnsafePointer(name.utf8Start)),
        namelen: name.utf8CodeUnitCount, valuelen: value.count, flags: 0)
    }
  }

  func set(_ index: Int, _ name: StaticString, _ value: StaticString) {
    unsafe nvs[index] = nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.utf8Start), value: UnsafeMutablePointer(mutating: value.utf8Start),
      namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: 0)
  }
}
