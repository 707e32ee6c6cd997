"""Clients that find out which release a broker is, and do what it can: nothing that they ask for is refused.

kafka-python and franz-go name the release that they think it is; librdkafka and the Java client of that very release
choose their versions by what is announced. The broker's log has each request, so that it can be seen that all of them
are of versions that a broker of the release served.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, maven_jars
from compat_tests.client_program import ClientProgram, Record, until_settled
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.differential.peer import Peer
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.polled import polled
from compat_tests.tools import need, need_tool
from kafkapy_wire.api_keys import API_VERSIONS
from kafkapy_wire.messages.api_versions import ApiVersionsRequest

PATCH_RELEASES = {"2.4": "2.4.1", "2.8": "2.8.2", "3.3": "3.3.2", "3.6": "3.6.2", "3.9": "3.9.2"}
OLDEST_JAVA_CLIENT = "2.4.1"
GUESSES = {
    "2.4": "v2.4",
    "2.8": "v2.8",
    "3.3": "v3.4",  # the APIs of the two are the same
    "3.6": "v3.6",
    "3.9": "v3.9",
}
"""What franz-go says."""
JAVA_SECONDS_MAX = 300  # a busy machine starts a JVM in 120 s
THREADS_SECONDS = 5
SHOWN_CHARACTERS_MAX = 10_000
REQUEST = re.compile(r": (?P<api>[A-Z]\w+) v(?P<version>\d+)(?: of .*)? -> ")
KEYS = {api.message_name: key for key, api in API_VERSIONS.items()}
_OLD_JAVA = Path(__file__).parent / "old_java"

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")


class OldBroker:
    """kafkapy as a broker of a release."""

    def __init__(self, release: str, process: KafkapyProcess) -> None:
        self.release = release
        self.bootstrap = process.bootstrap
        self._process = process
        self._position = 0
        with Peer("kafkapy", "127.0.0.1", process.port, None) as peer:
            answer = peer.quietly(ApiVersionsRequest(client_software_name="a-test", client_software_version="1"), 3)
        self._announced = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}

    def last_output(self) -> str:
        return self._process.output()[-SHOWN_CHARACTERS_MAX:]

    def check_requests(self) -> set[str]:
        """Since the last call none was refused, and all were as announced. Returns the APIs."""
        printed = self._process.output()[self._position :]
        self._position += len(printed)
        assert "not served" not in printed, printed
        assert "closing the connection" not in printed, printed
        apis = set()
        for found in REQUEST.finditer(printed):
            low, high = self._announced[KEYS[found["api"]]]
            # A client may try the newest ApiVersions that it knows first (KIP-511).
            assert low <= int(found["version"]) <= high or found["api"] == "ApiVersions", found[0]
            apis.add(found["api"])
        return apis


@pytest.fixture(scope="module", params=PATCH_RELEASES)
def old_broker(request: pytest.FixtureRequest) -> Iterator[OldBroker]:
    options = ("--as-kafka", request.param, "--log-level", "debug")
    with KafkapyProcess({"offsets.topic.num.partitions": "4"}, options=options) as process:
        yield OldBroker(request.param, process)
        assert process.bugs() == ""


def test_kafka_python(old_broker: OldBroker) -> None:
    with closing(kafka.KafkaProducer(bootstrap_servers=old_broker.bootstrap, acks="all")) as producer:
        assert producer.config["api_version"] == tuple(map(int, old_broker.release.split(".")))
        producer.send("by-kafka-python", b"one").get(PATIENCE_SECONDS)
    consumer = kafka.KafkaConsumer(
        "by-kafka-python",
        bootstrap_servers=old_broker.bootstrap,
        group_id="of-kafka-python",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    with closing(consumer):
        assert [each.value for each in polled(consumer, 1)] == [b"one"]
        consumer.commit()
    transactional = {"bootstrap_servers": old_broker.bootstrap, "transactional_id": "of-kafka-python"}
    with closing(kafka.KafkaProducer(**transactional)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send("by-kafka-python", b"two").get(PATIENCE_SECONDS)
        producer.commit_transaction()
    with closing(kafka_admin.KafkaAdminClient(bootstrap_servers=old_broker.bootstrap)) as admin:
        assert "by-kafka-python" in admin.list_topics()
        admin.create_topics([kafka_admin.NewTopic("more-by-kafka-python", 2, 1)])
        admin.create_partitions({"more-by-kafka-python": kafka_admin.NewPartitions(3)})
        admin.describe_configs([kafka_admin.ConfigResource("TOPIC", "more-by-kafka-python")])
        admin.delete_topics(["more-by-kafka-python"])
        admin.list_groups()
        admin.describe_groups(["of-kafka-python"])
        admin.delete_groups(["of-kafka-python"])
    assert old_broker.check_requests() >= {
        *("Produce", "Fetch", "JoinGroup", "OffsetCommit", "CreateTopics", "EndTxn", "DescribeConfigs", "DeleteGroups")
    }


def test_librdkafka(old_broker: OldBroker) -> None:
    settings: dict[str, Any] = {"bootstrap.servers": old_broker.bootstrap, "api.version.request": True}
    admin = confluent_admin.AdminClient(settings)
    admin.create_topics([confluent_admin.NewTopic("by-librdkafka", 1, 1)])["by-librdkafka"].result(PATIENCE_SECONDS)
    for more in ({"enable.idempotence": True}, {"transactional.id": "of-librdkafka"}):
        producer = confluent_kafka.Producer(settings | more)
        if "transactional.id" in more:
            producer.init_transactions(PATIENCE_SECONDS)
            producer.begin_transaction()
        producer.produce("by-librdkafka", "one" if "transactional.id" not in more else "two")
        assert producer.flush(PATIENCE_SECONDS) == 0
        if "transactional.id" in more:
            producer.commit_transaction(PATIENCE_SECONDS)
    consumer = confluent_kafka.Consumer(settings | {"group.id": "of-librdkafka", "auto.offset.reset": "earliest"})
    consumer.subscribe(["by-librdkafka"])
    values: list[bytes] = []

    def read() -> bool:
        for message in consumer.consume(2, 0.2):
            assert message.error() is None, message.error()
            values.append(message.value())
        return len(values) == 2

    try:
        eventually(read, "both records")
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    assert values == [b"one", b"two"]
    assert admin.list_consumer_groups().result(PATIENCE_SECONDS).errors == []
    assert admin.describe_consumer_groups(["of-librdkafka"])["of-librdkafka"].result(PATIENCE_SECONDS).group_id
    assert old_broker.check_requests() >= {"Produce", "Fetch", "InitProducerId", "EndTxn", "JoinGroup", "OffsetCommit"}


def output_of_java(command: list[str], old_broker: OldBroker) -> str:
    """Of a program that ends well; one that does not end tells what its threads do."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            printed, errors = program.communicate(timeout=JAVA_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                program.communicate(timeout=THREADS_SECONDS)
            program.kill()
            printed, errors = program.communicate()
            pytest.fail(f"no end\n{printed}\n{errors}\n{old_broker.last_output()}", pytrace=False)
    assert program.returncode == 0, errors
    return printed


def test_the_java_client_of_the_release(old_broker: OldBroker) -> None:
    need_tool("java")
    pom = _OLD_JAVA / "pom.xml"
    oldest = need(lambda: maven_jars(pom, "kafka-clients", OLDEST_JAVA_CLIENT))
    jars = need(lambda: maven_jars(pom, "kafka-clients", PATCH_RELEASES[old_broker.release]))
    classes = compiled_java("old-java-client", _OLD_JAVA / "OldClient.java", pom, oldest).rpartition(":")[2]
    command = [need_tool("java"), "-Xmx128m", *JVM_FLAGS, "-cp", f"{jars}/*:{classes}", "OldClient"]
    printed = output_of_java([*command, old_broker.bootstrap, "by-java"], old_broker)
    assert printed.strip() == "committed,plain 0,plain 1,plain 2,plain 3,plain 4"
    assert old_broker.check_requests() >= {"Produce", "Fetch", "EndTxn", "DescribeConfigs", "DeleteGroups"}


def transform_by_franz_go(program: Path, bootstrap: str, source: str, target: str) -> None:
    """One record of a group is read, and another one is written, in a transaction."""
    command = [str(program), "franz", "group", bootstrap, "transforming", source, "10000", "of-franz"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:

        def told(answer: str, **order: object) -> Any:
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
            for line in map(json.loads, worker.stdout):
                assert "failed" not in line, line
                if answer in line:
                    return line[answer]
            raise AssertionError(f"it has ended before it answered to {order}")

        eventually(lambda: bool(told("polled", do="poll", count=1)), "a record")
        assert told("done", do="begin")
        told("sent", do="send", topic=target, partition=0, value="x")
        assert told("committed", do="end", commit=True)


def test_franz_go(old_broker: OldBroker, go_program: Path, tmp_path: Path) -> None:
    command = [str(go_program), "franz", "guess", old_broker.bootstrap]
    guessed = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE_SECONDS)
    assert json.loads(guessed.stdout) == {"guess": GUESSES[old_broker.release]}
    client = ClientProgram([str(go_program), "franz"], tmp_path)
    client.create(old_broker.bootstrap, "by-franz", 2)
    records = [Record(b"one"), Record(b"two", partition=1)]
    assert [outcome.error for outcome in client.produce(old_broker.bootstrap, "by-franz", records)] == [0, 0]
    assert client.consume(old_broker.bootstrap, "by-franz", 2) == records
    with client.member(old_broker.bootstrap, "of-franz", "by-franz") as member:
        until_settled([member], 2)
        member.leave()
    client.create(old_broker.bootstrap, "ten", 1)
    client.produce(old_broker.bootstrap, "ten", [Record(b"%d" % number) for number in range(10)])
    assert client.admin(old_broker.bootstrap, "ten", "of-the-admin", 0)["committed"] == 5
    transform_by_franz_go(go_program, old_broker.bootstrap, "ten", "by-franz")
    assert old_broker.check_requests() >= {
        *("Produce", "Fetch", "CreateTopics", "JoinGroup", "LeaveGroup", "EndTxn", "TxnOffsetCommit"),
        *("DeleteRecords", "IncrementalAlterConfigs", "DescribeConfigs", "DeleteGroups"),
    }
