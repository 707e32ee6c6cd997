"""HEALTHCHECK: exit code 0 if the Kafka node of this container answers ApiVersions, 1 with one line otherwise.

It asks every port that is listened on here. A node listens when it serves, not before. Ports with TLS, by the
variables of the container, come last and are only greeted: a TLS handshake that the client gives up leaves no line in
the log, as a request without TLS would. Run as a file, without the rest of kafkapy: `python3 -I -S health.py` takes
20 ms.
"""

import os
import socket
import struct
import sys

TYPE_CHECKING = False  # that of typing takes as long to import as all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
DOCKERS_RESOLVER = "0B00007F"  # 127.0.0.11 as the tables write it: Docker answers names there
ASK_SECONDS = 2.0
ANSWER_BYTES_MAX = 1 << 20
TLS_HANDSHAKE = b"\x16"  # the type of the first record
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


def serves_tls(host: str, port: int) -> bool:
    """Whether somebody answers a TLS handshake there."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    greeting = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), greeting)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = greeting.read()
    try:
        with socket.create_connection((host, port), timeout=ASK_SECONDS) as connection:
            connection.sendall(hello)
            return _exactly(connection, 1) == TLS_HANDSHAKE
    except OSError:
        return False


def listeners(environ: "Mapping[str, str]" = os.environ) -> "dict[str, tuple[int, str]]":
    """Those that variables give: name to (port, security protocol)."""
    protocols = {}
    for entry in variable(environ, "LISTENER_SECURITY_PROTOCOL_MAP").split(","):
        name, _, protocol = entry.partition(":")
        protocols[name.strip().upper()] = protocol.strip().upper()
    found = {}
    for listener in (variable(environ, "LISTENERS") or variable(environ, "ADVERTISED_LISTENERS")).split(","):
        name, port = listener.partition("://")[0].strip().upper(), listener.rpartition(":")[2].strip()
        if port.isdigit():
            found[name] = (int(port), protocols.get(name, name))
    return found


def variable(environ: "Mapping[str, str]", name: str) -> str:
    """The setting `name` of the container's node, or ""."""
    return environ.get("KAFKA_" + name) or environ.get("KAFKA_CFG_" + name) or ""


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
    by_port = dict(listeners().values())
    with_tls = [each for each in ports if by_port.get(each[1], "").endswith("SSL")]
    others = sorted((each for each in ports if each not in with_tls), key=lambda each: each[1] not in by_port)
    if any(serves(host, port) for host, port in others) or any(serves_tls(host, port) for host, port in with_tls):
        return 0
    # Where the variables do not name its listeners, as in a mounted file of settings, the node has TLS perhaps.
    if any(serves_tls(host, port) for host, port in others if port not in by_port):
        return 0
    asked = ", ".join(str(port) for _, port in ports) or "none is listened on"
    sys.stdout.write(f"no Kafka node answers here (ports: {asked})\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
