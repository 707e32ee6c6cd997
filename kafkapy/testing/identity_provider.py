"""A tiny identity provider for a test: hands out tokens, and shows the keys that they are signed with.

    with IdentityProvider({"my-service": "client-secret"}) as provider:
        with Kafka(settings=provider.settings()) as kafka:
            provider.token("alice")                    # a token for a client that takes tokens
            provider.token_url, provider.jwks_url      # for one that asks for them (OIDC, client credentials)

Needs the extra `oauth`. It listens on 127.0.0.1 without TLS, and forgets its keys at the end.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import itertools
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, unquote_plus

from kafkapy.errors import how_to_install
from kafkapy.settings.sasl import JWKS_HANDLERS
from kafkapy_wire.sasl.jaas import OAUTHBEARER_MODULE

if TYPE_CHECKING:
    from types import TracebackType

AUDIENCE: Final = "kafka"
LIFETIME_SECONDS: Final = 300.0
BODY_BYTES_MAX: Final = 64 * 1024
KEY_BITS: Final = 2_048


class IdentityProvider:
    """`clients`: secrets by client id, for who asks at `token_url`; a token there is for the client id."""

    def __init__(self, clients: Mapping[str, str] | None = None, *, lifetime_seconds: float = LIFETIME_SECONDS) -> None:
        try:
            import jwt
            from cryptography.hazmat.primitives.asymmetric import rsa
        except ImportError:
            raise ImportError(f"IdentityProvider needs PyJWT and cryptography: {how_to_install('oauth')}") from None
        self._jwt: Any = jwt
        self._new_key: Any = lambda: rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
        self.clients = dict(clients or {})
        self.lifetime_seconds = lifetime_seconds
        self._keys: dict[str, Any] = {}
        self._numbers = itertools.count(1)  # no two keys have one id: brokers know a key by it
        self.change_key()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def issuer(self) -> str:
        """The URL of the provider, and who its tokens say has issued them."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/jwks"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    def change_key(self) -> None:
        """Later tokens are signed with a new key; the earlier keys stay in the JWKS."""
        self._keys[f"key-{next(self._numbers)}"] = self._new_key()

    def forget_keys(self) -> None:
        """As `change_key`, and tokens that were signed before are not valid any more, once the JWKS is read again."""
        self._keys = {f"key-{next(self._numbers)}": self._new_key()}

    def token(self, subject: str, *, lifetime_seconds: float | None = None, **claims: object) -> str:
        """A signed token for `subject`. `claims` are added, and win: `token("alice", aud="other", scope="a b")`."""
        key_id, key = list(self._keys.items())[-1]
        now = time.time()
        lifetime = self.lifetime_seconds if lifetime_seconds is None else lifetime_seconds
        content = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + lifetime, **claims}
        token: str = self._jwt.encode(content, key, algorithm="RS256", headers={"kid": key_id})
        return token

    def jwks(self) -> dict[str, object]:
        """The public keys."""
        algorithm = self._jwt.algorithms.RSAAlgorithm
        keys = []
        for key_id, key in self._keys.items():
            keys.append(
                {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig", "alg": "RS256"}
            )
        return {"keys": keys}

    def settings(self, listener_name: str = "PLAINTEXT") -> dict[str, str]:
        """Settings of brokers by which clients at this listener have to show tokens of this provider."""
        prefix = f"listener.name.{listener_name.lower()}"
        handler = min(JWKS_HANDLERS)
        return {
            "listener.security.protocol.map": f"{listener_name}:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"{prefix}.sasl.enabled.mechanisms": "OAUTHBEARER",
            f"{prefix}.oauthbearer.sasl.jaas.config": f"{OAUTHBEARER_MODULE} required;",
            f"{prefix}.oauthbearer.sasl.server.callback.handler.class": handler,
            "sasl.oauthbearer.jwks.endpoint.url": self.jwks_url,
            "sasl.oauthbearer.expected.audience": AUDIENCE,
            "sasl.oauthbearer.expected.issuer": self.issuer,
        }

    def answer_token(self, authorization: str | None, body: str) -> tuple[int, dict[str, object]]:
        """The status and the answer to a request for a token, by client credentials (RFC 6749)."""
        fields = {name: values[-1] for name, values in parse_qs(body).items()}
        client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
        if authorization is not None and authorization.lower().startswith("basic "):
            client_id, secret = _basic(authorization[6:])
        known = self.clients.get(client_id)
        if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
            return 401, {"error": "invalid_client"}
        if fields.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        claims: dict[str, Any] = {"scope": fields["scope"]} if "scope" in fields else {}
        return 200, {
            "access_token": self.token(client_id, **claims),
            "token_type": "Bearer",
            "expires_in": int(self.lifetime_seconds),
        }


def _basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _handler_of(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/jwks":
                self._send(200, provider.jwks())
            else:
                self._send(404, {"error": "not_found"})

        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), BODY_BYTES_MAX)
            body = str(self.rfile.read(length), "utf-8", "replace")
            if self.path == "/token":
                self._send(*provider.answer_token(self.headers.get("Authorization"), body))
            else:
                self._send(404, {"error": "not_found"})

        def log_message(self, _format: str, *_arguments: object) -> None:
            """Nothing on standard error."""

        def _send(self, status: int, content: Mapping[str, object]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
