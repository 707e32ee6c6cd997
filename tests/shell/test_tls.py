"""A node with TLS: who may connect, as whom, by which versions and suites; stores that change while it runs."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.errors import StartupError
from kafkapy.network.tls_handshake import HANDSHAKE_MS_MAX
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy.tls import current
from kafkapy.tls.making import Issued
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import BROKER, Client, port_of, running_node, trio_test
from tests.tls.certificates import certificates, client_context, other_authority, server_settings

PLAINTEXT_TOO = {
    "listeners": "SSL://127.0.0.1:0,PLAIN://127.0.0.1:0",
    "listener.security.protocol.map": "SSL:SSL,PLAIN:PLAINTEXT",
}


@asynccontextmanager
async def connect(node: Node, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    """A client with TLS, after its handshake."""
    stream = trio.SSLStream(
        await trio.open_tcp_stream("127.0.0.1", port_of(node)),
        context or client_context(),
        server_hostname="127.0.0.1",
        https_compatible=True,
    )
    try:
        await stream.do_handshake()
        yield Client(stream)  # type: ignore[arg-type]  # it only sends and receives
    finally:
        await trio.aclose_forcefully(stream)


async def ended(stream: trio.SocketStream) -> bool:
    """Whether the node closes the connection, whatever it says before."""
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass
    return True


async def refused(node: Node, context: ssl.SSLContext) -> bool:
    """Whether the node does not take this client: in TLS 1.3 it hears so only after its own handshake."""
    try:
        async with connect(node, context) as client:
            await client.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
    except (trio.BrokenResourceError, EOFError, ssl.SSLError):
        return True
    return False


async def principal(node: Node, context: ssl.SSLContext | None = None) -> str:
    async with connect(node, context) as client:
        await client.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
        (connection,) = node.server.connections
        found = str(connection.client.principal)
    await until(lambda: not node.server.connections)
    return found


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return lines


@pytest.mark.parametrize("store_type", ["PEM", "PKCS12", "JKS"])
def test_clients_are_served_with_stores_of_each_type(store_type: str, tmp_path: Path) -> None:
    """ssl.keystore.type, ssl.keystore.location, ssl.keystore.password, ssl.key.password, and the trust store's."""

    async def serve() -> None:
        given = server_settings(store_type, ssl_client_auth="required")
        async with running_node(tmp_path, given) as node, connect(node, client_context("alice")) as client:
            answer = await client.ask(MetadataRequest(topics=[]), MetadataResponse, 12)
            assert answer.brokers[0].port == port_of(node)
            await client.create_topic("orders")
            values = [bytes([number]) * 700_000 for number in range(5)]
            for value in values:
                await client.produce("orders", value)
            assert await client.values("orders") == values

    trio_test(lambda: serve())()


@trio_test
async def test_pem_may_stand_in_settings(tmp_path: Path) -> None:
    """ssl.keystore.key, ssl.keystore.certificate.chain and ssl.truststore.certificates of one listener."""
    files = certificates()
    prefix = "listener.name.ssl."
    given = {
        "listeners": "SSL://127.0.0.1:0",
        f"{prefix}ssl.keystore.type": "PEM",
        f"{prefix}ssl.keystore.key": files.path("server", ".key").read_text(),
        f"{prefix}ssl.keystore.certificate.chain": files.path("server", ".crt").read_text(),
        f"{prefix}ssl.truststore.type": "PEM",
        f"{prefix}ssl.truststore.certificates": files.ca.read_text(),
        f"{prefix}ssl.client.auth": "required",
    }
    async with running_node(tmp_path, given) as node:
        assert await principal(node, client_context("alice")) == "User:CN=alice"
        assert await refused(node, client_context())


@trio_test
async def test_ssl_client_auth(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = client_context()
    issued = other_authority().issue("mallory")
    (tmp_path / "mallory.pem").write_text(issued.key_pem + issued.certificate_pem)
    stranger.load_cert_chain(tmp_path / "mallory.pem")
    async with running_node(tmp_path / "none", server_settings(ssl_client_auth="none")) as node:
        assert await principal(node) == "User:ANONYMOUS"
        assert await principal(node, client_context("alice")) == "User:ANONYMOUS"
        assert await principal(node, stranger) == "User:ANONYMOUS"
    async with running_node(tmp_path / "requested", server_settings(ssl_client_auth="requested")) as node:
        assert await principal(node) == "User:ANONYMOUS"
        assert await principal(node, client_context("alice")) == "User:CN=alice"
        assert await refused(node, stranger)
        (line,) = told(caplog)
        assert "to listener SSL: the TLS handshake has failed: the certificate of the peer is refused: " in line
    async with running_node(tmp_path / "required", server_settings(ssl_client_auth="required")) as node:
        assert await principal(node, client_context("bob")) == "User:CN=bob"
        assert await refused(node, client_context())
        assert await refused(node, stranger)
        assert not node.server.connections
        assert "the client has no certificate, which ssl.client.auth=required wants" in told(caplog)[0]


@trio_test
async def test_ssl_principal_mapping_rules(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = r"RULE:^CN=(al.*)$/$1/U, RULE:^CN=(nobody)$/$1/"
    given = server_settings(ssl_client_auth="required", ssl_principal_mapping_rules=rules)
    async with running_node(tmp_path, given) as node:
        assert await principal(node, client_context("alice")) == "User:ALICE"
        assert await refused(node, client_context("bob"))
        (line,) = told(caplog)
        assert "gives no principal: no rule of ssl.principal.mapping.rules matches CN=bob" in line


@trio_test
async def test_ssl_enabled_protocols(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And ssl.protocol, where that list is empty. Nothing below TLS 1.2 is spoken, whatever is asked for."""

    def only(version: ssl.TLSVersion) -> ssl.SSLContext:
        context = client_context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.minimum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old = only(ssl.TLSVersion.TLSv1_1)
    tls12, tls13 = only(ssl.TLSVersion.TLSv1_2), only(ssl.TLSVersion.TLSv1_3)
    for number, (given, served) in enumerate(
        (
            ({}, (tls12, tls13)),
            ({"ssl_enabled_protocols": "TLSv1.2"}, (tls12,)),
            ({"ssl_enabled_protocols": "TLSv1.3"}, (tls13,)),
            ({"ssl_enabled_protocols": "TLSv1.1,TLSv1.2,TLSv1.3"}, (tls12, tls13)),
            ({"ssl_enabled_protocols": "", "ssl_protocol": "TLSv1.2"}, (tls12,)),
        )
    ):
        async with running_node(tmp_path / str(number), server_settings(**given)) as node:
            found = [context for context in (tls12, tls13) if not await refused(node, context)]
            assert found == list(served), given
            assert await refused(node, old)
            assert "see ssl.enabled.protocols" in told(caplog)[-1]


@trio_test
async def test_ssl_cipher_suites(tmp_path: Path) -> None:
    async def suite(node: Node, version: ssl.TLSVersion, ciphers: str = "ALL") -> str | None:
        context = client_context()
        context.maximum_version = version
        context.set_ciphers(ciphers)
        if await refused(node, context):
            return None
        async with connect(node, context) as client:
            stream = client.stream
            assert isinstance(stream, trio.SSLStream)
            cipher: tuple[str, str, int] = stream.cipher()
            return cipher[0]

    async with running_node(tmp_path / "default", server_settings()) as node:
        for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
            assert await suite(node, ssl.TLSVersion.TLSv1_2, weak) is None
        assert await suite(node, ssl.TLSVersion.TLSv1_2) == "ECDHE-ECDSA-AES256-GCM-SHA384"
    chosen = server_settings(ssl_cipher_suites="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    async with running_node(tmp_path / "chosen", chosen) as node:
        assert await suite(node, ssl.TLSVersion.TLSv1_3) == "ECDHE-ECDSA-AES128-GCM-SHA256", (
            "no suite of 1.3 is allowed"
        )
        assert await suite(node, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384") is None
    both = server_settings(ssl_cipher_suites="TLS_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    async with running_node(tmp_path / "both", both) as node:
        assert await suite(node, ssl.TLSVersion.TLSv1_3) == "TLS_AES_256_GCM_SHA384"
        assert await suite(node, ssl.TLSVersion.TLSv1_2) == "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ssl.enabled.protocols": "TLSv1.1"}, "ssl.enabled.protocols is TLSv1.1, which Java refuses, too"),
        ({"ssl.enabled.protocols": "TLSv9"}, "ssl.enabled.protocols has TLSv9, which is no protocol"),
        ({"ssl.protocol": "SSL9"}, "ssl.protocol is SSL9, which is not served"),
        (
            {"ssl.cipher.suites": "TLS_NULL_WITH_NULL_NULL"},
            "ssl.cipher.suites has TLS_NULL_WITH_NULL_NULL, which is",
        ),
        (
            {"ssl.cipher.suites": "TLS_AES_128_GCM_SHA256"},
            "leaves out TLS_AES_256_GCM_SHA384, which cannot be",
        ),
        (
            {"ssl.cipher.suites": "TLS_AES_256_GCM_SHA384", "ssl.enabled.protocols": "TLSv1.2"},
            "ssl.cipher.suites has no suite of the protocols in ssl.enabled.protocols",
        ),
        ({"ssl.principal.mapping.rules": "RULE:((/x/"}, "ssl.principal.mapping.rules has a rule that cannot be read"),
        ({"ssl.keystore.location": "/no/such"}, "ssl.keystore.location names /no/such, which cannot be read"),
        (
            {"ssl.truststore.location": "/no/such", "ssl.client.auth": "required"},
            "ssl.truststore.location names /no/such",
        ),
    ],
)
def test_a_node_whose_tls_cannot_be_does_not_start(given: Mapping[str, str], message: str, tmp_path: Path) -> None:
    async def start() -> None:
        async with running_node(tmp_path, {**server_settings(), **given}):
            pytest.fail("it has started")

    with pytest.raises(StartupError) as caught:
        trio.run(start)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@trio_test
async def test_what_is_no_tls_is_told_apart_and_closed_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain_request = Client(trio.testing.memory_stream_pair()[0]).frame(ApiVersionsRequest(), 0)  # type: ignore[arg-type]
    async with running_node(tmp_path, {**server_settings(), **PLAINTEXT_TOO}) as node:
        for sent, what in (
            (plain_request, "the peer sent a Kafka request without TLS: set security.protocol=SSL"),
            (b"GET / HTTP/1.1\r\n\r\n", "the peer sent an HTTP request, or other text, without TLS"),
            (b"\xff\xfe", "the peer sent bytes that are no TLS"),
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", port_of(node))
            await stream.send_all(sent)
            assert await stream.receive_some() == b"", "a client would take an alert for the size of an answer"
            await stream.aclose()
            (line,) = told(caplog)
            assert f"this listener's security protocol is SSL, {what}" in line
        hello = ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            client_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="x").do_handshake()
        plain = node.settings.now.listeners[1].port
        stream = await trio.open_tcp_stream("127.0.0.1", plain)
        await stream.send_all(hello.read())
        assert await stream.receive_some() == b""
        await stream.aclose()
        (line,) = told(caplog)
        assert "this is a Kafka port, the peer sent a TLS handshake; this listener's security protocol is PLAIN" in line


@trio_test
async def test_the_protocol_to_set_is_that_of_the_listener(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";'
    settings = {
        **server_settings(),
        "listeners": "SASL_SSL://127.0.0.1:0,SASL_PLAINTEXT://127.0.0.1:0,PLAINTEXT://127.0.0.1:0",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": plain,
    }
    async with running_node(tmp_path, settings) as node:
        for index, sent, what in (
            (0, b"\0\0\0\4\0\x12\0\0", "set security.protocol=SASL_SSL in the client"),
            (1, b"\x16\x03\1\2\0", "this listener's security protocol is SASL_PLAINTEXT"),
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", node.settings.now.listeners[index].port)
            await stream.send_all(sent)
            assert await stream.receive_some() == b""
            await stream.aclose()
            (line,) = told(caplog)
            assert what in line


@trio_test
async def test_a_handshake_is_bounded_in_time_and_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    async with running_node(tmp_path, server_settings(), clock=clock) as node:
        silent = await trio.open_tcp_stream("127.0.0.1", port_of(node))
        slow = await trio.open_tcp_stream("127.0.0.1", port_of(node))
        await slow.send_all(b"\x16\x03\x01\x40\x00\x01")
        async with connect(node) as client:  # accepted after the other two
            await client.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
            clock.advance(HANDSHAKE_MS_MAX + 1)
            assert await silent.receive_some() == b""
            assert await slow.receive_some() == b""
            assert (await client.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)).error_code == 0
        lines = told(caplog)
        assert len(lines) == 2
        assert "no byte has come within 10 s" in lines[0]
        assert "it is not over within 10 s" in lines[1]
        flood = await trio.open_tcp_stream("127.0.0.1", port_of(node))
        # One record of the handshake after another, each a piece of a message that would have 16 MB.
        await flood.send_all(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")
        with suppress(trio.BrokenResourceError):
            await flood.send_all((b"\x16\x03\x01\x40\x00" + bytes(16_384)) * 64)
        assert await ended(flood)
        assert told(caplog)
        for stream in (silent, slow, flood):
            await stream.aclose()


@trio_test
async def test_a_listener_without_tls_is_served_beside_one_with_tls(tmp_path: Path) -> None:
    async with running_node(tmp_path, {**server_settings(), **PLAINTEXT_TOO}) as node:
        stream = await trio.open_tcp_stream("127.0.0.1", node.settings.now.listeners[1].port)
        client = Client(stream)
        plain = (await client.ask(MetadataRequest(topics=[]), MetadataResponse, 12)).brokers[0].port
        async with connect(node) as secure:
            assert (await secure.ask(MetadataRequest(topics=[]), MetadataResponse, 12)).brokers[0].port != plain
        await stream.aclose()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A key store that a test may change."""
    return Path(shutil.copy(certificates().path("server", ".pem"), tmp_path / "store.pem"))


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "WATCH_SECONDS", 0.01)


def put(store: Path, issued: Issued) -> None:
    store.write_text(issued.key_pem + issued.certificate_pem)


async def certificate_of(node: Node) -> bytes:
    async with connect(node) as client:
        assert isinstance(client.stream, trio.SSLStream)
        encoded: bytes = client.stream.getpeercert(binary_form=True)
        return encoded


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()


@trio_test
@pytest.mark.usefixtures("quick_watch")
async def test_a_store_that_changes_is_read_anew(store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Connections go on. What cannot be used, or would rename the node, changes nothing."""
    caplog.set_level(logging.INFO, "kafkapy.tls")

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "kafkapy.tls"]

    hosts = ["localhost", "127.0.0.1", "::1"]
    given = {**server_settings(), "ssl.keystore.location": str(store)}
    async with running_node(tmp_path / "data", given) as node, connect(node) as old:
        before = await certificate_of(node)
        renewed = certificates().authority.issue("server", hosts=hosts)
        put(store, renewed)
        await until(lambda: len(lines()) == 1)
        assert lines() == ["the TLS of listener SSL was loaded anew: the certificate of CN=server"]
        assert await certificate_of(node) == renewed.certificate != before
        assert (await old.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)).error_code == 0
        put(store, Issued("server", renewed.key, b""))
        await until(lambda: len(lines()) == 2)
        assert lines()[1].startswith("the TLS of listener SSL stays as it was: ssl.keystore.location has a certificate")
        another = certificates().authority.issue("other", hosts=hosts)
        put(store, another)
        await until(lambda: len(lines()) == 3)
        assert "Keystore DistinguishedName does not match:  existing={DN=CN=server}, new={DN=CN=other}" in lines()[2]
        fewer = certificates().authority.issue("server", hosts=["127.0.0.1"])
        put(store, fewer)
        await until(lambda: len(lines()) == 4)
        assert "Keystore SubjectAltNames do not match:" in lines()[3]
        past = datetime.now(UTC) - timedelta(days=2)
        expired = certificates().authority.issue("server", hosts=hosts, begins=past, ends=past + timedelta(days=1))
        put(store, expired)
        await until(lambda: len(lines()) == 5)
        assert "has expired" in lines()[4]
        assert await certificate_of(node) == renewed.certificate


@trio_test
@pytest.mark.usefixtures("quick_watch")
async def test_an_authority_that_is_taken_out_of_the_trust_store_counts_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does a session of TLS that its client has begun before. Until then a resumed one is of the same principal."""
    trusted = Path(shutil.copy(certificates().ca, tmp_path / "trusted.crt"))
    given = server_settings(ssl_client_auth="required", ssl_truststore_location=str(trusted))
    context = client_context("alice")
    async with running_node(tmp_path / "data", given) as node:

        def connect(session: ssl.SSLSession | None) -> ssl.SSLSocket:
            plain = socket.create_connection(("127.0.0.1", port_of(node)))
            client = context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
            client.sendall(bytes.fromhex("0000000a00120000000000 01ffff"))  # ApiVersions v0
            try:
                assert client.recv(4), "the node closes"
            except BaseException:
                client.close()
                raise
            return client

        with await trio.to_thread.run_sync(connect, None) as first:
            session = first.session
            with await trio.to_thread.run_sync(connect, session) as second:
                assert second.session_reused
                principals = [str(each.client.principal) for each in node.server.connections]
                assert principals == ["User:CN=alice"] * 2
            loaded = node.tls
            assert loaded is not None
            before = loaded.listener("SSL")
            await trio.to_thread.run_sync(trusted.write_text, other_authority().certificate_pem)
            await until(lambda: loaded.listener("SSL") is not before)
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await trio.to_thread.run_sync(connect, session)
            await until(lambda: bool(caplog.records))
            assert "the certificate of the peer is refused" in told(caplog)[0]
            first.sendall(bytes.fromhex("0000000a00120000000000 01ffff"))
            assert await trio.to_thread.run_sync(first.recv, 4), "who is connected goes on"


@trio_test
@pytest.mark.usefixtures("quick_watch")
async def test_names_may_change_where_that_is_allowed(store: Path, tmp_path: Path) -> None:
    """ssl.allow.dn.changes, ssl.allow.san.changes"""
    given = server_settings(ssl_allow_dn_changes="true", ssl_allow_san_changes="true")
    async with running_node(tmp_path / "data", {**given, "ssl.keystore.location": str(store)}) as node:
        other = certificates().authority.issue("other", hosts=["127.0.0.1"])
        put(store, other)
        while await certificate_of(node) != other.certificate:
            await trio.lowlevel.checkpoint()


async def alter(client: Client, name: str, value: str, *, validate_only: bool = False) -> tuple[int, str | None]:
    change = AlterableConfig(name=name, config_operation=0, value=value)
    resource = AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=[change])
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)
    (answer,) = (await client.ask(request, IncrementalAlterConfigsResponse)).responses
    return answer.error_code, answer.error_message


@trio_test
async def test_dynamic_settings_change_the_tls_of_a_listener(store: Path, tmp_path: Path) -> None:
    renewed = certificates().authority.issue("server", hosts=["localhost", "127.0.0.1", "::1"])
    put(store, renewed)
    prefix = "listener.name.ssl."
    async with running_node(tmp_path / "data", server_settings(ssl_client_auth="required")) as node:
        async with connect(node, client_context("alice")) as client:
            assert (await alter(client, f"{prefix}ssl.keystore.location", str(store)))[0] == ErrorCode.NONE
            wrong, why = await alter(client, f"{prefix}ssl.truststore.location", "/no/such/store")
            assert wrong == ErrorCode.INVALID_REQUEST
            assert why is not None
            assert why.startswith(
                "Validation of dynamic config update of SSLFactory failed: listener.name.ssl.ssl.trust"
            )
            not_by_listener, _ = await alter(client, "ssl.keystore.location", str(store))
            assert not_by_listener == ErrorCode.INVALID_REQUEST
            assert (await alter(client, f"{prefix}ssl.client.auth", "none"))[0] == ErrorCode.NONE
        while await refused(node, client_context()):
            await trio.lowlevel.checkpoint()
        assert await certificate_of(node) == renewed.certificate


@trio_test
async def test_a_long_key_is_used_in_a_worker_thread(tmp_path: Path) -> None:
    """Other connections do not wait for its signatures."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65_537, 3_072)
    certificate = certificates().authority.certify("long", key.public_key(), hosts=["127.0.0.1"])
    path = tmp_path / "long.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with path.open("a") as file:
        file.write(certificate)
    async with running_node(tmp_path / "data", {**server_settings(), "ssl.keystore.location": str(path)}) as node:
        assert node.tls is not None
        assert node.tls.listener("SSL").is_slow
        assert await principal(node) == "User:ANONYMOUS"
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(certificate_of, node)


def test_security_inter_broker_protocol_names_the_listener_of_nodes() -> None:
    """And its protocol; inter.broker.listener.name names one with any protocol."""
    own = {"listeners": "SSL://:1,PLAINTEXT://:2", "advertised.listeners": "SSL://h:1,PLAINTEXT://h:2"}
    settings = Settings({**own, "security.inter.broker.protocol": "SSL"})
    assert settings.inter_broker_listener_name == "SSL"
    assert settings.security_protocol(settings.inter_broker_listener_name) == "SSL"
