"""Who is let in at listeners with TLS, by both brokers with the same settings: certificates, versions, principals."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.ports import free_port
from compat_tests.tools import need

SECONDS = 20
# One listener each: its name, and its own settings.
LISTENERS: dict[str, dict[str, str]] = {
    "NONE": {"ssl.client.auth": "none"},
    "REQUESTED": {"ssl.client.auth": "requested"},
    "REQUIRED": {"ssl.client.auth": "required"},
    "OLD": {"ssl.enabled.protocols": "TLSv1.2", "ssl.client.auth": "required"},
    "NEW": {"ssl.enabled.protocols": "TLSv1.3"},
    "SUITE": {"ssl.cipher.suites": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    "MAPPED": {"ssl.client.auth": "requested", "ssl.principal.mapping.rules": "RULE:^CN=(al.*)$/$1/"},
    "UNMAPPED": {"ssl.client.auth": "requested", "ssl.principal.mapping.rules": "RULE:^CN=nobody$/x/"},
    "JKS": {"ssl.keystore.type": "JKS"},
}
VERSIONS = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 7, -1)


class Case(NamedTuple):
    listener: str
    version: str
    certificate: str
    """alice, whose authority the brokers trust; mallory, whose they do not; or none."""


CASES = [
    Case(listener, version, certificate)
    for listener in LISTENERS
    for version in VERSIONS
    for certificate in ("none", "alice", "mallory")
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    for arguments in ([str(directory), "--client", "alice"], [str(directory / "other"), "--client", "mallory"]):
        subprocess.run([kafkapy_command(), "certs", *arguments], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="module")
def answers(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[Case, bool]]]:
    """Of kafkapy and of Apache Kafka: whether each case is served."""
    need(jar_directory)
    found = []
    with ExitStack() as stack:
        ports = {name: free_port() for name in LISTENERS}
        kafkapy = KafkapyProcess(
            settings(directory, ports, free_port(), None), data_dir=tmp_path_factory.mktemp("data")
        )
        stack.enter_context(kafkapy)
        found.append({case: is_served(directory, ports[case.listener], case) for case in CASES})
        ports, apache = {name: free_port() for name in LISTENERS}, ApacheKafka()
        apache.settings |= settings(directory, ports, apache.port, apache.controller_port)
        stack.enter_context(apache)
        found.append({case: is_served(directory, ports[case.listener], case) for case in CASES})
        yield found


def settings(directory: Path, ports: dict[str, int], plain: int, controller: int | None) -> dict[str, str]:
    known = {"PLAINTEXT": plain, **ports}
    listeners = known if controller is None else {**known, "CONTROLLER": controller}
    own = {
        f"listener.name.{name.lower()}.{setting}": value
        for name, values in LISTENERS.items()
        for setting, value in values.items()
    }
    jks = {
        "listener.name.jks.ssl.keystore.location": str(directory / "server.jks"),
        "listener.name.jks.ssl.keystore.password": "changeit",
        "listener.name.jks.ssl.truststore.type": "JKS",
        "listener.name.jks.ssl.truststore.location": str(directory / "truststore.jks"),
        "listener.name.jks.ssl.truststore.password": "changeit",
    }
    protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT", **dict.fromkeys(ports, "SSL")}
    return {
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in known.items()),
        "listener.security.protocol.map": ",".join(map(":".join, protocols.items())),
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(directory / "server.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(directory / "ca.crt"),
        **own,
        **jks,
    }


def is_served(directory: Path, port: int, case: Case) -> bool:
    """Whether a request is answered after the handshake."""
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    version = VERSIONS[case.version]
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.minimum_version = version
    if case.certificate != "none":
        place = directory if case.certificate == "alice" else directory / "other"
        context.load_cert_chain(place / f"{case.certificate}.crt", place / f"{case.certificate}.key")
    try:
        with (
            socket.create_connection(("127.0.0.1", port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(API_VERSIONS_REQUEST)
            return len(secure.recv(8)) > 0
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_both_brokers_let_in_the_same_clients(answers: list[dict[Case, bool]]) -> None:
    ours, theirs = answers
    assert {case: (ours[case], theirs[case]) for case in CASES if ours[case] != theirs[case]} == {}
    served = {case for case in CASES if theirs[case]}
    assert Case("REQUIRED", "1.3", "alice") in served
    assert Case("REQUIRED", "1.3", "mallory") not in served
    assert not [case for case in served if case.version == "1.1"]
