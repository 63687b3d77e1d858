"""A certificate authority for a scenario, by the openssl command line: certificates, revocations, OCSP responses."""

import os
import pathlib
import subprocess
import time

from lib.scenario import Failure

# ECDSA P-256: quick to make. RSA-2048 takes a moment.
KINDS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def openssl(*words, stdin=b"", timeout=60, fails=False):
    """The finished process of one openssl command."""
    done = subprocess.run(["openssl", *map(str, words)], input=stdin, capture_output=True, timeout=timeout)
    if done.returncode != 0 and not fails:
        raise Failure(f"openssl {' '.join(map(str, words))}: {done.stderr.decode(errors='replace')[-400:]}")
    return done


class Authority:
    def __init__(self, scenario, name="ca"):
        self.folder = scenario.path(name)
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "crlnumber").write_text("1000\n")
        self.config = self.folder / "ca.cnf"
        self.config.write_text(
            f"[ca]\ndefault_ca = c\n[c]\ndir = {self.folder}\ndatabase = {self.folder}/index.txt\nserial = {self.folder}/serial\n"
            f"crlnumber = {self.folder}/crlnumber\nnew_certs_dir = {self.folder}\ncertificate = {self.certificate}\n"
            f"private_key = {self.key}\ndefault_md = sha256\ndefault_days = 365\ndefault_crl_days = 30\npolicy = p\n"
            "unique_subject = no\ncopy_extensions = copy\nx509_extensions = leaf\n"
            "[p]\ncommonName = supplied\norganizationName = optional\n"
            "[leaf]\nbasicConstraints = CA:FALSE\nkeyUsage = digitalSignature,keyEncipherment\nextendedKeyUsage = serverAuth,clientAuth\n"
            "authorityInfoAccess = OCSP;URI:http://127.0.0.1:9\n"
        )
        openssl("req", "-x509", *KINDS["ec"], "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "3650",
                "-subj", f"/CN=Test Authority {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    def issue(self, name, names=(), kind="ec", subject=None, days=365, begin=None, end=None):
        """(certificate, key): PEM files in the authority's folder, the certificate with its chain. `begin` and `end`: seconds since 1970."""
        certificate, key, request = (self.folder / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        alternative = ["-addext", "subjectAltName=" + ",".join(
            f"IP:{n}" if n.replace(".", "").isdigit() or ":" in n else f"DNS:{n}" for n in names)] if names else []
        openssl("req", "-new", *KINDS[kind], "-nodes", "-keyout", key, "-out", request, "-subj", subject or f"/CN={name}", *alternative)
        date = lambda seconds: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))
        valid = ["-startdate", date(begin), "-enddate", date(end)] if end else ["-days", days]
        openssl("ca", "-batch", "-config", self.config, "-in", request, "-out", certificate, "-notext", *valid)
        return certificate, key

    def revoke(self, certificate):
        openssl("ca", "-batch", "-config", self.config, "-revoke", certificate)

    def crl(self, name="crl.pem", *words):
        path = self.folder / name
        openssl("ca", "-batch", "-config", self.config, "-gencrl", *words, "-out", path)
        return path

    def staple(self, certificate, name="staple.der"):
        """An OCSP response that says "good"."""
        path = self.folder / name
        openssl("ocsp", "-issuer", self.certificate, "-cert", certificate, "-index", self.folder / "index.txt", "-rsigner",
                self.certificate, "-rkey", self.key, "-CA", self.certificate, "-ndays", "7", "-respout", path, "-noverify")
        return path


def replace(target, source):
    """Puts a file's content in another's place in one step."""
    target = pathlib.Path(target)
    fresh = target.with_suffix(target.suffix + ".new")
    fresh.write_bytes(pathlib.Path(source).read_bytes())
    os.replace(fresh, target)


def s_client(port, *words, stdin=b"", host="127.0.0.1", timeout=30):
    """(exit status, everything it said) of `openssl s_client` that ends with its input."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, words)], input=stdin, capture_output=True, timeout=timeout)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def curl(*words, timeout=15):
    """(exit status, output, what it complained about)."""
    done = subprocess.run(["curl", "-sS", "--max-time", "10", *map(str, words)], capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr
