"""The same raw requests to kafkapy and to Apache Kafka 4.4.0: the decoded answers are the same, errors included.

pytest compat_tests/differential -k metadata
pytest compat_tests/differential --broker=apache     Apache Kafka against itself: is a scenario deterministic?

A strict kafkapy is compared, too: in what a broker answers the first time, and in the scenarios that meet a kindness;
with --all-strict in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.differential import scenarios
from compat_tests.differential.accepted_differences import ACCEPTED
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.judging import judge
from compat_tests.differential.peer import Answer, Peer
from compat_tests.differential.registry import SCENARIOS
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.tools import need
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.list_groups import ListGroupsRequest

scenarios.load()

# Both brokers run with these. What kafkapy's own defaults differ in is set to one value here, so that a difference in
# an answer is a difference in behaviour.
SETTINGS = {
    "node.id": "1",
    # The scenarios produce records of 2023: no round of retention may come in between.
    "log.retention.ms": "-1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    # A member that joins is answered with what it is to own, however soon it comes after another.
    "group.consumer.assignment.interval.ms": "0",
    "group.share.assignment.interval.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
    # Members of streams groups may die soon, where a scenario is about that.
    "group.streams.min.heartbeat.interval.ms": "100",
    "group.streams.min.session.timeout.ms": "200",
    "socket.receive.buffer.bytes": "102400",
    "socket.send.buffer.bytes": "102400",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "log.cleaner.backoff.ms": "200",
    # Time enough for every scenario that is not about them, little enough to wait for.
    "transactional.id.expiration.ms": "4000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "100",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "50",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.snapshot.update.records.per.snapshot": "5",
}


MEETS_A_KINDNESS = {
    "cluster.coordinators",
    "configs.the_broker_is_changed",
    "transactions_end.repeated_requests",
    "transactions_init.an_open_transaction_is_aborted_first",
    *(each.scenario for each in ACCEPTED if each.switch is not None),
} & SCENARIOS.keys()
"""Scenarios that have kindnesses in their way: in the answers, or before them."""


class Played:
    """A broker and what it has answered: each scenario is played once, and compared with two kafkapys."""

    def __init__(self, name: str, broker: Broker) -> None:
        self._name = name
        self._broker = broker
        with _peer(name, broker) as peer:
            _first_times(peer)
            self.first_times = peer.transcript
        self._transcripts: dict[str, Sequence[Answer]] = {}

    def play(self, scenario: str) -> Sequence[Answer]:
        if scenario not in self._transcripts:
            with _peer(self._name, self._broker) as peer:
                SCENARIOS[scenario](peer)
            self._transcripts[scenario] = peer.transcript
        return self._transcripts[scenario]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "strict_name" in metafunc.fixturenames:
        is_for_all = metafunc.config.getoption("--all-strict")
        metafunc.parametrize("strict_name", [name for name in SCENARIOS if is_for_all or name in MEETS_A_KINDNESS])


@pytest.fixture(scope="module")
def apache() -> Iterator[Played]:
    need(jar_directory)
    with ApacheKafka(SETTINGS, voters_in_log=True) as broker:
        yield Played("apache", broker)


@pytest.fixture(scope="module")
def strict_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if request.config.getoption("--broker") == "apache":
        pytest.skip("Apache Kafka is always strict")
    data_dir = tmp_path_factory.mktemp("strict")
    with KafkapyProcess(SETTINGS, data_dir=data_dir, options=("--strict",)) as broker:
        yield broker


@pytest.fixture(scope="module")
def strict(strict_broker: Broker) -> Played:
    return Played("strict kafkapy", strict_broker)


@pytest.fixture(scope="module")
def tested_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker: ApacheKafka | KafkapyProcess
    if request.config.getoption("--broker") == "apache":
        broker = ApacheKafka(SETTINGS, voters_in_log=True)
    else:
        broker = KafkapyProcess(SETTINGS, data_dir=tmp_path_factory.mktemp("differential"))
    with broker:
        with _peer("warm-up", broker) as peer:
            _first_times(peer)
        yield broker


def _peer(name: str, broker: Broker) -> Peer:
    return Peer(name, "127.0.0.1", broker.port, broker.data_dir)


def _first_times(peer: Peer) -> None:
    """Apache Kafka makes the coordinators' topics and gets producer ids on first use, and says no until then."""
    for key_type, version in ((0, 6), (1, 3)):
        find = FindCoordinatorRequest(key_type=key_type, key="first", coordinator_keys=["first"])
        if version < 4:
            find.coordinator_keys = []
        else:
            find.key = ""
        peer.ask(find, version, f"first, key type {key_type}")
        find.key, find.coordinator_keys = "", ["first"]
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
    producer = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1_000)
    peer.ask(producer, label="first")
    peer.until(producer, lambda answer: answer.error_code == 0, "a producer id")
    peer.until(ListGroupsRequest(), lambda answer: answer.error_code == 0, "groups are loaded")


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_brokers_answer_the_same(
    name: str, tested_broker: Broker, apache: Played, request: pytest.FixtureRequest
) -> None:
    position = len(tested_broker.output())
    with _peer("kafkapy", tested_broker) as ours:
        with ThreadPoolExecutor(1) as beside:  # most scenarios wait more than they work
            told_by_apache = beside.submit(apache.play, name)
            SCENARIOS[name](ours)
        if bugs := tested_broker.bugs(position):
            pytest.fail(f"a bug in the broker:\n{bugs}", pytrace=False)
    judge(name, ours.transcript, told_by_apache.result(), request.config)


def test_a_strict_broker_answers_the_same_the_first_time(strict: Played, apache: Played) -> None:
    found = list(differences(strict.first_times, apache.first_times))
    if found:
        pytest.fail(report(found), pytrace=False)


def test_a_strict_broker_answers_the_same(
    strict_name: str, strict: Played, strict_broker: Broker, apache: Played, request: pytest.FixtureRequest
) -> None:
    position = len(strict_broker.output())
    with ThreadPoolExecutor(1) as beside:
        told_by_apache = beside.submit(apache.play, strict_name)
        ours = strict.play(strict_name)
    if bugs := strict_broker.bugs(position):
        pytest.fail(f"a bug in the broker:\n{bugs}", pytrace=False)
    judge(strict_name, ours, told_by_apache.result(), request.config, is_strict=True)
