"""Share groups under random moves: members join, leave, die, stall, lie, read other topics; states are initialized late
or not; topics come, grow and go; brokers restart.

Whatever happens: no epoch falls, nobody is to read what it has not named or what has no state; and when all is quiet,
somebody reads every partition, every member knows what it is to read, and a restart finds the same group.
"""

from __future__ import annotations

from random import Random

import pytest

from kafkapy.coordinators.group import large_groups, topic_metadata
from kafkapy.coordinators.group.epochs import LAST_EPOCH
from kafkapy.coordinators.group.share import assigning, records
from kafkapy.coordinators.runtime import partition_for
from kafkapy.coordinators.share import SharePartitionKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatResponse
from kafkapy_wire.records import NewRecord
from kafkapy_wire.records.building import build_batch_and_header
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT
from tests.coordinators.share_group_lab import ShareGroupLab

SEEDS = range(40)
MOVES = 120
TOPICS = ("one", "two", "three", "four")
REJOIN = {ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.GROUP_ID_NOT_FOUND}
SETTLING_ROUNDS = 40
LATER_MS = 11_000


class Client:
    """A share consumer that keeps to the protocol."""

    def __init__(self, lab: ShareGroupLab, number: int, random: Random) -> None:
        self.lab = lab
        self.random = random
        self.member_id = f"member-{number}"
        self.epoch = 0
        self.told: dict[bytes, set[int]] = {}
        self.topics: list[str] = []
        self.says_topics = True
        self.is_stalled = False
        self.read_something()

    def read_something(self) -> None:
        self.topics = self.random.sample(TOPICS, self.random.randint(1, 3))
        self.says_topics = True

    def beat(self) -> None:
        names = self.topics if self.epoch == 0 or self.says_topics else []
        answer = self.lab.share(self.member_id, self.epoch, *names)
        if answer.error_code in REJOIN:
            self.epoch, self.told = 0, {}
            return
        self.says_topics = False
        self.take(answer)

    def take(self, answer: ShareGroupHeartbeatResponse) -> None:
        assert answer.error_code == ErrorCode.NONE, answer
        assert answer.member_epoch >= self.epoch, f"{self.member_id} falls from {self.epoch} to {answer.member_epoch}"
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.told = {part.topic_id: set(part.partitions) for part in answer.assignment.topic_partitions}

    def lie(self) -> None:
        """It says an epoch that it never had."""
        if self.epoch:
            answer = self.lab.share(self.member_id, self.epoch + self.random.choice((1, 7)))
            assert answer.error_code in REJOIN, answer

    def leave(self) -> None:
        self.lab.share(self.member_id, -1)
        self.epoch, self.told = 0, {}


class Moves:
    def __init__(self, lab: ShareGroupLab, seed: int) -> None:
        self.lab = lab
        self.random = Random(seed)
        self.clients: list[Client] = []
        self.count = 0
        self.epochs = (0, 0)
        lab.topic_ids["t"] = lab.metadata.image.topics["t"].topic_id
        lab.delete_topic("t")
        for topic in TOPICS[:3]:
            lab.topic(topic, self.random.choice((1, 3, 8)))

    async def one(self) -> None:
        running = [client for client in self.clients if not client.is_stalled]
        match self.random.choices(range(10), (3, 1, 1, 1, 1, 1, 1, 2, 4, 14))[0]:
            case 0 if len(self.clients) < 8:
                self.count += 1
                self.clients.append(Client(self.lab, self.count, self.random))
            case 1 if running:
                client = self.random.choice(running)
                client.leave()
                self.clients.remove(client)
            case 2 if running:  # it dies, and its session ends some time
                self.clients.remove(self.random.choice(running))
            case 3 if running:
                self.random.choice(running).is_stalled = True
            case 4:
                for client in self.clients:
                    client.is_stalled = False
            case 5 if running:
                self.random.choice(running).read_something()
            case 6 if running:
                self.random.choice(running).lie()
            case 7:
                await self.other()
            case 8:
                await self.lab.answered(refused=0.2)
            case _:
                for client in self.random.sample(running, self.random.randint(0, len(running))):
                    client.beat()
        self.lab.advance(self.random.choice((0, 100, 5_000)))
        self.check()

    async def other(self) -> None:
        topic = self.random.choice(TOPICS)
        image = self.lab.metadata.image
        match self.random.randrange(3):
            case 0:
                count = len(image.topics[topic].partitions) if topic in self.lab.topic_ids else 0
                self.lab.topic(topic, count + self.random.choice((1, 3)))
            case 1 if topic in self.lab.topic_ids and len(self.lab.topic_ids) > 1:
                self.lab.delete_topic(topic)
            case _:
                await self.restart()

    async def restart(self) -> None:
        await self.lab.matched()
        before = self.state()
        await self.lab.restart()
        assert self.state() == before

    def state(self) -> dict[str, object] | None:
        """Everything that must survive a restart."""
        if self.lab.state() == "none":
            return None
        group = self.lab.share_group()
        states = group.topic_states
        return {
            "epochs": (group.epoch, group.assignment_epoch, group.metadata_hash),
            "targets": {member_id: target for member_id, target in group.targets.items() if target},
            "members": dict(group.members),
            "names": dict(group.names),
            "states": None
            if states is None
            else (
                {key: state.partitions for key, state in states.initializing.items()},
                {key: state.partitions for key, state in states.initialized.items()},
                states.deleting,
            ),
        }

    def check(self) -> None:
        if self.lab.state() == "none":
            return
        group = self.lab.share_group()
        epochs = group.epoch, group.assignment_epoch
        assert epochs[0] >= self.epochs[0], f"the group's epoch falls from {self.epochs[0]} to {epochs[0]}"
        assert epochs[1] >= self.epochs[1]
        assert epochs[1] <= epochs[0]
        self.epochs = epochs
        for member in group.members.values():
            names = {name for name, topic_id in self.lab.topic_ids.items() if topic_id in member.assigned}
            assert names <= member.topics, f"{member.member_id} is to read what it has not named"
            for topic_id, partitions in member.assigned.items():
                for index in partitions:
                    assert SharePartitionKey(GROUP, topic_id, index) in self.lab.persister.initialized

    async def settle(self) -> None:
        """All run, the share coordinators answer, and those that are gone lose their sessions."""
        for client in self.clients:
            client.is_stalled = False
        for _ in range(SETTLING_ROUNDS):
            for client in self.clients:
                client.beat()
            await self.lab.answered()
            self.lab.advance(LATER_MS)
            self.check()
        read: dict[bytes, set[int]] = {}
        for client in self.clients:
            member = self.lab.share_group().members[client.member_id]
            assert {key: set(part) for key, part in member.assigned.items() if part} == {
                key: part for key, part in client.told.items() if part
            }, f"{client.member_id} has not heard what it is to read"
            for key, part in client.told.items():
                read.setdefault(key, set()).update(part)
        topics = {topic for client in self.clients for topic in client.topics} & self.lab.topic_ids.keys()
        image = self.lab.metadata.image
        wanted = {self.lab.topic_ids[topic]: {*range(len(image.topics[topic].partitions))} for topic in topics}
        assert {key: part for key, part in read.items() if key in image.topics_by_id} == wanted


@pytest.mark.parametrize("seed", SEEDS)
async def test_somebody_reads_every_partition_and_nobody_what_it_has_not_named(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 4 == 3:  # every group is as large as those that a worker thread assigns, and written in pieces
        monkeypatch.setattr(assigning, "ASSIGNED_AT_ONCE_MAX", 0)
        monkeypatch.setattr(large_groups, "RECORDS_AT_ONCE_MAX", 1)
    interval_ms = Random(seed).choice((0, 0, 1_000, 6_000))
    async with ShareGroupLab(seed, group_share_assignment_interval_ms=interval_ms).running() as lab:
        moves = Moves(lab, seed)
        for _ in range(3):
            for _ in range(MOVES // 3):
                await moves.one()
            await moves.settle()
            await moves.restart()


async def test_a_group_in_its_last_epoch_can_be_left() -> None:
    """No group gets there by itself, but somebody may have written the record."""
    lab = ShareGroupLab(0)
    lab.topic("events", 2)
    written = [records.group_epoch(GROUP, LAST_EPOCH, 0), records.target_epoch(GROUP, LAST_EPOCH, 0)]
    batch = build_batch_and_header([NewRecord(1, record.key, record.value) for record in written])
    async with lab.running():
        lab.log.append(partition_for(GROUP, PARTITION_COUNT), batch)
        await lab.restart()
        for member_id in "ab":
            answer = lab.share(member_id, 0, "events")
            assert (answer.error_code, answer.member_epoch) == (ErrorCode.NONE, LAST_EPOCH)
            await lab.answered()
        assert lab.share("a", -1).error_code == ErrorCode.NONE
        lab.advance(45_000)
        assert lab.state() == "Empty"


async def test_what_the_members_name_all_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_metadata, "TOPICS_MAX", 5)
    async with ShareGroupLab(0).running() as lab:
        codes = [lab.share(name, 0, *topics).error_code for name, topics in (("a", "1234"), ("b", "56"), ("b", "125"))]
        assert codes == [ErrorCode.NONE, ErrorCode.INVALID_REQUEST, ErrorCode.NONE]
