"""The batches of `batches` over TLS 1.3, in and out; and handshakes of new connections, without earlier sessions.

The key is RSA of 2048 bits, as most have it. A listener without TLS is there, too, for the questions before.
"""

from __future__ import annotations

import dataclasses
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measurement import Better, Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Launch, Peer
from benchmarks.raw_client import Address, Connection, large_batch, ready_topic
from benchmarks.rows.batches import RECORD_COUNT, VALUE_BYTES, fetch_batches, produce_batches
from compat_tests.ports import free_ports

WARM_UP_ROUNDS = 5
HANDSHAKES = 1_000
AT_ONCE = 8  # clients that connect

TLS_IN_RATE = Metric("tls_in_mb_per_second", "1 MB batches in over TLS", "MB/s", Better.HIGHER)
TLS_IN_CPU = Metric("tls_in_cpu_seconds_per_gb", "... broker CPU", "s/GB")
TLS_OUT_RATE = Metric("tls_out_mb_per_second", "1 MB batches out over TLS", "MB/s", Better.HIGHER)
TLS_OUT_CPU = Metric("tls_out_cpu_seconds_per_gb", "... broker CPU", "s/GB")
HANDSHAKE_RATE = Metric("tls_handshakes_per_second", f"TLS handshakes, {AT_ONCE} clients", "1/s", Better.HIGHER)
HANDSHAKE_CPU = Metric("tls_handshake_cpu_us", "... broker CPU for each", "µs")


class TlsConnection(Connection):
    """A connection with TLS, which is answered when it is there."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(address)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


def measure(peer: Peer, scale: Scale) -> Figures:
    with peer.home(durable=False) as home:
        (port,) = free_ports(1)
        context = _make_certificate(home.work)
        launch = dataclasses.replace(home, settings=_settings(home, port))
        with peer.started(launch) as broker:
            address = (broker.address[0], port)
            for number in range(WARM_UP_ROUNDS):
                _batches(broker, scale, address, context, f"warm-up-{number}")
                _handshakes(broker, address, context)
            return {
                **_batches(broker, scale, address, context, "measured"),
                **_handshakes(broker, address, context),
            }


def _batches(broker: Broker, scale: Scale, address: Address, context: ssl.SSLContext, topic: str) -> Figures:
    batch = large_batch(RECORD_COUNT, VALUE_BYTES)
    with Connection(broker.address) as plain:
        ready_topic(plain, topic, broker.served)
    with TlsConnection(address, context) as connection:
        produced = produce_batches(broker, connection, topic, batch, scale.batch_count)
        offsets = range(1, 1 + RECORD_COUNT * (scale.batch_count + 1))
        fetched = fetch_batches(
            broker, connection, topic, offsets=offsets, batch_bytes=len(batch), passes=scale.read_passes
        )
    return {
        TLS_IN_RATE.key: produced.mb_per_second,
        TLS_IN_CPU.key: produced.cpu_seconds_per_gb,
        TLS_OUT_RATE.key: fetched.mb_per_second,
        TLS_OUT_CPU.key: fetched.cpu_seconds_per_gb,
    }


def _handshakes(broker: Broker, address: Address, context: ssl.SSLContext) -> Figures:
    def connect(_: int) -> None:
        with TlsConnection(address, context):
            pass

    with ThreadPoolExecutor(AT_ONCE) as clients:
        list(clients.map(connect, range(AT_ONCE)))  # its threads are started
        cpu_begin = broker.cpu_seconds()
        begin = time.perf_counter()
        list(clients.map(connect, range(HANDSHAKES)))
        seconds = time.perf_counter() - begin
        cpu_seconds = broker.cpu_seconds() - cpu_begin
    return {HANDSHAKE_RATE.key: HANDSHAKES / seconds, HANDSHAKE_CPU.key: cpu_seconds / HANDSHAKES * 1e6}


def _settings(launch: Launch, port: int) -> dict[str, str]:
    (controller_port,) = launch.controller_ports
    listeners = {"PLAINTEXT": launch.port, "TLS": port, "CONTROLLER": controller_port}
    return {
        "listeners": ",".join(f"{name}://127.0.0.1:{number}" for name, number in listeners.items()),
        "advertised.listeners": ",".join(
            f"{name}://127.0.0.1:{number}" for name, number in listeners.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(launch.work / "server.pem"),
    }


def _make_certificate(work: Path) -> ssl.SSLContext:
    """A key and its own certificate, by openssl; and a context of clients that trust it."""
    key, certificate = work / "server.key", work / "server.crt"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    (work / "server.pem").write_text(key.read_text() + certificate.read_text())
    context = ssl.create_default_context(cafile=str(certificate))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


TLS = LifecycleRow(
    name="tls",
    metrics=(TLS_IN_RATE, TLS_IN_CPU, TLS_OUT_RATE, TLS_OUT_CPU, HANDSHAKE_RATE, HANDSHAKE_CPU),
    measure=measure,
    time_limit_seconds=240.0,
    rounds_max=3,
)
