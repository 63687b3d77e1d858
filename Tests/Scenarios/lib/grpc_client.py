"""A gRPC client for scenarios: python -m lib.grpc_client PORT WHAT [ARGUMENT]; prints JSON."""

import collections
import json
import os
import sys
import threading
import time

import grpc

port, what, argument = int(sys.argv[1]), sys.argv[2], (sys.argv[3] if len(sys.argv) > 3 else "")
# With CA in the environment: over TLS, to server.test.
if "CA" in os.environ:
    channel = grpc.secure_channel(
        f"127.0.0.1:{port}", grpc.ssl_channel_credentials(open(os.environ["CA"], "rb").read()),
        options=[("grpc.enable_retries", 0), ("grpc.ssl_target_name_override", "server.test")])
else:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_retries", 0)])


def outcome(call):
    try:
        return {"answer": call()}
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}


def unary():
    answer, call = channel.unary_unary("/t.T/Unary").with_call(argument.encode(), timeout=10)
    return {"answer": answer.decode(), "trailers": dict((k, v) for k, v in call.trailing_metadata())}


def large():
    message = b"x" * int(argument)
    return {"answer": len(channel.unary_unary("/t.T/Unary")(message, timeout=20))}


def many():
    names = collections.Counter()
    calls = [channel.unary_unary("/t.T/Unary").future(str(index).encode(), timeout=20) for index in range(int(argument))]
    for index, call in enumerate(calls):
        name, _, text = call.result().decode().partition(":")
        names[name] += text == str(index)
    return dict(names)


def collect():
    return {"answer": channel.stream_unary("/t.T/Collect")(iter([b"a", b"b", b"c"]), timeout=10).decode()}


def spread():
    return {"answer": len(list(channel.unary_stream("/t.T/Spread")(argument.encode(), timeout=20)))}


def chat():
    """Each message is answered before the next is sent."""
    answers, ready = [], threading.Semaphore(1)

    def messages():
        for index in range(int(argument)):
            ready.acquire()
            yield str(index).encode()

    for answer in channel.stream_stream("/t.T/Chat")(messages(), timeout=20):
        answers.append(answer.decode().partition(":")[2])
        ready.release()
    return {"answer": answers == [str(index) for index in range(int(argument))]}


def slow():
    ms, timeout = argument.split(",")
    start = time.monotonic()
    result = outcome(lambda: channel.unary_unary("/t.T/Slow")(ms.encode(), timeout=float(timeout)).decode())
    return result | {"seconds": time.monotonic() - start}


def fail():
    return outcome(lambda: channel.unary_unary("/t.T/Fail")(argument.encode(), timeout=10).decode())


def cancel():
    call = channel.unary_stream("/t.T/Wait")(b"", timeout=20)
    next(call)
    call.cancel()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        said = channel.unary_unary("/t.T/Said")(b"", timeout=5).decode()
        if said.split()[0] == "1":
            return {"answer": "seen"}
        time.sleep(0.05)
    return {"answer": said}


def said():
    return {"answer": channel.unary_unary("/t.T/Said")(b"", timeout=5).decode()}


def health():
    return outcome(lambda: channel.unary_unary("/t.T/SetHealth")(argument.encode(), timeout=5).decode())


print(json.dumps(globals()[what]()))
