"""Topics, records, committed offsets and ACLs of running nodes as a seed, in JSON lines, a piece at a time.

Records are those that a consumer with read_committed gets now, at their offsets; topics say where their partitions
begin and end, so that a seed makes the same ones, gaps included.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from kafkapy.control.groups import list_groups, read_commits
from kafkapy.control.records import read_batches
from kafkapy.control.topics import list_topics
from kafkapy.control.values import SeedCounts
from kafkapy.nearest import did_you_mean
from kafkapy.seeds.entries import SeedGroup, SeedRecord, SeedTopic
from kafkapy.seeds.invalid_seed import Place
from kafkapy.seeds.json_lines import acl_line, group_line, record_line, topic_line
from kafkapy.turns import Turn
from kafkapy_wire.records import decode_records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.acl import Acl
    from kafkapy_wire.records import Record

PIECE_BYTES: Final = 256 * 1024
TOPIC_RESOURCE: Final = 2
NOWHERE: Final = Place()


class Export:
    """What is to be exported of running nodes, decided when it begins: later records and groups are left out."""

    def __init__(
        self,
        nodes: ControlledNodes,
        topics: Sequence[SeedTopic],
        groups: Sequence[str],
        acls: Sequence[Acl],
        *,
        with_records: bool,
    ) -> None:
        self._nodes = nodes
        self._topics = topics
        self._groups = groups
        self._acls = acls
        self._with_records = with_records
        self._record_count = 0
        self._group_count = 0

    @property
    def counts(self) -> SeedCounts:
        """Of what was given out so far."""
        return SeedCounts(
            topics=len(self._topics), records=self._record_count, groups=self._group_count, acls=len(self._acls)
        )

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Whole lines, many at a time. Raises KafkaError, LookupError: a partition has lost its leader."""
        piece = bytearray()
        async for line in self._lines():
            piece += line
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        turn = Turn()
        for topic in self._topics:
            yield topic_line(topic)
            await turn.share()
        if self._with_records:
            for topic in self._topics:
                for index, (start, end) in topic.offsets.items():
                    led = self._nodes.leader(topic.name, index)
                    for header, batch in read_batches(led, "read_committed", start, end):
                        if header.is_control:
                            continue
                        for record in decode_records(batch):
                            if start <= record.offset < end:
                                self._record_count += 1
                                yield record_line(_exported(topic.name, index, record))
                        await turn.share()
        exported = {topic.name for topic in self._topics}
        for group_id in self._groups:
            committed = await read_commits(self._nodes, group_id)
            offsets: dict[Any, Any] = {where: tuple(each) for where, each in committed.items() if where[0] in exported}
            if offsets:
                self._group_count += 1
                yield group_line(SeedGroup(NOWHERE, group_id, offsets))
            await turn.share()
        for acl in self._acls:
            yield acl_line(acl)
            await turn.share()


def _exported(topic: str, partition: int, record: Record) -> SeedRecord:
    return SeedRecord(
        NOWHERE, topic, record.key, record.value, record.headers, record.timestamp, partition, record.offset
    )


def _described(nodes: ControlledNodes, name: str) -> SeedTopic:
    topic = nodes.topic(name)
    offsets = {}
    for index in range(len(topic.partitions)):
        led = nodes.leader(name, index)
        start, end = led.log.log_start_offset, led.last_stable_offset
        if end:
            offsets[index] = start, end
    return SeedTopic(
        NOWHERE,
        name,
        len(topic.partitions),
        len(topic.partitions[0].replicas),
        dict(nodes.image.resource_configs(TOPIC_RESOURCE, name)),
        offsets,
    )


async def export(
    nodes: ControlledNodes,
    topics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    records: bool = True,
    acls: bool = True,
) -> Export:
    """Topics, records, committed offsets and ACLs as a seed, in JSON lines: all of them, or those that are named.

    Raises LookupError: there is no such topic or group, or a partition has no leader; KafkaError.
    """
    wanted = await list_topics(nodes) if topics is None else dict.fromkeys(topics)
    known = await list_groups(nodes)
    for group_id in groups or ():
        if group_id not in known:
            raise LookupError(f"there is no group {group_id!r}{did_you_mean(group_id, known)}")
    return Export(
        nodes,
        [_described(nodes, name) for name in wanted],
        known if groups is None else list(dict.fromkeys(groups)),
        sorted(nodes.image.acls.values()) if acls else [],
        with_records=records,
    )


async def export_to_file(
    nodes: ControlledNodes,
    path: str,
    topics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    records: bool = True,
    acls: bool = True,
) -> SeedCounts:
    """Write a file of JSON lines; it is there when it is whole. Raises LookupError, KafkaError, OSError."""
    exported = await export(nodes, topics, groups, records, acls)
    unfinished = Path(f"{path}.unfinished")
    try:
        async with await trio.open_file(unfinished, "wb") as file:
            async for piece in exported.pieces():
                await file.write(piece)
        await trio.to_thread.run_sync(unfinished.replace, path)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lambda: unfinished.unlink(missing_ok=True))
    return exported.counts
