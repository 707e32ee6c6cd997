"""A follower: fetches the leader's log, truncates records that the leader does not have, and commits."""

from __future__ import annotations

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.core import QuorumCore, SnapshotPart
from kafkapy_controller.raft.messages import (
    AddVoter,
    Fetch,
    FetchResult,
    FetchSnapshot,
    FetchSnapshotResult,
    RemoveVoter,
    UpdateVoter,
    VoterChangeResult,
)
from kafkapy_controller.raft.roles import Follower, SnapshotDownload, Unattached
from kafkapy_controller.raft.voting import learn
from kafkapy_controller.voters import MembershipHistory, QuorumMembership, ReplicaKey, Voter
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import crc_matches, decode_records, split_batches


class QuorumBroken(Exception):
    """The leader contradicts committed records: this node must stop."""


def tick(core: QuorumCore) -> None:
    """Do what is due in the role of follower."""
    role = core.role
    if not isinstance(role, Follower):
        return
    if core.now_ms >= role.fetch_deadline_ms:
        if core.may_stand:
            core.become_prospective()
        else:
            core.become_unattached(core.epoch)
        return
    if core.now_ms >= role.voter_change_at_ms:
        change = voter_change(core)
        if change is not None:
            role.voter_change_at_ms = core.now_ms + core.timeouts.fetch_ms
            core.send(role.leader_id, change)
    if core.may_fetch(role) and core.now_ms >= role.fetch_at_ms:
        role.fetching = True
        core.send(role.leader_id, _next_request(core, role))


def voter_change(core: QuorumCore) -> AddVoter | RemoveVoter | UpdateVoter | None:
    """What this node asks its leader for: a voter says where it is now; a controller with `auto_join` wants to vote.

    At kraft.version 0 a voter says it once to each leader, so that an upgrade can put it into the log.
    One that has voted with another disk has its former self removed first (KIP-853, KIP-1186).
    """
    if not core.may_vote or not core.endpoints:
        return None
    own = Voter(core.me.node_id, core.me.directory_id, core.endpoints)
    if core.membership.kraft_version < 1:
        is_known = not core.membership.votes(core.me) or (isinstance(core.role, Follower) and core.role.has_said)
        return None if is_known else UpdateVoter(core.epoch, own)
    known = core.membership.voter(core.me.node_id)
    if core.membership.votes(core.me):
        return None if known == own else UpdateVoter(core.epoch, own)
    if not core.auto_join:
        return None
    if known is not None:
        return RemoveVoter(ReplicaKey(known.node_id, known.directory_id))
    return AddVoter(own, ack_when_committed=False)


def _next_request(core: QuorumCore, role: Follower) -> Fetch | FetchSnapshot:
    if role.download is not None:
        return FetchSnapshot(core.me, core.epoch, role.download.snapshot, role.download.position)
    return Fetch(
        core.me,
        core.epoch,
        core.log_end_offset,
        core.epochs.last_epoch,
        core.high_watermark,
        core.timeouts.fetch_max_wait_ms,
    )


def fetched(core: QuorumCore, from_id: int, request: Fetch, result: FetchResult) -> None:
    """Raises QuorumBroken: the leader contradicts committed records."""
    if not learn(core, result.leader_id, result.epoch, result.endpoints):
        return
    role = _awaiting(core, from_id, request)
    if role is None:
        return
    if result.error is not ErrorCode.NONE or result.epoch != core.epoch:
        role.fetch_at_ms = core.now_ms + core.timeouts.backoff_ms
        return
    _heard_of_leader(core, role)
    role.leader_high_watermark = max(role.leader_high_watermark, result.high_watermark)
    if result.diverging is not None:
        _truncate(core, role, request, result)
    elif result.snapshot is not None:
        _begin_download(core, role, result.snapshot)
    elif result.records:
        _append(core, role, result.records)
    else:
        commit(core, role)


def voter_updated(core: QuorumCore, from_id: int, request: UpdateVoter, result: VoterChangeResult) -> None:
    """A leader that cannot take it at kraft.version 0 (before Apache Kafka 4.1) is not told again."""
    role = core.role
    if isinstance(role, Follower) and role.leader_id == from_id and request.epoch == core.epoch:
        role.has_said = role.has_said or result.error in (ErrorCode.NONE, ErrorCode.UNSUPPORTED_VERSION)


def failed(core: QuorumCore, from_id: int, request: Fetch | FetchSnapshot) -> None:
    """No answer, or no connection."""
    role = _awaiting(core, from_id, request)
    if role is not None:
        role.fetch_at_ms = core.now_ms + core.timeouts.backoff_ms


def _awaiting(core: QuorumCore, from_id: int, request: Fetch | FetchSnapshot) -> Follower | None:
    """The follower that waits for this answer; None if the answer is too late."""
    role = core.role
    if isinstance(role, Unattached):
        role.fetching = False
        role.look_at_ms = core.now_ms + core.timeouts.backoff_ms
        return None
    if not isinstance(role, Follower) or role.leader_id != from_id or request.epoch != core.epoch:
        return None
    if not role.fetching or request != _next_request(core, role):
        return None
    role.fetching = False
    role.fetch_at_ms = core.now_ms
    return role


def _heard_of_leader(core: QuorumCore, role: Follower) -> None:
    role.has_fetched = True
    role.fetch_deadline_ms = core.now_ms + core.timeouts.fetch_ms


def _truncate(core: QuorumCore, role: Follower, request: Fetch, result: FetchResult) -> None:
    assert result.diverging is not None
    mine = core.epochs.end_of(result.diverging.epoch)
    end_offset = mine.end_offset
    if mine.epoch == result.diverging.epoch:
        end_offset = min(end_offset, result.diverging.end_offset)
    if end_offset < core.high_watermark:
        raise QuorumBroken(
            f"leader {role.leader_id} of epoch {core.epoch} would have this node drop offsets from {end_offset} on, "
            f"but everything below {core.high_watermark} is committed"
        )
    if end_offset >= core.log_end_offset:
        raise QuorumBroken(f"leader {role.leader_id} says that {request} diverges at {result.diverging}: it does not")
    core.epochs.truncate(end_offset)
    core.members.truncate(end_offset)
    core.durable_offset = min(core.durable_offset, end_offset)
    core.out.truncate_to = end_offset


def _append(core: QuorumCore, role: Follower, records: bytes) -> None:
    """Append whole batches at the log's end, after all of them are checked. Damaged ones are fetched again, later."""
    end_offset, epoch, membership = core.log_end_offset, core.epochs.last_epoch, core.membership
    entries: list[tuple[int, int, int]] = []
    changes: list[tuple[int, QuorumMembership]] = []
    try:
        for header, batch in split_batches(records):
            if header.base_offset != end_offset or header.partition_leader_epoch < epoch or not crc_matches(batch):
                raise MalformedMessage(f"a damaged batch at offset {header.base_offset}; the log ends at {end_offset}")
            if header.is_control:
                for record in decode_records(batch):
                    changed = membership.replay(record)
                    if changed != membership:
                        membership = changed
                        changes.append((record.offset, membership))
            end_offset, epoch = header.last_offset + 1, header.partition_leader_epoch
            entries.append((epoch, header.base_offset, end_offset))
            if epoch > core.epoch:
                raise MalformedMessage(f"a batch of epoch {epoch}, which is newer than the leader's {core.epoch}")
    except MalformedMessage as error:
        core.out.rejected = f"the metadata records from node {role.leader_id} cannot be taken: {error}"
        role.fetch_at_ms = core.now_ms + core.timeouts.backoff_max_ms
        return
    for entry in entries:
        core.epochs.append(*entry)
    for offset, changed in changes:
        core.change_members(offset, changed)
    core.out.batch = records


def commit(core: QuorumCore, role: Follower) -> None:
    """Move the high watermark to the leader's, but not beyond the records on this node's disk."""
    high_watermark = min(role.leader_high_watermark, core.durable_offset)
    if high_watermark > core.high_watermark:
        core.commit(high_watermark)


def flushed(core: QuorumCore, role: Follower) -> None:
    if core.is_durable:
        role.fetch_at_ms = core.now_ms
    commit(core, role)


# Snapshots


def _begin_download(core: QuorumCore, role: Follower, snapshot: SnapshotId) -> None:
    if snapshot.end_offset <= core.high_watermark:
        raise QuorumBroken(
            f"leader {role.leader_id} would replace this node's log, committed up to {core.high_watermark}, by its "
            f"older snapshot {snapshot.file_name}"
        )
    role.download = SnapshotDownload(snapshot)


def fetched_snapshot(core: QuorumCore, from_id: int, request: FetchSnapshot, result: FetchSnapshotResult) -> None:
    if not learn(core, result.leader_id, result.epoch, result.endpoints):
        return
    role = _awaiting(core, from_id, request)
    if role is None or role.download is None:
        return
    download = role.download
    wrong = result.position != download.position or len(result.data) > result.size - result.position
    wrong = wrong or (download.position > 0 and result.size != download.size)
    if result.error is not ErrorCode.NONE or result.epoch != core.epoch or wrong or not result.data:
        role.download = None  # deleted, or another snapshot: the next Fetch names the newest one
        role.fetch_at_ms = core.now_ms + core.timeouts.backoff_ms
        return
    _heard_of_leader(core, role)
    part = SnapshotPart(download.snapshot, download.position, result.data, result.size)
    core.out.snapshot_part = part
    download.size = result.size
    download.position += len(result.data)
    role.installing = part.is_last


def not_stored(core: QuorumCore) -> None:
    """A request for the next part, if there was one in the same step, was not sent."""
    if isinstance(core.role, Follower):
        core.role.fetching = False
        core.role.download = None
        core.role.installing = False
        core.role.fetch_at_ms = core.now_ms + core.timeouts.backoff_max_ms


def installed(core: QuorumCore, snapshot: SnapshotId, membership: QuorumMembership) -> None:
    """The snapshot has replaced the whole log, which ended below it."""
    core.epochs.begin_after(snapshot.end_offset, snapshot.epoch)
    core.members = MembershipHistory(membership, snapshot.end_offset - 1)
    core.snapshot = snapshot
    core.log_start_offset = core.durable_offset = snapshot.end_offset
    core.log_start_epoch = snapshot.epoch
    core.commit(snapshot.end_offset)
    if isinstance(core.role, Follower):
        core.role.download = None
        core.role.installing = False
        core.role.fetch_at_ms = core.now_ms
