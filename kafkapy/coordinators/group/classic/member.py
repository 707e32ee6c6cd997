"""One member of a classic group."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.pending import Pending
    from kafkapy_wire.messages.join_group import JoinGroupRequestProtocol, JoinGroupResponse
    from kafkapy_wire.messages.sync_group import SyncGroupResponse
    from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue, MemberMetadata

Protocols = tuple[tuple[str, bytes], ...]
"""(name, metadata) of each protocol a member supports, the one it likes best first."""


def protocols_of(protocols: Sequence[JoinGroupRequestProtocol]) -> Protocols:
    """The protocols without duplicates: a member has one vote. (Apache Kafka never completes such a join.)"""
    by_name: dict[str, bytes] = {}
    for protocol in protocols:
        by_name.setdefault(protocol.name, protocol.metadata)
    return tuple(by_name.items())


class ClassicMember:
    """One member. `join` and `sync` are its parked requests."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "group_instance_id",
        "is_new",
        "join",
        "member_id",
        "protocol_type",
        "protocols",
        "rebalance_timeout_ms",
        "session",
        "session_timeout_ms",
        "sync",
    )

    def __init__(
        self,
        *,
        member_id: str,
        group_instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocol_type: str,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocol_type = protocol_type
        self.protocols = protocols
        self.assignment = assignment
        self.is_new = False
        """Its first JoinGroup is still parked: the client does not know its member id and cannot send heartbeats."""
        self.join: Pending[JoinGroupResponse] | None = None
        self.sync: Pending[SyncGroupResponse] | None = None
        self.session: Deadline | None = None

    def __repr__(self) -> str:
        return f"<ClassicMember {self.member_id} instance={self.group_instance_id}>"

    def renamed(
        self, member_id: str, *, protocols: Protocols, rebalance_timeout_ms: int, session_timeout_ms: int
    ) -> ClassicMember:
        """A copy under a new id, with what the static member has changed; its assignment stays (KIP-345)."""
        return ClassicMember(
            member_id=member_id,
            group_instance_id=self.group_instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout_ms=rebalance_timeout_ms,
            session_timeout_ms=session_timeout_ms,
            protocol_type=self.protocol_type,
            protocols=protocols,
            assignment=self.assignment,
        )

    @property
    def is_static(self) -> bool:
        return self.group_instance_id is not None

    def metadata(self, protocol_name: str | None) -> bytes:
        """What the member sent for that protocol; empty when it does not support it."""
        return next((metadata for name, metadata in self.protocols if name == protocol_name), b"")

    def subscribed_topics(self, protocol_name: str) -> list[str]:
        """The topics in a consumer's metadata, whatever its version: version 0 begins all of them.

        Raises MalformedMessage.
        """
        from kafkapy_wire.codec import decode_from
        from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

        message, _ = decode_from(ConsumerProtocolSubscription, memoryview(self.metadata(protocol_name)), 2, 0)
        return message.topics

    def supports(self, protocol_name: str) -> bool:
        return any(name == protocol_name for name, _ in self.protocols)

    def vote(self, candidates: Container[str]) -> str:
        """The first candidate in the member's order of preference. Every member supports at least one."""
        return next(name for name, _ in self.protocols if name in candidates)

    def keep_session(self) -> None:
        """The member has shown that it is alive."""
        if self.session is not None:
            self.session.set(self.session_timeout_ms)

    @property
    def keeps_session_by_waiting(self) -> bool:
        """A parked request keeps the session, except the first JoinGroup: its client may be gone without a FIN."""
        return not self.is_new and (self.join is not None or self.sync is not None)


def member_from_record(record: MemberMetadata, value: GroupMetadataValue) -> ClassicMember:
    """A member as it was stored, which has only the protocol that the group selected."""
    return ClassicMember(
        member_id=record.member_id,
        group_instance_id=record.group_instance_id,
        client_id=record.client_id,
        client_host=record.client_host,
        # Records before Kafka 0.10.1 have no rebalance timeout.
        rebalance_timeout_ms=record.rebalance_timeout if record.rebalance_timeout != -1 else record.session_timeout,
        session_timeout_ms=record.session_timeout,
        protocol_type=value.protocol_type,
        protocols=((value.protocol or "", record.subscription),),
        assignment=record.assignment,
    )
