"""`kafkapy transactions`, `logdirs`, `features` and the newer resources of `configs`, against a broker."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from kafkapy import tools
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch
from tests.cli.conftest import Kafkapy

PRODUCE_WITH_NAMES = 12
TIMEOUT_MS = 60_000


@pytest.fixture
def cluster(bootstrap: str) -> Iterator[Cluster]:
    with Cluster(parse_bootstrap(bootstrap), timeout_seconds=20.0, tell=lambda _: None) as found:
        yield found


def open_transaction(cluster: Cluster, topic: str, *, index: int = 0) -> str:
    """A transactional id with an open transaction, of one record in one partition."""
    transactional_id = f"transaction-{uuid.uuid4().hex[:12]}"
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS)
    cluster.retrying(lambda: cluster.transaction_coordinator_id(transactional_id))
    producer = cluster.ask(request, InitProducerIdResponse)
    assert producer.error_code == 0
    batch = build_batch(
        [NewRecord(1, b"k", b"v")],
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        base_sequence=0,
        is_transactional=True,
    )
    partition = PartitionProduceData(index=index, records=batch)
    produce = ProduceRequest(
        transactional_id=transactional_id,
        acks=-1,
        timeout_ms=TIMEOUT_MS,
        topic_data=[TopicProduceData(name=topic, partition_data=[partition])],
    )
    answer = cluster.ask(produce, ProduceResponse, version_max=PRODUCE_WITH_NAMES)
    assert answer.responses[0].partition_responses[0].error_code == 0
    return transactional_id


def listed(kafkapy: Kafkapy, *filters: str) -> dict[str, str]:
    entries = json.loads(kafkapy("transactions", "list", "--json", *filters).out)
    return {entry["transactional_id"]: entry["state"] for entry in entries}


def test_transactions_are_listed_described_and_aborted(kafkapy: Kafkapy, cluster: Cluster, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "2")
    name = open_transaction(cluster, topic, index=1)
    assert listed(kafkapy)[name] == "Ongoing"
    assert list(listed(kafkapy, "--state", "Ongoing", "--pattern", f"{name[:-1]}.")) == [name]
    assert name not in listed(kafkapy, "--state", "Empty", "--state", "CompleteAbort")
    assert name not in listed(kafkapy, "--longer-than", "3600000")
    (document,) = json.loads(kafkapy("transactions", "describe", name, "--json").out)
    assert document["partitions"] == [{"topic": topic, "partition": 1}]
    assert list(listed(kafkapy, "--producer-id", str(document["producer_id"]))) == [name]
    described = kafkapy("transactions", "describe", name).lines
    assert re.fullmatch(
        rf"transactional id {name}  state Ongoing  coordinator 1  producer id \d+  epoch 0  timeout 60000 ms  "
        r"open for \d+ ms",
        described[0],
    )
    assert described[2].split() == [topic, "1"]
    aborted = kafkapy("transactions", "abort", name)
    assert aborted.out == f"aborted the transaction of {name}: producer {document['producer_id']} is fenced\n"
    again = kafkapy("transactions", "abort", name)
    assert (again.exit_code, again.err.count("\n")) == (1, 1)
    assert "has no open transaction: its state is" in again.err
    assert kafkapy("consume", topic, "--from-beginning", "-e", "--isolation-level", "read_committed").out == ""


def test_a_transaction_that_hangs_in_a_partition_is_aborted_there(
    kafkapy: Kafkapy, cluster: Cluster, topic: str
) -> None:
    kafkapy("produce", topic, "a", "b")
    open_transaction(cluster, topic)
    (producer,) = (
        each
        for each in json.loads(kafkapy("transactions", "producers", f"{topic}:0", "--json").out)
        if each["transaction_start_offset"] is not None
    )
    assert producer["transaction_start_offset"] == 2
    wrong = kafkapy("transactions", "abort", "--partition", f"{topic}:0", "--start-offset", "1")
    assert wrong.err == (
        f"kafkapy transactions abort: partition {topic}-0 has no open transaction at offset 1: there are some at 2\n"
    )
    done = kafkapy("transactions", "abort", "--partition", f"{topic}:0", "--start-offset", "2")
    assert done.out == f"aborted the transaction of producer {producer['producer_id']} in {topic}-0\n"
    assert {line.split()[-1] for line in kafkapy("transactions", "producers", f"{topic}:0").lines[1:]} == {"-"}
    kafkapy("produce", topic, "c")
    committed = ("consume", topic, "--from-beginning", "-e", "--isolation-level", "read_committed")
    assert kafkapy(*committed).lines == ["a", "b", "c"]


def test_transactions_that_are_not_there(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "2")
    for arguments, reason in (
        (["describe", "no-such"], "TRANSACTIONAL_ID_NOT_FOUND"),
        (["abort", "no-such"], "TRANSACTIONAL_ID_NOT_FOUND"),
        (["abort"], "name a transactional id, or a --partition and a --start-offset"),
        (["abort", "id", "--start-offset", "1"], "name a transactional id, or a --partition and a --start-offset"),
        (["producers", topic], f"topic '{topic}' has 2 partitions: name one, as in {topic}:0"),
        (["list", "--pattern", "("], "INVALID_REGULAR_EXPRESSION"),
    ):
        result = kafkapy("transactions", *arguments)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert reason in result.err


def test_directories_are_shown_with_their_replicas(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "2")
    kafkapy("produce", topic, "a", "-p", "1")
    head, columns, *rows = kafkapy("logdirs", "--topic", topic).lines
    assert re.fullmatch(r"broker 1  directory /.+  replicas 2  bytes \d+  disk \d+  usable \d+", head)
    assert columns.split() == ["TOPIC", "PARTITION", "BYTES", "LAG", "FUTURE"]
    assert [row.split()[:2] for row in rows] == [[topic, "0"], [topic, "1"]]
    (directory,) = json.loads(kafkapy("logdirs", "--topic", f"{topic}:1", "--json").out)
    (replica,) = directory["replicas"]
    assert replica == {"topic": topic, "partition": 1, "bytes": replica["bytes"], "lag": 0, "future": False}
    assert replica["bytes"] > 0
    everything = json.loads(kafkapy("logdirs", "--broker", "1", "--json").out)
    assert len(everything[0]["replicas"]) > 2
    assert kafkapy("logdirs", "--broker", "7").err == (
        "kafkapy logdirs: there is no broker 7 in the cluster: there is 1\n"
    )


def test_features_are_shown_and_changed(kafkapy: Kafkapy) -> None:
    def level(feature: str) -> int:
        features = json.loads(kafkapy("features", "describe", "--json").out)["features"]
        return next(int(each["level"]) for each in features if each["feature"] == feature)

    rows = [line.split() for line in kafkapy("features", "describe").lines]
    assert ["metadata.version", "33", "(4.4-IV2)", "7", "(3.3-IV3)", "33", "(4.4-IV2)"] in rows
    assert ["share.version", "2", "0", "2"] in rows
    assert kafkapy("features", "downgrade", "share.version=1", "--dry-run").out == "share.version could be 1\n"
    assert level("share.version") == 2
    assert kafkapy("features", "downgrade", "share.version=1").out == "share.version is now 1\n"
    assert level("share.version") == 1
    assert kafkapy("features", "upgrade", "share.version=2").out == "share.version is now 2\n"
    assert kafkapy("features", "upgrade", "metadata.version=4.4", "--dry-run").out == (
        "metadata.version could be 33 (4.4-IV2)\n"
    )
    for arguments, reason in (
        (["upgrade", "share.version=9"], "INVALID_UPDATE_VERSION"),
        (["upgrade", "metadata.version=9.9"], "'9.9' is no level of it"),
        (["downgrade", "metadata.version=4.3"], "INVALID_UPDATE_VERSION"),
        (["upgrade", "no.such=1"], "INVALID_UPDATE_VERSION"),
    ):
        result = kafkapy("features", *arguments)
        assert (result.exit_code, result.err.count("\n")) == (1, 1)
        assert reason in result.err


def test_client_metrics_and_levels_of_loggers_are_settings(kafkapy: Kafkapy) -> None:
    assert kafkapy("configs", "set", "--client-metrics", "m", "interval.ms=70000").exit_code == 0
    assert kafkapy("configs", "describe", "--client-metrics", "m").lines[1].split() == [
        *("interval.ms", "70000", "DYNAMIC_CLIENT_METRICS_CONFIG")
    ]
    assert kafkapy("configs", "delete", "--client-metrics", "m", "interval.ms").exit_code == 0
    assert kafkapy("configs", "set", "--loggers", "1", "kafkapy.groups=DEBUG").exit_code == 0
    assert kafkapy("configs", "describe", "--loggers", "1", "kafkapy.groups").lines[1].split() == [
        *("kafkapy.groups", "DEBUG", "DYNAMIC_BROKER_LOGGER_CONFIG")
    ]
    refused = kafkapy("configs", "set", "--loggers", "1", "kafkapy.group=DEBUG")
    assert (refused.exit_code, refused.err.count("\n")) == (1, 1)
    assert "Logger kafkapy.group does not exist!" in refused.err
    assert "kafkapy.groups" in refused.err, "the nearest"
    kafkapy("configs", "delete", "--loggers", "1", "kafkapy.groups")


def test_kafka_configs_by_its_own_name_changes_them_too(bootstrap: str, capsys: pytest.CaptureFixture[str]) -> None:
    def kafka_configs(*arguments: str) -> str:
        code = tools.main(["kafka-configs", "--bootstrap-server", bootstrap, *arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    altered = kafka_configs("--alter", "--client-metrics", "tool", "--add-config", "interval.ms=80000,metrics=[a,b]")
    assert altered == "Completed updating config for client-metric tool.\n"
    described = kafka_configs("--describe", "--entity-type", "client-metrics").splitlines()
    at = described.index("Dynamic configs for client-metric tool are:")
    assert [line.split(" sensitive=")[0] for line in described[at + 1 : at + 3]] == [
        *("  interval.ms=80000", "  metrics=a,b")
    ]
    kafka_configs("--alter", "--client-metrics", "tool", "--delete-config", "interval.ms,metrics")
    loggers = ("--entity-type", "broker-loggers", "--entity-name", "1")
    assert kafka_configs("--alter", *loggers, "--add-config", "kafkapy.disk=ERROR") == (
        "Completed updating config for broker-logger 1.\n"
    )
    assert "  kafkapy.disk=ERROR sensitive=false synonyms={}" in kafka_configs("--describe", *loggers).splitlines()
    kafka_configs("--alter", *loggers, "--delete-config", "kafkapy.disk")
