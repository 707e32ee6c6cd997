"""The fetch session of a follower with one leader (KIP-227): a request names only what has changed since the last one.

The first request of a session names every partition and has epoch 0. What the leader's session knows is what was sent
in it; when an answer was lost nobody can tell, and another session is begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.messages.fetch import FetchRequest, FetchTopic, ForgottenTopic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy_wire.messages.fetch import FetchPartition
    from kafkapy_wire.uuid import Uuid

NO_SESSION: Final = 0
INITIAL_EPOCH: Final = 0
EPOCH_MAX: Final = 0x7FFF_FFFF


class FollowerSession:
    """`begin_request` and `end_request` are called alternately; `reset` when a request has no answer."""

    def __init__(self) -> None:
        self._id = NO_SESSION
        self._epoch = INITIAL_EPOCH
        self._known: set[tuple[Uuid, int]] = set()

    @property
    def is_incremental(self) -> bool:
        """Whether the next request names only changed partitions."""
        return self._epoch != INITIAL_EPOCH

    def knows(self, key: tuple[Uuid, int]) -> bool:
        """Whether the leader's session has the partition."""
        return key in self._known

    def begin_request(
        self, wanted: Mapping[tuple[Uuid, int], FetchPartition], forgotten: Iterable[tuple[Uuid, int]]
    ) -> FetchRequest:
        """A request with the partitions that have changed, or with all of them where it is not incremental."""
        request = FetchRequest(session_id=self._id, session_epoch=self._epoch)
        topics: dict[Uuid, list[FetchPartition]] = {}
        for (topic_id, _), partition in wanted.items():
            topics.setdefault(topic_id, []).append(partition)
        request.topics = [FetchTopic(topic_id=topic_id, partitions=named) for topic_id, named in topics.items()]
        if self._epoch == INITIAL_EPOCH:
            self._known = set(wanted)
            return request
        dropped: dict[Uuid, list[int]] = {}
        for key in forgotten:
            if key in self._known and key not in wanted:
                dropped.setdefault(key[0], []).append(key[1])
                self._known.discard(key)
        request.forgotten_topics_data = [
            ForgottenTopic(topic_id=topic_id, partitions=indexes) for topic_id, indexes in dropped.items()
        ]
        self._known.update(wanted)
        return request

    def end_request(self, session_id: int) -> None:
        """The request was answered, without an error of the session, with this session id."""
        if session_id == NO_SESSION:  # the leader has no room for a session
            self.reset()
            return
        self._epoch = 1 if self._id != session_id or self._epoch == EPOCH_MAX else self._epoch + 1
        self._id = session_id

    def reset(self, *, close: bool = False) -> None:
        """Begin another session with the next request; with `close` it ends the present one."""
        if not close:
            self._id = NO_SESSION
        self._epoch = INITIAL_EPOCH
        self._known = set()
