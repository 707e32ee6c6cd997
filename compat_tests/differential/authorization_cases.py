"""For each API about topics and groups: requests, and the operations that their client needs."""

from __future__ import annotations

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.authorization import cluster, group, topic, transactional_id
from compat_tests.differential.authorization_requests import (
    ALL_CLUSTER,
    ALL_TOPIC,
    BOTH_TOPICS_DESCRIBE,
    BOTH_TOPICS_READ,
    BOTH_TOPICS_WRITE,
    EMPTY_GROUP,
    GROUP,
    MISSING,
    OTHER_GROUP,
    PRODUCER,
    SHARE_GROUP,
    UNKNOWN_ID,
    A,
    B,
    Case,
    create_topics,
    delete_topics,
    fetch,
    find,
    id_of,
    member,
    metadata,
    offset_commit,
    offset_fetch,
    plain,
    produce,
)
from kafkapy_wire.messages import create_topics as w_create
from kafkapy_wire.messages import delete_records as w_delete_records
from kafkapy_wire.messages import delete_topics as w_delete
from kafkapy_wire.messages import describe_groups as w_groups
from kafkapy_wire.messages import fetch as w_fetch
from kafkapy_wire.messages import find_coordinator as w_find
from kafkapy_wire.messages import heartbeat as w_heartbeat
from kafkapy_wire.messages import join_group as w_join
from kafkapy_wire.messages import leave_group as w_leave
from kafkapy_wire.messages import list_groups as w_list_groups
from kafkapy_wire.messages import list_offsets as w_offsets
from kafkapy_wire.messages import metadata as w_metadata
from kafkapy_wire.messages import offset_commit as w_commit
from kafkapy_wire.messages import offset_fetch as w_offset_fetch
from kafkapy_wire.messages import produce as w_produce
from kafkapy_wire.messages import sync_group as w_sync

CASES: tuple[Case, ...] = (
    Case("produce", w_produce.ProduceRequest, produce, BOTH_TOPICS_WRITE),
    Case(
        "produce in a transaction",
        w_produce.ProduceRequest,
        lambda version, peer: produce(version, peer, names=[A], transactional=True),
        (topic(Op.WRITE, A), transactional_id(Op.WRITE, PRODUCER)),
    ),
    Case("fetch", w_fetch.FetchRequest, fetch, BOTH_TOPICS_READ, (4, 12, 18)),
    Case(
        "fetch as follower",
        w_fetch.FetchRequest,
        lambda version, peer: fetch(version, peer, replica_id=7),
        (cluster(Op.CLUSTER_ACTION), topic(Op.READ, A)),
        (4, 12, 18),
    ),
    Case(
        "list offsets",
        w_offsets.ListOffsetsRequest,
        lambda _v, _p: w_offsets.ListOffsetsRequest(
            replica_id=-1,
            topics=[
                w_offsets.ListOffsetsTopic(
                    name=name, partitions=[w_offsets.ListOffsetsPartition(partition_index=0, timestamp=-2)]
                )
                for name in (A, B, MISSING)
            ],
        ),
        BOTH_TOPICS_DESCRIBE,
    ),
    Case(
        "metadata of named topics",
        w_metadata.MetadataRequest,
        lambda version, _p: metadata(version, A, B, MISSING),
        (*BOTH_TOPICS_DESCRIBE, topic(Op.DESCRIBE, MISSING)),
        (0, 5, 9, 13),
    ),
    Case(
        "metadata of all topics",
        w_metadata.MetadataRequest,
        lambda version, _p: metadata(version),
        BOTH_TOPICS_DESCRIBE,
        (0, 1, 9, 13),
    ),
    Case(
        "metadata with operations",
        w_metadata.MetadataRequest,
        lambda version, _p: metadata(version, A, operations=True),
        tuple(topic(operation, A) for operation in ALL_TOPIC) + tuple(cluster(operation) for operation in ALL_CLUSTER),
        (8, 9, 10, 11, 12, 13),
    ),
    Case(
        "metadata by id",
        w_metadata.MetadataRequest,
        lambda _version, peer: w_metadata.MetadataRequest(
            topics=[
                w_metadata.MetadataRequestTopic(name=None, topic_id=id_of(peer, A)),
                w_metadata.MetadataRequestTopic(name=None, topic_id=UNKNOWN_ID),
            ]
        ),
        (topic(Op.DESCRIBE, A),),
        (12, 13),
    ),
    Case(
        "topics that a metadata request may not create",
        w_metadata.MetadataRequest,
        lambda version, _p: metadata(version, MISSING, A, creates=True),
        (topic(Op.DESCRIBE, MISSING), topic(Op.DESCRIBE, A)),
        (4, 13),
    ),
    Case(
        "offset commit",
        w_commit.OffsetCommitRequest,
        offset_commit,
        (group(Op.READ, EMPTY_GROUP), *BOTH_TOPICS_READ),
        (2, 9, 10),
    ),
    Case(
        "offset fetch",
        w_offset_fetch.OffsetFetchRequest,
        offset_fetch,
        (group(Op.DESCRIBE, GROUP), group(Op.DESCRIBE, OTHER_GROUP), *BOTH_TOPICS_DESCRIBE),
        (1, 7, 8, 10),
    ),
    Case(
        "offset fetch of all topics",
        w_offset_fetch.OffsetFetchRequest,
        lambda version, peer: offset_fetch(version, peer, all_topics=True),
        (group(Op.DESCRIBE, GROUP), *BOTH_TOPICS_DESCRIBE),
        (2, 7, 8, 10),
    ),
    Case(
        "find coordinators of groups",
        w_find.FindCoordinatorRequest,
        lambda version, _p: find(version, 0, GROUP, OTHER_GROUP),
        (group(Op.DESCRIBE, GROUP), group(Op.DESCRIBE, OTHER_GROUP)),
        (0, 3, 4, 6),
    ),
    Case(
        "find coordinators of transactions",
        w_find.FindCoordinatorRequest,
        lambda version, _p: find(version, 1, PRODUCER, "auth-nobody"),
        (transactional_id(Op.DESCRIBE, PRODUCER),),
        (1, 3, 4, 6),
    ),
    Case(
        "find coordinators of share partitions",
        w_find.FindCoordinatorRequest,
        lambda version, _p: find(version, 2, f"{SHARE_GROUP}:AAAAAAAAAAAAAAAAAAAAdw:0"),
        (cluster(Op.CLUSTER_ACTION),),
        (6,),
    ),
    member("join group", w_join.JoinGroupRequest, session_timeout_ms=10_000, member_id="nobody", protocol_type="c"),
    member("heartbeat", w_heartbeat.HeartbeatRequest, member_id="nobody"),
    member("leave group", w_leave.LeaveGroupRequest, (0, 2), member_id="nobody"),
    member(
        "leave group with members",
        w_leave.LeaveGroupRequest,
        (3, 5),
        members=[w_leave.MemberIdentity(member_id="nobody")],
    ),
    member("sync group", w_sync.SyncGroupRequest, member_id="nobody"),
    Case(
        "describe groups",
        w_groups.DescribeGroupsRequest,
        lambda version, _p: w_groups.DescribeGroupsRequest(
            groups=[GROUP, OTHER_GROUP], include_authorized_operations=version >= 3
        ),
        (
            group(Op.DESCRIBE, GROUP),
            group(Op.READ, OTHER_GROUP),
            group(Op.DELETE, GROUP),
            group(Op.ALTER_CONFIGS, GROUP),
        ),
        (0, 3, 4, 5, 6),
    ),
    plain(
        "list groups",
        w_list_groups.ListGroupsRequest,
        cluster(Op.DESCRIBE),
        group(Op.DESCRIBE, GROUP),
    ),
    Case(
        "create topics",
        w_create.CreateTopicsRequest,
        create_topics,
        (cluster(Op.CREATE), topic(Op.CREATE, "auth-new-1"), topic(Op.DESCRIBE_CONFIGS, "auth-new-1")),
        (2, 7),
    ),
    Case(
        "delete topics that are not there",
        w_delete.DeleteTopicsRequest,
        lambda _v, _p: w_delete.DeleteTopicsRequest(topic_names=[MISSING, MISSING, "auth-not"], timeout_ms=5_000),
        (cluster(Op.DELETE), topic(Op.DESCRIBE, MISSING), topic(Op.DELETE, "auth-not")),
        (1, 5),
    ),
    Case(
        "delete topics without the operation",
        w_delete.DeleteTopicsRequest,
        delete_topics,
        (topic(Op.DESCRIBE, "auth-gone-1"), topic(Op.DESCRIBE, "auth-gone-2"), topic(Op.DESCRIBE, MISSING)),
        (1, 5, 6),
    ),
    Case(
        "delete records",
        w_delete_records.DeleteRecordsRequest,
        lambda _v, _p: w_delete_records.DeleteRecordsRequest(
            topics=[
                w_delete_records.DeleteRecordsTopic(
                    name=name, partitions=[w_delete_records.DeleteRecordsPartition(partition_index=0, offset=0)]
                )
                for name in (A, B, MISSING)
            ],
            timeout_ms=5_000,
        ),
        (topic(Op.DELETE, A), topic(Op.DELETE, B)),
    ),
)
