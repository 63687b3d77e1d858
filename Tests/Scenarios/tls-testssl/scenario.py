"""The policies as strangers see them: testssl.sh against the default one, every cipher that OpenSSL has against
`intermediate`, and meanwhile ticket keys that change by time."""

import concurrent.futures
import json
import re
import ssl
import subprocess

from lib.node import Node
from lib.pki import Authority, openssl, s_client
from lib.scenario import ensure, equal, wait

LIMIT = 300

# What is wrong with a certificate of a private authority, and with an HTTP answer that is not testssl's business here.
EXPECTED = ("cert_", "HSTS", "DNS_CAArecord", "OCSP_stapling", "security_headers", "certificate_transparency", "overall_grade", "grade_cap",
            "cert", "scanTime", "engine_problem")
SEVERE = {"MEDIUM", "HIGH", "CRITICAL"}

# Mozilla's intermediate configuration, 5.7: https://wiki.mozilla.org/Security/Server_Side_TLS
INTERMEDIATE = {
    "TLSv1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
    "TLSv1.2": {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-CHACHA20-POLY1305"},
}
GROUPS = {"X25519", "P-256", "P-384"}
KEY_SIZE = 80


def run(s):
    ca = Authority(s)
    ca.issue("localhost", ["localhost"], days=90)
    ca.issue("localhost-rsa", ["localhost"], kind="rsa", days=90)
    node = Node(s)
    report = s.path("testssl.json")
    probing = s.start("testssl", [
        "testssl", "--quiet", "--color", "0", "--warnings", "off", "--add-ca", ca.certificate, "--ip", "127.0.0.1", "--jsonfile", report,
        f"https://localhost:{s.port('web')}"], expect_exit=True, cwd=s.dir)
    ticket = save(s)
    intermediate(s)
    rotation(s, node, ticket)
    probing.wait(240)
    findings = json.loads(report.read_text())
    counts = {}
    for finding in findings:
        counts[finding["severity"]] = counts.get(finding["severity"], 0) + 1
    s.figure("findings", *(f"{kind} {count}" for kind, count in sorted(counts.items())))
    with s.fact("testssl.sh has looked at everything"):
        equal(len(findings) > 80, True, f"{len(findings)} findings: more than 80")
    with s.fact("nothing above LOW"):
        bad = [f"{f['id']}: {f['severity']}: {f['finding']}" for f in findings
               if f["severity"] in SEVERE and not any(f["id"].startswith(word) for word in EXPECTED)]
        equal(bad, [], "findings above LOW")


def intermediate(s):
    port = s.port("intermediate")
    listed = openssl("ciphers", "-v", "ALL:COMPLEMENTOFALL@SECLEVEL=0").stdout.decode().splitlines()
    # The suites of TLS 1.3 that are off by default are not listed.
    suites = {"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"} | {line.split()[0] for line in listed if line.startswith("TLS_")}
    ciphers = {line.split()[0] for line in listed} - suites

    def taken(words):
        status, out = s_client(port, *words)
        return status == 0 and bool(re.search(r"Cipher is (?!\(NONE\))", out))

    def offered(names, words):
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            return {name for name, good in zip(names, threads.map(lambda name: taken(words(name)), names)) if good}

    found = {
        "TLSv1.3": offered(sorted(suites), lambda name: ["-tls1_3", "-ciphersuites", name]),
        "TLSv1.2": offered(sorted(ciphers), lambda name: ["-tls1_2", "-cipher", f"{name}:@SECLEVEL=0"]),
    }
    for version, wanted in INTERMEDIATE.items():
        with s.fact(f"intermediate: {version} has Mozilla's ciphers and no other"):
            equal(sorted(found[version]), sorted(wanted), "ciphers")
    for version, words in (("1.1", "-tls1_1"), ("1.0", "-tls1")):
        with s.fact(f"intermediate: TLS {version} is refused"):
            ensure(not taken([words, "-cipher", "ALL:@SECLEVEL=0"]), "it is taken")
    names = ["X25519", "P-256", "P-384", "P-521", "X448", "ffdhe2048"]
    with s.fact("intermediate: Mozilla's groups and no other"):
        equal(offered(names, lambda name: ["-tls1_3", "-groups", name]), GROUPS, "groups")
    s.figure("intermediate", f"{len(suites)} and {len(ciphers)} ciphers tried", f"{len(found['TLSv1.3'])} and {len(found['TLSv1.2'])} taken")


def save(s):
    """A session of each version: the file, and the name of the key that its ticket is sealed with."""
    found = {}
    for version in ("1_2", "1_3"):
        path = s.path(f"session-{version}")
        before = keys(s)[0]
        s_client(s.port("web"), f"-tls{version}", "-sess_out", path, "-ign_eof", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        ensure(path.exists() and keys(s)[0] == before, "there is no session, or its key has changed")
        found[version] = (path, before)
    return found


def keys(s):
    data = s.path("tickets.bin").read_bytes()
    return [data[at:at + 16] for at in range(0, len(data), KEY_SIZE)]


def rotation(s, node, tickets):
    """Keys change every 10 s. What is looked at is which keys are in force, not how late it is."""
    def resumed():
        return node.status()["listeners"][0]["tls"]["resumed"]

    def look(version):
        """(place of the ticket's key when it was asked, whether the session was resumed); None: a key changed meanwhile."""
        path, key = tickets[version]
        before = keys(s)
        reused = "Reused, " in s_client(s.port("web"), f"-tls{version}", "-sess_in", path)[1]
        after = keys(s)
        return None if before != after else (before.index(key) if key in before else len(before), reused)

    for place, name in ((0, "in force"), (1, "before"), (3, "of three rotations ago")):
        for version in tickets:
            label = version.replace("_", ".")
            with s.fact(f"TLS {label}: a ticket sealed by the key {name} is {'resumed' if place < 3 else 'not resumed'}"):
                def settled():
                    found = look(version)
                    return found if found and found[0] >= place else None
                found = wait(settled, f"the key stands at {place}", 60, every=0.2)
                equal(found[1], found[0] < 3, f"resumed by the key at {found[0]}")
    with s.fact("resumptions are counted"):
        before = resumed()
        fresh = save(s)
        for version, (path, _) in fresh.items():
            for _ in range(3):
                s_client(s.port("web"), f"-tls{version}", "-sess_in", path)
        # testssl.sh asks at the same time.
        wait(lambda: resumed() >= before + 6, "six more", 5)
