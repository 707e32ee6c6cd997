"""Which partitions of a follower's session have news for it, so that a fetch reads only those.

A follower of thousands of partitions fetches whenever one of them has a record. Reading all of them each time would
take longer than all else. So the session watches its partitions from fetch to fetch: a partition is to be read if the
follower has named it in a request, if records were appended, if the high watermark or the log start has moved, if the
role has changed, or as long as the follower is not in the ISR (then each fetch may have it join).

Apache Kafka reads all partitions with each fetch, and thereby notes when a follower was last caught up. Here this is
noted with the first append after which it is no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.fetching.fetch_key import FetchKey
    from kafkapy.partitions.partition import Partition


class FollowerProgress:
    """Of one session. `unread`: the partitions that the next answer must look at, each with the number of its latest
    news.
    """

    __slots__ = (
        "_appended",
        "_committed",
        "_fetched_ms",
        "_follower_id",
        "_is_closed",
        "_key_of",
        "_news_count",
        "_partition_of",
        "_tell",
        "_tell_commit",
        "unread",
    )

    def __init__(self) -> None:
        self.unread: dict[FetchKey, int] = {}
        self._news_count = 0
        self._key_of: dict[Partition, FetchKey] = {}
        self._partition_of: dict[FetchKey, Partition] = {}
        self._follower_id = -1
        self._fetched_ms = 0
        self._is_closed = False
        self._tell: Callable[[Partition, bool], None] | None = None
        self._tell_commit: Callable[[Partition, bool], None] | None = None
        # Bound once: every partition of the session holds them.
        self._appended: Callable[[Partition, bool], None] = self._note_append
        self._committed: Callable[[Partition, bool], None] = self._note_commit

    def begin_fetch(self, follower_id: int, named: Iterable[FetchKey], now_ms: int) -> None:
        """A fetch of the session has come, which names these partitions."""
        self._follower_id = follower_id
        self._fetched_ms = now_ms
        for key in named:
            self.mark(key)

    def mark(self, key: FetchKey) -> None:
        """The next answer must look at the partition."""
        self._news_count += 1
        self.unread[key] = self._news_count

    @property
    def has_partitions(self) -> bool:
        """Whether any partition was found."""
        return bool(self._key_of)

    def key_of(self, partition: Partition) -> FetchKey | None:
        return self._key_of.get(partition)

    def partitions_of_unread(self) -> list[Partition]:
        return [self._partition_of[key] for key in self.unread if key in self._partition_of]

    def found(self, key: FetchKey, partition: Partition) -> None:
        """A partition of the session was found: watch it, until the session ends or forgets it.

        A fetch that is read in turns may outlive its session.
        """
        if self._is_closed:
            return
        known = self._partition_of.get(key)
        if known is partition:
            return
        if known is not None:
            self._unwatch(key, known)
        self._partition_of[key] = partition
        self._key_of[partition] = key
        partition.watch(self, self._appended, appends=True)
        partition.watch(self, self._committed)

    def sent(self, read: Iterable[tuple[FetchKey, int]]) -> None:
        """The answer is sent after which the follower knows all of these partitions, but for later news."""
        for key, news in read:
            if self.unread.get(key) == news:
                del self.unread[key]

    def wait(self, tell: Callable[[Partition, bool], None] | None, *, for_commits: bool = False) -> None:
        """Call `tell(partition, at_once)` with news that may end the wait of a fetch; None: no fetch waits.

        Those are appends and changes of the role, and with `for_commits` a high watermark that has moved.
        """
        self._tell = tell
        self._tell_commit = tell if for_commits else None

    def _note_append(self, partition: Partition, at_once: bool) -> None:
        key = self._key_of[partition]
        if key not in self.unread and partition.followers is not None:
            partition.followers.note_caught_up(self._follower_id, self._fetched_ms)
        self.mark(key)
        if self._tell is not None:
            self._tell(partition, at_once)

    def _note_commit(self, partition: Partition, at_once: bool) -> None:
        self.mark(self._key_of[partition])
        if self._tell_commit is not None:
            self._tell_commit(partition, at_once)

    def forget(self, key: FetchKey) -> None:
        """The session does not have the partition any more."""
        self.unread.pop(key, None)
        partition = self._partition_of.pop(key, None)
        if partition is not None:
            self._unwatch(key, partition)

    def _unwatch(self, key: FetchKey, partition: Partition) -> None:
        partition.unwatch(self)
        if self._key_of.get(partition) == key:
            del self._key_of[partition]

    def close(self) -> None:
        """The session has ended."""
        self._is_closed = True
        for partition in self._key_of:
            partition.unwatch(self)
        self._key_of, self._partition_of, self.unread = {}, {}, {}
