"""Asks an address each 10 ms by ICMP echo: python3 -m lib.pinger ADDRESS; a line "SENT ANSWERED NUMBER" per answer, the
times monotonic, the number counting what was sent.

Runs until it gets SIGTERM or SIGINT. Needs CAP_NET_RAW; for scenarios, in a network namespace of theirs.
"""

import os
import select
import signal
import socket
import struct
import sys
import time

EVERY = 0.01


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def main():
    address = sys.argv[1]
    six = ":" in address
    wire = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    wire.setblocking(False)
    mark = os.getpid() & 0xffff
    sent, number = {}, 0
    due = time.monotonic()
    running = True

    def end(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print("ready", flush=True)
    out = []
    while running:
        now = time.monotonic()
        if now >= due:
            number = (number + 1) & 0xffff
            head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, mark, number)
            body = head + b"sluicepinger" * 2
            if not six:
                body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
            try:
                wire.sendto(body, (address, 0))
                sent[number] = now
            except OSError:
                pass  # nobody there yet
            due = max(due + EVERY, now)
        select.select([wire], [], [], max(0, due - time.monotonic()))
        while True:
            try:
                data = wire.recv(2048)
            except (BlockingIOError, InterruptedError):
                break
            message = data if six else data[(data[0] & 15) * 4:]
            if len(message) < 8 or message[0] != (129 if six else 0):
                continue
            who, which = struct.unpack("!HH", message[4:8])
            if who == mark and which in sent:
                out.append((sent.pop(which), time.monotonic(), which))
    sys.stdout.write("".join(f"{a:.6f} {b:.6f} {number}\n" for a, b, number in out))
    sys.stdout.flush()


main()
