"""A TLS client for what Python's has no words for: keys updated, records of one byte, half of an end. libssl by ctypes."""

import contextlib
import ctypes
import select
import socket
import time

CRYPTO = ctypes.CDLL("libcrypto.so.3")
SSL = ctypes.CDLL("libssl.so.3")
for name, result, arguments in (
    ("TLS_client_method", ctypes.c_void_p, []), ("SSL_CTX_new", ctypes.c_void_p, [ctypes.c_void_p]),
    ("SSL_CTX_free", None, [ctypes.c_void_p]), ("SSL_new", ctypes.c_void_p, [ctypes.c_void_p]), ("SSL_free", None, [ctypes.c_void_p]),
    ("SSL_ctrl", ctypes.c_long, [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]),
    ("SSL_set_bio", None, [ctypes.c_void_p] * 3), ("SSL_connect", ctypes.c_int, [ctypes.c_void_p]),
    ("SSL_do_handshake", ctypes.c_int, [ctypes.c_void_p]), ("SSL_renegotiate", ctypes.c_int, [ctypes.c_void_p]),
    ("SSL_key_update", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int]), ("SSL_shutdown", ctypes.c_int, [ctypes.c_void_p]),
    ("SSL_write", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]),
    ("SSL_read", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]),
    ("SSL_get_error", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int]),
    ("SSL_set_options", ctypes.c_uint64, [ctypes.c_void_p, ctypes.c_uint64]),
    ("SSL_set_alpn_protos", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint]),
):
    function = getattr(SSL, name)
    function.restype, function.argtypes = result, arguments
CRYPTO.BIO_s_mem.restype = CRYPTO.BIO_new.restype = ctypes.c_void_p
CRYPTO.BIO_new.argtypes = [ctypes.c_void_p]
CRYPTO.BIO_write.argtypes = CRYPTO.BIO_read.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]

SET_HOST_NAME, SET_MAXIMUM, TLS_1_2 = 55, 124, 0x303


class Ended(Exception):
    """The connection is over; `clean`: TLS had told so."""

    def __init__(self, clean):
        super().__init__("clean" if clean else "torn")
        self.clean = clean


class OddTLS:
    """One connection. What it sends is collected: `push` puts it on the wire, as it is or in pieces."""

    def __init__(self, port, name=None, version=None, alpn=None, receive_buffer=None, change=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(8)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.context = SSL.SSL_CTX_new(SSL.TLS_client_method())
        self.session = SSL.SSL_new(self.context)
        if version == "1.2":
            SSL.SSL_ctrl(self.session, SET_MAXIMUM, TLS_1_2, None)
        if name:
            SSL.SSL_ctrl(self.session, SET_HOST_NAME, 0, name.encode())
        if alpn:
            SSL.SSL_set_alpn_protos(self.session, alpn, len(alpn))
        self.incoming, self.outgoing = CRYPTO.BIO_new(CRYPTO.BIO_s_mem()), CRYPTO.BIO_new(CRYPTO.BIO_s_mem())
        SSL.SSL_set_bio(self.session, self.incoming, self.outgoing)
        self.at_end = False
        self.handshake(change)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            self.socket.close()
            SSL.SSL_free(self.session)
            SSL.SSL_CTX_free(self.context)
            self.session = None

    def handshake(self, change=None):
        """`change`: what becomes of the ClientHello's bytes."""
        while (result := SSL.SSL_connect(self.session)) != 1:
            if SSL.SSL_get_error(self.session, result) != 2:
                raise Ended(False)
            first = self.taken()
            self.socket.sendall(change(first) if change and first else first)
            change = None
            self.fill()
            if self.at_end:
                raise Ended(False)
        self.push()

    def taken(self):
        """What the session has made for the wire."""
        found, buffer = b"", ctypes.create_string_buffer(1 << 16)
        while (count := CRYPTO.BIO_read(self.outgoing, buffer, len(buffer))) > 0:
            found += buffer.raw[:count]
        return found

    def push(self, seconds=None):
        """Sends what was made. With `seconds`: what the socket takes in that time; whether that was all."""
        data = self.taken()
        if seconds is None:
            self.socket.sendall(data)
            return True
        deadline = time.monotonic() + seconds
        while data and (left := deadline - time.monotonic()) > 0:
            if select.select([], [self.socket], [], left)[1]:
                data = data[self.socket.send(data):]
        return not data

    def fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.at_end = not data
        CRYPTO.BIO_write(self.incoming, data, len(data))

    def write(self, data):
        SSL.SSL_write(self.session, data, len(data))

    def update_keys(self, asks=True):
        SSL.SSL_key_update(self.session, 1 if asks else 0)
        SSL.SSL_do_handshake(self.session)

    def end(self):
        """close_notify."""
        SSL.SSL_shutdown(self.session)

    def read(self):
        """Some bytes; at the end `Ended`."""
        buffer = ctypes.create_string_buffer(1 << 16)
        while (count := SSL.SSL_read(self.session, buffer, len(buffer))) <= 0:
            why = SSL.SSL_get_error(self.session, count)
            if why != 2 or self.at_end:
                raise Ended(why == 6)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                self.push()
            self.fill()
        return buffer.raw[:count]

    def all(self):
        """(bytes, whether TLS has told of the end)."""
        data = b""
        try:
            while True:
                data += self.read()
        except Ended as ended:
            return data, ended.clean
