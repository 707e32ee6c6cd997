"""What the leader of one partition knows of its followers, and the ISR that comes of it.

The ISR changes in two steps (KIP-497): the leader proposes another to the controller, and takes it over when the
controller answers. While a proposal is on its way, no other is made, and the high watermark waits for the larger of the
two ISRs: the controller may have elected a leader from either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkapy.partitions.live_brokers import UNKNOWN_BROKER_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.partitions.live_brokers import LiveBrokers
    from kafkapy_controller.image import PartitionImage
    from kafkapy_wire.uuid import Uuid

UNKNOWN_OFFSET = -1
NEVER_MS = -(1 << 62)


class FollowerState:
    """The offsets of a follower, as the leader knows them."""

    __slots__ = (
        "broker_epoch",
        "caught_up_ms",
        "end_offset",
        "fetched_ms",
        "leader_end_offset",
        "log_start_offset",
    )

    def __init__(self) -> None:
        self.end_offset = UNKNOWN_OFFSET
        """Its log ends there; unknown before its first fetch from this leader."""
        self.log_start_offset = UNKNOWN_OFFSET
        self.caught_up_ms = NEVER_MS
        """When it last had all that the leader had."""
        self.fetched_ms = NEVER_MS
        self.leader_end_offset = UNKNOWN_OFFSET
        """Where the leader's log ended at its last fetch."""
        self.broker_epoch: int | None = None
        """Of its last fetch; -1 if the fetch has named none, None before the first."""

    def is_caught_up(self, end_offset: int, now_ms: int, lag_time_max_ms: int) -> bool:
        """Whether it has, or had within `lag_time_max_ms`, all records of the leader's log."""
        return self.end_offset == end_offset or now_ms - self.caught_up_ms <= lag_time_max_ms


class IsrMember(NamedTuple):
    """A replica of a proposed ISR. `broker_epoch` is that of its last fetch, -1 when unknown (KIP-903)."""

    broker_id: int
    broker_epoch: int


class IsrProposal(NamedTuple):
    """Another ISR, which the leader asks the controller for."""

    members: tuple[IsrMember, ...]
    leader_epoch: int
    partition_epoch: int

    @property
    def isr(self) -> tuple[int, ...]:
        return tuple([member.broker_id for member in self.members])


class Proposer(Protocol):
    """A partition that has proposed an ISR, and waits for an answer."""

    @property
    def topic_id(self) -> Uuid: ...

    @property
    def index(self) -> int: ...

    def isr_changed(
        self, proposal: IsrProposal, *, isr: tuple[int, ...], leader_epoch: int, partition_epoch: int, now_ms: int
    ) -> None: ...

    def isr_refused(self, proposal: IsrProposal, code: int) -> bool: ...


class IsrChanges(Protocol):
    """Asks the controller for other ISRs, and tells each `Proposer` what it answers."""

    def submit(self, partition: Proposer, proposal: IsrProposal) -> None: ...


class Followers:
    """The followers of one partition that this broker leads. Partitions with one replica have none of it."""

    __slots__ = ("_brokers", "_lag_time_max_ms", "_node_id", "_states", "isr", "proposal")

    def __init__(self, node_id: int, brokers: LiveBrokers, lag_time_max_ms: int) -> None:
        self._node_id = node_id
        self._brokers = brokers
        self._lag_time_max_ms = lag_time_max_ms
        self._states: dict[int, FollowerState] = {}
        self.isr: tuple[int, ...] = ()
        """The ISR that the controller has confirmed; this broker is in it."""
        self.proposal: IsrProposal | None = None
        """What was proposed and is not answered yet."""

    def __contains__(self, replica_id: int) -> bool:
        return replica_id in self._states

    # -- the role

    def lead(self, state: PartitionImage) -> None:
        """Take the replicas and the ISR of `state`. What was proposed for an earlier partition epoch is void."""
        known = self._states
        self._states = {
            replica: known.get(replica) or FollowerState() for replica in state.replicas if replica != self._node_id
        }
        self.isr = state.isr
        proposal = self.proposal
        if proposal is not None and state.partition_epoch > proposal.partition_epoch:
            self.proposal = None

    def begin_epoch(self, now_ms: int) -> None:
        """A leader epoch begins. Members of the ISR have replica.lag.time.max.ms to catch up.

        Nothing is known of followers any more, even if this broker led before: others may have led in epochs between,
        of which it has not heard, and the followers have truncated for them.
        """
        self._states = {replica: FollowerState() for replica in self._states}
        for replica in self.isr:
            if (follower := self._states.get(replica)) is not None:
                follower.caught_up_ms = now_ms

    # -- fetches

    def fetched(
        self,
        replica_id: int,
        fetch_offset: int,
        *,
        end_offset: int,
        log_start_offset: int,
        broker_epoch: int,
        now_ms: int,
    ) -> bool:
        """Note a fetch, of which `end_offset` is this log's end. Returns whether the follower's end has changed.

        Raises KeyError: it is no replica of this partition.
        """
        follower = self._states[replica_id]
        # Caught up: it has all that the leader had at the follower's previous fetch (Apache Kafka's ReplicaState).
        if fetch_offset >= end_offset:
            follower.caught_up_ms = max(follower.caught_up_ms, now_ms)
        elif 0 <= follower.leader_end_offset <= fetch_offset:
            follower.caught_up_ms = max(follower.caught_up_ms, follower.fetched_ms)
        changed = fetch_offset != follower.end_offset
        follower.end_offset = fetch_offset
        follower.log_start_offset = log_start_offset
        follower.fetched_ms = now_ms
        follower.leader_end_offset = max(end_offset, follower.leader_end_offset)
        follower.broker_epoch = broker_epoch
        return changed

    def note_caught_up(self, replica_id: int, fetched_ms: int) -> None:
        """A session of the follower, which had named this partition before, has last fetched at `fetched_ms`; nothing
        was appended since its fetch of this partition, but just now.
        """
        follower = self._states.get(replica_id)
        if follower is not None and 0 <= follower.leader_end_offset <= follower.end_offset:
            follower.caught_up_ms = max(follower.caught_up_ms, fetched_ms)

    def may_join(self, replica_id: int, from_offset: int) -> bool:
        """Whether a follower that is not in the ISR may join it: it has all records below `from_offset`, and the
        controller would accept it.
        """
        follower = self._states.get(replica_id)
        return (
            follower is not None
            and replica_id not in self.isr
            and follower.end_offset >= from_offset
            and self._brokers.may_join_isr(replica_id, follower.broker_epoch)
        )

    def out_of_sync(self, end_offset: int, now_ms: int) -> list[int]:
        """Members of the ISR that were not caught up for replica.lag.time.max.ms: the ISR is to shrink by them."""
        return [
            replica
            for replica in self.isr
            if replica != self._node_id
            and (
                (follower := self._states.get(replica)) is None
                or not follower.is_caught_up(end_offset, now_ms, self._lag_time_max_ms)
            )
        ]

    # -- what follows from it

    def committable(self, stored: int, end_offset: int, now_ms: int | None) -> int:
        """The end of what all of the ISR have, and those that join it or are about to; `stored` is this log's part."""
        maximal_isr = self.maximal_isr
        offset = stored
        for replica, follower in self._states.items():
            if follower.end_offset < offset and (
                replica in maximal_isr
                or (
                    # It would join soon: what is committed now it would not have, and then it could not join.
                    now_ms is not None
                    and follower.is_caught_up(end_offset, now_ms, self._lag_time_max_ms)
                    and self._brokers.may_join_isr(replica, follower.broker_epoch)
                )
            ):
                offset = follower.end_offset
        return offset

    def low_watermark(self, log_start_offset: int) -> int:
        """The lowest log start offset of all live replicas; `log_start_offset` is the leader's own. -1: a live follower
        has not fetched yet."""
        return min(
            [log_start_offset]
            + [
                follower.log_start_offset
                for replica, follower in self._states.items()
                if self._brokers.is_alive(replica)
            ]
        )

    @property
    def maximal_isr(self) -> tuple[int, ...]:
        """The larger of the confirmed and the proposed ISR: the controller may have confirmed it already."""
        proposal = self.proposal
        return proposal.isr if proposal is not None and len(proposal.members) > len(self.isr) else self.isr

    def having(self, fetch_offset: int) -> dict[int, FollowerState]:
        """The followers in the ISR that have the record at `fetch_offset`: consumers may be sent to them (KIP-392)."""
        return {
            replica: follower
            for replica, follower in self._states.items()
            if replica in self.isr and follower.log_start_offset <= fetch_offset <= follower.end_offset
        }

    def propose(self, isr: Iterable[int], *, leader_epoch: int, partition_epoch: int) -> IsrProposal:
        """Note that `isr` is proposed, and return the proposal. The epoch of this broker in it is -1."""
        assert self.proposal is None, f"{self.proposal} is not answered yet"
        members = tuple([IsrMember(replica, self._epoch_of(replica)) for replica in isr])
        self.proposal = IsrProposal(members, leader_epoch, partition_epoch)
        return self.proposal

    def _epoch_of(self, replica: int) -> int:
        follower = self._states.get(replica)
        # One that is in the ISR may not have fetched from this leader yet.
        return UNKNOWN_BROKER_EPOCH if follower is None or follower.broker_epoch is None else follower.broker_epoch
