"""Dead letter queues of share groups: what is written for a record that is given up, where, and when it is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from kafkapy_wire.records import Compression, NewRecord, Record, build_batch
from tests.sharing.share_member import ACCEPT, GROUP, REJECT, RELEASE, ShareMember, acquired, progress, set_group
from tests.sharing.share_stage import AT_ONCE, Stage, coordinated, lead_anew, produce, stage
from tests.sharing.window_lab import LIMITS, WindowLab
from tests.shell.running_node import connect, records_of, running_node, trio_test

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sharing.window_lab import LIMITS, WindowLab
from tests.shell.running_node import Client

AUTO_CREATE = {"errors.deadletterqueue.auto.create.topics.enable": "true"}
DEAD = "dlq.t"
REJECTED, TOO_OFTEN = b"Offset rejected by client.", b"Offset delivery count exceeded the threshold."
COPIES = {"errors_deadletterqueue_topic_name": DEAD, "errors_deadletterqueue_copy_record_enable": "true"}
ENABLED = "errors.deadletterqueue.group.enable"


def headers(offset: int, count: int, message: bytes) -> list[tuple[str, bytes]]:
    return [
        ("__dlq.errors.topic", b"t"),
        ("__dlq.errors.partition", b"0"),
        ("__dlq.errors.offset", b"%d" % offset),
        ("__dlq.errors.group", GROUP.encode()),
        ("__dlq.errors.delivery.count", b"%d" % count),
        ("__dlq.errors.message", message),
    ]


async def letters(client: Client, count: int, topic: str = DEAD) -> list[Record]:
    """All records of the dead letter topic, once there are so many."""
    found: list[Record] = []
    while len(found) < count:
        data = await client.fetch(topic, len(found))
        if data.error_code == ErrorCode.NONE:
            found += [record for record in records_of(data) if record.offset >= len(found)]
    return found


async def until_buried(client: Client, lag: int = 0) -> None:
    """Wait until no more than so many records of the group are not acknowledged or archived."""
    while [left for _, left in (await progress(client)).values()] != [lag]:
        pass


async def create(client: Client, topic: str, configs: dict[str, str]) -> None:
    await client.create_topic(topic, 1, **configs)


async def joined(on: Stage, name: str = "alice") -> ShareMember:
    member = on.member(name)
    await member.join("t")
    return member


@trio_test
async def test_rejected_records_go_into_the_dead_letter_topic(tmp_path: Path) -> None:
    """errors.deadletterqueue.topic.name, errors.deadletterqueue.auto.create.topics.enable."""
    async with stage(tmp_path, AUTO_CREATE, errors_deadletterqueue_topic_name=DEAD) as on:
        await produce(on.client, 6)
        alice = await joined(on)
        assert await alice.acquire() == [(0, 5, 1)]
        await alice.acknowledge([(0, 0, ACCEPT), (1, 2, REJECT), (3, 3, ACCEPT), (4, 4, REJECT), (5, 5, ACCEPT)])
        found = await letters(on.client, 3)
        assert [[*record.headers] for record in found] == [headers(offset, 1, REJECTED) for offset in (1, 2, 4)]
        assert {(record.key, record.value) for record in found} == {(None, None)}
        await until_buried(on.client)
        assert acquired(await alice.fetch()) == []
        configs = on.node.broker.metadata.image.resource_configs(ConfigResourceType.TOPIC, DEAD)
        assert configs == {ENABLED: "true", "message.timestamp.type": "CreateTime"}


@trio_test
async def test_letters_are_written_although_the_leader_epoch_has_risen(tmp_path: Path) -> None:
    """As at the end of a reassignment: nobody else writes them."""
    async with stage(tmp_path, AUTO_CREATE, errors_deadletterqueue_topic_name=DEAD) as on:
        await produce(on.client, 1)
        alice = await joined(on)
        assert await alice.acquire() == [(0, 0, 1)]
        lead_anew(on, 1)
        await alice.acknowledge([(0, 0, REJECT)])
        assert len(await letters(on.client, 1)) == 1
        await until_buried(on.client)


@trio_test
async def test_records_that_were_delivered_too_often_go_there(tmp_path: Path) -> None:
    """Whether they were released, or their locks have expired, or their member is gone; rejecting them is rejecting."""
    settings = AUTO_CREATE | {"group.share.delivery.count.limit": "2", "group.share.record.lock.duration.ms": "15000"}
    async with stage(tmp_path, settings, errors_deadletterqueue_topic_name=DEAD) as on:
        await produce(on.client, 4)
        alice = await joined(on)
        assert await alice.acquire() == [(0, 3, 1)]
        await alice.acknowledge([(0, 3, RELEASE)])
        held: list[int] = []
        while len(held) < 4:  # the last delivery is of each by itself
            held += [offset for first, last, _ in await alice.acquire() for offset in range(first, last + 1)]
        assert held == [0, 1, 2, 3]
        await alice.acknowledge([(0, 0, RELEASE), (1, 1, REJECT)])
        assert [record.headers[-1][1] for record in await letters(on.client, 2)] == [TOO_OFTEN, REJECTED]
        on.clock.advance(15_001)
        found = await letters(on.client, 4)
        assert [[*record.headers] for record in found[2:]] == [headers(offset, 2, TOO_OFTEN) for offset in (2, 3)]
        await until_buried(on.client)


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
def test_key_and_value_are_copied_where_the_group_says_so(tmp_path: Path, compression: Compression) -> None:
    """errors.deadletterqueue.copy.record.enable; what was compacted away has headers only, and so has what is too large
    with the headers."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path, None, **COPIES) as on:
            await create(on.client, DEAD, {ENABLED: "true", "max.message.bytes": "1000"})
            now_ms = on.clock.now_ms()
            values = [b"first", None, b"x" * 900, b"last"]
            made = [NewRecord(now_ms, b"key", value, [("own", b"header")]) for value in values]
            await on.client.produce_batch("t", build_batch(made, compression=compression))
            alice = await joined(on)
            assert await alice.acquire() == [(0, 3, 1)]
            await alice.acknowledge([(0, 1, REJECT), (2, 2, REJECT), (3, 3, REJECT)])
            found = await letters(on.client, 4)
            assert [(record.key, record.value) for record in found] == [
                (b"key", b"first"),
                (b"key", None),
                (None, None),
                (b"key", b"last"),
            ]
            assert [[*record.headers] for record in found] == [headers(offset, 1, REJECTED) for offset in range(4)]

    run()


@trio_test
async def test_large_records_are_copied_one_by_one(tmp_path: Path) -> None:
    """Each has a batch of its own, which is looked into beside the event loop."""
    async with stage(tmp_path, AUTO_CREATE, **COPIES) as on:
        values = [bytes([number]) * 700_000 for number in range(3)]
        for value in values:
            await on.client.produce("t", value, timestamp=on.clock.now_ms())
        alice = await joined(on)
        rejected: list[tuple[int, int, int]] = []
        while len(rejected) < 3:
            for first, last, _ in await alice.acquire():
                rejected += [(offset, offset, REJECT) for offset in range(first, last + 1)]
        await alice.acknowledge(rejected)
        assert [record.value for record in await letters(on.client, 3)] == values
        await until_buried(on.client)


@trio_test
async def test_very_many_are_written_batch_by_batch_and_in_order(tmp_path: Path) -> None:
    async with stage(tmp_path, None, **COPIES) as on:
        await create(on.client, DEAD, {ENABLED: "true", "max.message.bytes": "20000"})
        await on.client.produce("t", *[b"%d" % number for number in range(1_500)], timestamp=on.clock.now_ms())
        alice = await joined(on)
        rejected: list[tuple[int, int, int]] = []
        while len(rejected) < 1_500:
            for first, last, _ in await alice.acquire():
                rejected += [(offset, offset, REJECT) for offset in range(first, last + 1)]
        await alice.acknowledge(rejected)
        found = await letters(on.client, 1_500)
        assert [record.value for record in found] == [b"%d" % number for number in range(1_500)]
        assert [record.headers[2][1] for record in found] == [b"%d" % number for number in range(1_500)]
        await until_buried(on.client)


@pytest.mark.parametrize(
    ("settings", "topic", "configs", "why"),
    [
        ({}, DEAD, None, "does not exist"),
        ({}, DEAD, {}, "takes no dead letters"),
        ({}, "other", {ENABLED: "true"}, "errors.deadletterqueue.topic.name.prefix"),
        ({"errors.deadletterqueue.topic.name.prefix": "dead."}, DEAD, {ENABLED: "true"}, "topic.name.prefix"),
        ({}, DEAD, {ENABLED: "true", "cleanup.policy": "compact"}, "Compacted topic"),
    ],
)
def test_what_cannot_be_written_is_told_and_archived_all_the_same(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, str],
    topic: str,
    configs: dict[str, str] | None,
    why: str,
) -> None:
    """errors.deadletterqueue.group.enable of the topic, errors.deadletterqueue.topic.name.prefix."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path, settings, errors_deadletterqueue_topic_name=topic) as on:
            if configs is not None:
                await create(on.client, topic, configs)
            await produce(on.client, 2)
            alice = await joined(on)
            await alice.acquire()
            await alice.acknowledge([(0, 1, REJECT)])
            await until_buried(on.client)
            assert acquired(await alice.fetch()) == []
            if configs is not None:
                assert await on.client.offset(topic, -1) == 0

    with caplog.at_level(logging.ERROR, "kafkapy.share_groups"):
        run()
    (told,) = [record for record in caplog.records if record.name == "kafkapy.share_groups"]
    assert "are not in the dead letter queue" in told.getMessage()
    assert why in told.getMessage()


@trio_test
async def test_a_letter_is_written_after_its_member_is_gone(tmp_path: Path) -> None:
    """The group has no connection any more when its records are buried."""
    about = {"errors_deadletterqueue_topic_name": DEAD}
    async with stage(tmp_path, AUTO_CREATE, **about) as on:
        await produce(on.client, 2)
        async with connect(on.node) as other:
            alice = ShareMember(other, on.topic_id)
            await alice.join("t")
            await alice.acquire()
            await alice.acknowledge([(0, 1, REJECT)])
        assert len(await letters(on.client, 2)) == 2
        await until_buried(on.client)


@trio_test
async def test_a_restart_goes_on_with_what_was_not_written(tmp_path: Path) -> None:
    about = {"errors_deadletterqueue_topic_name": DEAD}
    async with stage(tmp_path, AUTO_CREATE, **about) as on:
        await produce(on.client, 3)
        alice = await joined(on)
        await alice.acquire()
        queue = on.node.broker.sharing.partitions._dead_letters  # as if it had died before
        queue.put = lambda *_: None  # type: ignore[method-assign]
        for share_partition in on.node.broker.sharing.partitions._by_key.values():
            share_partition._bury = queue.put
        await alice.acknowledge([(0, 2, REJECT)])
        topic_id = on.topic_id
    async with running_node(tmp_path, AT_ONCE | AUTO_CREATE) as node, connect(node) as client:
        await coordinated(client)
        bob = ShareMember(client, topic_id, "bob")
        await bob.join("t")
        assert acquired(await bob.fetch()) == []
        assert [[*record.headers] for record in await letters(client, 3)] == [
            headers(offset, 1, REJECTED) for offset in range(3)
        ]
        await until_buried(client)


@trio_test
async def test_there_is_no_dead_letter_queue_below_share_version_2(tmp_path: Path) -> None:
    async with stage(tmp_path, AUTO_CREATE, errors_deadletterqueue_topic_name=DEAD) as on:
        update = FeatureUpdateKey(feature="share.version", max_version_level=1, upgrade_type=2)
        answer = await on.client.ask(UpdateFeaturesRequest(feature_updates=[update]), UpdateFeaturesResponse)
        assert not answer.error_code, answer
        await produce(on.client, 1)
        alice = await joined(on)
        await alice.acquire()
        await alice.acknowledge([(0, 0, REJECT)])
        await until_buried(on.client)
        await set_group(on.client, {"share.delivery.count.limit": "2"})  # one more round of requests
        assert DEAD not in on.node.broker.metadata.image.topics


def test_records_on_their_way_are_archived_although_somebody_has_asked_for_a_part_of_them() -> None:
    """An acknowledgement of a part is refused, and has cut the run in two or three by then."""
    lab = WindowLab([(0, 9)], LIMITS._replace(has_dead_letter_queue=True))
    lab.acquire()
    lab.acknowledge("a", (0, 0, ACCEPT))
    lab.acknowledge("a", (1, 6, REJECT))
    assert lab.letters == [(1, 6, 1)]
    with pytest.raises(KafkaError):
        lab.begin("a", (3, 4, ACCEPT))
    lab.bury()
    lab.acknowledge("a", (7, 9, ACCEPT))
    assert lab.window.start_offset == 10
    assert not lab.window.batches


@pytest.mark.parametrize(("kind", "limit_then"), [(REJECT, 2), (RELEASE, 1)])
def test_a_last_delivery_that_expires_while_its_outcome_is_not_stored_is_complete(kind: int, limit_then: int) -> None:
    """Rejected, it was on its way to the dead letter queue; released, it was the last delivery since the limit fell."""
    lab = WindowLab([(0, 1)], LIMITS._replace(has_dead_letter_queue=True, max_delivery_count=2 * limit_then))
    lab.acquire()
    if kind == REJECT:
        lab.acknowledge("a", (0, 1, RELEASE))
        lab.acquire(max_records=2)
    change = lab.begin("a", (0, 0, kind))
    lab.limits = lab.limits._replace(max_delivery_count=limit_then)
    lab.now_ms += 2 * lab.limits.lock_duration_ms
    lab.fail(change)
    assert (lab.window.start_offset, lab.window.delivery_complete_count) == (1, 0)


@trio_test
async def test_a_topic_that_cannot_have_so_many_replicas_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = AUTO_CREATE | {"default.replication.factor": "3"}
    async with stage(tmp_path, settings, errors_deadletterqueue_topic_name=DEAD) as on:
        await produce(on.client, 1)
        alice = await joined(on)
        assert await alice.acquire() == [(0, 0, 1)]
        await alice.acknowledge([(0, 0, REJECT)])
        await until_buried(on.client)
    assert "default.replication.factor is 3, and 1 broker is registered: set it to 1, or" in caplog.text
