"""How connections begin: ApiVersions late, twice, malformed; SASL where there is none; many requests in one packet."""

from __future__ import annotations

import struct

from compat_tests.differential.peer import Connection, ConnectionClosed, Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.api_versions import header
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.metadata import MetadataRequest

VERSIONS = ApiVersionsRequest(client_software_name="handshakes", client_software_version="1.0")


def heard(peer: Peer, connection: Connection, label: str) -> None:
    """Write down how the next answer begins: the correlation id and the error code."""
    connection.be_patient(5)
    try:
        frame = connection.receive_frame()
    except ConnectionClosed:
        peer.note(label, "connection closed")
    except TimeoutError:
        peer.note(label, "no answer")
    else:
        peer.note(label, frame[:6].hex())


@scenario
def api_versions_at_odd_times(peer: Peer) -> None:
    connection = peer.connect()
    for version in (5, 0, 3, 5, 4):
        answer = connection.receive(18, version, connection.post(VERSIONS, version))  # type: ignore[arg-type]
        peer.note(f"v{version}", [answer.error_code, len(answer.api_keys) > 0])  # type: ignore[attr-defined]
    for label, body in {
        "no body": b"",
        "half a name": b"\x0bhand",
        "null names": b"\x00\x00\x00\x00\xff\xff\xff\xff\x00",
        "null cluster": b"\x02a\x02b\x00\xff\xff\xff\xff\x00",
        "no tags": b"\x02a\x02b\x00\xff\xff\xff\xff",
        "bytes left over": b"\x02a\x02b\x00\xff\xff\xff\xff\x00more",
        "an unknown tag": b"\x02a\x02b\x00\xff\xff\xff\xff\x01\x07\x01x",
        "a tag twice": b"\x02a\x02b\x00\xff\xff\xff\xff\x02\x07\x01x\x07\x01y",
        "tags in no order": b"\x02a\x02b\x00\xff\xff\xff\xff\x02\x07\x01x\x03\x01y",
        "a long cluster id": b"\x02a\x02b\xad\x02" + b"c" * 300 + b"\x00\x00\x00\x01\x00",
        "a long name": b"\xad\x02" + b"a" * 300 + b"\x02b\x00\xff\xff\xff\xff\x00",
        "body of version 4": b"\x02a\x02b\x00",
    }.items():
        one = peer.connect()
        one.post_frame(header(18, 5, flexible=True) + body)
        heard(peer, one, label)
        try:
            one.post(DescribeClusterRequest(), 2)
        except ConnectionClosed:
            peer.note(f"{label}, afterwards", "connection closed")
        else:
            heard(peer, one, f"{label}, afterwards")


@scenario
def versions_to_come(peer: Peer) -> None:
    """A version of ApiVersions that is not there yet is answered, and the connection goes on."""
    for version in (6, 7, 32767, -1, -32768):
        for body in (b"", b"\x02a\x02b\x00\xff\xff\xff\xff\x00", b"\xff" * 40):
            connection = peer.connect()
            connection.post_frame(header(18, version, flexible=True) + body)
            heard(peer, connection, f"v{version}, {len(body)} bytes")
            connection.post_frame(header(18, version, flexible=True) + body)
            heard(peer, connection, f"v{version}, {len(body)} bytes, again")
            try:
                connection.post(VERSIONS, 5)
            except ConnectionClosed:
                peer.note(f"v{version}, {len(body)} bytes, then v5", "connection closed")
            else:
                heard(peer, connection, f"v{version}, {len(body)} bytes, then v5")


@scenario
def sasl_where_there_is_none(peer: Peer) -> None:
    plain = struct.pack(">h", 5) + b"PLAIN"
    token = b"\x00user\x00secret"
    for label, frames in {
        "handshake v1 first": [header(17, 1, flexible=False) + plain],
        "handshake v0 first": [header(17, 0, flexible=False) + plain],
        "handshake v9 first": [header(17, 9, flexible=False) + plain],
        "authenticate first": [header(36, 0, flexible=False) + struct.pack(">i", len(token)) + token],
        "a bare token": [token],
        "ApiVersions, then handshake": [header(18, 0, flexible=False), header(17, 1, flexible=False) + plain],
        "ApiVersions, then authenticate": [
            header(18, 0, flexible=False),
            header(36, 2, flexible=True) + bytes([len(token) + 1]) + token + b"\x00",
        ],
    }.items():
        connection = peer.connect()
        for number, frame in enumerate(frames):
            try:
                connection.post_frame(frame)
            except ConnectionClosed:
                peer.note(f"{label} {number}", "connection closed")
                break
            heard(peer, connection, f"{label} {number}")


@scenario
def requests_in_one_packet(peer: Peer) -> None:
    """They are answered in their order; what cannot be read ends the connection after the answers before it."""
    frames = [
        header(18, 5, flexible=True) + b"\x02a\x02b\x00\xff\xff\xff\xff\x00",
        header(18, 0, flexible=False),
        header(3, 1, flexible=False) + struct.pack(">i", 0),
        header(18, 99, flexible=True),
    ]
    packet = b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)
    connection = peer.connect()
    connection.post_bytes(packet)
    for number in range(len(frames)):
        heard(peer, connection, f"answer {number}")
    connection = peer.connect()
    for position in range(len(packet)):
        connection.post_bytes(packet[position : position + 1])
    for number in range(len(frames)):
        heard(peer, connection, f"byte by byte, answer {number}")
    peer.ask(MetadataRequest(topics=[]), 1, "another connection")
