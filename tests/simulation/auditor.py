"""What must hold of a simulated quorum after every event, and when the world is at peace."""

from __future__ import annotations

from kafkapy_controller.raft.messages import Fetch, Request, Result, Vote, VoteResult
from kafkapy_controller.raft.roles import Leader
from kafkapy_wire.records import ControlRecordType, read_control_record_type
from tests.simulation.environment import Entry, Violation, control_records
from tests.simulation.quorum_node import QuorumNode


class Auditor:
    """Sees all nodes at once, which no node does."""

    def __init__(self, nodes: dict[int, QuorumNode]) -> None:
        self._nodes = nodes
        self._leaders: dict[int, int] = {}
        self._committed: list[Entry] = []
        self._seen: dict[tuple[int, int], int] = {}  # (node, generation) -> its high watermark
        self._epochs: dict[int, int] = {}  # node -> the highest epoch that it has promised on its disk
        self._members: dict[int, tuple[int, tuple[int, int, int]]] = {}  # node -> process, and log when last compared
        self._votes: dict[tuple[int, int], object] = {}  # (node, epoch) -> for whom, as its disk said

    @property
    def committed_offset(self) -> int:
        return self._committed[-1].end_offset if self._committed else 0

    def has_committed(self, offset: int, epoch: int) -> bool:
        return any(e.base_offset <= offset < e.end_offset and e.epoch == epoch for e in self._committed)

    def check(self) -> None:
        """After every event."""
        for node in self._nodes.values():
            self._check_disk(node)
            if node.quorum is not None:
                self._check_leader(node)
                self._check_membership(node)
                self._check_high_watermark(node)

    def _check_disk(self, node: QuorumNode) -> None:
        state = node.disk.quorum_state
        last = self._epochs.get(node.key.node_id, 0)
        if state.leader_epoch < last:
            raise Violation(f"node {node.node_id} goes back from epoch {last} to {state.leader_epoch}")
        self._epochs[node.node_id] = state.leader_epoch
        if state.voted_id >= 0:
            voted = (state.voted_id, state.voted_directory_id)
            before = self._votes.setdefault((node.node_id, state.leader_epoch), voted)
            if before != voted:
                raise Violation(f"node {node.node_id} votes for {before} and {voted} in epoch {state.leader_epoch}")

    def forget_disk(self, node: QuorumNode) -> None:
        """It was replaced by an empty one, which is another replica."""
        self._epochs.pop(node.node_id, None)
        self._votes = {key: vote for key, vote in self._votes.items() if key[0] != node.node_id}

    def sending(self, node: QuorumNode, what: Request | Result, answers: Request | None) -> None:
        """What a node promises by a message is on its disk before that leaves."""
        state = node.disk.quorum_state
        if (
            isinstance(what, Vote)
            and not what.pre_vote
            and (what.epoch, state.voted_id) != (state.leader_epoch, node.node_id)
        ):
            raise Violation(f"candidate {node.node_id} asks for votes in {what.epoch}, and its disk says {state}")
        if isinstance(what, VoteResult) and isinstance(answers, Vote) and what.granted and not answers.pre_vote:
            promised = (answers.epoch, answers.candidate.node_id)
            if (state.leader_epoch, state.voted_id) != promised:
                raise Violation(f"node {node.node_id} grants {answers}, and its disk says {state}")
        if isinstance(what, Fetch):
            if what.fetch_offset > node.disk.durable_offset:
                raise Violation(f"{what} acknowledges what is durable up to {node.disk.durable_offset} alone")
            if what.epoch > state.leader_epoch:
                raise Violation(f"node {node.node_id} speaks of epoch {what.epoch}, and its disk says {state}")

    def _check_majority(self, node: QuorumNode) -> None:
        """A leader commits what is on the disks of a majority: of the voters that its own log names."""
        quorum = node.quorum
        assert quorum is not None
        entry = next((e for e in node.disk.entries if e.end_offset == quorum.high_watermark), None)
        voter_ids = quorum.membership.voter_ids
        holders = [
            other.node_id
            for other in self._nodes.values()
            if other.node_id in voter_ids
            and other.disk.durable_offset >= quorum.high_watermark
            and (entry is None or entry in other.disk.all_entries())
        ]
        if entry is not None and entry.epoch != quorum.epoch:
            raise Violation(f"leader {node.node_id} of epoch {quorum.epoch} commits by {entry.epoch}'s last entry")
        if len(holders) <= len(voter_ids) // 2:
            raise Violation(
                f"leader {node.node_id} commits {quorum.high_watermark}: of voters {voter_ids} only {holders} have it"
            )

    def _check_membership(self, node: QuorumNode) -> None:
        """Who votes is what the log says, committed or not."""
        assert node.quorum is not None
        log = (node.disk.start_offset, node.disk.end_offset, node.disk.entries[-1].epoch if node.disk.entries else -1)
        if self._members.get(node.node_id) == (node.generation, log):
            return
        self._members[node.node_id] = (node.generation, log)
        changes = [
            record.offset
            for entry in node.disk.entries
            if entry.base_offset >= self.committed_offset
            for record in control_records(entry.data)
            if read_control_record_type(record.key) is ControlRecordType.KRAFT_VOTERS
        ]
        if node.quorum.is_leader and len(changes) > 1:
            raise Violation(f"leader {node.node_id} has changed the voters at {changes}, and committed none of that")
        membership = node.disk.membership(node.first_members)
        if node.quorum.membership != membership:
            raise Violation(f"node {node.node_id} takes {node.quorum.membership} for what its log says: {membership}")

    def _check_leader(self, node: QuorumNode) -> None:
        assert node.quorum is not None
        if isinstance(node.quorum.role, Leader):
            epoch = node.quorum.epoch
            first = self._leaders.setdefault(epoch, node.node_id)
            if first != node.node_id:
                raise Violation(f"epoch {epoch} has two leaders: {first} and {node.node_id}")

    def _check_high_watermark(self, node: QuorumNode) -> None:
        quorum = node.quorum
        assert quorum is not None
        high_watermark, process = quorum.high_watermark, (node.node_id, node.generation)
        before = self._seen.get(process, 0)
        if high_watermark == before:
            return
        if high_watermark < before:
            raise Violation(f"the high watermark of node {node.node_id} falls from {before} to {high_watermark}")
        if high_watermark > node.disk.end_offset:
            raise Violation(f"node {node.node_id} commits {high_watermark}, and its log ends at {node.disk.end_offset}")
        is_first = process not in self._seen
        self._seen[process] = high_watermark
        began_with = quorum.snapshot.end_offset if is_first and quorum.snapshot is not None else None
        if quorum.is_leader and high_watermark != began_with:  # a lone voter leads in its first step
            self._check_majority(node)
        mine = [entry for entry in node.disk.all_entries() if entry.end_offset <= high_watermark]
        if not mine or mine[-1].end_offset != high_watermark:
            raise Violation(f"node {node.node_id} commits half a batch, at {high_watermark}")
        shared = min(len(mine), len(self._committed))
        if mine[:shared] != self._committed[:shared]:
            where = next(a for a, b in zip(mine, self._committed, strict=False) if a != b)
            raise Violation(f"node {node.node_id} commits {where} where another entry was committed")
        self._committed += mine[shared:]

    def check_agreement(self, live: list[QuorumNode]) -> None:
        """At peace: one leader, and every live node has all that is committed, and nothing else."""
        leaders = [node for node in live if node.quorum is not None and isinstance(node.quorum.role, Leader)]
        if len(leaders) != 1:
            raise Violation(f"at peace {[node.node_id for node in leaders]} lead")
        for node in live:
            assert node.quorum is not None
            if node.quorum.high_watermark != self.committed_offset:
                raise Violation(
                    f"at peace node {node.node_id} knows {node.quorum.high_watermark} as committed of "
                    f"{self.committed_offset}"
                )
            if node.disk.all_entries() != self._committed:
                raise Violation(f"at peace the log of node {node.node_id} differs from what is committed")
