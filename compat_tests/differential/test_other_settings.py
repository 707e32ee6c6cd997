"""Brokers that do less: no topic is deleted, __consumer_offsets cannot be created, idle clients are cut off.

As test_differential.py, on a pair of brokers with settings of their own. Both start on copies of one directory, in
which a producer has nearly used up its epochs: to get there by requests takes 32,000 of them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Peer
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.groups import beat, join
from compat_tests.differential.scenarios.produce import produce
from compat_tests.differential.transactional_producer import TIMEOUT_MS, TransactionalProducer, now_ms
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.tools import need
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.record_formats.transaction_coordinator import TransactionLogKey, TransactionLogValue
from kafkapy_wire.records import NewRecord, build_batch

IDLE_MS = 1_500
SETTINGS = {
    "node.id": "1",
    "delete.topic.enable": "false",
    "connections.max.idle.ms": str(IDLE_MS),
    "offsets.topic.replication.factor": "3",
}
TRANSACTION_TOPIC = "__transaction_state"
OLD_PRODUCER = "old-producer"
OLD_PRODUCER_ID = 77


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Broker]]:
    need(jar_directory)
    directories = tmp_path_factory.mktemp("brokers")
    mine, its = directories / "kafkapy", directories / "apache"
    with KafkapyProcess({"node.id": "1", "transaction.state.log.num.partitions": "1"}, data_dir=mine) as broker:
        store_an_old_producer(broker)
        broker.stop()
    shutil.copytree(mine, its)
    with (
        KafkapyProcess(SETTINGS, data_dir=mine) as ours,
        ApacheKafka(SETTINGS, data_dir=its, voters_in_log=True) as theirs,
    ):
        yield ours, theirs


def store_an_old_producer(broker: Broker) -> None:
    """What a coordinator would have written of it after 32,764 InitProducerId."""
    key = TransactionLogKey(transactional_id=OLD_PRODUCER)
    value = TransactionLogValue(
        producer_id=OLD_PRODUCER_ID,
        previous_producer_id=OLD_PRODUCER_ID,
        producer_epoch=32_764,
        transaction_timeout_ms=TIMEOUT_MS,
        transaction_partitions=None,
        transaction_last_update_timestamp_ms=now_ms(),
        transaction_start_timestamp_ms=-1,
    )
    with Peer("kafkapy", "127.0.0.1", broker.port, None) as peer:
        find = FindCoordinatorRequest(key_type=1, coordinator_keys=[OLD_PRODUCER])
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
        peer.await_topic(TRANSACTION_TOPIC)
        record = NewRecord(now_ms(), b"\0\0" + encode(key, 0), b"\0\1" + encode(value, 1))
        request = produce(peer, 13, TRANSACTION_TOPIC, build_batch([record]))
        connection = peer.connect("__admin_client")  # who else writes to an internal topic is refused
        answer: Any = connection.receive(ApiKey.PRODUCE, 13, connection.post(request, 13))
        assert answer.responses[0].partition_responses[0].error_code == 0, answer


def compare(brokers: tuple[Broker, Broker], scenario: Callable[[Peer], None]) -> None:
    transcripts = []
    for name, broker in zip(("kafkapy", "apache"), brokers, strict=True):
        with Peer(name, "127.0.0.1", broker.port, None) as peer:
            scenario(peer)
        transcripts.append(peer.transcript)
    assert transcripts[1], "a scenario that asks nothing compares nothing"
    found = list(differences(*transcripts))
    if found:
        pytest.fail(f"{len(found)} differences\n" + report(found), pytrace=False)


def test_no_topic_is_deleted(brokers: tuple[Broker, Broker]) -> None:
    def scenario(peer: Peer) -> None:
        peer.create_topic("stays")
        for timeout_ms in (10_000, 0):
            peer.ask_each(
                DeleteTopicsRequest,
                lambda version, timeout_ms=timeout_ms: (
                    DeleteTopicsRequest(topic_names=["stays", "unknown"], timeout_ms=timeout_ms)
                    if version < 6
                    else DeleteTopicsRequest(topics=[DeleteTopicState(name="stays")], timeout_ms=timeout_ms)
                ),
                f"in {timeout_ms} ms",
            )

    compare(brokers, scenario)


def test_a_coordinator_whose_topic_cannot_be_created(brokers: tuple[Broker, Broker]) -> None:
    def scenario(peer: Peer) -> None:
        for again in ("", "again"):
            peer.ask_each(
                FindCoordinatorRequest,
                lambda version: (
                    FindCoordinatorRequest(key="x")
                    if version < 4
                    else FindCoordinatorRequest(coordinator_keys=["x", "y"])
                ),
                again,
            )
        peer.ask_versions(join("x"))
        peer.ask_versions(beat("x", 1, "member"))
        peer.ask_versions(ListGroupsRequest())

    compare(brokers, scenario)
    lines = [line for line in brokers[0].output().splitlines() if "__consumer_offsets" in line]
    assert len(lines) == 1, "one line, however often it is tried"
    assert "offsets.topic.replication.factor is 3, and 1 broker is registered: set it to 1" in lines[0]


def test_a_poll_longer_than_an_idle_connection_may_be_is_cut_off(brokers: tuple[Broker, Broker]) -> None:
    def scenario(peer: Peer) -> None:
        peer.create_topic("polled")
        for max_wait_ms, ending in ((IDLE_MS // 5, "answered"), (IDLE_MS * 8, "cut off")):
            peer.ask(fetch(peer, 18, "polled", partition(), max_wait_ms=max_wait_ms, min_bytes=1), label=ending)

    compare(brokers, scenario)


def test_the_last_epochs_of_a_producer(brokers: tuple[Broker, Broker]) -> None:
    """32766 is the last one that a client is given; who asks again has lost an answer."""

    def scenario(peer: Peer) -> None:
        producer = TransactionalProducer(peer, OLD_PRODUCER, OLD_PRODUCER_ID, 32_764)
        peer.until(
            DescribeTransactionsRequest(transactional_ids=[OLD_PRODUCER]),
            lambda answer: answer.transaction_states[0].error_code == 0,
            "the coordinator is loaded",
        )
        anybody = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=TIMEOUT_MS)
        peer.until(anybody, lambda answer: answer.error_code == 0, "there are producer ids")
        for label in ("32764", "32765", "32766"):
            following = producer.after(peer.ask(producer.initialise(goes_on=True), label=label))
            peer.ask(producer.initialise(goes_on=True), label=f"{label} again")
            peer.ask(producer.wrong(epochs=-1).initialise(goes_on=True), label=f"{label}, the one before")
            peer.ask(producer.initialise(goes_on=True), label=f"{label} a third time")
            producer.described(label)
            producer = following
        peer.ask(producer.initialise(goes_on=True), label="with the new producer id")
        producer.described("with the new producer id")

    compare(brokers, scenario)


SAME_WORDS_MAX = 6
"""Names of settings count as one word. More in a row than these would be somebody's sentence."""


def test_settings_are_documented_in_our_own_words(brokers: tuple[Broker, Broker]) -> None:
    def documented(broker: Broker) -> dict[tuple[int, str], str]:
        with Peer("documented", "127.0.0.1", broker.port, None) as peer:
            resources = [
                DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
                for kind, name in ((2, TRANSACTION_TOPIC), (4, "1"), (32, "a-group"))
            ]
            answer = peer.quietly(DescribeConfigsRequest(resources=resources, include_documentation=True))
        return {
            (result.resource_type, entry.name): entry.documentation or ""
            for result in answer.results
            for entry in result.configs
        }

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[\w.]+", text.lower())
        return {tuple(words[start : start + SAME_WORDS_MAX]) for start in range(len(words) - SAME_WORDS_MAX + 1)}

    ours, theirs = map(documented, brokers)
    assert len(ours) > 300
    assert {name: runs(text) & runs(theirs.get(name, "")) for name, text in ours.items() if runs(text)} == {
        name: set() for name, text in ours.items() if runs(text)
    }
