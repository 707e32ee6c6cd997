"""One data directory, two brokers: what kafkapy wrote Apache Kafka 4.4.0 serves, and the other way round, twice.

In each round the broker of the turn takes records, groups' commits, transactions, topics and settings of every kind.
Then it stops and the other one starts on the very directory: clients see there what they saw before (`ClusterView`),
and those that stayed connected (members of groups, idempotent and transactional producers) go on in the next round as
after any restart of a broker. Each writes snapshots of the metadata and deletes the log that they cover, so that the
other one starts from them. `kafka-dump-log` has no complaint about any file that kafkapy left.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import DUMP_LOG, ApacheKafka, java_tool
from compat_tests.broker import Broker
from compat_tests.cluster_view import ClusterView, shown, view
from compat_tests.conftest import SETTINGS
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.differential.peer import Peer
from compat_tests.kafkapy_process import KafkapyProcess
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData,
    OpData,
)
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from kafkapy_wire.messages.describe_client_quotas import DescribeClientQuotasRequest
from kafkapy_wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.usefixtures("java")

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SEGMENT_BYTES = 1 << 20  # Apache Kafka allows no smaller segments (KIP-1030)
TRANSACTION_TIMEOUT_MS = 600_000  # nothing times out while the brokers change
BROKER_SETTINGS = SETTINGS | {
    "transaction.state.log.num.partitions": "4",
    "log.cleaner.backoff.ms": "100",
    # A snapshot of the metadata every few topics, and none but the newest is kept, so that the log begins after it.
    "metadata.log.max.record.bytes.between.snapshots": "2000",
    "metadata.max.retention.ms": "0",
}
METADATA = "__cluster_metadata-0"
FIRST_SNAPSHOT = "00000000000000000000-0000000000.checkpoint"

TOPIC_SETTINGS = {
    "partitioned": {},
    "rolled": {"segment.bytes": str(SEGMENT_BYTES)},
    "codecs": {"compression.type": "producer"},
    "log-append-time": {"message.timestamp.type": "LogAppendTime"},
    "compacted": {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "segment.bytes": str(SEGMENT_BYTES),
    },
    "cut": {},
    "transactional": {},
    "offsets-source": {},
    "made-again": {},
    "settings": {"retention.ms": "86400000", "max.message.bytes": "65536", "cleanup.policy": "compact,delete"},
}
TOPIC, BROKER = 2, 4  # types of config resources
SET = 0
RECORDS_A_TURN = 30
CUT_AT = 30
SCRAM_SHA_256 = 1
NEXT_GENERATION = "of-the-next-generation"
DUMPED = frozenset({".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint"})
DECODERS = {
    "__cluster_metadata": "--cluster-metadata-decoder",
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
}
PARTITIONS = {"partitioned": 3, "settings": 2}


def test_apache_kafka_boots_on_our_directory_and_we_on_what_it_made_of_it_twice(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with Journey.begun(directory, voters_in_log=True) as journey:
        for _ in range(2):
            journey.round(journey.kafkapy)
            journey.round(journey.apache_kafka)
        journey.arrive(journey.kafkapy)
        journey.kafkapy.stop()
        clean_starts = journey.apache_kafka.output().count("since clean shutdown file was found")
        assert clean_starts == 2, "Apache Kafka believes that what we closed is closed"
    dump_every_file(directory)


def test_each_starts_where_the_other_was_killed(tmp_path: Path) -> None:
    """Apache Kafka formats the directory and stops cleanly; after that both are killed in their turn."""
    directory = tmp_path / "data"
    with Journey.begun(directory, voters_in_log=False) as journey:
        journey.round(journey.apache_kafka)
        journey.round(journey.kafkapy, kill=True)
        journey.round(journey.apache_kafka, kill=True)
        journey.arrive(journey.kafkapy)
        journey.kafkapy.stop()
    dump_every_file(directory)


def newest_snapshot(directory: Path) -> str:
    """The name of the newest snapshot of the metadata; names are in the order of their offsets."""
    return max((path.name for path in (directory / METADATA).glob("*.checkpoint")), default="")


class Journey:
    """A directory on its way between two brokers on one port, and the clients that come along."""

    def __init__(self, directory: Path, kafkapy: KafkapyProcess, apache_kafka: ApacheKafka) -> None:
        self.directory = directory
        self.kafkapy = kafkapy
        self.apache_kafka = apache_kafka
        self.left: ClusterView | None = None
        self.acknowledged: dict[tuple[str, int, int], bytes | None] = {}
        self._seeded = random.Random(20_261_121)
        self._clients: dict[str, Any] = {}
        self._offsets_only: frozenset[str] = frozenset()
        self._only_theirs: list[object] = []
        self._turns = 0

    @classmethod
    @contextmanager
    def begun(cls, directory: Path, *, voters_in_log: bool) -> Iterator[Journey]:
        # A broker whose predecessor was killed may register when that one's session ends, by default after 9 s.
        sessions = {"broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "200"}
        theirs = ApacheKafka(BROKER_SETTINGS | sessions, data_dir=directory, voters_in_log=voters_in_log)
        ours = KafkapyProcess(BROKER_SETTINGS, data_dir=directory, port=theirs.port)
        with closing(ours), closing(theirs):
            yield cls(directory, ours, theirs)
            assert not ours.bugs()

    def arrive(self, broker: Broker) -> None:
        """Start the broker: everything is as it was left."""
        broker.start()
        if self.left is None:
            return
        seen = view(broker, self._offsets_only)
        deadline = time.monotonic() + PATIENCE_SECONDS
        # Apache Kafka answers before its coordinators have loaded, and lists no group until then. We do not.
        while broker is self.apache_kafka and seen != self.left and time.monotonic() < deadline:
            seen = view(broker, self._offsets_only)
        assert seen == self.left

    def round(self, broker: Broker, *, kill: bool = False) -> None:
        """Start the broker, use it, and end it."""
        turn, self._turns = self._turns, self._turns + 1
        newest = newest_snapshot(self.directory)
        self.arrive(broker)
        if turn == 0:
            self._create_topics(broker)
        self._change_settings(turn, broker)
        self._produce(turn, broker)
        self._transact(turn, broker)
        self._consume(broker)
        if broker is self.apache_kafka:
            self._use_what_only_they_serve()
        self._delete_a_topic(turn, broker)
        self.left = view(broker, self._offsets_only)
        self._check(self.left, turn)
        eventually(lambda: newest_snapshot(self.directory) > newest, "a snapshot of the metadata is written")
        if broker is self.kafkapy:
            first = self.directory / METADATA / FIRST_SNAPSHOT
            eventually(lambda: not first.exists(), "the metadata log begins after a snapshot")
        broker.stop(kill=kill)

    def _client(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._clients:
            self._clients[name] = make()
        return self._clients[name]

    # Topics and settings

    def _create_topics(self, broker: Broker) -> None:
        admin = admin_client(broker)
        for again in ("made-again", "cut"):
            create_topics(admin, [confluent_admin.NewTopic(again, 1, 1)])
        admin.delete_topics(["made-again"])["made-again"].result(PATIENCE_SECONDS)
        eventually(lambda: "made-again" not in admin.list_topics(timeout=PATIENCE_SECONDS).topics, "made-again is gone")
        create_topics(
            admin,
            [
                confluent_admin.NewTopic(name, PARTITIONS.get(name, 1), 1, config=settings)
                for name, settings in TOPIC_SETTINGS.items()
                if name != "cut"
            ],
        )
        producer = producer_client(broker)
        for n in range(100):
            self._send(producer, "cut", 0, str(n).encode())
        flush(producer)
        cut = confluent_kafka.TopicPartition("cut", 0, CUT_AT)
        admin.delete_records([cut])[cut].result(PATIENCE_SECONDS)
        for n in range(CUT_AT):
            del self.acknowledged["cut", 0, n]

    def _change_settings(self, turn: int, broker: Broker) -> None:
        alter_configs(
            broker,
            [
                (TOPIC, "settings", {"retention.ms": str(90_000_000 + turn), "segment.jitter.ms": "5"}),
                (BROKER, "", {"message.max.bytes": str(2_000_000 + turn), "log.retention.ms": "700000000"}),
                (BROKER, "1", {"log.cleaner.backoff.ms": str(100 + turn)}),
            ],
        )
        admin = admin_client(broker)
        more = confluent_admin.NewPartitions("settings", 3 + turn)
        admin.create_partitions([more])["settings"].result(PATIENCE_SECONDS)
        create_topics(admin, [confluent_admin.NewTopic(f"of-turn-{turn}", 2, 1, config={"flush.messages": "7"})])

    def _delete_a_topic(self, turn: int, broker: Broker) -> None:
        """Just before the end, so that the files may be waiting for their removal still."""
        admin = admin_client(broker)
        name = f"deleted-{turn}"
        create_topics(admin, [confluent_admin.NewTopic(name, 1, 1)])
        producer = producer_client(broker)
        producer.produce(name, b"never to be seen again")
        flush(producer)
        admin.delete_topics([name])[name].result(PATIENCE_SECONDS)
        eventually(lambda: name not in admin.list_topics(timeout=PATIENCE_SECONDS).topics, f"{name} is gone")

    # Records

    def _send(self, producer: Any, topic: str, partition: int, value: bytes | None, **options: Any) -> None:
        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            self.acknowledged[topic, message.partition(), message.offset()] = value

        producer.produce(topic, value, partition=partition, on_delivery=delivered, **options)

    def _produce(self, turn: int, broker: Broker) -> None:
        # The same one in every round: its sequence numbers go on where the last broker stored them.
        idempotent = self._client("idempotent", lambda: producer_client(broker, **{"enable.idempotence": True}))
        for n in range(RECORDS_A_TURN):
            self._send(idempotent, "partitioned", n % 3, f"{turn} {n}".encode(), key=str(n).encode())
            self._send(idempotent, "log-append-time", 0, f"{turn} {n}".encode(), timestamp=1_700_000_000_000 + n)
            self._send(idempotent, "offsets-source", 0, f"{turn} {n}".encode())
        for key in range(20):
            value = None if key % 5 == turn else f"{turn} {key}".encode()
            self._send(idempotent, "compacted", 0, value, key=f"key {key}".encode())
        self._send(idempotent, "made-again", 0, f"{turn}".encode())
        flush(idempotent)
        headers = [("color", b"blue"), ("träce", "é".encode()), ("none", None), ("color", b"")]
        start_ms = time.time_ns() // 1_000_000
        for codec in CODECS:
            producer = producer_client(broker, **{"compression.type": codec})
            self._send(producer, "codecs", 0, None, key=b"tombstone", headers=headers)
            self._send(producer, "codecs", 0, "Grüße, 世界 🦊".encode(), key="clé".encode(), timestamp=start_ms)
            self._send(producer, "codecs", 0, b"", key=b"")
            for n in range(20):
                self._send(producer, "codecs", 0, f"{codec} {n}".encode() * 20)
                self._send(producer, "rolled", 0, self._seeded.randbytes(10_000))
                self._send(producer, "compacted", 0, self._seeded.randbytes(6_000), key=f"{codec} {n % 4}".encode())
            flush(producer)

    def _transact(self, turn: int, broker: Broker) -> None:
        """One that began under the last broker is committed, one is abandoned to its successor; two are left open."""
        carried = self._client("carried", lambda: transactional_client(broker, "carried"))
        if turn:
            self._send(carried, "transactional", 0, b"carried, second half")
            carried.commit_transaction(PATIENCE_SECONDS)
        successor = transactional_client(broker, "abandoned")  # ends what its predecessor has left open
        for n in range(4):
            successor.begin_transaction()
            self._send(successor, "transactional", 0, f"{turn} {n} {'aborted' if n % 2 else 'committed'}".encode())
            flush(successor)
            with consumer_client(broker, "of-transactions") as consumer:
                source = confluent_kafka.TopicPartition("offsets-source", 0, 10 * turn + n)
                consumer.assign([source])
                successor.send_offsets_to_transaction([source], consumer.consumer_group_metadata(), PATIENCE_SECONDS)
            (successor.abort_transaction if n % 2 else successor.commit_transaction)(PATIENCE_SECONDS)
        for producer, name in ((successor, "abandoned"), (carried, "carried")):
            producer.begin_transaction()
            self._send(producer, "transactional", 0, f"{turn} left open by {name}".encode())
            flush(producer)
        self._clients[f"abandoned {turn}"] = successor  # its destruction would abort the transaction

    def _consume(self, broker: Broker) -> None:
        """Two groups, one of a static member, whose members stay; one that only stores offsets."""
        for group, settings in (("dynamic", {}), ("static", {"group.instance.id": "the first"})):
            consumer = self._client(group, partial(subscribed, broker, group, settings))
            messages = consumer.consume(RECORDS_A_TURN, PATIENCE_SECONDS)
            assert [message.error() for message in messages] == [None] * RECORDS_A_TURN
            read = {message.value().split()[0] for message in messages}
            assert read == {str(self._turns - 1).encode()}, "the members go on where they were"
            consumer.commit(asynchronous=False)
        with consumer_client(broker, "stored") as consumer:
            stored = confluent_kafka.TopicPartition("codecs", 0, len(self.acknowledged) % 50, "mé ta")
            consumer.commit(offsets=[stored], asynchronous=False)

    def _use_what_only_they_serve(self) -> None:
        """A group of KIP-848, a quota, a SCRAM user: what we keep for Apache Kafka and do not serve."""
        if self._only_theirs:
            assert what_only_they_serve(self.apache_kafka) == self._only_theirs
            return
        settings = {"group.protocol": "consumer", "auto.offset.reset": "earliest"}
        with consumer_client(self.apache_kafka, NEXT_GENERATION, **settings) as consumer:
            consumer.subscribe(["codecs"])
            assert len(consumer.consume(7, PATIENCE_SECONDS)) == 7
            consumer.commit(asynchronous=False)
        alice = AlterClientQuotasRequestEntityData(entity_type="user", entity_name="alice")
        quota = AlterClientQuotasRequestEntryData(
            entity=[alice], ops=[OpData(key="consumer_byte_rate", value=12_345.0)]
        )
        secret = ScramCredentialUpsertion(
            name="alice", mechanism=SCRAM_SHA_256, iterations=4096, salt=b"salt", salted_password=bytes(32)
        )
        with Peer("Apache Kafka", "127.0.0.1", self.apache_kafka.port, None) as peer:
            assert [e.error_code for e in peer.quietly(AlterClientQuotasRequest(entries=[quota])).entries] == [0]
            altered = peer.quietly(AlterUserScramCredentialsRequest(upsertions=[secret]))
            assert [result.error_code for result in altered.results] == [0]
        self._offsets_only = frozenset({NEXT_GENERATION})
        self._only_theirs = what_only_they_serve(self.apache_kafka)

    def _check(self, seen: ClusterView, turn: int) -> None:
        """All that was written is there, not only the same before and after a change of brokers."""
        stored = {
            (*partition, record.offset): record.value
            for partition, records in seen.records.items()
            for record in records
        }
        for (topic, partition, offset), value in self.acknowledged.items():
            if topic != "compacted":
                assert stored[topic, partition, offset] == shown(value)
        assert (
            seen.tables["compacted", 0][f"key {(turn + 1) % 5}".encode()].value == f"{turn} {(turn + 1) % 5}".encode()
        )
        assert f"key {turn}".encode() not in seen.tables["compacted", 0], "a tombstone was the last to be written"
        assert seen.offsets["cut", 0] == (CUT_AT, 100, 100)
        states = {name: transaction["state"] for name, transaction in seen.transactions.items()}
        assert states == {"abandoned": "Ongoing", "carried": "Ongoing"}
        committed = [record.value for record in seen.committed_records["transactional", 0]]
        assert f"{turn} 2 committed".encode() in committed
        assert not any(b"aborted" in (value or b"") or b"by abandoned" in (value or b"") for value in committed)
        assert (b"carried, second half" in committed) == (turn > 0)
        assert seen.committed_offsets["of-transactions"] == {("offsets-source", 0): (10 * turn + 2, "")}
        assert {len(seen.groups[group]["members"]) for group in ("dynamic", "static")} == {1}


def admin_client(broker: Broker) -> Any:
    return confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})


def producer_client(broker: Broker, **settings: Any) -> Any:
    return confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "reconnect.backoff.max.ms": 200, "log_level": 0}
        | settings
    )


def transactional_client(broker: Broker, transactional_id: str) -> Any:
    settings = {"transactional.id": transactional_id, "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS}
    producer = producer_client(broker, **settings)
    producer.init_transactions(PATIENCE_SECONDS)
    return producer


@contextmanager
def consumer_client(broker: Broker, group: str, **settings: Any) -> Iterator[Any]:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        | settings
    )
    with closing(consumer):
        yield consumer


def subscribed(broker: Broker, group: str, settings: dict[str, str]) -> Any:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
        | settings
    )
    consumer.subscribe(["partitioned"])
    return consumer


def alter_configs(broker: Broker, changes: list[tuple[int, str, dict[str, str]]]) -> None:
    """Set settings of (resource type, name). By the raw protocol: no client here can name the cluster's default."""
    resources = [
        AlterConfigsResource(
            resource_type=kind,
            resource_name=name,
            configs=[AlterableConfig(name=key, value=value, config_operation=SET) for key, value in settings.items()],
        )
        for kind, name, settings in changes
    ]
    with Peer("either", "127.0.0.1", broker.port, None) as peer:
        answer = peer.quietly(IncrementalAlterConfigsRequest(resources=resources))
    assert {response.error_code for response in answer.responses} == {0}, answer


def what_only_they_serve(broker: Broker) -> list[object]:
    with Peer("Apache Kafka", "127.0.0.1", broker.port, None) as peer:
        quotas = peer.until(DescribeClientQuotasRequest(), lambda answer: answer.entries, "the quota is known")
        users = peer.until(DescribeUserScramCredentialsRequest(), lambda answer: answer.results, "the user is known")
        group = peer.until(
            ConsumerGroupDescribeRequest(group_ids=[NEXT_GENERATION]),
            lambda answer: answer.groups[0].group_state == "Empty",
            "the group has been left",
        )
        return [quotas.entries, users.results, group.groups]


def create_topics(admin: Any, topics: list[Any]) -> None:
    for created in admin.create_topics(topics).values():
        created.result(PATIENCE_SECONDS)


def flush(producer: Any) -> None:
    assert producer.flush(PATIENCE_SECONDS) == 0


def dump_every_file(directory: Path) -> None:
    """Have `kafka-dump-log` read every log, index, snapshot and checkpoint, each decoded as what it is."""
    files: dict[str, list[str]] = {}
    for partition in directory.iterdir():
        topic = partition.name.rpartition("-")[0]
        if partition.is_dir() and not partition.name.endswith("-delete"):
            named = [str(path) for path in sorted(partition.iterdir()) if path.suffix in DUMPED]
            files.setdefault(topic if topic in DECODERS else "", []).extend(named)
    assert files.keys() == {"", *DECODERS}
    runs: list[tuple[str, ...]] = [
        ("--deep-iteration", DECODERS.get(topic, "--print-data-log"), "--files", ",".join(paths))
        for topic, paths in files.items()
    ]
    indexes = [path for path in files[""] if path.endswith("index")]
    assert any(path.endswith(".txnindex") for path in indexes)
    runs.append(("--index-sanity-check", "--files", ",".join(indexes)))
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda arguments: java_tool(DUMP_LOG, *arguments), runs):
            assert result.returncode == 0, result.stdout + result.stderr
            # What it finds wrong it says beside the dump and still exits with 0.
            assert [line for line in result.stderr.splitlines() if line.strip() and not is_gap(line)] == []
            assert "isvalid: false" not in result.stdout
            assert "Mismatches" not in result.stdout


def is_gap(line: str) -> bool:
    """It wonders at offsets that compaction left out, and at each segment that does not begin with 0."""
    return line.startswith("Non-consecutive offsets in ") or bool(re.fullmatch(r" *-?\d+ is followed by \d+", line))
