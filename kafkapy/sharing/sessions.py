"""Share sessions: which partitions each member of a share group fetches from this broker (KIP-932).

A session is opened by a ShareFetch with epoch 0, belongs to the connection that opened it, and each further request has
the next epoch. When it ends, by epoch -1 or with its connection, what the member has acquired becomes available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkapy_wire.uuid import Uuid

NEW_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
_EPOCH_MAX: Final = 2**31 - 1


class Connected(Protocol):
    """The client at one connection: see `context.Client`."""

    number: int

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the connection is closed."""


class SessionKey(NamedTuple):
    group_id: str
    member_id: str


class WantedPartition(NamedTuple):
    topic_id: Uuid
    partition: int


class _Kept:
    """What a session knows of a partition."""

    __slots__ = ("is_required", "topic")

    def __init__(self, topic: str, *, is_required: bool) -> None:
        self.topic = topic
        """Its name when the partition was added; "": there was no such topic."""
        self.is_required = is_required
        """The next answer must have the partition."""


class ShareSession:
    """`partitions`: in the order in which they are fetched."""

    __slots__ = ("client_number", "epoch", "key", "partitions")

    def __init__(self, key: SessionKey, wanted: Mapping[WantedPartition, str], client_number: int) -> None:
        self.key = key
        self.partitions = {one: _Kept(topic, is_required=False) for one, topic in wanted.items()}
        self.epoch = next_epoch(NEW_EPOCH)
        self.client_number = client_number


def next_epoch(epoch: int) -> int:
    return 1 if epoch == _EPOCH_MAX else epoch + 1


class ShareFetchPlan:
    """What one ShareFetch is about: partitions with the names of their topics. `session` is None in the first and the
    last fetch of a session.
    """

    __slots__ = ("_expected_epoch", "is_final", "partitions", "session")

    def __init__(
        self, partitions: Mapping[WantedPartition, str], session: ShareSession | None, *, is_final: bool = False
    ) -> None:
        self.partitions = partitions
        self.session = session
        self.is_final = is_final
        self._expected_epoch = 0 if session is None else session.epoch

    @property
    def is_overtaken(self) -> bool:
        """Whether another request of the session was begun meanwhile."""
        return self.session is not None and self.session.epoch != self._expected_epoch

    def must_tell(self, wanted: WantedPartition, *, has_records: bool, has_error: bool) -> bool:
        """Whether the answer has to say something of a partition; notes what the next one must say."""
        session = self.session
        if session is None:
            return True
        kept = session.partitions.get(wanted)
        if kept is None:  # it was forgotten while this fetch has waited
            return has_records or has_error
        must = kept.is_required or has_records or has_error
        kept.is_required = has_error
        if has_records:  # it comes last the next time, so that each partition gets its share of the answer
            session.partitions[wanted] = session.partitions.pop(wanted)
        return must


class ShareSessions:
    """All share sessions of this broker, at most `limit()` (group.share.max.share.sessions).

    `release(key, partitions)` makes available what a member has acquired; `group_left(group id)`: no member of the
    group is connected any more.
    """

    def __init__(
        self,
        limit: Callable[[], int],
        release: Callable[[SessionKey, list[WantedPartition]], None],
        group_left: Callable[[str], None],
    ) -> None:
        self._limit = limit
        self._release = release
        self._group_left = group_left
        self._sessions: dict[SessionKey, ShareSession] = {}
        self._counts: dict[str, int] = {}
        """Sessions by group."""
        self._last_of: dict[int, SessionKey] = {}
        """By the number of the connection, the session that it has opened last."""

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(
        self,
        key: SessionKey,
        epoch: int,
        wanted: Mapping[WantedPartition, str],
        forgotten: Iterable[WantedPartition],
        client: Connected,
        *,
        acknowledges: bool,
    ) -> ShareFetchPlan:
        """Raises KafkaError: SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED;
        INVALID_REQUEST, the first request of a session acknowledges records.
        """
        session = self._sessions.get(key)
        if epoch == NEW_EPOCH:
            return self._open(key, wanted, client, acknowledges=acknowledges)
        if session is None:
            raise KafkaError(ErrorCode.SHARE_SESSION_NOT_FOUND)
        if epoch == FINAL_EPOCH:
            return ShareFetchPlan({}, None, is_final=True)
        if session.epoch != epoch:
            raise KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        for one, topic in wanted.items():
            if one not in session.partitions:
                session.partitions[one] = _Kept(topic, is_required=True)
        for one in forgotten:
            session.partitions.pop(one, None)
        session.epoch = next_epoch(session.epoch)
        return ShareFetchPlan({one: kept.topic for one, kept in session.partitions.items()}, session)

    def _open(
        self, key: SessionKey, wanted: Mapping[WantedPartition, str], client: Connected, *, acknowledges: bool
    ) -> ShareFetchPlan:
        if acknowledges:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        self._remove(key)
        if len(self._sessions) >= self._limit():
            raise KafkaError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
        self._sessions[key] = ShareSession(key, wanted, client.number)
        self._counts[key.group_id] = self._counts.get(key.group_id, 0) + 1
        if client.number not in self._last_of:
            client.when_closed(lambda: self._connection_closed(client.number))
        self._last_of[client.number] = key
        return ShareFetchPlan(wanted, None)

    def acknowledge(self, key: SessionKey, epoch: int) -> None:
        """A ShareAcknowledge of the session.

        Raises KafkaError: SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH.
        """
        if epoch == NEW_EPOCH:
            raise KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        session = self._sessions.get(key)
        if session is None:
            raise KafkaError(ErrorCode.SHARE_SESSION_NOT_FOUND)
        if epoch == FINAL_EPOCH:
            return
        if session.epoch != epoch:
            raise KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        session.epoch = next_epoch(session.epoch)

    def end(self, key: SessionKey) -> None:
        """The member has ended its session."""
        session = self._remove(key)
        if session is not None:
            self._release(key, list(session.partitions))

    def close(self) -> None:
        """Forget all sessions: share groups are not served any more."""
        self._sessions.clear()
        self._counts.clear()

    def _remove(self, key: SessionKey) -> ShareSession | None:
        session = self._sessions.pop(key, None)
        if session is not None:
            self._counts[key.group_id] -= 1
            if self._last_of.get(session.client_number) == key:
                # The connection may stay, and its end must still be noticed: see `_connection_closed`.
                self._last_of[session.client_number] = key._replace(member_id="")
        return session

    def _connection_closed(self, client_number: int) -> None:
        key = self._last_of.pop(client_number, None)
        if key is None:
            return
        if key.member_id:
            self.end(key)
        if not self._counts.get(key.group_id):
            self._counts.pop(key.group_id, None)
            self._group_left(key.group_id)
