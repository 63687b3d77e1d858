// swift-tools-version: 6.2
import PackageDescription

// The floors of ARCHITECTURE.md, lowest first. `scripts/check-floors` compares
// every import in Sources/ with the `dependencies` below.

let checked: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .strictMemorySafety(),
  .treatWarning("StrictMemorySafety", as: .error),
]

func floor(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: checked)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies, swiftSettings: [.enableUpcomingFeature("ExistentialAny")])
}

let package = Package(
  name: "sluice",
  products: [.executable(name: "sluice", targets: ["sluice"])],
  dependencies: [
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    // Without default traits: no JWT, no crypto, so no BoringSSL in the build.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Floor 0: words and bytes.
    floor("Wire"),
    floor("Model"),

    // Floor 1: protocols and policies as values; no IO, no clock.
    floor("HTTP", ["Wire", "Model"]),
    .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    floor("HTTP2", ["HTTP", "CNGHTTP2"]),
    floor("Sniff", ["Wire", "Model"]),
    floor("Peering", ["Wire", "Model"]),
    floor("Balance", ["Wire", "Model"]),
    floor("Health", ["Wire", "Model"]),
    floor("Planner", ["Wire", "Model"]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    floor("Routing", ["Wire", "Model", "CPCRE2"]),
    floor("Telemetry", ["Model"]),
    floor("Rollouts", ["Model"]),
    floor("VRRP", ["Wire", "Model"]),
    floor("BGP", ["Wire", "Model"]),
    floor("BFD", ["Wire", "Model"]),
    floor("DNS", ["Wire", "Model"]),
    floor("OctaviaModel", ["Model"]),

    // Floor 2: the kernel, and event loops on it.
    .target(name: "CKernel"),
    floor("Kernel", ["Model", "CKernel"]),
    floor("Reactor", ["Model", "CKernel", "Kernel"]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    floor("TLS", ["Model", "COpenSSL", "Kernel", "Reactor"]),
    .systemLibrary(name: "CMaxMindDB", pkgConfig: "libmaxminddb", providers: [.apt(["libmaxminddb-dev"])]),
    floor("GeoIP", ["Model", "DNS", "CMaxMindDB"]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    floor("Compression", ["CZlib"]),

    // Floor 3: drivers.
    floor(
      "Proxy",
      [
        "Wire", "Model", "HTTP", "HTTP2", "Sniff", "Balance", "Routing", "Telemetry", "CKernel", "Kernel", "Reactor",
        "TLS",
      ]),
    floor("PeerLink", ["Model", "Peering", "Kernel", "Reactor"]),
    floor("Prober", ["Model", "HTTP", "HTTP2", "Health", "Routing", "Kernel", "Reactor", "TLS"]),
    floor("NameServer", ["Wire", "Model", "DNS", "Telemetry", "GeoIP", "Kernel", "Reactor", "TLS"]),
    floor("Announcer", ["Wire", "Model", "VRRP", "BGP", "BFD", "Kernel", "Reactor", "TLS"]),

    // Floor 4: edges.
    floor("Config", ["Model", "BGP", "Routing", "DNS", .product(name: "Yams", package: "Yams")]),
    floor("Store", ["Model", .product(name: "GRDB", package: "GRDB.swift")]),
    floor(
      "Admin",
      [
        "Wire",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: ["index.html", "style.css", "script.js"].map { .embedInCode("Dashboard/\($0)") }),

    floor(
      "Octavia",
      [
        "Compression", "Kernel", "Model", "OctaviaModel", "TLS", "Wire",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Yams", package: "Yams"),
      ]),

    // Floor 5: the composition root and the command line.
    floor("Node", ["Model", "Health", "Peering", "Planner", "Telemetry"]),
    .executableTarget(
      name: "sluice",
      dependencies: [
        "Admin", "Announcer", "Config", "DNS", "Kernel", "Model", "NameServer", "Node", "Octavia", "PeerLink",
        "Peering", "Planner", "Prober", "Proxy", "Rollouts", "Store", "TLS", "Telemetry",
        "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: checked),

    // Floor 5: the tools of Benchmarks/.
    .executableTarget(
      name: "responder", dependencies: ["CKernel", "Kernel", "Model", "Reactor"], path: "Benchmarks/Responder",
      swiftSettings: checked),
    .executableTarget(
      name: "loadgen", dependencies: ["Kernel", "Model", "Reactor", "Wire"], path: "Benchmarks/Loadgen",
      swiftSettings: checked),

    tests("Telemetry", ["Telemetry", "Model"]),
    tests("Rollouts", ["Rollouts", "Model", "Telemetry", "Wire"]),
    tests("VRRP", ["VRRP", "Wire", "Model"]),
    tests("BGP", ["BGP", "Wire", "Model"]),
    tests("BFD", ["BFD", "Wire", "Model"]),
    tests("DNS", ["DNS", "Wire", "Model"]),
    tests("OctaviaModel", ["OctaviaModel", "Config", "Model"]),
    tests("Wire", ["Wire"]),
    tests("Kernel", ["Kernel", "CKernel", "Model"]),
    tests("Model", ["Model"]),
    tests("Store", ["Store", "Model"]),
    tests("HTTP", ["HTTP", "Wire", "Model"]),
    tests("HTTP2", ["HTTP2", "HTTP"]),
    tests("Sniff", ["Sniff", "Wire", "Model"]),
    tests("Peering", ["Peering", "TLS", "Wire", "Model"]),
    tests("Balance", ["Balance", "Wire", "Model"]),
    tests("Health", ["Health", "Wire", "Model"]),
    tests("Planner", ["Planner", "Wire", "Model"]),
    tests("Routing", ["Routing", "Wire", "Model"]),
    tests("Announcer", ["Announcer", "Kernel", "Model"]),
    tests("Prober", ["Prober", "Health", "HTTP", "Kernel", "Model", "Routing", "Wire"]),
    tests("Config", ["Config", "Routing", "Model", "Wire"]),
    tests("NameServer", ["NameServer", "DNS", "Kernel", "Model", "Telemetry"]),
    tests(
      "Admin",
      [
        "Admin", "Wire", .product(name: "Logging", package: "swift-log"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    tests("TLS", ["TLS", "Kernel", "Model", "Reactor", "Wire"]),
    tests("Reactor", ["Reactor", "Kernel", "Model", "Wire"]),
    tests("Proxy", ["Proxy", "Kernel", "Model", "Planner", "Sniff", "Telemetry", "Wire"]),
    tests("Node", ["Node", "Health", "Model", "Peering", "Planner", "Telemetry"]),
    tests("sluice", ["sluice", "Admin", "Kernel", "Model", "Node", "Rollouts", "Telemetry"]),
  ],
  swiftLanguageModes: [.v6]
)
