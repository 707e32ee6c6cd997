"""Consumer groups under random moves: members join, leave, die, stall, lie, read other topics; brokers restart.

Whatever happens: no partition has two owners, no epoch falls, nobody owns what it does not read; and when all is quiet,
every partition that somebody reads has an owner, and a restart finds the same group.
"""

from __future__ import annotations

from random import Random

import pytest

from kafkapy.coordinators.group import large_groups
from kafkapy.coordinators.group.consumer import assigning
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatResponse
from tests.coordinators.consumer_lab import ConsumerLab, Partitions

SEEDS = range(40)
MOVES = 120
TOPICS = ("one", "two", "three", "four")
PATTERNS = ("", "one|two", "t.*", ".*e")
REJOIN = {ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.GROUP_ID_NOT_FOUND}


class Client:
    """A consumer that keeps to the protocol. It gives up partitions a heartbeat after it was told to."""

    def __init__(self, lab: ConsumerLab, number: int, random: Random) -> None:
        self.lab = lab
        self.random = random
        self.member_id = f"member-{number}"
        self.instance_id = f"instance-{number}" if random.random() < 0.3 else None
        self.epoch = 0
        self.owned: Partitions = {}
        self.told: Partitions = {}
        self.topics: list[str] = []
        self.pattern = ""
        self.is_stalled = False
        self.read_something()

    def read_something(self) -> None:
        self.topics = self.random.sample(TOPICS, self.random.randint(0, 3))
        self.pattern = self.random.choice(PATTERNS) if self.random.random() < 0.3 else ""

    def reads(self) -> set[str]:
        import re

        return {*self.topics, *(topic for topic in TOPICS if self.pattern and re.fullmatch(self.pattern, topic))}

    def beat(self) -> None:
        """What it is told counts with the next heartbeat: it gives up first, then says so, then takes."""
        self.owned = {topic: part & self.told.get(topic, set()) for topic, part in self.owned.items()}
        self.owned = {topic: part for topic, part in self.owned.items() if part}
        full = {
            "rebalance_timeout_ms": 60_000,
            "subscribed_topic_names": self.topics,
            "subscribed_topic_regex": self.pattern,
        }
        self.take(self.send(self.epoch, owned=self.owned, **full))

    def send(self, epoch: int, **fields: object) -> ConsumerGroupHeartbeatResponse:
        return self.lab.beat(self.member_id, epoch, instance_id=self.instance_id, **fields)  # type: ignore[arg-type]

    def take(self, answer: ConsumerGroupHeartbeatResponse) -> None:
        if answer.error_code in REJOIN:
            self.epoch, self.owned, self.told = 0, {}, {}
            return
        if answer.error_code == ErrorCode.UNRELEASED_INSTANCE_ID:
            return
        assert answer.error_code == ErrorCode.NONE, answer
        assert answer.member_epoch >= self.epoch, f"{self.member_id} falls from {self.epoch} to {answer.member_epoch}"
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.told = self.lab.assigned(answer)
            # What is new is its own at once; what it must give up it keeps until the next heartbeat.
            for topic, partitions in self.told.items():
                self.owned[topic] = self.owned.get(topic, set()) | partitions

    def lie(self) -> None:
        """It says an epoch, or owns partitions, as it likes. Whatever it is answered, it goes on as before."""
        before = self.epoch, self.owned, self.told
        epoch = self.epoch + self.random.choice((-2, -1, 1, 5))
        if epoch > 0:
            answer = self.send(epoch, owned={"one": {0, 99}, "none": {1}})
            assert answer.error_code != ErrorCode.NONE, answer
        self.epoch, self.owned, self.told = before

    def leave(self) -> None:
        self.send(self.random.choice((-1, -2)) if self.instance_id else -1)
        self.epoch, self.owned, self.told = 0, {}, {}


class Moves:
    def __init__(self, lab: ConsumerLab, seed: int) -> None:
        self.lab = lab
        self.random = Random(seed)
        self.clients: list[Client] = []
        self.left: list[Client] = []
        self.count = 0
        self.epochs = (0, 0)
        lab.topic_ids["t"] = lab.metadata.image.topics["t"].topic_id
        lab.delete_topic("t")
        for topic in TOPICS[:3]:
            lab.topic(topic, self.random.choice((1, 3, 8)))

    async def one(self) -> None:
        running = [client for client in self.clients if not client.is_stalled]
        match self.random.choices(range(9), (3, 1, 1, 1, 1, 1, 1, 4, 14))[0]:
            case 0 if len(self.clients) < 8:
                self.count += 1
                self.clients.append(Client(self.lab, self.count, self.random))
            case 1 if running:
                client = self.random.choice(running)
                client.leave()
                self.clients.remove(client)
                if client.instance_id is not None:
                    self.left.append(client)
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
            case _:
                for client in self.random.sample(running, self.random.randint(0, len(running))):
                    client.beat()
        self.lab.advance(self.random.choice((0, 100, 5_000)))
        self.check()

    async def other(self) -> None:
        match self.random.randrange(4):
            case 0:
                topic = self.random.choice(TOPICS)
                count = len(self.lab.metadata.image.topics[topic].partitions) if topic in self.lab.topic_ids else 1
                self.lab.topic(topic, count + 1)
            case 1:
                self.lab.advance(50_000)
            case 2 if self.left:
                client = self.left.pop()  # it comes back under another id
                self.count += 1
                client.member_id = f"member-{self.count}"
                self.clients.append(client)
            case _:
                await self.restart()

    async def restart(self) -> None:
        if self.lab.state() == "none":
            return
        await self.lab.matched()
        before = self.state()
        await self.lab.restart()
        for what, now in self.state().items():
            assert now == before[what], what

    def state(self) -> dict[str, object]:
        """Everything that must survive a restart."""
        group = self.lab.consumer_group()
        return {
            "epochs": (group.epoch, group.assignment_epoch, group.assigned_at_ms, group.metadata_hash),
            "targets": {member_id: target for member_id, target in group.targets.items() if target},
            "owners": group.owners,
            "patterns": group.resolved,
            "static members": group.static_members,
            **group.members,
        }

    def check(self) -> None:
        if self.lab.state() == "none":
            self.epochs = (0, 0)  # an empty group without offsets is deleted after a while
            return
        group = self.lab.consumer_group()
        epochs = group.epoch, group.assignment_epoch
        assert epochs[0] >= self.epochs[0], f"the group's epoch falls from {self.epochs[0]} to {epochs[0]}"
        assert epochs[1] >= self.epochs[1]
        assert epochs[1] <= epochs[0]
        self.epochs = epochs
        owners: dict[tuple[bytes, int], str] = {}
        for member in group.members.values():
            if not member.pattern:
                names = {name for name, topic_id in self.lab.topic_ids.items() if topic_id in member.assigned}
                assert names <= member.topics, f"{member.member_id} is to own what it does not read"
            for partitions in (member.assigned, member.pending_revocation):
                for topic_id, since in partitions.items():
                    for partition in since:
                        other = owners.setdefault((topic_id, partition), member.member_id)
                        assert other == member.member_id, f"{other} and {member.member_id} own {topic_id!r}-{partition}"
                        assert partition in group.owners[topic_id]
        assert sum(map(len, group.owners.values())) == len(owners)
        for client in self.clients:
            if client.epoch and client.member_id in group.members:
                for topic, indexes in client.owned.items():
                    for partition in indexes:
                        holder = owners.get((self.lab.topic_ids[topic], partition))
                        assert holder in (None, client.member_id), (
                            f"{client.member_id} has {topic}-{partition} of {holder}"
                        )

    async def settle(self) -> None:
        """All run and tell; those that are gone lose their sessions; patterns are matched."""
        for client in self.clients:
            client.is_stalled = False
        for _ in range(40):
            for client in self.clients:
                client.beat()
            await self.lab.matched()
            self.lab.advance(11_000)
            self.check()
        if self.clients:
            assert self.lab.state() == "Stable"
        owned = [(topic, index) for client in self.clients for topic, part in client.owned.items() for index in part]
        assert len(owned) == len(set(owned))
        topics = {topic for client in self.clients for topic in client.reads()} & self.lab.topic_ids.keys()
        image = self.lab.metadata.image
        assert set(owned) == {(topic, n) for topic in topics for n in range(len(image.topics[topic].partitions))}
        for client in self.clients:
            assert client.owned.keys() <= client.reads()


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_partition_has_two_owners_and_none_is_left_alone(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 4 == 3:  # every group is as large as those that a worker thread assigns, and written in pieces
        monkeypatch.setattr(assigning, "ASSIGNED_AT_ONCE_MAX", 0)
        monkeypatch.setattr(large_groups, "RECORDS_AT_ONCE_MAX", 1)
    interval_ms = Random(seed).choice((0, 0, 1_000, 6_000))
    async with ConsumerLab(group_consumer_assignment_interval_ms=interval_ms).running() as lab:
        moves = Moves(lab, seed)
        for _ in range(3):
            for _ in range(MOVES // 3):
                await moves.one()
            await moves.settle()
            await moves.restart()
        assert lab.state() in ("Stable", "Empty", "none")
