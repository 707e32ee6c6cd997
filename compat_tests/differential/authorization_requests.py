"""Requests of a client whose operations are missed in turn: see `test_authorization.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.authorization import Allowed, AuthorizedPeer, group, topic
from kafkapy_wire.message import Message
from kafkapy_wire.messages import add_partitions_to_txn as w_add_partitions
from kafkapy_wire.messages import create_topics as w_create
from kafkapy_wire.messages import delete_topics as w_delete
from kafkapy_wire.messages import describe_configs as w_configs
from kafkapy_wire.messages import fetch as w_fetch
from kafkapy_wire.messages import find_coordinator as w_find
from kafkapy_wire.messages import metadata as w_metadata
from kafkapy_wire.messages import offset_commit as w_commit
from kafkapy_wire.messages import offset_fetch as w_offset_fetch
from kafkapy_wire.messages import produce as w_produce
from kafkapy_wire.messages import share_acknowledge as w_acknowledge
from kafkapy_wire.messages import share_fetch as w_share_fetch
from kafkapy_wire.messages import txn_offset_commit as w_txn_commit
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import ZERO_UUID, Uuid

A, B, MISSING = "auth-a", "auth-b", "auth-missing"
GROUP, OTHER_GROUP, SHARE_GROUP, EMPTY_GROUP = "auth-group", "auth-other", "auth-share", "auth-empty"
PRODUCER = "auth-producer"
UNKNOWN_ID = Uuid(bytes(15) + b"\x77")
ALL_TOPIC = (Op.READ, Op.WRITE, Op.CREATE, Op.DELETE, Op.ALTER, Op.DESCRIBE, Op.DESCRIBE_CONFIGS, Op.ALTER_CONFIGS)
ALL_CLUSTER = (
    *(Op.CREATE, Op.ALTER, Op.DESCRIBE, Op.CLUSTER_ACTION, Op.DESCRIBE_CONFIGS, Op.ALTER_CONFIGS),
    Op.IDEMPOTENT_WRITE,
)

Make = Callable[[int, AuthorizedPeer], Message]


@dataclass(frozen=True, slots=True)
class Case:
    """`needs` is all that the request needs: the answers are compared without any of it, with all of it, with all but
    one, and with each alone.
    """

    name: str
    request: type[Message]
    make: Make
    needs: tuple[Allowed, ...]
    versions: Sequence[int] | None = None
    """None: the oldest and the newest."""
    at_controller: bool = False
    """Asked at the controller's own listener."""


def id_of(peer: AuthorizedPeer, name: str) -> Uuid:
    return Uuid(peer.topic_ids[name])


def batch(*, transactional: bool = False) -> bytes:
    return build_batch(
        [NewRecord(1, None, b"v")],
        is_transactional=transactional,
        producer_id=1_000_000 if transactional else -1,
        producer_epoch=0 if transactional else -1,
        base_sequence=0 if transactional else -1,
    )


def produce(
    version: int, peer: AuthorizedPeer, *, names: Sequence[str] = (A, B), transactional: bool = False
) -> Message:
    return w_produce.ProduceRequest(
        transactional_id=PRODUCER if transactional else None,
        acks=-1,
        timeout_ms=1_000,
        topic_data=[
            w_produce.TopicProduceData(
                name="" if version >= 13 else name,
                topic_id=id_of(peer, name) if version >= 13 else ZERO_UUID,
                partition_data=[w_produce.PartitionProduceData(index=0, records=batch(transactional=transactional))],
            )
            for name in names
        ],
    )


def fetch(version: int, peer: AuthorizedPeer, replica_id: int = -1) -> Message:
    request = w_fetch.FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        session_epoch=-1,
        topics=[
            w_fetch.FetchTopic(
                topic="" if version >= 13 else name,
                topic_id=id_of(peer, name) if version >= 13 else ZERO_UUID,
                partitions=[w_fetch.FetchPartition(partition=0, partition_max_bytes=0)],
            )
            for name in (A, B)
        ],
    )
    if version >= 15:
        request.replica_state.replica_id = replica_id
    else:
        request.replica_id = replica_id
    return request


def offset_commit(version: int, peer: AuthorizedPeer) -> Message:
    return w_commit.OffsetCommitRequest(
        group_id=EMPTY_GROUP,
        topics=[
            w_commit.OffsetCommitRequestTopic(
                name="" if version >= 10 else name,
                topic_id=id_of(peer, name) if version >= 10 else ZERO_UUID,
                partitions=[w_commit.OffsetCommitRequestPartition(partition_index=0, committed_offset=1)],
            )
            for name in (A, B)
        ],
    )


def offset_fetch(version: int, peer: AuthorizedPeer, *, all_topics: bool = False) -> Message:
    if version < 8:
        topics = [w_offset_fetch.OffsetFetchRequestTopic(name=name, partition_indexes=[0]) for name in (A, B)]
        return w_offset_fetch.OffsetFetchRequest(group_id=GROUP, topics=None if all_topics else topics)
    named = [
        w_offset_fetch.OffsetFetchRequestTopics(
            name="" if version >= 10 else name,
            topic_id=id_of(peer, name) if version >= 10 else ZERO_UUID,
            partition_indexes=[0],
        )
        for name in (A, B)
    ]
    groups = [
        w_offset_fetch.OffsetFetchRequestGroup(group_id=one, topics=None if all_topics else named)
        for one in (GROUP, OTHER_GROUP)
    ]
    return w_offset_fetch.OffsetFetchRequest(groups=groups)


def find(version: int, key_type: int, *keys: str) -> Message:
    if version >= 4:
        return w_find.FindCoordinatorRequest(key_type=key_type, coordinator_keys=list(keys))
    return w_find.FindCoordinatorRequest(key_type=key_type, key=keys[0])


def add_partitions(version: int, _peer: AuthorizedPeer) -> Message:
    topics = [w_add_partitions.AddPartitionsToTxnTopic(name=name, partitions=[0]) for name in (A, B)]
    if version < 4:
        return w_add_partitions.AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=PRODUCER,
            v3_and_below_producer_id=1_000_000,
            v3_and_below_topics=[*topics, w_add_partitions.AddPartitionsToTxnTopic(name=MISSING, partitions=[0])],
        )
    transaction = w_add_partitions.AddPartitionsToTxnTransaction(
        transactional_id=PRODUCER, producer_id=1_000_000, verify_only=True, topics=topics
    )
    return w_add_partitions.AddPartitionsToTxnRequest(transactions=[transaction])


def txn_offset_commit(version: int, peer: AuthorizedPeer) -> Message:
    by_id = version >= 6
    return w_txn_commit.TxnOffsetCommitRequest(
        transactional_id=PRODUCER,
        group_id=EMPTY_GROUP,
        producer_id=1_000_000,
        topics=[
            w_txn_commit.TxnOffsetCommitRequestTopic(
                name="" if by_id else name,
                topic_id=id_of(peer, name) if by_id else ZERO_UUID,
                partitions=[w_txn_commit.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=1)],
            )
            for name in (A, B)
        ],
    )


def metadata(version: int, *names: str, creates: bool = False, operations: bool = False) -> Message:
    request = w_metadata.MetadataRequest(
        topics=[w_metadata.MetadataRequestTopic(name=name) for name in names] or ([] if version == 0 else None)
    )
    if version >= 4:
        request.allow_auto_topic_creation = creates
    if version >= 8:
        request.include_topic_authorized_operations = operations
    if 8 <= version <= 10:
        request.include_cluster_authorized_operations = operations
    return request


def configs(version: int, _peer: AuthorizedPeer) -> Message:
    kinds = ((2, A), (2, B), (4, "1"), (4, ""), (8, "1"), (16, "metrics"), (32, GROUP))
    return w_configs.DescribeConfigsRequest(
        resources=[
            w_configs.DescribeConfigsResource(
                resource_type=kind, resource_name=name, configuration_keys=["retention.ms", "log.cleaner.threads"]
            )
            for kind, name in kinds
        ]
    )


def create_topics(version: int, _peer: AuthorizedPeer) -> Message:
    return w_create.CreateTopicsRequest(
        topics=[
            w_create.CreatableTopic(name=name, num_partitions=1, replication_factor=1)
            for name in ("auth-new-1", "auth-new-2", "auth-new-2", "__cluster_metadata")
        ],
        timeout_ms=5_000,
        validate_only=version >= 1,
    )


def delete_topics(version: int, peer: AuthorizedPeer) -> Message:
    request = w_delete.DeleteTopicsRequest(timeout_ms=5_000)
    if version < 6:
        request.topic_names = ["auth-gone-1", MISSING]
    else:
        request.topics = [
            w_delete.DeleteTopicState(name=None, topic_id=id_of(peer, "auth-gone-2")),
            w_delete.DeleteTopicState(name="auth-gone-1"),
            w_delete.DeleteTopicState(name=MISSING),
            w_delete.DeleteTopicState(name=None, topic_id=UNKNOWN_ID),
        ]
    return request


def share_fetch(_version: int, peer: AuthorizedPeer) -> Message:
    return w_share_fetch.ShareFetchRequest(
        group_id=SHARE_GROUP,
        member_id="share-member",
        share_session_epoch=0,
        max_wait_ms=0,
        max_bytes=1_000,
        max_records=10,
        batch_size=10,
        topics=[
            w_share_fetch.FetchTopic(
                topic_id=id_of(peer, name), partitions=[w_share_fetch.FetchPartition(partition_index=0)]
            )
            for name in (A, B)
        ],
    )


def share_acknowledge(_version: int, peer: AuthorizedPeer) -> Message:
    return w_acknowledge.ShareAcknowledgeRequest(
        group_id=SHARE_GROUP,
        member_id="share-member",
        share_session_epoch=1,
        topics=[
            w_acknowledge.AcknowledgeTopic(
                topic_id=id_of(peer, name),
                partitions=[
                    w_acknowledge.AcknowledgePartition(
                        partition_index=0,
                        acknowledgement_batches=[
                            w_acknowledge.AcknowledgementBatch(first_offset=0, last_offset=0, acknowledge_types=[1])
                        ],
                    )
                ],
            )
            for name in (A, B)
        ],
    )


def member(name: str, request: type[Message], versions: Sequence[int] | None = None, **fields: Any) -> Case:
    return Case(
        name,
        request,
        lambda _version, _peer: made(request, group_id=EMPTY_GROUP, **fields),
        (group(Op.READ, EMPTY_GROUP),),
        versions,
    )


def plain(name: str, request: type[Message], *needs: Allowed, **fields: Any) -> Case:
    return Case(name, request, lambda _version, _peer: made(request, **fields), needs)


def made(request: Any, **fields: Any) -> Message:
    message: Message = request(**fields)
    return message


BOTH_TOPICS_READ = (topic(Op.READ, A), topic(Op.READ, B))
BOTH_TOPICS_WRITE = (topic(Op.WRITE, A), topic(Op.WRITE, B))
BOTH_TOPICS_DESCRIBE = (topic(Op.DESCRIBE, A), topic(Op.DESCRIBE, B))
