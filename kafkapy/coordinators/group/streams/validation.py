"""Who may commit and fetch the offsets of a streams group, and with which epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.group.group import Committer
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.topology.stored import StoredTopology

FIRST_COMMIT_VERSION_WITH_MEMBER_EPOCH = 9


class Members(Protocol):
    """The members of a group, and their topology."""

    topology: StoredTopology | None

    @property
    def members(self) -> Mapping[str, StreamsMember]: ...

    def member(self, member_id: str) -> StreamsMember:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""


def validate_commit(group: Members, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
    """A member may commit with an earlier epoch for tasks that it has had since that epoch (KIP-1251). An admin client
    (epoch -1) may commit while there are no members.

    Raises KafkaError: UNKNOWN_MEMBER_ID, UNSUPPORTED_VERSION, STALE_MEMBER_EPOCH.
    """
    epoch = committer.epoch
    if epoch < 0 and not group.members:
        return
    if committer.is_transactional and epoch == -1 and not committer.member_id and committer.group_instance_id is None:
        return  # an older producer sends no member id: the transaction has fenced others
    member = group.member(committer.member_id)
    if not committer.is_transactional and committer.api_version < FIRST_COMMIT_VERSION_WITH_MEMBER_EPOCH:
        message = "OffsetCommit version 9 or above must be used by members using the streams group protocol"
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, message)
    if epoch == member.epoch:
        return
    if epoch > member.epoch:
        raise _stale(f"Received member epoch {epoch} is newer than current member epoch {member.epoch}.")
    if group.topology is None:
        raise _stale("Topology is not available for offset commit validation.")
    for topic in topics:
        for partition in topic.partitions:
            _validate_partition(member, group.topology, epoch, topic.name, partition.partition_index)


def _validate_partition(
    member: StreamsMember, topology: StoredTopology, epoch: int, topic: str, partition: int
) -> None:
    subtopology = topology.source_topics.get(topic)
    if subtopology is None:
        raise _stale(f"Topic {topic} is not in the topology.")
    name = subtopology.subtopology_id
    since = member.assigned.active.get(name, {}).get(partition)
    if since is None:
        since = member.pending_revocation.active.get(name, {}).get(partition)
    if since is None:
        raise _stale(f"Task {name}-{partition} is not assigned or pending revocation for member.")
    if epoch < since:
        message = f"Received member epoch {epoch} is older than assignment epoch {since} for task {name}-{partition}."
        raise _stale(message)


def validate_epoch(member: StreamsMember, epoch: int) -> None:
    """Raises KafkaError(STALE_MEMBER_EPOCH)."""
    if epoch != member.epoch:
        raise _stale(f"The received member epoch {epoch} does not match the expected member epoch {member.epoch}.")


def _stale(message: str) -> KafkaError:
    return KafkaError(ErrorCode.STALE_MEMBER_EPOCH, message)
