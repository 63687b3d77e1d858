/// Virtual addresses. What is wrong, and exactly what is said of it.
private func vip(_ part: String) -> Snippet { .root("vips:\n  v: { interface: eth0, router-id: 1, \(part) }") }

private func floating(_ addresses: String, _ vips: String = " {}") -> Snippet {
  .root("state: /state.db\nfloating-ips: { pools: { public: { addresses: [\(addresses)] } } }\nvips:\(vips)")
}

let badVIPs: [Case] = [
  Case(
    .root("vips: { v: {} }"),
    [
      "1:9 vip `v`: expected `interface`", "1:9 vip `v`: expected `addresses`", "1:9 vip `v`: expected `router-id`",
    ]),
  Case(
    vip("addresses: [192.0.2.1, \"2001:db8::1\"]"),
    ["2:50 `addresses`: one advert holds one family; the other one's go to `companions`"]),
  Case(
    vip("addresses: 192.0.2.1, source: 192.0.2.1"),
    [
      "2:69 `source`: it moves, and adverts need an address that stays"
    ]),
  Case(
    vip("addresses: 192.0.2.1, version: 2, interval: 100ms"),
    [
      "2:83 `interval`: version 2 counts whole seconds, up to 255s"
    ]),
  Case(
    vip("addresses: 192.0.2.1, interval: 15ms"),
    [
      "2:71 `interval`: version 3 counts in steps of 10ms, up to 40950ms"
    ]),
  Case(vip("addresses: \"2001:db8::1\", version: 2"), ["2:74 `version`: 2 knows IPv4 only"]),
  Case(
    vip("addresses: 192.0.2.1, password: abc"),
    [
      "2:71 `password`: version 3 has none; Sluice nodes can sign with `keys`"
    ]),
  Case(
    vip("addresses: 192.0.2.1, hop-limit: 64"),
    [
      "2:72 `hop-limit`: less than 255 is for unicast `peers` only"
    ]),
  Case(
    vip("addresses: 192.0.2.1, keys: [{ id: 1, secret: short }]"),
    [
      "2:85 `secret`: expected at least 16 characters, found 5"
    ]),
  Case(vip("addresses: 192.0.2.1, track: [{ pool: wbe }]"), ["2:69 no pool `wbe`; did you mean `web`?"]),
  Case(
    vip("addresses: 192.0.2.1, track: [{ pool: web, weight: 0 }]"),
    [
      "2:90 `weight`: expected a whole number from -254 to 254 that is not 0, found `0`"
    ]),
  Case(
    vip("addresses: 192.0.2.1, track: [{ pool: web, every: 1s }]"),
    [
      "2:82 `every`: only a `script` is run by a timer"
    ]),
  Case(vip("adresses: 192.0.2.1"), ["2:39 unknown key `adresses` in vip; did you mean `addresses`?"]),
  Case(
    vip("addresses: 224.0.0.18"),
    ["2:50 `addresses`: expected an address such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10, found `224.0.0.18`"]),
  Case(
    floating(
      "198.51.100.0/24",
      "\n  v: { interface: eth0, router-id: 1, addresses: 198.51.100.9, companions: \"2001:db8::9\" }"),
    ["2:1 pool `public`: 198.51.100.9 belongs to the vip v, and cannot float"]),
  Case(
    floating(
      "\"2001:db8::/64\"",
      "\n  v: { interface: eth0, router-id: 1, addresses: 198.51.100.9, companions: \"2001:db8::9\" }"),
    ["2:1 pool `public`: 2001:db8::9 belongs to the vip v, and cannot float"]),
  Case(floating("224.0.0.0/4"), ["2:47 `addresses`: 224.0.0.0 to 239.255.255.255 are not all addresses of machines"]),
  Case(
    floating("0.0.0.0/0"),
    [
      "2:1 pool `public`: the listener it is at 127.0.0.1, which cannot float",
      "2:47 `addresses`: 0.0.0.0 to 255.255.255.255 are not all addresses of machines",
    ]),
]
