"""AlterPartition and AssignReplicasToDirs: a broker may name every partition of which it has a replica.

So they are decided in pieces, as what administrators ask for (`many_partitions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy.metadata.in_batches import decide_in_turns
from kafkapy.metadata.many_partitions import Decider, pieces
from kafkapy.turns import Turn, each_in_turns
from kafkapy_controller.directory_assignments import decide_assign_replicas
from kafkapy_controller.isr_changes import decide_alter_partition
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
)
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
    AssignReplicasToDirsResponse,
    AssignReplicasToDirsResponseDirectoryData,
    AssignReplicasToDirsResponsePartitionData,
    AssignReplicasToDirsResponseTopicData,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.metadata.broker_control import BrokerControl
    from kafkapy.metadata.isr_senders import Order
    from kafkapy.pending import Pending
    from kafkapy_wire.uuid import Uuid


class IsrDecider(Decider, Protocol):
    """The part of the controller that is needed here."""

    @property
    def brokers(self) -> BrokerControl: ...


async def alter_partition(
    controller: IsrDecider, request: AlterPartitionRequest, version: int, order: Order
) -> AlterPartitionResponse:
    """`version` is the request's, `order` tells it from earlier and later ones of the same broker.

    Raises KafkaError STALE_BROKER_EPOCH; CloseConnection: see `isr_senders`.
    """
    sender = controller.image.brokers.get(request.broker_id)
    if sender is not None and sender.epoch == request.broker_epoch:
        controller.brokers.isr_senders.check(request.broker_id, request.broker_epoch, order)
    wanted = request.topics
    if not wanted:
        return AlterPartitionResponse()

    async def decide(
        piece: list[tuple[int, Sequence[AlterPartitionRequestPartitionData]]],
    ) -> Pending[AlterPartitionResponse]:
        part = AlterPartitionRequest(
            broker_id=request.broker_id,
            broker_epoch=request.broker_epoch,
            topics=[
                AlterPartitionRequestTopicData(topic_id=wanted[place].topic_id, partitions=list(some))
                for place, some in piece
            ],
        )
        return controller.commit(decide_alter_partition(controller.image, controller.topic_rules, part, version))

    turn = Turn()
    results = await each_in_turns(lambda each: AlterPartitionResponseTopicData(topic_id=each.topic_id), wanted)
    for piece, answer in await decide_in_turns(pieces(each.partitions for each in wanted), decide):
        for position, (place, some) in enumerate(piece):
            if isinstance(answer, KafkaError):
                results[place].partitions += [
                    AlterPartitionResponsePartitionData(partition_index=each.partition_index, error_code=answer.code)
                    for each in some
                ]
            else:
                results[place].partitions += answer.topics[position].partitions
        await turn.share()
    return AlterPartitionResponse(topics=results)


async def assign_replicas_to_dirs(
    controller: Decider, request: AssignReplicasToDirsRequest
) -> AssignReplicasToDirsResponse:
    """Raises KafkaError: UNSUPPORTED_VERSION, STALE_BROKER_EPOCH."""
    wanted: list[tuple[Uuid, AssignReplicasToDirsRequestTopicData]] = []
    turn = Turn()
    for directory in request.directories:
        for topic in directory.topics:
            wanted.append((directory.id, topic))
            if turn.is_over:
                await turn.share()
    if not wanted:
        decision = decide_assign_replicas(controller.image, controller.topic_rules, request)
        return await controller.commit(decision).wait()

    async def decide(
        piece: list[tuple[int, Sequence[AssignReplicasToDirsRequestPartitionData]]],
    ) -> Pending[AssignReplicasToDirsResponse]:
        part = AssignReplicasToDirsRequest(
            broker_id=request.broker_id,
            broker_epoch=request.broker_epoch,
            directories=[
                AssignReplicasToDirsRequestDirectoryData(
                    id=wanted[place][0],
                    topics=[
                        AssignReplicasToDirsRequestTopicData(topic_id=wanted[place][1].topic_id, partitions=list(some))
                    ],
                )
                for place, some in piece
            ],
        )
        return controller.commit(decide_assign_replicas(controller.image, controller.topic_rules, part))

    results = await each_in_turns(lambda each: AssignReplicasToDirsResponseTopicData(topic_id=each[1].topic_id), wanted)
    for piece, answer in await decide_in_turns(pieces(topic.partitions for _, topic in wanted), decide):
        for position, (place, some) in enumerate(piece):
            if isinstance(answer, KafkaError):
                results[place].partitions += [
                    AssignReplicasToDirsResponsePartitionData(
                        partition_index=each.partition_index, error_code=answer.code
                    )
                    for each in some
                ]
            else:
                results[place].partitions += answer.directories[position].topics[0].partitions
        await turn.share()
    response, start = AssignReplicasToDirsResponse(), 0
    for directory in request.directories:
        end = start + len(directory.topics)
        named = AssignReplicasToDirsResponseDirectoryData(id=directory.id, topics=results[start:end])
        response.directories.append(named)
        start = end
        await turn.share()
    return response
