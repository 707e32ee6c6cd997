"""Roles, voters and listeners that do not go together are refused in Apache Kafka's words.

What Apache Kafka 4.4.0's KafkaConfig answers to each of these was asked of it. It wants `process.roles` and
`controller.listener.names` in every file; here the first is broker and controller, and the second CONTROLLER.
"""

from __future__ import annotations

import pytest

from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.addresses import HostPort, QuorumVoter
from kafkapy_controller.raft.core import QuorumTimeouts

BOTH = "listeners=PLAINTEXT://h:9092,CONTROLLER://:9093"
BROKER = "process.roles=broker node.id=5 controller.quorum.voters=1@h:9093"
CONTROLLER = "process.roles=controller controller.quorum.voters=1@h:9093"
NO_VOTERS = (
    "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers "
    "or controller.quorum.voters must contain a parseable set of controllers."
)
NOT_ROUTABLE = "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
NO_SUCH_INTER_BROKER = (
    "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid "
    "options based on currently configured listeners are INSIDE"
)


def settings(text: str) -> Settings:
    return Settings({"node.id": "1", **dict(entry.split("=", 1) for entry in text.split())})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("process.roles=broker", NO_VOTERS),
        ("process.roles=controller", NO_VOTERS),
        ("process.roles=broker controller.quorum.voters=", NO_VOTERS),
        (
            "process.roles=broker node.id=2 controller.quorum.voters=2@h:9093",
            (
                "requirement failed: If process.roles contains just the 'broker' role, the node id 2 must not be "
                "included in the set of voters controller.quorum.voters=Set(2)"
            ),
        ),
        (
            f"{BROKER} {BOTH}",
            (
                "requirement failed: controller.listener.names must not contain a value appearing in the 'listeners' "
                "configuration when running KRaft with just the broker role"
            ),
        ),
        (
            f"{CONTROLLER} {BOTH}",
            (
                "requirement failed: The listeners config must only contain KRaft controller listeners from "
                "controller.listener.names when process.roles=controller: write listeners=CONTROLLER://HOST:PORT"
            ),
        ),
        (
            f"{CONTROLLER} listeners=CONTROLLER://:9093 controller.listener.names=CONTROLLER,OTHER",
            (
                "requirement failed: controller.listener.names must only contain values appearing in the 'listeners' "
                "configuration when running the KRaft controller role"
            ),
        ),
        (f"{CONTROLLER} listeners=CONTROLLER://:9093 advertised.listeners=CONTROLLER://0.0.0.0:9093", NOT_ROUTABLE),
        (
            f"{CONTROLLER} listeners=CONTROLLER://:9093 inter.broker.listener.name=CONTROLLER",
            (
                "requirement failed: controller.listener.names must not contain an explicitly set "
                "inter.broker.listener.name configuration value when process.roles=controller"
            ),
        ),
        (
            "process.roles=controller listeners=CONTROLLER://:9093 controller.quorum.voters=2@h:9093,3@h:9094",
            (
                "requirement failed: If process.roles contains the 'controller' role, the node id 1 must be included "
                "in the set of voters controller.quorum.voters=Set(2, 3)"
            ),
        ),
        (
            f"{BOTH} controller.quorum.voters=2@h:9093",
            (
                "requirement failed: If process.roles contains the 'controller' role, the node id 1 must be included "
                "in the set of voters controller.quorum.voters=Set(2)"
            ),
        ),
        ("controller.quorum.voters=1@0.0.0.0:9093", "Host string (0.0.0.0) is not routeable"),
        ("controller.quorum.voters=1@h:99999", "the port of 1@h:99999 is out of range (0-65535)"),
        (
            "controller.quorum.voters=1@h",
            (
                "Invalid configuration value for controller.quorum.voters. Each entry should be in the form "
                "`{id}@{host}:{port}`."
            ),
        ),
        ("controller.quorum.voters=99999999999@h:1", "Failed to parse voter ID as an integer from 99999999999"),
        (
            "listeners=CONTROLLER://:9093",
            (
                "requirement failed: There must be at least one broker advertised listener. Perhaps all listeners "
                "appear in controller.listener.names?"
            ),
        ),
        (
            "listeners=PLAINTEXT://:9092 controller.quorum.voters=1@h:9093,2@h:9094",
            (
                "requirement failed: controller.listener.names must contain at least one value appearing in the "
                "'listeners' configuration when running the KRaft controller role"
            ),
        ),
        ("listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093 controller.quorum.voters=1@h:1,2@h:2", NOT_ROUTABLE),
        (f"{BROKER} listeners=PLAINTEXT://0.0.0.0:9092", NOT_ROUTABLE),
        (
            (
                f"{BROKER} listeners=INSIDE://h:1,OUTSIDE://h:2 "
                "listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT"
            ),
            f"{NO_SUCH_INTER_BROKER},OUTSIDE",
        ),
        (
            (
                f"{BROKER} listeners=INSIDE://h:1 listener.security.protocol.map=INSIDE:PLAINTEXT "
                "inter.broker.listener.name=CONTROLLER"
            ),
            NO_SUCH_INTER_BROKER,
        ),
        (
            f"{BROKER} replica.fetch.wait.max.ms=50000",
            "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms",
        ),
        (
            f"{BROKER} replica.fetch.wait.max.ms=31000 replica.socket.timeout.ms=60000",
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms",
        ),
        (
            f"{BROKER} controller.quorum.auto.join.enable=true",
            (
                "requirement failed: controller.quorum.auto.join.enable is only supported when process.roles contains "
                "the 'controller' role."
            ),
        ),
        (
            "connection.failed.authentication.delay.ms=600000",
            (
                "requirement failed: connection.failed.authentication.delay.ms=600000 should always be less than "
                "connections.max.idle.ms=600000 to prevent failed authentication responses from timing out"
            ),
        ),
        ("process.roles=brokr", "Invalid value brokr for configuration process.roles"),
        (
            "process.roles=broker controller.quorum.bootstrap.servers=h",
            "Failed to parse host name from h for the configuration controller.quorum.bootstrap.servers",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "brokers", "controllers"),
    [
        (BROKER, "PLAINTEXT://localhost:9092", ""),
        (f"{BROKER} advertised.listeners=PLAINTEXT://a:1,CONTROLLER://a:2", "PLAINTEXT://a:1", ""),
        (
            "process.roles=broker controller.quorum.bootstrap.servers=h:9093 listeners=PLAINTEXT://b:1",
            "PLAINTEXT://b:1",
            "",
        ),
        (f"{CONTROLLER} listeners=CONTROLLER://:9093", "", "CONTROLLER://h:9093"),
        (f"{CONTROLLER} listeners=CONTROLLER://0.0.0.0:9093", "", "CONTROLLER://h:9093"),
        (
            f"{CONTROLLER} listeners=CONTROLLER://:9093 advertised.listeners=PLAINTEXT://a:1,CONTROLLER://a:2",
            "",
            "CONTROLLER://a:2",
        ),
        (
            f"{CONTROLLER} listeners=CONTROLLER://:9093,TWO://x:9094 controller.listener.names=CONTROLLER,TWO",
            "",
            "CONTROLLER://h:9093,TWO://x:9094",
        ),
        (
            (
                "process.roles=controller controller.quorum.bootstrap.servers=h:9093 listeners=CONTROLLER://c:9093 "
                "controller.quorum.auto.join.enable=true"
            ),
            "",
            "CONTROLLER://c:9093",
        ),
        (f"{BOTH} controller.quorum.voters=1@a:1,1@b:2,2@c:3", "PLAINTEXT://h:9092", "CONTROLLER://b:2"),
        (BOTH, "PLAINTEXT://h:9092", "CONTROLLER://:9093"),
        (f"{BOTH} controller.quorum.bootstrap.servers=h:9093", "PLAINTEXT://h:9092", "CONTROLLER://:9093"),
        (
            f"{BROKER} listeners=INSIDE://h:1 listener.security.protocol.map=INSIDE:PLAINTEXT",
            "INSIDE://h:1",
            "",
        ),
    ],
)
def test_where_others_find_a_node(text: str, brokers: str, controllers: str) -> None:
    node = settings(text)
    assert ",".join(map(str, node.advertised_listeners)) == brokers
    assert ",".join(map(str, node.advertised_controllers)) == controllers


def test_a_broker_with_others_tells_them_its_machines_name_where_the_listener_has_no_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kafkapy.settings.endpoints.own_host_name", lambda: "this.machine")
    assert str(settings(f"{BROKER} listeners=PLAINTEXT://:9092").advertised_listeners[0]) == (
        "PLAINTEXT://this.machine:9092"
    )


@pytest.mark.parametrize(
    ("text", "has_others"),
    [
        ("", False),
        ("controller.quorum.voters=1@h:9093", False),
        (f"{BOTH} controller.quorum.voters=1@h:9093,2@h:9094", True),
        ("controller.quorum.bootstrap.servers=h:9093", False),
        ("controller.quorum.bootstrap.servers=h:9094", True),
        (f"{BOTH} controller.quorum.bootstrap.servers=a:9093,b:9093", True),
        (BROKER, True),
        (f"{CONTROLLER} listeners=CONTROLLER://:9093", True),
    ],
)
def test_a_node_knows_from_its_settings_that_there_are_others(text: str, has_others: bool) -> None:
    if has_others and "listeners" not in text and "process.roles" not in text:
        text += f" {BOTH}"
    assert settings(text).has_others is has_others


def test_voters_and_bootstrap_servers_are_typed() -> None:
    quorum = "controller.quorum.voters=1@h:9093,07@[::1]:9094,7@x:1 controller.quorum.bootstrap.servers=[::1]:2"
    node = settings(f"{BOTH} {quorum}")
    assert node.quorum.voters == (QuorumVoter(1, "h", 9093), QuorumVoter(7, "x", 1))
    assert node.quorum.bootstrap_servers == (HostPort("::1", 2),)
    assert str(node.quorum.bootstrap_servers[0]) == "[::1]:2"
    assert node.quorum.own_voter == QuorumVoter(1, "h", 9093)
    broker = settings(BROKER)
    assert (broker.quorum.is_broker, broker.quorum.is_controller, broker.quorum.own_voter) == (True, False, None)


def test_the_timeouts_of_the_quorum() -> None:
    assert Settings().node.raft_timeouts == QuorumTimeouts()
    given = {
        "controller.quorum.election.timeout.ms": "11",
        "controller.quorum.fetch.timeout.ms": "22",
        "controller.quorum.retry.backoff.ms": "3",
        "controller.quorum.election.backoff.max.ms": "44",
    }
    assert Settings(given).node.raft_timeouts == QuorumTimeouts(11, 22, 3, 44, fetch_max_wait_ms=11)


def test_a_node_of_several_has_the_replicas_of_kafkas_defaults() -> None:
    """One replica of `__consumer_offsets` would be lost with its broker."""
    voters = {"controller.quorum.voters": "1@a:9093,2@b:9093", "listeners": "PLAINTEXT://a:9092,CONTROLLER://a:9093"}
    alone, several = Settings(), Settings(voters)
    assert (alone.groups.offsets_topic_replication_factor, alone.transactions.transaction_state_log_min_isr) == (1, 1)
    assert several.groups.offsets_topic_replication_factor == 3
    assert several.transactions.transaction_state_log_replication_factor == 3
    assert several.transactions.transaction_state_log_min_isr == 2
    assert "offsets.topic.replication.factor" in alone.static
    assert "offsets.topic.replication.factor" not in several.static
    given = Settings({**voters, "offsets.topic.replication.factor": "2"})
    assert given.groups.offsets_topic_replication_factor == 2
