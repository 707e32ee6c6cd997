"""Seeds on running nodes: applied as a whole or not at all, and exported such that they make the same state again."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kafkapy.cli import main
from kafkapy.control.export import Export
from kafkapy.control.nodes import ControlledNodes
from kafkapy.control.seed_acls import create_acls
from kafkapy.control.seed_records import PartitionWriter
from kafkapy.testing import InvalidSeed, Kafka, KafkaNotStarted, NewRecord
from kafkapy_controller.acl import Acl
from kafkapy_wire.errors import ErrorCode, KafkaError

SEED: dict[str, Any] = {
    "topics": {"orders": 3, "table": {"partitions": 1, "settings": {"cleanup.policy": "compact"}}},
    "records": {
        "orders": [{"key": "alice", "value": "1 tea", "timestamp": 5}, {"value": {"base64": "/w=="}, "partition": 2}],
        "table": [{"key": "k", "value": None, "headers": {"trace": "1"}}],
    },
    "groups": {"shop": {"orders": {"0": {"offset": 1, "metadata": "mine"}}}},
}
SOON = 30.0


@pytest.fixture(scope="module")
def one_kafka() -> Iterator[Kafka]:
    with Kafka(control=True, settings={"message.max.bytes": 2_000}) as kafka:
        yield kafka


@pytest.fixture
def kafka(one_kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kafka]:
    one_kafka.reset()
    monkeypatch.setenv("KAFKAPY_CONTROL", one_kafka.control_url)
    yield one_kafka
    assert one_kafka.take_bugs() == []


def state(kafka: Kafka) -> Any:
    """All that a seed can say of it."""
    topics = {name: kafka.topic(name) for name in kafka.topics()}
    return (
        {
            name: [(each.log_start_offset, each.high_watermark) for each in topic.partitions]
            for name, topic in topics.items()
        },
        {name: (topic.settings, len(topic.partitions[0].replicas)) for name, topic in topics.items()},
        {
            name: [(r.partition, r.offset, r.timestamp_ms, r.key, r.value, r.headers) for r in kafka.records(name)]
            for name in topics
        },
        {group_id: kafka.group(group_id).offsets for group_id in kafka.groups()},
    )


def test_an_export_makes_the_same_state_again(kafka: Kafka, tmp_path: Path) -> None:
    counts = kafka.seed(SEED)
    assert (counts.topics, counts.records, counts.groups) == (2, 3, 1)
    before = state(kafka)
    assert before[2]["orders"][1][:2] == (2, 0)
    assert kafka.export(tmp_path / "state.jsonl") == counts
    kafka.reset()
    assert kafka.seed(tmp_path / "state.jsonl") == counts
    assert state(kafka) == before
    kafka.export(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "state.jsonl").read_text()
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_gaps_between_offsets_are_kept(kafka: Kafka, tmp_path: Path) -> None:
    """As compaction, transactions and DeleteRecords leave them: before, between and after the records, and alone."""
    far = 3 * 2**30 + 5
    kafka.seed(
        {
            "topics": {
                "t": {"partitions": 4, "offsets": {"0": [5, 20], "1": [0, 3], "2": [7, 7], "3": [far, far + 9]}},
                "zipped": {"partitions": 1, "settings": {"compression.type": "gzip"}, "offsets": {"0": [2, 9]}},
            },
            "records": {
                "t": [
                    {"value": "a", "partition": 0, "offset": 6},
                    {"value": "b", "partition": 0},
                    {"value": "c", "partition": 0, "offset": 12},
                    {"value": "d", "partition": 3, "offset": far + 3},
                ],
                "zipped": [{"value": "e" * 100, "partition": 0, "offset": 4}],
            },
        }
    )
    spans = [(each.log_start_offset, each.high_watermark) for each in kafka.topic("t").partitions]
    assert spans == [(5, 20), (0, 3), (7, 7), (far, far + 9)]
    assert [(r.partition, r.offset, r.value) for r in kafka.records("t")] == [
        (0, 6, b"a"),
        (0, 7, b"b"),
        (0, 12, b"c"),
        (3, far + 3, b"d"),
    ]
    assert [(r.offset, r.value) for r in kafka.records("zipped")] == [(4, b"e" * 100)]
    assert [each.offset for each in kafka.produce("t", NewRecord(value=b"next", partition=1))] == [3]
    before = state(kafka)
    kafka.export(tmp_path / "state.jsonl")
    with Kafka(nodes=2, seed=tmp_path / "state.jsonl", settings={"message.max.bytes": 2_000}) as other:
        assert state(other) == before


def test_a_seed_goes_into_topics_that_are_there(kafka: Kafka) -> None:
    kafka.create_topic("orders", 3)
    kafka.produce("orders", NewRecord(value=b"first", partition=2))
    kafka.seed({"topics": {"orders": 3}, "records": {"orders": [{"value": "second", "partition": 2}]}})
    assert [(r.offset, r.value) for r in kafka.records("orders", 2)] == [(0, b"first"), (1, b"second")]


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"records": {"odrers": ["a"]}},
        ("records.odrers[0]: there is no topic 'odrers', and the seed makes none (did you mean 'orders'?)"),
    ),
    (
        {"topics": {"orders": 2}},
        "topics.orders: topic 'orders' is there already, with 1 partitions (did you mean '1'?)",
    ),
    (
        {"topics": {"orders": {"replicas": 2}}},
        "topics.orders.replicas: topic 'orders' is there already, with 1 replicas",
    ),
    (
        {"topics": {"orders": {"settings": {"retention.ms": 1}}}},
        ("topics.orders.settings.retention.ms: topic 'orders' is there already, without it"),
    ),
    (
        {"topics": {"new": {"settings": {"retention.sm": 1}}}},
        ("topics.new.settings.retention.sm: there is no such setting of a topic (did you mean 'retention.ms'?)"),
    ),
    ({"topics": {"new": {"settings": {"retention.ms": "x"}}}}, "topics.new.settings: "),
    ({"topics": {"new": {"replicas": 3}}}, "topics.new.replicas: "),
    ({"topics": {"a/b": 1}}, "topics.a/b: "),
    ({"topics": {"new": {"offsets": {"7": [0, 1]}}}}, "topics.new.offsets.7: topic 'new' has the partition 0"),
    (
        {"topics": {"orders": {"offsets": {"0": [0, 9]}}}},
        ("topics.orders.offsets.0: partition orders-0 has records already: leave `offsets` out"),
    ),
    (
        {"topics": {"new": {"offsets": {"0": [0, 2**40]}}}},
        "topics.new.offsets.0: its end is more than 1073741824 above ",
    ),
    (
        {
            "topics": {"new": {"offsets": {"0": [3, 5]}}},
            "records": {"new": [{"value": "a", "partition": 0, "offset": 2}]},
        },
        "records.new[0].offset: it is below the first offset that its topic names, 3",
    ),
    (
        {"topics": {"new": {"offsets": {"0": [3, 5]}}}, "records": {"new": ["a", "b", "c"]}},
        "records.new[2]: offset 5 of partition new-0 is not below the end that its topic names, 5",
    ),
    (
        {"records": {"orders": [{"value": "a", "partition": 1}]}},
        ("records.orders[0].partition: topic 'orders' has the partition 0 (did you mean '0'?)"),
    ),
    (
        {"records": {"orders": [{"value": "a", "partition": 0, "offset": 0}]}},
        (
            "records.orders[0].offset: partition "
            "orders-0 has the offsets up to 0 already: leave `offset` out to append (did you mean '1'?)"
        ),
    ),
    (
        {"records": {"orders": ["a", {"value": "a", "partition": 0, "offset": 1}]}},
        (
            "records.orders[1].offset: it is not "
            "above 1, that of the record before it in partition orders-0 (did you mean '2'?)"
        ),
    ),
    (
        {"records": {"orders": [{"value": "a", "partition": 0, "offset": 2**31}]}},
        ("records.orders[0].offset: it is more than 1073741824 above the record before it"),
    ),
    (
        {"topics": {"new": {"settings": {"cleanup.policy": "compact"}}}, "records": {"new": ["a"]}},
        ("records.new[0].key: topic 'new' is compacted, so that each record needs a key"),
    ),
    (
        {"records": {"orders": [{"value": {"base64": "AAECAwQFBgcICQ==" * 200}}]}},
        "records.orders[0].value: that is no ",
    ),
    (
        {"records": {"orders": ["".join(map(chr, range(33, 5_000)))]}},
        ("records.orders[0]: it is too large: topic 'orders' takes 2000 bytes at most (max.message.bytes)"),
    ),
    ({"groups": {"shop": {"odrers": {"0": 1}}}}, "groups.shop.odrers: there is no topic 'odrers', and the seed makes "),
    ({"groups": {"shop": {"orders": {"1": 1}}}}, "groups.shop.orders.1: topic 'orders' has the partitions 0 to 0"),
    (
        {"groups": {"shop": {"orders": {"0": {"offset": 1, "metadata": "m" * 5_000}}}}},
        ("groups.shop.orders.0.metadata: it has more than 4096 bytes (offset.metadata.max.bytes)"),
    ),
]


def test_nothing_of_a_wrong_seed_is_applied(kafka: Kafka) -> None:
    kafka.produce("orders", "there")
    before = state(kafka)
    for wrong, told in REFUSED:
        good: dict[str, Any] = {
            "topics": {"other": 1},
            "records": {"other": ["a"], "orders": ["b"]},
            "groups": {"others": {"orders": {"0": 1}}},
        }
        seed = {
            part: {
                **(good[part] if part == "topics" or "orders" not in wrong.get(part, {}) else {}),
                **wrong.get(part, {}),
            }
            for part in good
        }
        with pytest.raises(InvalidSeed) as refused:
            kafka.seed(seed)
        assert str(refused.value).startswith(told)
        assert state(kafka) == before


def test_a_group_that_has_members_is_refused(kafka: Kafka) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    kafka.produce("orders", "there")
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "shop"})
    try:
        consumer.subscribe(["orders"])
        consumer.poll(0)
        kafka.wait_for_group("shop", 1, timeout=SOON)
        with pytest.raises(InvalidSeed, match=r"groups.shop: group 'shop' has 1 members now, which commit for it"):
            kafka.seed({"groups": {"shop": {"orders": {"0": 1}}}})
    finally:
        consumer.close()


@pytest.mark.parametrize("failing", ["records", "groups"])
def test_what_a_broken_cluster_has_begun_is_deleted_again(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    kafka.produce("orders", "there")
    before = state(kafka)
    error = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is full")

    async def fail(*_: object) -> None:
        raise error

    if failing == "records":
        monkeypatch.setattr(PartitionWriter, "settle", fail)
    else:
        monkeypatch.setattr("kafkapy.control.seeding.commit", fail)
    with pytest.raises(KafkaError, match="the disk is full"):
        kafka.seed({"topics": {"new": 1}, "records": {"new": ["a"]}, "groups": {"shop": {"new": {"0": 1}}}})
    assert state(kafka) == before


def test_records_wait_for_replicas_and_leaders() -> None:
    with Kafka(nodes=3, settings={"min.insync.replicas": 2}) as kafka:
        kafka.stop_node(3)
        kafka.seed(
            {
                "topics": {"orders": {"partitions": 6, "replicas": 2}},
                "records": {"orders": [{"value": str(number), "partition": number % 6} for number in range(60)]},
                "groups": {"shop": {"orders": {"0": 10}}},
            }
        )
        assert len(kafka.records("orders")) == 60
        assert kafka.group("shop").offsets == {("orders", 0): 10}


def test_a_kafka_begins_with_its_seed_and_goes_back_to_it(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(json.dumps(SEED))  # JSON is YAML, too
    with Kafka(seed=file, topics={"other": 1}) as kafka:
        before = state(kafka)
        kafka.produce("orders", "more")
        kafka.delete_topics("table")
        kafka.reset()
        assert kafka.topics() == ["orders", "other", "table"]
        assert kafka.group("shop").offsets == {("orders", 0): 1}
        assert [r.value for r in kafka.records("orders")] == [b"1 tea", b"\xff"]
        assert before[0] == state(kafka)[0]


def test_a_kafka_with_a_wrong_seed_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("topics:\n  orders: 0\n")
    with (
        pytest.raises(KafkaNotStarted, match=r"seed.yaml: line 2: topics.orders: a whole number from 1"),
        Kafka(seed=tmp_path / "seed.yaml"),
    ):
        pass
    with (
        pytest.raises(KafkaNotStarted, match=r"topics.orders.replicas: "),
        Kafka(seed={"topics": {"orders": {"replicas": 2}}}),
    ):
        pass
    with pytest.raises(TypeError, match="seed: the path of a file or an object with topics, records"):
        Kafka(seed=5)  # type: ignore[arg-type]


def test_exports_are_of_what_is_named(kafka: Kafka, tmp_path: Path) -> None:
    kafka.seed(SEED)
    kafka.commit_offsets("other", {("table", 0): 1})
    path = tmp_path / "part.jsonl"
    kafka.export(path, topics=["table"], groups=["other", "shop"], records=False)
    kinds = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("topic", line.get("group")) for line in kinds] == ["table", "other"]
    with pytest.raises(LookupError, match=r"there is no topic 'tabel' \(did you mean 'table'\?\)"):
        kafka.export(path, topics=["tabel"])
    with pytest.raises(LookupError, match=r"there is no group 'shpo' \(did you mean 'shop'\?\)"):
        kafka.export(path, groups=["shpo"])
    with pytest.raises(ValueError, match=r"its name ends in .jsonl or .ndjson: not "):
        kafka.export(tmp_path / "part.yaml")
    assert [each.name for each in tmp_path.iterdir()] == ["part.jsonl"]


def test_large_topics_are_exported_and_seeded_in_pieces(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest batch and the largest piece stay far below what is exported."""
    path = tmp_path / "large.jsonl"
    with path.open("w") as file:
        file.write('{"kind": "topic", "topic": "large", "partitions": 2}\n')
        for number in range(6_000):
            file.write(f'{{"topic": "large", "key": "{number}", "value": "{"x" * 500}"}}\n')
    largest = 0
    append = PartitionWriter._append

    def watched(self: PartitionWriter, led: Any, placed: Any, count: int) -> None:
        nonlocal largest
        largest = max(largest, len(placed))
        append(self, led, placed, count)

    monkeypatch.setattr(PartitionWriter, "_append", watched)
    assert kafka.seed(path).records == 6_000
    assert 0 < largest < 10  # message.max.bytes is 2,000
    assert kafka.export(tmp_path / "again.jsonl", records=True).records == 6_000


# -- over HTTP, and from a shell


def asked(
    kafka: Kafka, path: str, body: bytes | None, content_type: str = "application/json"
) -> tuple[int, bytes, str]:
    connection = HTTPConnection(urlsplit(kafka.control_url).netloc, timeout=SOON)
    try:
        connection.request("GET" if body is None else "POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read(), response.headers["Content-Type"]
    finally:
        connection.close()


def test_seeds_go_over_http(kafka: Kafka) -> None:
    status, answer, _ = asked(kafka, "/v1/seed", json.dumps({"seed": SEED}).encode())
    assert (status, json.loads(answer)) == (200, {"topics": 2, "records": 3, "groups": 1, "acls": 0})
    status, lines, kind = asked(kafka, "/v1/export", None)
    assert (status, kind) == (200, "application/jsonl")
    before = state(kafka)
    kafka.reset()
    status, answer, _ = asked(kafka, "/v1/seed", lines, "application/x-ndjson; charset=utf-8")
    assert (status, json.loads(answer)) == (200, {"topics": 2, "records": 3, "groups": 1, "acls": 0})
    assert state(kafka) == before
    assert asked(kafka, "/v1/export?topics=table&topics=orders&records=false", None)[1].count(b"\n") == 3
    status, answer, _ = asked(kafka, "/v1/export?topics=tabel", None)
    assert (status, json.loads(answer)["error"]["kind"]) == (404, "NotFound")


def test_wrong_seeds_are_refused_over_http(kafka: Kafka) -> None:
    before = state(kafka)
    body = b'{"kind": "topic", "topic": "orders"}\n{"topic": "odrers", "value": "a"}\n'
    status, answer, _ = asked(kafka, "/v1/seed", body, "application/jsonl")
    error = json.loads(answer)["error"]
    assert status == 400
    assert error.pop("message") == (
        "line 2: topic: there is no topic 'odrers', and the seed makes none (did you mean 'orders'?)"
    )
    assert error == {
        "kind": "InvalidSeed",
        "field": "topic",
        "line": 2,
        "reason": "there is no topic 'odrers', and the seed makes none",
        "nearest": "orders",
    }
    status, answer, _ = asked(kafka, "/v1/seed", b'{"seed": {"topisc": {}}}')
    assert (status, json.loads(answer)["error"]["nearest"]) == (400, "topics")
    assert asked(kafka, "/v1/seed", b'{"seed": "/etc/passwd"}')[0] == 400
    assert asked(kafka, "/v1/seed_from", b'{"source": "/etc/passwd"}')[0] == 404
    assert asked(kafka, "/v1/export_to_file", b'{"path": "/tmp/x.jsonl"}')[0] == 404
    assert state(kafka) == before


def test_files_are_seeded_and_exported_from_a_shell(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "1.yaml").write_text("topics:\n  orders: 3\n")
    (tmp_path / "seeds" / "2.jsonl").write_text('{"topic": "orders", "value": "a"}\n')
    assert main(["control", "seed", str(tmp_path / "seeds")]) == 0
    assert capsys.readouterr().out == "topics: 1\nrecords: 1\ngroups: 0\nacls: 0\n"
    assert main(["control", "export", str(tmp_path / "state.jsonl"), "topics=orders"]) == 0
    assert main(["control", "export"]) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "state.jsonl").read_text()
    assert printed.count("\n") == 2
    assert main(["control", "seed", 'seed={"topics": {"other": 1}}', "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"topics": 1, "records": 0, "groups": 0, "acls": 0}

    def refused(*words: str) -> str:
        assert main(["control", *words]) in (1, 2)
        output, errors = capsys.readouterr()
        assert (output, errors.count("\n")) == ("", 1)
        return errors.removeprefix("kafkapy control: ")

    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("records:\n  orders:\n    - fine\n    - key: a\n      partition: 9\n")
    told = "records.orders[1].partition: topic 'orders' has the partitions 0 to 2 (did you mean '2'?)"
    assert refused("seed", str(wrong)) == f"{wrong}: line 5: {told}\n"
    wrong.write_text("records:\n  orders:\n    - keey: a\n")
    told = "records.orders[0].keey: a record has no such field (did you mean 'key'?)"
    assert refused("seed", str(wrong)) == f"{wrong}: line 3: {told}\n"
    assert refused("seed", str(tmp_path / "none.jsonl")).endswith("it cannot be read: No such file or directory\n")
    nowhere = tmp_path / "no" / "state.jsonl"
    assert refused("export", str(nowhere)) == f"{nowhere} cannot be used: No such file or directory\n"
    assert refused("export", "topics=tabel").startswith("there is no topic 'tabel'")
    assert len(kafka.records("orders")) == 1


def test_an_export_that_breaks_off_is_no_seed(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Export) -> AsyncGenerator[bytes, None]:
        async for line in lines(self):
            yield line
        raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "it has moved")

    kafka.seed(SEED)
    lines = Export._lines
    monkeypatch.setattr(Export, "_lines", broken)
    status, body, _ = asked(kafka, "/v1/export", None)
    assert status == 200
    (tmp_path / "state.jsonl").write_bytes(body)
    with pytest.raises(InvalidSeed, match=r"the export that wrote this has broken off: .*it has moved"):
        kafka.seed(tmp_path / "state.jsonl")
    assert main(["control", "export", str(tmp_path / "again.jsonl")]) == 1
    assert "the export has broken off: NOT_LEADER_OR_FOLLOWER: it has moved" in capsys.readouterr().err
    with pytest.raises(KafkaError, match="it has moved"):
        kafka.export(tmp_path / "again.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["state.jsonl"]


# -- ACLs

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
ACLS = [
    {"principal": "User:alice", "operation": "read", "resource_type": "topic", "resource_name": "orders"},
    {"principal": "User:bob", "operation": "IDEMPOTENT_WRITE", "resource_type": "cluster", "permission": "deny"},
    {
        "principal": "User:carol",
        "host": "10.0.0.1",
        "operation": "all",
        "resource_type": "transactional-id",
        "resource_name": "billing-",
        "pattern": "prefixed",
    },
]


@pytest.fixture(scope="module")
def guarded_kafka() -> Iterator[Kafka]:
    with Kafka(settings=AUTHORIZER) as kafka:
        yield kafka
        assert kafka.take_bugs() == []


def acls_of(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert main(["acls", "list", "--json", "-b", kafka.bootstrap_servers]) == 0
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
    return found


def test_acls_are_seeded_exported_and_begun_with(
    guarded_kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka = guarded_kafka
    kafka.reset()
    assert kafka.seed({"topics": {"orders": 1}, "acls": [*ACLS, ACLS[0]]}).acls == 3
    found = acls_of(kafka, capsys)
    anybody = {"host": "*", "permission": "allow", "pattern": "literal"}
    for wanted in (
        {**anybody, **ACLS[0]},
        {**anybody, **ACLS[1], "operation": "idempotent-write", "resource_name": "kafka-cluster"},
        {**anybody, **ACLS[2]},
    ):
        assert wanted in found
    assert len(found) == 3
    assert kafka.export(tmp_path / "state.jsonl").acls == 3
    assert kafka.export(tmp_path / "without.jsonl", acls=False).acls == 0
    assert kafka.seed({"acls": ACLS}).acls == 3, "those that are there already"
    kafka.reset()
    assert acls_of(kafka, capsys) == []
    with Kafka(seed=tmp_path / "state.jsonl", settings=AUTHORIZER) as other:
        for _ in range(2):
            assert acls_of(other, capsys) == found
            assert main(["acls", "remove", "--all", "-b", other.bootstrap_servers]) == 0
            capsys.readouterr()
            other.reset()
    # As `kafkapy acls list` prints them.
    (tmp_path / "listed.jsonl").write_text("".join(json.dumps({"kind": "acl", **each}) + "\n" for each in found))
    kafka.seed(tmp_path / "listed.jsonl")
    assert acls_of(kafka, capsys) == found


@pytest.mark.parametrize(
    ("acl", "told"),
    [
        ({**ACLS[0], "principal": "alice"}, r"acls\[1\]: Could not parse principal from `alice`"),
        ({**ACLS[0], "host": "10.0.0.0/99"}, r"acls\[1\]: Invalid CIDR notation '10.0.0.0/99'"),
        ({**ACLS[1], "resource_name": "my-cluster"}, r"acls\[1\]: The only valid name for the CLUSTER resource is"),
    ],
)
def test_an_acl_that_kafka_would_refuse_is_refused_before_anything_is_done(
    guarded_kafka: Kafka, acl: dict[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded_kafka.reset()
    with pytest.raises(InvalidSeed, match=told):
        guarded_kafka.seed({"topics": {"orders": 1}, "acls": [ACLS[0], acl]})
    assert guarded_kafka.topics() == []
    assert acls_of(guarded_kafka, capsys) == []


def test_acls_of_a_seed_that_fails_are_gone_again(
    guarded_kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(nodes: ControlledNodes, acls: Sequence[Acl]) -> None:
        await create_acls(nodes, acls)
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is full")

    guarded_kafka.reset()
    monkeypatch.setattr("kafkapy.control.seeding.create_acls", fail)
    with pytest.raises(KafkaError, match="the disk is full"):
        guarded_kafka.seed({"topics": {"orders": 1}, "acls": ACLS})
    assert guarded_kafka.topics() == []
    assert acls_of(guarded_kafka, capsys) == []


def test_without_an_authorizer_a_seed_cannot_have_acls(kafka: Kafka) -> None:
    with pytest.raises(InvalidSeed, match=r"acls\[0\]: the broker has no authorizer, so that ACLs mean nothing"):
        kafka.seed({"topics": {"orders": 1}, "acls": ACLS})
    assert kafka.topics() == []
