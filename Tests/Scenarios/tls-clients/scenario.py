"""Mutual TLS: who may in, what routes and fields know of them, and that a revoked one stays out."""

import hashlib
import json
import ssl

from lib.node import Node
from lib.origin import Origin
from lib.pki import Authority, curl, openssl, replace, s_client
from lib.scenario import contains, ensure, equal, wait


def fingerprint(certificate):
    der = ssl.PEM_cert_to_DER_cert("-----BEGIN" + certificate.read_text().split("-----BEGIN", 1)[1])
    return hashlib.sha256(der).hexdigest()


def fields(answer):
    """What the backend saw: (name, value) of each line."""
    return [(name.lower(), value) for name, value in json.loads(answer)["headers"]]


def run(s):
    ca, clients, strangers = Authority(s), Authority(s, "clients"), Authority(s, "strangers")
    ca.issue("server", ["server.test"])
    people = {name: clients.issue(name) for name in ("alice", "bob", "carol", "mallory")}
    people["stranger"] = strangers.issue("stranger")
    # A subject that would break out of a header line, if it were copied as it is.
    people["odd"] = clients.issue("odd", subject="/CN=alice\\, x\\nEvil: yes/O=Ünd")
    old = clients.issue("old", days=1)
    clients.crl()
    print_of_carol = fingerprint(people["carol"][0])
    Origin(s, "origin")
    node = Node(s, replace=[("${print}", print_of_carol)])

    def get(port, who=None, *words):
        pair = ["--cert", people[who][0], "--key", people[who][1]] if who else []
        return curl("--cacert", ca.certificate, "--connect-to", f"server.test:443:127.0.0.1:{s.port(port)}", *pair, *words, "https://server.test/x")

    def failed(port):
        return next(one for one in node.status()["listeners"] if one["name"] == port)["tls"]["failed"]

    for version in ("1.2", "1.3"):
        only = ["--tlsv" + version, "--tls-max", version]
        with s.fact(f"TLS {version}: a certificate is required, and one of ours"):
            ensure(get("must", None, *only)[0] != 0, "nobody gets in")
            ensure(get("must", "stranger", *only)[0] != 0, "a stranger gets in")
            status, out, error = get("must", "alice", *only)
            equal(status, 0, error)
    with s.fact("refusals are counted by reason"):
        wait(lambda: failed("must")["certificate"] >= 4, "four are counted as certificate", 3)
    with s.fact("the backend learns who it is, and not by a field that a client sends"):
        seen = fields(get("must", "alice", "-H", "x-subject: CN=root", "-H", "x-print: 00")[1])
        equal([value for name, value in seen if name == "x-subject"], ["CN=alice"], "x-subject")
        equal([value for name, value in seen if name == "x-print"], [fingerprint(people["alice"][0])], "x-print")
        equal([value for name, value in seen if name == "x-tls"], ["TLSv1.3"], "x-tls")
    with s.fact("routes match by subject and by fingerprint"):
        equal(get("must", "bob")[1], "bob\n", "bob")
        equal(get("must", "carol")[1], "by fingerprint\n", "carol")
        equal(get("must", "mallory")[1], "who?\n", "mallory")
    with s.fact("optional: none is fine, a wrong one is not"):
        ensure("x-subject" not in dict(fields(get("may", None, "-H", "x-subject: CN=root")[1])), "a made-up subject came through")
        equal(dict(fields(get("may", "bob")[1])).get("x-subject"), "CN=bob", "x-subject")
        ensure(get("may", "stranger")[0] != 0, "a stranger gets in")
    with s.fact("a subject with line ends and letters beyond ASCII stays one line"):
        seen = dict(fields(get("may", "odd")[1]))
        ensure("evil" not in seen, seen)
        ensure(seen["x-subject"].isascii() and "alice" in seen["x-subject"], seen["x-subject"])
    with s.fact("a session of the optional listener is not resumed at the strict one"):
        session = s.path("session")
        s_client(s.port("may"), "-sess_out", session, "-ign_eof", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        out = s_client(s.port("must"), "-sess_in", session)[1]
        ensure("Reused, " not in out, "it is resumed")
    with s.fact("a revoked client is out, and cannot resume its way in"):
        certificate, key = people["mallory"]
        pair = ["-cert", certificate, "-key", key]
        session = s.path("mallory-session")
        s_client(s.port("must"), *pair, "-sess_out", session, "-ign_eof", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        clients.revoke(certificate)
        clients.crl("fresh.pem")
        replace(clients.folder / "crl.pem", clients.folder / "fresh.pem")
        wait(lambda: get("must", "mallory")[0] != 0, "the revocation list is taken over by itself", 8)
        out = s_client(s.port("must"), *pair, "-sess_in", session, "-ign_eof", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[1]
        ensure("who?" not in out, "mallory has resumed")
        equal(get("must", "bob")[1], "bob\n", "bob, who was not revoked")
    with s.fact("check warns of a revocation list that has ended"):
        clients.crl("ended.pem", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
        path = s.path("ended.yaml")
        path.write_text(node.config.read_text().replace("clients/crl.pem", "clients/ended.pem"))
        done = node.cli("check", path)
        equal(done.returncode, 0, done.stderr)
        contains(done.stdout + done.stderr, "ended.pem: a revocation list has ended on 2020-02-01")
