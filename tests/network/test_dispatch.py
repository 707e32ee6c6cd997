"""From a frame to its answer, with everything that may stand in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from kafkapy.apis import API_MODULES, heartbeat
from kafkapy.apis.served import Api
from kafkapy.broker import Broker
from kafkapy.context import Client, NodeContext, RequestContext
from kafkapy.errors import CloseConnection
from kafkapy.network.dispatch import COPIED_FRAME_BYTES_MAX, Dispatcher, Unfinished
from kafkapy.network.outbox import Outbox
from kafkapy.pending import Pending
from kafkapy_wire.api_keys import ApiKey, request_class, request_header_version, response_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.message import Message, parse_versions
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from kafkapy_wire.messages.request_header import RequestHeader
from tests.network.test_outbox import SlowTransport

if TYPE_CHECKING:
    from kafkapy.network.stages import Steps

Answer = Message | None


def frame_of(
    request: Message, version: int, *, key: ApiKey, correlation_id: int = 5, client_id: str | None = "a"
) -> bytes:
    header = RequestHeader(
        request_api_key=key, request_api_version=version, correlation_id=correlation_id, client_id=client_id
    )
    return encode(header, request_header_version(key, version)) + encode(request, version)


HEARTBEAT = frame_of(HeartbeatRequest(group_id="g", generation_id=3), 4, key=ApiKey.HEARTBEAT)


class Handled:
    """A dispatcher whose Heartbeat does what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dispatcher = Dispatcher()
        self.transport = SlowTransport()
        self.outbox = Outbox(self.transport)
        node = SimpleNamespace(authorizer=None, strictness=None, api_limits=None)
        self.context = RequestContext(cast("Broker", node), Client("PLAINTEXT", "::1", 1, "::1"))
        self.requests: list[HeartbeatRequest] = []
        self.result: object = HeartbeatResponse(error_code=1)
        monkeypatch.setattr(heartbeat, "handle", self._handle)

    def _handle(self, request: HeartbeatRequest, _context: NodeContext) -> object:
        self.requests.append(request)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def answer(self, frame: bytes = HEARTBEAT) -> Unfinished | None:
        return self.dispatcher.answer(memoryview(frame), self.context, self.outbox)

    def sent(self) -> list[int]:
        """The error codes of the answers so far."""
        self.outbox.pump()
        codes, data = [], bytes(self.transport.received)
        while data:
            size = int.from_bytes(data[:4], "big")
            assert data[4:9] == b"\0\0\0\x05\0", "correlation id and no tagged fields"
            codes.append(decode(HeartbeatResponse, data[9 : 4 + size], 4).error_code)
            data = data[4 + size :]
        return codes


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Handled:
    return Handled(monkeypatch)


def test_an_answer_known_at_once(handled: Handled) -> None:
    assert handled.answer() is None
    assert handled.sent() == [1]
    assert handled.context.client_id == "a"
    assert (handled.context.api_version, handled.context.correlation_id) == (4, 5)


def test_no_answer(handled: Handled) -> None:
    handled.result = None
    assert handled.answer() is None
    assert handled.sent() == []


def test_an_error_of_the_handler_is_the_answer(handled: Handled) -> None:
    handled.result = KafkaError(ErrorCode.ILLEGAL_GENERATION)
    assert handled.answer() is None
    assert handled.sent() == [ErrorCode.ILLEGAL_GENERATION]


def test_an_answer_that_comes_later(handled: Handled) -> None:
    pending: Pending[Answer] = Pending()
    handled.result = pending
    unfinished = handled.answer()
    assert unfinished is not None
    assert unfinished.waits_for is pending
    assert handled.sent() == []
    pending.answer(HeartbeatResponse(error_code=2))
    assert unfinished.go_on(pending.result(), handled.outbox)
    assert handled.sent() == [2]


def test_a_refusal_that_comes_later(handled: Handled) -> None:
    handled.result = Pending[Answer]()
    unfinished = handled.answer()
    assert unfinished is not None
    assert unfinished.go_on(None, handled.outbox, KafkaError(ErrorCode.REBALANCE_IN_PROGRESS))
    assert handled.sent() == [ErrorCode.REBALANCE_IN_PROGRESS]


def test_a_pending_that_is_settled_is_an_answer(handled: Handled) -> None:
    pending: Pending[Answer] = Pending()
    pending.answer(HeartbeatResponse(error_code=2))
    handled.result = pending
    assert handled.answer() is None
    refused: Pending[Answer] = Pending()
    refused.refuse(KafkaError(ErrorCode.UNKNOWN_MEMBER_ID))
    handled.result = refused
    assert handled.answer() is None
    assert handled.sent() == [2, ErrorCode.UNKNOWN_MEMBER_ID]


def test_a_coroutine_is_for_somebody_else_to_await(handled: Handled) -> None:
    async def later() -> Answer:
        return HeartbeatResponse()

    coroutine = handled.result = later()
    unfinished = handled.answer()
    assert unfinished is not None
    assert unfinished.waits_for is coroutine
    assert unfinished.go_on(HeartbeatResponse(error_code=4), handled.outbox)
    assert handled.sent() == [4]
    coroutine.close()


class Door:
    """A fault door, and its own injection: it gives the answers it is told, before the work and after it."""

    def __init__(self, before: object = None, after: object = "the same") -> None:
        self._before = before
        self._after = after
        self.seen: list[Answer] = []
        self.request: Message = HeartbeatRequest()

    def meet(self, api: Api, request: Message, context: NodeContext) -> Door:
        assert api.key is ApiKey.HEARTBEAT
        self.request = request
        return self

    def before(self) -> Steps:
        if isinstance(self._before, Exception):
            raise self._before
        if isinstance(self._before, Pending):
            return (yield self._before)
        return cast("Answer", self._before)

    def after(self, response: Answer) -> Steps:
        self.seen.append(response)
        if isinstance(self._after, Pending):
            return (yield self._after)
        return response if self._after == "the same" else cast("Answer", self._after)


def test_a_fault_before_the_work(handled: Handled) -> None:
    handled.dispatcher.faults = Door(before=HeartbeatResponse(error_code=9))
    assert handled.answer() is None
    handled.dispatcher.faults = Door(before=KafkaError(ErrorCode.NOT_COORDINATOR))
    assert handled.answer() is None
    assert handled.sent() == [9, ErrorCode.NOT_COORDINATOR]
    assert not handled.requests


def test_a_request_from_which_a_fault_has_taken_something(handled: Handled) -> None:
    smaller = HeartbeatRequest(group_id="g", generation_id=4)

    class Taking(Door):
        def before(self) -> Steps:
            self.request = smaller
            yield from ()
            return None

    handled.dispatcher.faults = Taking()
    assert handled.answer() is None
    assert handled.requests == [smaller]


def test_a_request_that_a_door_lets_pass(handled: Handled) -> None:
    class Open:
        def meet(self, api: Api, request: Message, context: NodeContext) -> None:
            return None

    handled.dispatcher.faults = Open()
    assert handled.answer() is None
    assert handled.sent() == [1]


def test_a_fault_after_the_work(handled: Handled) -> None:
    handled.dispatcher.faults = Door(after=HeartbeatResponse(error_code=9))
    assert handled.answer() is None
    handled.dispatcher.faults = Door(after=None)
    assert handled.answer() is None
    assert handled.sent() == [9]
    assert len(handled.requests) == 2


def test_a_delay_before_and_after_the_work_and_within_it(handled: Handled) -> None:
    before, within, after = Pending[Answer](), Pending[Answer](), Pending[Answer]()
    handled.result = within
    door = handled.dispatcher.faults = Door(before=before, after=after)
    unfinished = handled.answer()
    assert unfinished is not None
    assert unfinished.waits_for is before
    assert not handled.requests
    assert not unfinished.go_on(None, handled.outbox)
    assert unfinished.waits_for is within
    assert not unfinished.go_on(HeartbeatResponse(error_code=2), handled.outbox)
    assert unfinished.waits_for is after
    assert door.seen == [HeartbeatResponse(error_code=2)]
    assert unfinished.go_on(HeartbeatResponse(error_code=3), handled.outbox)
    assert handled.sent() == [3]


def test_a_gate_refuses_before_the_work(handled: Handled) -> None:
    def gate(api_key: ApiKey, request: Message, context: NodeContext) -> Answer:
        assert isinstance(request, HeartbeatRequest)
        return HeartbeatResponse(error_code=30) if request.generation_id == 3 else None

    handled.dispatcher.gate = gate
    assert handled.answer() is None
    assert not handled.requests
    passes = frame_of(HeartbeatRequest(group_id="g"), 4, key=ApiKey.HEARTBEAT)
    assert handled.answer(passes) is None
    assert handled.sent() == [30, 1]
    assert len(handled.requests) == 1


def test_accounts_set_the_throttle_time(handled: Handled) -> None:
    class Accounts:
        def before_encoding(self, api_key: ApiKey, response: Message, context: NodeContext) -> Message:
            assert isinstance(response, HeartbeatResponse)
            return HeartbeatResponse(throttle_time_ms=77)

    handled.dispatcher.accounts = (Accounts(),)
    assert handled.answer() is None
    handled.outbox.pump()
    assert decode(HeartbeatResponse, bytes(handled.transport.received[9:]), 4).throttle_time_ms == 77


@pytest.mark.parametrize("client_id", [None, "", "a", "ü" * 100])
@pytest.mark.parametrize("version", [1, 4])
def test_client_ids_of_both_kinds_of_header(handled: Handled, client_id: str | None, version: int) -> None:
    request = HeartbeatRequest(group_id="g")
    assert handled.answer(frame_of(request, version, key=ApiKey.HEARTBEAT, client_id=client_id)) is None
    assert handled.context.client_id == client_id
    assert handled.requests == [request]


def test_tagged_fields_of_the_header_are_passed_over(handled: Handled) -> None:
    header = RequestHeader(request_api_key=12, request_api_version=4, correlation_id=5, client_id="a")
    header.unknown_tagged_fields = [(9, b"whatever")]
    request = HeartbeatRequest(group_id="g")
    assert handled.answer(encode(header, 2) + encode(request, 4)) is None
    assert handled.requests == [request]


@pytest.mark.parametrize("cut", range(len(HEARTBEAT) - 1))
def test_a_request_cut_anywhere_is_malformed(handled: Handled, cut: int) -> None:
    with pytest.raises(MalformedMessage):
        handled.answer(HEARTBEAT[:cut])
    assert handled.sent() == []


def test_a_client_id_that_is_no_text_is_malformed(handled: Handled) -> None:
    with pytest.raises(MalformedMessage):
        handled.answer(HEARTBEAT[:10] + b"\xff" + HEARTBEAT[11:])


@pytest.mark.parametrize("size", [100, COPIED_FRAME_BYTES_MAX + 1])
def test_records_outlive_their_frame_while_the_request_waits(
    handled: Handled, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Small frames are copied; for large ones whoever owns the frame is told."""
    from kafkapy.apis import produce

    kept: list[ProduceRequest] = []

    def handle(request: ProduceRequest, _context: NodeContext) -> object:
        kept.append(request)
        return Pending[Answer]()

    monkeypatch.setattr(produce, "handle", handle)
    data = PartitionProduceData(records=b"r" * size)
    request = ProduceRequest(acks=1, topic_data=[TopicProduceData(name="t", partition_data=[data])])
    frame = bytearray(frame_of(request, 9, key=ApiKey.PRODUCE))
    unfinished = handled.dispatcher.answer(memoryview(frame), handled.context, handled.outbox)
    assert unfinished is not None
    assert unfinished.holds_frame == (size > COPIED_FRAME_BYTES_MAX)
    if not unfinished.holds_frame:
        frame[:] = bytes(len(frame))
    assert bytes(kept[0].topic_data[0].partition_data[0].records or b"") == b"r" * size


@pytest.mark.parametrize("key", list(API_MODULES), ids=lambda key: key.name)
def test_every_api_has_a_place_for_its_errors(key: ApiKey) -> None:
    """It is found when it is loaded: an error without a place would reach the client as success."""
    api = Api(key, API_MODULES[key])
    error = KafkaError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "no")
    if key is ApiKey.PRODUCE:
        with pytest.raises(CloseConnection, match="CLUSTER_AUTHORIZATION_FAILED"):
            api.error_response(ProduceRequest(acks=0), error)
    for version in api.versions:
        request = decode(request_class(key), encode(_plausible(request_class(key), version), version), version)
        if isinstance(request, ProduceRequest):
            request.acks = 1
        response = api.error_response(request, error)
        answer = decode(response_class(key), encode(response, version), version)
        assert ErrorCode.CLUSTER_AUTHORIZATION_FAILED in _error_codes(answer), (version, answer)


def test_a_produce_that_fails_as_a_whole_fails_for_each_partition() -> None:
    data = [PartitionProduceData(index=1), PartitionProduceData(index=2)]
    request = ProduceRequest(acks=-1, topic_data=[TopicProduceData(name="t", partition_data=data)])
    api = Api(ApiKey.PRODUCE, API_MODULES[ApiKey.PRODUCE])
    response = api.error_response(request, KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
    (topic,) = response.responses  # type: ignore[attr-defined]
    assert [
        (one.index, one.error_code) for one in cast("list[PartitionProduceResponse]", topic.partition_responses)
    ] == [
        (1, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (2, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    ]


def _plausible(struct: type[Message], version: int) -> Message:
    """One element in each array, so that an error of elements can be seen."""
    message = struct()
    _fill(message, version)
    return message


def _fill(message: object, version: int) -> None:
    for field in message.__fields__:  # type: ignore[attr-defined]
        if not isinstance(field.kind, list) or version not in parse_versions(field.versions):
            continue
        (kind,) = field.kind
        element = kind() if isinstance(kind, type) else {"string": "a", "uuid": bytes(16)}.get(kind, 1)
        if isinstance(kind, type):
            _fill(element, version)
        setattr(message, field.name, [element])


def _error_codes(value: object) -> set[int]:
    if isinstance(value, list):
        return set().union(*map(_error_codes, value)) if value else set()
    fields = getattr(value, "__fields__", ())
    found = {getattr(value, name) for name in ("error_code", "partition_error_code") if hasattr(value, name)}
    return found.union(*(_error_codes(getattr(value, field.name)) for field in fields))
