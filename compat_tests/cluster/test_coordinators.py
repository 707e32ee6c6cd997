"""Coordinators on several brokers: what the wrong one answers, and transactions over brokers of both kinds.

`--broker=apache` asks Apache Kafka whether the codes are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.looking import create_topic, partitions_of
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import FAST, read_all
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.differential.peer import Connection, api_key_of
from compat_tests.tools import need
from kafkapy_wire.api_keys import API_VERSIONS
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.json_format import to_json
from kafkapy_wire.message import Message
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from kafkapy_wire.messages.sync_group import SyncGroupRequest
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)

confluent_kafka = pytest.importorskip("confluent_kafka")

GROUP, ID, TOPIC = "a-group", "an-id", "coordinated"
GROUP_TYPE, TRANSACTION_TYPE = 0, 1
PRODUCER_ID, EPOCH = 1, 0
NOT_COORDINATOR = {int(ErrorCode.NOT_COORDINATOR)}


def about_the_group() -> Iterator[tuple[Message, range | tuple[int, ...]]]:
    """Requests and some of their versions."""
    protocols = [JoinGroupRequestProtocol(name="range", metadata=b"")]
    yield (
        JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            member_id="m",
            protocol_type="consumer",
            protocols=protocols,
        ),
        (0, 3, 4, 9),
    )
    yield SyncGroupRequest(group_id=GROUP, generation_id=1, member_id="m"), (0, 3)
    yield HeartbeatRequest(group_id=GROUP, generation_id=1, member_id="m"), (0, 4)
    yield LeaveGroupRequest(group_id=GROUP, member_id="m"), (0, 2)
    yield LeaveGroupRequest(group_id=GROUP, members=[MemberIdentity(member_id="m")]), (3, 5)
    committed = OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    commits = [OffsetCommitRequestTopic(name=TOPIC, partitions=[committed])]
    yield OffsetCommitRequest(group_id=GROUP, generation_id_or_member_epoch=-1, topics=commits), (2, 9)
    fetched = OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[0])
    yield OffsetFetchRequest(group_id=GROUP, topics=[fetched]), (1, 2, 7)
    wanted = [OffsetFetchRequestTopics(name=TOPIC, partition_indexes=[0])]
    yield OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=wanted)]), (8, 9)
    yield OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=None)]), (9,)
    deleted = [OffsetDeleteRequestTopic(name=TOPIC, partitions=[OffsetDeleteRequestPartition(partition_index=0)])]
    yield OffsetDeleteRequest(group_id=GROUP, topics=deleted), (0,)
    yield DescribeGroupsRequest(groups=[GROUP]), (0, 5, 6)
    yield DeleteGroupsRequest(groups_names=[GROUP]), (0, 2, 3)
    transactional = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    yield (
        TxnOffsetCommitRequest(
            transactional_id=ID,
            group_id=GROUP,
            producer_id=PRODUCER_ID,
            producer_epoch=EPOCH,
            topics=[TxnOffsetCommitRequestTopic(name=TOPIC, partitions=[transactional])],
        ),
        (0, 3, 4, 5),
    )


def about_the_transactional_id() -> Iterator[tuple[Message, range | tuple[int, ...]]]:
    yield InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=10_000), (0, 3, 5)
    yield DescribeTransactionsRequest(transactional_ids=[ID]), (0,)
    topics = [AddPartitionsToTxnTopic(name=TOPIC, partitions=[0])]
    yield (
        AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=PRODUCER_ID,
            v3_and_below_producer_epoch=EPOCH,
            v3_and_below_topics=topics,
        ),
        (0, 2, 3),
    )
    for verify_only in (True, False):
        transaction = AddPartitionsToTxnTransaction(
            transactional_id=ID,
            producer_id=PRODUCER_ID,
            producer_epoch=EPOCH,
            verify_only=verify_only,
            topics=topics,
        )
        yield AddPartitionsToTxnRequest(transactions=[transaction]), (4, 5)
    yield (
        AddOffsetsToTxnRequest(transactional_id=ID, producer_id=PRODUCER_ID, producer_epoch=EPOCH, group_id=GROUP),
        (0, 2, 4),
    )
    yield (
        EndTxnRequest(transactional_id=ID, producer_id=PRODUCER_ID, producer_epoch=EPOCH, committed=True),
        (0, 2, 5),
    )


@contextmanager
def connected(cluster: ClusterProcesses, node_id: int) -> Iterator[Connection]:
    host, _, port = cluster.nodes[node_id].bootstrap.rpartition(":")
    connection = Connection(host, int(port))
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: Connection, request: Message, version: int | None = None) -> Any:
    key = api_key_of(request)
    version = API_VERSIONS[key].max_version if version is None else version
    return to_json(connection.receive(key, version, connection.post(request, version)), version)


def error_codes(answer: Any) -> set[int]:
    """All that are in the answer, but for NONE."""
    if isinstance(answer, Mapping):
        own = {value for name, value in answer.items() if name.lower().endswith("errorcode") and value}
        return own.union(*map(error_codes, answer.values()))
    return set().union(*map(error_codes, answer)) if isinstance(answer, list) else set()


def coordinator(cluster: ClusterProcesses, key: str, key_type: int) -> int:
    """By any broker, once there is one."""
    found: list[int] = []

    def is_found() -> bool:
        running = next(node.node_id for node in cluster.brokers if node.runs)
        with connected(cluster, running) as connection:
            request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
            (answer,) = ask(connection, request, 4)["coordinators"]
        found.append(answer["nodeId"])
        return bool(answer["errorCode"] == 0)

    eventually(is_found, f"a coordinator of {key}")
    return found[-1]


def test_what_brokers_answer_that_do_not_coordinate(cluster: ClusterProcesses) -> None:
    create_topic(cluster.bootstrap, TOPIC, 1)
    for key, key_type, requests in (
        (GROUP, GROUP_TYPE, about_the_group()),
        (ID, TRANSACTION_TYPE, about_the_transactional_id()),
    ):
        home = coordinator(cluster, key, key_type)
        with connected(cluster, 1 + home % 3) as connection:
            for request, versions in requests:
                for version in versions:
                    codes = error_codes(ask(connection, request, version))
                    assert codes == NOT_COORDINATOR, f"{type(request).__name__} v{version}"
            assert ask(connection, ListGroupsRequest())["groups"] == []


def test_markers_for_partitions_that_others_lead(cluster: ClusterProcesses) -> None:
    create_topic(cluster.bootstrap, "followed", 1)
    create_topic(cluster.bootstrap, "strange", 1, replicas=1)
    for topic, error in (
        ("followed", ErrorCode.NOT_LEADER_OR_FOLLOWER),
        ("strange", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ):
        leader = partitions_of(cluster.bootstrap, topic)[0].leader
        marker = WritableTxnMarker(producer_id=5, topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[0])])
        with connected(cluster, 1 + leader % 3) as connection:
            for version in (1, 2):
                answer = ask(connection, WriteTxnMarkersRequest(markers=[marker]), version)
                assert error_codes(answer) == {int(error)}


@pytest.mark.usefixtures("java")
def test_transactions_over_brokers_of_both_kinds(tmp_path: Path) -> None:
    """Each broker coordinates some transactions and some groups, and leads a partition of each transaction.

    So markers and verifications go from each kind to the other. One coordinator is killed while its transaction is
    open.
    """
    need(jar_directory)
    settings = {"offsets.topic.num.partitions": "3", "transaction.state.log.num.partitions": "3"}
    with ClusterProcesses(tmp_path / "nodes", apache={1}, settings=settings) as cluster:
        create_topic(cluster.bootstrap, TOPIC, 3)
        expected: list[str] = []
        homes = set()
        for number in range(3):
            homes.add(coordinator(cluster, f"id-{number}", TRANSACTION_TYPE))
            expected += transactions(cluster, f"id-{number}", f"group-{number}", kills=number == 2)
        assert homes == {1, 2, 3}
        assert sorted(read_all(cluster.bootstrap, TOPIC, 3)) == sorted(expected)
        assert not cluster.bugs()


def transactions(cluster: ClusterProcesses, transactional_id: str, group: str, *, kills: bool) -> list[str]:
    """A commit, an abort, a commit, each with records in all partitions and an offset; the committed values.

    With `kills` the coordinator of the last one is killed before its end, and started afterwards.
    """
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": cluster.bootstrap, "transactional.id": transactional_id, **FAST}
    )
    consumer = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, **FAST})
    producer.init_transactions(PATIENCE_SECONDS)
    committed = []
    for number in range(3):
        producer.begin_transaction()
        values = [f"{transactional_id} {number} {partition}" for partition in range(3)]
        for partition, value in enumerate(values):
            producer.produce(TOPIC, value.encode(), partition=partition)
        offsets = [confluent_kafka.TopicPartition(TOPIC, 0, number + 1)]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), PATIENCE_SECONDS)
        if number == 1:
            producer.abort_transaction(PATIENCE_SECONDS)
            continue
        if kills and number == 2:
            killed = cluster.nodes[coordinator(cluster, transactional_id, TRANSACTION_TYPE)]
            producer.flush(PATIENCE_SECONDS)
            killed.kill()
        producer.commit_transaction(PATIENCE_SECONDS)
        committed += values
    if kills:
        killed.start()
    (stored,) = consumer.committed([confluent_kafka.TopicPartition(TOPIC, 0)], PATIENCE_SECONDS)
    consumer.close()
    assert stored.offset == 3
    return committed
