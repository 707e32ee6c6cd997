"""A leader: answers fetches, learns from them what a majority has, and changes the voters (KIP-853)."""

from __future__ import annotations

from collections.abc import Callable

from kafkapy_controller.metadata_batches import SnapshotId, build_control_batch
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.raft.core import Answer, QuorumCore
from kafkapy_controller.raft.epoch_history import EpochEnd
from kafkapy_controller.raft.messages import (
    AddVoter,
    BeginQuorumEpoch,
    EndQuorumEpoch,
    EpochResult,
    Fetch,
    FetchResult,
    FetchSnapshot,
    FetchSnapshotResult,
    RemoveVoter,
    UpdateVoter,
    VoterChangeResult,
)
from kafkapy_controller.raft.roles import Leader, ParkedFetch, VoterChange
from kafkapy_controller.raft.voting import learn
from kafkapy_controller.voters import (
    LATEST_KRAFT_VERSION,
    QuorumMembership,
    ReplicaKey,
    Voter,
    membership_records,
    voters_record_of,
)
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID

ENDPOINTS_MAX = 100
"""Listeners of one voter. Its record must stay far below what a follower can fetch."""

# Fetches


def fetch(core: QuorumCore, reply_to: object, request: Fetch) -> None:
    is_invalid = min(request.fetch_offset, request.last_fetched_epoch, request.epoch, request.max_wait_ms) < 0
    error = ErrorCode.INVALID_REQUEST if is_invalid else core.refusal_for_epoch(request.epoch)
    if error is not ErrorCode.NONE:
        leader_id, epoch, endpoints = core.known_leader()
        core.answer(reply_to, FetchResult(error, leader_id, epoch, endpoints=endpoints))
        return
    assert isinstance(core.role, Leader)
    leader = core.role
    _note_fetch(core, leader, request.replica)
    where = _divergence_or_snapshot(core, request)
    if where is not None:
        core.answer(reply_to, _result(core, where))
        return
    if request.replica.node_id >= 0 and not _conceals_its_disk(core, request.replica):
        progress = leader.progress_of(request.replica)
        progress.fetched(request.fetch_offset, core.log_end_offset, core.now_ms)
        progress.high_watermark = max(progress.high_watermark, request.high_watermark)
        advance(core, leader)
    if not isinstance(core.role, Leader):  # it was removed, and that is committed now
        leader_id, epoch, endpoints = core.known_leader()
        core.answer(reply_to, FetchResult(ErrorCode.NOT_LEADER_OR_FOLLOWER, NOBODY, epoch, endpoints=endpoints))
        return
    parked = ParkedFetch(reply_to, request, core.now_ms + request.max_wait_ms)
    if request.max_wait_ms <= 0 or _can_answer_now(core, request):
        _answer_fetch(core, parked)
    else:
        _answer_parked(core, leader, lambda other: other.fetch.replica == request.replica)
        leader.parked.append(parked)


def _conceals_its_disk(core: QuorumCore, replica: ReplicaKey) -> bool:
    """Whether a replica has the id of a voter, and does not say whether it is the one: it must not count as that."""
    voter = core.membership.voter(replica.node_id)
    return voter is not None and replica.directory_id == ZERO_UUID != voter.directory_id


def _divergence_or_snapshot(core: QuorumCore, request: Fetch) -> EpochEnd | SnapshotId | None:
    """None if the replica's log is a prefix of this one; else where they diverge, or the snapshot to fetch."""
    offset, epoch = request.fetch_offset, request.last_fetched_epoch
    if offset == 0 and core.log_start_offset == 0:
        return None
    if core.log_start_offset > 0 and core.snapshot is not None:
        differs = offset == core.log_start_offset and epoch != core.log_start_epoch
        if offset < core.log_start_offset or differs or epoch < core.log_start_epoch:
            return core.snapshot
    end = core.epochs.end_of(epoch)
    if end.epoch != epoch or end.end_offset < offset:
        return end
    return None


def _result(core: QuorumCore, where: EpochEnd | SnapshotId | None) -> FetchResult:
    return FetchResult(
        ErrorCode.NONE,
        core.me.node_id,
        core.epoch,
        core.told_high_watermark(),
        diverging=where if isinstance(where, EpochEnd) else None,
        snapshot=where if isinstance(where, SnapshotId) else None,
        endpoints=core.endpoints,
    )


def _can_answer_now(core: QuorumCore, request: Fetch) -> bool:
    """Whether there are records, or a high watermark, that the replica does not have (KIP-1166)."""
    return request.fetch_offset < core.log_end_offset or 0 <= request.high_watermark < core.told_high_watermark()


def _answer_fetch(core: QuorumCore, parked: ParkedFetch) -> None:
    offset = parked.fetch.fetch_offset
    records_from = offset if offset < core.log_end_offset else None
    core.out.answers.append(Answer(parked.reply_to, _result(core, None), records_from))


def _answer_parked(core: QuorumCore, leader: Leader, which: Callable[[ParkedFetch], bool]) -> None:
    ready = [each for each in leader.parked if which(each)]
    leader.parked = [each for each in leader.parked if not which(each)]
    for each in ready:
        _answer_fetch(core, each)


def answer_waiting_fetches(core: QuorumCore, leader: Leader) -> None:
    """Answer waiting fetches whose records or high watermark are there now."""
    if leader.parked:
        _answer_parked(core, leader, lambda parked: _can_answer_now(core, parked.fetch))


def fetch_snapshot(core: QuorumCore, reply_to: object, request: FetchSnapshot) -> None:
    error = core.refusal_for_epoch(request.epoch)
    leader_id, epoch, endpoints = core.known_leader()
    result = FetchSnapshotResult(error, leader_id, epoch, endpoints=endpoints)
    if error is not ErrorCode.NONE:
        core.answer(reply_to, result)
        return
    assert isinstance(core.role, Leader)
    _note_fetch(core, core.role, request.replica)
    core.out.answers.append(Answer(reply_to, result, part_of=request))


# What a majority has


def _note_fetch(core: QuorumCore, leader: Leader, replica: ReplicaKey) -> None:
    """Note a fetch: a leader leads on as long as a majority fetches from it."""
    if replica.node_id == core.me.node_id or not core.membership.votes(replica):
        return
    leader.fetched_voters.add(replica.node_id)
    others_needed = len(core.membership.voters) // 2 + (0 if core.membership.votes(core.me) else 1)
    if len(leader.fetched_voters & set(core.membership.voter_ids)) >= others_needed:
        leader.fetched_voters.clear()
        leader.quorum_deadline_ms = core.now_ms + core.timeouts.quorum_ms


def advance(core: QuorumCore, leader: Leader) -> None:
    """Commit what a majority has, and answer whoever waits for that."""
    if core.commit_majority(leader):
        committed(core, leader)


def committed(core: QuorumCore, leader: Leader) -> None:
    """The high watermark has moved."""
    answer_waiting_fetches(core, leader)
    change = leader.change
    if change is not None and change.end_offset <= core.high_watermark:
        leader.change = None
        if change.reply_to is not None:
            core.answer(change.reply_to, _changed(core, ErrorCode.NONE))
    removed = core.members.latest_offset >= 0 and not core.membership.votes(core.me)
    if leader.change is None and removed and core.high_watermark > core.members.latest_offset:
        core.become_resigned()


def tick(core: QuorumCore) -> None:
    """Do what is due in the role of leader."""
    leader, now_ms = core.role, core.now_ms
    if not isinstance(leader, Leader):
        return
    _answer_parked(core, leader, lambda parked: now_ms >= parked.deadline_ms)
    if leader.change is not None and leader.change.reply_to is not None and now_ms >= leader.change.deadline_ms:
        refusal = _changed(core, ErrorCode.REQUEST_TIMED_OUT, "the change is not committed yet")
        core.answer(leader.change.reply_to, refusal)
        leader.change.reply_to = None
    if core.other_voters and now_ms >= leader.quorum_deadline_ms:
        core.become_resigned()
    elif now_ms >= leader.begin_at_ms:
        _begin_epoch(core, leader)


def _begin_epoch(core: QuorumCore, leader: Leader) -> None:
    """Send BeginQuorumEpoch to voters that do not fetch: they may not know the leader."""
    leader.begin_at_ms = core.now_ms + core.timeouts.fetch_ms // 2
    for voter in core.other_voters:
        progress = leader.progress_of(ReplicaKey(voter.node_id, voter.directory_id))
        silent = progress.last_fetch_ms < 0 or core.now_ms - progress.last_fetch_ms >= core.timeouts.fetch_ms // 2
        if silent and voter.node_id not in leader.beginning:
            leader.beginning.add(voter.node_id)
            core.send(voter.node_id, core.begin_epoch_at(voter))


def epoch_answered(
    core: QuorumCore, from_id: int, request: BeginQuorumEpoch | EndQuorumEpoch, result: EpochResult | None
) -> None:
    """`result` None: the request was not answered."""
    if result is not None and not learn(core, result.leader_id, result.epoch, result.endpoints):
        return
    if isinstance(core.role, Leader) and request.epoch == core.epoch:
        core.role.beginning.discard(from_id)


# Who votes


def add_voter(core: QuorumCore, reply_to: object, request: AddVoter) -> None:
    voter = request.voter
    refusal = _refusal_of_asker(core) or _refusal_of_voter(core, voter) or _refusal_of_change(core)
    if refusal is None and core.membership.voter(voter.node_id) is not None:
        refusal = ErrorCode.DUPLICATE_VOTER, f"node {voter.node_id} votes already: remove it first"
    key = ReplicaKey(voter.node_id, voter.directory_id)
    if refusal is None:
        assert isinstance(core.role, Leader)
        if not core.role.is_caught_up(key, core.now_ms):
            refusal = ErrorCode.REQUEST_TIMED_OUT, f"node {voter.node_id} has not caught up with the leader's log"
    if refusal is not None:
        core.answer(reply_to, _changed(core, *refusal))
        return
    _append_members(core, (*core.membership.voters, voter), reply_to, request.timeout_ms)
    if not request.ack_when_committed:
        _answer_change_now(core, reply_to)


def remove_voter(core: QuorumCore, reply_to: object, request: RemoveVoter) -> None:
    refusal = _refusal_of_asker(core)
    if refusal is None and (request.voter.node_id < 0 or request.voter.directory_id == ZERO_UUID):
        refusal = ErrorCode.INVALID_REQUEST, "a voter has an id and a directory id"
    refusal = refusal or _refusal_of_change(core)
    voter = core.membership.voter(request.voter.node_id)
    if refusal is None and (voter is None or voter.directory_id != request.voter.directory_id):
        refusal = ErrorCode.VOTER_NOT_FOUND, f"node {request.voter.node_id} with that directory does not vote"
    if refusal is None and len(core.membership.voters) == 1:
        refusal = ErrorCode.INVALID_REQUEST, "the last voter cannot be removed"
    if refusal is not None:
        core.answer(reply_to, _changed(core, *refusal))
        return
    rest = tuple(each for each in core.membership.voters if each.node_id != request.voter.node_id)
    _append_members(core, rest, reply_to, request.timeout_ms)


def update_voter(core: QuorumCore, reply_to: object, request: UpdateVoter) -> None:
    """A voter of kraft.version 0 says it once to each leader, which remembers it for an upgrade."""
    error = core.refusal_for_epoch(request.epoch)
    key, kraft_version = ReplicaKey(request.voter.node_id, request.voter.directory_id), core.membership.kraft_version
    low, high = request.kraft_versions
    refusal: Refusal | None = (error, "ask the leader of this epoch") if error is not ErrorCode.NONE else None
    refusal = refusal or _refusal_of_voter(core, request.voter)
    if refusal is None and not 0 <= low <= high:
        refusal = ErrorCode.INVALID_REQUEST, f"{low} to {high} are no levels of kraft.version"
    refusal = refusal or _refusal_for_now(core)
    if refusal is None and not low <= kraft_version <= high:
        refusal = ErrorCode.INVALID_REQUEST, f"the voters must support kraft.version {kraft_version}"
    if refusal is None and not core.membership.votes(key):
        refusal = ErrorCode.VOTER_NOT_FOUND, f"node {key.node_id} with that directory does not vote"
    if refusal is not None:
        core.answer(reply_to, _changed(core, *refusal))
        return
    assert isinstance(core.role, Leader)
    if kraft_version < 1:
        core.role.said[key.node_id] = request
        _note_fetch(core, core.role, key)
        core.answer(reply_to, _changed(core, ErrorCode.NONE))
        return
    others = tuple(each for each in core.membership.voters if each.node_id != key.node_id)
    _append_members(core, (*others, request.voter), reply_to, core.timeouts.quorum_ms)
    _answer_change_now(core, reply_to)


def upgrade_refusal(core: QuorumCore) -> str | None:
    """Why the quorum cannot go from kraft.version 0 to 1; None: it can (KIP-853)."""
    assert isinstance(core.role, Leader), core.role
    said = core.role.said
    if all(voter.node_id in said and said[voter.node_id].kraft_versions[1] >= 1 for voter in core.other_voters):
        return None
    return "Invalid upgrade of kraft.version to KRAFT_VERSION_1 because not all of the voters support it"


def upgrade(core: QuorumCore) -> None:
    """From now on the log says who votes: with the directories and addresses that the voters themselves have said."""
    assert isinstance(core.role, Leader), core.role
    assert upgrade_refusal(core) is None
    me = Voter(core.me.node_id, core.me.directory_id, core.endpoints)
    voters = (me, *(core.role.said[voter.node_id].voter for voter in core.other_voters))
    membership = QuorumMembership(LATEST_KRAFT_VERSION, ()).with_voters(voters)
    core.role.note_directories(voters)
    records = membership_records(membership, core.now_ms)
    core.change_members(core.log_end_offset + len(records) - 1, membership)
    core.append(build_control_batch(records, base_offset=core.log_end_offset, epoch=core.epoch), len(records))
    core.role.change = VoterChange(core.log_end_offset, None, core.now_ms)


Refusal = tuple[ErrorCode, str]


def _refusal_of_asker(core: QuorumCore) -> Refusal | None:
    if isinstance(core.role, Leader):
        return None
    return ErrorCode.NOT_LEADER_OR_FOLLOWER, "this node does not lead the quorum"


def _refusal_of_voter(core: QuorumCore, voter: Voter) -> Refusal | None:
    """What is said of a voter must be whole: other voters are to find it."""
    if voter.node_id < 0 or voter.directory_id == ZERO_UUID:
        return ErrorCode.INVALID_REQUEST, "a voter has an id and a directory id"
    if len(voter.endpoints) > ENDPOINTS_MAX:
        return ErrorCode.INVALID_REQUEST, f"a voter has at most {ENDPOINTS_MAX} listeners"
    listener = core.endpoints[0].name if core.endpoints else None
    if listener is not None and listener not in [endpoint.name for endpoint in voter.endpoints]:
        return ErrorCode.INVALID_REQUEST, f"a voter must say where it has the listener {listener} of controllers"
    return None


def _refusal_for_now(core: QuorumCore) -> Refusal | None:
    """What passes."""
    assert isinstance(core.role, Leader)
    if core.role.change is not None:
        return ErrorCode.REQUEST_TIMED_OUT, "another change of the voters is not committed yet"
    if core.high_watermark <= core.role.epoch_start_offset:
        return ErrorCode.REQUEST_TIMED_OUT, "the leader has committed nothing in its epoch yet"
    return None


def _refusal_of_change(core: QuorumCore) -> Refusal | None:
    refusal = _refusal_for_now(core)
    if refusal is None and core.membership.kraft_version < 1:
        refusal = ErrorCode.UNSUPPORTED_VERSION, "the voters of kraft.version 0 stand in controller.quorum.voters"
    return refusal


def _append_members(core: QuorumCore, voters: tuple[Voter, ...], reply_to: object, timeout_ms: int) -> None:
    """Use the new voters from now on: only one changes at a time, so old and new majorities overlap."""
    assert isinstance(core.role, Leader)
    membership: QuorumMembership = core.membership.with_voters(voters)
    batch = build_control_batch(
        [voters_record_of(membership, core.now_ms)], base_offset=core.log_end_offset, epoch=core.epoch
    )
    core.change_members(core.log_end_offset, membership)
    core.append(batch, 1)
    # Others vote now, who had no reason to fetch in time before.
    core.role.quorum_deadline_ms = core.now_ms + core.timeouts.quorum_ms
    core.role.change = VoterChange(core.log_end_offset, reply_to, core.now_ms + timeout_ms)


def change_not_appended(core: QuorumCore, leader: Leader, end_offset: int) -> None:
    """The log still ends at `end_offset`: a change of the voters beyond it is none."""
    change = leader.change
    if change is None or change.end_offset <= end_offset:
        return
    leader.change = None
    if change.reply_to is not None:
        core.answer(change.reply_to, _changed(core, ErrorCode.KAFKA_STORAGE_ERROR, "the metadata log is full"))


def _answer_change_now(core: QuorumCore, reply_to: object) -> None:
    assert isinstance(core.role, Leader)
    assert core.role.change is not None
    core.role.change.reply_to = None
    core.answer(reply_to, _changed(core, ErrorCode.NONE))


def _changed(core: QuorumCore, error: ErrorCode, message: str | None = None) -> VoterChangeResult:
    leader_id, epoch, endpoints = core.known_leader()
    return VoterChangeResult(error, message, leader_id, epoch, endpoints)
