"""The active controller and the brokers of a cluster: registrations, heartbeats, fencing, and chores by the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.apis import broker_heartbeat, broker_registration
from kafkapy.clock import ManualClock
from kafkapy.errors import CloseConnection
from kafkapy.metadata.altering import ResourceChange
from kafkapy.metadata.broker_changes import PARTITIONS_PER_PIECE
from kafkapy.metadata.broker_control import BrokerControl
from kafkapy.settings.alter import Operation, OperationOn
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_controller.image import NO_LEADER, ConfigResourceType, MetadataImage, PartitionImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponse,
    BrokerState,
)
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
)
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest, Feature, Listener
from kafkapy_wire.messages.create_topics import CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig
from kafkapy_wire.uuid import Uuid, random_uuid
from tests.apis.topic_lab import Lab, lab

TIMEOUT_MS = 9_000
WIDE = 2 * PARTITIONS_PER_PIECE + 50


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as opened:
        yield opened


def registration(node: Lab, broker_id: int, **fields: object) -> BrokerRegistrationRequest:
    request = BrokerRegistrationRequest(
        broker_id=broker_id,
        cluster_id=node.broker.cluster_id,
        incarnation_id=random_uuid(),
        listeners=[Listener(name="PLAINTEXT", host="host", port=9092 + broker_id)],
        features=[
            Feature(name=name, min_supported_version=low, max_supported_version=high)
            for name, (low, high) in SUPPORTED_FEATURES.items()
        ],
        log_dirs=[Uuid(bytes(12) + (1_000 + broker_id).to_bytes(4, "big"))],
    )
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def heartbeat(node: Lab, broker_id: int, **fields: object) -> BrokerHeartbeatRequest:
    image = node.controller.image
    request = BrokerHeartbeatRequest(
        broker_id=broker_id, broker_epoch=image.brokers[broker_id].epoch, current_metadata_offset=image.offset
    )
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def beat(node: Lab, broker_id: int, **fields: object) -> BrokerHeartbeatResponse:
    response = node.call(broker_heartbeat, heartbeat(node, broker_id, **fields), 2)
    assert isinstance(response, BrokerHeartbeatResponse)
    return response


def join(node: Lab, *broker_ids: int, **fields: object) -> None:
    """Register them, and unfence them by a heartbeat."""
    for broker_id in broker_ids:
        response = node.call(broker_registration, registration(node, broker_id, **fields), 4)
        assert (response.error_code, response.broker_epoch) == (ErrorCode.NONE, node.image.brokers[broker_id].epoch)
        answer = beat(node, broker_id)
        assert (answer.is_caught_up, answer.is_fenced) == (True, False)


def assigned(name: str, *replicas: list[int]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=-1,
        replication_factor=-1,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=ids) for index, ids in enumerate(replicas)
        ],
    )


def partitions(node: Lab, name: str) -> tuple[PartitionImage, ...]:
    return node.image.topics[name].partitions


def leaders(image: MetadataImage, name: str) -> set[int]:
    return {partition.leader for partition in image.topics[name].partitions}


# Registrations and heartbeats


def test_a_broker_joins_fenced_and_is_unfenced_by_its_heartbeat(node: Lab) -> None:
    node.call(broker_registration, registration(node, 2), 4)
    assert node.image.brokers[2].fenced
    behind = beat(node, 2, current_metadata_offset=node.image.brokers[2].epoch - 1)
    assert (behind.is_caught_up, behind.is_fenced, behind.should_shut_down) == (False, True, False)
    waiting = beat(node, 2, want_fence=True)
    assert (waiting.is_caught_up, waiting.is_fenced) == (True, True)
    running = beat(node, 2, cordoned_log_dirs=[])
    assert (running.is_caught_up, running.is_fenced) == (True, False)
    assert (node.image.brokers[2].fenced, node.image.brokers[2].cordoned_log_dirs) == (False, ())


def test_an_id_in_use_is_refused_until_its_session_is_over(node: Lab) -> None:
    join(node, 2)
    with pytest.raises(KafkaError) as refusal:
        node.run(node.controller.brokers.register(registration(node, 2), 4, node.broker.cluster_id))
    assert refusal.value.code is ErrorCode.DUPLICATE_BROKER_REGISTRATION
    node.broker.clock.advance(TIMEOUT_MS + 1)
    node.run(node.controller.brokers.register(registration(node, 2), 4, node.broker.cluster_id))
    assert node.image.brokers[2].fenced


def test_a_broker_that_shows_how_its_last_run_ended_need_not_wait_for_its_session(node: Lab) -> None:
    join(node, 2)
    request = registration(node, 2)
    request.previous_broker_epoch = node.image.brokers[2].epoch
    node.run(node.controller.brokers.register(request, 4, node.broker.cluster_id))
    assert node.image.brokers[2].epoch > request.previous_broker_epoch
    beat(node, 2)
    request = registration(node, 2)
    request.previous_broker_epoch = node.image.brokers[2].epoch - 1
    with pytest.raises(KafkaError) as refusal:
        node.run(node.controller.brokers.register(request, 4, node.broker.cluster_id))
    assert refusal.value.code is ErrorCode.DUPLICATE_BROKER_REGISTRATION, "an older run"


def test_a_broker_that_stops_before_it_hears_of_its_registration_has_stopped_in_order(node: Lab) -> None:
    """Its disk tells the epoch of the run before. Once unfenced, it may have been in sync: it has to tell its own."""

    def register(previous_epoch: int) -> int:
        node.broker.clock.advance(TIMEOUT_MS + 1)
        request = registration(node, 2)
        request.previous_broker_epoch = previous_epoch
        node.run(node.controller.brokers.register(request, 4, node.broker.cluster_id))
        return node.image.brokers[2].epoch

    def is_eligible() -> bool:
        return 2 in partitions(node, "orders")[0].eligible_leader_replicas

    join(node, 2)
    orders = assigned("orders", [1, 2])
    orders.configs = [CreatableTopicConfig(name="min.insync.replicas", value="2")]
    node.create(orders)
    ended = node.image.brokers[2].epoch
    unheard = register(ended)
    assert is_eligible()
    register(ended)
    assert is_eligible(), "it has not heard of the registration"
    assert unheard < register(ended), "nor of the next one"
    assert is_eligible()
    beat(node, 2)
    register(ended)
    assert not is_eligible()


def test_heartbeats_of_former_registrations_are_stale(node: Lab) -> None:
    join(node, 2)
    unregistered = heartbeat(node, 2)
    unregistered.broker_id = 7
    for request in (heartbeat(node, 2, broker_epoch=1), unregistered):
        with pytest.raises(KafkaError) as refusal:
            node.run(node.controller.brokers.heartbeat(request))
        assert refusal.value.code is ErrorCode.STALE_BROKER_EPOCH


def test_a_controlled_shutdown_moves_leaders_and_waits_until_others_know(node: Lab) -> None:
    join(node, 2, 3)
    node.create(assigned("a", [2, 3], [2, 1]))
    first = beat(node, 2, want_shut_down=True)
    assert (first.is_fenced, first.should_shut_down) == (False, False)
    assert leaders(node.image, "a") == {3, 1}
    assert node.image.brokers[2].in_controlled_shutdown
    end_offset = node.image.offset
    beat(node, 1)
    beat(node, 3, current_metadata_offset=end_offset - 1)
    assert not beat(node, 2, want_shut_down=True).should_shut_down
    beat(node, 3, current_metadata_offset=end_offset)
    last = beat(node, 2, want_shut_down=True)
    assert (last.is_fenced, last.should_shut_down) == (True, True)
    assert node.image.brokers[2].fenced
    assert beat(node, 2, want_shut_down=True).should_shut_down


def test_a_log_directory_that_has_failed_costs_its_partitions(node: Lab) -> None:
    lost, other = (Uuid(bytes(12) + number.to_bytes(4, "big")) for number in (5_000, 5_001))
    join(node, 2, log_dirs=[lost, other])
    node.create(assigned("a", [2, 1], [2, 1]))
    request = AssignReplicasToDirsRequest(
        broker_id=2,
        broker_epoch=node.image.brokers[2].epoch,
        directories=[
            AssignReplicasToDirsRequestDirectoryData(
                id=directory,
                topics=[
                    AssignReplicasToDirsRequestTopicData(
                        topic_id=node.image.topics["a"].topic_id,
                        partitions=[AssignReplicasToDirsRequestPartitionData(partition_index=index)],
                    )
                ],
            )
            for index, directory in enumerate([lost, other])
        ],
    )
    response = node.run(node.controller.assign_replicas_to_dirs(request))
    codes = [
        (each.id, result.error_code)
        for each in response.directories
        for asked in each.topics
        for result in asked.partitions
    ]
    assert codes == [(lost, ErrorCode.NONE), (other, ErrorCode.NONE)]
    beat(node, 2, offline_log_dirs=[lost])
    assert node.image.brokers[2].log_dirs == (other,)
    assert [(p.leader, p.isr) for p in partitions(node, "a")] == [(1, (1,)), (2, (2, 1))]


def test_the_broker_beside_the_controller_hands_over_when_it_stops_and_starts_among_others(tmp_path: Path) -> None:
    first = Lab(tmp_path, {}, fsync=False, kraft_version=1)
    join(first, 2)
    first.create(assigned("a", [1, 2], [2, 1]), assigned("mine", [1]))
    first.close()
    with lab(tmp_path) as again:
        assert [(p.leader, p.isr) for p in partitions(again, "a")] == [(2, (2,)), (2, (2,))]
        assert [(p.leader, p.isr) for p in partitions(again, "mine")] == [(1, (1,))]
        assert not again.image.brokers[1].fenced
        assert again.image.brokers[1].epoch == again.broker_epoch > first.broker_epoch


def test_settings_of_other_brokers_come_through_any_node(node: Lab) -> None:
    join(node, 2)
    for name, code in (("2", None), ("3", ErrorCode.INVALID_REQUEST)):
        change = ResourceChange(
            ConfigResourceType.BROKER, name, [OperationOn("log.cleaner.threads", Operation.SET, "2")], False
        )
        (error,) = node.run(node.controller.alter_configs([change], validate_only=False).wait())
        assert (error and error.code) == code
    assert node.image.resource_configs(ConfigResourceType.BROKER, "2") == {"log.cleaner.threads": "2"}


def test_more_log_directories_than_a_broker_can_have_are_refused(node: Lab) -> None:
    join(node, 2)
    with pytest.raises(KafkaError) as refusal:
        node.run(node.controller.brokers.heartbeat(heartbeat(node, 2, cordoned_log_dirs=[random_uuid()] * 1_001)))
    assert refusal.value.code is ErrorCode.INVALID_REQUEST


# Many partitions


@pytest.fixture
def wide(node: Lab) -> Lab:
    """With brokers 2 and 3, and a topic whose partitions they all have, led by 2."""
    join(node, 2, 3)
    node.create(assigned("wide", *[[2, 3]] * WIDE))
    return node


def test_many_partitions_change_in_pieces_and_the_registration_last(wide: Lab) -> None:
    seen: list[tuple[bool, int]] = []
    wide.metadata.subscribe(
        lambda image, _: seen.append(
            (image.brokers[2].fenced, sum(p.leader == 3 for p in image.topics["wide"].partitions))
        )
    )
    assert beat(wide, 2, want_fence=True).is_fenced
    assert seen[-1] == (True, WIDE)
    assert [fenced for fenced, _ in seen[:-1]] == [False] * (len(seen) - 1)
    assert len(seen) > WIDE // PARTITIONS_PER_PIECE
    assert {p.isr for p in partitions(wide, "wide")} == {(3,)}


def test_many_leaders_are_elected_when_a_broker_is_back(wide: Lab) -> None:
    beat(wide, 2, want_fence=True)
    beat(wide, 3, want_fence=True)
    assert leaders(wide.image, "wide") == {NO_LEADER}
    beat(wide, 3)
    assert leaders(wide.image, "wide") == {3}
    beat(wide, 2)
    assert leaders(wide.image, "wide") == {3}


def test_many_leaders_move_before_a_shutdown(wide: Lab) -> None:
    assert not beat(wide, 2, want_shut_down=True).should_shut_down
    assert leaders(wide.image, "wide") == {3}


def test_a_killed_broker_leaves_many_isrs(wide: Lab) -> None:
    beat(wide, 2, want_fence=True)
    beat(wide, 3, want_fence=True)
    assert {p.eligible_leader_replicas for p in partitions(wide, "wide")} == {(3,)}
    wide.broker.clock.advance(TIMEOUT_MS + 1)
    wide.call(broker_registration, registration(wide, 3), 4)
    assert {(p.eligible_leader_replicas, p.last_known_elr) for p in partitions(wide, "wide")} == {((), (3,))}
    assert wide.image.brokers[3].fenced


def test_a_broker_is_unregistered_from_many_partitions(wide: Lab) -> None:
    wide.run(wide.controller.unregister_broker(2))
    assert 2 not in wide.image.brokers
    assert {(p.leader, p.isr) for p in partitions(wide, "wide")} == {(3, (3,))}
    with pytest.raises(KafkaError) as refusal:
        wide.run(wide.controller.unregister_broker(2))
    assert refusal.value.code is ErrorCode.BROKER_ID_NOT_REGISTERED


def test_many_isrs_change_in_one_request(wide: Lab) -> None:
    response = alter(wide, list(range(WIDE + 1)), [2])
    codes = [result.error_code for asked in response.topics for result in asked.partitions]
    assert codes == [ErrorCode.NONE] * WIDE + [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert [result.partition_index for result in response.topics[0].partitions] == list(range(WIDE + 1))
    assert {p.isr for p in partitions(wide, "wide")} == {(2,)}
    assert wide.run(wide.controller.alter_partition(AlterPartitionRequest(broker_id=9), 3, (1, 1))).topics == []


correlation_ids = count(1)


def alter(
    node: Lab, indexes: list[int], isr: list[int], order: tuple[int, int] | None = None
) -> AlterPartitionResponse:
    brokers = node.image.brokers
    return node.run(
        node.controller.alter_partition(
            AlterPartitionRequest(
                broker_id=2,
                broker_epoch=brokers[2].epoch,
                topics=[
                    AlterPartitionRequestTopicData(
                        topic_id=node.image.topics["wide"].topic_id,
                        partitions=[
                            AlterPartitionRequestPartitionData(
                                partition_index=index,
                                new_isr_with_epochs=[
                                    BrokerState(broker_id=each, broker_epoch=brokers[each].epoch) for each in isr
                                ],
                            )
                            for index in indexes
                        ],
                    )
                ],
            ),
            3,
            order or (1, next(correlation_ids)),
        )
    )


def test_an_old_copy_of_a_request_does_not_change_isrs(wide: Lab) -> None:
    """It may be read after a later one: by another connection, or by the same one."""
    assert alter(wide, [0], [2], (5, 7)).topics[0].partitions[0].error_code == ErrorCode.NONE
    for old in ((4, 9), (5, 6), (5, 7)):
        with pytest.raises(CloseConnection, match="older than one that has come before"):
            alter(wide, [1], [2], old)
    assert partitions(wide, "wide")[1].isr != (2,)
    assert alter(wide, [1], [2], (6, 1)).topics[0].partitions[0].error_code == ErrorCode.NONE
    assert partitions(wide, "wide")[1].isr == (2,)


# By the clock


@asynccontextmanager
async def running(node: Lab) -> AsyncIterator[ManualClock]:
    """The controller with its timers, on a clock that stands still."""
    clock = node.broker.clock
    assert isinstance(clock, ManualClock)
    clock.freeze()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.run)
        nursery.start_soon(node.metadata_log.run)
        nursery.start_soon(node.controller.brokers.run)
        await trio.testing.wait_all_tasks_blocked()
        yield clock
        nursery.cancel_scope.cancel()


async def pass_time(clock: ManualClock, milliseconds: int) -> None:
    clock.advance(milliseconds)
    await trio.testing.wait_all_tasks_blocked()


def test_a_silent_broker_is_fenced_and_those_that_are_heard_are_not(wide: Lab) -> None:
    async def play() -> None:
        async with running(wide) as clock:
            await wide.controller.brokers.heartbeat(heartbeat(wide, 2))
            await wide.controller.brokers.heartbeat(heartbeat(wide, 3))
            await pass_time(clock, TIMEOUT_MS - 1_000)
            await wide.controller.brokers.heartbeat(heartbeat(wide, 3))
            await pass_time(clock, 1_000)
            assert not wide.image.brokers[2].fenced
            await pass_time(clock, 1)
            assert [wide.image.brokers[each].fenced for each in (2, 3)] == [True, False]
            assert leaders(wide.image, "wide") == {3}
            await pass_time(clock, TIMEOUT_MS - 1_000)
            assert wide.image.brokers[3].fenced
            back = await wide.controller.brokers.heartbeat(heartbeat(wide, 3))
            assert not back.is_fenced

    trio.run(play)


def test_preferred_replicas_lead_again_at_the_next_check(wide: Lab) -> None:
    beat(wide, 2, want_fence=True)
    beat(wide, 2)
    alter_by(wide, 3)
    assert leaders(wide.image, "wide") == {3}

    async def play() -> None:
        async with running(wide) as clock:
            for _ in range(100):
                for broker_id in (1, 2, 3):
                    await wide.controller.brokers.heartbeat(heartbeat(wide, broker_id))
                await pass_time(clock, 3_000)
            assert leaders(wide.image, "wide") == {2}

    trio.run(play)


def alter_by(node: Lab, leader: int) -> None:
    """Both replicas are in sync, as the leader says."""
    image = node.image
    request = AlterPartitionRequest(
        broker_id=leader,
        broker_epoch=image.brokers[leader].epoch,
        topics=[
            AlterPartitionRequestTopicData(
                topic_id=image.topics["wide"].topic_id,
                partitions=[
                    AlterPartitionRequestPartitionData(
                        partition_index=index,
                        leader_epoch=p.leader_epoch,
                        partition_epoch=p.partition_epoch,
                        new_isr_with_epochs=[BrokerState(broker_id=each) for each in (2, 3)],
                    )
                    for index, p in enumerate(partitions(node, "wide"))
                ],
            )
        ],
    )
    response = node.run(node.controller.alter_partition(request, 3, (1, next(correlation_ids))))
    assert {result.error_code for asked in response.topics for result in asked.partitions} == {ErrorCode.NONE}


def test_a_controller_that_is_not_active_does_nothing(wide: Lab) -> None:
    brokers: BrokerControl = wide.controller.brokers
    request = heartbeat(wide, 2)
    wide.controller.close()

    async def play() -> None:
        async with running(wide) as clock:
            await pass_time(clock, TIMEOUT_MS * 2)
            with pytest.raises(KafkaError) as refusal:
                await brokers.heartbeat(request)
            assert refusal.value.code is ErrorCode.NOT_CONTROLLER

    trio.run(play)
    assert not wide.image.brokers[2].fenced
