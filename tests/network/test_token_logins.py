"""OAUTHBEARER: tokens without signatures for development, and signed ones by the keys of an identity provider."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trio

from kafkapy.settings import Settings, SettingsError
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from tests.network.test_logins import clock_of, handshake, is_served, token
from tests.shell.running_node import BROKER, Client, connect, running_node, trio_test, until_parked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kafkapy.node import Node

BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
PREFIX = "listener.name.sasl_plaintext"
SETTINGS = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
    "sasl.enabled.mechanisms": "OAUTHBEARER",
    f"{PREFIX}.oauthbearer.sasl.jaas.config": f"{BEARER} required;",
    "connection.failed.authentication.delay.ms": "0",
}
SIGNED = {
    **SETTINGS,
    f"{PREFIX}.oauthbearer.sasl.server.callback.handler.class": HANDLER,
    "sasl.oauthbearer.jwks.endpoint.url": "http://127.0.0.1:1/jwks",
    "sasl.oauthbearer.expected.audience": "kafka",
    "sasl.oauthbearer.expected.issuer": "me",
}
INVALID = '{"status":"invalid_token"}'


@asynccontextmanager
async def node_with(directory: Path, **options: str) -> AsyncIterator[Node]:
    module = " ".join(f'{name}="{value}"' for name, value in options.items())
    given = {**SETTINGS, f"{PREFIX}.oauthbearer.sasl.jaas.config": f"{BEARER} required {module};"}
    async with running_node(directory, given) as node:
        yield node


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def unsecured(node: Node, header: object = None, **claims: object) -> str:
    now = node.clock.now_ms() / 1_000
    content = {"sub": "alice", "iat": now, "exp": now + 60, **claims}
    return f"{encoded(header or {'alg': 'none'})}.{encoded({k: v for k, v in content.items() if v is not None})}."


async def show(client: Client, shown: str, *, authorization_id: str = "") -> SaslAuthenticateResponse:
    """The last answer to a token: an error is acknowledged first."""
    await handshake(client, "OAUTHBEARER")
    begin = f"n,{authorization_id and f'a={authorization_id}'},"
    answer = await token(client, f"{begin}\x01auth=Bearer {shown}\x01\x01".encode())
    if answer.error_code or not answer.auth_bytes:
        return answer
    assert json.loads(answer.auth_bytes)["status"] in ("invalid_token", "insufficient_scope")
    return await token(client, b"\x01")


@trio_test
async def test_an_unsecured_token_says_who_a_client_is_and_until_when(tmp_path: Path) -> None:
    async with node_with(tmp_path) as node, connect(node) as client:
        answer = await show(client, unsecured(node), authorization_id="alice")
        assert (answer.error_code, answer.auth_bytes) == (0, b"")
        assert 50_000 < answer.session_lifetime_ms <= 60_000
        assert await is_served(client)
        (connection,) = node.server.connections
        assert str(connection.client.principal) == "User:alice"
        clock_of(node).advance(30_000)
        answer = await show(client, unsecured(node))  # a new token for the same user
        assert answer.session_lifetime_ms > 50_000
        clock_of(node).advance(70_000)
        await client.send(MetadataRequest(), answered=False)
        assert await client.closed_by_broker()


@trio_test
async def test_unsecured_tokens_that_are_none_are_refused(tmp_path: Path) -> None:
    async with node_with(tmp_path) as node:
        now = node.clock.now_ms() / 1_000
        for shown in (
            unsecured(node, exp=now - 1),
            unsecured(node, exp=None),
            unsecured(node, exp="soon"),
            unsecured(node, exp=True),
            unsecured(node, exp=1e300),
            unsecured(node, exp=10**400),
            unsecured(node, iat=-(10**400)),
            unsecured(node, exp=float("nan")),
            unsecured(node, iat=now + 100),
            unsecured(node, sub=None),
            unsecured(node, sub=7),
            unsecured(node, sub=""),
            unsecured(node, sub="x" * 2_000),
            unsecured(node, sub="half a pair: \ud800"),
            unsecured(node, {"alg": "HS256"}),
            unsecured(node) + "signature",
            unsecured(node, scope=7),
            "a.b.",
            "a.b",
            "....",
            f"{encoded([])}.{encoded({})}.",
            f"{encoded({'alg': 'none'})}.{'WW' * 20_000}.",
        ):
            async with connect(node) as client:
                answer = await show(client, shown)
                assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED, shown[:100]
                assert answer.error_message == INVALID
                assert await client.closed_by_broker()
        assert not node.bugs.kept


@trio_test
async def test_options_of_the_login_module_say_what_is_checked(tmp_path: Path) -> None:
    options = {
        "unsecuredValidatorPrincipalClaimName": "name",
        "unsecuredValidatorRequiredScope": "read write",
        "unsecuredValidatorScopeClaimName": "scp",
        "unsecuredValidatorAllowableClockSkewMs": "5000",
    }
    async with node_with(tmp_path, **options) as node:
        now = node.clock.now_ms() / 1_000
        async with connect(node) as client:
            answer = await show(client, unsecured(node, name="bob", scp=["write", "read"], exp=now - 2, iat=now - 60))
            assert answer.error_code == 0, answer
        async with connect(node) as client:
            answer = await show(client, unsecured(node, name="bob", scp="read"))
            assert answer.error_message == '{"status":"insufficient_scope", "scope":"read write"}'
        async with connect(node) as client:
            answer = await show(client, unsecured(node, name="bob", scp="read write"), authorization_id="eve")
            assert answer.error_message == (
                "Authentication failed: Client requested an authorization id (eve) that is different from the token's "
                "principal name (bob)"
            )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        b"n,,\x01\x01",
        b"n,,\x01auth=Basic x\x01\x01",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01x=y\x01\x01",
        b"x" * 300_000,
    ],
)
def test_first_messages_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    @trio_test
    async def run() -> None:
        async with node_with(tmp_path) as node, connect(node) as client:
            await handshake(client, "OAUTHBEARER")
            answer = await token(client, content)
            assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
            assert "due to invalid credentials with SASL mechanism OAUTHBEARER" in (answer.error_message or "")
            assert await client.closed_by_broker()

    run()


@trio_test
async def test_signed_tokens_are_checked_by_the_keys_of_the_provider(tmp_path: Path) -> None:
    pytest.importorskip("jwt")
    from kafkapy.testing import IdentityProvider

    with IdentityProvider() as provider, IdentityProvider() as other:
        settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
        settings["connection.failed.authentication.delay.ms"] = "0"
        async with running_node(tmp_path, settings) as node:

            async def refusal(shown: str) -> str | None:
                async with connect(node) as client:
                    return (await show(client, shown)).error_message

            assert await refusal(provider.token("alice")) == ""
            assert await refusal(provider.token("alice", aud=["other", "kafka"])) == ""
            for shown in (
                provider.token("alice", aud="other"),
                provider.token("alice", iss="other"),
                provider.token("alice", lifetime_seconds=-60),
                provider.token("alice", iat=time.time() + 120),
                provider.token("alice", nbf=time.time() + 120),
                provider.token("alice", iat=None),
                provider.token(""),
                other.token("alice", iss=provider.issuer),
                provider.token("alice")[:-9] + "AAAAAAAAA",
                unsecured(node),
                "a.b.c",
            ):
                assert await refusal(shown) == INVALID
            skewed = provider.token("alice", lifetime_seconds=-10, iat=time.time() - 60)
            assert await refusal(skewed) == ""  # the clocks may differ by 30 s
            assert not node.bugs.kept


@trio_test
async def test_which_claims_say_who_and_what_for(tmp_path: Path) -> None:
    """By sasl.oauthbearer.sub.claim.name and sasl.oauthbearer.scope.claim.name, and within the clock skew alone."""
    pytest.importorskip("jwt")
    from kafkapy.testing import IdentityProvider

    with IdentityProvider() as provider:
        settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
        settings |= {
            "connection.failed.authentication.delay.ms": "0",
            "sasl.oauthbearer.sub.claim.name": "client",
            "sasl.oauthbearer.scope.claim.name": "scp",
            "sasl.oauthbearer.clock.skew.seconds": "0",
        }
        async with running_node(tmp_path, settings) as node:
            for shown, told in (
                (provider.token("x", client="bob", scp=["a"]), ""),
                (provider.token("x"), INVALID),
                (provider.token("x", client="bob", scp=7), INVALID),
                (provider.token("x", client="bob", lifetime_seconds=-10, iat=0), INVALID),
            ):
                async with connect(node) as client:
                    assert (await show(client, shown)).error_message == told
                    if not told:
                        (connection,) = node.server.connections
                        assert str(connection.client.principal) == "User:bob"


@trio_test
async def test_a_change_of_other_settings_forgets_no_keys(tmp_path: Path) -> None:
    """Else nobody could log in after it while the provider cannot be reached."""
    pytest.importorskip("jwt")
    from kafkapy.testing import IdentityProvider

    with IdentityProvider() as provider:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps(provider.jwks()))
        settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
        settings["sasl.oauthbearer.jwks.endpoint.url"] = file.as_uri()
        settings["connection.failed.authentication.delay.ms"] = "0"
        async with running_node(tmp_path / "data", settings) as node:
            broker = str(node.node_id)
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_code == 0
                file.unlink()
                await client.alter_config(BROKER, broker, "log.retention.ms", "1000000")
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_code == 0
                name = f"{PREFIX}.oauthbearer.sasl.oauthbearer.expected.audience"
                await client.alter_config(BROKER, broker, name, "other")
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_message == INVALID


@trio_test
async def test_a_jwks_is_read_again_for_a_new_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jwt")
    from kafkapy.security.sasl import jwks
    from kafkapy.testing import IdentityProvider

    monkeypatch.setattr(jwks, "UNKNOWN_KEYS_SECONDS", 0.0)
    monkeypatch.setattr(jwks, "SAME_KEY_SECONDS", 0.0)
    with IdentityProvider() as provider:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps(provider.jwks()))
        settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
        settings["sasl.oauthbearer.jwks.endpoint.url"] = file.as_uri()
        settings["connection.failed.authentication.delay.ms"] = "0"
        async with running_node(tmp_path / "data", settings) as node:
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_code == 0
            provider.forget_keys()
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_message == INVALID
            file.write_text(json.dumps(provider.jwks()))
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_code == 0
            # A key that is known is believed until sasl.oauthbearer.jwks.endpoint.refresh.ms have passed.
            forgotten = provider.token("alice")
            provider.forget_keys()
            file.write_text(json.dumps(provider.jwks()))
            async with connect(node) as client:
                assert (await show(client, forgotten)).error_code == 0
        settings["sasl.oauthbearer.jwks.endpoint.refresh.ms"] = "0"
        async with running_node(tmp_path / "other", settings) as node:
            for shown, code in ((provider.token("alice"), 0), (forgotten, ErrorCode.SASL_AUTHENTICATION_FAILED)):
                async with connect(node) as client:
                    assert (await show(client, shown)).error_code == code


@trio_test
async def test_a_provider_that_answers_without_end_is_waited_for_as_long_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then, so that no read of the socket takes too long. Keys that are known are used meanwhile."""
    pytest.importorskip("jwt")
    from kafkapy.security.sasl import jwks
    from kafkapy.testing import IdentityProvider

    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.2)
    with IdentityProvider() as provider, endless_answer() as url:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps(provider.jwks()))
        settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
        settings |= {
            "sasl.oauthbearer.jwks.endpoint.url": file.as_uri(),
            "sasl.oauthbearer.jwks.endpoint.refresh.ms": "0",
            "connection.failed.authentication.delay.ms": "0",
        }
        fetched = jwks._fetched
        async with running_node(tmp_path / "data", settings) as node:
            async with connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_code == 0
            monkeypatch.setattr(jwks, "_fetched", lambda _: fetched(url))
            # The first one has the keys fetched, in vain; the others do not wait for that.
            async with connect(node) as first, connect(node) as client:
                await handshake(first, "OAUTHBEARER")
                shown = f"n,,\x01auth=Bearer {provider.token('alice')}\x01\x01".encode()
                await first.send(SaslAuthenticateRequest(auth_bytes=shown))
                assert (await show(client, provider.token("alice"))).error_code == 0
                assert (await first.receive(SaslAuthenticateResponse)).error_code == 0
            for _ in range(2):  # an earlier fetch may still be under way
                async with connect(node) as client:
                    assert (await show(client, provider.token("alice"))).error_code == 0
        async with running_node(tmp_path / "other", settings) as node, connect(node) as client:
            assert (await show(client, provider.token("alice"))).error_message == INVALID
        monkeypatch.setattr(jwks, "FETCH_SECONDS", 3_600.0)
        async with running_node(tmp_path / "third", settings) as node, connect(node) as client:
            await handshake(client, "OAUTHBEARER")
            await client.send(SaslAuthenticateRequest(auth_bytes=shown))
            await until_parked(node)  # and the node stops without waiting for the keys


@trio_test
async def test_a_provider_that_does_not_speak_http_is_no_bug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("jwt")
    from kafkapy.testing import IdentityProvider

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"SSH-2.0-x\r\n\r\n")

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        with IdentityProvider() as provider:
            settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", **provider.settings("SASL_PLAINTEXT")}
            settings["sasl.oauthbearer.jwks.endpoint.url"] = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
            settings["connection.failed.authentication.delay.ms"] = "0"
            async with running_node(tmp_path, settings) as node, connect(node) as client:
                assert (await show(client, provider.token("alice"))).error_message == INVALID
                assert not node.bugs.kept
        nursery.cancel_scope.cancel()
    assert "the JWKS cannot be had" in caplog.text


@contextmanager
def endless_answer() -> Iterator[str]:
    """The URL of a server that answers with a byte every 20 ms."""
    over = threading.Event()

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.02):
                    self.wfile.write(b" ")

        def log_message(self, _format: str, *_arguments: object) -> None:
            """To nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@trio_test
async def test_a_key_that_nobody_has_is_not_looked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are, once a second at most, so that a provider can change its key at any time."""
    pytest.importorskip("jwt")
    from kafkapy.security.sasl import jwks
    from kafkapy.security.sasl.oauthbearer import InvalidToken
    from kafkapy.settings.sasl import jwks_settings
    from kafkapy.testing import IdentityProvider

    fetched: list[str] = []
    now = [1_000.0]
    original = jwks._fetched

    def counted(url: str) -> Any:
        fetched.append(url)
        return original(url)

    monkeypatch.setattr(jwks, "_fetched", counted)
    monkeypatch.setattr("kafkapy.security.sasl.jwks.time.monotonic", lambda: now[0])
    with IdentityProvider() as provider:
        given = Settings({**SIGNED, **provider.settings("SASL_PLAINTEXT")})
        validator = jwks.JwksValidator(jwks_settings(given, "SASL_PLAINTEXT"), lambda: time.time() * 1_000)

        async def shown(token: str) -> str | None:
            try:
                return (await validator.validate(token)).name
            except InvalidToken:
                return None

        async def looked_for(key_id: str, seconds_later: float) -> int:
            """How often the JWKS has been read when a token with this key was shown."""
            now[0] += seconds_later
            header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": key_id}).encode()).decode()
            assert await shown(f"{header.rstrip('=')}.e30.AAAA") is None
            return len(fetched)

        assert await shown(provider.token("alice")) == "alice"
        assert len(fetched) == 1
        assert await looked_for("a", 0.5) == 1
        assert await looked_for("b", 0.6) == 2
        assert await looked_for("b", 2) == 2
        assert await looked_for("a", 0) == 3
        for _ in range(2):
            provider.forget_keys()
            now[0] += 2
            assert await shown(provider.token("alice")) == "alice"
        assert await looked_for("b", 5) == 6
        for number in range(2 * jwks.MISSING_KEYS_MAX):
            assert await looked_for(f"nobodys-{number}", 2) == 7 + number
        assert len(validator._missing) == jwks.MISSING_KEYS_MAX


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sasl.oauthbearer.jwks.endpoint.url", "", "sasl.oauthbearer.jwks.endpoint.url has to be set"),
        ("sasl.oauthbearer.jwks.endpoint.url", "ftp://x", "does not begin with https://, http:// or file:/"),
        ("sasl.oauthbearer.expected.audience", "", "sasl.oauthbearer.expected.audience has to be set"),
        ("sasl.oauthbearer.jwt.validator.class", "com.acme.V", "com.acme.V is a Java class, which cannot be run"),
    ],
)
def test_settings_by_which_tokens_of_others_would_be_believed_are_refused(name: str, value: str, told: str) -> None:
    Settings(SIGNED)
    with pytest.raises(SettingsError) as caught:
        Settings({**SIGNED, name: value})
    assert told in str(caught.value)
    without: dict[str, Any] = {key: text for key, text in SIGNED.items() if key != "sasl.oauthbearer.expected.issuer"}
    Settings({**SIGNED, "sasl.oauthbearer.expected.audience": "", "sasl.oauthbearer.allow.unverified.audience": "true"})
    with pytest.raises(SettingsError, match=r"sasl\.oauthbearer\.allow\.unverified\.issuer=true"):
        Settings(without)
    Settings({**without, "sasl.oauthbearer.allow.unverified.issuer": "true"})
