// fuzz: Sniff Wire Model
import Model
import Sniff
import Wire

/// A PROXY header of either version: less of it asks for more, and what is read can be written and read again.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  guard let (header, length) = try? ProxyHeader.parse(bytes.span) else { return 0 }
  require(length <= bytes.count && length <= ProxyHeader.maximumLength, "the header is inside the bytes")
  for cut in cuts(bytes) where cut < length {
    do {
      require(try ProxyHeader.parse(bytes.span.extracting(0..<cut)) == nil, "a part of a header asks for more")
    } catch {
      require(false, "a part of a header is no error")
    }
  }
  guard case .proxied(let source, let destination, let transport) = header.origin else { return 0 }
  for text in [header.encodeV2(), header.encodeV2(checksum: true)] {
    require((try? ProxyHeader.parse(text.span))??.header == header, "version 2 survives")
  }
  if transport == .stream, let text = header.encodeV1() {
    let again = (try? ProxyHeader.parse(text.span))??.header
    require(again?.source == source, "version 1 survives")
    require(again == ProxyHeader(source: source, destination: destination), "version 1 survives")
  }
  return 0
}
