"""SASL of a client: from a login module with credentials to the tokens that it sends.

exchange = client_exchange("SCRAM-SHA-256", module)
token = exchange.first()
while token is not None:
    token = exchange.step(<the server's answer to token>)
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from kafkapy_wire.sasl import jaas, scram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_wire.sasl.jaas import LoginModule

MODULES: Final[Mapping[str, str]] = {
    "PLAIN": jaas.PLAIN_MODULE,
    "SCRAM-SHA-256": jaas.SCRAM_MODULE,
    "SCRAM-SHA-512": jaas.SCRAM_MODULE,
    "OAUTHBEARER": jaas.OAUTHBEARER_MODULE,
}
"""The login module of each mechanism that a client can use."""
_UNSECURED: Final = "unsecuredLogin"
_UNSECURED_SECONDS: Final = 3_600


class LoginFailed(Exception):
    """The server does not prove that it knows the user, or sends what is no answer. The message says which."""


class ClientExchange(Protocol):
    def first(self) -> bytes:
        """The first token. May take milliseconds, and may block where it has to be fetched."""

    def step(self, answer: bytes, /) -> bytes | None:
        """The token after an answer of the server; None: the login is complete. Raises LoginFailed.

        With SCRAM it takes milliseconds: as many as the server asks for.
        """


def client_exchange(mechanism: str, module: LoginModule, now_seconds: Callable[[], float]) -> ClientExchange:
    """Raises ValueError: the mechanism cannot be used, or the module has not what it needs."""
    wanted = MODULES.get(mechanism)
    if wanted is None:
        raise ValueError(f"{mechanism} is not served: use one of {', '.join(MODULES)}")
    if module.name != wanted:
        raise ValueError(f"{mechanism} needs login module {wanted}, and the JAAS configuration has {module.name}")
    options = module.options
    if mechanism == "OAUTHBEARER":
        return BearerClient(lambda: unsecured_token(options, now_seconds()))
    missing = [name for name in ("username", "password") if name not in options]
    if missing:
        raise ValueError(f"the JAAS configuration has no {' and no '.join(missing)} for {mechanism}")
    if mechanism == "PLAIN":
        return PlainClient(options["username"], options["password"])
    is_token = options.get("tokenauth", "").lower() == "true"
    return ScramClient(mechanism, options["username"], options["password"], is_token=is_token)


class PlainClient:
    def __init__(self, name: str, password: str) -> None:
        self._token = f"\0{name}\0{password}".encode()

    def first(self) -> bytes:
        return self._token

    def step(self, _answer: bytes, /) -> bytes | None:
        return None


class ScramClient:
    def __init__(self, mechanism: str, name: str, password: str, *, is_token: bool = False) -> None:
        self._hash = scram.HASHES[mechanism]
        self._password = password.encode()
        self._nonce = secrets.token_urlsafe(24)
        self._bare = f"n={scram.sasl_name(name)},r={self._nonce}" + (",tokenauth=true" if is_token else "")
        self._signature: bytes | None = None

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def step(self, answer: bytes, /) -> bytes | None:
        try:
            if self._signature is None:
                return self._final(answer)
            signature, error = scram.parse_server_final(answer)
        except scram.InvalidScramMessage as invalid:
            raise LoginFailed(str(invalid)) from None
        if error is not None or not hmac.compare_digest(signature, self._signature):
            raise LoginFailed("the server does not know the password: it is not the one it seems to be")
        return None

    def _final(self, answer: bytes) -> bytes:
        first = scram.parse_server_first(answer)
        if not first.nonce.startswith(self._nonce) or not (
            scram.ITERATIONS_MIN <= first.iterations <= scram.CLIENT_ITERATIONS_MAX
        ):
            raise LoginFailed("the server's first SCRAM message has another nonce, or iterations out of bounds")
        salted = scram.salted_password(self._hash, self._password, first.salt, first.iterations)
        before = f"c={scram.NO_CHANNEL_BINDING},r={first.nonce}"
        message = f"{self._bare},{str(answer, 'ascii')},{before}".encode()
        keys = scram.keys_of(self._hash, salted, first.salt, first.iterations)
        self._signature = scram.server_signature(self._hash, keys.server_key, message)
        proof = scram.client_proof(self._hash, salted, message)
        return f"{before},p={scram.base64_text(proof)}".encode()


class BearerClient:
    """OAUTHBEARER (RFC 7628)."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._error = ""

    def first(self) -> bytes:
        return f"n,,\x01auth=Bearer {self._token()}\x01\x01".encode()

    def step(self, answer: bytes, /) -> bytes | None:
        if not answer:
            return None
        if self._error:
            raise LoginFailed(f"the server refuses the token: {self._error}")
        self._error = str(answer[:1_000], "utf-8", "replace")
        return b"\x01"


def unsecured_token(options: Mapping[str, str], now_seconds: float) -> str:
    """A JWT without signature, of the options of a login module: `unsecuredLoginStringClaim_sub="alice"`.

    Raises ValueError: an option is not valid.
    """
    claims: dict[str, object] = {}
    for name, value in options.items():
        for prefix, read in _CLAIMS:
            if name.startswith(prefix):
                claims[name.removeprefix(prefix)] = read(value)
    principal_claim = options.get(f"{_UNSECURED}PrincipalClaimName", "sub")
    if not claims.get(principal_claim):
        raise ValueError(f"the JAAS configuration has no {_UNSECURED}StringClaim_{principal_claim}")
    lifetime = float(options.get(f"{_UNSECURED}LifetimeSeconds", str(_UNSECURED_SECONDS)))
    now = int(now_seconds * 1_000) / 1_000  # servers have milliseconds, and none of the next one
    claims = {"iat": now, "exp": now + lifetime, **claims}
    return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."


_CLAIMS: Final[tuple[tuple[str, Callable[[str], object]], ...]] = (
    (f"{_UNSECURED}StringClaim_", str),
    (f"{_UNSECURED}NumberClaim_", float),
    (f"{_UNSECURED}ListClaim_", lambda text: text[1:].split(text[0]) if text else []),
)


def _encoded(content: Mapping[str, object]) -> str:
    return str(base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"="), "ascii")
