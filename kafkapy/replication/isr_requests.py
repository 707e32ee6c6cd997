"""The ISRs that partitions of this broker have proposed, until the controller has answered them (KIP-497). Sans-IO.

One AlterPartition request is under way at a time, with all that was proposed meanwhile. What has no answer is asked
again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    BrokerState,
)

if TYPE_CHECKING:
    from kafkapy.partitions.followers import IsrProposal, Proposer
    from kafkapy_wire.messages.alter_partition import AlterPartitionResponse, AlterPartitionResponsePartitionData
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.replication")

PARTITIONS_PER_REQUEST_MAX: Final = 1_000
RECOVERED: Final = 0


class IsrRequests:
    """Call `next_request`; then `take` with the answer, or `lost` without one; then `next_request` again."""

    def __init__(self, node_id: int) -> None:
        self._node_id = node_id
        self._unsent: dict[tuple[Uuid, int], tuple[Proposer, IsrProposal]] = {}
        self._sent: dict[tuple[Uuid, int], tuple[Proposer, IsrProposal]] = {}

    def __bool__(self) -> bool:
        """Whether anything is to be sent."""
        return bool(self._unsent)

    def submit(self, partition: Proposer, proposal: IsrProposal) -> None:
        """Ask for the proposal with the next request. It takes the place of an earlier one that was not sent yet."""
        self._unsent[partition.topic_id, partition.index] = (partition, proposal)

    def next_request(self, broker_epoch: int) -> AlterPartitionRequest:
        """The request with what was submitted; `broker_epoch` is this broker's."""
        request = AlterPartitionRequest(broker_id=self._node_id, broker_epoch=broker_epoch)
        topics: dict[Uuid, AlterPartitionRequestTopicData] = {}
        for key in list(self._unsent)[:PARTITIONS_PER_REQUEST_MAX]:
            topic_id, index = key
            _, proposal = self._sent[key] = self._unsent.pop(key)
            topic = topics.get(topic_id)
            if topic is None:
                topic = topics[topic_id] = AlterPartitionRequestTopicData(topic_id=topic_id)
            topic.partitions.append(
                AlterPartitionRequestPartitionData(
                    partition_index=index,
                    leader_epoch=proposal.leader_epoch,
                    new_isr_with_epochs=[
                        BrokerState(
                            broker_id=member.broker_id,
                            broker_epoch=broker_epoch if member.broker_id == self._node_id else member.broker_epoch,
                        )
                        for member in proposal.members
                    ],
                    # Whoever leads has recovered: as in Apache Kafka, an unclean leader takes its log as it is.
                    leader_recovery_state=RECOVERED,
                    partition_epoch=proposal.partition_epoch,
                )
            )
        request.topics = list(topics.values())
        return request

    def lost(self) -> None:
        """The request has no answer: ask again, but for what was proposed anew since."""
        self._unsent = {**self._sent, **self._unsent}
        self._sent = {}

    def take(self, response: AlterPartitionResponse, now_ms: int) -> bool:
        """Tell the partitions. Returns whether something of the request must be asked for again."""
        if response.error_code:
            name = _name(response.error_code)
            logger.info("the controller refuses changes of ISRs with %s: they are asked for again", name)
            self.lost()
            return True
        again = {}
        for topic in response.topics:
            for answer in topic.partitions:
                key = (topic.topic_id, answer.partition_index)
                sent = self._sent.pop(key, None)
                if sent is not None and not _tell(*sent, answer, now_ms):
                    again[key] = sent
        self._sent.update(again)  # to those that the answer has left out
        must_ask_again = bool(self._sent)
        self.lost()
        return must_ask_again


def _tell(partition: Proposer, proposal: IsrProposal, answer: AlterPartitionResponsePartitionData, now_ms: int) -> bool:
    """Tell the partition what the controller has answered. Returns False if it wants to ask again."""
    if not answer.error_code:
        logger.info("%s: the ISR is now %s", partition, answer.isr)
        partition.isr_changed(
            proposal,
            isr=tuple(answer.isr),
            leader_epoch=answer.leader_epoch,
            partition_epoch=answer.partition_epoch,
            now_ms=now_ms,
        )
        return True
    logger.info("%s: the controller refuses the ISR %s with %s", partition, proposal.isr, _name(answer.error_code))
    return not partition.isr_refused(proposal, answer.error_code)


def _name(code: int) -> str:
    return ErrorCode(code).name if code in ErrorCode.__members__.values() else f"error {code}"
