"""Heartbeats as amphorae send them."""

import hashlib
import hmac
import json
import socket
import threading
import time
import zlib


def pack(document, key, raw=False):
    body = zlib.compress(json.dumps(document).encode(), 9)
    code = hmac.new(key.encode(), body, hashlib.sha256)
    return body + (code.digest() if raw else code.hexdigest().encode())


def message(amphora, listeners=None, pools=None, seq=None):
    return {"id": amphora, "seq": seq or time.time_ns() // 1000, "listeners": listeners or {}, "pools": pools or {}, "ver": 3}


class Sender:
    """Sends for every amphora that `alive()` names, to one port after the other."""

    def __init__(self, scenario, alive, key, ports, every=0.2):
        self.alive, self.key, self.ports, self.every = alive, key, ports, every
        self.running = True
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        scenario.defer(self.stop)

    def _run(self):
        turn = 0
        while self.running:
            for amphora in self.alive():
                for port in [self.ports[turn % len(self.ports)]]:
                    self.socket.sendto(pack(message(amphora), self.key), ("127.0.0.1", port))
            turn += 1
            time.sleep(self.every)

    def stop(self):
        self.running = False
        self.thread.join(5)
        self.socket.close()
