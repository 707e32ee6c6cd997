"""A data directory as the state that a Kafka begins with: copied, and refused where it cannot be one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.cli import main
from kafkapy.cluster import Cluster, members_of
from kafkapy.control.origin import META_PROPERTIES, METADATA, QUORUM_STATE
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy.testing import Kafka, KafkaNotStarted
from tests.shell.running_node import connect, trio_test
from tests.shell.several_disks import disks

ODD_LISTENERS = {
    "node.id": "7",
    "listeners": "OUTSIDE://localhost:0,CTRL://localhost:0",
    "controller.listener.names": "CTRL",
    "listener.security.protocol.map": "OUTSIDE:PLAINTEXT,CTRL:PLAINTEXT",
    "inter.broker.listener.name": "OUTSIDE",
}
BROKER = 4


def files_of(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(directory)): (hashlib.sha1(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a broker with another id, other listeners, and an address that was set while it ran."""
    directory = tmp_path_factory.mktemp("used") / "data"

    @trio_test
    async def use() -> None:
        node = Node(Settings.parse(ODD_LISTENERS), directory)
        async with node.started(), connect(node) as client:
            await client.create_topic("orders", 2, **{"retention.ms": "-1"})
            await client.produce("orders", b"1 tea", partition=1)
            await client.alter_config(BROKER, "7", "advertised.listeners", "OUTSIDE://elsewhere.invalid:9")

    use()
    return directory


def addresses_told(kafka: Kafka) -> list[str]:
    """Where clients are sent."""
    admin = pytest.importorskip("confluent_kafka.admin")
    told = admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=30)
    return [f"{broker.host}:{broker.port}" for broker in told.brokers.values()]


@contextmanager
def unchanged(directory: Path) -> Iterator[None]:
    before = files_of(directory)
    yield
    assert files_of(directory) == before


def test_a_kafka_begins_with_a_copy_and_goes_back_to_it(used: Path) -> None:
    with unchanged(used), Kafka(directory=used, topics={"more": 1}, racks=("a",), control=True) as kafka:
        for _ in range(2):
            [node] = kafka.nodes()
            assert (node.node_id, node.rack, node.address) == (7, "a", kafka.bootstrap_servers)
            assert kafka.topics() == ["more", "orders"]
            assert kafka.topic("orders").settings == {"retention.ms": "-1"}
            assert [(each.partition, each.value) for each in kafka.records("orders")] == [(1, b"1 tea")]
            kafka.produce("orders", "2 coffee")
            kafka.delete_topics("more")
            kafka.set_rack(7, "b")
            address = kafka.bootstrap_servers
            assert addresses_told(kafka) == [address]
            kafka.reset()
            assert kafka.bootstrap_servers == address
        assert kafka.take_bugs() == []


def test_what_is_older_than_its_retention_does_not_vanish_in_the_middle_of_a_test(tmp_path: Path) -> None:
    @trio_test
    async def write() -> None:
        async with Node(Settings(), tmp_path / "data").started() as node, connect(node) as client:
            await client.create_topic("orders", 1)
            await client.produce("orders", b"1 tea")

    write()
    for path in (tmp_path / "data").rglob("*"):
        os.utime(path, (0, 0))
    with Kafka(directory=tmp_path / "data", topics={"short": {"settings": {"retention.ms": 1_000}}}) as kafka:
        for _ in range(2):  # when the second round is over, so is the first one for every topic
            kafka.produce("short", "gone")
            while kafka.records("short"):
                kafka.clock.advance(400)
        assert [each.value for each in kafka.records("orders")] == [b"1 tea"]


@pytest.mark.parametrize("release", ["3.3", "3.6", "3.9", "4.0", "4.4"])
def test_directories_of_every_release_are_taken(release: str, tmp_path: Path) -> None:
    assert main(["format", "--data-dir", str(tmp_path / "data"), "--release-version", release]) == 0
    with unchanged(tmp_path / "data"), Kafka(directory=tmp_path / "data") as kafka:
        kafka.produce("orders", "1 tea")
        kafka.commit_offsets("shop", {("orders", 0): 1})
        kafka.reset()
        assert kafka.topics() == []


def refusal(directory: Path, **options: int) -> str:
    with pytest.raises(KafkaNotStarted) as refused, Kafka(directory=directory, **options):  # type: ignore[arg-type]
        pass
    return str(refused.value)


def test_what_is_no_directory_of_a_broker_is_refused(used: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'} is no directory: there is nothing of that name"
    (tmp_path / "empty").mkdir()
    told = refusal(tmp_path / "empty")
    assert told.startswith(f"{tmp_path / 'empty'} has no meta.properties, so that it is no data directory of a broker")
    assert refusal(used.parent).endswith(f"(did you mean {str(used)!r}?)")
    for name, content, said in (
        ("zookeeper", "version=0\nbroker.id=1\ncluster.id=x\n", "is of a broker with ZooKeeper: migrate it to KRaft"),
        (
            "other-log-dir",
            (used / META_PROPERTIES).read_text(),
            "has no __cluster_metadata-0: take the directory that holds all log.dirs",
        ),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / META_PROPERTIES).write_text(content)
        assert refusal(tmp_path / name).startswith(f"{tmp_path / name} {said}")
    shutil.copytree(used, tmp_path / "broken")
    (tmp_path / "broken" / META_PROPERTIES).write_text("version=7\n")
    assert "meta.properties is not of version 1" in refusal(tmp_path / "broken")
    assert refusal(used, nodes=3) == f"{used} is the directory of one node, and a cluster of 3 is asked for"


def test_a_directory_in_use_is_refused(used: Path, tmp_path: Path) -> None:
    shutil.copytree(used, tmp_path / "data")

    @trio_test
    async def run() -> None:
        async with Node(Settings.parse(ODD_LISTENERS), tmp_path / "data").started():
            told = await trio.to_thread.run_sync(refusal, tmp_path / "data")
            assert told == f"{tmp_path / 'data'} is in use by a broker now: stop it first, so that the copy is whole"

    run()
    with Kafka(directory=tmp_path / "data") as kafka:
        assert "orders" in kafka.topics()


@pytest.fixture(scope="module")
def of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a cluster."""
    directory = tmp_path_factory.mktemp("cluster") / "data"

    @trio_test
    async def use() -> None:
        cluster = Cluster(directory, members_of(3))
        async with cluster.started(), connect(cluster.nodes[1]) as client:
            await client.create_topic("orders", 3)

    use()
    return directory


def test_a_cluster_begins_with_that_of_a_cluster(of_three: Path) -> None:
    with unchanged(of_three), Kafka(directory=of_three, nodes=3) as kafka:
        assert len(kafka.topic("orders").partitions) == 3
        kafka.produce("orders", "1 tea")
        kafka.reset()
        assert kafka.records("orders") == []
        assert kafka.topics() == ["orders"]
    told = refusal(of_three)
    assert told.startswith(
        f"{of_three} is of a cluster of the nodes 1, 2, 3, and one of 1 is asked for: Kafka(nodes=3)"
    )


def test_one_node_of_a_cluster_is_refused(of_three: Path, tmp_path: Path) -> None:
    node = of_three / "node-2"
    assert "is one node's part of a cluster whose controllers are 1, 2, 3" in refusal(node)
    shutil.copytree(node, tmp_path / "data")
    (tmp_path / "data" / METADATA / QUORUM_STATE).unlink()
    told = refusal(tmp_path / "data")
    assert "has replicas on the nodes" in told or "is of a quorum of several controllers" in told


def test_a_kafka_begins_with_several_log_directories(tmp_path: Path) -> None:
    with Kafka(settings={"log.dirs": "one,two"}, topics={"orders": 4}) as kafka:
        kafka.produce("orders", *[str(number) for number in range(20)])
        kafka.take_snapshot("full")
        kafka.produce("orders", "more")
        kafka.restore_snapshot("full")
        stored = sorted((each.partition, each.value) for each in kafka.records("orders"))
        assert len(stored) == 20
        kafka.reset()
        assert kafka.records("orders") == []

    given = tmp_path / "disks"

    @trio_test
    async def write() -> None:
        async with disks(given, {"node.id": "7"}) as node, connect(node) as client:
            await client.create_topic("orders", 4)
            for index in range(4):
                await client.produce("orders", b"%d" % index, partition=index)

    write()
    with unchanged(given), Kafka(directory=given) as kafka:
        for _ in range(2):
            assert sorted((each.partition, each.value) for each in kafka.records("orders")) == [
                (index, b"%d" % index) for index in range(4)
            ]
            kafka.produce("orders", "more")
            kafka.reset()
        assert kafka.take_bugs() == []
    assert "take the directory that holds them all" in refusal(given / "a")
    assert "has no __cluster_metadata-0: take the directory that holds all log.dirs" in refusal(given / "b")
