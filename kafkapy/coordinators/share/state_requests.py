"""What is asked about the state of share partitions, and how requests to another broker and its answers say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.coordinators.share.share_state import ShareState
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages import (
    delete_share_group_state,
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    write_share_group_state,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.coordinators.share.coordinator import ShareCoordinator
    from kafkapy.coordinators.share.share_partition_key import SharePartitionKey
    from kafkapy.coordinators.share.share_state import ShareStateUpdate
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message, Struct
    from kafkapy_wire.uuid import Uuid


class StateRequest:
    """One question about one share partition. Questions of the same class about one group go in one request."""

    __slots__ = ()

    what = ""
    """As error messages name it."""

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        """Of the coordinator on this broker. Raises KafkaError."""
        raise NotImplementedError

    def entry(self, partition: int) -> Struct:
        """What a request to another broker says of it."""
        raise NotImplementedError

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        """The request with these entries."""
        raise NotImplementedError

    def result(self, entry: Any) -> Any:
        """What the entry of an answer says, without an error."""
        raise NotImplementedError


class Initialize(StateRequest):
    __slots__ = (
        "start_offset",
        "state_epoch",
    )

    what = "initialize state"

    def __init__(self, state_epoch: int, start_offset: int) -> None:
        self.state_epoch = state_epoch
        self.start_offset = start_offset

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        return coordinator.initialize(key, self.state_epoch, self.start_offset)

    def entry(self, partition: int) -> Struct:
        return initialize_share_group_state.PartitionData(
            partition=partition, state_epoch=self.state_epoch, start_offset=self.start_offset
        )

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        module = initialize_share_group_state
        wanted = [module.InitializeStateData(topic_id=key, partitions=value) for key, value in topics.items()]
        return module.InitializeShareGroupStateRequest(group_id=group_id, topics=wanted)

    def result(self, entry: Any) -> None:  # noqa: ARG002 - there is nothing in it
        return None


class Read(StateRequest):
    __slots__ = ("leader_epoch",)

    what = "read state"

    def __init__(self, leader_epoch: int) -> None:
        self.leader_epoch = leader_epoch

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        return coordinator.read(key, self.leader_epoch)

    def entry(self, partition: int) -> Struct:
        return read_share_group_state.PartitionData(partition=partition, leader_epoch=self.leader_epoch)

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        module = read_share_group_state
        wanted = [module.ReadStateData(topic_id=key, partitions=value) for key, value in topics.items()]
        return module.ReadShareGroupStateRequest(group_id=group_id, topics=wanted)

    def result(self, entry: read_share_group_state.PartitionResult) -> ShareState:
        batches = tuple(
            StateBatch(each.first_offset, each.last_offset, each.delivery_state, each.delivery_count)
            for each in entry.state_batches
        )
        return ShareState(0, entry.state_epoch, self.leader_epoch, entry.start_offset, -1, batches)


class Write(StateRequest):
    __slots__ = (
        "leader_epoch",
        "state_epoch",
        "update",
    )

    what = "write state"

    def __init__(self, update: ShareStateUpdate, state_epoch: int, leader_epoch: int) -> None:
        self.update = update
        self.state_epoch = state_epoch
        self.leader_epoch = leader_epoch

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        return coordinator.write(key, self.update, state_epoch=self.state_epoch, leader_epoch=self.leader_epoch)

    def entry(self, partition: int) -> Struct:
        module = write_share_group_state
        return module.PartitionData(
            partition=partition,
            state_epoch=self.state_epoch,
            leader_epoch=self.leader_epoch,
            start_offset=self.update.start_offset,
            delivery_complete_count=self.update.delivery_complete_count,
            state_batches=[
                module.StateBatch(first_offset=first, last_offset=last, delivery_state=state, delivery_count=count)
                for first, last, state, count in self.update.batches
            ],
        )

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        module = write_share_group_state
        wanted = [module.WriteStateData(topic_id=key, partitions=value) for key, value in topics.items()]
        return module.WriteShareGroupStateRequest(group_id=group_id, topics=wanted)

    def result(self, entry: Any) -> None:  # noqa: ARG002 - there is nothing in it
        return None


class ReadSummary(StateRequest):
    __slots__ = ("leader_epoch",)

    what = "read state summary"

    def __init__(self, leader_epoch: int = -1) -> None:
        self.leader_epoch = leader_epoch

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        return coordinator.read_summary(key)

    def entry(self, partition: int) -> Struct:
        return read_share_group_state_summary.PartitionData(partition=partition, leader_epoch=self.leader_epoch)

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        module = read_share_group_state_summary
        wanted = [module.ReadStateSummaryData(topic_id=key, partitions=value) for key, value in topics.items()]
        return module.ReadShareGroupStateSummaryRequest(group_id=group_id, topics=wanted)

    def result(self, entry: read_share_group_state_summary.PartitionResult) -> ShareState:
        return ShareState(
            0, entry.state_epoch, entry.leader_epoch, entry.start_offset, entry.delivery_complete_count, ()
        )


class Delete(StateRequest):
    __slots__ = ()

    what = "delete state"

    def ask(self, key: SharePartitionKey, coordinator: ShareCoordinator) -> Pending[Any]:
        return coordinator.delete(key)

    def entry(self, partition: int) -> Struct:
        return delete_share_group_state.PartitionData(partition=partition)

    def message(self, group_id: str, topics: dict[Uuid, list[Any]]) -> Message:
        module = delete_share_group_state
        wanted = [module.DeleteStateData(topic_id=key, partitions=value) for key, value in topics.items()]
        return module.DeleteShareGroupStateRequest(group_id=group_id, topics=wanted)

    def result(self, entry: Any) -> None:  # noqa: ARG002 - there is nothing in it
        return None


def request_to_broker(group_id: str, asked: Sequence[tuple[SharePartitionKey, StateRequest]]) -> Message:
    """One request with all these questions, which are of the same class and about different partitions."""
    topics: dict[Uuid, list[Any]] = {}
    for key, question in asked:
        topics.setdefault(key.topic_id, []).append(question.entry(key.partition))
    return asked[0][1].message(group_id, topics)


def results_of(answer: Any) -> dict[tuple[Uuid, int], Any]:
    """The entries of an answer by topic id and partition."""
    return {
        (topic.topic_id, partition.partition): partition for topic in answer.results for partition in topic.partitions
    }


def error_of(entry: Any) -> KafkaError | None:
    code = error_code(entry.error_code)
    return None if code is ErrorCode.NONE else KafkaError(code, entry.error_message or None)
