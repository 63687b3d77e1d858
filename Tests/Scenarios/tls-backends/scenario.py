"""TLS to backends: nginx and HAProxy behind, verified by default; probes, client certificates, sessions resumed."""

import hashlib
import time

from lib.node import Node
from lib.origin import Origin
from lib.peers import haproxy, nginx
from lib.pki import Authority, curl
from lib.scenario import contains, ensure, equal, wait

LARGE = 20 << 20


def run(s):
    ca, strangers = Authority(s), Authority(s, "strangers")
    certificate, key = ca.issue("backend", ["backend.test", "127.0.0.1"])
    ca.issue("sluice")
    (s.path("nginx")).mkdir()
    large = s.path("nginx") / "large"
    large.write_bytes(bytes(range(256)) * (LARGE // 256))
    server = f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:x:1m; ssl_session_tickets on; ssl_protocols TLSv1.2 TLSv1.3;"
    nginx(
        s, "nginx",
        f"server {{ listen 127.0.0.1:{s.port('nginx')} ssl; {server} client_max_body_size 100m;\n"
        f" location / {{ return 200 \"$ssl_protocol $ssl_server_name $ssl_session_reused $http_x_forwarded_proto\\n\"; }}\n"
        f" location /large {{ root {s.path('nginx')}; }} }}\n"
        f"server {{ listen 127.0.0.1:{s.port('mutual-nginx')} ssl; {server} ssl_client_certificate {ca.certificate}; ssl_verify_client on;\n"
        f" location / {{ return 200 \"$ssl_client_s_dn\\n\"; }} }}",
        wait_port=s.port("nginx"))
    bundle = s.path("bundle.pem")
    bundle.write_text(certificate.read_text() + key.read_text())
    Origin(s, "plain")
    haproxy(
        s, "haproxy",
        f"frontend f\n  mode http\n  bind 127.0.0.1:{s.port('haproxy')} ssl crt {bundle}\n"
        "  http-request return status 200 content-type text/plain lf-string \"%[ssl_fc_sni] %[ssl_fc_is_resumed]\\n\"\n",
        [s.port("haproxy")])
    node = Node(s)

    def get(name, *words, path="/"):
        return curl(*words, f"http://127.0.0.1:{s.port('f-' + name)}{path}")

    def code(name):
        return get(name, "-o", "/dev/null", "-w", "%{http_code}")[1]

    with s.fact("nginx is reached by TLS 1.3, with the name in SNI"):
        node.wait_verdict("nginx", f"127.0.0.1:{s.port('nginx')}", "up")
        equal(get("nginx")[1].split()[:2], ["TLSv1.3", "backend.test"], "what nginx saw")
    with s.fact("sessions are resumed"):
        seen = [get("nginx")[1].split()[2] for _ in range(8)]
        ensure("r" in seen, f"nginx saw {seen}")
        wait(lambda: node.backend("nginx", f"127.0.0.1:{s.port('nginx')}")["tls"]["resumed"] > 0, "they are counted", 3)
    with s.fact("HAProxy is reached, probed by a handshake, and its connection kept"):
        node.wait_verdict("haproxy", f"127.0.0.1:{s.port('haproxy')}", "up")
        for _ in range(10):
            status, out, error = get("haproxy")
            equal((status, out.split()[0]), (0, "backend.test"), error)
        connects = node.backend("haproxy", f"127.0.0.1:{s.port('haproxy')}")["connects"]
        ensure(connects <= 4, f"{connects} connections for 10 requests")
    for name, why in (("wrong-name", "another name"), ("wrong-ca", "another authority"), ("system", "an authority that the system knows not")):
        with s.fact(f"a certificate for {why} is refused"):
            ensure(code(name) in ("502", "503"), f"status {code(name)}")
    with s.fact("a probe says why"):
        reason = node.wait_verdict("wrong-ca", f"127.0.0.1:{s.port('nginx')}", "down")["reason"]
        ensure("TLS" in reason, reason)
    with s.fact("verify: off believes anybody, and only where it is said"):
        equal(code("off"), "200", "status")
    with s.fact("without a name the certificate must have the address"):
        equal(code("address"), "200", "status")
    with s.fact("a client certificate is shown to who asks"):
        ensure("CN=sluice" in get("mutual")[1], get("mutual")[1])
        equal(code("mutual-without"), "400", "without one, nginx's answer")
    with s.fact("its end is in status and metrics"):
        shown = node.pool("mutual")["certificate"]
        equal((shown["subject"], shown["file"].split("/")[-1]), ("CN=sluice", "sluice.pem"), "what is shown")
        contains(node.api("GET", "/metrics")[1], 'sluice_certificate_expiry_seconds{pool="mutual",file="')
    with s.fact("a backend that speaks no TLS is a failed try"):
        equal(code("clear"), "502", "status")
        wait(lambda: "not-tls" in node.process.log() or "handshake" in node.process.log(), "the log tells of it")
    with s.fact("a large response and a large upload arrive whole"):
        out = s.path("got")
        status, _, error = get("nginx", "-o", out, path="/large")
        equal((status, hashlib.sha256(out.read_bytes()).digest()), (0, hashlib.sha256(large.read_bytes()).digest()), error)
        status, answer, error = get("nginx", "--data-binary", f"@{large}")
        equal((status, answer.split()[0]), (0, "TLSv1.3"), error)
    with s.fact("TLS on both sides"):
        status, answer, error = curl("--cacert", ca.certificate, "--connect-to", f"backend.test:443:127.0.0.1:{s.port('f-both')}", "https://backend.test/")
        equal((status, answer.split()[0]), (0, "TLSv1.3"), error)
        ensure(answer.split()[-1] == "https", answer)
    with s.fact("a tcp listener encrypts, too"):
        status, answer, error = curl(f"http://127.0.0.1:{s.port('f-tcp')}/")
        equal((status, answer.split()[0]), (0, "TLSv1.3"), error)
