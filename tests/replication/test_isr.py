"""The ISR changes by proposals to the controller (KIP-497, KIP-903), and every answer to them is dealt with."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.replication.isr_requests import IsrRequests
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
)
from tests.partitions.partition_lab import HERE, LAG_MS, OTHER, PartitionLab


class Proposing:
    """A leader, alone in its ISR, whose follower has caught up, and the request that comes of it."""

    def __init__(self, directory: Path) -> None:
        self.lab = PartitionLab(directory, isr=(HERE,))
        self.lab.produce(b"a")
        self.lab.partition.follower_fetched(OTHER, 1, now_ms=self.lab.now_ms, broker_epoch=0)
        self.requests = IsrRequests(HERE)
        (proposal,) = self.lab.proposals
        self.requests.submit(self.lab.partition, proposal)
        self.request = self.requests.next_request(9)

    def answer(
        self, code: int = 0, *, isr: tuple[int, ...] = (HERE, OTHER), epoch: int = 0, partition_epoch: int = 1
    ) -> bool:
        """Have the controller answer; returns whether to ask again."""
        data = AlterPartitionResponsePartitionData(
            partition_index=0, error_code=code, isr=list(isr), leader_epoch=epoch, partition_epoch=partition_epoch
        )
        topic = AlterPartitionResponseTopicData(topic_id=self.lab.partition.topic_id, partitions=[data])
        return self.requests.take(AlterPartitionResponse(topics=[topic]), self.lab.now_ms)

    @property
    def isr(self) -> tuple[int, ...]:
        assert self.lab.partition.followers is not None
        return self.lab.partition.followers.isr


@pytest.fixture
def proposing(tmp_path: Path) -> Proposing:
    return Proposing(tmp_path)


def test_a_proposal_names_the_epochs_of_the_brokers(proposing: Proposing) -> None:
    (topic,) = proposing.request.topics
    (asked,) = topic.partitions
    assert (proposing.request.broker_id, proposing.request.broker_epoch) == (HERE, 9)
    assert [(member.broker_id, member.broker_epoch) for member in asked.new_isr_with_epochs] == [(HERE, 9), (OTHER, 0)]
    assert (asked.leader_epoch, asked.partition_epoch, asked.leader_recovery_state) == (0, 0, 0)


def test_the_isr_is_proposed_in_the_order_of_the_brokers_ids(tmp_path: Path) -> None:
    """As Apache Kafka's leaders do: Metadata shows the ISR in this order."""
    lab = PartitionLab(tmp_path, replicas=(HERE, OTHER, 3), isr=(3, HERE))
    lab.partition.follower_fetched(OTHER, 0, now_ms=lab.now_ms, broker_epoch=0)
    assert [proposal.isr for proposal in lab.proposals] == [(HERE, OTHER, 3)]


def test_until_the_answer_the_high_watermark_waits_for_the_larger_isr(proposing: Proposing) -> None:
    lab = proposing.lab
    lab.now_ms += LAG_MS + 1  # the follower is not about to join for having been caught up
    lab.produce(b"b")
    assert lab.partition.high_watermark == 1
    proposing.answer()
    assert (proposing.isr, lab.partition.high_watermark) == ((HERE, OTHER), 1)
    lab.fetch(2)
    assert lab.partition.high_watermark == 2


def test_one_proposal_at_a_time(proposing: Proposing) -> None:
    lab = proposing.lab
    lab.fetch(1)
    lab.now_ms += LAG_MS + 1
    lab.partition.shrink_isr(now_ms=lab.now_ms)
    assert len(lab.proposals) == 1
    proposing.answer()
    lab.produce(b"b")
    lab.partition.shrink_isr(now_ms=lab.now_ms)
    assert [proposal.isr for proposal in lab.proposals] == [(HERE, OTHER), (HERE,)]


@pytest.mark.parametrize("code", [ErrorCode.INELIGIBLE_REPLICA, ErrorCode.OPERATION_NOT_ATTEMPTED])
def test_refused_for_now_the_next_fetch_proposes_again(code: ErrorCode, proposing: Proposing) -> None:
    assert not proposing.answer(code)
    assert proposing.isr == (HERE,)
    proposing.lab.fetch(1)
    assert len(proposing.lab.proposals) == 2


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.INVALID_UPDATE_VERSION,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NEW_LEADER_ELECTED,
        ErrorCode.INVALID_REQUEST,
    ],
)
def test_where_the_controller_knows_better_the_leader_waits_for_its_metadata(
    code: ErrorCode, proposing: Proposing
) -> None:
    lab = proposing.lab
    assert not proposing.answer(code)
    lab.fetch(1)
    assert (proposing.isr, len(lab.proposals)) == ((HERE,), 1)
    lab.become(isr=(HERE,), partition_epoch=5)
    lab.fetch(1)
    assert lab.proposals[-1].partition_epoch == 5


@pytest.mark.parametrize("code", [ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.REQUEST_TIMED_OUT, 9_999])
def test_after_any_other_error_it_is_asked_again(code: int, proposing: Proposing) -> None:
    assert proposing.answer(code)
    assert proposing.requests.next_request(9) == proposing.request
    assert not proposing.answer()
    assert proposing.isr == (HERE, OTHER)


def test_an_answer_without_the_partition_is_no_answer(proposing: Proposing) -> None:
    assert proposing.requests.take(AlterPartitionResponse(), 0)
    assert proposing.requests.next_request(9) == proposing.request


@pytest.mark.parametrize(
    "code", [ErrorCode.STALE_BROKER_EPOCH, ErrorCode.NOT_CONTROLLER, ErrorCode.UNKNOWN_SERVER_ERROR]
)
def test_refused_as_a_whole_it_is_asked_again(code: ErrorCode, proposing: Proposing) -> None:
    assert proposing.requests.take(AlterPartitionResponse(error_code=code), 0)
    assert proposing.requests.next_request(10).broker_epoch == 10


def test_a_lost_request_is_asked_again_unless_there_is_a_newer_proposal(proposing: Proposing) -> None:
    lab = proposing.lab
    lab.become(isr=(HERE,), partition_epoch=3)
    lab.fetch(1)
    proposing.requests.submit(lab.partition, lab.proposals[-1])
    proposing.requests.lost()
    (topic,) = proposing.requests.next_request(9).topics
    assert [asked.partition_epoch for asked in topic.partitions] == [3]


def test_an_answer_for_another_leader_epoch_is_left_to_the_metadata(proposing: Proposing) -> None:
    """Removing replicas ends the leader epoch: the answer to the AlterPartition that did it comes first."""
    proposing.answer(epoch=1)
    assert proposing.isr == (HERE,)


def test_metadata_that_is_older_than_the_controllers_answer_is_ignored(proposing: Proposing) -> None:
    proposing.answer(partition_epoch=4)
    isrs = []
    for partition_epoch in (3, 5):
        proposing.lab.become(isr=(HERE,), partition_epoch=partition_epoch)
        isrs.append(proposing.isr)
    assert isrs == [(HERE, OTHER), (HERE,)]


def test_an_answer_that_newer_metadata_has_overtaken_is_ignored(proposing: Proposing) -> None:
    proposing.lab.become(isr=(HERE,), partition_epoch=7)
    proposing.answer(partition_epoch=1)
    assert proposing.isr == (HERE,)


def test_the_same_metadata_again_leaves_the_proposal_alone(proposing: Proposing) -> None:
    proposing.lab.become(isr=(HERE,))
    proposing.answer()
    assert proposing.isr == (HERE, OTHER)


@pytest.mark.parametrize(
    ("registered", "proposed"),
    [({}, True), ({"fenced": True}, False), ({"in_controlled_shutdown": True}, False)],
    ids=["registered", "fenced", "shutting down"],
)
@pytest.mark.parametrize("broker_epoch", [0, -1])
def test_who_would_not_be_accepted_is_not_proposed(
    registered: dict[str, object], proposed: bool, broker_epoch: int, tmp_path: Path
) -> None:
    """A fetch before version 15 names no epoch (-1): then any goes."""
    lab = PartitionLab(tmp_path, isr=(HERE,))
    lab.register(**registered)
    lab.partition.follower_fetched(OTHER, 0, now_ms=lab.now_ms, broker_epoch=broker_epoch)
    assert bool(lab.proposals) is proposed


def test_a_fetch_of_an_earlier_run_of_the_broker_counts_for_nothing(tmp_path: Path) -> None:
    """It may have lost its disk since (KIP-903)."""
    lab = PartitionLab(tmp_path)
    lab.produce(b"a")
    lab.register(epoch=7)
    with pytest.raises(KafkaError) as refused:
        lab.partition.follower_fetched(OTHER, 1, now_ms=lab.now_ms, broker_epoch=6)
    assert refused.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert lab.partition.high_watermark == 0


def test_what_is_known_of_followers_ends_with_the_leader_epoch(tmp_path: Path) -> None:
    """Even where the same broker leads on: another may have led between, of which it has not heard."""
    lab = PartitionLab(tmp_path)
    lab.produce(b"a", b"b")
    lab.fetch(2)
    lab.produce(b"c")
    lab.fetch(3)
    lab.produce(b"d")
    lab.become(epoch=2, partition_epoch=2)
    assert lab.partition.high_watermark == 3
    lab.become(epoch=3, isr=(HERE,), partition_epoch=3)
    assert lab.partition.high_watermark == 4
