"""Streams groups under random moves: members join, leave, die, stall, lie; topics and settings change; brokers restart.

Whatever happens: no active task has two owners, and no epoch falls. When all is quiet, every task has an owner, every
stateful one its standby tasks, no two threads of a process the same task, and a restart finds the same group.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from kafkapy.coordinators.group.streams.tasks import each
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages import streams_group_heartbeat as messages
from tests.coordinators.streams_lab import StreamsLab, Tasks, subtopology, told, topology

SEEDS = range(40)
MOVES = 120
TOPICS = ("one", "two", "three")
REJOIN = {ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.GROUP_ID_NOT_FOUND}
PROCESSES = 4


class Client:
    """A thread of a Kafka Streams process that keeps to the protocol. It gives up tasks a heartbeat after it was told
    to, and is slow to say so now and then.
    """

    def __init__(self, lab: StreamsLab, number: int, random: Random) -> None:
        self.lab = lab
        self.random = random
        self.member_id = f"member-{number}"
        self.process_id = f"process-{random.randrange(PROCESSES)}"
        self.instance_id = f"instance-{number}" if random.random() < 0.3 else None
        self.endpoint = random.random() < 0.3
        self.endpoint_epoch = 0
        self.epoch = 0
        self.active: Tasks = {}
        self.standby: Tasks = {}
        self.told: tuple[Tasks, Tasks] | None = None
        self.is_stalled = False

    def beat(self) -> None:
        """What it was told counts from now on; it says what it has, unless it is busy."""
        if self.told is not None:
            (self.active, self.standby), self.told = self.told, None
        if self.epoch == 0:
            self.join()
        elif self.random.random() < 0.15:
            self.take(self.send(self.epoch))
        else:
            self.take(self.send(self.epoch, active=self.active, standby=self.standby))

    def join(self) -> None:
        endpoint = None
        if self.endpoint:
            endpoint = messages.StreamsGroupHeartbeatRequestEndpoint(host=self.member_id, port=80)
        self.take(
            self.lab.joins(
                self.member_id,
                instance_id=self.instance_id,
                process_id=self.process_id,
                user_endpoint=endpoint,
                endpoint_information_epoch=self.endpoint_epoch,
            )
        )

    def send(self, epoch: int, **fields: object) -> messages.StreamsGroupHeartbeatResponse:
        if self.random.random() < 0.3:
            fields["task_offsets"] = [
                messages.TaskOffset(subtopology_id=name, partition=index, offset=self.random.randrange(100))
                for name, indexes in {**self.active, **self.standby}.items()
                for index in sorted(indexes)
            ]
        return self.lab.beat(
            self.member_id,
            epoch,
            instance_id=self.instance_id,
            endpoint_information_epoch=self.endpoint_epoch,
            **fields,  # type: ignore[arg-type]
        )

    def take(self, answer: messages.StreamsGroupHeartbeatResponse) -> None:
        if answer.error_code in REJOIN:
            self.forget()
            return
        if answer.error_code == ErrorCode.UNRELEASED_INSTANCE_ID:
            return
        if answer.error_code == ErrorCode.INVALID_REQUEST:  # a topic has fewer partitions than its tasks
            self.forget()
            return
        assert answer.error_code == ErrorCode.NONE, answer
        assert answer.member_epoch >= self.epoch, f"{self.member_id} falls from {self.epoch} to {answer.member_epoch}"
        self.epoch = answer.member_epoch
        self.endpoint_epoch = answer.endpoint_information_epoch
        if answer.active_tasks is not None:
            self.told = told(answer.active_tasks), told(answer.standby_tasks)

    def forget(self) -> None:
        self.epoch, self.active, self.standby, self.told = 0, {}, {}, None

    def lie(self) -> None:
        """It says an epoch, or has tasks, as it likes. Whatever it is answered, it goes on as before."""
        epoch = self.epoch + self.random.choice((-2, -1, 1, 5))
        if epoch > 0:
            answer = self.send(epoch, active={"0": {0, 99}, "none": {1}})
            assert answer.error_code != ErrorCode.NONE, answer
            answer = self.send(epoch)
            assert answer.error_code in REJOIN | {ErrorCode.FENCED_INSTANCE_ID}, answer

    def leave(self) -> None:
        self.send(self.random.choice((-1, -2)) if self.instance_id else -1)
        self.forget()


class Moves:
    def __init__(self, lab: StreamsLab, seed: int) -> None:
        self.lab = lab
        self.random = Random(seed)
        self.clients: list[Client] = []
        self.left: list[Client] = []
        self.count = 0
        self.epochs = (0, 0)
        self.counts = {topic: self.random.choice((1, 3, 6)) for topic in TOPICS}
        self.has_state = self.random.random() < 0.6
        for topic, count in self.counts.items():
            lab.topic(topic, count)
        if self.has_state:
            lab.topic("log", self.counts["two"])
        lab.topology = topology(
            subtopology("0", "one", "three"),
            subtopology("1", "two", changelogs=["log"] if self.has_state else []),
        )

    async def one(self) -> None:
        running = [client for client in self.clients if not client.is_stalled]
        match self.random.choices(range(8), (3, 1, 1, 1, 1, 1, 4, 14))[0]:
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
                self.random.choice(running).lie()
            case 6:
                await self.other()
            case _:
                for client in self.random.sample(running, self.random.randint(0, len(running))):
                    client.beat()
        self.lab.advance(self.random.choice((0, 100, 5_000)))
        self.check()

    async def other(self) -> None:
        match self.random.randrange(5):
            case 0:
                topic = self.random.choice(("one", "three"))
                self.counts[topic] += 1
                self.lab.topic(topic, self.counts[topic])
            case 1:
                self.lab.advance(50_000)
            case 2 if self.left:
                client = self.left.pop()  # it comes back under another id
                self.count += 1
                client.member_id = f"member-{self.count}"
                self.clients.append(client)
            case 3:
                self.lab.configure({"streams.num.standby.replicas": str(self.random.randrange(3))})
            case _:
                await self.restart()

    async def restart(self) -> None:
        if self.lab.state() == "none":
            return
        before = self.state()
        await self.lab.restart()
        for client in self.clients:
            client.endpoint_epoch = 0
        for what, now in self.state().items():
            assert now == before[what], what

    def state(self) -> dict[str, object]:
        """Everything that must survive a restart."""
        group = self.lab.streams_group()
        return {
            "epochs": (group.metadata, group.assignment_epoch, group.assigned_at_ms),
            "topology": group.topology and group.topology.value,
            "targets": dict(group.targets),
            "active": group.owners.active,
            "standby": group.owners._standby,
            "static members": group.static_members,
            **group.members,
        }

    def check(self) -> None:
        if self.lab.state() == "none":
            self.epochs = (0, 0)  # an empty group without offsets is deleted after a while
            return
        group = self.lab.streams_group()
        epochs = group.epoch, group.assignment_epoch
        assert epochs[0] >= self.epochs[0], f"the group's epoch falls from {self.epochs[0]} to {epochs[0]}"
        assert epochs[1] >= self.epochs[1]
        assert epochs[1] <= epochs[0]
        self.epochs = epochs
        owners: dict[tuple[str, int], str] = {}
        here: dict[tuple[str, tuple[str, int]], str] = {}
        for member in group.members.values():
            for held in (member.assigned, member.pending_revocation):
                for tasks in held:
                    for task in each(tasks):
                        other = here.setdefault((member.process_id, task), member.member_id)
                        assert other == member.member_id, f"{other} and {member.member_id} share {task}"
            for held in (member.assigned, member.pending_revocation):
                for name, since in held.active.items():
                    for partition in since:
                        other = owners.setdefault((name, partition), member.member_id)
                        assert other == member.member_id, f"{other} and {member.member_id} have {name}_{partition}"
                        assert group.owners.active[name, partition] == member.process_id
        assert len(group.owners.active) == len(owners)
        for client in self.clients:
            if client.epoch and client.member_id in group.members:
                for name, indexes in client.active.items():
                    for index in indexes:
                        holder = owners.get((name, index))
                        assert holder in (None, client.member_id), f"{client.member_id} has {name}_{index} of {holder}"

    async def settle(self) -> None:
        """All run and tell; those that are gone lose their sessions."""
        for client in self.clients:
            client.is_stalled = False
        for _ in range(40):
            for client in self.clients:
                client.beat()
            self.lab.advance(11_000)
            self.check()
        if not self.clients:
            return
        assert self.lab.state() == "Stable"
        active = [task for client in self.clients for task in tasks_of(client.active)]
        assert len(active) == len(set(active))
        task_counts = {"0": max(self.counts["one"], self.counts["three"]), "1": self.counts["two"]}
        assert set(active) == {(name, n) for name, count in task_counts.items() for n in range(count)}
        places = Counter(
            (client.process_id, task)
            for client in self.clients
            for tasks in (client.active, client.standby)
            for task in tasks_of(tasks)
        )
        assert set(places.values()) == {1}, "two threads of a process have the same task"
        standby = Counter(task for client in self.clients for task in tasks_of(client.standby))
        wanted = int(self.lab.streams_group().metadata.assignment_configs["num.standby.replicas"])
        processes = len({client.process_id for client in self.clients})
        expected = min(wanted, processes - 1) if self.has_state else 0
        assert all(name == "1" for name, _ in standby), "only stateful tasks have standby tasks"
        assert all(standby["1", n] == expected for n in range(task_counts["1"])), (standby, expected)


def tasks_of(tasks: Tasks) -> list[tuple[str, int]]:
    return [(name, index) for name, indexes in tasks.items() for index in indexes]


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_task_has_two_owners_and_none_is_left_alone(seed: int) -> None:
    random = Random(seed)
    lab = StreamsLab(
        group_streams_assignment_interval_ms=random.choice((0, 0, 1_000, 6_000)),
        group_streams_initial_rebalance_delay_ms=random.choice((0, 0, 3_000)),
    )
    async with lab.running():
        moves = Moves(lab, seed)
        for _ in range(3):
            for _ in range(MOVES // 3):
                await moves.one()
            await moves.settle()
            await moves.restart()
        assert lab.state() in ("Stable", "Empty", "none")
