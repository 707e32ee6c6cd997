"""Three nodes in a test: what happens to unmodified clients when nodes come, go and cannot reach one another."""

from __future__ import annotations

import time
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka, NewRecord, NotYet

confluent_kafka = pytest.importorskip("confluent_kafka")


def producer_of(kafka: Kafka, **settings: Any) -> Any:
    return confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", **settings})


def create_replicated(kafka: Kafka, name: str = "orders") -> None:
    kafka.create_topic(name, 1, replicas=3, settings={"min.insync.replicas": 2})


def test_what_is_known_of_the_nodes(kafka_cluster: Kafka) -> None:
    nodes = kafka_cluster.nodes()
    assert [(each.node_id, each.rack) for each in nodes] == [(1, "a"), (2, "b"), (3, "c")]
    assert all(each.is_running for each in nodes)
    assert ",".join(str(each.address) for each in nodes) == kafka_cluster.bootstrap_servers
    assert sum(each.is_active_controller for each in nodes) == 1
    assert all(each.roles == ("broker", "controller") for each in nodes)


def test_a_killed_leader_is_replaced_and_comes_back(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", "a")
    leader = kafka_cluster.topic("orders").partitions[0].leader
    kafka_cluster.kill_node(leader)
    assert [each.node_id for each in kafka_cluster.nodes() if not each.is_running] == [leader]
    assert kafka_cluster.wait_for_topic("orders", timeout=PATIENCE_SECONDS).partitions[0].leader != leader
    producer = producer_of(kafka_cluster)
    producer.produce("orders", b"b")
    assert producer.flush(PATIENCE_SECONDS) == 0
    kafka_cluster.start_node(leader)
    wait_for_isr(kafka_cluster, {1, 2, 3})
    assert [each.value for each in kafka_cluster.records("orders")] == [b"a", b"b"]


def test_a_node_that_was_stopped_in_order_need_not_wait_for_its_session(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", "a")
    lines = len(kafka_cluster.log)
    for node_id in (1, 2, 3):
        kafka_cluster.restart_node(node_id)
    wait_for_isr(kafka_cluster, {1, 2, 3})
    said = "\n".join(kafka_cluster.log[lines:])
    assert said.count("has registered with epoch") == 3
    assert "is still registered" not in said
    assert "did not end in order" not in said
    assert [each.value for each in kafka_cluster.records("orders")] == [b"a"]


def test_an_isr_shrinks_while_links_are_cut_and_writes_are_refused(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.move_leader("orders", 0, 1)
    for follower in (2, 3):
        kafka_cluster.cut_link(follower, 1, both_ways=False)
    # Without a record that they lack followers stay in the ISR however long they cannot fetch, as in Kafka.
    producer = producer_of(kafka_cluster, acks="1")
    producer.produce("orders", b"by the leader alone")
    assert producer.flush(PATIENCE_SECONDS) == 0
    wait_for_isr(kafka_cluster, {1})
    producer = producer_of(kafka_cluster, **{"message.timeout.ms": 60_000, "retries": 0})
    refused: list[Any] = []
    producer.produce("orders", b"refused", on_delivery=lambda error, _message: refused.append(error))
    producer.flush(PATIENCE_SECONDS)
    assert [each.code() for each in refused] == [confluent_kafka.KafkaError.NOT_ENOUGH_REPLICAS]
    for follower in (2, 3):
        kafka_cluster.heal_link(follower, 1, both_ways=False)
    wait_for_isr(kafka_cluster, {1, 2, 3})
    producer.produce("orders", b"taken")
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert [each.value for each in kafka_cluster.records("orders")] == [b"by the leader alone", b"taken"]


def test_nodes_do_not_miss_each_other_when_time_is_moved(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", "a")
    lines = len(kafka_cluster.log)
    for _ in range(3):
        kafka_cluster.clock.advance(600)
    kafka_cluster.produce("orders", "b")
    wait_for_isr(kafka_cluster, {1, 2, 3})
    said = "\n".join(kafka_cluster.log[lines:])
    assert "fenced" not in said
    assert "leads the quorum" not in said
    assert [each.value for each in kafka_cluster.records("orders")] == [b"a", b"b"]


def test_nodes_go_on_while_time_stands_still(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.clock.freeze()
    leader = kafka_cluster.topic("orders").partitions[0].leader
    kafka_cluster.kill_node(leader)
    assert kafka_cluster.wait_for_topic("orders", timeout=PATIENCE_SECONDS).partitions[0].leader != leader
    kafka_cluster.produce("orders", "a")
    kafka_cluster.start_node(leader)
    wait_for_isr(kafka_cluster, {1, 2, 3})
    kafka_cluster.clock.release()
    assert [each.value for each in kafka_cluster.records("orders")] == [b"a"]


def test_followers_fetch_on_while_time_stands_still(kafka_cluster: Kafka) -> None:
    """A fetch that waits for records ends: else a new topic that it does not name would have to wait for it."""
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", "a")
    kafka_cluster.clock.freeze()
    leader = kafka_cluster.topic("orders").partitions[0].leader
    fetches = kafka_cluster.faults.add(api="Fetch", sender="nodes", broker=leader, topic="orders", answer_delay_ms=1)
    fetches.wait(fired=6, timeout=PATIENCE_SECONDS)
    kafka_cluster.clock.jump()
    kafka_cluster.create_topic("dated", 3, replicas=3)
    producer = producer_of(kafka_cluster)
    for partition in range(3):
        producer.produce("dated", b"x", partition=partition)
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_a_leader_moves_under_a_producer(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    producer = producer_of(kafka_cluster)
    for number in range(30):
        producer.produce("orders", b"%d" % number)
        if number % 10 == 5:
            producer.flush(PATIENCE_SECONDS)
            kafka_cluster.move_leader("orders", 0, number % 3 + 1)
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert sorted(int(each.value or b"") for each in kafka_cluster.records("orders")) == list(range(30))
    with pytest.raises(LookupError, match="broker 9 has no replica of orders-0"):
        kafka_cluster.move_leader("orders", 0, 9)


def test_a_coordinator_moves_under_a_group(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", *(NewRecord(value=b"%d" % number) for number in range(5)))
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka_cluster.bootstrap_servers,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 100,
        }
    )
    try:
        consumer.subscribe(["orders"])
        seen: list[Any] = []
        until = time.monotonic() + PATIENCE_SECONDS
        while len(seen) < 5 and time.monotonic() < until:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                seen.append(message.value())
        coordinator = kafka_cluster.wait_for_group("g", timeout=PATIENCE_SECONDS).coordinator
        kafka_cluster.move_group_coordinator("g", coordinator % 3 + 1)
        kafka_cluster.produce("orders", "after")
        while len(seen) < 6 and time.monotonic() < until:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                seen.append(message.value())
        assert seen[-1] == b"after"
        group = kafka_cluster.wait_for_lag("g", timeout=PATIENCE_SECONDS)
        assert group.coordinator == coordinator % 3 + 1
    finally:
        consumer.close()


def test_a_snapshot_of_all_nodes_is_gone_back_to(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.produce("orders", "a")
    kafka_cluster.take_snapshot("one")
    kafka_cluster.produce("orders", "b")
    kafka_cluster.kill_node(3)
    kafka_cluster.restore_snapshot("one")
    kafka_cluster.wait_for_topic("orders", timeout=PATIENCE_SECONDS)
    assert [each.value for each in kafka_cluster.wait_for_records("orders", timeout=PATIENCE_SECONDS)] == [b"a"]
    producer = producer_of(kafka_cluster)
    producer.produce("orders", b"c")
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_offsets_are_committed_while_a_coordinator_is_replaced(kafka_cluster: Kafka) -> None:
    kafka_cluster.create_topic("orders", 1)
    kafka_cluster.commit_offsets("g", {("orders", 0): 0})
    kafka_cluster.kill_node(kafka_cluster.group("g").coordinator)
    kafka_cluster.commit_offsets("g", {("orders", 0): 0})
    kafka_cluster.delete_group("g")
    assert kafka_cluster.groups() == []


def test_reset_brings_back_what_was_broken(kafka_cluster: Kafka) -> None:
    create_replicated(kafka_cluster)
    kafka_cluster.kill_node(1)
    kafka_cluster.cut_link(2, 3)
    kafka_cluster.reset()
    assert all(each.is_running for each in kafka_cluster.nodes())
    create_replicated(kafka_cluster)
    producer = producer_of(kafka_cluster)
    producer.produce("orders", b"a")
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_topics_that_are_made_after_a_reset_have_whole_isrs(kafka_cluster: Kafka) -> None:
    """Also where another controller has become the active one, and has fenced the broker that was cut off."""
    active = next(each.node_id for each in kafka_cluster.nodes() if each.is_active_controller)
    lines = len(kafka_cluster.log)
    for other in {1, 2, 3} - {active}:
        kafka_cluster.cut_link(active, other)
    until = time.monotonic() + PATIENCE_SECONDS
    while not any("is fenced: it has sent no heartbeat" in line for line in kafka_cluster.log[lines:]):
        assert time.monotonic() < until
        time.sleep(0.01)
    kafka_cluster.reset()
    for number in range(5):
        kafka_cluster.create_topic(f"new-{number}", 3, replicas=3)
        assert [len(each.isr) for each in kafka_cluster.topic(f"new-{number}").partitions] == [3, 3, 3]


def test_reset_takes_settings_back_wherever_the_active_controller_is(kafka_cluster: Kafka) -> None:
    admin_module = pytest.importorskip("confluent_kafka.admin")
    if kafka_cluster.nodes()[0].is_active_controller:
        kafka_cluster.restart_node(1)
    assert not kafka_cluster.nodes()[0].is_active_controller
    admin = admin_module.AdminClient({"bootstrap.servers": kafka_cluster.bootstrap_servers})

    def threads(*entries: Any) -> str:
        broker = admin_module.ConfigResource("BROKER", "2", incremental_configs=list(entries))
        if entries:
            (changed,) = admin.incremental_alter_configs([broker], request_timeout=PATIENCE_SECONDS).values()
            changed.result()
        (described,) = admin.describe_configs([broker], request_timeout=PATIENCE_SECONDS).values()
        return str(described.result()["log.cleaner.threads"].value)

    operation = admin_module.AlterConfigOpType.SET
    assert threads(admin_module.ConfigEntry("log.cleaner.threads", "2", incremental_operation=operation)) == "2"
    kafka_cluster.reset()
    assert threads() == "1"


def test_verbs_for_nodes_that_are_not_there_say_what_there_is(kafka_cluster: Kafka) -> None:
    with pytest.raises(LookupError, match="no node 7 is running; running: 1, 2, 3"):
        kafka_cluster.kill_node(7)
    with pytest.raises(LookupError, match="there is no node 7; there are 1, 2, 3"):
        kafka_cluster.start_node(7)
    with pytest.raises(LookupError, match="node 1 runs already"):
        kafka_cluster.start_node(1)


def test_controllers_of_their_own() -> None:
    with Kafka(nodes=1, controllers=3, topics={"orders": 1}) as kafka:
        assert [each.roles for each in kafka.nodes()] == [("broker",), *[("controller",)] * 3]
        active = next(each.node_id for each in kafka.nodes() if each.is_active_controller)
        kafka.kill_node(active)
        kafka.create_topic("more")
        assert kafka.topics() == ["more", "orders"]


def test_what_a_controller_of_its_own_has_deleted_is_gone_when_the_call_returns() -> None:
    """The broker hears of it a moment later."""
    with Kafka(nodes=1, controllers=1) as kafka:
        for _ in range(5):
            kafka.create_topic("more")
            kafka.delete_topics("more")
            assert kafka.topics() == []
            kafka.create_topic("more")
            kafka.reset()
            assert kafka.topics() == []


def wait_for_isr(kafka: Kafka, isr: set[int]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    now: tuple[int, ...] = ()
    while time.monotonic() < until:
        try:
            now = kafka.topic("orders").partitions[0].isr
        except NotYet:
            continue
        if set(now) == isr:
            return
        time.sleep(0.01)
    raise AssertionError(f"the ISR is {now}, not {isr}")
