"""The authentication of one connection on a listener with SASL, as a state machine of its requests.

    ApiVersions or SaslHandshake  ->  SaslHandshake  ->  tokens  ->  complete  ->  SaslHandshake, tokens (KIP-368)

After SaslHandshake v1 tokens come in SaslAuthenticate; after v0 they are frames of their own, without any header. What
does not come in this order ends the connection. A login that fails is answered when
connection.failed.authentication.delay.ms have passed, and then the connection is closed.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from kafkapy.errors import AuthenticationFailed, CloseConnection
from kafkapy.pending import Pending
from kafkapy.security.sasl.exchange import LoginRefused
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from kafkapy.clock import Clock
    from kafkapy.security.principal import KafkaPrincipal
    from kafkapy.security.sasl.exchange import Exchange
    from kafkapy.security.sasl.mechanisms import SaslListener

    AuthenticateAnswer: TypeAlias = (
        SaslAuthenticateResponse
        | Pending[SaslAuthenticateResponse]
        | Coroutine[object, object, SaslAuthenticateResponse | Pending[SaslAuthenticateResponse]]
    )

R = TypeVar("R")

REAUTHENTICATION_INTERVAL_MS: Final = 1_000
"""A SaslHandshake that comes sooner after the last one begins no re-authentication, as in Apache Kafka."""


class State(Enum):
    FIRST_REQUEST = auto()
    HANDSHAKE = auto()
    """ApiVersions was answered."""
    TOKENS = auto()
    OTHER_MECHANISM = auto()
    """A re-authentication by another mechanism was begun: its first token is refused."""
    COMPLETE = auto()
    FAILED = auto()


class Authenticator:
    def __init__(
        self,
        listener_now: Callable[[], SaslListener],
        clock: Clock,
        delay_ms: Callable[[], int],
        on_success: Callable[[KafkaPrincipal], None],
    ) -> None:
        """`listener_now`: by the settings that hold when a login begins, so that a user who was removed cannot
        authenticate again. `delay_ms`: connection.failed.authentication.delay.ms. `on_success` is called with who has
        authenticated.
        """
        self._listener_now = listener_now
        self._listener = listener_now()
        self._clock = clock
        self._delay_ms = delay_ms
        self._on_success = on_success
        self._exchange: Exchange | None = None
        self._has_headers = True
        self._reauthentication_began_ms = -float(REAUTHENTICATION_INTERVAL_MS)
        self.state = State.FIRST_REQUEST
        self.mechanism = ""
        """The one that the client has chosen, once it is known to be enabled."""
        self.principal: KafkaPrincipal | None = None
        """Who has authenticated first: a later authentication must be of the same principal."""
        self.expires_ms: float | None = None
        """When the session ends unless the client authenticates again, on the monotonic clock."""
        self.failure: LoginRefused | None = None
        """Why it has failed, or will with the next token."""

    @property
    def is_complete(self) -> bool:
        return self.state is State.COMPLETE

    @property
    def has_failed(self) -> bool:
        return self.state is State.FAILED

    def take_failure(self) -> LoginRefused | None:
        """Why it has failed, for the log; None if it has not, or this was called before."""
        if self.state is not State.FAILED:
            return None
        failure, self.failure = self.failure, None
        return failure

    @property
    def wants_raw_token(self) -> bool:
        """Whether the next frame is a token without a header of a request."""
        return self.state is State.TOKENS and not self._has_headers

    @property
    def what(self) -> str:
        return "authentication" if self.principal is None else "re-authentication"

    def has_expired(self) -> bool:
        return self.expires_ms is not None and self._clock.monotonic_ms() > self.expires_ms

    def check_order(self, api_key: int) -> None:
        """Raises CloseConnection: a request with this key may not come now. In the place of a token it fails the
        login, and is answered with ILLEGAL_SASL_STATE.
        """
        if self.state in (State.TOKENS, State.OTHER_MECHANISM):
            if api_key != ApiKey.SASL_AUTHENTICATE:
                text = f"Unexpected Kafka request of type {_name(api_key)} during SASL authentication."
                self._fail(LoginRefused(text))
        elif api_key != ApiKey.SASL_HANDSHAKE and not (
            api_key == ApiKey.API_VERSIONS and self.state is State.FIRST_REQUEST
        ):
            raise CloseConnection(
                f"{_name(api_key)} came before authentication: listener {self._listener.name} has SASL, so set "
                "security.protocol and sasl.mechanism of the client"
            )

    def told_versions(self) -> None:
        """ApiVersions was answered without error."""
        if self.state is State.FIRST_REQUEST:
            self.state = State.HANDSHAKE

    def begin_again(self) -> bool:
        """Begin a re-authentication; False: this SaslHandshake is a request like others, and refused."""
        if self.expires_ms is None:
            return False
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._reauthentication_began_ms < REAUTHENTICATION_INTERVAL_MS:
            return False
        self._reauthentication_began_ms = now_ms
        self.state = State.HANDSHAKE
        return True

    def handshake(self, mechanism: str, version: int) -> SaslHandshakeResponse | Pending[SaslHandshakeResponse]:
        """The answer to SaslHandshake."""
        self._listener = self._listener_now()
        enabled = self._listener.mechanisms
        if mechanism not in enabled:
            self._fail(LoginRefused(f"Unsupported SASL mechanism {mechanism}"))
            return self._delayed(
                SaslHandshakeResponse(error_code=ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms=list(enabled))
            )
        self._has_headers = version >= 1
        if self.principal is not None and mechanism != self.mechanism:
            self.state = State.OTHER_MECHANISM
            self.failure = LoginRefused(
                f"SASL mechanism '{mechanism}' requested by client is not supported for re-authentication of mechanism "
                f"'{self.mechanism}'"
            )
        else:
            self.mechanism = mechanism
            self._exchange = enabled[mechanism].begin()
            self.state = State.TOKENS
        return SaslHandshakeResponse(mechanisms=list(enabled))

    def authenticate(self, token: bytes) -> AuthenticateAnswer:
        """The answer to SaslAuthenticate."""
        if self.state is State.OTHER_MECHANISM and self.failure is not None:
            self._fail(self.failure)
            return self.delayed_end()
        if self.state is not State.TOKENS:
            raise CloseConnection("a token came before SaslHandshake")
        try:
            answer = self._step(token)
        except LoginRefused as refused:
            return self._refused(refused)
        if isinstance(answer, bytes):
            return self._answered(answer)
        return self._authenticate_later(answer)

    async def _authenticate_later(
        self, step: Awaitable[bytes]
    ) -> SaslAuthenticateResponse | Pending[SaslAuthenticateResponse]:
        try:
            return self._answered(await step)
        except LoginRefused as refused:
            return self._refused(refused)

    def raw_token(self, token: bytes) -> bytes | Pending[bytes] | Coroutine[object, object, bytes | Pending[bytes]]:
        """The answer to a token without header, which has none either. Raises AuthenticationFailed."""
        try:
            answer = self._step(token)
            if isinstance(answer, bytes):
                self._check_success()
                return answer
        except LoginRefused as refused:
            return self._refused_raw(refused)
        return self._raw_token_later(answer)

    async def _raw_token_later(self, step: Awaitable[bytes]) -> bytes | Pending[bytes]:
        try:
            answer = await step
            self._check_success()
        except LoginRefused as refused:
            return self._refused_raw(refused)
        return answer

    def _step(self, token: bytes) -> bytes | Awaitable[bytes]:
        assert self._exchange is not None, f"no mechanism was chosen in {self.state}"
        return self._exchange.step(token)

    def _answered(self, token: bytes) -> SaslAuthenticateResponse | Pending[SaslAuthenticateResponse]:
        try:
            lifetime_ms = self._check_success()
        except LoginRefused as refused:
            return self._refused(refused)
        return SaslAuthenticateResponse(auth_bytes=token, session_lifetime_ms=lifetime_ms)

    def _check_success(self) -> int:
        """The lifetime of the session in milliseconds; 0 if the exchange goes on, too. Raises LoginRefused."""
        exchange = self._exchange
        assert exchange is not None
        principal = exchange.principal
        if principal is None:
            return 0
        if self.principal is not None and principal != self.principal:
            before = self.principal
            message = (
                f"Cannot change principals during re-authentication from {before.type}.{before.name}: "
                f"{principal.type}.{principal.name}"
            )
            raise LoginRefused(message, shown=message, name=principal.name)
        lifetime_ms = self._lifetime_ms(exchange)
        self.expires_ms = None if lifetime_ms is None else self._clock.monotonic_ms() + lifetime_ms
        self._exchange = None
        self.state = State.COMPLETE
        if self.principal is None:
            self.principal = principal
        self._on_success(principal)
        return lifetime_ms or 0

    def _lifetime_ms(self, exchange: Exchange) -> int | None:
        """By connections.max.reauth.ms and by the credentials themselves; None: for ever."""
        bounds: list[float] = []
        if exchange.expires_ms is not None:
            bounds.append(exchange.expires_ms - self._clock.now_ms())
        if (most_ms := self._listener.mechanisms[self.mechanism].max_reauth_ms) > 0:
            bounds.append(most_ms)
        return max(int(min(bounds)), 0) if bounds else None

    # -- refused

    def _refused(self, refused: LoginRefused) -> SaslAuthenticateResponse | Pending[SaslAuthenticateResponse]:
        self._fail(refused)
        shown = refused.shown
        if shown is None:
            shown = (
                f"Authentication failed during {self.what} due to invalid credentials with SASL mechanism "
                f"{self.mechanism}"
            )
        answer = SaslAuthenticateResponse(error_code=ErrorCode.SASL_AUTHENTICATION_FAILED, error_message=shown)
        return self._delayed(answer)

    def _refused_raw(self, refused: LoginRefused) -> Pending[bytes]:
        self._fail(refused)
        return self.delayed_end()

    def delayed_end(self) -> Pending[R]:
        """Refused with AuthenticationFailed when connection.failed.authentication.delay.ms have passed."""
        failure = AuthenticationFailed(f"{self.what} has failed")
        delay_ms = self._delay_ms()
        if not delay_ms:
            end: Pending[R] = Pending()
            end.refuse(failure)
            return end
        return self._after(delay_ms, lambda end: end.refuse(failure))

    def _after(self, delay_ms: int, settle: Callable[[Pending[R]], None]) -> Pending[R]:
        """Settled when so much time has passed. A client that does not wait leaves nothing behind."""
        timer = self._clock.call_later(delay_ms, lambda: settle(pending))
        pending: Pending[R] = Pending(timer.cancel)
        return pending

    def _fail(self, refused: LoginRefused) -> None:
        self.failure = refused
        self.state = State.FAILED
        self._exchange = None

    def _delayed(self, answer: R) -> R | Pending[R]:
        delay_ms = self._delay_ms()
        if not delay_ms:
            return answer
        return self._after(delay_ms, lambda pending: pending.answer(answer))


def _name(api_key: int) -> str:
    try:
        return ApiKey(api_key).name
    except ValueError:
        return f"with API key {api_key}"
