"""The tokens by which this node logs in at others (OAUTHBEARER): fetched by a secret or an assertion or read in a file,
and fetched anew before they expire.

A token is looked at when a connection is opened, and sessions end with their tokens: connections are opened anew at the
end of a session, so that a token is renewed then, if it is time. It is renewed as Apache Kafka does it (KIP-255): after
sasl.login.refresh.window.factor of its life, and sasl.login.refresh.buffer.seconds before its end at the latest.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from kafkapy.log_lines import shown
from kafkapy_wire.sasl.client import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.settings.token_endpoint import TokenEndpoint, TokenRefresh

logger = logging.getLogger("kafkapy.peers")

TOKEN_BYTES_MAX: Final = 1024 * 1024
PARTS: Final = 3
UNUSABLE: Final = (OSError, ValueError, ArithmeticError, RecursionError, http.client.HTTPException)
"""What an answer may come to, whatever is in it."""
READ_BYTES: Final = 1 << 16
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_REDIRECTED = "it redirects to another URL, which would be told the secret: write that URL"


class NodeToken(NamedTuple):
    text: str
    issued_at: float
    expires_at: float
    """Seconds since the epoch."""


class NodeTokens:
    """The newest token of one endpoint. Threads may ask at once: one of them fetches it."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        refresh: TokenRefresh,
        now_seconds: Callable[[], float],
        fetch: Callable[[TokenEndpoint], str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.refresh = refresh
        self._now = now_seconds
        self._fetch = fetched if fetch is None else fetch
        self._lock = threading.Lock()
        self._token: NodeToken | None = None
        self._refresh_at = 0.0
        self._backoff_seconds = 0.0
        self._retry_at = 0.0
        self._failure = ""

    def token(self) -> str:
        """Blocks while it has to be fetched. Raises LoginFailed."""
        with self._lock:
            token, now = self._token, self._now()
            if token is not None and now < self._refresh_at:
                return token.text
            if now >= self._retry_at:
                try:
                    token = self._renewed()
                except UNUSABLE as error:
                    self._note_failure(error, token)
            if token is None or self._now() >= token.expires_at:
                raise LoginFailed(self._failure)
            return token.text

    def _renewed(self) -> NodeToken:
        """Raises one of UNUSABLE."""
        now = self._now()
        token = self._token = parsed(self._fetch(self.endpoint), now)
        if now >= token.expires_at:
            raise ValueError("the token has expired")
        self._refresh_at = refresh_time(token, now, self.refresh)
        if self._failure:
            logger.info("tokens can be had again from %s", self._where)
        self._backoff_seconds, self._retry_at, self._failure = 0.0, 0.0, ""
        return token

    def _note_failure(self, error: Exception, token: NodeToken | None) -> None:
        """Wait longer with each failure; the log has a line for the first one while a token is still valid."""
        refresh = self.refresh
        self._backoff_seconds = min(
            refresh.backoff_max_seconds, max(refresh.backoff_seconds, 2 * self._backoff_seconds)
        )
        self._retry_at = self._now() + self._backoff_seconds
        is_first = not self._failure
        self._failure = f"no token from {self._where}: {_explained(error)}"
        if is_first and token is not None and self._retry_at < token.expires_at:
            left = token.expires_at - self._now()
            logger.warning("%s; the one that this node has is valid for another %.0f s", self._failure, left)

    @property
    def _where(self) -> str:
        return f"{shown(self.endpoint.url)} (sasl.oauthbearer.token.endpoint.url)"


def refresh_time(token: NodeToken, now: float, refresh: TokenRefresh) -> float:
    """When a token that has come now is to be fetched anew, in seconds since the epoch."""
    life = token.expires_at - max(token.issued_at, now)
    factor = refresh.window_factor + random.uniform(0.0, refresh.window_jitter)  # spreads requests
    wanted = now + min(1.0, factor) * life
    if life < refresh.buffer_seconds + refresh.min_period_seconds:
        return wanted  # as Apache Kafka does with short lives
    return max(now + refresh.min_period_seconds, min(wanted, token.expires_at - refresh.buffer_seconds))


def parsed(token: str, now: float) -> NodeToken:
    """Raises ValueError: it is no JWT that says when it expires. The signature is the other node's to check."""
    parts = token.split(".")
    if len(parts) != PARTS or not token.isascii():
        raise ValueError("it is no JWT")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        raise ValueError("it is no JWT") from None
    expires_at = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(expires_at, int | float) or isinstance(expires_at, bool):
        raise ValueError("the token does not say when it expires (claim exp)")
    issued_at = claims.get("iat")
    return NodeToken(token, float(issued_at) if isinstance(issued_at, int | float) else now, float(expires_at))


def fetched(endpoint: TokenEndpoint) -> str:
    """Raises one of UNUSABLE. Blocks: the endpoint has its time for the connection, and again for its answer."""
    if endpoint.file is not None:
        with Path(endpoint.file).open("rb") as file:
            return str(file.read(TOKEN_BYTES_MAX), "utf-8", "replace").strip()
    fields, headers = _asked(endpoint)
    request = urllib.request.Request(  # the scheme was checked with the settings
        endpoint.url,
        urlencode(fields).encode(),
        {
            "Accept": "application/json",
            "Cache-Control": "no-cache",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        },
    )
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if urlsplit(endpoint.url).scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_tls_of(endpoint)))
    with urllib.request.build_opener(*handlers).open(request, timeout=endpoint.timeout_seconds) as response:
        content = _read(response, endpoint.timeout_seconds)
    answer = json.loads(content)
    for name in ("access_token", "id_token"):
        token = answer.get(name) if isinstance(answer, dict) else None
        if isinstance(token, str) and token.strip():
            return token.strip()
    raise ValueError("its answer has no access_token")


def _read(response: http.client.HTTPResponse, seconds: float) -> bytes:
    """Raises OSError: it takes longer than so many seconds. A time-out of the socket is one of each read only."""
    content = bytearray()
    ends = time.monotonic() + seconds
    while len(content) < TOKEN_BYTES_MAX and (piece := response.read1(READ_BYTES)):
        content += piece
        if time.monotonic() > ends:
            raise TimeoutError(f"its answer was not complete within {seconds:g} s")
    return bytes(content[:TOKEN_BYTES_MAX])


def _asked(endpoint: TokenEndpoint) -> tuple[dict[str, str], dict[str, str]]:
    """The fields and the headers of the request: by a secret, or by an assertion. Raises OSError, ValueError."""
    scope = {"scope": endpoint.scope} if endpoint.scope else {}
    if endpoint.assertion is None:
        credentials = base64.b64encode(f"{endpoint.client_id}:{endpoint.client_secret}".encode()).decode()
        return {"grant_type": "client_credentials", **scope}, {"Authorization": f"Basic {credentials}"}
    from kafkapy.security.sasl.client_assertion import signed

    assertion = signed(endpoint.assertion, time.time())
    if endpoint.is_bearer:
        return {"grant_type": BEARER_GRANT, "assertion": assertion, **scope}, {}
    client_id = {"client_id": endpoint.client_id} if endpoint.client_id else {}
    shown_by = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return {**shown_by, "grant_type": "client_credentials", **client_id, **scope}, {}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        raise ValueError(_REDIRECTED)


def _tls_of(endpoint: TokenEndpoint) -> ssl.SSLContext | None:
    """By the `ssl.*` options of the login module; None: that of the system. Raises SettingsError, a ValueError."""
    if not endpoint.tls:
        return None
    from kafkapy.settings.security import SecuritySettings
    from kafkapy.tls.contexts import ClientTls

    security = SecuritySettings().with_settings(dict(endpoint.tls))
    return ClientTls(security, lambda name: f"option {name} of {endpoint.jaas_setting}").context


def _explained(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        with error:
            told = f"it answers {error.code} {shown(str(error.reason))}"
        if error.code in (400, 401, 403):
            return f"{told}: correct sasl.oauthbearer.client.credentials.client.id and its secret, or the assertion"
        return told
    if isinstance(error, urllib.error.URLError):
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return f"{error.reason}: give its authority as ssl.truststore.* among the options of the login module"
        return f"it cannot be reached ({error.reason})"
    if isinstance(error, http.client.HTTPException):
        return f"what it answers is no HTTP ({shown(str(error)) or type(error).__name__})"
    return str(error)
