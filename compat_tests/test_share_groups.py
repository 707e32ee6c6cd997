"""Share groups (KIP-932) with unmodified clients: the command-line tools of Apache Kafka 4.4.0, and librdkafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compat_tests.apache_kafka import CONFIGS, CONSOLE_PRODUCER, TOPICS, java_tool
from compat_tests.broker import Broker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

CONSOLE_SHARE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"
SHARE_GROUPS = "org.apache.kafka.tools.consumer.group.ShareGroupCommand"
RECORDS = 60


@pytest.fixture
def tool(java: None, broker: Broker) -> Callable[..., str]:
    """Run a tool against the broker: what it printed."""

    def run(main_class: str, *arguments: str, stdin: str | None = None, exit_code: int = 0) -> str:
        result = java_tool(main_class, *arguments, "--bootstrap-server", broker.bootstrap, stdin=stdin)
        assert result.returncode == exit_code, result.stdout + result.stderr
        return result.stdout

    return run


def offsets(printed: str) -> dict[int, tuple[str, str]]:
    """Partition -> (start offset, lag), as kafka-share-groups prints them."""
    lines = [line.split() for line in printed.splitlines() if line.strip()]
    head = next(n for n, line in enumerate(lines) if line[0] == "GROUP")
    columns = [lines[head].index(name) for name in ("PARTITION", "START-OFFSET", "LAG")]
    rows = [[line[column] for column in columns] for line in lines[head + 1 :]]
    return {int(partition): (start, lag) for partition, start, lag in rows}


def test_the_tools_of_apache_kafka(tool: Callable[..., str], new_name: Callable[..., str]) -> None:
    topic, group = new_name(), new_name()
    tool(TOPICS, "--create", "--topic", topic, "--partitions", "3")
    tool(CONFIGS, "--alter", "--group", group, "--add-config", "share.auto.offset.reset=earliest")
    lines = [f"{number}" for number in range(RECORDS)]
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="\n".join(lines) + "\n")
    about = ("--topic", topic, "--group", group, "--timeout-ms", "30000")
    shown = tool(CONSOLE_SHARE_CONSUMER, *about, "--max-messages", str(RECORDS), "--release")
    assert sorted(shown.split(), key=int) == lines
    again = tool(CONSOLE_SHARE_CONSUMER, *about, "--max-messages", str(RECORDS))
    assert sorted(again.split(), key=int) == lines, "what was released is delivered again"
    described = offsets(tool(SHARE_GROUPS, "--describe", "--group", group, "--offsets"))
    assert {lag for _, lag in described.values()} <= {"0", "-"}  # a dash: nobody has read there
    tool(SHARE_GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
    described = offsets(tool(SHARE_GROUPS, "--describe", "--group", group))
    assert {start for start, _ in described.values()} == {"0"}
    tool(SHARE_GROUPS, "--delete", "--group", group)
    assert group not in tool(SHARE_GROUPS, "--list").split()


def test_members_of_librdkafka_share_what_there_is(broker: Broker, new_name: Callable[..., str]) -> None:
    kafka = pytest.importorskip("confluent_kafka")
    if not hasattr(kafka, "ShareConsumer"):
        pytest.skip("this confluent-kafka has no ShareConsumer")
    admin: Any = pytest.importorskip("confluent_kafka.admin")
    topic, group = new_name(), new_name()
    servers = {"bootstrap.servers": broker.bootstrap}
    client = admin.AdminClient(servers)
    client.create_topics([admin.NewTopic(topic, 3, 1)])[topic].result(PATIENCE_SECONDS)
    entry = admin.ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=admin.AlterConfigOpType.SET)
    resource = admin.ConfigResource(admin.ConfigResource.Type.GROUP, group, incremental_configs=[entry])
    client.incremental_alter_configs([resource])[resource].result(PATIENCE_SECONDS)
    producer = kafka.Producer(servers)
    for number in range(RECORDS):
        producer.produce(topic, str(number).encode(), partition=number % 3)
    assert producer.flush(PATIENCE_SECONDS) == 0
    members: list[Any] = [kafka.ShareConsumer({**servers, "group.id": group}) for _ in range(2)]
    values: list[bytes] = []
    for member in members:
        member.subscribe([topic])

    def all_are_there() -> bool:
        for member in members:
            for message in member.poll(0.2) or ():
                assert message.error() is None
                values.append(message.value())
        return len(values) >= RECORDS

    eventually(all_are_there, "every record is delivered")
    for member in members:
        member.close()
    assert sorted(map(int, values)) == [*range(RECORDS)], "and none twice"
