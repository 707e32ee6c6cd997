"""`kafkapy certs`, a broker that is started with what it makes, and commands that are clients of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kafkapy.client.errors import ClientError
from tests.cli.conftest import Kafkapy
from tests.cli.ending import ending

FIRST_LINE = "kafkapy listens at "


class Secure(NamedTuple):
    """A broker with TLS, and the directory of certificates that it was started with."""

    bootstrap: str
    directory: Path

    def settings(self, name: str, **changes: str) -> str:
        """A file of client settings: that of `name`, with changes (`_` for `.`)."""
        text = (self.directory / f"{name}.properties").read_text()
        path = self.directory / f"changed-{uuid.uuid4().hex}.properties"
        path.write_text(text + "".join(f"{key.replace('_', '.')}={value}\n" for key, value in changes.items()))
        return str(path)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("certificates")
    made = [sys.executable, "-m", "kafkapy", "certs", str(directory), "--client", "alice"]
    listed = subprocess.run(made, capture_output=True, text=True, check=True).stdout
    assert listed.splitlines() == [f"{directory}/server.properties", f"{directory}/alice.properties"]
    started = [sys.executable, "-m", "kafkapy", str(directory / "server.properties"), "--ephemeral", "--port", "0"]
    required = ["--override", "ssl.client.auth=required"]
    with ending(subprocess.Popen([*started, *required], stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith(FIRST_LINE), first
        yield Secure(first.removeprefix(FIRST_LINE).split()[0], directory)
        process.terminate()


def test_commands_are_clients_with_tls(run: Kafkapy, secure: Secure, topic: str) -> None:
    options = ["-b", secure.bootstrap, "--command-config", str(secure.directory / "alice.properties")]
    assert run(*options, "topics", "create", topic).exit_code == 0
    long = "x" * 300_000
    assert run("produce", topic, *options, "first", long).err.startswith(f"sent 2 records to {topic}")
    consumed = run("consume", topic, *options, "--from-beginning", "--max", "2", "--timeout", "20")
    assert consumed.lines == ["first", long]


@pytest.mark.parametrize("store_type", ["PKCS12", "JKS"])
def test_stores_of_other_types_do_as_well(run: Kafkapy, secure: Secure, store_type: str) -> None:
    suffix = ".p12" if store_type == "PKCS12" else ".jks"
    file = secure.settings(
        "alice",
        ssl_keystore_type=store_type,
        ssl_keystore_location=str(secure.directory / f"alice{suffix}"),
        ssl_keystore_password="changeit",
        ssl_truststore_type=store_type,
        ssl_truststore_location=str(secure.directory / f"truststore{suffix}"),
        ssl_truststore_password="changeit",
    )
    listed = run("topics", "list", "-b", secure.bootstrap, "--command-config", file)
    assert (listed.exit_code, listed.err) == (0, "")


def test_bootstrap_servers_may_stand_in_the_file(run: Kafkapy, secure: Secure) -> None:
    file = secure.settings("alice", bootstrap_servers=secure.bootstrap)
    assert run("topics", "list", "--command-config", file).exit_code == 0


def test_what_is_wrong_is_told_in_one_line(run: Kafkapy, secure: Secure, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run("certs", str(other)).exit_code == 0
    cases: tuple[tuple[list[str], str], ...] = (
        (
            [],
            "closed the connection at the first request: a listener with TLS or SASL does so to a client",
        ),
        (["--command-config", "/no/such"], "cannot read /no/such (No such file or directory)"),
        (["--command-config", secure.settings("alice", security_protocol="SSH")], "there are PLAINTEXT, SSL"),
        (
            ["--command-config", secure.settings("alice", ssl_truststore_location="/no/such")],
            "ssl.truststore.location nam",
        ),
        (
            ["--command-config", str(other / "client.properties")],
            ": self-signed certificate in certificate chain: ssl.truststore.location must have the certificate of its",
        ),
        (
            ["--command-config", secure.settings("alice", ssl_keystore_location=str(other / "client.pem"))],
            "does not trust our certificate (alert unknown_ca)",
        ),
    )
    for options, told in cases:
        seconds = "20" if options else "0.3"  # a broker that closes connections is tried again
        result = run("topics", "list", "-b", secure.bootstrap, "--timeout", seconds, *options)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert told in result.err, result.err


def test_the_certificate_must_be_for_the_host(run: Kafkapy, secure: Secure) -> None:
    """ssl.endpoint.identification.algorithm of a client; empty, any trusted certificate will do."""
    strange = f"127.1:{secure.bootstrap.rpartition(':')[2]}"  # 127.0.0.1, by a name that is in no certificate
    file = secure.settings("alice")
    result = run("topics", "list", "-b", strange, "--command-config", file, "--timeout", "5")
    assert "the certificate of the peer is refused: " in result.err
    assert "connect to a host that the certificate is for" in result.err
    file = secure.settings("alice", ssl_endpoint_identification_algorithm="")
    assert run("topics", "list", "-b", strange, "--command-config", file).exit_code == 0


def test_a_cluster_in_one_process_has_tls_and_logins(run: Kafkapy, secure: Secure, tmp_path: Path) -> None:
    """By the map of protocols: the listeners are the command's, and giving others is refused, not passed over."""
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    store, authority = secure.directory / "server.pem", secure.directory / "ca.crt"
    trusted = f"ssl.truststore.type=PEM\nssl.truststore.location={authority}\n"
    given = (
        f"ssl.keystore.type=PEM\nssl.keystore.location={store}\n{trusted}"
        "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:SSL\n"
        "listener.name.controller.ssl.client.auth=required\n"
        "sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n"
        f'listener.name.plaintext.plain.sasl.jaas.config={plain} username="b" password="p" user_b="p" user_alice="s";\n'
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
        "super.users=User:b;User:CN=server"
    )
    client = tmp_path / "alice.properties"
    login = f'sasl.mechanism=PLAIN\nsasl.jaas.config={plain} username="alice" password="s";\n'
    client.write_text(f"security.protocol=SASL_SSL\n{trusted}{login}")
    start = [
        "cluster",
        "--nodes",
        "2",
        "--ephemeral",
        "--port",
        "0",
        *(f"--override={line}" for line in given.split("\n")),
    ]
    command = [sys.executable, "-m", "kafkapy", *start]
    # In a process of its own: a start that ends leaves the signals of its process ignored.
    wrong = [*command, "--override", "listeners=SASL_SSL://localhost:0"]
    refused = subprocess.run(wrong, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "listeners is set for each node: leave it out; listener.security.protocol.map says what" in refused.stderr
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        first, _, _, told = (process.stdout.readline() for _ in range(4))
        assert told == "clients need security.protocol=SASL_SSL\n"
        where = ("-b", first.split()[-1], "--command-config", str(client))
        created = run("topics", "create", "orders", *where)
        process.terminate()
    assert "no ACL allows this user to do it" in created.err, "alice has logged in, and may do nothing"


def test_certs_of_a_cluster(run: Kafkapy, tmp_path: Path) -> None:
    options = ["--server", "node1", "--server", "node2", "--host", "node.example", "--client", "a", "--json"]
    made = run("certs", str(tmp_path), *options, "--password", "secret", "--days", "9")
    assert json.loads(made.out) == {"directory": str(tmp_path), "servers": ["node1", "node2"], "clients": ["a"]}
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        f"{name}{suffix}" for name in ("node1", "node2", "a") for suffix in (".key", ".crt", ".pem", ".p12")
    } <= names
    assert (tmp_path / "node1.key").stat().st_mode & 0o077 == 0, "only the user reads a private key"
    assert (tmp_path / "node1.key").read_text() != (tmp_path / "node2.key").read_text()
    text = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "node2.crt", "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DNS:node.example" in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--client", "../a"], "'../a' cannot be a name: letters, digits and . _ - @ can"),
        (["--client", "server"], "each server and client needs a name of its own"),
        (["--client", "ca"], "'ca' cannot be a name"),
        (["--days", "99999"], "--days 99999 is more than a certificate can hold"),
        (["--host", "exämple"], "values should be"),
    ],
)
def test_certs_that_cannot_be(run: Kafkapy, tmp_path: Path, options: list[str], told: str) -> None:
    result = run("certs", str(tmp_path / "d"), *options)
    assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
    assert told in result.err


def test_certs_where_nothing_can_be_written(run: Kafkapy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("certs", str(tmp_path / "file"))
    assert (result.exit_code, result.err) == (1, f"kafkapy certs: cannot write to {tmp_path}/file (File exists)\n")


def test_without_the_library_certs_says_what_to_install(
    run: Kafkapy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    result = run("certs", str(tmp_path))
    assert result.exit_code == 1
    assert "the library cryptography, which is not installed: pip install cryptography" in result.err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_finds_no_old_version_and_no_weak_suite(secure: Secure) -> None:
    """As testssl looks for them: each by itself."""

    def agreed(*options: str) -> bool:
        trusted, crt, key = (str(secure.directory / name) for name in ("ca.crt", "alice.crt", "alice.key"))
        command = ["openssl", "s_client", "-connect", secure.bootstrap, "-CAfile", trusted, *options]
        pair = ["-cert", crt, "-key", key]
        done = subprocess.run([*command, *pair], input=b"", capture_output=True, check=False, env={**os.environ})
        return b"Verify return code: 0 (ok)" in done.stdout and b"Cipher is (NONE)" not in done.stdout

    assert agreed("-tls1_3")
    assert agreed("-tls1_2")
    assert agreed("-tls1_2", "-cipher", "ECDHE+AESGCM")
    assert agreed("-tls1_2", "-cipher", "ECDHE+CHACHA20")
    for version in ("-tls1_1", "-tls1"):
        assert not agreed(version, "-cipher", "ALL:@SECLEVEL=0"), version
    for weak in ("RSA", "kRSA", "SHA1", "aNULL", "eNULL", "3DES", "RC4", "PSK", "SRP", "CAMELLIA", "ARIA"):
        assert not agreed("-tls1_2", "-cipher", f"{weak}:@SECLEVEL=0"), weak


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_may_not_negotiate_again(secure: Secure) -> None:
    """TLS 1.2 has renegotiation, which costs the client a message and the broker a signature."""
    trusted, crt, key = (str(secure.directory / name) for name in ("ca.crt", "alice.crt", "alice.key"))
    command = ["openssl", "s_client", "-tls1_2", "-connect", secure.bootstrap, "-CAfile", trusted]
    pair = ["-cert", crt, "-key", key]
    done = subprocess.run([*command, *pair], input=b"R\n", capture_output=True, check=False, timeout=60)
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stdout + done.stderr


def test_a_client_error_is_one_line() -> None:
    from kafkapy.cli.client_settings import security_of

    with pytest.raises(ClientError, match=r"^ssl\.keystore\.location names /x, which cannot be read"):
        security_of({"security.protocol": "ssl", "ssl.keystore.type": "PEM", "ssl.keystore.location": "/x"})
