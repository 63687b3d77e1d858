// fuzz: Sniff Wire Model
import Sniff
import Wire

/// A ClientHello: less of it asks for more or is refused for the same reason, more changes nothing, and how it lies in
/// records does not matter.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  let whole: ClientHello?
  do { whole = try ClientHello.parse(bytes.span) } catch { return 0 }
  for cut in cuts(bytes) {
    do {
      if let part = try ClientHello.parse(bytes.span.extracting(0..<cut)) {
        require(part == whole, "what was read from a part is what is read from all")
      }
    } catch {
      require(false, "a part of what is no error is none")
    }
  }
  guard let whole else { return 0 }
  require((try? ClientHello.parse((bytes + [0, 1, 2]).span)) == whole, "what follows does not matter")
  require(whole.serverName?.isEmpty != true, "a name is not empty")
  // The same message, a byte in each record.
  var message: [UInt8] = []
  var position = 0
  while position + 5 <= bytes.count {
    let length = Int(bytes[position + 3]) << 8 | Int(bytes[position + 4])
    message += bytes[position + 5..<min(bytes.count, position + 5 + length)]
    position += 5 + length
  }
  let wanted = 4 + (Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3]))
  guard wanted * 6 < ClientHello.maximumLength else { return 0 }
  let split: [UInt8] = message.prefix(wanted).flatMap { [22, 3, 1, 0, 1, $0] }
  require((try? ClientHello.parse(split.span)) == whole, "records do not matter")
  return 0
}
