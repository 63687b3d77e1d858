/// Pools, backends and probes. What is wrong, and exactly what is said of it.
let badPools: [Case] = [
  Case(
    .pool("versions: { serve: v3, sticky: sauce }"),
    [
      "7:24 `serve`: no backend of the pool has `version: v3`",
      "7:36 `sticky`: expected source or off, or a mapping with `header` or `cookie`, found `sauce`; did you mean `source`?",
    ]),
  Case(
    .pool("balance: least-connection"),
    [
      "7:14 `balance`: expected round-robin, least-connections, random, p2c, peak-ewma, maglev, source or first, found `least-connection`; did you mean `least-connections`?"
    ]),
  Case(
    .pool("balance: { maglev: host }"),
    [
      "7:24 `maglev`: expected source or uri, or a mapping with `header` or `cookie`, found `host`"
    ]),
  Case(
    .pool("balance: { bounded-load: { factor: 1.5 } }"),
    [
      "7:30 `bounded-load`: expected `key`: source, uri, { header: … } or { cookie: … }"
    ]),
  Case(
    .pool("balance: { bounded-load: { key: source, factor: 0.9 } }"),
    [
      "7:53 `factor`: expected a number from 1.01 to 10.0, found `0.9`"
    ]),
  Case(
    .pool("balance: { maglev: { header: x, cookie: y } }"),
    [
      "7:37 `maglev`: expected only one of `header`, `cookie`; `header` is given too"
    ]),
  Case(
    .pool("probe: htpt"),
    [
      "7:12 `probe`: expected tcp, http, grpc or udp, or a mapping with `exec`, found `htpt`; did you mean `http`?"
    ]),
  Case(
    .pool("probe: { every: 2s }"),
    [
      "7:12 `probe`: expected one of `tcp`, `http`, `grpc`, `udp`, `exec`"
    ]),
  Case(
    .pool("probe: { tcp: {}, http: {} }"),
    [
      "7:23 `probe`: expected only one of `tcp`, `http`, `grpc`, `udp`, `exec`; `tcp` is given too"
    ]),
  Case(
    .pool("probe: { tcp: {}, rise: 0, timeout: 0ms, jitter: 60%, fast: 5s, initial: upp }"),
    [
      "7:29 `rise`: expected a whole number from 1 to 1000, found `0`",
      "7:41 `timeout`: expected a duration of at least 1ms such as 500ms, 2s, 1m, 1h or 1d, found `0ms`",
      "7:54 `jitter`: expected a share from 0% to 50%, found `60%`",
      "7:65 `fast`: longer than `every` (2s), the interval that it shortens",
      "7:78 `initial`: expected down or up, found `upp`; did you mean `up`?",
    ]),
  Case(
    .pool("probe: { exec: check }"),
    [
      "7:20 `exec`: expected a list of the program's path and its arguments, found `check`"
    ]),
  Case(
    .pool("probe: { exec: [check] }"),
    [
      "7:21 `exec`: expected an absolute path, found `check`"
    ]),
  Case(
    .pool("probe: { http: { expect: 2xx, path: healthz, method: HEAD, body: ok, headers: { Host: a } } }"),
    [
      "7:30 `expect`: expected a status such as 200 or a range such as 200-299, found `2xx`",
      "7:41 `path`: expected a path that begins with /, without spaces, found `healthz`",
      "7:70 `body`: a response to HEAD has none",
      "7:85 header `Host`: expected `host` beside `headers`",
    ]),
  Case(
    .pool("probe: { tcp: { send: \"→\" } }"),
    [
      "7:27 `send`: expected characters up to U+00FF, each one byte; others as their UTF-8 bytes in \"\\x…\" escapes, found the text \"→\""
    ]),
  Case(
    .pool("probe: { tcp: { send: x, expect: \"(\" } }"),
    [
      "7:38 `expect`: expected a PCRE2 regular expression, found the text \"(\"; missing closing parenthesis at offset 1"
    ]),
  Case(
    .pool("probe: { http: { expect: [299-200, 600], body: \"[\" } }"),
    [
      "7:31 `expect`: expected a status such as 200 or a range such as 200-299, found `299-200`",
      "7:40 `expect`: expected a status such as 200 or a range such as 200-299, found `600`",
      "7:52 `body`: expected a PCRE2 regular expression, found the text \"[\"; missing terminating ] for character class at offset 1",
    ]),
  Case(
    .pool("agent: { port: \"80x\" }"),
    [
      "7:20 `port`: expected a whole number from 1 to 65535, found the text \"80x\""
    ]),
  Case(
    .pool("agent: { send: x }"),
    [
      "7:12 `agent`: expected `port`"
    ]),
  Case(
    .pool("agent: { port: 70000 }"),
    [
      "7:20 `port`: expected a whole number from 1 to 65535, found `70000`"
    ]),
  Case(
    .pool("outlier: { base-ejection: 10m, max-ejected: 150% }"),
    [
      "7:31 `base-ejection`: `base-ejection` (10m) is longer than `max-ejection` (5m)",
      "7:49 `max-ejected`: expected a share from 0% to 100%, found `150%`",
    ]),
  Case(
    .pool("persistence: { cookie: { name: \"a b\", same-site: none } }"),
    [
      "7:36 `name`: expected a token of letters, digits and !#$%&'*+-.^_`|~, found the text \"a b\"",
      "7:54 `same-site`: browsers drop a cookie with `none` unless `secure` is true",
    ]),
  Case(
    .pool("persistence: { header: {} }"),
    [
      "7:28 `header`: expected `name`"
    ]),
  Case(
    .pool("persistence: cookie"),
    [
      "7:18 `persistence`: expected a mapping with `cookie`, `source`, `header`, found `cookie`"
    ]),
  Case(
    .pool("persistence: { cookie: {}, source: {} }"),
    [
      "7:32 `persistence`: expected only one of `cookie`, `source`, `header`; `cookie` is given too"
    ]),
  Case(
    .pool("persistence: { source: { prefix-v4: 33 } }"),
    [
      "7:41 `prefix-v4`: expected a whole number from 1 to 32, found `33`"
    ]),
  Case(
    .pool("timeouts: { conect: 5s }"),
    [
      "7:17 unknown key `conect` in timeouts; did you mean `connect`?"
    ]),
  Case(
    .pool("queue: { length: -1, timeout: 0s }"),
    [
      "7:22 `length`: expected a whole number from 0 to 1000000, found `-1`",
      "7:35 `timeout`: expected a duration of at least 1ms such as 500ms, 2s, 1m, 1h or 1d, found `0s`",
    ]),
  Case(
    .pool("panic-threshold: 50"),
    [
      "7:22 `panic-threshold`: expected a share from 0% to 100%, found `50`; did you mean `50%`?"
    ]),
  Case(
    .pool("panic-threshold: 0.5"),
    [
      "7:22 `panic-threshold`: expected a share from 0% to 100%, found `0.5`; did you mean `50%`?"
    ]),
  Case(
    .pool("send-proxy: v3"),
    [
      "7:17 `send-proxy`: expected v1 or v2, found `v3`"
    ]),
  Case(
    .pool("slow-start: -1s"),
    [
      "7:17 `slow-start`: expected a duration such as 500ms, 2s, 1m, 1h or 1d, found `-1s`"
    ]),
  Case(
    .pool("bakends: []"),
    [
      "7:5 unknown key `bakends` in pool; did you mean `backends`?"
    ]),
  Case(
    .pool("idle-connections: many"),
    [
      "7:23 `idle-connections`: expected a whole number from 0 to 100000, found `many`"
    ]),
  Case(
    .backend("127.0.0.1:9001"),
    [
      "7:9 the backend `127.0.0.1:9001` is given twice in this pool; a second one needs a `name` of its own"
    ]),
  Case(
    .backend("{ name: x }"),
    [
      "7:9 backend: expected `address`"
    ]),
  Case(
    .backend(
      "{ address: \"127.0.0.1:80\", weight: 65536, state: drained, backup: true, priority: 2, max-connections: 0, probe-port: 0 }"
    ),
    [
      "7:44 `weight`: expected a whole number from 0 to 65535, found `65536`",
      "7:58 `state`: expected ready, drain or maintenance, found `drained`; did you mean `drain`?",
      "7:81 `priority`: `backup` already means one more than the pool's highest",
      "7:111 `max-connections`: expected a whole number from 1 to 10000000, found `0`",
      "7:126 `probe-port`: expected a whole number from 1 to 65535, found `0`",
    ]),
  Case(
    .backend("web.example.com:80"),
    [
      "7:9 `backends`: expected an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path, found `web.example.com:80`; host names are not resolved"
    ]),
  Case(
    .backend("{ address: \"unix:/x\", probe-port: 80 }"),
    [
      "7:31 `probe-port`: the address is a Unix socket, which has no port"
    ]),
  Case(
    .backend("{ adress: 127.0.0.1:80 }"),
    [
      "7:11 unknown key `adress` in backend; did you mean `address`?"
    ]),
  Case(
    .pool("balance: { maglevs: source }"),
    [
      "7:16 unknown key `maglevs` in balance; did you mean `maglev`?"
    ]),
  Case(
    .backend("{ address: \"127.0.0.1:80\", weight: \"5\", name: \"a b\" }"),
    [
      "7:44 `weight`: expected a whole number from 0 to 65535, found the text \"5\"; without quotes",
      "7:55 `name`: expected a name of at most 128 visible ASCII characters without quotes, found the text \"a b\"",
    ]),
  Case(
    .pool("queue: 5"),
    [
      "7:12 `queue`: expected a mapping with `length`, `timeout`, found `5`"
    ]),
  Case(
    .pool("retry: { atempts: 1 }"),
    [
      "7:14 unknown key `atempts` in retry; did you mean `attempts`?"
    ]),
  Case(
    .pool("probe: { http: { headers: { Content-Length: \"0\", \"a b\": c } } }"),
    [
      "7:33 header `Content-Length`: it frames the message and is written by the probe",
      "7:54 `headers`: expected a header name such as x-probe, found `a b`",
    ]),
]
