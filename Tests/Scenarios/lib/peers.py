"""Peers as processes and threads: nginx, HAProxy, UDP echo, WebSocket echo, paced servers."""

import signal
import socket
import threading

from lib.scenario import accepts, wait


def nginx(scenario, name, servers, wait_port=None):
    """nginx with these `server { … }` blocks; one process, so that a kill -9 is one."""
    base = scenario.path(name)
    base.mkdir(exist_ok=True)
    config = base / "nginx.conf"
    temporary = "".join(
        f"  {kind}_temp_path {base}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(scenario.fill(
        f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log warn;\n"
        "worker_rlimit_nofile 8192;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\n  access_log off;\n  keepalive_requests 10000000;\n{temporary}{servers}\n}}\n"
    ))
    process = scenario.start(name, ["nginx", "-c", config, "-p", base, "-e", base / "error.log"], stop_signal=signal.SIGTERM)
    if wait_port:
        wait(lambda: accepts(wait_port), f"{name} accepts on {wait_port}")
    return process


def named_nginx(scenario, name, port_name=None):
    """An nginx that answers everything with its name, fast."""
    port = scenario.port(port_name or name)
    return nginx(
        scenario, name,
        f'  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ default_type text/plain; return 200 "{name}\\n"; }} }}',
        wait_port=port,
    )


def haproxy(scenario, name, sections, wait_ports=()):
    config = scenario.path(f"{name}.cfg")
    config.write_text(scenario.fill(
        "global\n  maxconn 1000\ndefaults\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n" + sections + "\n"
    ))
    process = scenario.start(name, ["haproxy", "-db", "-f", config])
    for port in wait_ports:
        wait(lambda: accepts(port), f"{name} accepts on {port}")
    return process


def websocket_echo(scenario, name):
    """Echoes each message with the server's name before it; Python's `websockets`."""
    port = scenario.port(name)
    process = scenario.start(name, ["/usr/bin/python3", "-m", "lib.websocket_echo", port, name])
    wait(lambda: accepts(port), f"{name} accepts on {port}")
    return process


class UDPEcho:
    """Answers each datagram with its name, a colon, and the datagram; `replies` times."""

    def __init__(self, scenario, name, host="127.0.0.1", replies=1):
        self.name, self.port, self.replies = name, scenario.port(name), replies
        self.seen = []
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, self.port))
        self.socket.settimeout(0.1)
        self.running = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        scenario.defer(self.stop)

    def _serve(self):
        while self.running:
            try:
                data, peer = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                continue
            self.seen.append((peer, data))
            for _ in range(self.replies):
                self.socket.sendto(self.name.encode() + b":" + data, peer)

    def push(self, data, peer):
        """A datagram that nobody asked for."""
        self.socket.sendto(data, peer)

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()
