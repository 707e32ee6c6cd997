"""Who leads a partition and who coordinates a group or a transactional id: moved to another broker."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.coordinators.runtime import partition_for
from kafkapy_controller.topic_names import OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.control.nodes import ControlledNodes

PREFERRED = 0
TIMEOUT_MS = 10_000


async def move_leader(nodes: ControlledNodes, topic: str, partition: int, broker: int) -> None:
    """Have a replica lead a partition: it becomes the first of the replicas, and so the preferred leader.

    Raises LookupError: no such topic or partition, or the broker has no replica of it; KafkaError: it is not in sync.
    """
    nodes.leader(topic, partition)
    now = nodes.topic(topic).partitions[partition]
    if broker not in now.replicas:
        raise LookupError(
            f"broker {broker} has no replica of {topic}-{partition}: those with one are "
            f"{', '.join(map(str, now.replicas))}"
        )
    if now.leader == broker:
        return
    order = [broker, *(each for each in now.replicas if each != broker)]
    asked = ReassignableTopic(name=topic, partitions=[ReassignablePartition(partition_index=partition, replicas=order)])
    moved = await nodes.ask_controller(
        AlterPartitionReassignmentsRequest(topics=[asked], timeout_ms=TIMEOUT_MS), AlterPartitionReassignmentsResponse
    )
    check(moved.error_code, moved.error_message)
    check(moved.responses[0].partitions[0].error_code, moved.responses[0].partitions[0].error_message)
    elected = await nodes.ask_controller(
        ElectLeadersRequest(
            election_type=PREFERRED,
            topic_partitions=[TopicPartitions(topic=topic, partitions=[partition])],
            timeout_ms=TIMEOUT_MS,
        ),
        ElectLeadersResponse,
    )
    check(elected.error_code)
    for result in elected.replica_election_results:
        for outcome in result.partition_result:
            if outcome.error_code != ErrorCode.ELECTION_NOT_NEEDED:
                check(outcome.error_code, outcome.error_message)
    await _led_by(nodes, topic, partition, broker)


async def move_group_coordinator(nodes: ControlledNodes, group_id: str, broker: int) -> None:
    """Have a broker coordinate a group. Others of the same partition of `__consumer_offsets` move with it."""
    await _move_coordinator(nodes, OFFSETS_TOPIC, group_id, broker)


async def move_transaction_coordinator(nodes: ControlledNodes, transactional_id: str, broker: int) -> None:
    """Have a broker coordinate a transactional id. Others of the same partition move with it."""
    await _move_coordinator(nodes, TRANSACTION_TOPIC, transactional_id, broker)


async def shrink_isr(nodes: ControlledNodes, topic: str, partition: int, broker: int) -> None:
    """Take a follower out of the ISR of a partition, and keep it out until `expand_isr` or `reset`.

    It goes on fetching. Records need no acknowledgement of it, and it cannot lead. Raises LookupError: no such topic or
    partition, or the broker is no follower there; KafkaError REQUEST_TIMED_OUT.
    """
    now = nodes.check_partition(topic, partition)
    followers = [each for each in now.replicas if each != now.leader]
    if broker not in followers:
        what = "leads" if broker == now.leader else "has no replica of"
        raise LookupError(
            f"broker {broker} {what} {topic}-{partition}: its followers are {', '.join(map(str, followers)) or 'none'}"
        )
    nodes.kept_out.add((topic, partition, broker))

    def leave_out() -> bool:
        if broker not in nodes.check_partition(topic, partition).isr:
            return True
        nodes.leader(topic, partition).leave_out(broker)
        return False

    await _until(leave_out, f"broker {broker} is in the ISR of {topic}-{partition} yet")


async def expand_isr(nodes: ControlledNodes, topic: str, partition: int, broker: int) -> None:
    """Undo `shrink_isr`: returns when the follower is in the ISR again. Raises LookupError: it was not kept out;
    KafkaError REQUEST_TIMED_OUT.
    """
    nodes.check_partition(topic, partition)
    if (topic, partition, broker) not in nodes.kept_out:
        raise LookupError(f"broker {broker} is not kept out of the ISR of {topic}-{partition}")
    nodes.kept_out.remove((topic, partition, broker))
    await _until(
        lambda: broker in nodes.check_partition(topic, partition).isr,
        f"broker {broker} is not in the ISR of {topic}-{partition} yet",
    )


async def _move_coordinator(nodes: ControlledNodes, topic: str, key: str, broker: int) -> None:
    count = len(nodes.topic(topic).partitions)
    await move_leader(nodes, topic, partition_for(key, count), broker)


async def _led_by(nodes: ControlledNodes, topic: str, partition: int, broker: int) -> None:
    """Wait until the new leader knows that it is. Raises KafkaError REQUEST_TIMED_OUT."""

    def leads() -> bool:
        return nodes.topic(topic).partitions[partition].leader == broker and bool(nodes.leader(topic, partition))

    await _until(leads, f"broker {broker} does not lead {topic}-{partition} yet")


async def _until(is_so: Callable[[], bool], otherwise: str) -> None:
    """Raises KafkaError REQUEST_TIMED_OUT."""
    with trio.move_on_after(TIMEOUT_MS / 1_000):
        while True:
            with suppress(LookupError, KafkaError):  # the leader is about to change
                if is_so():
                    return
            await trio.sleep(LOOK_AGAIN_SECONDS)
    raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, otherwise)
