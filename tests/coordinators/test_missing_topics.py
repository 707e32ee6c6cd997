"""A coordinator whose topic does not exist: it says that it is none, and never that there is nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import trio

from kafkapy.coordinators.group.group import Caller
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending, attempt
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import MetadataImage, TopicImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest
from kafkapy_wire.messages.offset_commit import OffsetCommitRequest
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics
from kafkapy_wire.messages.sync_group import SyncGroupRequest
from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest
from kafkapy_wire.uuid import ZERO_UUID
from tests.coordinators.group_lab import GROUP, SESSION_MS, GroupLab, MemoryLog
from tests.coordinators.transaction_lab import ID, NEW, TIMEOUT_MS, TransactionLab

PRODUCER = ProducerIdAndEpoch(1, 0)


def code_of(ask: Callable[[], Pending[object]]) -> ErrorCode:
    pending = attempt(ask)
    assert pending.settled, "it waits for something"
    try:
        pending.result()
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


def requests_about_groups(lab: GroupLab) -> dict[str, Callable[[], Pending[object]]]:
    groups = lab.groups
    caller = Caller(9, "client", "/127.0.0.1")
    wanted = [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]

    def join(member_id: str) -> Pending[object]:
        request = JoinGroupRequest(group_id=GROUP, member_id=member_id, session_timeout_ms=SESSION_MS)
        return groups.classic.join_group(request, caller).map(lambda answer: answer)

    def commit(generation: int) -> Pending[object]:
        request = OffsetCommitRequest(group_id=GROUP, generation_id_or_member_epoch=generation)
        return groups.commit_offsets(request, [], 9).map(lambda answer: answer)

    return {
        "JoinGroup": lambda: join(""),
        "JoinGroup of a member": lambda: join("member"),
        "SyncGroup": lambda: groups.classic.sync_group(SyncGroupRequest(group_id=GROUP)).map(lambda answer: answer),
        "Heartbeat": lambda: groups.classic.heartbeat(HeartbeatRequest(group_id=GROUP)).map(lambda answer: answer),
        "LeaveGroup": lambda: groups.classic.leave_group(GROUP, []).map(lambda answer: answer),
        "OffsetCommit": lambda: commit(-1),
        "OffsetCommit of a member": lambda: commit(3),
        "OffsetFetch": lambda: groups.fetch_offsets(GROUP, wanted, require_stable=False).map(lambda answer: answer),
        "OffsetFetch of all": lambda: groups.fetch_offsets(GROUP, None, require_stable=True).map(lambda answer: answer),
        "OffsetDelete": lambda: groups.delete_offsets(GROUP, []).map(lambda answer: answer),
        "DescribeGroups": lambda: groups.classic.describe_group(GROUP).map(lambda answer: answer),
        "DeleteGroups": lambda: groups.delete_group(GROUP).map(lambda answer: answer),
    }


def requests_about_transactions(lab: TransactionLab) -> dict[str, Callable[[], Pending[object]]]:
    transactions = lab.transactions
    return {
        "InitProducerId": lambda: transactions.init_producer_id(ID, TIMEOUT_MS, None).map(lambda answer: answer),
        "AddPartitionsToTxn": lambda: transactions.add_partitions(ID, PRODUCER, [("t", 0)], NEW).map(lambda _: None),
        "verification": lambda: transactions.missing_partitions(ID, PRODUCER, [("t", 0)]).map(lambda answer: answer),
        "EndTxn": lambda: transactions.end(ID, PRODUCER, commit=True, client_version=NEW).map(lambda answer: answer),
        "DescribeTransactions": lambda: transactions.describe(ID).map(lambda answer: answer),
    }


def test_before_the_topic_of_groups_is_created() -> None:
    lab = GroupLab()
    codes = {what: code_of(ask) for what, ask in requests_about_groups(lab).items()}
    assert codes == dict.fromkeys(codes, ErrorCode.NOT_COORDINATOR)
    assert lab.groups.list_groups((), ()).result() == []
    offsets = TxnOffsetCommitRequest(group_id=GROUP, transactional_id=ID)

    def commit_in_transaction() -> Pending[object]:
        committed = lab.groups.commit_transactional_offsets(offsets, [], 5, lambda _: pytest.fail("nobody to ask"))
        return committed.map(lambda answer: answer)

    assert code_of(commit_in_transaction) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert lab.log.creations == 0


async def test_after_the_topic_of_groups_was_deleted(lab: GroupLab) -> None:
    await lab.commit()
    lab.log.batches = []
    deleted_topic(lab.groups.follow_metadata, "__consumer_offsets")
    codes = {what: code_of(ask) for what, ask in requests_about_groups(lab).items()}
    assert codes == dict.fromkeys(codes, ErrorCode.NOT_COORDINATOR)
    await lab.groups.when_ready(GROUP).wait()
    assert lab.committed() == -1


async def test_before_the_topic_of_transactions_is_created_and_after_it_was_deleted() -> None:
    lab = TransactionLab()
    for _ in range(2):
        codes = {what: code_of(ask) for what, ask in requests_about_transactions(lab).items()}
        assert codes == dict.fromkeys(codes, ErrorCode.NOT_COORDINATOR)
        assert await lab.transactions.list(None, frozenset(), -1, None) == []
        await lab.init()
        lab.log.batches = []
        deleted_topic(lab.transactions.follow_metadata, "__transaction_state")


def deleted_topic(follow: Callable[[MetadataImage, MetadataDelta], None], name: str) -> None:
    delta = MetadataDelta()
    delta.deleted_topics.append(TopicImage(name, ZERO_UUID, ()))
    follow(MetadataImage(), delta)


class UncreatedLog(MemoryLog):
    def __init__(self) -> None:
        super().__init__()
        self.refusal: KafkaError | None = None

    async def create_topic(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        await super().create_topic()


async def test_why_the_topic_cannot_be_created_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    lab = GroupLab()
    lab.log = log = UncreatedLog()
    lab.groups = groups = lab._coordinator()

    async def find() -> ErrorCode:
        try:
            await groups.when_ready(GROUP).wait()
        except KafkaError as error:
            return error.code
        return ErrorCode.NONE

    with caplog.at_level(logging.INFO, "kafkapy.coordinators"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(groups.run)
            for reason in ("too few brokers", "too few brokers", "another reason", "too few brokers"):
                log.refusal = KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, reason)
                assert await find() is ErrorCode.INVALID_REPLICATION_FACTOR
            log.refusal = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)
            assert await find() is ErrorCode.COORDINATOR_NOT_AVAILABLE
            log.refusal = None
            assert await find() is ErrorCode.NONE
            nursery.cancel_scope.cancel()
    said = [
        record.getMessage().partition("the topic __consumer_offsets cannot be created: ")[2]
        for record in caplog.records
    ]
    assert said == ["too few brokers", "another reason", "too few brokers"]
