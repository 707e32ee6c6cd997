"""Seeds applied to running nodes: all of a seed, or nothing of it.

A seed is looked through twice before anything is changed: first by itself, then against the topics, groups and ACLs
that are there. What can fail afterwards is the cluster, as by a full disk; then the topics, groups and ACLs that the
seed has made are deleted again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from kafkapy.control.groups import NewCommit, commit, delete_group, describe_group, list_groups
from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.control.seed_acls import check_acls, create_acls, delete_acls
from kafkapy.control.seed_records import PartitionWriter, batch_bytes_max, fits
from kafkapy.control.topics import delete_topics
from kafkapy.control.values import SeedCounts
from kafkapy.nearest import nearest
from kafkapy.seeds.entries import SeedRecord
from kafkapy.seeds.placing import Placing
from kafkapy.seeds.plan import Plan
from kafkapy.seeds.seed import Seed
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.partitions.partition import Partition
    from kafkapy.seeds.entries import SeedGroup, SeedTopic
    from kafkapy.settings import TopicSettings
    from kafkapy_controller.acl import Acl

DEFAULT: Final = -1
TIMEOUT_MS: Final = 30_000
UNDO_SECONDS: Final = 10.0
TOPIC_RESOURCE: Final = 2
FIELDS_OF_REFUSALS: Final = {
    ErrorCode.INVALID_PARTITIONS: "partitions",
    ErrorCode.INVALID_REPLICATION_FACTOR: "replicas",
    ErrorCode.INVALID_CONFIG: "settings",
}


async def seed(nodes: ControlledNodes, seed: Mapping[str, Any]) -> SeedCounts:
    """Make topics, store records, commit offsets, make ACLs: all of it, or nothing where something is wrong.

    `{"topics": {"orders": 3}, "records": {"orders": [{"key": "alice", "value": "1 tea"}]}, "groups": {"shop":
    {"orders": {"0": 1}}}}`. A body of JSON lines (Content-Type: application/jsonl) is a seed of any length.
    """
    return await apply_seed(nodes, Seed.of(seed))


async def seed_from(nodes: ControlledNodes, source: str | Mapping[str, Any]) -> SeedCounts:
    """The same, of an object or of the file or directory at a path of this machine."""
    return await apply_seed(nodes, await trio.to_thread.run_sync(seed_of, source))


def seed_of(source: str | Mapping[str, Any]) -> Seed:
    """Of the file or directory at a path, or of an object. Blocks. Raises InvalidSeed."""
    return Seed.read(Path(source)) if isinstance(source, str) else Seed.of(source)


async def apply_seed(nodes: ControlledNodes, seed: Seed) -> SeedCounts:
    """Apply a seed. Raises InvalidSeed: nothing was changed; KafkaError: what was made is deleted again."""
    plan = await Plan.of(seed)
    async with nodes.changing_all:
        return await _apply(nodes, seed, plan)


async def apply_seed_at_start(nodes: ControlledNodes) -> None:
    """Apply what the cluster was asked to begin with. To be called with `changing_all` held, or by its start."""
    if nodes.seed_at_start is not None:
        await _apply(nodes, nodes.seed_at_start, await Plan.of(nodes.seed_at_start))


async def _apply(nodes: ControlledNodes, seed: Seed, plan: Plan) -> SeedCounts:
    target = _Target(nodes, plan)
    await target.check_topics()
    await target.check_groups()
    target.new_acls = check_acls(nodes, plan)
    await _check_records(seed, target)
    applied = False
    try:
        await target.create_topics()
        await _store_records(seed, target)
        for group in plan.groups.values():
            await commit(nodes, group.group_id, _commits(group))
        await create_acls(nodes, target.new_acls)
        applied = True
    finally:
        if not applied:
            with trio.move_on_after(UNDO_SECONDS, shield=True):
                await target.undo()
    return SeedCounts(topics=len(plan.topics), records=plan.record_count, groups=len(plan.groups), acls=len(plan.acls))


class _Target:
    """The topics that a seed is about, those that exist and those that it makes; its groups and ACLs."""

    def __init__(self, nodes: ControlledNodes, plan: Plan) -> None:
        self.nodes = nodes
        self.plan = plan
        self.new = [topic for name, topic in plan.topics.items() if name not in nodes.image.topics]
        self.partition_counts: dict[str, int] = {}
        self.new_acls: list[Acl] = []
        self._new_groups: list[str] = []
        self._settings: dict[str, TopicSettings] = {}
        self._made_topics = False

    # -- checks

    async def check_topics(self) -> None:
        """Raises InvalidSeed."""
        image = self.nodes.image
        for topic in self.plan.topics.values():
            _check_setting_names(topic)
            if topic.name in image.topics:
                self._check_existing(topic)
        defaults = self.nodes.brokers[0].settings.now.topics.num_partitions
        if self.new:
            answer = await self._ask_for_topics(validate_only=True)
            for result in answer.topics:
                if result.error_code:
                    raise _refused(self.plan.topics[result.name], result.error_code, result.error_message, self.nodes)
        for topic in self.new:
            self.partition_counts[topic.name] = topic.partitions or defaults
        for name, record in self.plan.first_records.items():
            if name not in self.partition_counts and name not in image.topics:
                known = [*self.partition_counts, *image.topics]
                raise record.place.refusal(
                    "topic", f"there is no topic {name!r}, and the seed makes none", nearest(name, known)
                )
        for name in self.plan.record_counts:
            if name in image.topics:
                self.partition_counts[name] = len(image.topics[name].partitions)

    def _check_existing(self, topic: SeedTopic) -> None:
        there = self.nodes.image.topics[topic.name]
        self.partition_counts[topic.name] = count = len(there.partitions)
        if topic.partitions not in (None, count):
            raise topic.place.refusal(
                "partitions", f"topic {topic.name!r} is there already, with {count} partitions", str(count)
            )
        replicas = len(there.partitions[0].replicas)
        if topic.replicas not in (None, replicas):
            raise topic.place.refusal(
                "replicas", f"topic {topic.name!r} is there already, with {replicas} replicas", str(replicas)
            )
        settings = self.nodes.image.resource_configs(TOPIC_RESOURCE, topic.name)
        for name, value in topic.settings.items():
            if settings.get(name) != value:
                has = f"with {settings[name]!r}" if name in settings else "without it"
                raise topic.place.refusal(f"settings.{name}", f"topic {topic.name!r} is there already, {has}")

    async def check_groups(self) -> None:
        """Raises InvalidSeed."""
        size_max = self.nodes.brokers[0].settings.now.groups.offset_metadata_max_bytes
        there = set(await list_groups(self.nodes)) if self.plan.groups else set()
        for group in self.plan.groups.values():
            for (topic, index), (_, metadata) in group.offsets.items():
                self._check_committed(group, topic, index)
                if len(metadata.encode()) > size_max:
                    raise group.place.refusal(
                        f"offsets.{topic}.{index}.metadata",
                        f"it has more than {size_max} bytes (offset.metadata.max.bytes)",
                    )
            if group.group_id not in there:
                self._new_groups.append(group.group_id)
            elif members := (await describe_group(self.nodes, group.group_id)).members:
                raise group.place.refusal(
                    "group", f"group {group.group_id!r} has {len(members)} members now, which commit for it"
                )

    def _check_committed(self, group: SeedGroup, topic: str, index: int) -> None:
        count = self._count_of(topic)
        if count is None:
            known = [*self.partition_counts, *self.nodes.image.topics]
            raise group.place.refusal(
                f"offsets.{topic}", f"there is no topic {topic!r}, and the seed makes none", nearest(topic, known)
            )
        if index >= count:
            raise group.place.refusal(
                f"offsets.{topic}.{index}", f"topic {topic!r} has the partitions 0 to {count - 1}", str(count - 1)
            )

    def _count_of(self, topic: str) -> int | None:
        there = self.nodes.image.topics.get(topic)
        return self.partition_counts.get(topic) if there is None else len(there.partitions)

    def settings_of(self, topic: str) -> TopicSettings:
        """Those that hold for a topic, or will."""
        found = self._settings.get(topic)
        if found is None:
            own = dict(self.nodes.image.resource_configs(TOPIC_RESOURCE, topic))
            if topic in self.plan.topics:
                own.update(self.plan.topics[topic].settings)
            found = self._settings[topic] = self.nodes.brokers[0].settings.now.topic_settings(own)
        return found

    async def placing(self) -> Placing:
        """For the records. Raises InvalidSeed, KafkaError, LookupError."""
        ends = {}
        for name in {*self.plan.record_counts, *self.plan.topics}:
            if name in self.nodes.image.topics:
                for index in range(len(self.nodes.topic(name).partitions)):
                    ends[name, index] = (await self.leader(name, index)).log.log_end_offset
        placing = Placing(self.partition_counts, ends)
        for topic in self.plan.topics.values():
            placing.expect(topic)
        return placing

    async def leader(self, topic: str, index: int) -> Partition:
        """The partition where it is led; waits for a leader for a while. Raises KafkaError."""
        refusal = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)
        with trio.move_on_after(TIMEOUT_MS / 1_000):
            while True:
                try:
                    return self.nodes.leader(topic, index)
                except LookupError as error:
                    refusal = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, str(error.args[0]))
                except KafkaError as error:
                    refusal = error
                await trio.sleep(LOOK_AGAIN_SECONDS)
        raise refusal

    # -- changes

    async def create_topics(self) -> None:
        """Raises KafkaError."""
        if not self.new:
            return
        self._made_topics = True
        answer = await self._ask_for_topics(validate_only=False)
        for result in answer.topics:
            check(result.error_code, result.error_message)
        names = {topic.name for topic in self.new}
        while not names <= self.nodes.image.topics.keys():  # noqa: ASYNC110  # a broker hears of it in a moment
            await trio.sleep(LOOK_AGAIN_SECONDS)

    async def undo(self) -> None:
        """Delete what was made."""
        await delete_acls(self.nodes, self.new_acls)
        for group_id in self._new_groups:
            try:
                await delete_group(self.nodes, group_id)
            except KafkaError:  # it was not made yet
                continue
        if self._made_topics:
            await delete_topics(self.nodes, *[each.name for each in self.new if each.name in self.nodes.image.topics])

    async def _ask_for_topics(self, *, validate_only: bool) -> CreateTopicsResponse:
        asked = [
            CreatableTopic(
                name=topic.name,
                num_partitions=DEFAULT if topic.partitions is None else topic.partitions,
                replication_factor=DEFAULT if topic.replicas is None else topic.replicas,
                configs=[CreatableTopicConfig(name=name, value=value) for name, value in topic.settings.items()],
            )
            for topic in self.new
        ]
        return await self.nodes.ask_controller(
            CreateTopicsRequest(topics=asked, timeout_ms=TIMEOUT_MS, validate_only=validate_only), CreateTopicsResponse
        )


def _check_setting_names(topic: SeedTopic) -> None:
    from kafkapy.settings.catalog import topic_definitions

    for name in topic.settings:
        if name not in topic_definitions():
            raise topic.place.refusal(
                f"settings.{name}", "there is no such setting of a topic", nearest(name, topic_definitions())
            )


def _refused(topic: SeedTopic, code: int, message: str | None, nodes: ControlledNodes) -> Exception:
    error = ErrorCode(code)
    field = FIELDS_OF_REFUSALS.get(error, "topic")
    meant = str(len(nodes.brokers)) if error is ErrorCode.INVALID_REPLICATION_FACTOR else None
    return topic.place.refusal(field, message or error.name, meant)


async def _check_records(seed: Seed, target: _Target) -> None:
    """Raises InvalidSeed."""
    placing = await target.placing()
    turn = Turn()
    limits: dict[str, tuple[int, bool]] = {}
    if target.plan.record_counts:
        for entry in seed.entries():
            if isinstance(entry, SeedRecord):
                placing.place(entry)
                limit = limits.get(entry.topic)
                if limit is None:
                    settings = target.settings_of(entry.topic)
                    limit = limits[entry.topic] = batch_bytes_max(settings), settings.compacts
                _check_record(entry, *limit)
            await turn.share()
    placing.check_ends()


def _check_record(record: SeedRecord, bytes_max: int, is_compacted: bool) -> None:
    if is_compacted and record.key is None:
        raise record.place.refusal("key", f"topic {record.topic!r} is compacted, so that each record needs a key")
    if not fits(record, bytes_max):
        raise record.place.refusal(
            "value", f"it is too large: topic {record.topic!r} takes {bytes_max} bytes at most (max.message.bytes)"
        )


async def _store_records(seed: Seed, target: _Target) -> None:
    """Raises KafkaError; InvalidSeed: a file has changed since it was checked."""
    nodes = target.nodes
    placing = await target.placing()
    spans = placing.spans
    writers: dict[tuple[str, int], PartitionWriter] = {}

    def writer(topic: str, index: int) -> PartitionWriter:
        found = writers.get((topic, index))
        if found is None:
            start, end = spans.get((topic, index), (0, 0))
            found = writers[topic, index] = PartitionWriter(
                partial(target.leader, topic, index),
                nodes.clocks.now_ms,
                bytes_max=batch_bytes_max(target.settings_of(topic)),
                start=start,
                end=end,
            )
        return found

    turn = Turn()
    if target.plan.record_counts:
        for entry in seed.entries():
            if isinstance(entry, SeedRecord):
                index, offset = placing.place(entry)
                await writer(entry.topic, index).add(entry, offset)
            await turn.share()
    for topic, index in spans:
        writer(topic, index)
    for each in writers.values():
        await each.finish()
    for each in writers.values():
        await each.settle()


def _commits(group: SeedGroup) -> dict[tuple[str, int], NewCommit]:
    return {where: NewCommit(offset, metadata) for where, (offset, metadata) in group.offsets.items()}
