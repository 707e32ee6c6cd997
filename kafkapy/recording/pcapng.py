"""A recording as a capture file (pcapng) that Wireshark opens, its Kafka dissector included.

The packets are made up from the recorded bytes: a TCP connection for each client's, with a handshake, a packet or more
for each request and answer at the time of that, and an end. The broker's port is always 9092, as Wireshark knows Kafka
by it. Frames that were too long to be kept are filled with zeros.

Format: draft-ietf-opsawg-pcapng. Packets are raw IP (LINKTYPE_RAW), so that no link layer has to be made up.
"""

from __future__ import annotations

import ipaddress
import struct
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from kafkapy.recording.exchange import SIZE_BYTES, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

KAFKA_PORT: Final = 9092
LINKTYPE_RAW: Final = 101
SEGMENT_BYTES_MAX: Final = 32 * 1024
WINDOW: Final = 0xFFFF
FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10
PORTS: Final = 65_536

SECTION_HEADER, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER: Final = 0x1A2B3C4D
END_OF_OPTIONS, COMMENT, NAME, TIME_RESOLUTION, APPLICATION = 0, 1, 2, 9, 4
NANOSECONDS: Final = bytes([9])

_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_IPV6 = struct.Struct(">IHBB16s16s")
_TCP = struct.Struct(">HHIIBBHHH")


class _Segment(NamedTuple):
    """What one side sends at a time."""

    time_ns: int
    from_client: bool
    data: bytes
    comment: str


def write_pcapng(exchanges: Iterable[Exchange], path: str | PathLike[str]) -> int:
    """Write the capture. Returns the number of its packets. Raises OSError."""
    with Path(path).open("wb") as file:
        return write_capture(exchanges, file)


def write_capture(exchanges: Iterable[Exchange], file: BinaryIO) -> int:
    """As `write_pcapng`, to an open file."""
    by_connection: dict[tuple[int, int], list[Exchange]] = {}
    for exchange in exchanges:
        by_connection.setdefault((exchange.node_id, exchange.connection), []).append(exchange)
    used: set[tuple[bytes, int, bytes]] = set()
    packets: list[tuple[int, int, bytes, str]] = []
    numbers = count()
    for each in by_connection.values():
        packets += [
            (time, next(numbers), data, comment) for time, data, comment in _Connection(each[0], used).all(each)
        ]
    file.write(_block(SECTION_HEADER, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1) + _options((APPLICATION, b"kafkapy"))))
    options = _options((NAME, b"kafkapy"), (TIME_RESOLUTION, NANOSECONDS))
    file.write(_block(INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + options))
    for time_ns, _, data, comment in sorted(packets, key=lambda packet: packet[:2]):
        head = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), len(data))
        told = _options((COMMENT, comment.encode())) if comment else b""
        file.write(_block(PACKET, head + _padded(data) + told))
    return len(packets)


class _Connection:
    """Makes the packets of one TCP connection."""

    def __init__(self, first: Exchange, used: set[tuple[bytes, int, bytes]]) -> None:
        """`used`: what tells connections apart; a node and a client of another connection may have the same."""
        self._client, self._broker = _addresses(first.peer_host, first.local_host)
        self._port = next(
            port
            for port in (*range(first.peer_port, PORTS), *range(1, first.peer_port))
            if port != KAFKA_PORT and (self._client, port, self._broker) not in used
        )
        used.add((self._client, self._port, self._broker))
        self._sent = {True: 0, False: 0}
        """Sequence numbers, of the client (True) and of the broker."""

    def all(self, exchanges: list[Exchange]) -> Iterator[tuple[int, bytes, str]]:
        """Each packet with its time, and a comment."""
        segments = sorted(_segments(exchanges), key=lambda segment: segment.time_ns)
        begin, end = segments[0].time_ns, segments[-1].time_ns
        yield begin, self._packet(True, SYN), ""
        yield begin, self._packet(False, SYN | ACK), ""
        yield begin, self._packet(True, ACK), ""
        for segment in segments:
            comment = segment.comment
            for position in range(0, len(segment.data), SEGMENT_BYTES_MAX):
                data = segment.data[position : position + SEGMENT_BYTES_MAX]
                yield segment.time_ns, self._packet(segment.from_client, PSH | ACK, data), comment
                comment = ""
        yield end, self._packet(True, FIN | ACK), ""
        yield end, self._packet(False, FIN | ACK), ""
        yield end, self._packet(True, ACK), ""

    def _packet(self, from_client: bool, flags: int, data: bytes = b"") -> bytes:
        ports = (self._port, KAFKA_PORT) if from_client else (KAFKA_PORT, self._port)
        source, target = (self._client, self._broker) if from_client else (self._broker, self._client)
        acknowledged = self._sent[not from_client] if flags & ACK else 0
        sequence = self._sent[from_client]
        self._sent[from_client] = (sequence + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        header_words = _TCP.size // 4
        tcp = _TCP.pack(*ports, sequence, acknowledged, header_words << 4, flags, WINDOW, 0, 0)
        pseudo = source + target + struct.pack(">II" if len(source) == 16 else ">HH", *_lengths(source, tcp, data))
        checksum = _checksum(pseudo + tcp + data)
        tcp = tcp[:16] + struct.pack(">H", checksum) + tcp[18:]
        return _ip(source, target, len(tcp) + len(data)) + tcp + data


TCP_PROTOCOL: Final = 6


def _lengths(source: bytes, tcp: bytes, data: bytes) -> tuple[int, int]:
    """The end of the pseudo header that is under the checksum."""
    size = len(tcp) + len(data)
    return (size, TCP_PROTOCOL) if len(source) == 16 else (TCP_PROTOCOL, size)


def _ip(source: bytes, target: bytes, size: int) -> bytes:
    if len(source) == 16:
        return _IPV6.pack(6 << 28, size, TCP_PROTOCOL, 64, source, target)
    header = _IPV4.pack(0x45, 0, _IPV4.size + size, 0, 0x4000, 64, TCP_PROTOCOL, 0, source, target)
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:]


def _checksum(data: bytes) -> int:
    """Of the internet (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    # The sum of 16-bit words modulo 65535 is the number modulo 65535; zero is written as 65535 unless all is zero.
    total = int.from_bytes(data, "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def _segments(exchanges: list[Exchange]) -> Iterator[_Segment]:
    last_ns = 0
    for exchange in exchanges:
        begun_ns = max(exchange.begun_ns, last_ns)
        yield _Segment(begun_ns, True, _on_the_wire(exchange.request_frame, exchange.request_size_bytes), str(exchange))
        last_ns = begun_ns
        if exchange.response_size_bytes:
            last_ns = max(exchange.ended_ns, begun_ns)
            answer = _on_the_wire(exchange.response_frame, exchange.response_size_bytes)
            yield _Segment(last_ns, False, answer, "")


def _on_the_wire(frame: bytes, size_bytes: int) -> bytes:
    size = size_bytes - SIZE_BYTES
    return size.to_bytes(SIZE_BYTES, "big") + frame.ljust(size, b"\0")


def _addresses(client: str, broker: str) -> tuple[bytes, bytes]:
    """Both of the same kind. A name that is no address, as of a test, becomes one of the loopback."""
    both = [_address(client), _address(broker)]
    if any(each.version == 6 for each in both):
        return tuple(_as_ipv6(each) for each in both)  # type: ignore[return-value]  # of two
    return both[0].packed, both[1].packed


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address("127.0.0.1")


def _as_ipv6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(
        struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (END_OF_OPTIONS, b""))
    )


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
