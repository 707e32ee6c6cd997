"""ElectLeaders and AlterPartitionReassignments: a request may name every partition of a cluster.

So it is decided in pieces, each on the newest image, with turns of the event loop between them (as in `in_batches`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from kafkapy.metadata.deadlines import check_deadline
from kafkapy.metadata.in_batches import decide_in_turns
from kafkapy.turns import Turn, drained, each_in_turns
from kafkapy_controller.elections import decide_elect_leaders
from kafkapy_controller.reassignments import decide_alter_reassignments
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopic,
    ReassignableTopicResponse,
)
from kafkapy_wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
    TopicPartitions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkapy.pending import Pending
    from kafkapy_controller.decision import Decision
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.partition_changes import TopicRules

R = TypeVar("R")
P = TypeVar("P")

PARTITIONS_PER_PIECE: Final = 200
"""About a millisecond to decide on, and another to publish when all of them change."""


class Decider(Protocol):
    """The part of the controller that is needed here."""

    @property
    def image(self) -> MetadataImage:
        """The image of all appended records."""

    @property
    def topic_rules(self) -> TopicRules: ...

    def commit(self, decision: Decision[R]) -> Pending[R]: ...


async def elect_leaders(controller: Decider, request: ElectLeadersRequest) -> ElectLeadersResponse:
    """Raises KafkaError: REQUEST_TIMED_OUT; INVALID_REQUEST, there is no such type of election.

    Without a list every partition is asked for; the answer then has every topic, with those that need an election.
    """
    wanted = request.topic_partitions
    if wanted == []:
        return ElectLeadersResponse()
    check_deadline(request.timeout_ms)
    is_everything = wanted is None
    if wanted is None:
        wanted = await each_in_turns(
            lambda topic: TopicPartitions(topic=topic.name, partitions=list(range(len(topic.partitions)))),
            list(controller.image.topics.values()),
        )

    async def decide(piece: list[tuple[int, Sequence[int]]]) -> Pending[ElectLeadersResponse]:
        asked = [TopicPartitions(topic=wanted[place].topic, partitions=list(indexes)) for place, indexes in piece]
        part = ElectLeadersRequest(election_type=request.election_type, topic_partitions=asked)
        return controller.commit(decide_elect_leaders(controller.image, controller.topic_rules, part))

    turn = Turn()
    results = await each_in_turns(lambda each: ReplicaElectionResult(topic=each.topic), wanted)
    for piece, answer in drained(await decide_in_turns(pieces(each.partitions for each in wanted), decide)):
        for position, (place, indexes) in enumerate(piece):
            if isinstance(answer, KafkaError):
                found = [
                    PartitionResult(partition_id=index, error_code=answer.code, error_message=answer.message)
                    for index in indexes
                ]
            else:
                found = answer.replica_election_results[position].partition_result
            if is_everything:
                found = [result for result in found if result.error_code != ErrorCode.ELECTION_NOT_NEEDED]
            results[place].partition_result += found
        await turn.share()
    return ElectLeadersResponse(replica_election_results=results)


async def alter_partition_reassignments(
    controller: Decider, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    """Raises KafkaError REQUEST_TIMED_OUT."""
    wanted = request.topics
    if not wanted:
        return AlterPartitionReassignmentsResponse()  # with its empty message, as Apache Kafka's
    check_deadline(request.timeout_ms)

    async def decide(
        piece: list[tuple[int, Sequence[ReassignablePartition]]],
    ) -> Pending[AlterPartitionReassignmentsResponse]:
        asked = [ReassignableTopic(name=wanted[place].name, partitions=list(some)) for place, some in piece]
        part = AlterPartitionReassignmentsRequest(
            topics=asked, allow_replication_factor_change=request.allow_replication_factor_change
        )
        return controller.commit(decide_alter_reassignments(controller.image, controller.topic_rules, part))

    turn = Turn()
    responses = await each_in_turns(lambda each: ReassignableTopicResponse(name=each.name), wanted)
    for piece, answer in drained(await decide_in_turns(pieces(each.partitions for each in wanted), decide)):
        for position, (place, some) in enumerate(piece):
            if isinstance(answer, KafkaError):
                responses[place].partitions += [
                    ReassignablePartitionResponse(
                        partition_index=each.partition_index, error_code=answer.code, error_message=answer.message
                    )
                    for each in some
                ]
            else:
                responses[place].partitions += answer.responses[position].partitions
        await turn.share()
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_message=None,
        responses=responses,
    )


def pieces(entries: Iterable[Sequence[P]]) -> Iterator[list[tuple[int, Sequence[P]]]]:
    """The partitions of each entry of a request, some at a time, with the entry's place in the request.

    An entry without partitions is included, as it is answered too.
    """
    piece: list[tuple[int, Sequence[P]]] = []
    room = PARTITIONS_PER_PIECE
    for place, partitions in enumerate(entries):
        start = 0
        while True:
            some = partitions[start : start + room]
            piece.append((place, some))
            start += len(some)
            room -= max(len(some), 1)
            if not room:
                yield piece
                piece, room = [], PARTITIONS_PER_PIECE
            if start >= len(partitions):
                break
    if piece:
        yield piece
