"""Every level of metadata.version, there and back between kafkapy and Apache Kafka 4.4.0.

What a level means is asked of Kafka's own classes. Directories of each level are formatted by Kafka's tool, and Kafka's
metadata image reads what kafkapy has written there. Then both brokers take turns on a directory, and clients see what
they saw before. The long form, KAFKAPY_METADATA_VERSIONS=all, does this at every level.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.cluster_view import view
from compat_tests.conftest import SETTINGS
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.differential.peer import Peer
from compat_tests.kafka_series import KafkaRefused, KafkaSeries
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.test_there_and_back import (
    BROKER,
    TOPIC,
    alter_configs,
    consumer_client,
    flush,
    producer_client,
    transactional_client,
)
from compat_tests.tools import need
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest

confluent_kafka = pytest.importorskip("confluent_kafka")

KNOWN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "tests" / "controller" / "data" / "kafka_4_4_0" / "levels.json").read_text()
)
LEVELS: dict[str, Any] = KNOWN["levels"]
ALL = os.environ.get("KAFKAPY_METADATA_VERSIONS") == "all"
# Levels at which other records, or versions of them, come. tests/controller/test_kafka_levels.py is about each.
BOOTED_AT = tuple(LEVELS) if ALL else ("3.3-IV3", "3.6-IV1", "3.7-IV2", "4.0-IV1", "4.4-IV2")
# Before metadata transactions and directories; before eligible leaders. test_there_and_back is about the latest.
TURNED_AT = tuple(LEVELS) if ALL else ("3.3-IV3", "4.0-IV0")
BROKER_SETTINGS = SETTINGS | {"transaction.state.log.num.partitions": "4"}
OLDER_RELEASES = ("3.9.1", "4.0.0", "4.1.0", "4.2.0")
LOG = "__cluster_metadata-0/00000000000000000000.log"
MIN_ISR = "min.insync.replicas"
VOTERS = "controller.quorum.voters"
FIRST_SNAPSHOT = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"


@pytest.fixture(scope="module")
def series() -> Iterator[KafkaSeries]:
    need(jar_directory)
    with KafkaSeries() as jvm:
        yield jvm


def test_apache_kafka_says_of_its_levels_what_our_tables_are_tested_against(series: KafkaSeries) -> None:
    assert series.do("levels") == LEVELS
    assert series.do("features") == KNOWN["features"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-r", "2.8"],
        ["-r", "3.3-IV0"],
        ["-r", "4.5"],
        ["-r", "4.5-IV0"],
        ["-r", "4.4-IV7"],
        ["-r", "4.4-IV1.7"],
        ["-r", "4.4", "-f", "metadata.version=30"],
        ["-f", "metadata.version=6"],
        ["-f", "metadata.version=34"],
        ["-f", "metadata.version=35"],
        ["-f", "metadata.version=21"],
        ["-f", "group.version"],
        ["-f", "group.version="],
        ["-f", "group.version=x"],
        ["-f", "group.version= 1 "],
        ["-f", "group.version=99999"],
        ["-f", "group.version=2"],
        ["-f", "group.version=-1"],
        ["-f", "group.version=0", "-f", "group.version=1"],
        ["-f", "nonsense=1"],
        ["-f", "kraft.version=0"],
        ["-f", "kraft.version=2"],
        ["-r", "4.0-IV0", "-f", "eligible.leader.replicas.version=1"],
        ["-r", "3.3", "-f", "transaction.version=2"],
        ["-r", "3.3", "-f", "share.version=2", "-f", "streams.version=1", "-f", "group.version=1"],
    ],
    ids=lambda options: " ".join(options) or "default",
)
def test_format_takes_and_refuses_what_kafka_storage_does_in_its_words(
    series: KafkaSeries, tmp_path: Path, options: list[str]
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with closing(ApacheKafka(data_dir=theirs, voters_in_log=True)) as kafka:
        broker = series.broker(kafka)
        try:
            series.format(broker, "-s", *options)
            refusal = None
        except KafkaRefused as refused:
            refusal = str(refused).partition(": ")[2]
        formatted = format_ours(ours, "-s", *options)
        if refusal is not None:
            assert (formatted.returncode, formatted.stderr) == (1, f"kafkapy: {refusal}\n")
            assert not (ours / "meta.properties").exists()
        else:
            assert formatted.returncode == 0, formatted
            assert bootstrapped(series, ours) == bootstrapped(series, theirs)


@pytest.mark.parametrize(
    ("voters_in_log", "node_id", "options"),
    [
        (True, 1, ["-s"]),
        (True, 1, ["-s", "-g"]),
        (True, 1, ["-s", "-g", "-t", "another-cluster"]),
        (True, 2, ["-s", "-g"]),
        (False, 1, ["-s"]),
        (False, 1, []),
        (False, 1, ["-f", "kraft.version=1"]),
        (False, 1, ["-f", "kraft.version=0", "-g"]),
    ],
    ids=str,
)
def test_a_formatted_directory_is_left_alone_in_the_words_of_the_tool(
    series: KafkaSeries, tmp_path: Path, voters_in_log: bool, node_id: int, options: list[str]
) -> None:
    """Kafka's tool formats it for node 1. Then both are asked to do it again."""
    directory = tmp_path / "data"
    with closing(ApacheKafka(data_dir=directory, voters_in_log=voters_in_log)) as first:
        series.format(series.broker(first), *(["-s"] if voters_in_log else []))
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with closing(ApacheKafka(data_dir=directory, voters_in_log=voters_in_log, node_id=node_id)) as second:
        try:
            said, exit_code = series.format(series.broker(second), *options), 0
        except KafkaRefused as refused:
            said, exit_code = f"kafkapy: {str(refused).partition(': ')[2]}\n", 1
        given = {name: second.settings[name] for name in ("node.id", VOTERS) if name in second.settings}
    overrides = [word for pair in given.items() for word in ("--override", "=".join(pair))]
    formatted = format_ours(directory, *options, *overrides)
    assert (formatted.returncode, formatted.stdout + formatted.stderr) == (exit_code, said)
    files = [path for path in directory.rglob("*") if path.is_file() and path.name != ".lock"]
    assert {path: path.read_bytes() for path in files} == before


def format_ours(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [kafkapy_command(), "format", "-t", CLUSTER_ID, "--data-dir", str(directory), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def bootstrapped(series: KafkaSeries, directory: Path) -> list[Any]:
    """What a directory was formatted with, as Kafka reads it."""
    return [record["data"] for record in series.records(directory / FIRST_SNAPSHOT)]


@pytest.mark.parametrize("level", BOOTED_AT)
def test_a_directory_of_each_level_boots_and_kafka_reads_what_was_written(
    series: KafkaSeries, tmp_path: Path, level: str
) -> None:
    directory = tmp_path / "data"
    voters_in_log = LEVELS[level]["level"] % 2 == 0
    with closing(ApacheKafka(BROKER_SETTINGS, data_dir=directory, voters_in_log=voters_in_log)) as theirs:
        series.format(series.broker(theirs), "-r", level, *(["-s"] if voters_in_log else []))
        with closing(KafkapyProcess(kafkapy_settings(theirs), data_dir=directory)) as ours:
            for turn in range(2):
                ours.start()
                change_metadata(ours, turn)
                assert finalized_features(ours) == expected_features(level, voters_in_log=voters_in_log)
                ours.stop()
            assert not ours.bugs()
    check_records(series, directory, level)


@pytest.mark.parametrize("level", TURNED_AT)
def test_both_brokers_take_turns_on_a_directory_of_a_level(series: KafkaSeries, tmp_path: Path, level: str) -> None:
    """Half of the directories are formatted by Kafka's tool and booted by kafkapy first, the others the other way.

    Those that we format have at least transaction.version 1, which no level begins with.
    """
    directory = tmp_path / "data"
    kafka_formats = TURNED_AT.index(level) % 2 == 0
    voters_in_log = (TURNED_AT.index(level) // 2 + TURNED_AT.index(level)) % 2 == 0  # with either tool, in its turn
    with closing(ApacheKafka(BROKER_SETTINGS, data_dir=directory, voters_in_log=voters_in_log)) as settings:
        theirs = series.broker(settings)
        with closing(KafkapyProcess(kafkapy_settings(settings), data_dir=directory, port=settings.port)) as ours:
            turns: list[Broker] = [theirs, ours, theirs, ours]
            expected = expected_features(level, voters_in_log=voters_in_log)
            if kafka_formats:
                series.format(theirs, "-r", level, *(["-s"] if voters_in_log else []))
                turns = [ours, *turns]
            else:
                voters = settings.settings.get(VOTERS)
                options = ["--override", f"{VOTERS}={voters}"] if voters else ["-s"]
                transaction_version = max(LEVELS[level]["features"]["transaction.version"], 1)
                options += ["-f", f"transaction.version={transaction_version}"]
                formatted = format_ours(directory, "-r", level, *options)
                assert formatted.returncode == 0, formatted
                expected["transaction.version"] = transaction_version
            left: dict[str, Any] | None = None
            for turn, broker in enumerate(turns):
                broker.start()
                if left is not None:
                    assert arrival(broker, left) == left
                assert finalized_features(broker) == expected
                change_metadata(broker, turn)
                use_topic(broker, turn)
                left = asdict(view(broker))
                broker.stop()
            assert not ours.bugs()
    check_records(series, directory, level)


if ALL:  # Maven has to get the jars of four more releases

    @pytest.mark.parametrize("release", OLDER_RELEASES)
    def test_an_older_release_and_kafkapy_take_turns_on_its_directory(tmp_path: Path, release: str) -> None:
        """Apache Kafka of that release formats the directory, and reads in the end what kafkapy has written."""
        directory = tmp_path / "data"
        voters_in_log = OLDER_RELEASES.index(release) % 2 == 0
        with (
            closing(
                ApacheKafka(BROKER_SETTINGS, data_dir=directory, voters_in_log=voters_in_log, version=release)
            ) as theirs,
            closing(KafkapyProcess(kafkapy_settings(theirs), data_dir=directory, port=theirs.port)) as ours,
        ):
            left: dict[str, Any] | None = None
            turns: list[Broker] = [theirs, ours, theirs, ours]
            for turn, broker in enumerate(turns):
                broker.start()
                if left is not None:
                    assert arrival(broker, left) == left
                change_metadata(broker, turn)
                use_topic(broker, turn)
                left = asdict(view(broker))
                broker.stop()
            assert not ours.bugs()


def kafkapy_settings(theirs: ApacheKafka) -> dict[str, str]:
    """The settings that both brokers are told: where the voters stand is one of them."""
    voters = theirs.settings.get(VOTERS)
    return BROKER_SETTINGS | ({VOTERS: voters} if voters else {})


def expected_features(level: str, *, voters_in_log: bool) -> dict[str, int]:
    features: dict[str, int] = LEVELS[level]["features"] | {
        "metadata.version": LEVELS[level]["level"],
        "kraft.version": int(voters_in_log),
    }
    return {name: number for name, number in features.items() if number}


def finalized_features(broker: Broker) -> dict[str, int]:
    with Peer("either", "127.0.0.1", broker.port, None) as peer:
        answer = peer.quietly(ApiVersionsRequest(client_software_name="a-test", client_software_version="1"))
    return {feature.name: feature.max_version_level for feature in answer.finalized_features}


def arrival(broker: Broker, left: dict[str, Any]) -> dict[str, Any]:
    seen = asdict(view(broker))
    deadline = time.monotonic() + PATIENCE_SECONDS
    # Apache Kafka answers before its coordinators have loaded, and lists no group until then. We do not.
    while not isinstance(broker, KafkapyProcess) and seen != left and time.monotonic() < deadline:
        seen = asdict(view(broker))
    return seen


def change_metadata(broker: Broker, turn: int) -> None:
    """Records of each kind that a client can cause: topics, partitions, settings, deletions, producer ids."""
    name, doomed = f"of-turn-{turn}", f"deleted-{turn}"
    configs = [CreatableTopicConfig(name="retention.ms", value="1"), CreatableTopicConfig(name=MIN_ISR, value="1")]
    topics = [
        CreatableTopic(name=name, num_partitions=2, replication_factor=1, configs=configs),
        CreatableTopic(name=doomed, num_partitions=1, replication_factor=1),
    ]
    grown = CreatePartitionsTopic(name=name, count=3, assignments=None)
    with Peer("either", "127.0.0.1", broker.port, None) as peer:
        created = peer.quietly(CreateTopicsRequest(topics=topics, timeout_ms=30_000))
        assert [topic.error_code for topic in created.topics] == [0, 0], created
        answer = peer.quietly(CreatePartitionsRequest(topics=[grown], timeout_ms=30_000))
        assert [result.error_code for result in answer.results] == [0], answer
        deleted = peer.quietly(DeleteTopicsRequest(topics=[DeleteTopicState(name=doomed)], timeout_ms=30_000))
        assert [result.error_code for result in deleted.responses] == [0], deleted
        peer.until(
            InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000),
            lambda answer: answer.error_code == 0,
            "a producer id",
        )
    alter_configs(
        broker,
        [
            (TOPIC, name, {"retention.ms": str(90_000_000 + turn), MIN_ISR: "2"}),
            (BROKER, "", {"message.max.bytes": str(2_000_000 + turn)}),
            (BROKER, "1", {"log.cleaner.backoff.ms": str(15_000 + turn)}),
        ],
    )
    alter_configs(broker, [(TOPIC, name, {MIN_ISR: "1"})])


def use_topic(broker: Broker, turn: int) -> None:
    """Records, transactions and a group: what they store depends on other features."""
    name = f"of-turn-{turn}"
    producer = producer_client(broker, **{"enable.idempotence": True})
    for n in range(10):
        producer.produce(name, f"{turn} {n}".encode(), str(n).encode(), partition=n % 3)
    flush(producer)
    transactional = transactional_client(broker, "a-transactional-id")
    for end in (transactional.commit_transaction, transactional.abort_transaction):
        transactional.begin_transaction()
        transactional.produce(name, b"in a transaction", partition=0)
        flush(transactional)
        end(PATIENCE_SECONDS)
    with consumer_client(broker, "a-group", **{"auto.offset.reset": "earliest"}) as consumer:
        consumer.subscribe([name])
        assert len(consumer.consume(10, PATIENCE_SECONDS)) == 10
        consumer.commit(asynchronous=False)


def check_records(series: KafkaSeries, directory: Path, level: str) -> None:
    """Kafka's image takes every record of the log, and each is of the version that the level writes."""
    records = series.records(directory / LOG)
    assert records
    versions: dict[str, int] = LEVELS[level]["records"]
    for record in records:
        name = "".join(word.capitalize() for word in record["type"].split("_"))
        if name == "BrokerRegistrationChangeRecord":
            # Each of its fields came with a version of RegisterBrokerRecord; it is written in the lowest that will do.
            assert record["version"] < max(versions["RegisterBrokerRecord"], 2), record
        else:
            assert record["version"] == versions.get(name, 0), record
        assert name in versions or name != "RegisterControllerRecord", record
