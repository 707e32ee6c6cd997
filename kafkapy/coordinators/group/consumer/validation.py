"""Who may commit and fetch the offsets of a consumer group, and with which epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy.coordinators.group.group import Committer
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy_wire.uuid import Uuid

FIRST_COMMIT_VERSION_WITH_MEMBER_EPOCH = 9


class Members(Protocol):
    """The members of a group."""

    @property
    def members(self) -> Mapping[str, ConsumerMember]: ...

    def member(self, member_id: str) -> ConsumerMember:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""


def validate_commit(group: Members, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
    """A member may commit with an earlier epoch what it has owned since that epoch: its next heartbeat may be on the
    way (KIP-1251). An admin client (epoch -1) may commit while there are no members.

    Raises KafkaError: UNKNOWN_MEMBER_ID, UNSUPPORTED_VERSION, STALE_MEMBER_EPOCH; ILLEGAL_GENERATION, a classic member
    has another generation.
    """
    epoch = committer.epoch
    if epoch < 0 and not group.members:
        return
    if committer.is_transactional and epoch == -1 and not committer.member_id and committer.group_instance_id is None:
        return  # an older producer sends no member id: the transaction has fenced others
    member = group.member(committer.member_id)
    is_old = committer.api_version < FIRST_COMMIT_VERSION_WITH_MEMBER_EPOCH
    if is_old and not committer.is_transactional and not member.uses_classic_protocol:
        message = "OffsetCommit version 9 or above must be used by members using the consumer group protocol"
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, message)
    if epoch == member.epoch:
        return
    if epoch > member.epoch:
        raise _wrong_epoch(member, f"{_name(member)} {epoch} is newer than current member epoch {member.epoch}.")
    for topic in topics:
        for partition in topic.partitions:
            _validate_partition(member, epoch, topic.name, topic.topic_id, partition.partition_index)


def _validate_partition(member: ConsumerMember, epoch: int, topic: str, topic_id: Uuid, partition: int) -> None:
    since = member.assigned.get(topic_id, {}).get(partition)
    if since is None:
        since = member.pending_revocation.get(topic_id, {}).get(partition)
    if since is None:
        raise _wrong_epoch(member, f"Partition {topic}-{partition} is not assigned or pending revocation for member.")
    if epoch < since:
        message = f"{_name(member)} {epoch} is older than assignment epoch {since} for partition {topic}-{partition}."
        raise _wrong_epoch(member, message)


def validate_epoch(member: ConsumerMember, epoch: int) -> None:
    """Raises KafkaError: STALE_MEMBER_EPOCH, ILLEGAL_GENERATION (a classic member)."""
    if epoch != member.epoch:
        what = "generation id" if member.uses_classic_protocol else "member epoch"
        message = f"The received {what} {epoch} does not match the expected member epoch {member.epoch}."
        raise _wrong_epoch(member, message)


def _name(member: ConsumerMember) -> str:
    return "Received generation id" if member.uses_classic_protocol else "Received member epoch"


def _wrong_epoch(member: ConsumerMember, message: str) -> KafkaError:
    code = ErrorCode.ILLEGAL_GENERATION if member.uses_classic_protocol else ErrorCode.STALE_MEMBER_EPOCH
    return KafkaError(code, message)
