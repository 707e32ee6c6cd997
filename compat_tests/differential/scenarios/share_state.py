"""The APIs of the share coordinator, as group coordinators and leaders of partitions send them; what it stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.share_log import note_stored
from kafkapy_wire.messages import (
    delete_share_group_state,
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    write_share_group_state,
)
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.uuid import Uuid, uuid_text

UNKNOWN_ID = Uuid(b"?" * 16)


def ready(peer: Peer, group: str, topic: str, partitions: int = 1) -> Uuid:
    """The id of a new topic, once the coordinator of its share partitions is known."""
    topic_id = Uuid(peer.create_topic(topic, partitions))
    keys = [f"{group}:{uuid_text(topic_id)}:{index}" for index in range(partitions)]
    peer.until(
        FindCoordinatorRequest(coordinator_keys=keys, key_type=2),
        lambda answer: not any(found.error_code for found in answer.coordinators),
        "the share coordinator",
    )
    peer.until(
        summary(group, topic_id, *range(partitions)),
        lambda answer: not any(found.error_code for found in answer.results[0].partitions),
        "the share coordinator to have loaded what it leads",
    )
    return topic_id


def initialize(group: str, topic_id: Uuid, *partitions: tuple[int, int, int]) -> Any:
    """Partitions: index, state epoch, start offset."""
    wanted = [
        initialize_share_group_state.PartitionData(partition=index, state_epoch=epoch, start_offset=start)
        for index, epoch, start in partitions
    ]
    topic = initialize_share_group_state.InitializeStateData(topic_id=topic_id, partitions=wanted)
    return initialize_share_group_state.InitializeShareGroupStateRequest(group_id=group, topics=[topic])


def read(group: str, topic_id: Uuid, *partitions: tuple[int, int]) -> Any:
    """Partitions: index, leader epoch."""
    wanted = [read_share_group_state.PartitionData(partition=index, leader_epoch=epoch) for index, epoch in partitions]
    topic = read_share_group_state.ReadStateData(topic_id=topic_id, partitions=wanted)
    return read_share_group_state.ReadShareGroupStateRequest(group_id=group, topics=[topic])


def summary(group: str, topic_id: Uuid, *partitions: int, leader_epoch: int = 0) -> Any:
    wanted = [
        read_share_group_state_summary.PartitionData(partition=index, leader_epoch=leader_epoch) for index in partitions
    ]
    topic = read_share_group_state_summary.ReadStateSummaryData(topic_id=topic_id, partitions=wanted)
    return read_share_group_state_summary.ReadShareGroupStateSummaryRequest(group_id=group, topics=[topic])


def delete(group: str, topic_id: Uuid, *partitions: int) -> Any:
    wanted = [delete_share_group_state.PartitionData(partition=index) for index in partitions]
    topic = delete_share_group_state.DeleteStateData(topic_id=topic_id, partitions=wanted)
    return delete_share_group_state.DeleteShareGroupStateRequest(group_id=group, topics=[topic])


def write(
    group: str,
    topic_id: Uuid,
    index: int,
    batches: Iterable[tuple[int, int, int, int]] = (),
    *,
    state_epoch: int = 0,
    leader_epoch: int = 0,
    start: int = 0,
    complete: int = -1,
) -> Any:
    wanted = write_share_group_state.PartitionData(
        partition=index,
        state_epoch=state_epoch,
        leader_epoch=leader_epoch,
        start_offset=start,
        delivery_complete_count=complete,
        state_batches=[
            write_share_group_state.StateBatch(
                first_offset=first, last_offset=last, delivery_state=state, delivery_count=count
            )
            for first, last, state, count in batches
        ],
    )
    topic = write_share_group_state.WriteStateData(topic_id=topic_id, partitions=[wanted])
    return write_share_group_state.WriteShareGroupStateRequest(group_id=group, topics=[topic])


@scenario
def a_life(peer: Peer) -> None:
    """From the first to the last record of a share partition, each version of each API."""
    for version in (0, 1):
        group = f"share-state-{version}"
        topic_id = ready(peer, group, group, 2)
        peer.ask(summary(group, topic_id, 0, 1), version, "nothing yet")
        peer.ask(initialize(group, topic_id, (0, 0, -1), (1, 0, 5)), 0)
        peer.ask(summary(group, topic_id, 0, 1), version, "initialized")
        peer.ask(read(group, topic_id, (0, 0), (1, 3)), 0)
        peer.ask(summary(group, topic_id, 0, 1), version, "read")
        peer.ask(
            write(group, topic_id, 1, [(5, 9, 2, 1), (10, 12, 0, 1)], leader_epoch=3, start=5, complete=5), version
        )
        peer.ask(write(group, topic_id, 1, [(11, 14, 4, 2)], leader_epoch=3, start=10, complete=2), version)
        peer.ask(read(group, topic_id, (1, 3)), 0, "after two writes")
        peer.ask(
            write(group, topic_id, 1, [(0, 7, 2, 1)], leader_epoch=3, start=7, complete=9), version, "an old start"
        )
        peer.ask(write(group, topic_id, 1, leader_epoch=9, start=10, complete=1), version, "a later leader")
        peer.ask(read(group, topic_id, (1, 3)), 0, "the leader of before")
        peer.ask(initialize(group, topic_id, (1, 2, 4)), 0, "again")
        peer.ask(summary(group, topic_id, 0, 1), version, "initialized again")
        peer.ask(read(group, topic_id, (1, 2)), 0, "an earlier leader")
        peer.ask(delete(group, topic_id, 0, 1), 0)
        peer.ask(delete(group, topic_id, 0, 1), 0, "again")
        peer.ask(summary(group, topic_id, 0, 1), version, "deleted")
        note_stored(peer, group)


@scenario
def wrong_requests(peer: Peer) -> None:
    group = "share-state-wrong"
    topic_id = ready(peer, group, group)
    for state_epoch, leader_epoch, index in ((-1, -1, -1), (-1, -1, 0), (0, -1, 0), (-1, 0, 0), (0, 0, 0), (0, 0, 7)):
        label = f"partition {index}, state epoch {state_epoch}, leader epoch {leader_epoch}"
        peer.ask(read(group, topic_id, (index, leader_epoch)), 0, label)
        peer.ask(
            write(group, topic_id, index, state_epoch=state_epoch, leader_epoch=leader_epoch), 1, f"not there: {label}"
        )
        peer.ask(summary(group, topic_id, index, leader_epoch=leader_epoch), 1, label)
        peer.ask(delete(group, topic_id, index), 0, label)
    peer.ask(initialize(group, topic_id, (-1, -1, 0)), 0, "a negative partition")
    peer.ask(initialize(group, topic_id, (0, -1, 0)), 0, "a negative state epoch")
    peer.ask(initialize(group, topic_id, (9, 0, 0)), 0, "an unknown partition")
    peer.ask(initialize(group, topic_id, (0, 4, -7)), 0, "a strange start")
    peer.ask(initialize(group, topic_id, (0, 3, 0)), 0, "an earlier state epoch")
    peer.ask(read(group, topic_id, (0, 5)), 0, "a leader")
    peer.ask(write(group, topic_id, 0, state_epoch=3, leader_epoch=4), 1, "both epochs are old")
    peer.ask(write(group, topic_id, 0, state_epoch=3, leader_epoch=5), 1, "the state epoch is old")
    peer.ask(write(group, topic_id, 0, state_epoch=5, leader_epoch=6), 1, "both epochs are new")
    peer.ask(write(group, topic_id, 0, [(3, 9, 17, 5)], state_epoch=4, leader_epoch=5, start=-1), 1, "an unknown state")
    peer.ask(read(group, topic_id, (0, 5)), 0, "what came of it")
    note_stored(peer, group)


@scenario
def unknown_topics(peer: Peer) -> None:
    group = "share-state-unknown"
    topic_id = ready(peer, group, group)
    for unknown in (UNKNOWN_ID, Uuid(bytes(16))):
        # Its coordinator is this broker, which leads all partitions.
        for request, version in (
            (initialize(group, unknown, (0, 0, 0)), 0),
            (read(group, unknown, (0, 0)), 0),
            (write(group, unknown, 0), 1),
            (summary(group, unknown, 0), 1),
            (delete(group, unknown, 0), 0),
        ):
            peer.ask(request, version, "unknown topic")
    for request, version in (
        (initialize("", topic_id, (0, 0, 0)), 0),
        (read("", topic_id, (0, 0)), 0),
        (write("", topic_id, 0), 1),
        (summary("", topic_id, 0), 1),
        (delete("", topic_id, 0), 0),
    ):
        peer.ask(request, version, "no group")
    for request, version in (
        (initialize(group, topic_id), 0),
        (read(group, topic_id), 0),
        (summary(group, topic_id), 1),
        (delete(group, topic_id), 0),
    ):
        peer.ask(request, version, "no partition")
        request.topics = []
        peer.ask(request, version, "no topic")


@scenario
def snapshots(peer: Peer) -> None:
    """After share.coordinator.snapshot.update.records.per.snapshot updates there is another snapshot."""
    group = "share-state-snapshots"
    topic_id = ready(peer, group, group)
    peer.quietly(initialize(group, topic_id, (0, 0, 0)), 0)
    for step in range(12):
        first = step * 3
        peer.quietly(write(group, topic_id, 0, [(first, first + 3, 2 * (step % 3), 1 + step % 2)], complete=step), 1)
    peer.ask(read(group, topic_id, (0, 0)), 0)
    note_stored(peer, group)


@scenario
def keys_of_share_partitions(peer: Peer) -> None:
    topic_id = ready(peer, "share-state-keys", "share-state-keys")
    text = uuid_text(topic_id)
    for key in (
        *(f"g:{text}:0", f"g:{text}:99", f"a:b:{text}:0", f"g:{text}:0:", f"g:{text}:-1", f"g:{text}:+1"),
        *(f":{text}:0", f" :{text}:0", f"::{text}:0", f"g:{text}:", f"g:{text}", f"g:{text[:-1]}:0", f"g:{text}:x"),
        *("", ":", "::", ":::", f"g:{text}:2147483648", f"g:{text}=:0", f"g:{text}::0"),
    ):
        found = peer.quietly(FindCoordinatorRequest(coordinator_keys=[key], key_type=2), 6)
        peer.note(f"key {key.replace(text, 'ID').replace(text[:-1], 'CUT')}", found.coordinators[0].error_code)
