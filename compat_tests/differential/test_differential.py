"""The same raw requests to kafkapy and to Apache Kafka 4.4.0: the decoded answers are the same, errors included.

pytest compat_tests/differential -k metadata
pytest compat_tests/differential --broker=apache     Apache Kafka against itself: is a scenario deterministic?
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.differential import scenarios
from compat_tests.differential.judging import judge
from compat_tests.differential.peer import Peer
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


@pytest.fixture(scope="module")
def real_broker() -> Iterator[ApacheKafka]:
    need(jar_directory)
    with ApacheKafka(SETTINGS, voters_in_log=True) as broker:
        _warm_up(broker)
        yield broker


@pytest.fixture(scope="module")
def tested_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker: ApacheKafka | KafkapyProcess
    if request.config.getoption("--broker") == "apache":
        broker = ApacheKafka(SETTINGS, voters_in_log=True)
    else:
        broker = KafkapyProcess(SETTINGS, data_dir=tmp_path_factory.mktemp("differential"))
    with broker:
        _warm_up(broker)
        yield broker


def _peer(name: str, broker: Broker) -> Peer:
    return Peer(name, "127.0.0.1", broker.port, broker.data_dir)


def _warm_up(broker: Broker) -> None:
    """Let Apache Kafka make `__consumer_offsets` and get producer ids: it does on first use, and says no until then."""
    with _peer("warm-up", broker) as peer:
        find = FindCoordinatorRequest(key_type=0, coordinator_keys=["warm-up"])
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
        producer = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1_000)
        peer.until(producer, lambda answer: answer.error_code == 0, "a producer id")
        peer.until(ListGroupsRequest(), lambda answer: answer.error_code == 0, "groups are loaded")


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_brokers_answer_the_same(
    name: str, tested_broker: Broker, real_broker: ApacheKafka, request: pytest.FixtureRequest
) -> None:
    position = len(tested_broker.output())
    with _peer("kafkapy", tested_broker) as ours, _peer("apache", real_broker) as theirs:
        with ThreadPoolExecutor(1) as beside:  # most scenarios wait more than they work
            told_by_apache = beside.submit(SCENARIOS[name], theirs)
            SCENARIOS[name](ours)
        if bugs := tested_broker.bugs(position):
            pytest.fail(f"a bug in the broker:\n{bugs}", pytrace=False)
        told_by_apache.result()
    judge(name, ours.transcript, theirs.transcript, request.config)
