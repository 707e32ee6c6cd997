"""A follower's quorum downloads a snapshot: what it believes of its leader, and what it does when the disk refuses."""

from __future__ import annotations

from random import Random

import pytest

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.quorum_state import QuorumState
from kafkapy_controller.raft.core import Effects, SnapshotPart
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.messages import (
    BeginQuorumEpoch,
    Fetch,
    FetchResult,
    FetchSnapshot,
    FetchSnapshotResult,
    Request,
)
from kafkapy_controller.raft.quorum import (
    Answered,
    Asked,
    Quorum,
    QuorumTimeouts,
    SnapshotInstalled,
    SnapshotNotStored,
    SnapshotStored,
    Start,
    Tick,
)
from kafkapy_controller.voters import MembershipHistory, QuorumMembership, ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.uuid import Uuid

LEADER, ME = 1, ReplicaKey(2, Uuid(b"2" * 16))
VOTERS = tuple(Voter(i, Uuid(b"%d" % i * 16), (VoterEndpoint("C", "localhost", 9090 + i),)) for i in (1, 2, 3))
MEMBERS = QuorumMembership(1, VOTERS)
SNAPSHOT = SnapshotId(50, 4)
DATA = bytes(range(90))


class Downloading:
    """A follower in epoch 5 that its leader has told to fetch SNAPSHOT."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.quorum = Quorum(
            ME,
            QuorumState(leader_id=LEADER, leader_epoch=5),
            MembershipHistory(MEMBERS),
            EpochHistory(),
            timeouts=QuorumTimeouts(),
            random=Random(1),
        )
        self.quorum.step(Start(), 0)
        leads = BeginQuorumEpoch(LEADER, 5, ME, VOTERS[0].endpoints)
        self.effects = self.quorum.step(Asked("leader", leads), 0)
        first = self._asked()
        assert isinstance(first, Fetch)
        self.told(first, FetchResult(ErrorCode.NONE, LEADER, 5, 60, snapshot=SNAPSHOT))

    def next_request(self) -> Request:
        """What it sends to its leader when the time has come."""
        for _ in range(10):
            deadline_ms = self.quorum.deadline_ms
            assert deadline_ms is not None
            self.now_ms = max(self.now_ms, deadline_ms)
            sends = [send for send in self.quorum.step(Tick(), self.now_ms).sends if send.to == LEADER]
            if sends:
                return sends[0].request
        raise AssertionError("it asks nothing")

    def told(self, request: Request, result: FetchResult | FetchSnapshotResult) -> Effects:
        effects = self.quorum.step(Answered(LEADER, request, result), self.now_ms)
        self.effects = effects
        return effects

    def part(self, position: int, end: int, *, size: int = len(DATA)) -> SnapshotPart | None:
        """What it wants stored of DATA[position:end], for which it has asked."""
        asked = self._asked()
        assert isinstance(asked, FetchSnapshot)
        assert (asked.snapshot, asked.position) == (SNAPSHOT, position)
        return self.told(
            asked, FetchSnapshotResult(ErrorCode.NONE, LEADER, 5, size, position, DATA[position:end])
        ).snapshot_part

    def _asked(self) -> Request:
        sends = [send.request for send in self.effects.sends if send.to == LEADER]
        return sends[0] if sends else self.next_request()


def test_parts_are_stored_one_after_the_other_until_the_size_is_reached() -> None:
    follower = Downloading()
    assert follower.part(0, 40) == SnapshotPart(SNAPSHOT, 0, DATA[:40], 90)
    last = follower.part(40, 90)
    assert last == SnapshotPart(SNAPSHOT, 40, DATA[40:], 90)
    assert last is not None
    assert last.is_last
    installed = follower.quorum.step(SnapshotInstalled(SNAPSHOT, MEMBERS), follower.now_ms)
    assert installed.high_watermark == 50
    assert follower.quorum.log_end_offset == follower.quorum.log_start_offset == 50
    (send,) = installed.sends or follower.quorum.step(Tick(), follower.now_ms).sends
    assert isinstance(send.request, Fetch)
    assert (send.request.fetch_offset, send.request.last_fetched_epoch) == (50, 4)


@pytest.mark.parametrize("size", [89, 91, 40, 10**12])
def test_a_size_that_changes_on_the_way_ends_the_download(size: int) -> None:
    follower = Downloading()
    assert follower.part(0, 40) is not None
    assert follower.part(40, 90, size=size) is None
    assert isinstance(follower.next_request(), Fetch)


@pytest.mark.parametrize("parts", [((0, 40),), ((0, 40), (40, 90))], ids=["first", "last"])
def test_after_a_part_that_the_disk_refuses_the_download_begins_again_later(parts: tuple[tuple[int, int], ...]) -> None:
    follower = Downloading()
    for position, end in parts:
        assert follower.part(position, end) is not None
    refused_at_ms = follower.now_ms
    follower.effects = follower.quorum.step(SnapshotNotStored(), follower.now_ms)
    request = follower.next_request()
    assert isinstance(request, Fetch)
    assert follower.now_ms >= refused_at_ms + QuorumTimeouts().backoff_max_ms
    follower.told(request, FetchResult(ErrorCode.NONE, LEADER, 5, 60, snapshot=SNAPSHOT))
    assert follower.part(0, 90) == SnapshotPart(SNAPSHOT, 0, DATA, 90)


def test_a_snapshot_of_its_own_is_forgotten_when_the_leaders_has_come_before_it_was_said() -> None:
    follower = Downloading()
    assert follower.part(0, 90) is not None
    follower.quorum.step(SnapshotInstalled(SNAPSHOT, MEMBERS), follower.now_ms)
    own = SnapshotId(20, 3)
    follower.quorum.step(SnapshotStored(own, own, 20), follower.now_ms)
    assert follower.quorum.snapshot == SNAPSHOT
    assert (follower.quorum.log_start_offset, follower.quorum.log_start_epoch) == (50, 4)
    later = SnapshotId(50, 4)
    follower.quorum.step(SnapshotStored(later, later, 50), follower.now_ms)
    assert follower.quorum.snapshot == later
