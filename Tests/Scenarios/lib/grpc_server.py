"""A gRPC server: python -m lib.grpc_server PORT NAME. Messages are bytes; every answer begins with the server's name.

/t.T/Unary, /Collect (client streams), /Spread (server streams), /Chat (both), /Slow (waits for ms), /Fail (with this code),
/Wait (until the client cancels), /Said (how many waits were cancelled), /SetHealth.
"""

import os
import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

port, name = int(sys.argv[1]), sys.argv[2].encode()
checks = health.HealthServicer()
checks.set("", health_pb2.HealthCheckResponse.SERVING)
checks.set("t.T", health_pb2.HealthCheckResponse.SERVING)
cancelled = [0]
calls = [0]


def unary(message, context):
    calls[0] += 1
    context.set_trailing_metadata((("x-sum", str(len(message))),))
    return name + b":" + message


def collect(messages, context):
    return name + b":" + b",".join(messages)


def spread(message, context):
    for index in range(int(message)):
        yield name + b":" + str(index).encode()


def chat(messages, context):
    for message in messages:
        yield name + b":" + message


def slow(message, context):
    time.sleep(int(message) / 1000)
    return name


def fail(message, context):
    calls[0] += 1
    context.abort(next(code for code in grpc.StatusCode if code.value[0] == int(message)), "as asked by " + name.decode())


def wait(message, context):
    over = threading.Event()

    # Nobody comes back for what stands behind a yield, when the call is cancelled meanwhile.
    def ended():
        cancelled[0] += 1
        over.set()

    if not context.add_callback(ended):
        ended()
    yield b"waiting"
    over.wait(20)


def said(message, context):
    return f"{cancelled[0]} {calls[0]}".encode()


def set_health(message, context):
    checks.set("t.T", health_pb2.HealthCheckResponse.ServingStatus.Value(message.decode()))
    return b""


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary), "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Spread": grpc.unary_stream_rpc_method_handler(spread), "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Slow": grpc.unary_unary_rpc_method_handler(slow), "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Wait": grpc.unary_stream_rpc_method_handler(wait), "Said": grpc.unary_unary_rpc_method_handler(said),
    "SetHealth": grpc.unary_unary_rpc_method_handler(set_health),
}
server = grpc.server(futures.ThreadPoolExecutor(64))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", handlers),))
health_pb2_grpc.add_HealthServicer_to_server(checks, server)
if "CERTIFICATE" in os.environ:
    pair = (open(os.environ["KEY"], "rb").read(), open(os.environ["CERTIFICATE"], "rb").read())
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair]))
else:
    server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
print("ready", flush=True)
server.wait_for_termination()
