"""From a frame to an answer: header, decode, the handler of the API key, encode.

`Dispatcher` knows no sockets. It is given whole frames and appends answers to an `Outbox`, which the connection sends.
A request that is not answered at once is returned as `Unfinished`: one that has to wait, one that is so large that it
is decoded in turns, or one whose answer is so long that it is encoded in turns.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import trio

from kafkapy.apis import API_MODULES, FORWARDABLE
from kafkapy.errors import NotServed, without_frames
from kafkapy.long_messages import (
    AT_ONCE_BYTES_MAX,
    ELEMENTS_MAX,
    EncodedAnswer,
    free_in_turns,
    has_many_entries,
    within_turn,
)
from kafkapy.network.api_table import ApiTable
from kafkapy.pending import Pending
from kafkapy.turns import Turn, to_the_end
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import decoder, encoder, encoder_in_steps
from kafkapy_wire.errors import KafkaError, MalformedMessage
from kafkapy_wire.message import Message
from kafkapy_wire.messages.request_header import RequestHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping

    from kafkapy.context import NodeContext
    from kafkapy.network.api_table import ApiVersion
    from kafkapy.network.outbox import Outbox
    from kafkapy.network.stages import Accounts, FaultDoor, Gate, Injection
    from kafkapy.releases import ApiLimits

    Answer: TypeAlias = Message | None  # None: no answer is sent
    Later: TypeAlias = Pending[Answer] | Coroutine[object, object, Answer]
    Steps: TypeAlias = Generator[Later, Answer, Answer]
    Enter: TypeAlias = Callable[[memoryview, NodeContext, Outbox], "Unfinished | None"]

COPIED_FRAME_BYTES_MAX = 4 * 1024
"""A request with records up to this size is decoded from a copy of its own, so that one that has to wait does not hold
the buffer it was received into. That costs 0.2 µs; another buffer for each that waits would cost 64 kB."""
CLIENT_ID_AT = 10
FLEXIBLE_HEADER = 2

_HEADER = struct.Struct(">iih")  # API key and version, correlation id, length of the client id


class Dispatcher:
    """Decodes, handles and answers the requests of a node; one call for each frame."""

    def __init__(
        self,
        modules: Mapping[ApiKey, str] = API_MODULES,
        forwardable: frozenset[ApiKey] = FORWARDABLE,
        limits: ApiLimits | None = None,
    ) -> None:
        """`modules`: the table of `kafkapy.apis` that the listener serves; `forwardable` and `limits` are for brokers'
        listeners.
        """
        self._table = ApiTable(modules, forwardable, limits)
        self._versions = self._table.versions
        self.gate: Gate | None = None
        self.faults: FaultDoor | None = None
        """Who injects faults, if anybody does."""
        self.accounts: tuple[Accounts, ...] = ()
        self.tap: Tap | None = None
        """Who records requests, if anybody does."""
        self.meter: Tap | None = None
        """Who measures what requests take, if clients have quotas of it."""
        self.log: Tap | None = None
        """Who logs requests, if debug lines are on."""
        self.watch: Tap | None = None
        """Who notices what clients ask for, if any may be stuck."""
        self.enter: Enter = self.answer
        """What connections call with each request: `answer`, behind the watch, the tap, the meter and the log. See
        `set_tap`."""

    def set_watch(self, watch: Tap | None) -> None:
        """From now on requests go through `watch`, which calls `tapped`."""
        self.watch = watch
        self.set_tap(self.tap)

    def set_tap(self, tap: Tap | None) -> None:
        """From now on requests go through `tap`, which calls `metered`."""
        self.tap = tap
        self.enter = self.tapped if self.watch is None else self.watch.answer

    def set_meter(self, meter: Tap | None) -> None:
        """From now on requests go through `meter`, which calls `logged`."""
        self.meter = meter
        self.set_tap(self.tap)

    def set_log(self, log: Tap | None) -> None:
        """From now on requests go through `log`, which calls `answer`."""
        self.log = log
        self.set_tap(self.tap)

    @property
    def tapped(self) -> Enter:
        return self.metered if self.tap is None else self.tap.answer

    @property
    def metered(self) -> Enter:
        return self.logged if self.meter is None else self.meter.answer

    @property
    def logged(self) -> Enter:
        return self.answer if self.log is None else self.log.answer

    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox) -> Unfinished | None:
        """Handle one request and append its answer to `outbox`; if it has to wait, return it as `Unfinished`.

        Raises MalformedMessage: the bytes are no such request; CloseConnection: not served, or the handler says so.
        """
        try:
            key_and_version, correlation_id, size = _HEADER.unpack_from(frame)
        except struct.error:
            raise MalformedMessage(f"a request of {len(frame)} bytes has no header") from None
        version = self._versions.get(key_and_version)
        if version is None:
            version = self._load(key_and_version, frame, size, context)
            if version.number != key_and_version & 0xFFFF:
                # KIP-511: answered in version 0 with UNSUPPORTED_VERSION; the body is not read.
                context.correlation_id = correlation_id
                context.api_version = key_and_version & 0xFFFF
                self.append(version.api.handle(None, context), version, context, outbox)
                return None
        position = CLIENT_ID_AT
        try:
            if size < 0:
                context.client_id = None
            else:
                position += size
                context.client_id = str(frame[CLIENT_ID_AT:position], "utf-8")
            if version.header_version == FLEXIBLE_HEADER:
                odd = frame[position]  # the count of tagged fields: as a rule none
                position += 1
            else:
                odd = position > len(frame)
        except (IndexError, UnicodeDecodeError):
            odd = 1
        if odd:
            header, position = decoder(RequestHeader, version.header_version)(frame, 0)
            context.client_id = header.client_id
        api = version.api
        context.api_version = version.number
        context.correlation_id = correlation_id
        # Bytes after a request are ignored, as in Apache Kafka: librdkafka 2.16 sends three bytes too many after
        # a MetadataRequest.
        if len(frame) <= AT_ONCE_BYTES_MAX:
            if api.has_records and len(frame) <= COPIED_FRAME_BYTES_MAX:
                frame = memoryview(bytes(frame))
            request, _ = version.decode(frame, position)
        else:
            decoding = version.decode_in_steps(frame, position, ELEMENTS_MAX)
            decoded = within_turn(decoding, Turn())
            if decoded is None:
                return LargeRequest(self, version, context, decoding)
            request, _ = decoded
        if self.faults is None and self.gate is None:
            try:
                response = api.handle(request, context)
                if response.__class__ is Pending and response.settled:
                    response = response.result()
            except KafkaError as error:
                response = api.error_response(request, error)
            if response.__class__ is version.response and not self.accounts:  # as a rule
                outbox.append(response, version.encode, correlation_id, version.tagged_header)
                return None
            if response is None:
                return None
            if isinstance(response, Message):
                self.append(response, version, context, outbox)
                return None
            holds_frame = api.has_records and len(frame) > COPIED_FRAME_BYTES_MAX
            return Unfinished(self, version, context, request, response, holds_frame)
        holds_frame = api.has_records and len(frame) > COPIED_FRAME_BYTES_MAX
        steps = self._all_steps(version, request, context)
        unfinished = InSteps(self, version, context, steps, holds_frame)
        return None if unfinished.go_on(None, outbox) else unfinished

    def _load(self, key_and_version: int, frame: memoryview, size: int, context: NodeContext) -> ApiVersion:
        """Raises NotServed, for a log line with the client id."""
        try:
            return self._table.load(key_and_version, context)
        except NotServed:
            name = frame[CLIENT_ID_AT : CLIENT_ID_AT + size]
            context.client_id = str(name, "utf-8", "replace") if size >= 0 else None
            raise

    def _handle_large(
        self, request: Message, version: ApiVersion, context: NodeContext, outbox: Outbox
    ) -> Unfinished | None:
        """The rest of `answer`, for a request that took longer than a turn to decode."""
        api = version.api
        if self.faults is not None or self.gate is not None:
            in_steps = InSteps(self, version, context, self._all_steps(version, request, context), api.has_records)
            in_steps.is_large = True
            return None if in_steps.go_on(None, outbox) else in_steps
        error: KafkaError | None = None
        response: Any = None
        try:
            response = api.handle(request, context)
            if response.__class__ is Pending and response.settled:
                response = response.result()
        except KafkaError as refusal:
            error = without_frames(refusal)
        unfinished = Unfinished(self, version, context, request, response, api.has_records)
        unfinished.is_large = True
        if error is None and response is not None and not isinstance(response, Message):
            return unfinished
        return None if unfinished.go_on(response, outbox, error) else unfinished

    def _all_steps(self, version: ApiVersion, request: Message, context: NodeContext) -> Steps:
        """Handle a request through all stages, for a dispatcher with a gate or with faults."""
        api, gate, faults = version.api, self.gate, self.faults
        injection: Injection | None = None
        try:
            response = gate(api.key, request, context) if gate is not None else None
            if response is not None:
                return response
            injection = faults.meet(api, request, context) if faults is not None else None
            if injection is not None:
                response = yield from injection.before()
                request = injection.request
            handled = api.handle(request, context) if response is None else response
            if handled is None or isinstance(handled, Message):
                response = handled
            else:
                response = yield handled
                while isinstance(response, Pending):  # a coroutine has done what it had to do, and now waits
                    response = yield response
        except KafkaError as error:
            response = api.error_response(request, without_frames(error))
        return response if injection is None else (yield from injection.after(response))

    def refusal(self, frame: memoryview, context: NodeContext, error: KafkaError) -> tuple[Message, ApiVersion]:
        """What `append` takes, for a short request that is not handled. Raises as `answer`."""
        try:
            key_and_version, correlation_id, size = _HEADER.unpack_from(frame)
        except struct.error:
            raise MalformedMessage(f"a request of {len(frame)} bytes has no header") from None
        version = self._versions.get(key_and_version) or self._load(key_and_version, frame, size, context)
        header, position = decoder(RequestHeader, version.header_version)(frame, 0)
        context.client_id, context.api_version, context.correlation_id = (
            *(header.client_id, version.number),
            correlation_id,
        )
        request, _ = version.decode(frame, position)
        return version.api.error_response(request, error), version

    def append(self, response: Message, version: ApiVersion, context: NodeContext, outbox: Outbox) -> None:
        for accounts in self.accounts:
            response = accounts.before_encoding(version.api.key, response, context)
        encode = version.encode
        if response.__class__ is not version.response:  # partly encoded before
            encode = encoder(response.__class__, version.number)
        outbox.append(response, encode, context.correlation_id, version.tagged_header)

    def append_encoded(self, encoded: EncodedAnswer, version: ApiVersion, context: NodeContext, outbox: Outbox) -> None:
        """Append an answer that was encoded in turns."""
        outbox.append_encoded(encoded.data, encoded.ranges, context.correlation_id, version.tagged_header)


class Unfinished:
    """A request that is not answered yet. Its context does not change until then.

    Usually it waits for the answer: the Pending or coroutine that its handler has returned.
    """

    __slots__ = ("_context", "_dispatcher", "_encoded", "_request", "_version", "holds_frame", "is_large", "waits_for")

    def __init__(
        self,
        dispatcher: Dispatcher,
        version: ApiVersion,
        context: NodeContext,
        request: Message | None,
        waits_for: Later,
        holds_frame: bool,  # by position: it is made for every fetch that waits
    ) -> None:
        self._dispatcher = dispatcher
        self._version = version
        self._context = context
        self._request = request
        self.waits_for = waits_for
        """A Pending that is not settled, or a coroutine that was not started; its result goes to `go_on`."""
        self.holds_frame = holds_frame
        """The request has views of its frame, whose bytes must not change."""
        self.is_large = False
        """The request may have very many entries, so that its answer is made and encoded in turns."""
        self._encoded: EncodedAnswer | None = None

    @property
    def api_key(self) -> ApiKey:
        return self._version.api.key

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        """Continue with the value or the error of `waits_for`. True: answered. False: it waits for a new `waits_for`.

        Raises what `Dispatcher.answer` raises.
        """
        if error is not None:
            if not isinstance(error, KafkaError):
                raise error
            error_response = self._version.api.error_response
            if self.is_large:
                self.waits_for = trio.to_thread.run_sync(partial(error_response, self._request, error))
                self._request = None
                return False
            value = error_response(self._request, error)
        if isinstance(value, Pending):  # a coroutine has done what it had to do, and now waits without a task
            self.waits_for = value
            return False
        if value is not None:
            return self._answer(value, outbox)
        if self._encoded is not None:
            self._dispatcher.append_encoded(self._encoded, self._version, self._context, outbox)
        return True

    def abandoned(self) -> None:
        """The client has disconnected: the answer is not needed any more."""

    def _answer(self, response: Message, outbox: Outbox) -> bool:
        # A plain Pending has a short answer, which is encoded at once.
        if not self.is_large and (self.waits_for.__class__ is Pending or not has_many_entries(response)):
            self._dispatcher.append(response, self._version, self._context, outbox)
            return True
        dispatcher, version = self._dispatcher, self._version
        for accounts in dispatcher.accounts:
            response = accounts.before_encoding(version.api.key, response, self._context)
        self._request = None
        encoded = EncodedAnswer()
        encoding = encoder_in_steps(response.__class__, version.number)(response, encoded.data, encoded.ranges)
        if within_turn(encoding, Turn()) is not None:
            dispatcher.append_encoded(encoded, version, self._context, outbox)
            return True
        self._encoded = encoded
        self.waits_for = _encode(encoding, response)
        return False


async def _encode(encoding: Generator[None, None, bool], response: Message) -> None:
    await to_the_end(encoding)
    free_in_turns(response)


class LargeRequest(Unfinished):
    """A request that is being decoded in turns; afterwards it is handled like any other, and freed in turns."""

    __slots__ = ("_decoded", "_handled")

    def __init__(
        self,
        dispatcher: Dispatcher,
        version: ApiVersion,
        context: NodeContext,
        decoding: Generator[None, None, tuple[Message, int]],
    ) -> None:
        super().__init__(dispatcher, version, context, None, _decode(decoding), holds_frame=True)
        self.is_large = True
        self._decoded: Message | None = None
        self._handled: Unfinished | None = None

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        is_over = True
        try:
            is_over = self._go_on(value, outbox, error)
        finally:
            if is_over:
                self._free()
        return is_over

    def _go_on(self, value: Answer, outbox: Outbox, error: Exception | None) -> bool:
        handled = self._handled
        if handled is not None:
            is_answered = handled.go_on(value, outbox, error)
        else:
            if error is not None:
                raise error
            assert value is not None
            self._decoded = value
            self._handled = handled = self._dispatcher._handle_large(value, self._version, self._context, outbox)
            is_answered = handled is None
        if handled is not None:
            self.waits_for = handled.waits_for
        return is_answered

    def abandoned(self) -> None:
        if self._handled is not None:
            self._handled.abandoned()
        self._free()

    def _free(self) -> None:
        request, self._decoded = self._decoded, None
        if request is not None:
            free_in_turns(request)


async def _decode(decoding: Generator[None, None, tuple[Message, int]]) -> Message:
    request, _ = await to_the_end(decoding)
    return request


class InSteps(Unfinished):
    """A request that goes through the stages, and may wait at each of them."""

    __slots__ = ("_steps",)

    def __init__(
        self, dispatcher: Dispatcher, version: ApiVersion, context: NodeContext, steps: Steps, holds_frame: bool
    ) -> None:
        super().__init__(dispatcher, version, context, None, Pending(), holds_frame)
        self._steps = steps

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        if self._encoded is not None:
            return super().go_on(None, outbox)
        steps = self._steps
        try:
            waits_for = steps.send(value) if error is None else steps.throw(error)
            while isinstance(waits_for, Pending) and waits_for.settled:
                waits_for = self._after(waits_for)
        except StopIteration as end:
            response = cast("Answer", end.value)
            return True if response is None else self._answer(response, outbox)
        self.waits_for = waits_for
        return False

    def _after(self, pending: Pending[Answer]) -> Later:
        try:
            value = pending.result()
        except Exception as error:
            return self._steps.throw(error)
        return self._steps.send(value)


class Tap(Protocol):
    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox, /) -> Unfinished | None:
        """Called by connections in the place of `Dispatcher.answer`."""
