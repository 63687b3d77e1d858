internal import Config
internal import Foundation
internal import Model
internal import Node
internal import TLS

/// Looks every second whether a file of TLS has changed, and takes over what is right.
///
/// A certificate and its key are seldom replaced in one step: a pair that does not match is tried again for as long as it
/// changes, and the one in force stays. Also tells of certificates that expire.
actor MaterialWatch {
  static let interval = Duration.seconds(1)

  /// What tells whether a file is another one, without reading it.
  private struct Stamp: Equatable {
    let inode: UInt64
    let size: UInt64
    let modified: Date
  }

  private let node: Node
  private var stamps: [String: Stamp] = [:]
  /// Faults that were told of, so that each is told of once.
  private var told: Set<String> = []
  private var expiries = ExpiryNotices()

  init(node: Node) { self.node = node }

  func run() async {
    while !Task.isCancelled {
      let topology = await node.topology
      await look(topology)
      await warn(topology)
      do { try await Task.sleep(for: MaterialWatch.interval) } catch { return }
    }
  }

  private func look(_ topology: Topology) async {
    let files = Dictionary(topology.materials.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    guard !files.isEmpty else { return }
    var changed: [String: FileBytes] = [:]
    for (path, file) in files {
      let stamp = MaterialWatch.stamp(path)
      guard stamp != stamps[path] else { continue }
      stamps[path] = stamp
      // What was refused before is there no longer.
      let refused = pending.removeValue(forKey: path)
      guard let bytes = try? SecretFile.bytes(path, limit: MaterialChecks.limit) else {
        await tell(.certificate, path, "\(path) cannot be read; what is in force stays")
        continue
      }
      if bytes != file.bytes {
        changed[path] = FileBytes(path: path, bytes: bytes)
      } else if refused != nil {
        await node.note(.certificate, "\(path) is again what is in force")
        told = []
      }
    }
    // What has changed and was refused is looked at again with each further change, with its partner's.
    pending.merge(changed) { _, new in new }
    pending = pending.filter { files[$0.key] != nil && files[$0.key]?.bytes != $0.value.bytes }
    guard !changed.isEmpty else { return }
    await adopt(topology)
  }

  /// Changed files that are not in force yet.
  private var pending: [String: FileBytes] = [:]

  private func adopt(_ topology: Topology) async {
    func fresh(_ file: FileBytes) -> FileBytes { pending[file.path] ?? file }
    var certificates: [CertificateFiles] = []
    var lists: [FileBytes] = []
    for old in Set(topology.certificates) {
      let new = CertificateFiles(chain: fresh(old.chain), key: fresh(old.key), staple: old.staple.map(fresh))
      guard new.chain != old.chain || new.key != old.key || new.staple != old.staple else { continue }
      do throws(MaterialError) {
        certificates.append(try Materials.checked(new).files)
      } catch {
        await tell(.certificate, new.chain.path, "\(error); the certificate in force stays")
      }
    }
    for (authorities, revocations) in topology.trusts {
      let (authorities, revocations) = (authorities.map(fresh), revocations.map(fresh))
      let changes = [authorities, revocations].compactMap { $0 }.filter { pending[$0.path] != nil }
      guard !changes.isEmpty else { continue }
      do throws(MaterialError) {
        try TrustCheck.check(authorities: authorities, revocations: revocations)
        lists += changes
      } catch {
        await tell(.certificate, error.file, "\(error); what is in force stays")
      }
    }
    guard !certificates.isEmpty || !lists.isEmpty else { return }
    do {
      // A reload may have come meanwhile.
      let latest = await node.topology
      try await node.apply(.load(latest.replacing(certificates: certificates, files: lists)))
      told = []
      for files in certificates {
        let until = files.summary.map { ", valid until \(Materials.date($0.notAfter))" } ?? ""
        await node.note(.certificate, "\(files.chain.path) taken over\(until)")
      }
      for file in Set(lists.map(\.path)) { await node.note(.certificate, "\(file) taken over") }
    } catch {
      await tell(.certificate, "", "changed files of TLS were refused: \(error)")
    }
  }

  private func tell(_ kind: Event.Kind, _ subject: String, _ text: String) async {
    guard told.insert(text).inserted else { return }
    await node.note(kind, text)
    Terminal.printError("sluice: \(text)")
  }

  private func warn(_ topology: Topology) async {
    let now = Int64(Date().timeIntervalSince1970)
    for files in topology.certificates {
      guard let summary = files.summary else { continue }
      guard let days = expiries.due(files.chain.path, end: summary.notAfter, now: now) else { continue }
      let within = days == 0 ? "has expired" : "expires within \(days == 1 ? "a day" : "\(days) days"),"
      let text = "\(files.chain.path) (\(summary.subject)) \(within) on \(Materials.date(summary.notAfter))"
      await node.note(.certificate, text)
      Terminal.printError("sluice: \(text)")
    }
  }

  private static func stamp(_ path: String) -> Stamp? {
    // What a link leads to: certbot's files are links.
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let modified = attributes[.modificationDate] as? Date
    else { return nil }
    return Stamp(
      inode: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0,
      size: (attributes[.size] as? NSNumber)?.uint64Value ?? 0, modified: modified)
  }
}

extension Topology {
  /// Whom somebody trusts, and what they have revoked.
  fileprivate var trusts: [(authorities: FileBytes?, revocations: FileBytes?)] {
    servers.compactMap(\.clients).map { ($0.authorities, $0.revocations) }
      + pools.compactMap(\.tls).map { tls in
        if case .authorities(let file) = tls.trust { (file, tls.revocations) } else { (nil, tls.revocations) }
      }
  }
}
