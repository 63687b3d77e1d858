"""The balancers: how each is found, configured, started and told to reload."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

from lib import machine, names
from lib.processes import answers, connects, wait_until
from lib.settings import BINARY, CONFIGS, OUT, ROOT, Trouble

VENV = OUT / "venv"


def fill(template, **words):
    text = (CONFIGS / template).read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    left = re.search(r"@[A-Z0-9]+@", text)
    if left:
        raise Trouble(f"{template}: nothing for {left[0]}")
    return text


def collector(ports):
    """The port of whoever takes spans: behind those of the backends."""
    return ports[0] + 6


class Peer:
    """One balancer. `kinds`: what it can carry; `policies`: its words for balancing policies."""

    name, suffix, kinds, reloads, checks = "", "conf", ("http", "tcp"), True, True

    def binary(self):
        return shutil.which(self.name) or f"/usr/sbin/{self.name}"

    def require(self):
        machine.need(self.binary(), "Benchmarks/run --install brings it")

    def version(self):
        return "unknown"

    def write(self, shape, folder, port, ports, note=None):
        """The config file of this shape."""
        words = {"PORT": port, "B1": ports[0], "B2": ports[1], "OUT": folder, "TLS": ""}
        if shape.kind == "http":
            words.update(self.words(shape, folder, ports))
            words["SCHEME"] = "https" if shape.secure else "http"
            words["TLS"] = self.encryption(shape, *certificate()) if shape.secure else self.in_clear(shape)
        elif self.name == "haproxy":
            words.update(self.tuning(shape))
        path = folder / f"{self.name}.{self.suffix}"
        path.write_text(fill(f"{self.name}/{shape.kind}.{self.suffix}", **words))
        return path

    def start(self, processes, shape, port, ports, what, wait=True):
        config = self.write(shape, processes.folder, port, ports)
        command, environment = self.command(config)
        popen = processes.start(self.name, command, machine.PROXY_CORE, environment)
        if wait:
            plain = shape.client == "h1" and not shape.secure
            ready = {"http": answers if plain else connects, "tcp": connects, "udp": lambda _: self.udp_ready(popen)}[shape.kind]
            wait_until(lambda: ready(port), popen, 90, what)
        return popen

    def in_clear(self, shape):
        """The same place in the config, without TLS."""
        return ""

    def encryption(self, shape, chain, key, bundle):
        """The words that put TLS in front."""
        raise Trouble(f"{self.name} has no TLS in these benchmarks")

    def udp_ready(self, popen):
        """Something is bound to a datagram port in the process tree's sight."""
        return "serving" in popen.log.read_text(errors="replace") if self.name == "sluice" else udp_bound(popen)

    def command(self, config):
        raise NotImplementedError


def certificate():
    """(certificate, key, both in one): ECDSA P-256, self-signed, made once."""
    folder = OUT / "tls"
    chain, key, bundle = folder / "web.pem", folder / "web.key", folder / "bundle.pem"
    if not bundle.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", chain,
             "-days", "365", "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:*.bench.test"], check=True, capture_output=True)
        bundle.write_text(chain.read_text() + key.read_text())
    return chain, key, bundle


def udp_bound(popen):
    inodes = set()
    for pid in machine.tree(popen.pid):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1])
        except OSError:
            continue
    return any(line.split()[9] in inodes for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:])


class Sluice(Peer):
    name, suffix, kinds = "sluice", "yaml", ("http", "tcp", "udp")

    def binary(self):
        return str(BINARY)

    def require(self):
        machine.need(self.binary(), "make build makes it")

    def version(self):
        commit = machine.output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
        return f"{machine.output([self.binary(), 'version'])} ({commit})"

    def command(self, config):
        return [self.binary(), "run", config], {}

    def encryption(self, shape, chain, key, bundle):
        return f"    tls: {{ certificate: {chain}, key: {key} }}"

    def words(self, shape, folder, ports):
        routes = []
        if shape.version:
            routes.append(f'{{ match: {{ path: {{ exact: /version }} }}, respond: {{ status: 200, body: "{shape.version}" }} }}')
        for host, paths in shape.routes():
            routes += [f"{{ match: {{ host: {host}, path: {path} }}, pool: {pool} }}" for path, pool in paths]
        routes.append("{ pool: web }")
        pools = []
        for name, backends in shape.split(ports):
            if shape.upstream == "h2":
                pools += [f"  {name}:", "    protocol: h2", "    probe: { tcp: {}, every: 2s, initial: up }"]
            else:
                pools += [f"  {name}:", "    probe: { http: { path: / }, every: 2s, initial: up }"]
            if shape.policy:
                pools.append(f"    balance: {shape.policy}")
            pools.append("    backends:")
            pools += [f'      - "{backend}"' for backend in backends]
        return {
            "LOG": folder / "sluice.access.log" if shape.logged else "off",
            "TRACING": f'tracing: {{ sample: 1%, otlp: "http://127.0.0.1:{collector(ports)}/v1/traces" }}' if shape.traced else "",
            "ROUTES": "\n".join(f"      - {route}" for route in routes), "POOLS": "\n".join(pools),
        }

    def reload(self, popen, folder):
        done = subprocess.run([self.binary(), "reload", "--socket", folder / "sluice.sock"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(f"sluice reload: {done.stderr.strip()[-300:]}")


class HAProxy(Peer):
    name, suffix = "haproxy", "cfg"

    def version(self):
        return machine.output([self.binary(), "-v"]).split(" - ")[0]

    def command(self, config):
        return [self.binary(), "-W", "-f", config], {}

    def tuning(self, shape):
        splice = "  option splice-response\n  option splice-request\n" if shape.variant == "splice" else ""
        tune = {"splice": "  tune.pipesize 524288\n", "large": "  tune.bufsize 65536\n"}.get(shape.variant, "")
        return {"TUNE": tune, "LOG": splice}

    def in_clear(self, shape):
        deferred = " defer-accept" if shape.variant == "deferred" else ""
        return deferred + (" proto h2" if shape.client == "h2" else "")

    def encryption(self, shape, chain, key, bundle):
        alpn = "h2,http/1.1" if shape.client == "h2" else "http/1.1"
        return f" ssl crt {bundle} ciphersuites TLS_AES_128_GCM_SHA256 ciphers ECDHE-ECDSA-AES128-GCM-SHA256 alpn {alpn}"

    def words(self, shape, folder, ports):
        words = self.tuning(shape)
        if shape.logged:
            # HAProxy writes no files: its standard output is one, which is cheaper for it than a syslog server.
            words["TUNE"] += "  log stdout format raw local0\n"
            words["LOG"] += "  log global\n  option httplog\n"
        routes = []
        if shape.version:
            routes.append(f'  http-request return status 200 content-type text/plain string "{shape.version}" if {{ path /version }}')
        if shape.hosts:
            # A map is what its manual advises for many hosts; prefixes are looked up in a tree.
            table = folder / "haproxy.map"
            table.write_text("".join(f"{host}{path}/ {pool}\n" for host, paths in shape.routes() for path, pool in paths))
            routes.append(f"  use_backend %[base,lower,map_beg({table},web)]")
        pools = []
        policy = shape.policy or "roundrobin"
        for name, backends in shape.split(ports):
            check, proto = ("", " proto h2") if shape.upstream == "h2" else ("  option httpchk GET /", "")
            pools += [f"backend {name}", f"  balance {policy}", check]
            pools += [f"  server s{i} {address} check inter 2s{proto}" for i, address in enumerate(backends)]
        return {**words, "ROUTES": "\n".join(routes), "POOLS": "\n".join(pools)}

    def reload(self, popen, folder):
        # The master takes the new config and hands the sockets over.
        os.kill(popen.pid, signal.SIGUSR2)


class Nginx(Peer):
    name, kinds, checks = "nginx", ("http", "tcp", "udp"), False

    def encryption(self, shape, chain, key, bundle):
        return (
            f"  ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;\n"
            "  ssl_prefer_server_ciphers on; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;")

    def version(self):
        return machine.output([self.binary(), "-v"]).replace("nginx version: ", "")

    def command(self, config):
        return [self.binary(), "-c", config, "-p", config.parent], {}

    def words(self, shape, folder, ports):
        pools = []
        for name, backends in shape.split(ports):
            pools.append(f"  upstream {name} {{")
            if shape.policy:
                pools.append(f"    {shape.policy};")
            if len(backends) > 100:
                pools.append("    zone z_%s 4m;" % name)
            pools += [f"    server {address};" for address in backends]
            pools.append("    keepalive 256; keepalive_requests 1000000000; keepalive_timeout 60s;\n  }")
        how = (" ssl" if shape.secure else "") + (" http2" if shape.client == "h2" else "")
        deferred = " deferred" if shape.variant == "deferred" else ""
        # nginx speaks HTTP/2 to servers as gRPC alone.
        to = "grpc_pass grpc" if shape.upstream == "h2" else "proxy_pass http"
        version = f"location = /version {{ return 200 {shape.version}; }} " if shape.version else ""
        servers = [f"  server {{ listen 127.0.0.1:@@ default_server reuseport backlog=4096{deferred}{how}; {version}location / {{ {to}://web; }} }}"]
        for host, paths in shape.routes():
            places = " ".join(f"location {path}/ {{ proxy_pass http://{pool}; }}" for path, pool in paths)
            servers.append(f"  server {{ listen 127.0.0.1:@@; server_name {host}; {version}{places} location / {{ proxy_pass http://web; }} }}")
        log = f"{folder}/nginx.access.log combined buffer=64k flush=1s" if shape.logged else "off"
        return {"LOG": log, "POOLS": "\n".join(pools), "ROUTES": "\n".join(servers)}

    def write(self, shape, folder, port, ports, note=None):
        path = super().write(shape, folder, port, ports)
        path.write_text(path.read_text().replace("@@", str(port)))
        return path

    def reload(self, popen, folder):
        os.kill(popen.pid, signal.SIGHUP)


class Envoy(Peer):
    name, suffix, kinds, reloads = "envoy", "yaml", ("http", "tcp", "udp"), False

    def binary(self):
        found = sorted(VENV.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
        return str(found[0]) if found else str(VENV / "envoy")

    def version(self):
        return machine.output([self.binary(), "--version"], "version").split("version: ")[-1].split("/")[1:2][0]

    def command(self, config):
        return [self.binary(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"], {}

    def words(self, shape, folder, ports):
        hosts = []
        for host, paths in shape.routes():
            routes = ", ".join(f'{{ match: {{ path_separated_prefix: "{path}" }}, route: {{ cluster: {pool} }} }}' for path, pool in paths)
            hosts.append(f'            - {{ name: {host}, domains: ["{host}"], routes: [{routes}] }}')
        hosts.append('            - { name: rest, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: web } }] }')
        pools = []
        for name, backends in shape.split(ports):
            pools += [
                f"  - name: {name}", "    type: STATIC", "    connect_timeout: 5s", f"    lb_policy: {shape.policy or 'ROUND_ROBIN'}",
                "    circuit_breakers: { thresholds: [{ max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }] }",
                "    health_checks: [{ timeout: 1s, interval: 2s, unhealthy_threshold: 3, healthy_threshold: 2, no_traffic_interval: 2s, "
                "http_health_check: { path: / } }]",
                "    load_assignment:", f"      cluster_name: {name}", "      endpoints:", "      - lb_endpoints:"]
            for address in backends:
                ip, port = address.split(":")
                pools.append(f"        - endpoint: {{ address: {{ socket_address: {{ address: {ip}, port_value: {port} }} }} }}")
        log = ""
        if shape.logged:
            log = (
                "          access_log:\n          - name: envoy.access_loggers.file\n            typed_config:\n"
                '              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n'
                f"              path: {folder}/envoy.access.log")
        return {"LOG": log, "ROUTES": "\n".join(hosts), "POOLS": "\n".join(pools)}


class Caddy(Peer):
    name, suffix, kinds = "caddy", "caddyfile", ("http",)

    def binary(self):
        return str(VENV / "bin/caddy")

    def version(self):
        return machine.output([self.binary(), "version"]).split()[0]

    def command(self, config):
        home = str(config.parent)
        return [self.binary(), "run", "--config", config, "--adapter", "caddyfile"], {
            "GOMAXPROCS": "1", "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}

    def words(self, shape, folder, ports):
        # A route names its pool in a variable, so that each pool is there once: a reverse_proxy has its own checks and connections.
        routes = ["\troute {"]
        if shape.version:
            routes.append(f'\trespond /version "{shape.version}"')
        for host, paths in shape.routes():
            number = host.split(".")[0]
            handles = "\n".join(f"\t\t\thandle {path}/* {{\n\t\t\t\tvars pool {pool}\n\t\t\t}}" for path, pool in paths)
            routes.append(f"\t\t@{number} host {host}\n\t\thandle @{number} {{\n{handles}\n\t\t}}")
        pools = shape.split(ports)
        for name, backends in pools[1:] + pools[:1]:
            matcher = f"@{name} " if name != "web" else ""
            if matcher:
                routes.append(f"\t\t@{name} vars {{vars.pool}} {name}")
            routes.append(
                f"\t\treverse_proxy {matcher}{' '.join(backends)} {{\n\t\t\tlb_policy {shape.policy or 'round_robin'}\n"
                "\t\t\tlb_retries 2\n\t\t\thealth_uri /\n\t\t\thealth_interval 2s\n"
                "\t\t\ttransport http {\n\t\t\t\tkeepalive_idle_conns_per_host 256\n\t\t\t}\n\t\t}")
        routes.append("\t}")
        log = f"\tlog {{\n\t\toutput file {folder}/caddy.access.log\n\t\tlevel INFO\n\t}}" if shape.logged else ""
        return {"ADMIN": f"unix/{folder}/caddy.sock", "LOG": log, "ROUTES": "\n".join(routes)}

    def reload(self, popen, folder):
        done = subprocess.run(
            [self.binary(), "reload", "--config", folder / "caddy.caddyfile", "--adapter", "caddyfile",
             "--address", f"unix/{folder}/caddy.sock"], capture_output=True, text=True, env={**os.environ, "HOME": str(folder)})
        if done.returncode != 0:
            raise Trouble(f"caddy reload: {done.stderr.strip()[-300:]}")


ALL = {peer.name: peer for peer in (Sluice(), HAProxy(), Nginx(), Envoy(), Caddy())} | names.ALL
