"""A client that sends exactly these bytes, and reads HTTP/1.1 strictly."""

import os
import socket
import time

from lib.scenario import Failure


class Response:
    def __init__(self, status, reason, version, headers, interim):
        self.status, self.reason, self.version, self.headers, self.interim = status, reason, version, headers, interim
        self.body, self.trailers = b"", []

    def header(self, name):
        """The only value of a field, or None."""
        found = self.all(name)
        if len(found) > 1:
            raise Failure(f"{len(found)} fields {name}: {found}")
        return found[0] if found else None

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode(errors="replace")


class Closed(Failure):
    """The other side ended the connection where more was due."""


class Wire:
    """One connection. `to` is a port on 127.0.0.1, a (host, port), or a Unix socket's path."""

    def __init__(self, to, timeout=10, source=None, receive_buffer=None, wrap=None):
        self.buffer = b""
        if isinstance(to, (str, os.PathLike)):
            self.socket = socket.socket(socket.AF_UNIX)
            address = str(to)
        else:
            address = to if isinstance(to, tuple) else ("127.0.0.1", to)
            self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            if source:
                self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if wrap:
            self.socket = wrap(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    # MARK: reading

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed("reset") from error
        except TimeoutError as error:
            raise Failure(f"nothing came in {self.socket.gettimeout()} s; had {self.buffer[:200]!r}") from error
        if not data:
            raise Closed(f"closed; had {self.buffer[:200]!r}")
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise Failure(f"a line without CR: {line!r}")
        return line[:-1].decode("latin-1")

    def line_any(self):
        """A line that may end with a bare LF."""
        while b"\n" not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def exactly(self, count):
        parts, have = [self.buffer[:count]], min(len(self.buffer), count)
        self.buffer = self.buffer[count:]
        while have < count:
            self._more()
            part, self.buffer = self.buffer[:count - have], self.buffer[count - have:]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def fields(self):
        found = []
        while line := self.line():
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise Failure(f"a bad field line: {line!r}")
            found.append((name, value.strip()))
        return found

    def head(self):
        """The next final response's head; 1xx before it are in `interim`."""
        interim = []
        while True:
            version, _, rest = self.line().partition(" ")
            status, _, reason = rest.partition(" ")
            if version not in ("HTTP/1.1", "HTTP/1.0") or not status.isdigit():
                raise Failure(f"a bad status line: {version} {rest}")
            response = Response(int(status), reason, version, self.fields(), interim)
            if response.status >= 200 or response.status == 101:
                return response
            interim.append(response)

    def response(self, method="GET"):
        """The next response with its body, framed as RFC 9112 §6.3 says."""
        response = self.head()
        if method == "HEAD" or response.status in (204, 304, 101):
            return response
        if response.header("transfer-encoding"):
            response.body, response.trailers = self.chunked()
        elif (length := response.header("content-length")) is not None:
            response.body = self.exactly(int(length))
        else:
            response.body = self.rest()
        return response

    def chunked(self):
        parts = []
        while size := int(self.line().split(";")[0], 16):
            parts.append(self.exactly(size))
            if self.exactly(2) != b"\r\n":
                raise Failure("a chunk without its end")
        return b"".join(parts), self.fields()

    def rest(self):
        """Everything up to the end of the connection."""
        parts = [self.buffer]
        self.buffer = b""
        try:
            while data := self.socket.recv(65536):
                parts.append(data)
        except ConnectionResetError:
            pass
        return b"".join(parts)

    def ended(self, seconds=5):
        """Whether the other side ends the connection in time; what it sends before is dropped."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionError:
                return True
            except TimeoutError:
                return False
        return False

    def exchange(self, method="GET", target="/", headers=(), body=b"", version="HTTP/1.1", host="sluice.test"):
        """One request and its response. A Host is added unless it is None; a length when there is a body."""
        fields = list(headers.items() if isinstance(headers, dict) else headers)
        if host is not None:
            fields.insert(0, ("Host", host))
        if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields):
            fields.append(("Content-Length", len(body)))
        head = f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        self.send(head.encode("latin-1") + body)
        return self.response(method)


def get(to, target="/", timeout=10, source=None, **request):
    """One exchange on a connection of its own."""
    with Wire(to, timeout=timeout, source=source) as wire:
        return wire.exchange(target=target, **request)
