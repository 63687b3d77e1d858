"""What a scenario asks of a config: written once, turned into each balancer's words by `peers`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    kind: str = "http"  # http, tcp, udp
    logged: bool = False
    # Sluice alone: one request of a hundred is traced, and its decision kept.
    traced: bool = False
    # TLS in front: ECDSA P-256, TLS_AES_128_GCM_SHA256.
    secure: bool = False
    # hosts × paths, each a route of its own; 0: everything goes to one pool.
    hosts: int = 0
    paths: int = 0
    # Addresses of the backends; empty: 127.0.0.1 with the two ports.
    backends: tuple = ()
    pools: int = 1
    # For `reload`: a word that GET /version answers with.
    version: str = ""
    policy: str = ""
    # What clients and backends speak: h1, or h2 by prior knowledge.
    client: str = "h1"
    upstream: str = "h1"
    variant: str = ""

    def with_(self, **changes):
        return dataclasses.replace(self, **changes)

    def split(self, ports):
        """(pool's name, its backends) for each pool."""
        addresses = list(self.backends) or [f"127.0.0.1:{port}" for port in ports]
        size = len(addresses) // self.pools
        names = ["web"] + [f"web{number}" for number in range(1, self.pools)]
        return [(name, addresses[i * size:(i + 1) * size]) for i, name in enumerate(names)]

    def routes(self):
        """(host, [(path prefix, pool)]) for each host; pools are taken in turn."""
        names = ["web"] + [f"web{number}" for number in range(1, self.pools)]
        for host in range(self.hosts):
            yield f"h{host}.bench.test", [
                (f"/p{path}", names[(host * self.paths + path) % self.pools]) for path in range(self.paths)]
