/// Listeners, routes and matches. What is wrong, and exactly what is said of it.
let badListeners: [Case] = [
  Case(
    .http("pool: wbe"),
    [
      "3:11 no pool `wbe`; did you mean `web`?"
    ]),
  Case(
    .http("pool: web\nroutes: [{ pool: web }]"),
    [
      "4:5 `routes`: `pool` is given too, and is short for one route"
    ]),
  Case(
    .http("access: {}"),
    [
      "2:3 listener `it`: expected `pool` or `routes`"
    ]),
  Case(
    .http("routes: []"),
    [
      "3:13 `routes`: expected a list of routes, found an empty one"
    ]),
  Case(
    .http("routes: web"),
    [
      "3:13 `routes`: expected a list of routes, found `web`"
    ]),
  Case(
    .http("pool: web\naccess: { allow: [10.0.0.1/8] }"),
    [
      "4:23 `allow`: expected an address or a prefix such as 192.0.2.1, 10.0.0.0/8 or fd00::/8, found `10.0.0.1/8`; the host bits must be zero; did you mean `10.0.0.0/8`?"
    ]),
  Case(
    .http("pool: web\naccess: { deny: [example.com] }"),
    [
      "4:22 `deny`: expected an address or a prefix such as 192.0.2.1, 10.0.0.0/8 or fd00::/8, found `example.com`"
    ]),
  Case(
    .http("pool: web\nlimits: { connections: 0, head: 16KB, uri: 64KiB, connection-rate: 100, headers: -1 }"),
    [
      "4:28 `connections`: expected a whole number from 1 to 10000000, found `0`",
      "4:37 `head`: expected a size from 1KiB to 56KiB such as 64KiB, 10MiB or plain bytes, found `16KB`; did you mean `16KiB`?",
      "4:48 `uri`: the URI (64KiB) is part of the head (16KiB) and cannot be larger",
      "4:72 `connection-rate`: expected a rate such as 100/s or 100/s burst 200, found `100`",
      "4:86 `headers`: expected a whole number from 1 to 128, found `-1`",
    ]),
  Case(
    .http("pool: web\nlimits: { request-rate: 10/s brust 20, body: 1.5GiB }"),
    [
      "4:29 `request-rate`: expected a rate such as 100/s or 100/s burst 200, found `10/s brust 20`",
      "4:50 `body`: expected a size from 0 to 1024TiB such as 64KiB, 10MiB or plain bytes, found `1.5GiB`",
    ]),
  Case(
    .http("pool: web\ntimeouts: { head: 0s, idle: never, keep-alive: 75 }"),
    [
      "4:23 `head`: expected a duration of at least 1ms such as 500ms, 2s, 1m, 1h or 1d, found `0s`",
      "4:33 `idle`: expected a duration of at least 1ms such as 500ms, 2s, 1m, 1h or 1d, found `never`",
      "4:52 `keep-alive`: expected a duration of at least 1ms such as 500ms, 2s, 1m, 1h or 1d, found `75`; did you mean `75s`?",
    ]),
  Case(
    .http(
      "pool: web\nhttp: { x-forwarded: replaced, forwarded: yes, via: \"a b\", request-id: content-length, trust-request-id: yes }"
    ),
    [
      "4:26 `x-forwarded`: expected replace, append or off, found `replaced`; did you mean `replace`?",
      "4:47 `forwarded`: expected replace, append or off, found `yes`",
      "4:57 `via`: expected a token of letters, digits and !#$%&'*+-.^_`|~, found the text \"a b\"",
      "4:76 `request-id`: `content-length` has another meaning in HTTP; expected a name of its own",
      "4:110 `trust-request-id`: expected true or false, found `yes`; did you mean `true`?",
    ]),
  Case(
    .http("pool: web\nhttp: { request-id: off, trust-request-id: true }"),
    [
      "4:48 `trust-request-id`: there is no id to trust; `request-id` is off"
    ]),
  Case(
    .http("pool: web\nudp: { idle: 3s }"),
    [
      "4:5 `udp` is for udp listeners; this one is http"
    ]),
  Case(
    .tcp("pool: web\nhttp: {}\nlimits: { uri: 1KiB }\ntimeouts: { idle: 3s }"),
    [
      "4:5 `http` is for http listeners; this one is tcp",
      "5:15 `uri` is for http listeners; this one is tcp",
      "6:17 `idle` is for http listeners; this one is tcp",
    ]),
  Case(
    .udp(
      "pool: web\ntimeouts: { head: 3s }\naccept-proxy-from: [10.0.0.0/8]\nlimits: { connections: 3 }\nudp: { balance: sesion, replies: 0 }"
    ),
    [
      "4:5 `timeouts` is for tcp and http listeners; this one is udp",
      "5:5 `accept-proxy-from` is for tcp and http listeners; this one is udp",
      "6:15 `connections` is for tcp and http listeners; this one is udp",
      "7:21 `balance`: expected session or datagram, found `sesion`; did you mean `session`?",
      "7:38 `replies`: expected a whole number from 1 to 1000000, found `0`",
    ]),
  Case(
    .tcp(
      "routes:\n  - { match: { host: a.example, source: 10.0.0.0/8 }, pool: web }\n  - { respond: { status: 200 } }"),
    [
      "4:20 `host`: a tcp listener matches by `source`, `sni`, `alpn` and `client-cert` only",
      "5:11 `respond` is for http listeners; this one is tcp",
    ]),
  Case(
    .route("match: {}"),
    [
      "6:9 `route`: expected one of `pool`, `split`, `redirect`, `respond`"
    ]),
  Case(
    .route("pool: web\nredirect: { path: /x }"),
    [
      "7:9 `route`: expected only one of `pool`, `split`, `redirect`, `respond`; `pool` is given too"
    ]),
  Case(
    .route("redirect: {}"),
    [
      "6:19 `redirect`: expected `scheme`, `host` or `path`; without one it leads to itself"
    ]),
  Case(
    .route("redirect: { status: 304, path: x, scheme: ftp, host: \"a/b\" }"),
    [
      "6:29 `status`: expected 301, 302, 303, 307 or 308, found `304`",
      "6:40 `path`: expected a path that begins with /, found `x`",
      "6:51 `scheme`: expected http or https, found `ftp`",
      "6:62 `host`: expected a host such as example.com or example.com:8443, found the text \"a/b\"",
    ]),
  Case(
    .route("respond: {}"),
    [
      "6:18 `respond`: expected `status`"
    ]),
  Case(
    .route("respond: { status: 199 }"),
    [
      "6:28 `status`: expected a whole number from 200 to 599, found `199`"
    ]),
  Case(
    .route("respond: { status: 204, body: hi }"),
    [
      "6:39 `body`: a response with status 204 has none (RFC 9110 §6.4.1)"
    ]),
  Case(
    .route("respond: { status: 200, content-type: \"a\\nb\" }"),
    [
      "6:47 `content-type`: expected a header value without CR, LF, NUL or space at its ends, found the text \"a b\""
    ]),
  Case(
    .route("split: { web: 0, api: 0 }"),
    [
      "6:16 `split`: expected at least one pool with a weight above 0"
    ]),
  Case(
    .route("split: { wbe: 1, api: x }"),
    [
      "6:18 no pool `wbe`; did you mean `web`?",
      "6:31 `api`: expected a whole number from 0 to 65535, found `x`",
    ]),
  Case(
    .route("split: [web]"),
    [
      "6:16 `split`: expected a mapping of names, found a list"
    ]),
  Case(
    .route("split: {}"),
    [
      "6:16 `split`: expected at least one pool with a weight above 0"
    ]),
  Case(
    .route("pool: web\nrewrite: { prefix: /x }"),
    [
      "7:20 `prefix`: replaces what a path prefix matched, and the route matches none; expected `path`"
    ]),
  Case(
    .route("pool: web\nrewrite: { path: x }"),
    [
      "7:26 `path`: expected a path that begins with /, found `x`"
    ]),
  Case(
    .route("pool: web\nrewrite: { path: /x, prefix: /y }"),
    [
      "7:30 `rewrite`: expected only one of `prefix`, `path`; `path` is given too"
    ]),
  Case(
    .route(
      "pool: web\nrequest-headers: { set: { Content-Length: \"3\", x: \"a\\r\\nb\" }, add: { Host: a }, remove: [host, connection, \"a b\"] }"
    ),
    [
      "7:35 header `Content-Length`: frames the message or belongs to one connection; it cannot be edited",
      "7:59 `x`: expected a header value without CR, LF, NUL or space at its ends, found the text \"a b\"",
      "7:78 header `Host`: a request has exactly one; expected it under `set`",
      "7:98 header `host`: a request has exactly one; expected it under `set`",
      "7:104 header `connection`: frames the message or belongs to one connection; it cannot be edited",
      "7:116 `header`: expected a header name such as x-request-id, found the text \"a b\"",
    ]),
  Case(
    .route("pool: web\nresponse-headers: { set: { host: a, transfer-encoding: chunked }, remove: { a: b } }"),
    [
      "7:36 header `host`: a response has none",
      "7:45 header `transfer-encoding`: frames the message or belongs to one connection; it cannot be edited",
      "7:83 `header`: expected a header name such as x-request-id, found a mapping",
    ]),
  Case(
    .route("pool: web\ntimeouts: { request: 1s, per-try: 2s }"),
    [
      "7:43 `per-try`: longer than `request` (1s), which ends all tries"
    ]),
  Case(
    .route("pool: web\nretry: { attempts: 8, on-status: [200], budget: 0.2, on-reset: \"true\" }"),
    [
      "7:28 `attempts`: expected a whole number from 0 to 7, found `8`",
      "7:43 `on-status`: expected a whole number from 400 to 599, found `200`",
      "7:57 `budget`: expected a share from 0% to 100%, found `0.2`; did you mean `20%`?",
      "7:72 `on-reset`: expected true or false, found the text \"true\"",
    ]),
  Case(
    .route("respond: { status: 200 }\nretry: { attempts: 1 }\nrewrite: { path: /x }"),
    [
      "7:9 `retry`: the route answers itself and sends nothing to a backend",
      "8:9 `rewrite`: the route answers itself and sends nothing to a backend",
    ]),
  Case(
    .route("pool: web\nname: a b"),
    [
      "7:15 `name`: expected a name of at most 64 letters, digits and `-_.`, found `a b`"
    ]),
  Case(
    .route("pool: { web: 1 }"),
    [
      "6:15 `pool`: expected text that is not empty, found a mapping"
    ]),
  Case(
    .route("pool: web\nmatcher: {}"),
    [
      "7:9 unknown key `matcher` in route; did you mean `match`?"
    ]),
  Case(
    .route(""),
    [
      "6:8 `route`: expected a mapping with `name`, `match`, `pool`, `split`, `redirect`, `respond`, `rewrite`, `request-headers`, `response-headers`, `timeouts`, `retry`, `mirror`, found nothing"
    ]),
  Case(
    .match("{ host: \"*\" }"),
    [
      "6:24 `host`: expected a host such as example.com or \"*.example.com\", found the text \"*\"; leave `host` out to match every host"
    ]),
  Case(
    .match("{ host: [\"a.*.com\", \"exämple.com\", \"a.com:80\", \"\", \"a..b\", \"[::1\"] }"),
    [
      "6:25 `host`: expected a host such as example.com or \"*.example.com\", found the text \"a.*.com\"; a wildcard stands only for the first labels, as in `*.example.com`",
      "6:36 `host`: expected a host such as example.com or \"*.example.com\", found the text \"exämple.com\"; write it in ASCII (xn--…)",
      "6:51 `host`: expected a host such as example.com or \"*.example.com\", found the text \"a.com:80\"; without the port",
      "6:63 `host`: expected a host such as example.com or \"*.example.com\", found the text \"\"",
      "6:67 `host`: expected a host such as example.com or \"*.example.com\", found the text \"a..b\"",
      "6:75 `host`: expected a host such as example.com or \"*.example.com\", found the text \"[::1\"",
    ]),
  Case(
    .match("{ path: api }"),
    [
      "6:24 `path`: expected a path that begins with /, found `api`"
    ]),
  Case(
    .match("{ path: \"/a?b=1\" }"),
    [
      "6:24 `path`: expected a path that begins with /, found the text \"/a?b=1\"; a query is matched by `query`"
    ]),
  Case(
    .match("{ path: { regex: \"a(b\" } }"),
    [
      "6:33 `regex`: expected a PCRE2 regular expression, found the text \"a(b\"; missing closing parenthesis at offset 3"
    ]),
  Case(
    .match("{ path: { exact: /a, prefix: /b } }"),
    [
      "6:37 `path`: expected only one of `exact`, `prefix`, `regex`; `exact` is given too"
    ]),
  Case(
    .match("{ path: {} }"),
    [
      "6:24 `path`: expected one of `exact`, `prefix`, `regex`"
    ]),
  Case(
    .match("{ path: [/a, /b] }"),
    [
      "6:24 `path`: expected a path that begins with /, found a list"
    ]),
  Case(
    .match("{ method: get }"),
    [
      "6:26 `method`: expected a method such as GET, found `get`; methods are case-sensitive; did you mean `GET`?"
    ]),
  Case(
    .match("{ method: [] }"),
    [
      "6:26 `method`: expected at least one, found an empty list; leave it out to match every"
    ]),
  Case(
    .match("{ header: { \"x y\": a } }"),
    [
      "6:28 `header`: expected a header name such as x-request-id, found `x y`"
    ]),
  Case(
    .match("{ header: { x: { regx: a } } }"),
    [
      "6:33 unknown key `regx` in condition; did you mean `regex`?"
    ]),
  Case(
    .match("{ header: [x] }"),
    [
      "6:26 `header`: expected a mapping of names, found a list"
    ]),
  Case(
    .match("{ header: { x: { present: yes } } }"),
    [
      "6:42 `present`: expected true or false, found `yes`; did you mean `true`?"
    ]),
  Case(
    .match("{ header: { x: { regex: \"[a\" } }, query: { p: { regex: \"*\" } }, cookie: { \"a b\": c } }"),
    [
      "6:40 `regex`: expected a PCRE2 regular expression, found the text \"[a\"; missing terminating ] for character class at offset 2",
      "6:71 `regex`: expected a PCRE2 regular expression, found the text \"*\"; quantifier does not follow a repeatable item at offset 0",
      "6:90 `cookie`: expected a cookie's name, found `a b`",
    ]),
  Case(
    .match("{ source: 10.0.0.256 }"),
    [
      "6:26 `source`: expected an address or a prefix such as 192.0.2.1, 10.0.0.0/8 or fd00::/8, found `10.0.0.256`"
    ]),
  Case(
    .match("{ query: { a: } }"),
    [
      "6:30 `a`: expected text, found nothing"
    ]),
  Case(
    .match("[]"),
    [
      "6:16 `match`: expected a mapping with `host`, `path`, `method`, `header`, `query`, `cookie`, `source`, `sni`, `alpn`, `client-cert`, found a list"
    ]),
  Case(
    .http("routes:\n  - { pool: web }\n  - { match: { path: /a }, pool: api }\n  - { match: { path: /b }, pool: api }"),
    [
      "5:9 this route and those after it are never reached"
    ]),
  Case(
    .http("routes:\n  - { match: { path: /a }, pool: web }\n  - { match: { path: /a }, pool: api }"),
    [
      "5:9 this route is never reached: an earlier one matches the same"
    ]),
  Case(
    .http("routes:\n  - { match: { source: [0.0.0.0/0, \"::/0\"], path: / }, pool: web }\n  - { pool: api }"),
    [
      "5:9 this route is never reached"
    ]),
  Case(
    .match("{ host: [] }"),
    [
      "6:24 `host`: expected at least one, found an empty list; leave it out to match every"
    ]),
  Case(
    .match("{ path: /a b }"),
    [
      "6:24 `path`: expected a path that begins with /, found `/a b`; spaces, # and letters beyond ASCII are percent-encoded in a path"
    ]),
  Case(
    .match("{ method: \"G T\" }"),
    [
      "6:26 `method`: expected a method such as GET, found the text \"G T\""
    ]),
  Case(
    .route("pool: web\nXpool: api"),
    [
      "7:9 unknown key `Xpool` in route; did you mean `pool`?"
    ]),
]
