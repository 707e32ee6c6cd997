"""The tokens of a node: when they are fetched, how, and what becomes of failures."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, cast

import pytest

from kafkapy.security.sasl import node_tokens
from kafkapy.security.sasl.node_tokens import NodeToken, NodeTokens, fetched, parsed, refresh_time
from kafkapy.settings.token_endpoint import TokenEndpoint, TokenRefresh
from kafkapy_wire.sasl.client import LoginFailed, unsecured_token

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from pathlib import Path

ENDPOINT = TokenEndpoint("http://127.0.0.1:1/token", "node", "s3cret", "", 5.0, (), "sasl.jaas.config")
REFRESH = TokenRefresh(0.8, 0.0, 60, 300, 1.0, 8.0)
SUBJECT = {"unsecuredLoginStringClaim_sub": "node"}


class Lab:
    def __init__(self, lifetime_seconds: float = 100.0) -> None:
        self.now = 1_000.0
        self.lifetime_seconds = lifetime_seconds
        self.failure: Exception | None = None
        self.count = 0
        self.tokens = NodeTokens(ENDPOINT, REFRESH, lambda: self.now, self.fetch)

    def fetch(self, _endpoint: TokenEndpoint) -> str:
        self.count += 1
        if self.failure is not None:
            raise self.failure
        return unsecured_token({**SUBJECT, "unsecuredLoginLifetimeSeconds": str(self.lifetime_seconds)}, self.now)

    def count_after(self, seconds: float) -> int:
        """How many tokens were fetched, when one is asked for so much later."""
        self.now += seconds
        self.tokens.token()
        return self.count


def test_a_token_is_kept_until_it_is_time_to_renew_it() -> None:
    lab = Lab()
    assert [lab.count_after(seconds) for seconds in (0, 79, 2, 79, 2)] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("life", "after"),
    [
        (100.0, 80.0),  # shorter than the buffer and the shortest period: both are passed over
        (3_600.0, 2_880.0),
        (1_000.0, 700.0),  # 300 seconds before its end
        (361.0, 61.0),
        (86_400.0, 69_120.0),
    ],
)
def test_when_a_token_is_renewed(life: float, after: float) -> None:
    token = NodeToken("t", 5_000.0, 5_000.0 + life)
    assert refresh_time(token, 5_000.0, REFRESH) == pytest.approx(5_000.0 + after)


def test_a_valid_token_outlives_a_failing_endpoint_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kafkapy.peers")
    lab = Lab()
    lab.tokens.token()
    lab.failure = OSError("broken")
    for _ in range(19):
        lab.now += 5.0
        lab.tokens.token()
    lab.now += 10.0
    with pytest.raises(LoginFailed, match=r"no token from http://127.0.0.1:1/token .*: broken"):
        lab.tokens.token()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is valid for another" in caplog.text
    lab.failure = None
    lab.now += 10.0
    lab.tokens.token()
    assert "tokens can be had again from" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_endpoint_that_fails_is_not_asked_by_every_connection() -> None:
    lab = Lab()
    lab.failure = OSError("broken")
    for _ in range(5):
        with pytest.raises(LoginFailed):
            lab.tokens.token()
    assert lab.count == 1
    lab.now += 1.0
    with pytest.raises(LoginFailed):
        lab.tokens.token()
    assert lab.count == 2
    lab.now += 1.0
    with pytest.raises(LoginFailed):
        lab.tokens.token()
    assert lab.count == 2, "the wait doubles"


def test_a_token_that_has_expired_already_is_none() -> None:
    lab = Lab(lifetime_seconds=-1.0)
    with pytest.raises(LoginFailed, match=r"the token has expired"):
        lab.tokens.token()


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c.d", "a.!.c", "a.bnVsbA.c", "a.e30.c", "ä.e30.c", "a.eyJleHAiOiJ4In0.c"]
)
def test_what_is_no_token_with_an_end(token: str) -> None:
    with pytest.raises(ValueError, match=r"no JWT|does not say when it expires"):
        parsed(token, 0.0)


def test_a_token_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a token"
    file.write_text(" abc \n")
    assert fetched(ENDPOINT._replace(url=file.as_uri())) == "abc"


def test_a_provider_is_asked_by_client_credentials() -> None:
    pytest.importorskip("jwt")
    from kafkapy.testing import IdentityProvider

    with IdentityProvider({"node": "s3cret"}) as provider:
        endpoint = ENDPOINT._replace(url=provider.token_url, scope="a b")
        claims = json.loads(_claims(fetched(endpoint)))
        assert (claims["sub"], claims["scope"]) == ("node", "a b")
        tokens = NodeTokens(endpoint._replace(client_secret="wrong"), REFRESH, lambda: 0.0)
        with pytest.raises(LoginFailed, match=r"answers 401 .*: correct sasl.oauthbearer.client.credentials.client.id"):
            tokens.token()
        tokens = NodeTokens(endpoint._replace(url=f"{provider.issuer}/other"), REFRESH, lambda: 0.0)
        with pytest.raises(LoginFailed, match=r"it answers 404"):
            tokens.token()
    with pytest.raises(LoginFailed, match=r"it cannot be reached .*Connection refused"):
        NodeTokens(endpoint, REFRESH, lambda: 0.0).token()


def _claims(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b"", "redirects to another URL"),
        (200, {}, b"{}", "no access_token"),
        (200, {}, b"[1]", "no access_token"),
        (200, {}, b"<html>", "Expecting value"),
        (200, {}, b"[" * 100_000, "recursion|Expecting|depth"),
    ],
)
def test_answers_that_are_no_token(
    status: int, headers: dict[str, str], body: bytes, told: str, answering: Callable[[int, dict[str, str], bytes], str]
) -> None:
    url = answering(status, headers, body)
    with pytest.raises(LoginFailed, match=told) as caught:
        NodeTokens(ENDPOINT._replace(url=url), REFRESH, lambda: 0.0).token()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"nonsense\r\n\r\n", "what it answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "what it answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "what it answers is no HTTP"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a"', "Unterminated|Expecting|no HTTP"),
    ],
)
def test_answers_that_are_no_http(answer: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):  # what is left unread would reset the connection
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/token"
        with pytest.raises(LoginFailed, match=told) as caught:
            NodeTokens(ENDPOINT._replace(url=url), REFRESH, lambda: 0.0).token()
        thread.join()
    assert "\n" not in str(caught.value)


def test_an_answer_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pieces are in which it comes."""
    seconds = iter(range(1_000))
    monkeypatch.setattr("kafkapy.security.sasl.node_tokens.time.monotonic", lambda: float(next(seconds)))

    class Slow:
        def read1(self, _size: int) -> bytes:
            return b"{"

    with pytest.raises(TimeoutError, match="was not complete within 5 s"):
        node_tokens._read(cast("HTTPResponse", Slow()), 5.0)


@pytest.fixture
def answering() -> Iterator[Callable[[int, dict[str, str], bytes], str]]:
    """A server that answers every POST so: its URL."""
    servers: list[HTTPServer] = []

    def answer(status: int, headers: dict[str, str], body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, _format: str, *_arguments: object) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/token"

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()
