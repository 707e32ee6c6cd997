"""A broker tells the controller which replicas are in its directory, when the metadata has them in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.metadata.directory_assignments import REPLICAS_PER_REQUEST_MAX, RETRY_MS, DirectoryAssignments
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import UNASSIGNED_DIRECTORY
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT, LATEST_METADATA_VERSION, METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    AssignReplicasToDirsResponseDirectoryData,
    AssignReplicasToDirsResponsePartitionData,
    AssignReplicasToDirsResponseTopicData,
)
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid
from tests.shell.running_node import trio_test

BROKER_ID, OTHER_ID, EPOCH = 4, 5, 77
MINE, OLD, THEIRS = (Uuid(bytes(14) + bytes([7, number])) for number in range(3))
TOPIC = Uuid(bytes(15) + b"\x63")


def level(number: int) -> MetadataRecord:
    return m.FeatureLevelRecord(name=METADATA_VERSION, feature_level=number)


def partition(index: int, directory: Uuid) -> MetadataRecord:
    return m.PartitionRecord(
        topic_id=TOPIC, partition_id=index, replicas=[OTHER_ID, BROKER_ID], isr=[OTHER_ID], leader=OTHER_ID,
        directories=[THEIRS, directory],
    )  # fmt: skip


class Controller:
    """Answers each request; with `errors` first those, then all is well."""

    def __init__(self, *errors: ErrorCode, of_partitions: Iterable[ErrorCode] = ()) -> None:
        self.asked: list[list[int]] = []
        self.errors = list(errors)
        self.of_partitions = list(of_partitions)

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert timeout_ms > 0
        assert isinstance(request, AssignReplicasToDirsRequest)
        assert (request.broker_id, request.broker_epoch) == (BROKER_ID, EPOCH)
        ((directory, topic),) = [(each, each.topics[0]) for each in request.directories]
        assert (directory.id, topic.topic_id) == (MINE, TOPIC)
        indexes = [each.partition_index for each in topic.partitions]
        self.asked.append(indexes)
        error = self.errors.pop(0) if self.errors else ErrorCode.NONE
        if error is ErrorCode.REQUEST_TIMED_OUT:
            raise KafkaError(error)
        if error is not ErrorCode.NONE:
            return AssignReplicasToDirsResponse(error_code=error)
        codes = [self.of_partitions.pop(0) if self.of_partitions else ErrorCode.NONE for _ in indexes]
        answered = [
            AssignReplicasToDirsResponsePartitionData(partition_index=index, error_code=code)
            for index, code in zip(indexes, codes, strict=True)
        ]
        topics = [AssignReplicasToDirsResponseTopicData(topic_id=TOPIC, partitions=answered)]
        return AssignReplicasToDirsResponse(
            directories=[AssignReplicasToDirsResponseDirectoryData(id=MINE, topics=topics)]
        )


class Metadata:
    def __init__(self, clock: ManualClock) -> None:
        self.publisher = MetadataPublisher()
        self.clock = clock

    def change(self, *records: MetadataRecord) -> None:
        delta = MetadataDelta(self.publisher.image)
        for record in records:
            delta.replay(record)
        self.publisher.publish(delta.apply(self.publisher.image.offset + 1, 0), delta)


@asynccontextmanager
async def running(controller: Controller, *records: MetadataRecord) -> AsyncIterator[Metadata]:
    clock = ManualClock()
    metadata = Metadata(clock)
    metadata.change(*records)
    channel: Any = controller
    assignments = DirectoryAssignments(
        BROKER_ID, lambda _topic, _index: MINE, channel, metadata.publisher, clock, lambda: EPOCH
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(assignments.run)
        await trio.testing.wait_all_tasks_blocked()
        yield metadata
        nursery.cancel_scope.cancel()


NEW = (level(LATEST_METADATA_VERSION), m.TopicRecord(name="t", topic_id=TOPIC))


@trio_test
async def test_replicas_in_another_directory_are_told_at_the_start_and_when_they_change() -> None:
    controller = Controller()
    async with running(
        controller, *NEW, partition(0, OLD), partition(1, MINE), partition(2, UNASSIGNED_DIRECTORY)
    ) as at:
        assert controller.asked == [[0, 2]]
        at.change(partition(0, MINE), partition(2, MINE))
        at.change(partition(3, OLD), partition(4, MINE))
        await trio.testing.wait_all_tasks_blocked()
        assert controller.asked == [[0, 2], [3]]


@trio_test
async def test_what_the_controller_has_not_taken_is_told_again_after_a_while() -> None:
    controller = Controller(ErrorCode.REQUEST_TIMED_OUT, ErrorCode.STALE_BROKER_EPOCH)
    async with running(controller, *NEW, partition(0, OLD)) as at:
        for count in (1, 2, 3):
            assert len(controller.asked) == count
            at.clock.advance(RETRY_MS)
            await trio.testing.wait_all_tasks_blocked()
        assert controller.asked == [[0]] * 3


@trio_test
async def test_replicas_that_are_gone_are_not_told_again() -> None:
    controller = Controller(of_partitions=[ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_SERVER_ERROR])
    async with running(controller, *NEW, partition(0, OLD), partition(1, OLD)) as at:
        assert controller.asked == [[0, 1]]
        at.clock.advance(RETRY_MS)
        await trio.testing.wait_all_tasks_blocked()
        assert controller.asked == [[0, 1], [1]]


@trio_test
async def test_very_many_are_told_in_several_requests() -> None:
    controller = Controller()
    async with running(controller, *NEW, *(partition(index, OLD) for index in range(REPLICAS_PER_REQUEST_MAX + 1))):
        assert [len(indexes) for indexes in controller.asked] == [REPLICAS_PER_REQUEST_MAX, 1]


@trio_test
async def test_nothing_is_told_before_metadata_version_has_directories() -> None:
    controller = Controller()
    topic = NEW[1:]
    async with running(controller, level(DIRECTORY_ASSIGNMENT - 1), *topic, partition(0, OLD)) as at:
        assert controller.asked == []
        at.change(level(DIRECTORY_ASSIGNMENT))
        await trio.testing.wait_all_tasks_blocked()
        assert controller.asked == [[0]]
