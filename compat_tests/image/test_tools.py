"""Kafka's tools in the image, under all their names; what they print, held against Kafka's own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from compat_tests import apache_kafka
from compat_tests.apache_kafka import JavaTools
from compat_tests.broker import Broker
from compat_tests.image.docker_image import Container, container
from kafkapy.testing import Kafka

OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
ACLS = "org.apache.kafka.tools.AclCommand"
API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
SERVER = ("--bootstrap-server", "localhost:9092")
OURS = (sys.executable, "-m", "kafkapy.tools")
CPU_SECONDS_MAX = 0.3


@pytest.fixture(scope="module")
def broker(image: str) -> Iterator[Container]:
    with container(image) as one:
        yield one


def test_every_name_is_there_in_every_directory(broker: Container) -> None:
    directories = ("/opt/kafka/bin", "/usr/bin", "/opt/bitnami/kafka/bin")
    listed = {directory: set(broker.exec("ls", directory).split()) for directory in directories}
    named = subprocess.run([*OURS, "--names"], capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert {"kafka-topics", "kafka-topics.sh", "zookeeper-server-start", "cub"} <= set(named)
    for directory in directories:
        assert set(named) <= listed[directory]


def test_records_go_in_and_come_out(broker: Container) -> None:
    broker.exec("kafka-topics.sh", *SERVER, "--create", "--topic", "in-and-out", "--partitions", "2")
    script = "printf 'k1=v1\\nk2=v2\\n' | kafka-console-producer {} --topic in-and-out --property parse.key=true {}"
    broker.exec("sh", "-c", script.format(" ".join(SERVER), "--property key.separator=="))
    read = ("--topic", "in-and-out", "--group", "readers", "--from-beginning", "--max-messages", "2")
    printed = broker.exec("kafka-console-consumer", *SERVER, *read, "--property", "print.key=true")
    assert sorted(printed.splitlines()) == ["Processed a total of 2 messages", "k1\tv1", "k2\tv2"]
    described = broker.exec("kafka-consumer-groups", *SERVER, "--describe", "--group", "readers")
    lags = [line.split()[5] for line in described.splitlines() if line.startswith("readers ")]
    assert lags == ["0", "0"]


def test_a_tool_takes_less_than_three_tenths_of_a_second_of_the_processor(broker: Container) -> None:
    """Of its own time: how long it waits for the processor is not its doing."""
    times = "kafka-topics --list --bootstrap-server localhost:9092 > /dev/null; times"
    own_shell, of_children = broker.exec("bash", "-c", times).splitlines()
    del own_shell
    minutes_and_seconds = [text.removesuffix("s").split("m") for text in of_children.split()]
    assert sum(60 * float(minutes) + float(seconds) for minutes, seconds in minutes_and_seconds) < CPU_SECONDS_MAX


def test_the_running_broker_is_told_another_address(broker: Container) -> None:
    added = "advertised.listeners=[PLAINTEXT://127.0.0.2:9092]"
    alter = ("--alter", "--entity-type", "brokers", "--entity-name", "1")
    assert "Completed updating" in broker.exec("kafka-configs", *SERVER, *alter, "--add-config", added)
    try:
        assert broker.exec("kafka-broker-api-versions", *SERVER).startswith("127.0.0.2:9092 (id: 1 ")
    finally:
        broker.exec("kafka-configs", *SERVER, *alter, "--delete-config", "advertised.listeners")


def test_a_directory_is_formatted_with_users_for_sasl(broker: Container) -> None:
    random_uuid = broker.exec("kafka-storage", "random-uuid").strip()
    assert len(random_uuid) == 22
    user = "SCRAM-SHA-256=[name=alice,password=secret]"
    command = ["kafka-storage", "format", "--ignore-formatted", "-t", random_uuid, "-c", "/etc/kafka/kafka.properties"]
    environ = ("--env", "KAFKA_LOG_DIRS=/tmp/formatted")
    assert "Formatting" in broker.exec(*command, "--add-scram", user, options=environ)
    assert "already formatted" in broker.exec(*command, options=environ)
    assert random_uuid in broker.exec("cat", "/tmp/formatted/meta.properties")
    assert "already formatted" in broker.exec(*command[:3], "-c", command[-1]), "the directory of the broker itself"


def test_a_tool_that_is_not_provided_says_what_to_use_and_there_is_no_zookeeper(broker: Container) -> None:
    printed = broker.exec("kafka-leader-election", *SERVER, check=False)
    assert printed == "kafka-leader-election is not provided: use `kafkapy cluster elect-leaders`\n"
    assert "nothing is done" in broker.exec("zookeeper-server-start", "zookeeper.properties")


def same_output(names: Callable[..., str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Tools, their classes, and arguments, in an order that makes sense."""
    topic, group = names(), names("group")
    topics, groups, configs = apache_kafka.TOPICS, apache_kafka.CONSUMER_GROUPS, apache_kafka.CONFIGS
    of_topic = ("--entity-type", "topics", "--entity-name", topic)
    return [
        ("kafka-topics", topics, ("--describe", "--topic", topic)),
        ("kafka-topics", topics, ("--create", "--if-not-exists", "--topic", topic)),
        ("kafka-topics", topics, ("--describe", "--under-replicated-partitions")),
        ("kafka-topics", topics, ("--delete", "--if-exists", "--topic", f"{topic}-none")),
        ("kafka-topics", topics, ("--list", "--exclude-internal")),
        ("kafka-consumer-groups", groups, ("--describe", "--group", group)),
        ("kafka-consumer-groups", groups, ("--describe", "--group", group, "--state")),
        ("kafka-consumer-groups", groups, ("--describe", "--group", group, "--members")),
        ("kafka-consumer-groups", groups, ("--describe", "--group", f"{group}-none")),
        ("kafka-consumer-groups", groups, ("--list", "--state")),
        (
            "kafka-consumer-groups",
            groups,
            # Of one partition: Kafka prints several in the order of a hash table.
            ("--reset-offsets", "--to-earliest", "--group", group, "--topic", f"{topic}:0", "--execute"),
        ),
        (
            "kafka-configs",
            configs,
            ("--alter", *of_topic, "--add-config", "cleanup.policy=[compact,delete],retention.ms=5000000"),
        ),
        ("kafka-configs", configs, ("--describe", *of_topic)),
        ("kafka-configs", configs, ("--describe", "--all", "--topic", topic)),
        ("kafka-configs", configs, ("--alter", *of_topic, "--delete-config", "retention.ms")),
        ("kafka-configs", configs, ("--describe", "--entity-type", "brokers")),
        ("kafka-get-offsets", OFFSETS, ("--topic", topic)),
        ("kafka-get-offsets", OFFSETS, ("--topic", topic, "--time", "earliest")),
        ("kafka-cluster", CLUSTER, ("cluster-id",)),
        ("kafka-cluster", CLUSTER, ("list-endpoints",)),
        ("kafka-broker-api-versions", API_VERSIONS, ()),
    ]


def run_ours(tool: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    command = [*OURS, tool, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.usefixtures("java")
def test_the_tools_print_what_kafkas_print(kafkapy_broker: Broker, new_name: Callable[..., str]) -> None:
    names: dict[str, str] = {}

    def name(kind: str = "topic") -> str:
        return names.setdefault(kind, new_name(kind))

    server = ("--bootstrap-server", kafkapy_broker.bootstrap)
    assert run_ours("kafka-topics", "--create", "--topic", name(), "--partitions", "2", *server)[0] == 0
    assert run_ours("kafka-console-producer", "--topic", name(), *server, stdin="a\nb\n") == (0, "")
    read = ("--group", name("group"), "--from-beginning", "--max-messages", "2")
    assert run_ours("kafka-console-consumer", "--topic", name(), *read, *server) == (0, "a\nb\n")
    with JavaTools() as tools:
        for tool, java_class, arguments in same_output(name):
            exit_code, printed = run_ours(tool, *arguments, *server)
            wanted = tools.run(java_class, *arguments, *server)
            ours, theirs = printed.strip("\n").split("\n"), wanted[1].strip("\n").split("\n")
            if "--list" in arguments:  # Kafka prints groups in the order of a hash table
                ours, theirs = sorted(ours), sorted(theirs)
            assert (exit_code, ours) == (wanted[0], theirs), f"{tool} {arguments}"


AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
ALICE = ("--allow-principal", "User:alice")
PREFIXED = ("--topic", "t-", "--resource-pattern-type", "prefixed")
ACL_ARGUMENTS: list[tuple[str, ...]] = [
    ("--list",),
    ("--add", *ALICE, "--producer", "--topic", "orders"),
    ("--add", *ALICE, "--consumer", "--topic", "orders", "--group", "shop"),
    ("--add", *ALICE, "--producer", "--idempotent", "--topic", "orders", "--transactional-id", "billing"),
    ("--add", *ALICE, "--allow-host", "10.0.0.1", "--deny-principal", "User:bob", "--topic", "a", "--topic", "b"),
    ("--add", *ALICE, "--operation", "read", "--operation", "AlterConfigs", *PREFIXED),
    ("--add", *ALICE, "--operation", "ClusterAction", "--cluster"),
    ("--add", *ALICE, "--operation", "Describe", "--delegation-token", "token"),
    ("--add", *ALICE, "--operation", "CreateTokens", "--user-principal", "User:bob"),
    ("--list", "--topic", "orders"),
    ("--list", "--topic", "t-1", "--resource-pattern-type", "match"),
    ("--list", "--topic", "t-", "--resource-pattern-type", "any"),
    ("--list", "--principal", "User:alice", "--principal", "User:nobody"),
    ("--remove", "--force", *ALICE, "--operation", "Write", "--topic", "orders"),
    ("--remove", "--force", *ALICE, "--consumer", "--topic", "orders", "--group", "shop"),
    ("--remove", "--force", "--topic", "a"),
    ("--list",),
]


def acl_output(printed: str) -> list[tuple[str, ...]]:
    """What is said of each resource, whose order is that of a hash table in Kafka's tool."""
    parts = re.split(r"\n(?=Adding|Current|Acl |ACLs)", "\n" + printed)
    return sorted(tuple(sorted(line.strip() for line in part.split("\n") if line.strip())) for part in parts)


@pytest.mark.usefixtures("java")
def test_kafka_acls_does_and_prints_what_kafkas_does() -> None:
    with Kafka(settings=AUTHORIZER) as ours, Kafka(settings=AUTHORIZER) as theirs, JavaTools() as tools:
        for arguments in ACL_ARGUMENTS:
            exit_code, printed = run_ours("kafka-acls", *arguments, "--bootstrap-server", ours.bootstrap_servers)
            wanted, told = tools.run(ACLS, *arguments, "--bootstrap-server", theirs.bootstrap_servers)
            assert (exit_code, acl_output(printed)) == (wanted, acl_output(told)), arguments
