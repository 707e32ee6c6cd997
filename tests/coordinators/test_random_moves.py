"""Seeded walks of two brokers whose partitions change their leaders at any time, while clients go on.

The brokers hear of each change late, followers fetch now and then, and requests between the brokers and their answers
are lost. Whatever happens: what was acknowledged is not lost, what was read is not undone, generations do not go back,
and every transaction ends in all of its partitions in the one way that was decided.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafkapy.coordinators.runtime import partition_for
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy_controller.topic_names import OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kafkapy_wire.records import ControlRecordType, read_control_record_type
from tests.coordinators.group_lab import SUBSCRIPTION
from tests.coordinators.two_brokers import BOTH, DATA_TOPIC, PARTITION_COUNTS, Fate, TwoBrokers, begin
from tests.coordinators.two_brokers_producer import GROUP, ID, LAST_PRODUCE_BY_NAME, NONE, Producer, name_in

STEPS = 600
TRIES_AT_REST = 4
SEEDS = range(12)
COMMITTING_GROUP = name_in(OFFSETS_TOPIC, 0)
MEMBERS_GROUP = "members"
TIMES_MS = (1, 20, 60, 200, 1_000, 6_000)
JOINS_AGAIN = (
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.FENCED_INSTANCE_ID,
)
COMMIT, ABORT = ControlRecordType.COMMIT, ControlRecordType.ABORT


class Client:
    """Sends one request at a time, mostly to the broker that is right."""

    def __init__(self, walk: Walk, topic: str, index: int) -> None:
        self.walk = walk
        self.topic = topic
        self.index = index
        self.is_busy = False

    async def ask(
        self, request: Message, version: int | None = None, *, at: tuple[str, int] | None = None
    ) -> tuple[Any, bool]:
        """The answer; and whether it came from the broker that led, and knew it, when it was asked."""
        lab = self.walk.lab
        topic, index = at or (self.topic, self.index)
        node_id = lab.leaders[topic, index][0]
        if lab.random.random() < self.walk.error_rate:
            node_id = lab.random.choice(BOTH)
        is_right = node_id == lab.leaders[topic, index][0] and lab.knows_all(node_id)
        return await lab.brokers[node_id].ask(request, version), is_right

    def begin(self, action: Callable[[], Awaitable[None]]) -> None:
        if self.is_busy:
            return
        self.is_busy = True

        async def act() -> None:
            await action()
            self.is_busy = False

        self.walk.lab.nursery.start_soon(act)


class OffsetClient(Client):
    """Commits ever higher offsets."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(walk, OFFSETS_TOPIC, 0)
        self.tried = self.acknowledged = -1

    async def commit(self) -> None:
        self.tried += 1
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=self.tried)
        topics = [OffsetCommitRequestTopic(name=DATA_TOPIC, partitions=[partition])]
        request = OffsetCommitRequest(group_id=COMMITTING_GROUP, generation_id_or_member_epoch=-1, topics=topics)
        answer, _ = await self.ask(request, 9)
        if answer.topics[0].partitions[0].error_code == NONE:
            self.acknowledged = self.tried


class OffsetReader(Client):
    """Reads what the other one commits."""

    def __init__(self, walk: Walk, committer: OffsetClient) -> None:
        super().__init__(walk, OFFSETS_TOPIC, 0)
        self.committer = committer
        self.read = -1

    async def fetch(self) -> None:
        least = max(self.committer.acknowledged, self.read)
        topics = [OffsetFetchRequestTopics(name=DATA_TOPIC, partition_indexes=[0])]
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=COMMITTING_GROUP, topics=topics)])
        answer, is_right = await self.ask(request, 9)
        if answer.groups[0].error_code:
            return
        offset = answer.groups[0].topics[0].partitions[0].committed_offset
        assert offset <= self.committer.tried
        if is_right:
            assert offset >= least, f"{least} was acknowledged or read, and {offset} is read now"
        self.read = max(self.read, offset)


class Member(Client):
    """A static member of a group."""

    def __init__(self, walk: Walk, name: str) -> None:
        super().__init__(walk, OFFSETS_TOPIC, partition_for(MEMBERS_GROUP, PARTITION_COUNTS[OFFSETS_TOPIC]))
        self.name = name
        self.member_id = ""
        self.generation_id = -1
        self.members: list[str] = []
        self.must_sync = False

    async def step(self) -> None:
        await (self.sync() if self.must_sync else self.join())

    async def join(self) -> None:
        request = JoinGroupRequest(
            group_id=MEMBERS_GROUP,
            session_timeout_ms=30_000,
            rebalance_timeout_ms=2_000,
            member_id=self.member_id,
            group_instance_id=self.name,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)],
        )
        answer, _ = await self.ask(request)
        if answer.error_code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID):
            self.member_id = ""
        elif answer.error_code == NONE:
            self.member_id, self.generation_id = answer.member_id, answer.generation_id
            self.members = [member.member_id for member in answer.members]
            self.must_sync = True

    async def sync(self) -> None:
        least, generation_id = self.walk.best_generation, self.generation_id
        request = SyncGroupRequest(
            group_id=MEMBERS_GROUP,
            generation_id=generation_id,
            member_id=self.member_id,
            group_instance_id=self.name,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[SyncGroupRequestAssignment(member_id=name, assignment=b"a") for name in self.members],
        )
        answer, is_right = await self.ask(request)
        self.must_sync = answer.error_code not in (NONE, *JOINS_AGAIN)
        if answer.error_code == NONE:
            if is_right:
                assert generation_id >= least, f"generation {least} was synced, and {generation_id} is now"
            self.walk.best_generation = max(self.walk.best_generation, generation_id)


class Transaction(NamedTuple):
    producer: ProducerIdAndEpoch
    number: int


class TransactionClient(Client):
    """A producer that ends each transaction in one way, asks until it knows, and begins anew when it is fenced."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(walk, TRANSACTION_TOPIC, 0)
        self.producer = Producer(walk.lab)
        self.must_init = True
        self.number = 0
        self.unsent: set[int] = set()  # partitions whose last batch is not acknowledged
        self.has_written = False
        self.ending: bool | None = None  # commit or abort, once that is asked for
        self.asked: dict[ProducerIdAndEpoch, set[ControlRecordType]] = {}
        """How the transactions of each epoch may end."""
        self.acknowledged: dict[ProducerIdAndEpoch, ControlRecordType] = {}
        self.stored: set[tuple[int, ProducerIdAndEpoch, int]] = set()  # acknowledged (partition, producer, sequence)
        self.offsets: dict[ProducerIdAndEpoch, int] = {}  # acknowledged offset commits, by transaction
        self.tried_offsets: dict[ProducerIdAndEpoch, int] = {}

    async def step(self) -> None:
        random = self.walk.lab.random
        if self.must_init:
            await self.init()
        elif self.ending is not None:
            await self.end(commit=self.ending)
        elif random.random() < 0.25 and self.has_written:
            await self.end(commit=not self.unsent and random.random() < 0.7)
        elif random.random() < 0.25:
            await self.commit_offset()
        else:
            await self.produce(random.choice(sorted(self.unsent)) if self.unsent else random.randrange(3))

    async def init(self) -> None:
        request = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)
        answer, _ = await self.ask(request)
        if answer.error_code == NONE:
            self.become(ProducerIdAndEpoch(answer.producer_id, answer.producer_epoch))

    def become(self, producer: ProducerIdAndEpoch) -> None:
        self.producer.identity = producer
        self.producer.sequences.clear()
        self.must_init, self.has_written, self.ending = False, False, None
        self.unsent.clear()
        self.number += 1
        self.asked[producer] = {ABORT}

    async def produce(self, index: int) -> None:
        self.unsent.add(index)
        request = self.producer.produce_request(index)
        answer, _ = await self.ask(request, LAST_PRODUCE_BY_NAME, at=(DATA_TOPIC, index))
        code = ErrorCode(answer.responses[0].partition_responses[0].error_code)
        if code is NONE:
            self.unsent.discard(index)
            self.has_written = True
            sequence = self.producer.sequences.get(index, 0)
            self.stored.add((index, self.producer.identity, sequence))
            self.producer.sequences[index] = sequence + 1
        else:
            self.fenced_by(code)

    def fenced_by(self, code: ErrorCode) -> None:
        if not code.retriable and code is not ErrorCode.CONCURRENT_TRANSACTIONS:
            self.must_init = True

    async def commit_offset(self) -> None:
        producer = self.producer.identity
        self.tried_offsets[producer] = self.number
        partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=self.number)
        request = TxnOffsetCommitRequest(
            transactional_id=ID,
            group_id=GROUP,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            topics=[TxnOffsetCommitRequestTopic(name=DATA_TOPIC, partitions=[partition])],
        )
        answer, _ = await self.ask(request, 5, at=(OFFSETS_TOPIC, 1))
        code = ErrorCode(answer.topics[0].partitions[0].error_code)
        if code is NONE:
            self.offsets[producer] = self.number
            self.has_written = True
        else:
            self.fenced_by(code)

    async def end(self, *, commit: bool) -> None:
        producer, self.ending = self.producer.identity, commit
        if commit:
            self.asked[producer].add(COMMIT)
        answer, _ = await self.ask(self.producer.end_request(commit=commit), 5)
        if answer.error_code == NONE:
            self.acknowledged[producer] = COMMIT if commit else ABORT
            self.become(ProducerIdAndEpoch(answer.producer_id, answer.producer_epoch))
        else:
            self.fenced_by(ErrorCode(answer.error_code))


class Walk:
    def __init__(self, lab: TwoBrokers) -> None:
        self.lab = lab
        self.best_generation = -1
        self.error_rate = 0.1
        """How often a client asks the wrong broker."""
        self.offsets = OffsetClient(self)
        self.reader = OffsetReader(self, self.offsets)
        self.members = [Member(self, name) for name in ("one", "two")]
        self.transactions = TransactionClient(self)

    async def go(self) -> None:
        lab, random = self.lab, self.lab.random
        lab.fate = self._fate
        for _ in range(STEPS):
            match random.randrange(20):
                case 0 if random.random() < 0.5:
                    lab.move(*random.choice(lab.partitions()), random.choice(BOTH))
                case 1 | 2 | 3:
                    lab.hear(random.choice(BOTH), random.choice([1, 1 << 30]))
                case 4 | 5:
                    lab.replicate(*random.choice(lab.partitions()))
                case 6 | 7 | 8 | 9:
                    lab.replicate_all()
                case 10:
                    lab.clock.advance(random.choice(TIMES_MS))
                case 11:
                    self.offsets.begin(self.offsets.commit)
                case 12:
                    self.reader.begin(self.reader.fetch)
                case 13 | 14:
                    member = random.choice(self.members)
                    member.begin(member.step)
                case _:
                    self.transactions.begin(self.transactions.step)
            await lab.quiet()
        await self._come_to_rest()
        await self._check()

    def _fate(self, _: Message) -> Fate:
        (fate,) = self.lab.random.choices([Fate.ANSWERED, Fate.REQUEST_LOST, Fate.ANSWER_LOST], [8, 1, 1])
        return fate

    async def _come_to_rest(self) -> None:
        """Everything heals; a new producer aborts what is still open."""
        self.error_rate = 0
        await self.lab.settle()
        last = TransactionClient(self)
        last.number = self.transactions.number
        for _ in range(TRIES_AT_REST):
            last.begin(last.init)
            await self.lab.settle()
        assert not last.must_init, "a transaction does not end"

    async def _check(self) -> None:
        clients = [self.offsets, self.reader, *self.members, self.transactions]
        assert not any(client.is_busy for client in clients), "a request was never answered"
        self._check_logs()
        ends = self._check_ends()
        answers: list[int | None] = []

        async def fetch() -> None:
            for group_id, place in ((COMMITTING_GROUP, 0), (GROUP, 1)):
                broker = self.lab.leader(OFFSETS_TOPIC, place)
                topics = [OffsetFetchRequestTopics(name=DATA_TOPIC, partition_indexes=[0])]
                groups = [OffsetFetchRequestGroup(group_id=group_id, topics=topics)]
                answer = await broker.ask(OffsetFetchRequest(groups=groups, require_stable=True), 9)
                partition = answer.groups[0].topics[0].partitions[0]
                assert (answer.groups[0].error_code, partition.error_code) == (NONE, NONE)
                answers.append(partition.committed_offset)

        self.lab.nursery.start_soon(fetch)
        await self.lab.quiet()
        plain, transactional = answers
        assert plain is not None
        assert max(self.offsets.acknowledged, self.reader.read) <= plain <= self.offsets.tried
        client = self.transactions
        must = [offset for producer, offset in client.offsets.items() if ends.get(producer) is COMMIT]
        may = [offset for producer, offset in client.tried_offsets.items() if ends.get(producer) is COMMIT]
        assert transactional in {-1, *may}
        assert transactional >= max(must, default=-1)

    def _check_logs(self) -> None:
        """Both replicas are equal, and nothing is open."""
        for topic, index in self.lab.partitions():
            logs = [broker.replica(topic, index).log for broker in self.lab.brokers.values()]
            assert logs[0].log_end_offset == logs[1].log_end_offset
            assert [log.producers.first_open_transaction_offset for log in logs] == [-1, -1], f"{topic}-{index}"

    def _check_ends(self) -> dict[ProducerIdAndEpoch, ControlRecordType]:
        """How each transaction ended: equally in all of its partitions, and as its producer was told."""
        client = self.transactions
        ends: dict[ProducerIdAndEpoch, ControlRecordType] = {}
        stored: set[tuple[int, ProducerIdAndEpoch, int]] = set()
        for topic, index in self.lab.partitions():
            if topic == TRANSACTION_TOPIC:
                continue
            open_here: set[ProducerIdAndEpoch] = set()
            for header, records in self.lab.stored(topic, index):
                if header.producer_id < 0:
                    continue
                if header.is_control:
                    # A marker has the epoch after that of its transaction (transaction version 2).
                    producer = ProducerIdAndEpoch(header.producer_id, header.producer_epoch - 1)
                    end = read_control_record_type(records[0].key)
                    assert ends.setdefault(producer, end) is end, f"{producer} is committed and aborted"
                    open_here.discard(producer)
                else:
                    producer = ProducerIdAndEpoch(header.producer_id, header.producer_epoch)
                    open_here.add(producer)
                    if topic == DATA_TOPIC:
                        stored.add((index, producer, header.base_sequence))
            assert not open_here, f"no marker for {open_here} in {topic}-{index}"
        for producer, end in ends.items():
            assert end in client.asked[producer], f"{producer} ended in a way that nobody has asked for"
            assert client.acknowledged.get(producer, end) is end, f"{producer} was told otherwise"
        assert client.stored <= stored
        return ends


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_moves_nothing_is_lost_or_undone(tmp_path: Path, seed: int) -> None:
    lab = TwoBrokers(tmp_path, seed=seed)

    async def test() -> None:
        await Walk(lab).go()

    begin(lab, test)
