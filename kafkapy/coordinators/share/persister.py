"""The state of share partitions for those that use it: group coordinators and leaders of partitions.

What this broker coordinates is asked in a plain call; the rest goes to the coordinating brokers, questions of one kind
about one group in one request. A coordinator that moves, loads, or cannot be reached is asked again, as in Apache
Kafka: after one second, two, four and eight.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.coordinators.broker_queues import BrokerQueues
from kafkapy.coordinators.share.state_requests import (
    Delete,
    Initialize,
    Read,
    ReadSummary,
    StateRequest,
    Write,
    error_of,
    request_to_broker,
    results_of,
)
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending, attempt
from kafkapy_controller.image import NO_LEADER
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.share.coordinator import ShareCoordinator
    from kafkapy.coordinators.share.share_partition_key import SharePartitionKey
    from kafkapy.coordinators.share.share_state import ShareState, ShareStateUpdate
    from kafkapy.coordinators.transaction.ports import OtherBrokers
    from kafkapy.settings.current import CurrentSettings

logger = logging.getLogger("kafkapy.share_groups")

PURPOSE: Final = "share-state"
ATTEMPTS_MAX: Final = 5
BACKOFF_MS: Final = 1_000
BACKOFF_JITTER: Final = 0.2
PARTITIONS_AT_ONCE_MAX: Final = 500
"""Of one request to another broker."""
ASKED_AGAIN: Final = frozenset(
    {
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NETWORK_EXCEPTION,
    }
)
GAVE_UP: Final = "Exhausted max retries to complete {} RPC without success."


class _Queued(NamedTuple):
    key: SharePartitionKey
    question: StateRequest
    answer: Pending[Any]


class SharePersister:
    """Asks about the state of share partitions, wherever it is. Answers are refused with KafkaError."""

    def __init__(
        self,
        coordinator: ShareCoordinator,
        others: OtherBrokers,
        settings: CurrentSettings,
        clock: Clock,
        random: Random,
        *,
        node_id: int,
    ) -> None:
        self._coordinator = coordinator
        self._others = others
        self._settings = settings
        self._clock = clock
        self._random = random
        self._node_id = node_id
        self._queues: BrokerQueues[_Queued] = BrokerQueues(self._send)

    async def run(self) -> None:
        """Send to other brokers, until cancelled."""
        await self._queues.run()

    def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> Pending[None]:
        return self._ask(key, Initialize(state_epoch, start_offset))

    def read(self, key: SharePartitionKey, leader_epoch: int) -> Pending[ShareState]:
        return self._ask(key, Read(leader_epoch))

    def write(
        self, key: SharePartitionKey, update: ShareStateUpdate, *, state_epoch: int, leader_epoch: int
    ) -> Pending[None]:
        return self._ask(key, Write(update, state_epoch, leader_epoch))

    def read_summary(self, key: SharePartitionKey, leader_epoch: int = -1) -> Pending[ShareState | None]:
        """None, or a state with start offset -1: it was never initialized."""
        return self._ask(key, ReadSummary(leader_epoch))

    def delete(self, key: SharePartitionKey) -> Pending[None]:
        return self._ask(key, Delete())

    def _ask(self, key: SharePartitionKey, question: StateRequest) -> Pending[Any]:
        asking = _Asking(key, question, self._ask_once, self._clock, self._random)
        asking.go_on()
        return asking.answer

    def _ask_once(self, key: SharePartitionKey, question: StateRequest) -> Pending[Any]:
        def ask(_: None) -> Pending[Any]:
            broker_id = self._coordinator.coordinator_of(key)
            if broker_id == self._node_id:
                return question.ask(key, self._coordinator)
            if broker_id == NO_LEADER:
                raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            answer: Pending[Any] = Pending()
            self._queues.put(broker_id, _Queued(key, question, answer))
            return answer

        return attempt(lambda: self._coordinator.when_ready(key).and_then(ask))

    async def _send(self, broker_id: int, queued: list[_Queued]) -> list[_Queued]:
        sent, left = _chosen(queued)
        request = request_to_broker(sent[0].key.group_id, [(one.key, one.question) for one in sent])
        found: dict[Any, Any] = {}
        try:
            peer = self._others.broker(broker_id, PURPOSE)
            answer = await peer.ask(request, timeout_ms=self._settings.now.network.request_timeout_ms)
            found = results_of(answer)
        except PeerUnavailable as reason:
            logger.info("broker %d has not answered about the state of share groups: %s", broker_id, reason)
        for one in sent:
            entry = found.get((one.key.topic_id, one.key.partition))
            error = KafkaError(ErrorCode.NETWORK_EXCEPTION) if entry is None else error_of(entry)
            if error is None:
                one.answer.answer(one.question.result(entry))
            else:
                one.answer.refuse(error)
        return left


class _Asking:
    """One question, asked until there is an answer or another error, `ATTEMPTS_MAX` times."""

    def __init__(self, key: SharePartitionKey, question: StateRequest, ask: Any, clock: Clock, random: Random) -> None:
        self._key = key
        self._question = question
        self._ask = ask
        self._clock = clock
        self._random = random
        self._attempts = 0
        self.answer: Pending[Any] = Pending()

    def go_on(self) -> None:
        self._attempts += 1
        self._ask(self._key, self._question).map(self.answer.answer).otherwise(self._ask_again)

    def _ask_again(self, error: KafkaError) -> None:
        if error.code not in ASKED_AGAIN:
            self._refuse(error.code, error.message)
        elif self._attempts == ATTEMPTS_MAX:
            self._refuse(error.code, GAVE_UP.format(self._question.what))
        else:
            delay_ms = BACKOFF_MS * 2 ** (self._attempts - 1)
            jitter = self._random.uniform(1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER)
            self._clock.call_later(delay_ms * jitter, self.go_on)

    def _refuse(self, code: ErrorCode, message: str | None) -> None:
        self.answer.refuse(KafkaError(code, f"Error in {self._question.what} RPC. {message or code.name}"))


def _chosen(queued: list[_Queued]) -> tuple[list[_Queued], list[_Queued]]:
    """What goes into one request: one group, one kind of question, no partition twice; and the rest."""
    kind, group_id = type(queued[0].question), queued[0].key.group_id
    sent: list[_Queued] = []
    left: list[_Queued] = []
    keys: set[SharePartitionKey] = set()
    for one in queued:
        fits = one.key.group_id == group_id and type(one.question) is kind and len(sent) < PARTITIONS_AT_ONCE_MAX
        if fits and one.key not in keys:
            keys.add(one.key)
            sent.append(one)
        else:
            left.append(one)
    return sent, left
