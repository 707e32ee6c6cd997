"""HEALTHCHECK: exit code 0 if the Kafka node of this container answers ApiVersions, 1 with one line otherwise.

It asks every port that is listened on here, so it needs no settings. A node listens when it serves, not before. Run as
a file, without the rest of kafkapy: `python3 -I -S health.py` takes 20 ms.
"""

import socket
import struct
import sys

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
DOCKERS_RESOLVER = "0B00007F"  # 127.0.0.11 as the tables write it: Docker answers names there
ASK_SECONDS = 2.0
ANSWER_BYTES_MAX = 1 << 20
# ApiVersions v0, correlation id 7, client id "health"
QUESTION = struct.pack(">hhih6s", 18, 0, 7, 6, b"health")


def listening(tables: "tuple[str, ...]" = TABLES) -> "list[tuple[str, int]]":
    """(host, port) to connect to, of each socket that listens in this network namespace."""
    found: dict[int, str] = {}
    for table in tables:
        try:
            with open(table) as file:  # noqa: PTH123  # pathlib takes as long to import as all the rest
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state = line.split()[:4]
            address, port = local.split(":")
            if state == LISTENING and address != DOCKERS_RESOLVER:
                found.setdefault(int(port, 16), _host(address))
    return [(host, port) for port, host in found.items()]


def _host(address: str) -> str:
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    raw = b"".join(words)
    if not any(raw):
        return "127.0.0.1"  # every interface
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def serves(host: str, port: int) -> bool:
    """Whether a Kafka node answers there."""
    try:
        with socket.create_connection((host, port), timeout=ASK_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(QUESTION)) + QUESTION)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            if not 6 <= size <= ANSWER_BYTES_MAX:
                return False
            correlation_id, error = struct.unpack(">ih", _exactly(connection, size)[:6])
            return bool(correlation_id == 7 and error == 0)
    except OSError:
        return False


def _exactly(connection: socket.socket, count: int) -> bytes:
    """Raises OSError: the other end has closed, or is silent."""
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise OSError("closed")
        received += piece
    return received


def main() -> int:
    ports = listening()
    if any(serves(host, port) for host, port in ports):
        return 0
    asked = ", ".join(str(port) for _, port in ports) or "none is listened on"
    sys.stdout.write(f"no Kafka node answers here (ports: {asked})\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
