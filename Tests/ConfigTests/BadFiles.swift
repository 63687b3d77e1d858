/// The file as a whole, and what stands in front. What is wrong, and exactly what is said of it.
let badFiles: [Case] = [
  Case(
    .file(""),
    [
      "1:1 the file is empty; begin with `listeners` and `pools`"
    ]),
  Case(
    .file("# only a comment\n"),
    [
      "1:1 the file is empty; begin with `listeners` and `pools`"
    ]),
  Case(
    .file("a: [1, 2"),
    [
      "2:1 not YAML: did not find expected ',' or ']' (parsing a flow sequence)"
    ]),
  Case(
    .file("a: b: c"),
    [
      "1:5 not YAML: mapping values are not allowed in this context"
    ]),
  Case(
    .file("listeners:\n\tweb: 1"),
    [
      "2:1 not YAML: a tab cannot stand here; indent by spaces"
    ]),
  Case(
    .file(String(repeating: "[", count: 2_000)),
    [
      "1:1 nested deeper than 32 levels"
    ]),
  Case(
    .file("a: \"x"),
    [
      "1:6 not YAML: found unexpected end of stream (scanning a quoted scalar)"
    ]),
  Case(
    .file("- 1\n- 2"),
    [
      "1:1 the file: expected a mapping with `workers`, `drain-timeout`, `secret`, `access-log`, `admin`, `node`, `peers`, `state`, `listeners`, `pools`, `dns`, `bgp`, `vips`, `vip-realtime`, `floating-ips`, `tls`, `tracing`, found a list"
    ]),
  Case(
    .file("just text"),
    [
      "1:1 the file: expected a mapping with `workers`, `drain-timeout`, `secret`, `access-log`, `admin`, `node`, `peers`, `state`, `listeners`, `pools`, `dns`, `bgp`, `vips`, `vip-realtime`, `floating-ips`, `tls`, `tracing`, found `just text`"
    ]),
  Case(
    .file("a: 1\n---\nb: 2"),
    [
      "2:1 not YAML: but found another document (expected a single document in the stream)"
    ]),
  Case(
    .file("a: \u{01}"),
    [
      "1:4 the character U+0001 is not allowed in YAML; write it as an escape in double quotes"
    ]),
  Case(
    .file("a: *nope"),
    [
      "1:4 not YAML: found undefined alias"
    ]),
  Case(
    .file("a: !!binary aGk="),
    [
      "1:4 the tag `tag:yaml.org,2002:binary` is not supported"
    ]),
  Case(
    .file("workers: 1\nworkers: 2\n"),
    [
      "2:1 the key `workers` is given twice"
    ]),
  Case(
    .file("? [1]\n: 2\n"),
    [
      "1:3 expected a key, found a list"
    ]),
  Case(
    .file("<<: { workers: 1 }"),
    [
      "1:1 merge keys (`<<`) are not supported; an alias as a whole value is"
    ]),
  Case(
    .file("workers: 2\nadmin: { socket: /a, socket: /b }"),
    [
      "2:22 the key `socket` is given twice"
    ]),
  Case(
    .file("a: &x 1\n*x : 2"),
    [
      "2:1 an alias cannot be a key"
    ]),
  Case(
    .file("%YAML 3.0\n---\na: 1"),
    [
      "1:1 not YAML: found incompatible YAML document"
    ]),
  Case(
    .file("@bad"),
    [
      "1:1 not YAML: found character that cannot start any token (scanning for the next token)"
    ]),
  Case(
    .file("listeners: {}\npools: {}"),
    [
      "1:1 no `listeners`: nothing is served"
    ]),
  Case(
    .root("wrokers: 2"),
    [
      "1:1 unknown key `wrokers`; did you mean `workers`?"
    ]),
  Case(
    .root("worker: 2"),
    [
      "1:1 unknown key `worker`; did you mean `workers`?"
    ]),
  Case(
    .root("drain_timeout: 2s"),
    [
      "1:1 unknown key `drain_timeout`; did you mean `drain-timeout`?"
    ]),
  Case(
    .root("nonsense: 2"),
    [
      "1:1 unknown key `nonsense`; expected `workers`, `drain-timeout`, `secret`, `access-log`, `admin`, `node`, `peers`, `state`, `listeners`, `pools`, `dns`, `bgp`, `vips`, `vip-realtime`, `floating-ips`, `tls`, `tracing`"
    ]),
  Case(
    .root("workers: 0"),
    [
      "1:10 `workers`: expected auto or a whole number from 1 to 1024, found `0`"
    ]),
  Case(
    .root("workers: \"2\""),
    [
      "1:10 `workers`: expected auto or a whole number from 1 to 1024, found the text \"2\""
    ]),
  Case(
    .root("workers: [1]"),
    [
      "1:10 `workers`: expected auto or a whole number from 1 to 1024, found a list"
    ]),
  Case(
    .root("workers: 2.5"),
    [
      "1:10 `workers`: expected auto or a whole number from 1 to 1024, found `2.5`"
    ]),
  Case(
    .root("drain-timeout: 5"),
    [
      "1:16 `drain-timeout`: expected a duration such as 500ms, 2s, 1m, 1h or 1d, found `5`; did you mean `5s`?"
    ]),
  Case(
    .root("drain-timeout: 5 s"),
    [
      "1:16 `drain-timeout`: expected a duration such as 500ms, 2s, 1m, 1h or 1d, found `5 s`"
    ]),
  Case(
    .root("drain-timeout: 1000000d"),
    [
      "1:16 `drain-timeout`: expected a duration such as 500ms, 2s, 1m, 1h or 1d, found `1000000d`"
    ]),
  Case(
    .root("drain-timeout:"),
    [
      "1:15 `drain-timeout`: expected a duration such as 500ms, 2s, 1m, 1h or 1d, found nothing"
    ]),
  Case(
    .root("secret: short"),
    [
      "1:9 `secret`: expected at least 16 characters, found 5"
    ]),
  Case(
    .root("secret: { file: /x }"),
    [
      "1:17 `file`: /x cannot be read: no files in tests"
    ]),
  Case(
    .root("secret: { path: /x }"),
    [
      "1:9 `secret`: expected `file`",
      "1:11 unknown key `path` in secret; expected `file`",
    ]),
  Case(
    .root("secret: [a]"),
    [
      "1:9 `secret`: expected text or { file: /path }, found a list"
    ]),
  Case(
    .root("access-log: [stdout]"),
    [
      "1:13 `access-log`: expected text that is not empty, found a list"
    ]),
  Case(
    .root("access-log: { format: json, place: stdout }"),
    [
      "1:13 `access-log`: expected `to`: off, stdout, syslog, syslog:ADDRESS, or a path",
      "1:29 unknown key `place` in access-log; expected `to`, `format`, `facility`",
    ]),
  Case(
    .root("access-log: { to: stdout, format: \"{status} {nothing\", facility: local0 }"),
    [
      "1:27 `format`: a { has no }; {{ is a brace", "1:56 `facility`: only for `to: syslog`",
    ]),
  Case(
    .root("admin: { bind: \"127.0.0.1:9901\" }"),
    [
      "1:10 `bind`: a TCP address needs a `token` beside it"
    ]),
  Case(
    .root("admin: { bind: \"0.0.0.0:9901\", token: 0123456789abcdef }"),
    [
      "1:16 `bind`: expected a loopback address and a port such as 127.0.0.1:9901 or \"[::1]:9901\", found the text \"0.0.0.0:9901\"; the admin API is not offered to other machines"
    ]),
  Case(
    .root("admin: { socket: admin.sock }"),
    [
      "1:18 `socket`: expected an absolute path of at most 107 bytes, found `admin.sock`"
    ]),
  Case(
    .root("admin: { token: \"sp ace and more text\" }"),
    [
      "1:17 `token`: expected visible ASCII characters without spaces"
    ]),
  Case(
    .root("admin: on"),
    [
      "1:8 `admin`: expected a mapping with `socket`, `bind`, `token`, `read-token`, `metrics`, found `on`"
    ]),
  Case(
    .file(
      "listeners:\n  a: { protocol: http, pool: p }\n  b: { bind: 127.0.0.1:1, pool: p }\n  c: { bind: 127.0.0.1:2, protocol: htttp, pool: p }\n  \"d e\": { bind: 127.0.0.1:3, protocol: tcp, pool: p }\npools: { p: { backends: [127.0.0.1:9] } }"
    ),
    [
      "2:3 listener `a`: expected `bind`: an address or a list of them",
      "3:3 listener `b`: expected `protocol`: tcp, udp or http",
      "4:37 `protocol`: expected tcp, udp or http, found `htttp`; did you mean `http`?",
      "5:3 `listener`: expected a name of at most 64 letters, digits and `-_.`, found the text \"d e\"",
    ]),
  Case(
    .file(
      "listeners:\n  a: { bind: [127.0.0.1:1, 127.0.0.1:1], protocol: tcp, pool: p }\n  b: { bind: 127.0.0.1:1, protocol: udp, pool: p }\n  c: { bind: 127.0.0.1:1, protocol: http, pool: p }\npools: { p: { backends: [127.0.0.1:9] } }"
    ),
    [
      "2:28 `bind`: 127.0.0.1:1 is bound twice",
      "4:14 `bind`: 127.0.0.1:1 is bound twice",
    ]),
  Case(
    .file(
      "listeners:\n  a: { bind: [\"80\", \":80\", localhost:80, \"::1:80\", 127.0.0.1, \"::1\", 127.0.0.1:0, 127.0.0.1:80x, \"unix:rel\", /run/x, {mode: \"0600\"}, {address: 127.0.0.1:5, mode: \"0600\"}, {address: \"unix:/a\", mode: 600}], protocol: tcp, pool: p }\n  b: { bind: [], protocol: tcp, pool: p }\n  c: { bind: \"unix:/x\", protocol: udp, pool: p }\npools: { p: { backends: [127.0.0.1:9] } }"
    ),
    [
      "2:15 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found the text \"80\"; the address before the port is missing",
      "2:21 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found the text \":80\"; for every address write `0.0.0.0:80` or `[::]:80`",
      "2:28 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `localhost:80`; host names are not resolved",
      "2:42 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found the text \"::1:80\"; the port is missing; an IPv6 address stands in brackets before it",
      "2:52 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `127.0.0.1`; the port is missing",
      "2:63 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found the text \"::1\"; the port is missing; an IPv6 address stands in brackets before it",
      "2:70 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `127.0.0.1:0`; the port must be 1 to 65535",
      "2:83 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `127.0.0.1:80x`; the port must be 1 to 65535",
      "2:98 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found the text \"unix:rel\"; the path begins with / or @",
      "2:110 `bind`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `/run/x`; did you mean `unix:/run/x`?",
      "2:118 `bind`: expected `address`",
      "2:157 `mode`: the permission bits of a Unix socket; this address is none",
      "2:199 `mode`: expected permission bits in octal and quotes such as \"0660\", found `600`; in quotes",
      "3:14 `bind`: expected at least one address, found an empty list",
      "4:14 `bind`: a udp listener binds IP addresses only",
    ]),
  Case(
    .file(
      "listeners:\n  a: { bind: 127.0.0.1:1, protocol: http, pool: p }\npools:\n  p: { backends: [] }\n  q:\n  r: {}\n  s: { backends: 127.0.0.1:80 }\n"
    ),
    [
      "4:18 `backends`: expected a list of at least one address, found an empty one",
      "5:5 `q`: expected a mapping with `balance`, `probe`, `agent`, `outlier`, `persistence`, `retry`, `timeouts`, `queue`, `slow-start`, `panic-threshold`, `priority-threshold`, `send-proxy`, `idle-connections`, `tls`, `backends`, `protocol`, `versions`, `drift`, found nothing",
      "6:3 pool `r`: expected `backends`: a list of addresses",
      "7:18 `backends`: expected a list of at least one address, found `127.0.0.1:80`",
    ]),
  Case(
    .file("a: b\n c: d"),
    [
      "2:3 not YAML: mapping values are not allowed in this context"
    ]),
  Case(
    .file("workers: 2\nadmin:\n  socket: /a\n  token: 0123456789abcdef\n  socket: /b\n"),
    [
      "5:3 the key `socket` is given twice"
    ]),
  Case(
    .file("secret: { file: { a: 1 } }"),
    [
      "1:1 no `listeners`: nothing is served",
      "1:17 `file`: expected text that is not empty, found a mapping",
    ]),
  Case(
    .file(
      "listeners:\n  db: { bind: 127.0.0.1:1, protocol: tcp, pool: p }\npools:\n  p:\n    balance: { maglev: uri }\n    persistence: { cookie: {} }\n    backends: [127.0.0.1:9]\n"
    ),
    [
      "5:14 `balance`: the key needs HTTP, and the tcp listener `db` uses this pool",
      "6:18 `persistence`: needs HTTP, and the tcp listener `db` uses this pool",
    ]),
  Case(
    .file(
      "listeners:\n  dns: { bind: 127.0.0.1:1, protocol: udp, pool: p }\npools:\n  p:\n    probe: udp\n    agent: { port: 1 }\n    backends: [127.0.0.1:9, \"unix:/x\"]\n"
    ),
    [
      "7:29 the pool's probe is udp, and a Unix socket takes no datagrams",
      "7:29 the pool's `agent` asks a port, and a Unix socket has none",
      "7:29 a Unix socket takes no datagrams from the udp listener `dns`",
    ]),
  Case(
    .file(
      "listeners:\n  dns: { bind: 127.0.0.1:1, protocol: udp, pool: p }\npools:\n  p: { send-proxy: v1, backends: [127.0.0.1:9] }\n"
    ),
    ["4:20 `send-proxy`: v1 has no words for datagrams of the udp listener `dns`; use v2"]),
  Case(
    .file(
      "listeners:\n  a: { bind: 127.0.0.1:1, protocol: http, pool: p }\npools:\n  p: { backends: [{ address: 127.0.0.1:1, weight: 0 }] }\n"
    ),
    [
      "4:18 `backends`: every weight is 0: none takes new traffic"
    ]),
  Case(
    .root("access-log:"),
    [
      "1:12 `access-log`: expected text that is not empty, found nothing"
    ]),
  Case(
    .root("admin: { bind: 127.0.0.1 , token: 0123456789abcdef }"),
    [
      "1:16 `bind`: expected a loopback address and a port such as 127.0.0.1:9901 or \"[::1]:9901\", found `127.0.0.1`"
    ]),
]
