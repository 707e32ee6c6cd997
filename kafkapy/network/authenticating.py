"""Stands before the dispatcher of a connection on a listener with SASL, until its client has authenticated.

Only ApiVersions, SaslHandshake and SaslAuthenticate reach the dispatcher before that; `Authenticator` says which of
them may come when, and their handlers ask it for the answers. Where sessions have an end (KIP-368), it stays there
afterwards, too: it begins re-authentications, and closes the connection when the session has ended.
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING, Final

from kafkapy.errors import AuthenticationFailed, CloseConnection
from kafkapy.log_lines import shown, shown_reason
from kafkapy.long_messages import AT_ONCE_BYTES_MAX
from kafkapy.network.dispatch import Unfinished
from kafkapy.pending import Pending
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kafkapy.context import Client, NodeContext
    from kafkapy.network.api_table import ApiVersion
    from kafkapy.network.complaints import Complaints
    from kafkapy.network.dispatch import Answer, Dispatcher
    from kafkapy.network.outbox import Outbox
    from kafkapy.security.sasl.authenticator import Authenticator
    from kafkapy_wire.message import Message

audit = logging.getLogger("kafkapy.audit")

AUTHENTICATION_MS_MAX: Final = 60_000
"""How long a client may take to authenticate. Apache Kafka waits for connections.max.idle.ms after each request."""
_KEY = struct.Struct(">h")
_LENGTH = struct.Struct(">i")


class Gatekeeper:
    """In the place of a `Dispatcher`, for one connection."""

    __slots__ = ("_authenticator", "_client", "_complaints", "_dispatcher", "_is_open", "_on_open")

    def __init__(
        self,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        client: Client,
        complaints: Complaints,
        on_open: Callable[[Gatekeeper | Dispatcher], None],
    ) -> None:
        """`on_open` is called when the client has authenticated, with what stands before its later requests.
        `complaints` takes the lines of refused logins.
        """
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._client = client
        self._complaints = complaints
        self._on_open = on_open
        self._is_open = False

    def enter(self, frame: memoryview, context: NodeContext, outbox: Outbox) -> Unfinished | None:
        """As `Dispatcher.enter`."""
        authenticator = self._authenticator
        if authenticator.is_complete and not self._begins_again(frame):
            if authenticator.has_expired():
                raise CloseConnection(
                    f"the session of {shown(str(self._client.principal))} has ended, and the client has not "
                    "authenticated again (connections.max.reauth.ms, or its credentials have expired)"
                )
            return self._dispatcher.enter(frame, context, outbox)
        try:
            if authenticator.wants_raw_token:
                unfinished = self._raw_token(frame, outbox)
            else:
                authenticator.check_order(_key(frame))
                if authenticator.has_failed:
                    self.note_failure()
                    return self._refuse(frame, context)
                unfinished = self._dispatcher.enter(frame, context, outbox)
        except AuthenticationFailed:
            self.note_failure()
            raise
        if unfinished is not None:
            return LoginStep(self, unfinished)
        self.check()
        return None

    def _begins_again(self, frame: memoryview) -> bool:
        return _key(frame) == ApiKey.SASL_HANDSHAKE and self._authenticator.begin_again()

    def _refuse(self, frame: memoryview, context: NodeContext) -> Unfinished:
        """A request of another API comes in the place of a token: it is answered with an error, late."""
        error = KafkaError(ErrorCode.ILLEGAL_SASL_STATE)
        refusal = self._dispatcher.refusal(frame, context, error) if len(frame) <= AT_ONCE_BYTES_MAX else None
        return RefusedStep(self._dispatcher, context, self._authenticator.delayed_end(), refusal)

    def _raw_token(self, frame: memoryview, outbox: Outbox) -> Unfinished | None:
        answer = self._authenticator.raw_token(bytes(frame))
        if isinstance(answer, Pending) and answer.settled:
            answer = answer.result()
        if isinstance(answer, bytes):
            _append_raw(answer, outbox)
            return None
        return RawStep(answer)

    def check(self) -> None:
        """A step of the login was answered: the client has authenticated, or goes on, or is refused.

        Raises AuthenticationFailed: the connection is to be closed when its answers have left.
        """
        authenticator = self._authenticator
        if authenticator.is_complete:
            if not self._is_open:
                self._is_open = True
                self._on_open(self._dispatcher if authenticator.expires_ms is None else self)
        elif authenticator.has_failed:
            self.note_failure()
            raise AuthenticationFailed(f"{authenticator.what} has failed")

    def note_failure(self) -> None:
        """Log a refused login, once."""
        authenticator = self._authenticator
        failure = authenticator.take_failure()
        if failure is None:
            return
        who = "" if failure.name is None else f" user={shown(failure.name)!r}"
        client = self._client
        self._complaints.warn(
            "refused %s: mechanism=%s%s host=%s listener=%s reason=%r",
            authenticator.what,
            shown(authenticator.mechanism) or "none",
            who,
            client.peer_host,
            client.listener_name,
            shown_reason(str(failure)),
        )


class LoginStep(Unfinished):
    """A step of a login that is not answered yet; afterwards the gatekeeper looks at what has come of it."""

    __slots__ = ("_gatekeeper", "_inner")

    def __init__(self, gatekeeper: Gatekeeper, inner: Unfinished) -> None:
        self._gatekeeper = gatekeeper
        self._inner = inner
        self.waits_for = inner.waits_for
        self.holds_frame = inner.holds_frame
        self.is_large = inner.is_large
        gatekeeper.note_failure()

    @property
    def api_key(self) -> ApiKey:
        return self._inner.api_key

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        is_answered = self._inner.go_on(value, outbox, error)
        if is_answered:
            self._gatekeeper.check()
        else:
            self.waits_for = self._inner.waits_for
            self._gatekeeper.note_failure()
        return is_answered

    def abandoned(self) -> None:
        self._inner.abandoned()


class RefusedStep(Unfinished):
    """The end of a connection, after an answer."""

    __slots__ = ("_refusal",)

    def __init__(
        self,
        dispatcher: Dispatcher,
        context: NodeContext,
        end: Pending[Answer],
        refusal: tuple[Message, ApiVersion] | None,
    ) -> None:
        self._dispatcher = dispatcher
        self._context = context
        self._refusal = refusal
        self.waits_for = end
        self.holds_frame = self.is_large = False

    @property
    def api_key(self) -> ApiKey:
        return ApiKey.SASL_AUTHENTICATE

    def go_on(self, _value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        assert error is not None, "it is never answered in another way"
        if self._refusal is not None:
            self._dispatcher.append(*self._refusal, self._context, outbox)
        raise error


class RawStep(Unfinished):
    """A token without a header that is not answered yet."""

    __slots__ = ()

    def __init__(self, waits_for: Pending[bytes] | Coroutine[object, object, bytes | Pending[bytes]]) -> None:
        self.waits_for = waits_for  # type: ignore[assignment]  # its answer is bytes, which only this class takes
        self.holds_frame = False
        self.is_large = False

    @property
    def api_key(self) -> ApiKey:
        return ApiKey.SASL_AUTHENTICATE

    def go_on(self, value: object, outbox: Outbox, error: Exception | None = None) -> bool:
        if error is not None:
            raise error
        if isinstance(value, Pending):
            self.waits_for = value
            return False
        assert isinstance(value, bytes), value
        _append_raw(value, outbox)
        return True

    def abandoned(self) -> None:
        """Nobody looks for its answer any more."""


def _append_raw(token: bytes, outbox: Outbox) -> None:
    outbox.append_bytes(_LENGTH.pack(len(token)) + token)


def _key(frame: memoryview) -> int:
    try:
        return int(_KEY.unpack_from(frame)[0])
    except struct.error:
        raise MalformedMessage(f"a request of {len(frame)} bytes has no header") from None
