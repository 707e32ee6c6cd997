"""Records that a share group gives up go into its dead letter topic: `errors.deadletterqueue.*` (share.version 2).

A record that is rejected, or was delivered too often, is *archiving*: nobody gets it, and it is stored as such. Then it
is written into the dead letter topic, and archived. If it cannot be written, that is logged, and it is archived all the
same. A new leader begins anew with what it finds archiving: a record may be in the topic twice, but not be missing.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.sharing.dead_letter import DeadLetter
    from kafkapy.sharing.dead_letter_topic import DeadLetterTopic
    from kafkapy.sharing.share_partition import SharePartition

logger = logging.getLogger("kafkapy.share_groups")

ATTEMPTS_MAX: Final = 5
BACKOFF_MS: Final = 1_000
BACKOFF_JITTER: Final = 0.2
RECORDS_AT_ONCE_MAX: Final = 500
"""Of one batch: five milliseconds to build."""
TRIED_AGAIN: Final = frozenset(
    {
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        ErrorCode.TOPIC_ALREADY_EXISTS,
        ErrorCode.LEADER_NOT_AVAILABLE,
    }
)


class DeadLetters:
    """Those of all share partitions of this broker: one batch at a time of each, in order."""

    def __init__(
        self,
        topic: DeadLetterTopic,
        is_wanted: Callable[[SharePartition], bool],
        clock: Clock,
        random: Random,
    ) -> None:
        """`is_wanted` tells whether this broker still has to write what was given up of a share partition."""
        self._topic = topic
        self._is_wanted = is_wanted
        self._clock = clock
        self._random = random
        self._queues: dict[SharePartition, list[DeadLetter]] = {}
        self._writing: set[SharePartition] = set()
        self._new = trio.Event()

    def put(self, share_partition: SharePartition, letters: Iterable[DeadLetter]) -> None:
        """Write them, and then call `share_partition.buried`."""
        self._queues.setdefault(share_partition, []).extend(letters)
        self._new.set()

    async def run(self) -> None:
        """Write what is put, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._new.wait()
                self._new = trio.Event()
                for share_partition in [each for each in self._queues if each not in self._writing]:
                    self._writing.add(share_partition)
                    nursery.start_soon(self._write_all, share_partition)

    async def _write_all(self, share_partition: SharePartition) -> None:
        try:
            while letters := self._queues.pop(share_partition, None):
                await self._write(share_partition, letters)
        finally:
            self._writing.discard(share_partition)

    async def _write(self, share_partition: SharePartition, letters: list[DeadLetter]) -> None:
        """Write letters, batch by batch, and tell the share partition of each letter that is done."""
        offsets = deque(sorted((offset, letter) for letter in letters for offset in letter.offsets))
        left = Counter(letter for _, letter in offsets)
        group_id, source = share_partition.key.group_id, share_partition.partition
        turn = Turn()
        while offsets and self._is_wanted(share_partition):
            await turn.share()
            wanted = [offsets.popleft() for _ in range(min(len(offsets), RECORDS_AT_ONCE_MAX))]
            written = len(wanted)
            try:
                await self._again(partial(self._topic.prepare, group_id))
                records = await self._topic.records(group_id, source, wanted)
                written = len(records)
                await self._again(partial(self._topic.append, group_id, source.index, records))
            except KafkaError as error:
                logger.error(
                    "records of %s, offsets %d to %d, are given up and are not in the dead letter queue: %s",
                    share_partition,
                    wanted[0][0],
                    wanted[written - 1][0],
                    error,
                )
            offsets.extendleft(reversed(wanted[written:]))
            done = []
            for _, letter in wanted[:written]:
                left[letter] -= 1
                if not left[letter]:
                    done.append(letter)
            if done:
                share_partition.buried(done)

    async def _again(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Five attempts, about one second after the first, two after the second, and so on. Raises KafkaError."""
        for delay_ms in [BACKOFF_MS * 2**exponent for exponent in range(ATTEMPTS_MAX - 1)]:
            try:
                return await attempt()
            except KafkaError as error:
                if error.code not in TRIED_AGAIN:
                    raise
            await self._clock.sleep(delay_ms * self._random.uniform(1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER))
        return await attempt()
