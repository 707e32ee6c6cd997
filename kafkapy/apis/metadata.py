"""Metadata (API key 3), versions 0-13: the brokers, and the partitions of some or all topics with their leaders.

v1 null asks for all topics, an empty list for none; in v0 empty asks for all   v2 cluster id
v4 allow_auto_topic_creation   v5 offline replicas   v7 leader epochs (KIP-320)   v8 authorized operations (KIP-430)
v9 flexible   v10 topic ids (KIP-516)   v11 no cluster operations any more (KIP-700)   v12 topics by id
v13 an error of the whole answer (KIP-1102)

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic, and it was not created
        INVALID_TOPIC_EXCEPTION     not a topic's name
        UNKNOWN_TOPIC_ID            no such topic; if the request has one topic id, names in it are ignored
        LEADER_NOT_AVAILABLE        a partition without a leader
        LISTENER_NOT_FOUND          the partition's leader has no listener with the name of the client's listener
                                    (before v6 LEADER_NOT_AVAILABLE)
        REPLICA_NOT_AVAILABLE       v0: a replica is down; it is left out of the answer
        INVALID_REQUEST             v10-v11: the request has a topic id
        UNKNOWN_SERVER_ERROR        v12+: a topic with neither name nor id
Differs: a topic that the request creates is in its answer already (--strict auto-created-topics). Apache Kafka answers
UNKNOWN_TOPIC_OR_PARTITION, and the client asks again. Therefore an idempotent producer of librdkafka begins 0.4 s later
here, as it does with a topic that existed before: it asks for its producer id when a second Metadata answer arrives,
else only every 500 ms.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from kafkapy.apis.told_address import note_metadata
from kafkapy.log_lines import shown
from kafkapy.metadata.encoded_topics import EncodedTopic, Form
from kafkapy.turns import Turn
from kafkapy_controller.image import NO_LEADER
from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_controller.topics import PARTITIONS_PER_REQUEST_MAX
from kafkapy_wire.codec import encode_struct
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import EncodedStructs, Message, field
from kafkapy_wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from kafkapy.context import NodeContext, RequestContext
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
    from kafkapy_wire.messages.metadata import MetadataRequestTopic
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.apis.metadata")

NO_OPERATIONS = -2147483648
NO_CONTROLLER = -1
"""The value for: the request did not ask for the allowed operations."""
ALL_TOPIC_OPERATIONS = 3_576
"""A bit for each AclOperation a topic knows: 3 READ to 8 DESCRIBE, 10 and 11 DESCRIBE_, ALTER_CONFIGS."""
ALL_CLUSTER_OPERATIONS = 8_096
"""The same for the cluster: 5 CREATE, 7 ALTER to 11 ALTER_CONFIGS, 12 IDEMPOTENT_WRITE."""

FIRST_VERSION_WITH_LISTENER_NOT_FOUND = 6
FIRST_VERSION_ASKING_BY_ID = 12
LOGGED_TOPICS_MAX = 20
"""Of those that are created for one request."""
NAMED_AT_ONCE_MAX = 500
"""Topics that a request names; a request about more is cut."""
NOTHING: frozenset[str] = frozenset()
PARTITIONS_PER_TURN_MAX = 500
"""More than these to be encoded take turns; about 5 microseconds each."""


class Answer(Message, api_key=3, kind="response", versions="0-13", flexible="9+"):
    """`MetadataResponse` with topics that are encoded already: the same on the wire."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    brokers: list[MetadataResponseBroker] = field([MetadataResponseBroker], "0+", factory=list)
    cluster_id: str | None = field("string", "2+", default=None, nullable="2+", ignorable=True)
    controller_id: int = field("int32", "1+", default=-1, ignorable=True, entity="brokerId")
    topics: EncodedStructs = field("encoded", "0+", default=EncodedStructs(0, b""))
    cluster_authorized_operations: int = field("int32", "8-10", default=NO_OPERATIONS)
    error_code: int = field("int16", "13+", default=0, ignorable=True)


def handle(request: MetadataRequest, context: RequestContext) -> Answer | Coroutine[object, object, Answer]:
    if request.topics is not None and len(request.topics) > NAMED_AT_ONCE_MAX:
        return _answer_many(request, context)
    _check(request, context.api_version)
    if context.node.authorizer is None:  # else it is done where the request is whole
        note_metadata(request, context)
    missing = _topics_to_make(request, context)
    if missing:
        return _make_and_answer(request, context, missing)
    new_topics = context.broker.new_topics
    return _answer(request, context, hidden=NOTHING if new_topics is None else new_topics.take(request))


def error_response(request: MetadataRequest, error: KafkaError) -> MetadataResponse:
    return MetadataResponse(
        error_code=error.code,
        topics=[
            MetadataResponseTopic(name=topic.name or "", topic_id=topic.topic_id, error_code=error.code)
            for topic in request.topics or ()
        ],
    )


def _check(request: MetadataRequest, version: int) -> None:
    for topic in request.topics or ():
        check_topic(topic, version)


def check_topic(topic: MetadataRequestTopic, version: int) -> None:
    """Raises KafkaError: INVALID_REQUEST, UNKNOWN_SERVER_ERROR. Before anything else, as in Apache Kafka."""
    if version < FIRST_VERSION_ASKING_BY_ID:
        if topic.topic_id != ZERO_UUID or topic.name is None:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
    elif topic.name is None and topic.topic_id == ZERO_UUID:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)


def _topics_to_make(request: MetadataRequest, context: RequestContext) -> list[str]:
    if not request.topics or not _may_make_topics(request, context) or _asks_by_id(request):
        return []
    known = context.broker.metadata.image.topics
    names = dict.fromkeys(topic.name for topic in request.topics)
    return [name for name in names if name is not None and name not in known and is_valid_topic_name(name)]


def _may_make_topics(request: MetadataRequest, context: RequestContext) -> bool:
    return request.allow_auto_topic_creation and context.broker.settings.now.topics.auto_create_topics_enable


async def _make(context: RequestContext, missing: list[str]) -> None:
    from kafkapy.metadata.active_controller import ActiveController
    from kafkapy.metadata.internal_topics import create_missing_topics, too_few_for_default

    controller = ActiveController(context.broker.controller, context.broker.to_controller)
    try:
        if len(missing) > PARTITIONS_PER_REQUEST_MAX:
            raise KafkaError(ErrorCode.POLICY_VIOLATION, f"a request may make {PARTITIONS_PER_REQUEST_MAX} topics")
        created = await create_missing_topics(controller, missing, context.broker.settings.now)
        _log_created(created, context)
    except KafkaError as error:
        # The client gets UNKNOWN_TOPIC_OR_PARTITION, as from Apache Kafka; the reason goes to the broker's log.
        reason = error.message or error.code.name
        if error.code is ErrorCode.INVALID_REPLICATION_FACTOR:
            reason = too_few_for_default(context.broker.settings.now, context.broker.metadata.image) or reason
        context.broker.refused_topics.log(missing, context.client_id, reason)


async def _answer_many(request: MetadataRequest, context: RequestContext) -> Answer:
    """The same for a request that names very many topics: some of them at a time."""
    turn = Turn()
    wanted: dict[tuple[str | None, Uuid], MetadataRequestTopic] = {}
    asks_by_id = False
    for topic in request.topics or ():
        check_topic(topic, context.api_version)
        asks_by_id = asks_by_id or topic.topic_id != ZERO_UUID
        wanted[topic.name, topic.topic_id] = topic
        if turn.is_over:
            await turn.share()
    image = known = context.broker.metadata.image
    if not asks_by_id and _may_make_topics(request, context):
        missing = []
        for name, _ in wanted:
            if name is not None and name not in known.topics and is_valid_topic_name(name):
                missing.append(name)
            await turn.share()
        if missing:
            await _make(context, missing)
            image = known if _hides_new_topics(context) else context.broker.metadata.image
    new_topics = context.broker.new_topics
    hidden = NOTHING if new_topics is None else new_topics.take(request)
    pieces: list[EncodedStructs] = []
    of_piece = iter(wanted.values())
    while named := list(islice(of_piece, NAMED_AT_ONCE_MAX)):
        await turn.share()
        if asks_by_id:
            named = [topic for topic in named if topic.topic_id != ZERO_UUID]
        part = MetadataRequest(
            topics=named, include_topic_authorized_operations=request.include_topic_authorized_operations
        )
        topics = _Topics(part, image, context, hidden) if named else None
        if topics is not None:
            await _fill_in_turns(topics, image)
            pieces.append(topics.encoded())
    data = b"".join([piece.data for piece in pieces])
    return _response(request, image, context, EncodedStructs(sum([piece.struct_count for piece in pieces]), data))


async def _make_and_answer(request: MetadataRequest, context: RequestContext, missing: list[str]) -> Answer:
    known = context.broker.metadata.image
    await _make(context, missing)
    answer = _answer(request, context, known if _hides_new_topics(context) else None)
    return answer if isinstance(answer, Answer) else await answer


def _hides_new_topics(context: RequestContext) -> bool:
    """Whether the request that creates a topic does not have it in its answer yet."""
    strictness = context.node.strictness
    return strictness is not None and strictness.auto_created_topics


def _log_created(names: list[str], context: RequestContext) -> None:
    for name in names[:LOGGED_TOPICS_MAX]:
        logger.info(
            "created topic %s, which client %r at %s has asked for (auto.create.topics.enable)",
            name,
            shown(context.client_id or ""),
            context.client,
        )
    if len(names) > LOGGED_TOPICS_MAX:
        logger.info("and %d topics more for the same request", len(names) - LOGGED_TOPICS_MAX)


def _asks_by_id(request: MetadataRequest) -> bool:
    return any(topic.topic_id != ZERO_UUID for topic in request.topics or ())


def _answer(
    request: MetadataRequest,
    context: RequestContext,
    image: MetadataImage | None = None,
    hidden: frozenset[str] = NOTHING,
) -> Answer | Coroutine[object, object, Answer]:
    """Answer from an image, the newest one if none is given, without the `hidden` topics; a coroutine if so many topics
    have to be encoded that other tasks get turns.
    """
    if image is None:
        image = context.broker.metadata.image
    topics = _Topics(request, image, context, hidden)
    if topics.missing_partition_count > PARTITIONS_PER_TURN_MAX:
        return _answer_in_turns(request, image, context, topics)
    for index in topics.missing:
        topics.fill(index, list(_partitions(topics.known[index], image, topics.form)))
    return _response(request, image, context, topics.encoded())


async def _answer_in_turns(
    request: MetadataRequest, image: MetadataImage, context: RequestContext, topics: _Topics
) -> Answer:
    await _fill_in_turns(topics, image)
    return _response(request, image, context, topics.encoded())


async def _fill_in_turns(topics: _Topics, image: MetadataImage) -> None:
    turn = Turn()
    for index in topics.missing:
        partitions: list[MetadataResponsePartition] = []
        for partition in _partitions(topics.known[index], image, topics.form):
            partitions.append(partition)
            if turn.is_over:
                await turn.share()
        topics.fill(index, partitions)
        await turn.share()


def _response(
    request: MetadataRequest, image: MetadataImage, context: RequestContext, topics: EncodedStructs
) -> Answer:
    brokers = _brokers(image, context)
    return Answer(
        brokers=brokers,
        cluster_id=context.node.cluster_id,
        controller_id=controller_for_clients([broker.node_id for broker in brokers], context),
        topics=topics,
        cluster_authorized_operations=(
            ALL_CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NO_OPERATIONS
        ),
    )


def controller_for_clients(broker_ids: Sequence[int], context: NodeContext) -> int:
    """Which of these brokers clients are to take for the controller; -1: none of them can be.

    It is the active controller if that is a broker, too. Clients cannot reach other controllers, and any broker
    forwards to them what they have to decide: Apache Kafka names any broker in all cases.
    """
    for node_id in (context.node.controller.leader_id, context.node.node_id):
        if node_id in broker_ids:
            return node_id
    return next(iter(broker_ids), NO_CONTROLLER)


def _brokers(image: MetadataImage, context: RequestContext) -> list[MetadataResponseBroker]:
    listener_name = context.client.listener_name
    return [
        MetadataResponseBroker(
            node_id=broker.broker_id,
            host=context.advertised_host(endpoint),
            port=endpoint.port,
            rack=broker.rack,
        )
        for broker in image.unfenced_brokers()
        if (endpoint := broker.endpoints.get(listener_name)) is not None
    ]


class _Topics:
    """The topics of one answer: unknown ids, what is known in the order of the request, unknown names.

    Apache Kafka's order is that of a hash table.
    """

    def __init__(
        self, request: MetadataRequest, image: MetadataImage, context: RequestContext, hidden: frozenset[str]
    ) -> None:
        self._image = image
        self._hidden = hidden
        self._operations = ALL_TOPIC_OPERATIONS if request.include_topic_authorized_operations else NO_OPERATIONS
        self.form = Form(context.api_version, context.client.listener_name, self._operations)
        self._kept = context.broker.metadata.encoded_topics
        self._unknown_ids: list[MetadataResponseTopic] = []
        self._unknown_names: list[MetadataResponseTopic] = []
        self.known = self._look_up(request)
        entries = self._kept.of(self.form, image)
        self._entries = [entries.get(topic.name) for topic in self.known]
        self.missing = [
            index
            for index, (entry, topic) in enumerate(zip(self._entries, self.known, strict=True))
            if entry is None or entry.topic is not topic
        ]
        """Of which topics, by their place in `known`, nothing is encoded that holds."""

    @property
    def missing_partition_count(self) -> int:
        return sum(len(self.known[index].partitions) for index in self.missing)

    def _look_up(self, request: MetadataRequest) -> list[TopicImage]:
        wanted, image = request.topics, self._image
        if wanted is None or (not wanted and self.form.api_version == 0):
            topics = list(image.topics.values())
            return [topic for topic in topics if topic.name not in self._hidden] if self._hidden else topics
        if _asks_by_id(request):
            ids = dict.fromkeys([topic.topic_id for topic in wanted if topic.topic_id != ZERO_UUID])
            by_id = [(topic_id, image.topics_by_id.get(topic_id)) for topic_id in ids]
            self._unknown_ids = [
                MetadataResponseTopic(name=None, topic_id=topic_id, error_code=ErrorCode.UNKNOWN_TOPIC_ID)
                for topic_id, topic in by_id
                if topic is None
            ]
            return [topic for _, topic in by_id if topic is not None]
        names = dict.fromkeys([topic.name for topic in wanted if topic.name is not None])
        by_name = [(name, image.topics.get(name)) for name in names]
        if self._hidden:
            by_name = [(name, None if name in self._hidden else topic) for name, topic in by_name]
        self._unknown_names = [_unknown_topic(name, self._operations) for name, topic in by_name if topic is None]
        return [topic for _, topic in by_name if topic is not None]

    def fill(self, index: int, partitions: list[MetadataResponsePartition]) -> None:
        """Encode one of `missing`."""
        topic = self.known[index]
        answer = MetadataResponseTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            is_internal=topic.is_internal,
            partitions=partitions,
            topic_authorized_operations=self._operations,
        )
        entry = EncodedTopic(topic, encode_struct(MetadataResponse, answer, self.form.api_version))
        self._entries[index] = entry
        self._kept.keep(self.form, self._image, entry)

    def encoded(self) -> EncodedStructs:
        """All topics, once each of them is encoded."""
        version = self.form.api_version
        pieces = [encode_struct(MetadataResponse, unknown, version) for unknown in self._unknown_ids]
        pieces += [entry.encoded for entry in self._entries if entry is not None]
        pieces += [encode_struct(MetadataResponse, unknown, version) for unknown in self._unknown_names]
        assert len(pieces) == len(self._unknown_ids) + len(self.known) + len(self._unknown_names), "one is missing"
        return EncodedStructs(len(pieces), b"".join(pieces))


def _unknown_topic(name: str, operations: int) -> MetadataResponseTopic:
    valid = is_valid_topic_name(name)
    return MetadataResponseTopic(
        name=name,
        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if valid else ErrorCode.INVALID_TOPIC_EXCEPTION,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=operations,
    )


def _partitions(topic: TopicImage, image: MetadataImage, form: Form) -> Iterator[MetadataResponsePartition]:
    return (_partition(index, partition, image, form) for index, partition in enumerate(topic.partitions))


def _partition(index: int, partition: PartitionImage, image: MetadataImage, form: Form) -> MetadataResponsePartition:
    version, listener_name = form.api_version, form.listener_name
    error = partition_error(partition, image, listener_name)
    leader = NO_LEADER if error else partition.leader
    if error is ErrorCode.LISTENER_NOT_FOUND and version < FIRST_VERSION_WITH_LISTENER_NOT_FOUND:
        error = ErrorCode.LEADER_NOT_AVAILABLE
    replicas, isr = list(partition.replicas), list(partition.isr)
    if version == 0:
        # Clients of that version assume that they can connect to every replica in the answer.
        replicas = [broker_id for broker_id in replicas if _has_endpoint(broker_id, listener_name, image)]
        isr = [broker_id for broker_id in isr if broker_id in replicas]
        if not error and len(replicas) < len(partition.replicas):
            error = ErrorCode.REPLICA_NOT_AVAILABLE
    return MetadataResponsePartition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=offline_replicas(partition, image),
    )


def partition_error(partition: PartitionImage, image: MetadataImage, listener_name: str) -> ErrorCode:
    """NONE when clients of that listener can reach the leader."""
    if _has_endpoint(partition.leader, listener_name, image):
        return ErrorCode.NONE
    return ErrorCode.LISTENER_NOT_FOUND if partition.leader in image.brokers else ErrorCode.LEADER_NOT_AVAILABLE


def _has_endpoint(broker_id: int, listener_name: str, image: MetadataImage) -> bool:
    broker = image.brokers.get(broker_id)
    return broker is not None and not broker.fenced and listener_name in broker.endpoints


def offline_replicas(partition: PartitionImage, image: MetadataImage) -> list[int]:
    """Replicas on brokers or in directories that are down."""
    return [
        broker_id
        for broker_id, directory in zip(partition.replicas, partition.directories, strict=True)
        if not image.is_online(broker_id, directory)
    ]
