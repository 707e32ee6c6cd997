"""One debug line for each request: client, principal if not anonymous, API, names in it, errors in the answer, time.

    127.0.0.1:40312 'billing': Heartbeat v4 of billing -> ILLEGAL_GENERATION in 0.05 ms

`RequestLog` stands before a dispatcher while debug lines are wanted. Otherwise nothing of this is imported, and
requests cost no extra time.
"""

from __future__ import annotations

import logging
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

from kafkapy.log_lines import shown, shown_reason
from kafkapy.long_messages import AT_ONCE_BYTES_MAX, ELEMENTS_MAX, within_turn
from kafkapy.network.dispatch import Dispatcher, Unfinished
from kafkapy.security.principal import ANONYMOUS
from kafkapy.turns import Turn
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, request_header_version, response_class
from kafkapy_wire.codec import decode_from, decoder_in_steps, encode
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.message import Message, Struct
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.uuid import ZERO_UUID, uuid_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkapy.context import NodeContext
    from kafkapy.network.dispatch import Answer
    from kafkapy.network.outbox import Outbox
    from kafkapy_controller.image import TopicImage
    from kafkapy_wire.uuid import Uuid

M = TypeVar("M", bound=Message)

logger = logging.getLogger("kafkapy.requests")

NOTHING: Final = "no answer"
LONG_ANSWER: Final = "a long answer"
NAMES_MAX: Final = 5
DECODED_BYTES_MAX: Final = 2 * 1024 * 1024
"""A longer request is told without names: it is decoded once more for them."""
ERRORS_MAX: Final = 3
STRUCTS_MAX: Final = 1_000
"""Of an answer: how many are looked at for errors."""

NAMING_ENTITIES: Final = frozenset({"topicName", "groupId", "transactionalId"})
NAMING_FIELDS: Final = frozenset({"key", "coordinator_keys", "resource_name", "group_ids", "groups_names"})
PARTITION_FIELDS: Final = frozenset({"partition", "partition_index", "index", "partition_id"})
PARTITIONS_FIELDS: Final = frozenset({"partitions", "partition_indexes"})


class RequestLog:
    """Logs every request of one dispatcher when its answer is appended to the outbox."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._current: NodeContext | None = None  # whose answer is being made now
        self._said = NOTHING

    def start(self) -> None:
        """From now on requests are logged."""
        self._dispatcher.accounts += (self,)  # called with every answer before that is encoded
        self._dispatcher.set_log(self)

    def stop(self) -> None:
        self._dispatcher.accounts = tuple(each for each in self._dispatcher.accounts if each is not self)
        self._dispatcher.set_log(None)

    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox) -> Unfinished | None:
        asked = _asked(frame, context)
        begun = perf_counter()
        before = self.begin(context)
        said = NOTHING
        try:
            unfinished = self._dispatcher.answer(frame, context, outbox)
        except Exception as error:
            _log(context, asked, f"connection closed: {shown_reason(str(error))}", begun)
            raise
        finally:
            said = self.end(before)
        if unfinished is not None:
            return LoggedUnfinished(self, self._dispatcher, unfinished, context, asked, begun)
        _log(context, asked, said, begun)
        return None

    def begin(self, context: NodeContext) -> tuple[NodeContext | None, str]:
        """The answer of `context` is made from now on. Returns the argument for `end`."""
        before = self._current, self._said
        self._current, self._said = context, NOTHING
        return before

    def end(self, before: tuple[NodeContext | None, str]) -> str:
        """The answer since `begin`, or NOTHING."""
        said = self._said
        self._current, self._said = before
        return said

    # -- as one of the dispatcher's accounts

    def before_encoding(self, api_key: ApiKey, response: Message, context: NodeContext) -> Message:
        if context is not self._current:
            return response
        response_class_, version = response_class(api_key), context.api_version
        if type(response) is not response_class_ and version in response_class_.__schema__.valid_versions:
            # Partly encoded already: its content cannot be read.
            decoded = _decoded_in_a_turn(response_class_, encode(response, version), 0, version)
            self._said = LONG_ANSWER if decoded is None else _said(decoded[0])
        else:
            self._said = _said(response)
        return response


class LoggedUnfinished(Unfinished):
    """An unfinished request that is logged when it is answered or abandoned."""

    __slots__ = ("_asked", "_begun", "_inner", "_logging", "_said")

    def __init__(
        self,
        log: RequestLog,
        dispatcher: Dispatcher,
        inner: Unfinished,
        context: NodeContext,
        asked: str,
        begun: float,
    ) -> None:
        super().__init__(dispatcher, inner._version, context, None, inner.waits_for, inner.holds_frame)
        self.is_large = inner.is_large
        self._logging = log
        self._inner = inner
        self._asked = asked
        self._begun = begun
        self._said = NOTHING

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        before = self._logging.begin(self._context)
        said = NOTHING
        try:
            is_answered = self._inner.go_on(value, outbox, error)
        except Exception as failure:
            _log(self._context, self._asked, f"connection closed: {shown_reason(str(failure))}", self._begun)
            raise
        finally:
            said = self._logging.end(before)
        if said != NOTHING:  # its answer may still have to be encoded
            self._said = said
        self.waits_for = self._inner.waits_for
        if is_answered:
            _log(self._context, self._asked, self._said, self._begun)
        return is_answered

    def abandoned(self) -> None:
        _log(self._context, self._asked, "given up, the client is gone", self._begun)


def _log(context: NodeContext, asked: str, said: str, begun: float) -> None:
    milliseconds = (perf_counter() - begun) * 1_000
    client_id = "no client id" if context.client_id is None else repr(shown(context.client_id))
    client = context.client
    who = client_id if client.principal is ANONYMOUS else f"{client_id} {shown(str(client.principal))}"
    logger.debug("%s %s: %s -> %s in %.2f ms", client, who, asked, said, milliseconds)


def _asked(frame: memoryview, context: NodeContext) -> str:
    """`Fetch v12 of orders-0, orders-1`; of an invalid frame, what can be read of it."""
    if len(frame) > DECODED_BYTES_MAX:
        frame = frame[:8]  # reading its names would take long: only key and version
    key, version = int.from_bytes(frame[:2], "big", signed=True), int.from_bytes(frame[2:4], "big", signed=True)
    try:
        name = API_VERSIONS[ApiKey(key)].message_name
    except ValueError:
        return f"API key {key} v{version}"
    try:
        _, position = decode_from(RequestHeader, frame, 0, request_header_version(key, version))
        # From a copy: the records in a frame may be changed in place, and its buffer is used again.
        decoded = _decoded_in_a_turn(request_class(key), bytes(frame), position, version)
    except (MalformedMessage, ValueError):  # also if there is no such version
        decoded = None
    if decoded is None:
        return f"{name} v{version}"
    request, _ = decoded
    names = list(islice(names_in(request, context.node.metadata.image.topics_by_id), NAMES_MAX + 1))
    session_id = getattr(request, "session_id", 0)
    if not names and session_id:
        names = [f"fetch session {session_id}"]  # which has the partitions
    more = ", ..." if len(names) > NAMES_MAX else ""
    of = f" of {', '.join(names[:NAMES_MAX])}{more}" if names else ""
    return f"{name} v{version}{of}"


def _decoded_in_a_turn(cls: type[M], content: bytes, position: int, version: int) -> tuple[M, int] | None:
    """What `decode_from` returns; None if others would wait too long for it. Raises MalformedMessage."""
    if len(content) <= AT_ONCE_BYTES_MAX:
        return decode_from(cls, content, position, version)
    return within_turn(decoder_in_steps(cls, version)(memoryview(content), position, ELEMENTS_MAX), Turn())


def names_in(struct: Struct, topics: Mapping[Uuid, TopicImage], inside: str = "") -> Iterator[str]:
    """The names in a request: groups, transactional ids, topics and partitions; unknown topics by id."""
    label, number = "", None
    for field in struct.__fields__:
        value = getattr(struct, field.name)
        if field.entity in NAMING_ENTITIES or field.name in NAMING_FIELDS:
            if isinstance(value, str) and value:
                label = shown(value)
            elif isinstance(value, list):
                yield from (shown(item) for item in value if isinstance(item, str))
        elif field.name == "topic_id" and value != ZERO_UUID:
            label = label or (topics[value].name if value in topics else uuid_text(value))
        elif field.name in PARTITION_FIELDS and isinstance(value, int):
            number = value
    if number is not None:
        yield f"{label or inside}-{number}"
        return
    is_told = False
    for field in struct.__fields__:
        value = getattr(struct, field.name)
        if not isinstance(value, list):
            continue
        for item in value:
            if isinstance(item, Struct):
                for name in names_in(item, topics, label or inside):
                    is_told = is_told or name.startswith(label)
                    yield name
            elif field.name in PARTITIONS_FIELDS and isinstance(item, int):
                is_told = True
                yield f"{label or inside}-{item}"
    if label and not is_told:
        yield label


def _said(response: Message) -> str:
    """`NONE`, or all errors in the answer."""
    codes = dict.fromkeys(islice(_codes_in(response, [STRUCTS_MAX]), STRUCTS_MAX))
    codes.pop(0, None)
    names = [_code_name(code) for code in codes]
    more = ", ..." if len(names) > ERRORS_MAX else ""
    return ", ".join(names[:ERRORS_MAX]) + more if names else "NONE"


def _codes_in(struct: Struct, left: list[int]) -> Iterator[int]:
    """Error codes of a struct and of the structs in it, of at most `left[0]` structs."""
    left[0] -= 1
    for field in struct.__fields__:
        value = getattr(struct, field.name)
        if field.name == "error_code":
            yield value
        elif isinstance(value, list):
            for item in value:
                if not isinstance(item, Struct) or left[0] <= 0:
                    break
                yield from _codes_in(item, left)


def _code_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return str(code)
