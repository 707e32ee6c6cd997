"""What groups of every type have in common: `Group`, and `GroupKind`, which owns the groups of one type in a shard.

A group is classic, consumer (KIP-848), share (KIP-932) or streams (KIP-1071). The four stand side by side: each type
has a package of its own, with its state, its records and what its requests decide, and knows nothing of the others.
What is asked of a group whatever its type (committed offsets, listing, deletion) is asked by the methods of `Group`.
One name is one group: `GroupDirectory` has all of a shard.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar, runtime_checkable

from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.coordinators.runtime import Decision
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.errors import ErrorCode
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse


T = TypeVar("T")


class GroupType(Enum):
    """The type of a group, named as in ListGroups."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


EMPTY_STATE = "Empty"
"""What every type calls a group without members."""


class Caller(NamedTuple):
    """The client of a request. `client_host` is written as Java does: with a slash before the address."""

    api_version: int
    client_id: str
    client_host: str
    may_describe: Callable[[str], bool] | None = None
    """Whether it may describe a topic, where there is an authorizer."""
    may_create: Callable[[str], bool] | None = None
    """The same of creating it."""


class Committer(NamedTuple):
    """Who commits offsets: a member, or an admin client (no member id, epoch -1). `epoch` is a classic member's
    generation or another member's epoch.
    """

    member_id: str
    group_instance_id: str | None
    epoch: int
    api_version: int
    is_transactional: bool = False


class OffsetAge(NamedTuple):
    """From when on the offsets of a group grow old."""

    since_ms: int | None
    """None: each from its commit."""


class Group(Protocol):
    """One group. Only its kind changes it; what is here changes nothing but timers. Errors are raised as KafkaError."""

    @property
    def group_id(self) -> str: ...

    @property
    def group_type(self) -> GroupType: ...

    @property
    def state_name(self) -> str:
        """As ListGroups names the state."""

    @property
    def protocol_type(self) -> str | None:
        """As ListGroups tells it; None is told as ""."""

    @property
    def is_empty(self) -> bool:
        """It has no members: it may be deleted, and a group of another type may take its name."""

    @property
    def is_stored(self) -> bool:
        """A record tells of it; without one it is a name under which offsets were committed."""

    @property
    def expires(self) -> bool:
        """Whether it is deleted when it has neither members nor offsets (KIP-211)."""

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic, so that its offsets neither expire nor can be deleted."""

    def tombstones(self) -> list[CoordinatorRecord]:
        """Tombstones for all its records, in the order in which Apache Kafka can load them; none for its offsets."""

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
        """Raises KafkaError: `committer` may not commit offsets for these topics, which exist."""

    def note_commit(self, member_id: str) -> None:
        """A member has committed offsets, which shows that it is alive."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Raises KafkaError: such a member may not fetch committed offsets. Others have no id and epoch -1."""

    def validate_offset_deletion(self) -> None:
        """Raises KafkaError: no offset of the group may be deleted now."""

    def offset_age(self) -> OffsetAge | None:
        """None: no offset expires now."""


@runtime_checkable
class ClassicHost(Protocol):
    """Serves the requests of the classic protocol to members of its groups, although these are not classic ones."""

    def join_classic(self, request: JoinGroupRequest, caller: Caller) -> Decision[JoinGroupResponse]:
        """Raises KafkaError, as the others."""

    def sync_classic(self, request: SyncGroupRequest) -> Decision[SyncGroupResponse]: ...

    def heartbeat_classic(self, request: HeartbeatRequest) -> ErrorCode: ...

    def leave_classic(self, group_id: str, members: list[MemberIdentity]) -> Decision[list[MemberResponse]]: ...


class GroupKind(Protocol):
    """The groups of one type in one shard; the only one that changes them."""

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:
        """Apply one of this type's records. `key` is what follows the type in the record's key.

        Raises MalformedMessage, UnsupportedVersion: nothing has changed.
        """

    def loaded(self) -> None:
        """The shard is in charge from now on: start the timers."""

    def resign(self) -> None:
        """The shard is no longer in charge: stop the timers, answer parked requests with NOT_COORDINATOR."""

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Topics, partitions or settings of groups have changed."""


class GroupDirectory:
    """All groups of a shard, by name. Each kind puts its own here and removes them."""

    def __init__(self, has_offsets: Callable[[str], bool], name_only: Callable[[str], Group]) -> None:
        """`name_only` makes the group that stands for committed offsets without any group."""
        self._groups: dict[str, Group] = {}
        self._has_offsets = has_offsets
        self._name_only = name_only

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group]:
        """Those that are there now: others may come and go meanwhile."""
        return iter([*self._groups.values()])

    def get(self, group_id: str) -> Group | None:
        return self._groups.get(group_id)

    def held(self, group_id: str, group_type: GroupType) -> Group | None:
        """The group that a record of this type is about; None: the name is free, or there are only offsets under it.

        Raises MalformedMessage: the name is that of a group of another type. A coordinator writes that group's
        tombstones first.
        """
        group = self._groups.get(group_id)
        if group is None or group.group_type is group_type:
            return group
        if group.is_stored:
            raise MalformedMessage(f"group {group_id!r} is a {group.group_type.value} group")
        return None

    def put(self, group: Group) -> None:
        """Add a group under a name that is free, or has only offsets."""
        self._groups[group.group_id] = group

    def remove(self, group_id: str) -> None:
        """The group is deleted. Offsets that it has left keep its name alive."""
        del self._groups[group_id]
        self.know_offsets(group_id)

    def know_offsets(self, group_id: str) -> None:
        """Offsets may have been committed under a name that no group has yet."""
        if group_id not in self._groups and self._has_offsets(group_id):
            self._groups[group_id] = self._name_only(group_id)


class InBackground(Protocol):
    """Has work done that takes too long for the event loop."""

    def __call__(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Call `work` in a worker thread, later `then` with its result in the event loop."""


class ShardParts(NamedTuple):
    """What a kind is given. `execute` appends and replays a decision that no request asked for; False: refused."""

    settings: CurrentSettings
    clock: Clock
    random: Random
    metadata: Metadata
    directory: GroupDirectory
    execute: Callable[[Decision[None]], bool]
    in_background: InBackground
    rebalance_classic: Callable[[str, str], None]
    """Ask the members of a classic group, which was a consumer group until now, to join again: (group id, reason)."""
