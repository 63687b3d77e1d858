"""testssl.sh against the default policy: nothing above LOW but what a test certificate brings."""

import json
import subprocess

from lib.node import Node
from lib.pki import Authority
from lib.scenario import equal

LIMIT = 300

# What is wrong with a certificate of a private authority, and with an HTTP answer that is not testssl's business here.
EXPECTED = ("cert_", "HSTS", "DNS_CAArecord", "OCSP_stapling", "security_headers", "certificate_transparency", "overall_grade", "grade_cap",
            "cert", "scanTime", "engine_problem")
SEVERE = {"MEDIUM", "HIGH", "CRITICAL"}


def run(s):
    ca = Authority(s)
    ca.issue("localhost", ["localhost"], days=90)
    ca.issue("localhost-rsa", ["localhost"], kind="rsa", days=90)
    Node(s)
    report = s.path("testssl.json")
    subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--add-ca", ca.certificate, "--ip", "127.0.0.1", "--jsonfile", report,
         f"https://localhost:{s.port('web')}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=280, cwd=s.dir)
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
