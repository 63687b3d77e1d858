"""A service of one version: server.py PORT NAME VERSION [broken]"""

import http.server
import sys
import time

PORT, NAME, VERSION = int(sys.argv[1]), sys.argv[2], sys.argv[3]
BROKEN = "broken" in sys.argv


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = VERSION.encode() if self.path == "/version" else f"{NAME} {VERSION}".encode()
        if self.path == "/":
            time.sleep(0.005)
        self.send_response(500 if BROKEN and self.path == "/healthz" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
