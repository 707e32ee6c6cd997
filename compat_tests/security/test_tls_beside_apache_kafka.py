"""What a scanner of TLS finds at a listener with default settings: of kafkapy, and of Apache Kafka 4.4.0 with the same
key store. Where they are not the same, kafkapy is the stricter.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from compat_tests.apache_kafka import ApacheKafka
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.ports import free_port

API_VERSIONS = bytes.fromhex("00 00 00 0a 00 12 00 00 00 00 00 01 ff ff")
"""Version 0, without a client id."""
HOST = "127.0.0.1"
WEAK = re.compile(r"NULL|EXP|RC4|DES|MD5|PSK|SRP|ADH|AECDH|CAMELLIA|ARIA|SEED|IDEA|-SHA$|CCM8")


class Listener(NamedTuple):
    port: int
    authority: Path

    def context(self, version: ssl.TLSVersion | None = None, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
        """A client that speaks anything."""
        made = ssl.create_default_context(cafile=self.authority)
        made.set_ciphers(ciphers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of versions that nobody should speak
            made.minimum_version = ssl.TLSVersion.TLSv1 if version is None else version
            if version is not None:
                made.maximum_version = version
        return made

    @contextmanager
    def connection(
        self, context: ssl.SSLContext, *, name: str = HOST, session: ssl.SSLSession | None = None
    ) -> Iterator[ssl.SSLSocket]:
        with (
            socket.create_connection((HOST, self.port), timeout=PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name, session=session) as connected,
        ):
            yield connected

    def s_client(self, *arguments: str, command: str = "Q") -> str:
        """What OpenSSL's client prints, which is told a command after the handshake, and then ends by itself."""
        program = ["openssl", "s_client", "-connect", f"{HOST}:{self.port}", "-CAfile", str(self.authority), *arguments]
        with subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{command}\n")
            process.stdin.flush()
            killer = threading.Timer(PATIENCE_SECONDS, process.kill)
            killer.start()
            told = process.stdout.read()
            killer.cancel()
        return told


class Stores(NamedTuple):
    authority: Path
    settings: dict[str, str]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """An RSA key, which the weak suites of old need, with a chain of two certificates."""
    directory = tmp_path_factory.mktemp("chain")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=directory)

    def issue(name: str, by: str, extensions: str) -> None:
        (directory / "extensions").write_text(extensions)
        openssl(
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-subj",
            f"/CN={name}",
            "-out",
            "new",
        )
        openssl("x509", "-req", "-in", "new", "-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-days", "2",
                "-CAcreateserial", "-extfile", "extensions", "-out", f"{name}.crt")  # fmt: skip

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-subj", "/CN=root", "-days", "2",
            "-out", "root.crt")  # fmt: skip
    issue("between", "root", "basicConstraints=critical,CA:true\n")
    issue("server", "between", f"subjectAltName=IP:{HOST},DNS:localhost\n")
    parts = [(directory / name).read_text() for name in ("server.key", "server.crt", "between.crt")]
    (directory / "server.pem").write_text("".join(parts))
    settings = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(directory / "server.pem")}
    return Stores(directory / "root.crt", settings)


@pytest.fixture(scope="module")
def ours(stores: Stores) -> Iterator[Listener]:
    with KafkapyProcess({"listeners": f"SSL://{HOST}:0", **stores.settings}) as broker:
        yield Listener(broker.port, stores.authority)
        assert not broker.bugs(), broker.output()


@pytest.fixture(scope="module")
def apache(stores: Stores, java: object) -> Iterator[Listener]:
    port = free_port()
    made = ApacheKafka(stores.settings)
    for name in ("listeners", "advertised.listeners"):
        made.settings[name] += f",SSL://{HOST}:{port}"
    made.settings |= {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL",
        "inter.broker.listener.name": "PLAINTEXT",
    }
    with made:
        yield Listener(port, stores.authority)


def accepted_versions(listener: Listener) -> list[str]:
    found = []
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        try:
            with listener.connection(listener.context(version)) as connection:
                found.append(str(connection.version()))
        except (ssl.SSLError, ConnectionResetError):
            continue
    return found


def accepted_suites(listener: Listener) -> list[str]:
    """Of TLS 1.2, in the order in which the listener chooses them."""
    found: list[str] = []
    while True:
        without = "".join(f":!{name}" for name in found)
        try:
            context = listener.context(ssl.TLSVersion.TLSv1_2, f"ALL:COMPLEMENTOFALL{without}:@SECLEVEL=0")
            with listener.connection(context) as connection:
                cipher = connection.cipher()
        except (ssl.SSLError, ConnectionResetError):
            return found
        assert cipher is not None
        found.append(cipher[0])


def ask(connection: ssl.SSLSocket) -> None:
    """A round trip, by which tickets of TLS 1.3 have come, too."""
    connection.sendall(API_VERSIONS)
    assert len(connection.recv(4)) == 4


def leaf(listener: Listener, name: str) -> bytes | None:
    context = listener.context()
    context.check_hostname = False
    with listener.connection(context, name=name) as connection:
        return connection.getpeercert(binary_form=True)


def test_nothing_below_tls_1_2_is_spoken(ours: Listener, apache: Listener) -> None:
    assert accepted_versions(ours) == accepted_versions(apache) == ["TLSv1.2", "TLSv1.3"]


def test_suites_are_few_and_the_best_comes_first(ours: Listener, apache: Listener) -> None:
    """Without the sum of a message by SHA-1, and with forward secrecy; Apache Kafka has what Java has."""
    here, there = accepted_suites(ours), accepted_suites(apache)
    assert set(here) <= set(there)
    assert here[0] == there[0] == "ECDHE-RSA-AES256-GCM-SHA384"
    assert not [name for name in here if WEAK.search(name) or not name.startswith(("ECDHE-", "DHE-"))]
    with ours.connection(ours.context(ssl.TLSVersion.TLSv1_3)) as connection:
        assert connection.cipher() == ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)


def test_the_listener_chooses_the_suite_not_the_client(ours: Listener, apache: Listener) -> None:
    for listener in (ours, apache):
        context = listener.context(
            ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0"
        )
        with listener.connection(context) as connection:
            assert connection.cipher() == ("ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", 256)


def test_signatures_with_sha1_are_not_made(ours: Listener) -> None:
    told = ours.s_client("-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "RSA+SHA1")
    assert "Cipher is (NONE)" in told


def test_the_whole_chain_is_sent(ours: Listener, apache: Listener) -> None:
    for listener in (ours, apache):
        told = listener.s_client("-showcerts", "-verify_return_error")
        assert told.count("BEGIN CERTIFICATE") == 2
        assert "Verify return code: 0 (ok)" in told


def test_there_is_no_compression_no_alpn_and_no_early_data(ours: Listener, apache: Listener) -> None:
    for listener in (ours, apache):
        told = listener.s_client("-alpn", "h2,http/1.1")
        assert "Compression: NONE" in told
        assert "No ALPN negotiated" in told
        assert "Early data was not sent" in told


def test_renegotiation_is_refused(ours: Listener, apache: Listener) -> None:
    """The extension is there, by which clients know that nobody has slipped something in before; no more."""
    for listener, end in ((ours, ":no renegotiation:"), (apache, "closed")):
        told = listener.s_client("-tls1_2", command="R")
        assert "Secure Renegotiation IS supported" in told
        assert end in told.partition("RENEGOTIATING")[2]


def test_any_server_name_is_served(ours: Listener, apache: Listener) -> None:
    assert len({leaf(listener, name) for listener in (ours, apache) for name in (HOST, "localhost", "other.test")}) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(version: ssl.TLSVersion, ours: Listener) -> None:
    """Apache Kafka hands out tickets, too, for a day; with Java 17 it takes none of a client with OpenSSL."""
    context = ours.context(version)
    with ours.connection(context) as first:
        ask(first)
        session = first.session
    assert session is not None
    assert session.has_ticket
    assert session.ticket_lifetime_hint == 7_200
    with ours.connection(context, session=session) as second:
        ask(second)
        assert second.session_reused
