internal import Model
package import OctaviaModel

/// A controller's file, with every default.
package struct Settings: Sendable {
  package enum Auth: Sendable, Hashable {
    case none(project: String)
    case headers
    case keystone(url: String, user: String, password: String, project: String, domain: String)
  }
  package enum ComputeKind: String, Sendable, CaseIterable { case process, `static`, nova, noop }
  package enum VRRPKind: String, Sendable, CaseIterable { case sluice, keepalived }

  package var directory = "/var/lib/sluice-controller"
  package var host = "127.0.0.1"
  package var port = 9876
  package var auth = Auth.none(project: "00000000000000000000000000000001")
  package var healthcheck = false
  package var metrics = false
  package var baseURI: String?

  package var compute = ComputeKind.process
  package var networks: [Network] = []
  /// Where controllers and agents talk; the controller's own address on it.
  package var management = Subnet(
    id: "management", name: "management", network: "management", bridge: "sluicemgmt",
    prefix: IPPrefix("10.250.0.0/16")!,
    gateway: IPAddress(10, 250, 0, 1), first: IPAddress(10, 250, 0, 10), last: IPAddress(10, 250, 255, 250))
  package var namespacePrefix = "sla-"

  package var topology = Deployment.Topology.single
  package var provider = Provider.amphora
  package var vrrp = VRRPKind.sluice
  package var advertisement = Duration.seconds(1)
  package var haproxy = "/usr/sbin/haproxy"
  package var keepalived = "/usr/sbin/keepalived"
  /// What amphorae run; this program, when nil. Another one is an upgrade: amphorae get it when they are replaced.
  package var binary: String?
  package var agentPort = 9443
  /// Amphorae that run and wait for a load balancer.
  package var spares = 0
  package var bootTimeout = Duration.seconds(300)
  package var agentTimeout = Duration.seconds(30)
  package var certificateDays = 30
  package var rotateBefore = Duration.seconds(14 * 86_400)
  package var containers: String?

  /// Those of the driver `static`.
  package var hosts: [HostPlace] = []
  /// What the driver `nova` needs.
  package var nova = NovaSettings()
  /// The node that maps floating addresses.
  package var floatingSocket: String?

  package var health = HealthSettings()

  package init() {}
}

/// An existing host that an amphora may have to itself.
package struct HostPlace: Sendable, Hashable {
  package var name: String
  package var address: String
  /// Where `sluice amphora --host` answers.
  package var port = 9444
  package var agentPort = 9443
  package var directory = "/var/lib/sluice-host"
  /// The interface of each network.
  package var interfaces: [String: String] = [:]
  package var providers: Set<Provider> = [.amphora, .sluice]
}

package struct NovaSettings: Sendable, Hashable {
  package var flavor = ""
  package var imageTag = "amphora"
  package var image: String?
  package var managementSubnet = ""
  package var securityGroups: [String] = []
  package var vipSecurityGroups: [String] = []
  package var keyName: String?
  package var zone: String?
  package var region: String?
  /// anti-affinity or soft-anti-affinity; nil: pairs may share a host.
  package var antiAffinity: String?
  /// Instead of those in Keystone's catalogue.
  package var endpoints: [String: String] = [:]
  package var program = "/usr/bin/sluice"
  package var pollEvery = Duration.seconds(5)
}

package struct HealthSettings: Sendable, Hashable {
  package var host = "127.0.0.1"
  package var port = 5555
  /// Controllers that amphorae report to; this one, when empty.
  package var controllers: [String] = []
  package var key = ""
  package var heartbeat = Duration.seconds(10)
  package var timeout = Duration.seconds(60)
  package var interval = Duration.seconds(3)
  package var grace: Duration?
  /// So many stale at once are no amphora's fault: nothing is replaced until there are fewer, or until it is ordered.
  package var threshold: Int?
  package var threads = 10
  package var backoff = Duration.seconds(30)
  package var maximumBackoff = Duration.seconds(3600)
  package var refusesReplays = false
}
