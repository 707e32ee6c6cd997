"""APIs of producers with transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import Parts, Served, by_name, handle_in_part, name_or_id, parted, then
from kafkapy.security.access import check, check_cluster, is_allowed, is_allowed_in_cluster, is_allowed_somewhere
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
)
from kafkapy_wire.messages.init_producer_id import InitProducerIdResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
    from kafkapy_wire.messages.describe_transactions import DescribeTransactionsResponse
    from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
    from kafkapy_wire.messages.list_transactions import ListTransactionsResponse

FIRST_VERSION_OF_BROKERS = 4


def _check_writer(context: NodeContext, transactional_id: str) -> None:
    check(context, AclOperation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id)


def init_producer_id(served: Served, request: InitProducerIdRequest, context: NodeContext) -> Any:
    try:
        _check_producer(request, context)
    except KafkaError as error:
        return InitProducerIdResponse(error_code=error.code, producer_id=-1, producer_epoch=-1)
    return served.handle(request, context)


def _check_producer(request: InitProducerIdRequest, context: NodeContext) -> None:
    if request.transactional_id is not None:
        _check_writer(context, request.transactional_id)
        if request.enable2_pc:
            check(context, AclOperation.TWO_PHASE_COMMIT, ResourceType.TRANSACTIONAL_ID, request.transactional_id)
    elif not is_allowed_in_cluster(
        context, AclOperation.IDEMPOTENT_WRITE, is_logged=False
    ) and not is_allowed_somewhere(context, AclOperation.WRITE, ResourceType.TOPIC):
        raise KafkaError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)


def end_txn(served: Served, request: Any, context: NodeContext) -> Any:
    _check_writer(context, request.transactional_id)
    return served.handle(request, context)


def add_offsets_to_txn(served: Served, request: Any, context: NodeContext) -> Any:
    _check_writer(context, request.transactional_id)
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    return served.handle(request, context)


def txn_offset_commit(served: Served, request: Any, context: NodeContext) -> Any:
    _check_writer(context, request.transactional_id)
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    parts, name_of = Parts("topics", "topics"), name_or_id(context.node.metadata.image)
    return handle_in_part(served, request, context, parts, AclOperation.READ, ResourceType.TOPIC, name_of)


def write_txn_markers(served: Served, request: Any, context: NodeContext) -> Any:
    """Brokers send them, and administrators who abort a transaction."""
    if not is_allowed_in_cluster(context, AclOperation.ALTER, is_logged=False):
        check_cluster(context, AclOperation.CLUSTER_ACTION)
    return served.handle(request, context)


def add_partitions_to_txn(served: Served, request: AddPartitionsToTxnRequest, context: NodeContext) -> Any:
    """If one topic is refused, nothing is added."""
    if context.api_version >= FIRST_VERSION_OF_BROKERS:
        check_cluster(context, AclOperation.CLUSTER_ACTION)
        return served.handle(request, context)
    _check_writer(context, request.v3_and_below_transactional_id)
    asked = request.v3_and_below_topics
    allowed, refused = parted(context, asked, AclOperation.WRITE, ResourceType.TOPIC, by_name)
    if not refused:
        return served.handle(request, context)
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            *[_refused_topic(topic, context) for topic in allowed],
            *[_topic_result(topic, ErrorCode.TOPIC_AUTHORIZATION_FAILED) for topic in refused],
        ]
    )


def _refused_topic(topic: AddPartitionsToTxnTopic, context: NodeContext) -> AddPartitionsToTxnTopicResult:
    """Of a topic beside one that the client may not write to."""
    known = context.node.metadata.image.topics.get(topic.name)
    count = 0 if known is None else len(known.partitions)
    result = _topic_result(topic, ErrorCode.OPERATION_NOT_ATTEMPTED)
    for partition in result.results_by_partition:
        if not 0 <= partition.partition_index < count:
            partition.partition_error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return result


def _topic_result(topic: AddPartitionsToTxnTopic, code: ErrorCode) -> AddPartitionsToTxnTopicResult:
    return AddPartitionsToTxnTopicResult(
        name=topic.name,
        results_by_partition=[
            AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=code)
            for index in topic.partitions
        ],
    )


def describe_transactions(served: Served, request: Any, context: NodeContext) -> Any:
    """Topics that the client may not describe are left out."""

    def without_hidden(response: DescribeTransactionsResponse) -> DescribeTransactionsResponse:
        for state in response.transaction_states:
            state.topics = [
                topic
                for topic in state.topics
                if is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, topic.topic)
            ]
        return response

    parts = Parts("transactional_ids", "transaction_states")
    answer = handle_in_part(served, request, context, parts, AclOperation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, str)
    return then(answer, without_hidden)


def list_transactions(served: Served, request: Any, context: NodeContext) -> Any:
    def without_hidden(response: ListTransactionsResponse) -> ListTransactionsResponse:
        response.transaction_states = [
            state
            for state in response.transaction_states
            if is_allowed(context, AclOperation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, state.transactional_id)
        ]
        return response

    return then(served.handle(request, context), without_hidden)
