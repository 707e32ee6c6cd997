"""How far share groups have come: start offsets described, altered and deleted by administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkapy.coordinators.group.share.membership import Initialization
from kafkapy.coordinators.group.share.states import Place, share_groups
from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import all_in_turns
from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.coordinators.group.share.states import GroupStates
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.coordinators.share.share_state import ShareState
    from kafkapy.metadata.ports import Metadata
    from kafkapy.pending import Pending
    from kafkapy_wire.uuid import Uuid

UNKNOWN = -1


class LatestOffsets(Protocol):
    """Asks the leaders of partitions, wherever they are, for the end of what is committed."""

    async def find(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | KafkaError]: ...


class Progress(NamedTuple):
    """How far a group has come in one partition."""

    start_offset: int = UNKNOWN
    leader_epoch: int = 0
    lag: int = UNKNOWN
    error: KafkaError | None = None


class ShareGroupOffsets:
    """Errors that concern a whole request are raised as KafkaError."""

    def __init__(
        self,
        shards: GroupShards,
        persister: SharePersister,
        metadata: Metadata,
        states: GroupStates,
        latest: LatestOffsets,
    ) -> None:
        self._shards = shards
        self._persister = persister
        self._metadata = metadata
        self._states = states
        self._latest = latest

    # -- describing

    async def initialized_partitions(self, group_id: str) -> dict[Uuid, list[int]]:
        """Those of topics that exist; none, if there is no such group. Raises KafkaError as `GroupShards.find_any`."""
        partition, shard = self._shards.find_any(group_id)
        image = self._metadata.image
        found = {
            topic_id: indexes
            for topic_id, indexes in share_groups(shard).initialized_partitions(group_id).items()
            if topic_id in image.topics_by_id
        }
        return await self._shards.runtime.read(partition, found).wait()

    async def describe(self, group_id: str, places: Sequence[Place]) -> dict[Place, Progress]:
        """Of partitions of topics that exist. What the share coordinator does not tell is unknown."""

        def ask(place: Place) -> Pending[ShareState | None]:
            summary = self._persister.read_summary(SharePartitionKey(group_id, *place))
            return summary.otherwise(lambda _: None)

        states = await all_in_turns(ask, places)
        by_id = self._metadata.image.topics_by_id
        turn = Turn()
        summaries: dict[Place, ShareState | None] = {}
        named: dict[Place, tuple[str, int]] = {}
        for place, state in zip(places, states, strict=True):
            summaries[place] = state
            if _has_lag(state) and place[0] in by_id:
                named[place] = (by_id[place[0]].name, place[1])
            await turn.share()
        ends = await self._latest.find([*named.values()]) if named else {}
        found: dict[Place, Progress] = {}
        for place, state in summaries.items():
            found[place] = _progress(state, ends.get(named[place]) if place in named else None)
            await turn.share()
        return found

    # -- altering

    async def alter(self, group_id: str, offsets: Mapping[Uuid, Mapping[int, int]]) -> dict[Place, KafkaError]:
        """Begin there: topic id -> partition -> start offset, all of which exist. The refusals of partitions.

        Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND (not a share group), NON_EMPTY_GROUP.
        """
        partition, shard = self._shards.find(group_id)
        decision = share_groups(shard).alter(group_id, offsets)
        state_epoch = await self._shards.runtime.execute(partition, decision).wait()
        return await self._states.initialize(Initialization(group_id, state_epoch, offsets))

    # -- deleting

    async def delete(self, group_id: str, topics: Sequence[str]) -> dict[str, KafkaError | None]:
        """Forget how far the group has come in these topics. None: done. Done ones come first.

        Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        partition, shard = self._shards.find(group_id)
        groups = share_groups(shard)
        runtime = self._shards.runtime
        wanted, unknown = await runtime.execute(partition, groups.delete_states(group_id, topics)).wait()
        places = [(topic_id, index) for topic_id, (_, indexes) in wanted.items() for index in indexes]
        refused: dict[Uuid, KafkaError] = {}
        for (topic_id, _), error in (await self._states.delete(group_id, places)).items():
            refused.setdefault(topic_id, error)
        done = frozenset(wanted.keys() - refused.keys())
        if done:
            partition, shard = self._shards.find(group_id)
            await runtime.execute(partition, share_groups(shard).states_deleted(group_id, done)).wait()
        return {
            **{wanted[topic_id][0]: None for topic_id in wanted if topic_id in done},
            **unknown,
            **{wanted[topic_id][0]: KafkaError(error.code) for topic_id, error in refused.items()},
        }


def _has_lag(state: ShareState | None) -> bool:
    return state is not None and state.start_offset != UNKNOWN and state.delivery_complete_count != UNKNOWN


def _progress(state: ShareState | None, end: int | KafkaError | None) -> Progress:
    if state is None:
        return Progress()
    if end is None:
        return Progress(state.start_offset, state.leader_epoch)
    if isinstance(end, KafkaError):
        return Progress(0, error=end)
    return Progress(state.start_offset, state.leader_epoch, end - state.start_offset - state.delivery_complete_count)
