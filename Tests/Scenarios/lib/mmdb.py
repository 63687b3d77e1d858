"""Writes MaxMind databases (format 2.0, IPv6 tree, 32-bit records), as small as a test needs them.

    write(path, {"192.0.2.0/24": {"country": {"iso_code": "DE"}}, …})
"""

import ipaddress
import struct

UINT16, UINT32, UINT64 = 5, 6, 9
MARK = b"\xab\xcd\xefMaxMind.com"


def _sized(kind, size):
    """The control bytes: types above 7 are extended."""
    first = kind << 5 if kind <= 7 else 0
    extension = b"" if kind <= 7 else bytes([kind - 7])
    if size < 29:
        return bytes([first | size]) + extension
    if size < 285:
        return bytes([first | 29]) + extension + bytes([size - 29])
    return bytes([first | 30]) + extension + struct.pack("!H", size - 285)


def encode(value):
    if isinstance(value, dict):
        return _sized(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, list):
        return _sized(11, len(value)) + b"".join(map(encode, value))
    if isinstance(value, str):
        return _sized(2, len(value.encode())) + value.encode()
    # (type, number) where the type matters.
    if isinstance(value, float):
        return _sized(3, 8) + struct.pack("!d", value)
    kind, number = value if isinstance(value, tuple) else (UINT32, value)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _sized(kind, len(data)) + data


def write(path, networks):
    data, nodes = b"", [[None, None]]
    # Long prefixes last, so that they go below the short ones.
    for text, value in sorted(networks.items(), key=lambda item: ipaddress.ip_network(item[0]).prefixlen):
        network = ipaddress.ip_network(text)
        bits = int(network.network_address) if network.version == 6 else int(network.network_address)
        length = network.prefixlen + (0 if network.version == 6 else 96)
        place, node = ("data", len(data)), 0
        data += encode(value)
        for depth in range(length):
            bit = bits >> (127 - depth) & 1
            if depth == length - 1:
                nodes[node][bit] = place
            else:
                below = nodes[node][bit]
                if not isinstance(below, int):
                    # What was said of the whole is said of both halves.
                    nodes.append([below, below])
                    nodes[node][bit] = len(nodes) - 1
                node = nodes[node][bit]

    def record(entry):
        if entry is None:
            return len(nodes)
        return entry if isinstance(entry, int) else len(nodes) + 16 + entry[1]

    tree = b"".join(struct.pack("!II", record(left), record(right)) for left, right in nodes)
    metadata = encode({
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1_700_000_000), "database_type": "Test", "description": {"en": "test"},
        "ip_version": (UINT16, 6), "languages": ["en"], "node_count": len(nodes), "record_size": (UINT16, 32)})
    path.write_bytes(tree + bytes(16) + data + MARK + metadata)
