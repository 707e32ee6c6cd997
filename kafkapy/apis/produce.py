"""Produce (API key 0), versions 3-13: append one record batch to each of some partitions.

v3 transactional_id, message format v2 only   v5 log start offset   v7 zstd (KIP-110)   v8 record errors (KIP-467)
v9 flexible                                   v10 leader discovery (KIP-951)            v13 topic ids (KIP-516)

acks=0 has no answer; at an error the broker closes the connection, as nothing else can tell the client. acks=1 is
answered when the leader has stored the records (with flush.messages: after the fsync), acks=all when they are
committed.

Errors  INVALID_REQUIRED_ACKS         acks is not -1, 0 or 1
        UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID
        INVALID_TOPIC_EXCEPTION       an internal topic, from anyone but an admin client
        NOT_LEADER_OR_FOLLOWER        another broker leads the partition; v10: the answer says which, and where
        NOT_ENOUGH_REPLICAS           acks=all and the ISR is below min.insync.replicas (or the number of replicas)
        NOT_ENOUGH_REPLICAS_AFTER_APPEND    the same, found when the records were committed
        REQUEST_TIMED_OUT             appended, but not replicated as acks asks for within timeout_ms
        INVALID_RECORD                not exactly one batch of format v2, or the batch contradicts itself
        CORRUPT_MESSAGE               the CRC is wrong
        MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION_TYPE
        OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, DUPLICATE_SEQUENCE_NUMBER    idempotent producers (KIP-98)
        KAFKA_STORAGE_ERROR           the disk is full or has failed: the records were not stored, or not fsynced
        INVALID_TXN_STATE             a transactional batch outside a transaction, or a plain batch within one
 of the partitions with transactional batches:
        TRANSACTION_ABORTABLE         v11: the partition is not in the transaction; before INVALID_TXN_STATE
        INVALID_PRODUCER_EPOCH        another producer has the transactional id now
        INVALID_PRODUCER_ID_MAPPING   no such transactional id, or another producer id has it
        CONCURRENT_TRANSACTIONS       the previous transaction is still being completed; before v12 NOT_ENOUGH_REPLICAS
        TRANSACTIONAL_ID_AUTHORIZATION_FAILED    the request has no transactional id

Differs: if the disk is full, the broker keeps running and takes records again once there is room
(docs/when-the-disk-is-full.md); Apache Kafka's broker halts. If a request names a partition twice (no client does),
both batches are appended; Apache Kafka appends the last one only. A late marker of a producer's transaction before does
not end the next one (v12); in Apache Kafka its records are refused with INVALID_TXN_STATE.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

from kafkapy.coordinators.transaction.enlisting import Enlisted
from kafkapy.errors import CloseConnection
from kafkapy.metadata.current_leaders import current_leader
from kafkapy.partitions.looking import check_beside
from kafkapy.partitions.opening import OPENED_AT_ONCE_MAX, open_in_turns, to_be_opened
from kafkapy.pending import Pending, settled
from kafkapy.producing.acks import ALL, AckWait
from kafkapy.producing.enlisting import NotEnlisted, enlist, has_transactional_batch
from kafkapy.turns import Turn
from kafkapy_controller.topic_names import INTERNAL_TOPICS
from kafkapy_log import UNGUARDED, Verification
from kafkapy_log.append_validation import AT_ONCE_BYTES_MAX, TakesLong
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from kafkapy_wire.records.batch import COMPRESSION_MASK
from kafkapy_wire.records.validation import RecordsRejected, RequestRejected

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from kafkapy.context import RequestContext
    from kafkapy.high_watermark import HighWatermark
    from kafkapy.partitions.opening import Named
    from kafkapy.partitions.partition import Partition
    from kafkapy_log.append_validation import CheckedBatch
    from kafkapy_wire.messages.produce import PartitionProduceData, TopicProduceData

    # What `enlist` said of each partition with a transactional batch, or of the whole request.
    _Part: TypeAlias = tuple[TopicProduceData, PartitionProduceData, list[PartitionProduceResponse]]
    Enlistments: TypeAlias = Mapping[Partition, Enlisted | NotEnlisted] | NotEnlisted

ADMIN_CLIENT_ID = "__admin_client"
NOTHING_ENLISTED: Mapping[Partition, Enlisted | NotEnlisted] = {}
UNASKED = Enlisted(Verification.NONE, UNGUARDED)
FIRST_VERSION_WITH_ENDPOINTS = 10
FIRST_VERSION_WITH_TOPIC_IDS = 13
APPENDED_AT_ONCE_MAX = 64  # partitions: two milliseconds
COMPRESSED_AT_ONCE_MAX = 4  # batches: a small one may take two milliseconds, too
COMPRESSION_AT = 22  # the lower byte of a batch's attributes
# To these Apache Kafka answers without the log start offset, to every other error of an append with it.
ERRORS_WITHOUT_LOG_START_OFFSET = frozenset(
    {
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.RECORD_LIST_TOO_LARGE,
    }
)

_NO_LEADER = LeaderIdAndEpoch()  # shared by all answers, and changed by nobody

Answer: TypeAlias = "ProduceResponse | Pending[ProduceResponse | None] | None"


def handle(request: ProduceRequest, context: RequestContext) -> Answer | Coroutine[None, None, ProduceResponse | None]:
    topics = request.topic_data
    if len(topics) == 1 and len(topics[0].partition_data) == 1:
        if request.acks and not has_transactional_batch(request):
            return _append_one(request, context)
        return _produce(request, context)
    count = 0
    for topic in topics:
        count += len(topic.partition_data)
        if count > APPENDED_AT_ONCE_MAX:
            return _produce_in_turns(request, context)
    if len(topics) > APPENDED_AT_ONCE_MAX or _compressed_count(request) > COMPRESSED_AT_ONCE_MAX:
        return _produce_in_turns(request, context)
    partitions = context.broker.partitions
    if partitions.has_unopened and count > OPENED_AT_ONCE_MAX and to_be_opened(_named(request, context), partitions):
        return _produce_in_turns(request, context)
    return _produce(request, context)


def _compressed_count(request: ProduceRequest) -> int:
    """How many batches must be decompressed."""
    count = 0
    for topic in request.topic_data:
        for data in topic.partition_data:
            records = data.records
            if records is not None and len(records) > COMPRESSION_AT and records[COMPRESSION_AT] & COMPRESSION_MASK:
                count += 1
    return count


def _has_large(request: ProduceRequest) -> bool:
    return any(
        data.records is not None and len(data.records) > AT_ONCE_BYTES_MAX
        for topic in request.topic_data
        for data in topic.partition_data
    )


def _named(request: ProduceRequest, context: RequestContext) -> list[Named]:
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    return [
        (topic.topic_id if by_id else topic.name, data.index)
        for topic in request.topic_data
        for data in topic.partition_data
    ]


def _produce(
    request: ProduceRequest, context: RequestContext
) -> Answer | Coroutine[None, None, ProduceResponse | None]:
    if not has_transactional_batch(request):
        return _append_all(request, context)
    if _compressed_count(request) or _has_large(request):
        return _produce_in_turns(request, context)  # one that takes long is not to be met behind a Pending
    enlisted = _enlist(request, context)
    if enlisted.settled:
        return _append_enlisted(request, context, enlisted.result())
    return enlisted.and_then(lambda outcome: _as_pending(_append_enlisted(request, context, outcome)))


async def _produce_in_turns(request: ProduceRequest, context: RequestContext) -> ProduceResponse | None:
    """As `handle`, for very many partitions, with turns of the event loop between them."""
    partitions = context.broker.partitions
    turn = Turn()
    closed = []
    for topic in request.topic_data:
        for data in topic.partition_data:
            if partitions.has_unopened:
                named = topic.topic_id if context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS else topic.name
                closed += partitions.unopened_among([(named, data.index)])
            await turn.share()
        await turn.share()
    await open_in_turns(closed, partitions)
    enlisted = await _enlist(request, context).wait() if has_transactional_batch(request) else NOTHING_ENLISTED
    appending = Appending(request, context, enlisted)
    for topic in request.topic_data:
        await _append_in_turns(appending, appending.parts_of(topic), turn)
        await turn.share()
    return await _answer_of(appending, turn)


async def _append_rest(appending: Appending, parts: Iterator[_Part], first: _Part) -> ProduceResponse | None:
    """Append `first`, which takes long, and then the other parts, in turns."""
    turn = Turn()
    appending.append(*first, await appending.check(first))
    await _append_in_turns(appending, parts, turn)
    return await _answer_of(appending, turn)


async def _append_in_turns(appending: Appending, parts: Iterator[_Part], turn: Turn) -> None:
    for part in parts:
        try:
            appending.append(*part)
        except TakesLong:
            appending.append(*part, await appending.check(part))
        await turn.share()


async def _answer_of(appending: Appending, turn: Turn) -> ProduceResponse | None:
    answer = appending.answer()
    if not isinstance(answer, Pending):
        return answer
    response = await answer.wait()
    await turn.share()  # one fsync may have answered many such requests
    return response


def _enlist(request: ProduceRequest, context: RequestContext) -> Pending[Enlistments]:
    try:
        outcome = enlist(
            request,
            context.api_version,
            context.broker.enlister,
            lambda topic, index: _find(topic, index, request, context),
        )
    except NotEnlisted as refusal:
        return settled(refusal)
    return cast("Pending[Enlistments]", outcome)  # Pending is invariant


def _append_all(
    request: ProduceRequest, context: RequestContext
) -> Answer | Coroutine[None, None, ProduceResponse | None]:
    appending = Appending(request, context, NOTHING_ENLISTED)
    parts = appending.parts()
    for part in parts:
        try:
            appending.append(*part)
        except TakesLong:
            return _append_rest(appending, parts, part)
    return appending.answer()


def _append_enlisted(request: ProduceRequest, context: RequestContext, enlisted: Enlistments) -> Answer:
    appending = Appending(request, context, enlisted)
    for topic, data, answers in appending.parts():
        appending.append(topic, data, answers, at_once=False)
    return appending.answer()


def _append_one(
    request: ProduceRequest, context: RequestContext
) -> Answer | Coroutine[None, None, ProduceResponse | None]:
    """What `Appending` does, for the request of one plain batch with an answer: 0.9 of 11 µs less for each of them.

    The clients of many small requests send nothing else.
    """
    topic, acks = request.topic_data[0], request.acks
    data = topic.partition_data[0]
    partition: Partition | None = None
    wait_for: HighWatermark | None = None
    last_offset = -1
    try:
        partition = _find(topic, data.index, request, context)
        _check_isr(partition, acks)
        base_offset, last_offset, log_append_time_ms, log_start_offset = partition.append_produced(
            data.records if data.records is not None else b"",
            now_ms=context.broker.clock.now_ms(),
            request_version=context.api_version,
        )
    except KafkaError as error:
        answer = PartitionProduceResponse(index=data.index, base_offset=-1)
        _refuse(answer, partition, error)
    except TakesLong:
        return _produce_in_turns(request, context)
    else:
        answer = PartitionProduceResponse(
            index=data.index,
            base_offset=base_offset,
            log_append_time_ms=log_append_time_ms,
            log_start_offset=log_start_offset,
            current_leader=_NO_LEADER,
        )
        wait_for = partition.committed if acks == ALL else partition.stored
    response = ProduceResponse(
        responses=[TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=[answer])]
    )
    if partition is None or wait_for is None or wait_for.offset > last_offset:
        if answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
            _add_leaders(context, response)
        return response
    wait = AckWait(response, acks, partial(_add_leaders, context))
    wait.add(partition, answer, last_offset + 1)
    return wait.begin(request.timeout_ms, context.broker.clock)


def _as_pending(answer: Answer) -> Pending[ProduceResponse | None]:
    return answer if isinstance(answer, Pending) else settled(answer)


class Appending:
    """The appends of one request, and the answer to them."""

    __slots__ = ("_context", "_enlisted", "_failed", "_request", "_response", "_wait")

    def __init__(self, request: ProduceRequest, context: RequestContext, enlisted: Enlistments) -> None:
        self._request = request
        self._context = context
        self._enlisted = enlisted
        self._response = ProduceResponse()
        self._failed: PartitionProduceResponse | None = None
        self._wait: AckWait | None = None

    def begin_topic(self, topic: TopicProduceData) -> list[PartitionProduceResponse]:
        """Begin the topic's part of the answer, to which `append` adds partitions."""
        answers: list[PartitionProduceResponse] = []
        self._response.responses.append(
            TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=answers)
        )
        return answers

    def parts(self) -> Iterator[_Part]:
        """The arguments of `append` for each partition of the request."""
        for topic in self._request.topic_data:
            yield from self.parts_of(topic)

    def parts_of(self, topic: TopicProduceData) -> Iterator[_Part]:
        """The arguments of `append` for each partition of one topic, which gets its place in the answer."""
        answers = self.begin_topic(topic)
        for data in topic.partition_data:
            yield topic, data, answers

    async def check(self, part: _Part) -> CheckedBatch | KafkaError | None:
        """Validate a part's records beside the event loop; None: there is no such partition, as `append` will find."""
        topic, data, _ = part
        context = self._context
        try:
            partition = _find(topic, data.index, self._request, context)
        except KafkaError:
            return None
        return await check_beside(
            partition.log,
            data.records if data.records is not None else b"",
            now_ms=context.broker.clock.now_ms(),
            request_version=context.api_version,
        )

    def append(
        self,
        topic: TopicProduceData,
        data: PartitionProduceData,
        answers: list[PartitionProduceResponse],
        checked: CheckedBatch | KafkaError | None = None,
        *,
        at_once: bool = True,
    ) -> None:
        """Append one partition's records, or say in its answer why not. `checked` of them, if that is known already.

        Raises TakesLong, only `at_once`, and has done nothing then.
        """
        context, enlisted = self._context, self._enlisted
        answer = PartitionProduceResponse(index=data.index, base_offset=-1, current_leader=_NO_LEADER)
        partition: Partition | None = None
        try:
            if isinstance(enlisted, NotEnlisted):
                raise enlisted
            partition = _find(topic, data.index, self._request, context)
            said = enlisted.get(partition, UNASKED) if enlisted else UNASKED
            if isinstance(said, NotEnlisted):
                raise said
            _check_isr(partition, self._request.acks)
            if isinstance(checked, KafkaError):
                raise checked
            records = data.records if data.records is not None else b""
            result = partition.append_produced(
                records if checked is None else checked,
                now_ms=context.broker.clock.now_ms(),
                request_version=context.api_version,
                verification=said.verification,
                guard=said.guard,
                at_once=at_once,
            )
        except NotEnlisted as error:
            answer.error_code = error.code
            answer.error_message = error.shown
            self._failed = answer
        except KafkaError as error:
            _refuse(answer, partition, error)
            self._failed = answer
        else:
            answer.base_offset = result.base_offset
            answer.log_append_time_ms = result.log_append_time_ms
            answer.log_start_offset = result.log_start_offset
            acks = self._request.acks
            if acks and (partition.committed if acks == ALL else partition.stored).offset <= result.last_offset:
                if self._wait is None:
                    self._wait = AckWait(self._response, acks, partial(_add_leaders, self._context))
                self._wait.add(partition, answer, result.last_offset + 1)
        answers.append(answer)

    def answer(self) -> Answer:
        """The answer, after all appends. Raises CloseConnection: an error with acks=0, which has no answer."""
        request = self._request
        if self._failed is not None:
            _add_leaders(self._context, self._response)
        if self._wait is not None:
            return self._wait.begin(request.timeout_ms, self._context.broker.clock)
        if request.acks:
            return self._response
        if self._failed is not None:
            error = ErrorCode(self._failed.error_code).name
            raise CloseConnection(
                f"a produce request with acks=0 failed with {error}, which only this can tell the client"
            )
        return None


def _add_leaders(context: RequestContext, response: ProduceResponse) -> None:
    """Say of the partitions that are led elsewhere who leads them, and where (KIP-951)."""
    if context.api_version < FIRST_VERSION_WITH_ENDPOINTS:
        return
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    image, listener_name = context.node.metadata.image, context.client.listener_name
    known = {endpoint.node_id for endpoint in response.node_endpoints}
    for topic in response.responses:
        for answer in topic.partition_responses:
            if answer.error_code != ErrorCode.NOT_LEADER_OR_FOLLOWER:
                continue
            leader = current_leader(image, topic.topic_id if by_id else topic.name, answer.index, listener_name)
            answer.current_leader = LeaderIdAndEpoch(leader_id=leader.leader_id, leader_epoch=leader.leader_epoch)
            if leader.broker is not None and leader.endpoint is not None and leader.leader_id not in known:
                known.add(leader.leader_id)
                response.node_endpoints.append(
                    NodeEndpoint(
                        node_id=leader.leader_id,
                        host=context.advertised_host(leader.endpoint),
                        port=leader.endpoint.port,
                        rack=leader.broker.rack,
                    )
                )


def _refuse(answer: PartitionProduceResponse, partition: Partition | None, error: KafkaError) -> None:
    answer.error_code = error.code
    if isinstance(error, RecordsRejected):
        # Apache Kafka writes the message of every other error to its log only.
        answer.error_message = error.message
        answer.record_errors = [
            BatchIndexAndErrorMessage(batch_index=record.batch_index, batch_index_error_message=record.message)
            for record in error.record_errors
        ]
    never_appended = isinstance(error, RequestRejected) or error.code in ERRORS_WITHOUT_LOG_START_OFFSET
    if partition is not None and not never_appended:
        answer.log_start_offset = partition.log.log_start_offset


def _find(topic: TopicProduceData, index: int, request: ProduceRequest, context: RequestContext) -> Partition:
    if request.acks not in (ALL, 0, 1):
        raise KafkaError(ErrorCode.INVALID_REQUIRED_ACKS)
    partitions = context.broker.partitions
    if context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS:
        partition = partitions.leader_by_id(topic.topic_id, index)
    else:
        partition = partitions.leader(topic.name, index)
    if partition.topic in INTERNAL_TOPICS and context.client_id != ADMIN_CLIENT_ID:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
    return partition


def _check_isr(partition: Partition, acks: int) -> None:
    """Raises KafkaError NOT_ENOUGH_REPLICAS."""
    if acks == ALL and partition.is_under_min_isr:
        raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)


def error_response(request: ProduceRequest, error: KafkaError) -> ProduceResponse:
    if not request.acks:
        raise CloseConnection(f"a produce request with acks=0 failed with {error.code.name}") from error
    topics = []
    for topic in request.topic_data:
        answers = [
            PartitionProduceResponse(
                index=data.index, base_offset=-1, error_code=error.code, error_message=error.message
            )
            for data in topic.partition_data
        ]
        topics.append(TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=answers))
    return ProduceResponse(responses=topics)
