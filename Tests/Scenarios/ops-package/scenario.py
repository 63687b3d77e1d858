"""The Debian package, installed, used, upgraded, removed and purged on a copy of this machine that is thrown away.

With SLUICE_PACKAGE=1 it is compressed as it is for operators, and lintian reads it; that takes a minute more.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from lib.scenario import Failure, contains, ensure, equal

LIMIT = 300
WHOLE = bool(os.environ.get("SLUICE_PACKAGE"))
ROOT = pathlib.Path(__file__).resolve().parents[3]
# A debug build's runtime is not in the package.
RUNTIME = "/opt/swift/usr/lib/swift/linux"


def run(s):
    first = build(s)
    machine = Machine(s)
    if WHOLE:
        with s.fact("lintian has nothing to say"):
            done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", first], capture_output=True, text=True, timeout=120)
            equal((done.returncode, done.stdout.strip()), (0, ""), "lintian")
    installed(s, machine, first)
    used(s, machine)
    upgraded(s, machine, newer(s, first))
    removed(s, machine)


def build(s):
    output = s.path("package")
    done = subprocess.run(
        [ROOT / "scripts/package", "--binary", s.binary, "--output", output, "--compression", "xz" if WHOLE else "none"],
        capture_output=True, text=True, timeout=200)
    if done.returncode != 0:
        raise Failure(f"scripts/package: {done.stdout} {done.stderr}")
    file = pathlib.Path(done.stdout.strip().splitlines()[-1])
    s.figure("package", file.name, f"{file.stat().st_size // 1024} KiB")
    return file


def newer(s, package):
    """The same with another version and another default configuration."""
    tree = s.path("newer")
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 99.0", control.read_text(), flags=re.M))
    config = tree / "etc/sluice/sluice.yaml"
    config.write_text(config.read_text() + "# Of the next version.\n")
    file = s.path("sluice_99.0.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, file], check=True, stdout=subprocess.DEVNULL)
    return file


class Machine:
    """This one's files, with every change in a directory of the scenario's; no network but a loopback."""

    def __init__(self, s):
        base = s.dir
        # One overlay cannot hold another's changes: where the tests' own directory is on one, in a container, memory does.
        if subprocess.run(["stat", "-fc", "%T", base], capture_output=True, text=True).stdout.strip() == "overlayfs":
            base = pathlib.Path(tempfile.mkdtemp(prefix="sluice-package-", dir="/dev/shm"))
            s.defer(shutil.rmtree, base, True)
        self.upper, self.work, self.root = (base / name for name in ("upper", "work", "root"))
        for path in (self.upper, self.work, self.root):
            path.mkdir()

    def run(self, script, *files):
        """A shell script as root; files are laid into /var/tmp before."""
        for file in files:
            place = self.upper / "var/tmp"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / file.name)
        options = f"lowerdir=/,upperdir={self.upper},workdir={self.work}"
        outer = (
            f"mount -t overlay overlay -o {options} {self.root} && mount -t proc proc {self.root}/proc"
            f" && mount --rbind /dev {self.root}/dev && ip link set lo up"
            f" && exec chroot {self.root} /bin/sh -e -c \"$0\"")
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LD_LIBRARY_PATH": RUNTIME, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-e", "-c", outer, script],
            capture_output=True, text=True, timeout=100, env=environment)
        if done.returncode != 0:
            raise Failure(f"{script.strip().splitlines()[0]} …: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-800:]}")
        return done.stdout

    def facts(self, *paths):
        """Mode, owner and group of each; "absent"."""
        script = "\n".join(f"stat -c '%a %U %G' {path} 2>/dev/null || echo absent" for path in paths)
        return self.run(script).splitlines()


def installed(s, machine, package):
    with s.fact("it installs, with its user, and files as they shall be"):
        machine.run(f"dpkg -i /var/tmp/{package.name}", package)
        user = machine.run("getent passwd sluice").split(":")
        equal(user[5:], ["/var/lib/sluice", "/usr/sbin/nologin\n"], "home and shell")
        equal(
            machine.facts("/etc/sluice/sluice.yaml", "/var/log/sluice", "/var/lib/sluice", "/usr/bin/sluice"),
            ["640 root sluice", "750 sluice adm", "750 sluice sluice", "755 root root"], "modes and owners")
        contains(machine.run("dpkg --verify sluice; dpkg -s sluice"), "Status: install ok installed")
    with s.fact("manual pages and completions know every command of the binary"):
        pages = set(machine.run("cd /usr/share/man/man1; ls sluice*.1.gz").split())
        commands = re.findall(r"^  ([a-z-]+) ", machine.run("sluice --help").split("SUBCOMMANDS:")[1], re.M)
        ensure(len(commands) > 15, f"commands {commands}")
        missing = [c for c in commands if c != "help" and f"sluice-{c}.1.gz" not in pages]
        ensure(not missing, f"no page for {missing}")
        machine.run("bash -n /usr/share/bash-completion/completions/sluice")
        warned = machine.run("""cd /usr/share/man/man1
            ls sluice*.1.gz | MANWIDTH=80 xargs -P 2 -I{} sh -c 'man --warnings --local-file {} 2>&1 >/dev/null | sed "s/^/{}: /"'""")
        equal(warned, "", "warnings of man")
        for file in ("bash-completion/completions/sluice", "zsh/vendor-completions/_sluice", "fish/vendor_completions.d/sluice.fish"):
            contains(machine.run(f"cat /usr/share/{file}"), "confirm-within")
        s.figure("manual pages", len(pages))
    with s.fact("systemd understands the unit, which gives a service that was broken into little; logrotate understands its file"):
        machine.run("systemd-analyze verify --man=no /usr/lib/systemd/system/sluice.service")
        exposure = machine.run("systemd-analyze security --offline=true --threshold=30 --no-pager /usr/lib/systemd/system/sluice.service")
        s.figure("exposure of the unit", re.search(r"exposure level for sluice.service: (\S+ \w+)", exposure)[1])
        machine.run("logrotate --debug /etc/logrotate.d/sluice 2>&1")


def used(s, machine):
    with s.fact("the default configuration is valid and served by the service's user"):
        text = machine.run("""install -d -o sluice -g sluice /run/sluice
            as="setpriv --reuid sluice --regid sluice --init-groups"
            $as sluice check /etc/sluice/sluice.yaml
            $as sluice run /etc/sluice/sluice.yaml --pid-file /run/sluice/sluice.pid 2>/run/sluice/log &
            for i in $(seq 200); do [ -s /run/sluice/sluice.pid ] && break; sleep 0.05; done
            old=$(cat /run/sluice/sluice.pid)
            $as sluice upgrade
            curl -s http://127.0.0.1:8080/hello
            $as sluice status
            for i in $(seq 200); do [ -d /proc/$old ] || break; sleep 0.05; done
            kill -TERM $(cat /run/sluice/sluice.pid)
            for i in $(seq 200); do [ -e /run/sluice/sluice.pid ] || break; sleep 0.05; done
            cat /run/sluice/log
        """)
        for words in ("is valid", "serves; ", "Sluice serves.", "serving", "sluice: stopped"):
            contains(text, words)


    with s.fact("a rotated log goes on in a new file, which is the service's"):
        text = machine.run("""sed 's/^# access-log/access-log/' /etc/sluice/sluice.yaml >/var/tmp/logged.yaml
            as="setpriv --reuid sluice --regid sluice --init-groups"
            $as sluice run /var/tmp/logged.yaml --pid-file /run/sluice/sluice.pid 2>/run/sluice/log &
            for i in $(seq 200); do [ -s /run/sluice/sluice.pid ] && break; sleep 0.05; done
            log=/var/log/sluice/access.log
            curl -s http://127.0.0.1:8080/hello?before >/dev/null
            for i in $(seq 200); do [ -s $log ] && break; sleep 0.05; done
            logrotate --force --state /var/tmp/rotated /etc/logrotate.d/sluice
            # The signal is heard beside the traffic: requests until one is in the new file.
            for i in $(seq 100); do curl -s http://127.0.0.1:8080/hello?after >/dev/null; [ -s $log ] && break; sleep 0.05; done
            grep -c before $log.1; grep -c before $log || true; grep -q after $log && echo after
            stat -c '%a %U %G' $log
            kill -TERM $(cat /run/sluice/sluice.pid)
            for i in $(seq 200); do [ -e /run/sluice/sluice.pid ] || break; sleep 0.05; done
            rm -f $log*
        """)
        equal(text.splitlines(), ["1", "0", "after", "640 sluice adm"], "lines before in the old file and in the new, after, mode")


def upgraded(s, machine, package):
    machine.run("echo '# Mine.' >>/etc/sluice/sluice.yaml; chmod 0600 /etc/sluice/sluice.yaml; echo x >/var/log/sluice/access.log")
    with s.fact("an upgrade leaves the operator's configuration and its mode"):
        machine.run(f"dpkg --force-confold -i /var/tmp/{package.name}", package)
        contains(machine.run("dpkg -s sluice"), "Version: 99.0")
        contains(machine.run("tail -1 /etc/sluice/sluice.yaml"), "# Mine.")
        equal(machine.facts("/etc/sluice/sluice.yaml"), ["600 root sluice"], "mode and owner")


def removed(s, machine):
    with s.fact("removed, only what is the operator's stays"):
        machine.run("dpkg -r sluice")
        found = machine.facts("/usr/bin/sluice", "/usr/lib/systemd/system/sluice.service", "/etc/sluice/sluice.yaml", "/var/log/sluice/access.log")
        equal(found[:2], ["absent", "absent"], "the binary and the unit")
        ensure("absent" not in found[2:], f"configuration and log: {found[2:]}")
    with s.fact("purged, nothing stays, its user neither"):
        machine.run("dpkg -P sluice")
        equal(
            machine.facts("/etc/sluice", "/var/log/sluice", "/var/lib/sluice", "/etc/logrotate.d/sluice"), ["absent"] * 4, "what is left")
        ensure("sluice" not in machine.run("getent passwd"), "the user is there")
        # Removed files of the machine below are character devices (0, 0) in the layer above it.
        left = [str(p.relative_to(machine.upper)) for p in machine.upper.rglob("*sluice*") if not p.is_char_device()]
        left = [p for p in left if p.startswith(("usr", "etc", "var/lib", "var/log"))]
        ensure(not left, f"left: {left}")
