"""ApiVersions, and what becomes of versions and API keys that a broker does not serve."""

from __future__ import annotations

import struct

from compat_tests.differential.peer import ConnectionClosed, Peer
from compat_tests.differential.registry import scenario
from kafkapy_wire.codec import decode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest


def header(api_key: int, version: int, *, flexible: bool) -> bytes:
    """A request header with client id `x`, by hand: the codec knows no such versions."""
    return struct.pack(">hhih", api_key, version, 77, 1) + b"x" + (b"\0" if flexible else b"")


@scenario
def every_version(peer: Peer) -> None:
    peer.ask_versions(ApiVersionsRequest(client_software_name="differential", client_software_version="1.0"))


@scenario
def invalid_client_software(peer: Peer) -> None:
    for name, software in (("", "1"), ("a b", "1"), ("a", ""), ("a", "é"), ("-a", "1"), ("a.b-c", "1.0-x")):
        for version in (3, 4):
            request = ApiVersionsRequest(client_software_name=name, client_software_version=software)
            answer = peer.quietly(request, version)
            peer.note(f"ApiVersions v{version} {name!r} {software!r} error", answer.error_code)
            peer.note(f"ApiVersions v{version} {name!r} {software!r} lists APIs", len(answer.api_keys) > 0)


@scenario
def the_expected_cluster_and_node(peer: Peer) -> None:
    """A client that was led to the wrong broker hears it before anything else (KIP-1242)."""
    cluster = peer.quietly(DescribeClusterRequest())
    here, node = cluster.cluster_id, cluster.brokers[0].broker_id
    elsewhere = "AAAAAAAAAAAAAAAAAAAAAA"
    expected = {
        "neither": (None, -1),
        "right": (here, node),
        "wrong node": (here, node + 1),
        "wrong cluster": (elsewhere, node),
        "both wrong": (elsewhere, node + 1),
        "cluster alone": (here, -1),
        "wrong cluster alone": (elsewhere, -1),
        "empty cluster": ("", node),
        "empty cluster alone": ("", -1),
        "node alone": (None, node),
        "wrong node alone": (None, node + 1),
        "node 0 alone": (None, 0),
        "negative node": (here, -2),
        "negative node alone": (None, -2),
    }
    for label, (cluster_id, node_id) in expected.items():
        for software in ("differential", "a b"):
            request = ApiVersionsRequest(
                client_software_name=software, client_software_version="1.0", cluster_id=cluster_id, node_id=node_id
            )
            answer = peer.quietly(request, 5)
            peer.note(f"{label}, {software!r} error", answer.error_code)
            peer.note(f"{label}, {software!r} lists APIs", len(answer.api_keys) > 0)
            features = [answer.supported_features, answer.finalized_features]
            peer.note(f"{label}, {software!r} lists features", [bool(found) for found in features])
            peer.note(f"{label}, {software!r} epoch is known", answer.finalized_features_epoch >= 0)
    request = ApiVersionsRequest(
        client_software_name="differential", client_software_version="1.0", cluster_id=elsewhere, node_id=node
    )
    connection = peer.connect()
    peer.ask(request, label="a wrong cluster", connection=connection)
    peer.ask(DescribeClusterRequest(), label="the connection stays", connection=connection)


@scenario
def unsupported_version_is_answered_with_version_0(peer: Peer) -> None:
    for version in (6, 99, 32767, -1):
        connection = peer.connect()
        connection.post_frame(header(18, version, flexible=True) + b"\x02a\x02b\x00")
        try:
            frame = connection.receive_frame()
        except ConnectionClosed:
            peer.note(f"ApiVersions v{version}", "connection closed")
            continue
        peer.note(f"ApiVersions v{version} correlation id", struct.unpack(">i", frame[:4])[0])
        answer = decode(ApiVersionsResponse, frame[4:], 0)
        peer.note(f"ApiVersions v{version}", peer.normaliser.plain(answer, 0))


@scenario
def unknown_apis_and_versions_close_the_connection(peer: Peer) -> None:
    asked = {
        "Metadata v99": header(3, 99, flexible=True),
        "Produce v0": header(0, 0, flexible=False),
        "Produce v2": header(0, 2, flexible=False),
        "Fetch v3": header(1, 3, flexible=False),
        "InitProducerId v6, which is not released": header(22, 6, flexible=True),
        "LeaderAndIsr v0": header(4, 0, flexible=False),
        "Vote v0, the controllers' own": header(52, 0, flexible=True),
        "API key 999": header(999, 0, flexible=False),
        "API key -1": header(-1, 0, flexible=False),
    }
    for label, frame in asked.items():
        connection = peer.connect()
        connection.post_frame(frame + bytes(16))
        try:
            peer.note(label, connection.receive_frame().hex())
        except ConnectionClosed:
            peer.note(label, "connection closed")


@scenario
def malformed_frames_close_the_connection(peer: Peer) -> None:
    metadata = header(3, 1, flexible=False)
    asked = {
        "empty frame": b"",
        "half a header": metadata[:5],
        "header alone": metadata,
        "array longer than the frame": metadata + struct.pack(">i", 1_000),
        "array length -7": metadata + struct.pack(">i", -7),
        "string longer than the frame": metadata + struct.pack(">ih", 1, 30_000),
        "null topic name": metadata + struct.pack(">ih", 1, -1),
        "bytes left over": metadata + struct.pack(">i", 0) + b"left over",
        "invalid UTF-8 in a name": metadata + struct.pack(">ih", 1, 2) + b"\xc3\x28",
    }
    for label, frame in asked.items():
        connection = peer.connect()
        try:
            connection.post_frame(frame)
            peer.note(label, f"answered, {connection.receive_frame()[:4].hex()}")
        except ConnectionClosed:
            peer.note(label, "connection closed")
    for length in (-1, 104_857_601, 0x48545450):
        connection = peer.connect()
        try:
            connection.post_bytes(struct.pack(">i", length))
            peer.note(f"frame length {length}", f"answered, {connection.receive_frame()[:4].hex()}")
        except ConnectionClosed:
            peer.note(f"frame length {length}", "connection closed")
