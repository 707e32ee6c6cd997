"""Connections on a listener with SASL: what may come before authentication, and what each login is answered."""

from __future__ import annotations

import gc
import logging
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from kafkapy.cli import main
from kafkapy.clock import ManualClock
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl import scram
from tests.shell.running_node import BROKER, SIZE, Client, connect, running_node, trio_test, until_parked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kafkapy.node import Node
    from kafkapy_wire.message import Message

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PREFIX = "listener.name.sasl_plaintext"
VERSIONS = ApiVersionsRequest(client_software_name="a-test", client_software_version="1")
SETTINGS = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    f"{PREFIX}.plain.sasl.jaas.config": f'{PLAIN} required user_alice="secret" user_bob="b";',
    f"{PREFIX}.scram-sha-256.sasl.jaas.config": f"{SCRAM} required;",
    f"{PREFIX}.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
}
DELAY_MS = 100
LOGINS = 20


@asynccontextmanager
async def node_with_logins(directory: Path, **settings: str) -> AsyncIterator[Node]:
    given = {**SETTINGS, **{name.replace("__", "-").replace("_", "."): value for name, value in settings.items()}}
    given = {name.replace("sasl.plaintext", "sasl_plaintext"): value for name, value in given.items()}
    async with running_node(directory, given, clock=ManualClock(frozen=True)) as node:
        yield node


async def handshake(client: Client, mechanism: str = "PLAIN", version: int = 1) -> SaslHandshakeResponse:
    return await client.ask(SaslHandshakeRequest(mechanism=mechanism), SaslHandshakeResponse, version)


async def token(client: Client, content: bytes) -> SaslAuthenticateResponse:
    return await client.ask(SaslAuthenticateRequest(auth_bytes=content), SaslAuthenticateResponse)


async def log_in(client: Client, name: str = "alice", password: str = "secret") -> SaslAuthenticateResponse:
    await handshake(client)
    answer = await token(client, f"\0{name}\0{password}".encode())
    assert answer.error_code == ErrorCode.NONE, answer
    return answer


async def is_served(client: Client) -> bool:
    answer = await client.ask(MetadataRequest(topics=[]), MetadataResponse)
    return bool(answer.brokers)


def clock_of(node: Node) -> ManualClock:
    assert isinstance(node.clock, ManualClock)
    return node.clock


def timers_of(node: Node) -> int:
    """How many are to fire."""
    return sum(timer.pending for *_, timer in clock_of(node)._timers._timers)


@trio_test
async def test_a_client_that_has_authenticated_is_served_as_its_user(tmp_path: Path) -> None:
    async with node_with_logins(tmp_path) as node, connect(node) as client:
        assert (await client.ask(VERSIONS, ApiVersionsResponse)).error_code == ErrorCode.NONE
        shaken = await handshake(client)
        assert (shaken.error_code, shaken.mechanisms) == (0, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        answer = await token(client, b"\0alice\0secret")
        assert (answer.error_code, answer.error_message, answer.auth_bytes, answer.session_lifetime_ms) == (
            *(0, "", b""),
            0,
        )
        assert await is_served(client)
        (connection,) = node.server.connections
        assert str(connection.client.principal) == "User:alice"
        # As on a listener without SASL, from now on.
        assert (await handshake(client)).error_code == ErrorCode.ILLEGAL_SASL_STATE
        late = await token(client, b"")
        assert late.error_code == ErrorCode.ILLEGAL_SASL_STATE
        assert late.error_message == "SaslAuthenticate request received after successful authentication"
        assert (await client.ask(VERSIONS, ApiVersionsResponse)).error_code == ErrorCode.NONE


@trio_test
async def test_where_there_is_no_sasl_it_is_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for version in (0, 1):
            answer = await handshake(client, version=version)
            assert (answer.error_code, answer.mechanisms) == (ErrorCode.ILLEGAL_SASL_STATE, [])
        assert (await token(client, b"")).error_code == ErrorCode.ILLEGAL_SASL_STATE
        assert await is_served(client)


@trio_test
async def test_nothing_else_is_served_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with node_with_logins(tmp_path) as node:
        async with connect(node) as client:
            await client.send(MetadataRequest(), answered=False)
            assert await client.closed_by_broker()
        async with connect(node) as client:  # a token before the mechanism
            await client.send(SaslAuthenticateRequest(), answered=False)
            assert await client.closed_by_broker()
        async with connect(node) as client:  # ApiVersions a second time
            await client.ask(VERSIONS, ApiVersionsResponse)
            await client.send(VERSIONS, answered=False)
            assert await client.closed_by_broker()
        async with connect(node) as client:  # in the place of a token: it is answered, late
            await handshake(client)
            await client.send(MetadataRequest(topics=[MetadataRequestTopic(name="a")]), 12)
            await until_parked(node)
            clock_of(node).advance(DELAY_MS)
            told = await client.receive(MetadataResponse)
            assert [topic.error_code for topic in told.topics] == [ErrorCode.ILLEGAL_SASL_STATE]
            assert await client.closed_by_broker()
        async with connect(node) as client:
            await handshake(client)
            await client.send(SaslHandshakeRequest(mechanism="PLAIN"), 1)
            await until_parked(node)
            clock_of(node).advance(DELAY_MS)
            assert (await client.receive(SaslHandshakeResponse)).error_code == ErrorCode.ILLEGAL_SASL_STATE
            assert await client.closed_by_broker()
        async with connect(node) as client:  # bytes that are no request
            await handshake(client)
            await client.stream.send_all(SIZE.pack(8) + b"\0alice\0s")
            assert await client.closed_by_broker()
    assert "METADATA came before authentication: listener SASL_PLAINTEXT has SASL" in caplog.text
    assert "Unexpected Kafka request of type METADATA during SASL authentication." in caplog.text


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\0alice\0wrong", "Authentication failed: Invalid username or password"),
        (b"\0nobody\0wrong", "Authentication failed: Invalid username or password"),
        (b"\0nobody\0nobody", "Authentication failed: Invalid username or password"),
        (b"\0\0secret", "Authentication failed: username not specified"),
        (b"\0alice\0", "Authentication failed: password not specified"),
        (b"", "Invalid SASL/PLAIN response: expected 3 tokens, got 1"),
        (b"\0\0\0\0", "Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
        (
            b"bob\0alice\0secret",
            "Authentication failed: Client requested an authorization id that is different from username",
        ),
    ],
)
def test_a_refused_login_is_answered_late_and_is_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, shown: str
) -> None:
    caplog.set_level(logging.INFO)

    @trio_test
    async def run() -> None:
        async with node_with_logins(tmp_path) as node, connect(node) as client:
            await handshake(client)
            await client.send(SaslAuthenticateRequest(auth_bytes=content))
            with trio.move_on_after(0) as early:
                await client.receive_frame()
            await trio.testing.wait_all_tasks_blocked()
            (connection,) = node.server.connections
            assert early.cancelled_caught
            assert connection.busy
            clock_of(node).advance(DELAY_MS)
            answer = await client.receive(SaslAuthenticateResponse)
            assert (answer.error_code, answer.error_message) == (ErrorCode.SASL_AUTHENTICATION_FAILED, shown)
            assert await client.closed_by_broker()

    run()
    lines = [record.getMessage() for record in caplog.records if record.name == "kafkapy.audit"]
    assert len(lines) == 1
    assert lines[0].startswith("refused authentication: mechanism=PLAIN")
    assert f"host=127.0.0.1 listener=SASL_PLAINTEXT reason={shown!r}" in lines[0]
    assert "secret" not in caplog.text
    assert "wrong" not in caplog.text


REFUSED = {
    "wrong password": (SaslHandshakeRequest(mechanism="PLAIN"), SaslAuthenticateRequest(auth_bytes=b"\0alice\0wrong")),
    "unknown mechanism": (SaslHandshakeRequest(mechanism="NONE"),),
    "no token": (SaslHandshakeRequest(mechanism="PLAIN"), MetadataRequest()),
}


@pytest.mark.parametrize("requests", REFUSED.values(), ids=list(REFUSED))
def test_who_does_not_wait_for_a_refusal_leaves_nothing_behind(tmp_path: Path, requests: tuple[Message, ...]) -> None:
    """The delay may be minutes, and whoever guesses passwords hangs up."""

    @trio_test
    async def run() -> None:
        async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="500000") as node:
            timers = timers_of(node)
            left = []
            for _ in range(LOGINS):
                async with connect(node) as client:
                    for request in requests:
                        await client.send(request, 1)
                    await until_parked(node)
                    (connection,) = node.server.connections
                    assert connection.client.authenticator is not None
                    left.append(weakref.ref(connection.client.authenticator))
                    del connection
                await trio.testing.wait_all_tasks_blocked()
                assert not node.server.connections
            gc.collect()
            assert not [one for one in left[:-1] if one() is not None]  # a local of some frame may have the last one
            assert timers_of(node) < timers + LOGINS
            assert not node.bugs.kept

    run()


@trio_test
async def test_an_unknown_mechanism_is_answered_with_those_that_are_enabled(tmp_path: Path) -> None:
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
        for version in (0, 1):
            async with connect(node) as client:
                answer = await handshake(client, "GSSAPI", version)
                assert answer.error_code == ErrorCode.UNSUPPORTED_SASL_MECHANISM
                assert answer.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
                assert await client.closed_by_broker()


@trio_test
async def test_after_handshake_v0_tokens_are_frames_without_header(tmp_path: Path) -> None:
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
        async with connect(node) as client:
            await handshake(client, version=0)
            content = b"\0alice\0secret"
            await client.stream.send_all(SIZE.pack(len(content)) + content)
            assert bytes(await client.receive_frame()) == b""
            assert await is_served(client)
        async with connect(node) as client:
            await handshake(client, version=0)
            await client.stream.send_all(SIZE.pack(3) + b"\0a\0")
            assert await client.closed_by_broker()


def format_with_users(directory: Path, *users: str) -> None:
    """As `kafka-storage format --add-scram` does: `SCRAM-SHA-256=[name=alice,password=secret]`."""
    added = [argument for each in users for argument in ("--add-scram", each)]
    assert main(["format", "-t", "a-cluster", "--data-dir", str(directory), *added]) == 0


async def scram_login(
    client: Client, mechanism: str, name: str, password: str, *, more: str = "", nonce_prefix: str = ""
) -> tuple[scram.ServerFirst, SaslAuthenticateResponse, bool]:
    """What the server says first, its last answer, and whether it has proved that it knows the user."""
    await handshake(client, mechanism)
    bare = f"n={scram.sasl_name(name)},r=abc{more}"
    first_answer = await token(client, f"n,,{bare}".encode())
    assert first_answer.error_code == 0, first_answer
    first = scram.parse_server_first(first_answer.auth_bytes)
    assert first.nonce.startswith("abc")
    hash_name = scram.HASHES[mechanism]
    salted = scram.salted_password(hash_name, password.encode(), first.salt, first.iterations)
    before = f"c={scram.NO_CHANNEL_BINDING},r={nonce_prefix}{first.nonce}"
    message = f"{bare},{str(first_answer.auth_bytes, 'ascii')},{before}".encode()
    proof = scram.client_proof(hash_name, salted, message)
    answer = await token(client, f"{before},p={scram.base64_text(proof)}".encode())
    keys = scram.keys_of(hash_name, salted, first.salt, first.iterations)
    signature = scram.server_signature(hash_name, keys.server_key, message)
    proved = answer.error_code == 0 and scram.parse_server_final(answer.auth_bytes)[0] == signature
    return first, answer, proved


@trio_test
async def test_a_client_that_sends_its_nonce_twice_is_to_be_updated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As librdkafka before 2.6.1 does: Apache Kafka refuses it, too."""
    format_with_users(tmp_path, "SCRAM-SHA-256=[name=carol,password=pw]")
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node, connect(node) as old:
        _, answer, _ = await scram_login(old, "SCRAM-SHA-256", "carol", "pw", nonce_prefix="abc")
        assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
        assert "Update the client: librdkafka before 2.6.1" in caplog.text


@trio_test
async def test_scram_users_of_the_metadata_log_in(tmp_path: Path) -> None:
    users = "SCRAM-SHA-256=[name=carol,password=pw]", "SCRAM-SHA-512=[name=carol,password=pw512]"
    format_with_users(tmp_path, *users)
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
        for mechanism, password in (("SCRAM-SHA-256", "pw"), ("SCRAM-SHA-512", "pw512")):
            async with connect(node) as client:
                _, answer, proved = await scram_login(client, mechanism, "carol", password)
                assert proved, answer
                assert await is_served(client)
                (connection,) = [each for each in node.server.connections if not each.busy]
                assert str(connection.client.principal) == "User:carol"


@trio_test
async def test_nothing_tells_an_unknown_scram_user_from_a_wrong_password(tmp_path: Path) -> None:
    format_with_users(tmp_path, "SCRAM-SHA-256=[name=carol,password=pw]")
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
        seen = []
        for name in ("carol", "nobody", "nobody", "no,b=dy"):
            async with connect(node) as client:
                first, answer, _ = await scram_login(client, "SCRAM-SHA-256", name, "wrong")
                assert await client.closed_by_broker()
                seen.append((first.iterations, answer.error_code, answer.error_message, answer.auth_bytes))
                if name == "nobody":
                    salt = first.salt
        assert set(seen) == {
            (
                *(4096, ErrorCode.SASL_AUTHENTICATION_FAILED),
                (
                    "Authentication failed during authentication due to invalid credentials with SASL mechanism "
                    "SCRAM-SHA-256"
                ),
                b"",
            )
        }
        async with connect(node) as client:  # the salt of a user does not change from login to login
            assert (await scram_login(client, "SCRAM-SHA-256", "nobody", "x"))[0].salt == salt


@pytest.mark.parametrize(
    "content", [b"", b"n,,n=,r=a", b"y,,n=a,r=b", b"n,,n=a", "n,,n=ä,r=b".encode(), b"p=tls,,n=a,r=b", b"\xff" * 70_000]
)
def test_scram_messages_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    @trio_test
    async def run() -> None:
        async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
            async with connect(node) as client:
                await handshake(client, "SCRAM-SHA-256")
                answer = await token(client, content)
                assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
                assert await client.closed_by_broker()
            assert not node.bugs.kept

    run()


@trio_test
async def test_a_frame_before_the_login_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with node_with_logins(tmp_path, sasl_server_max_receive_size="1000") as node:
        async with connect(node) as client:
            await client.stream.send_all(SIZE.pack(1001))
            assert await client.closed_by_broker()
        assert "a request of 1001 bytes was announced, 1000 are the most" in caplog.text
        async with connect(node) as client:  # and afterwards no more than others
            await log_in(client)
            await client.create_topic("t")
            await client.produce("t", b"x" * 5_000)


@trio_test
async def test_a_client_that_does_not_log_in_is_dropped(tmp_path: Path) -> None:
    async with node_with_logins(tmp_path) as node, connect(node) as client, connect(node) as late:
        await log_in(client)
        await late.ask(VERSIONS, ApiVersionsResponse)
        clock_of(node).advance(60_000)
        assert await late.closed_by_broker()
        assert await is_served(client)


@trio_test
async def test_a_session_ends_unless_the_client_authenticates_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """KIP-368."""
    async with node_with_logins(tmp_path, connections_max_reauth_ms="10000") as node:
        async with connect(node) as client:
            assert (await log_in(client)).session_lifetime_ms == 10_000
            assert await is_served(client)
            clock_of(node).advance(9_000)
            assert (await log_in(client)).session_lifetime_ms == 10_000
            clock_of(node).advance(9_000)
            assert await is_served(client)
            clock_of(node).advance(2_000)
            await client.send(MetadataRequest(), answered=False)
            assert await client.closed_by_broker()
        assert "the session of User:alice has ended" in caplog.text
        async with connect(node) as client:  # one that comes too late, but comes, is served on
            await log_in(client)
            clock_of(node).advance(20_000)
            await log_in(client)
            assert await is_served(client)
            assert (await handshake(client)).error_code == ErrorCode.ILLEGAL_SASL_STATE  # sooner than after a second


@trio_test
async def test_who_authenticates_again_stays_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with node_with_logins(
        tmp_path, connections_max_reauth_ms="10000", connection_failed_authentication_delay_ms="0"
    ) as node:
        async with connect(node) as client:
            await log_in(client)
            await handshake(client)
            answer = await token(client, b"\0bob\0b")
            assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
            assert answer.error_message == (
                "Cannot change principals during re-authentication from User.alice: User.bob"
            )
            assert await client.closed_by_broker()
        async with connect(node) as client:
            await log_in(client)
            assert (await handshake(client, "SCRAM-SHA-256")).error_code == 0
            await client.send(SaslAuthenticateRequest(auth_bytes=b"n,,n=alice,r=b"), answered=False)
            assert await client.closed_by_broker()
        async with connect(node) as client:
            await log_in(client)
            await handshake(client)
            answer = await token(client, b"\0alice\0wrong")
            assert answer.error_message == "Authentication failed: Invalid username or password"
            assert await client.closed_by_broker()
    assert "requested by client is not supported for re-authentication of mechanism 'PLAIN'" in caplog.text
    assert "refused re-authentication: mechanism=PLAIN user='bob'" in caplog.text


@trio_test
async def test_who_was_removed_cannot_authenticate_again(tmp_path: Path) -> None:
    """Nor by a mechanism that is not enabled any more; who was not goes on, also with another password."""
    name, broker = f"{PREFIX}.plain.sasl.jaas.config", "1"
    async with (
        node_with_logins(
            tmp_path, connections_max_reauth_ms="10000", connection_failed_authentication_delay_ms="0"
        ) as node,
        connect(node) as client,
        connect(node) as other,
        connect(node) as third,
    ):
        await log_in(client)
        await log_in(third)
        await log_in(other, "bob", "b")
        await other.alter_config(BROKER, broker, name, f'{PLAIN} required user_bob="new";')
        await handshake(client)
        assert (await token(client, b"\0alice\0secret")).error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
        assert await client.closed_by_broker()
        await log_in(other, "bob", "new")
        assert await is_served(other)
        await other.alter_config(BROKER, broker, f"{PREFIX}.sasl.enabled.mechanisms", "SCRAM-SHA-256")
        answer = await handshake(third)
        assert (answer.error_code, answer.mechanisms) == (
            ErrorCode.UNSUPPORTED_SASL_MECHANISM,
            ["SCRAM-SHA-256"],
        )


@trio_test
async def test_one_mechanism_may_have_sessions_of_its_own(tmp_path: Path) -> None:
    own = {"listener_name_sasl_plaintext_plain_connections_max_reauth_ms": "5000"}
    async with node_with_logins(tmp_path, connections_max_reauth_ms="10000", **own) as node, connect(node) as client:
        assert (await log_in(client)).session_lifetime_ms == 5_000


async def nothing_shorter_than_a_login(client: Client, broker: str) -> None:
    """A bound that no login meets would lock everybody out for good."""
    name = f"{PREFIX}.sasl.server.max.receive.size"
    for value in ("-1", "0", "100"):
        config = AlterableConfig(name=name, config_operation=0, value=value)
        resource = AlterConfigsResource(resource_type=BROKER, resource_name=broker, configs=[config])
        answer = await client.ask(IncrementalAlterConfigsRequest(resources=[resource]), IncrementalAlterConfigsResponse)
        assert answer.responses[0].error_code == ErrorCode.INVALID_REQUEST
        assert f"with {name}={value} no client could connect any more" in (answer.responses[0].error_message or "")


@trio_test
async def test_users_may_be_changed_while_a_node_runs(tmp_path: Path) -> None:
    """By the listener's dynamic sasl.jaas.config; no answer and no line of the log shows it."""
    name = f"{PREFIX}.plain.sasl.jaas.config"
    async with node_with_logins(tmp_path, connection_failed_authentication_delay_ms="0") as node:
        async with connect(node) as client:
            await log_in(client)
            await client.alter_config(BROKER, str(node.node_id), name, f'{PLAIN} required user_carol="changed";')
            request = DescribeConfigsRequest(
                resources=[DescribeConfigsResource(resource_type=BROKER, resource_name=str(node.node_id))]
            )
            described = await client.ask(request, DescribeConfigsResponse)
            configs = {config.name: config for config in described.results[0].configs}
            assert configs[name].is_sensitive
            assert configs[name].value is None
            assert "changed" not in repr(described)
            refused = AlterableConfig(name=name, config_operation=0, value=f"{PLAIN} required user_carol=")
            resource = AlterConfigsResource(resource_type=BROKER, resource_name=str(node.node_id), configs=[refused])
            answer = await client.ask(
                IncrementalAlterConfigsRequest(resources=[resource]), IncrementalAlterConfigsResponse
            )
            assert answer.responses[0].error_code == ErrorCode.INVALID_REQUEST
            await nothing_shorter_than_a_login(client, str(node.node_id))
            assert await is_served(client)  # who has logged in goes on
        async with connect(node) as client:
            await log_in(client, "carol", "changed")
        async with connect(node) as client:
            await handshake(client)
            assert (await token(client, b"\0alice\0secret")).error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
