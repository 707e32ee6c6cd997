"""Several log.dirs beside Apache Kafka 4.4.0: the same answers, each other's directories, and Kafka's own tools.

Both brokers have the directories a and b. In the end each has those of the other, and a third one that cannot be used.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory, java_tool
from compat_tests.broker import Broker
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Normaliser
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.tools import need
from kafkapy_wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
SET = 0
BROKER = 4

pytestmark = pytest.mark.usefixtures("java")


def settings_in(directory: Path, names: str = "ab") -> dict[str, str]:
    return {"node.id": "1", "log.dirs": ",".join(str(directory / name) for name in names)}


def format_directories(directory: Path) -> None:
    directory.mkdir()
    overrides = [part for name, value in settings_in(directory).items() for part in ("--override", f"{name}={value}")]
    subprocess.run([kafkapy_command(), "format", *overrides], check=True)
    (directory / "c").write_bytes(b"not a directory")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of kafkapy and of Apache Kafka."""
    base = tmp_path_factory.mktemp("disks")
    for name in ("kafkapy", "apache"):
        format_directories(base / name)
    return base / "kafkapy", base / "apache"


@pytest.fixture(scope="module")
def brokers(places: tuple[Path, Path], java: None) -> Iterator[tuple[KafkapyProcess, ApacheKafka]]:
    need(jar_directory)
    mine, its = places
    with (
        KafkapyProcess(settings_in(mine)) as ours,
        ApacheKafka(settings_in(its), data_dir=its / "a", voters_in_log=True) as theirs,
    ):
        yield ours, theirs


def peer_of(name: str, broker: Broker, place: Path) -> Peer:
    peer = Peer(name, "127.0.0.1", broker.port, None)
    peer.normaliser = Normaliser("127.0.0.1", {broker.port: "<port>"}, {place / each: f"<{each}>" for each in "abc"})
    return peer


def compare(brokers: tuple[Broker, Broker], places: tuple[Path, Path], scenario: Callable[[Peer, Path], None]) -> None:
    transcripts = []
    for name, broker, place in zip(("kafkapy", "apache"), brokers, places, strict=True):
        with peer_of(name, broker, place) as peer:
            scenario(peer, place)
        transcripts.append(peer.transcript)
    assert transcripts[1], "a scenario that asks nothing compares nothing"
    found = list(differences(*transcripts))
    if found:
        pytest.fail(f"{len(found)} differences\n" + report(found), pytrace=False)


def described(peer: Peer, topic: str) -> Any:
    return peer.quietly(DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic=topic, partitions=[0, 1, 2])]))


def where(peer: Peer, topic: str) -> dict[int, str]:
    """The last part of the directory of each replica, without copies."""
    return {
        partition.partition_index: Path(result.log_dir).name
        for result in described(peer, topic).results
        for found in result.topics
        for partition in found.partitions
        if not partition.is_future_key
    }


def move(path: Path | str, topic: str, *partitions: int) -> AlterReplicaLogDirsRequest:
    wanted = AlterReplicaLogDirTopic(name=topic, partitions=list(partitions))
    return AlterReplicaLogDirsRequest(dirs=[AlterReplicaLogDir(path=str(path), topics=[wanted])])


def until_moved(peer: Peer, topic: str, name: str) -> None:
    """All of its replicas."""

    def is_there(answer: Any) -> bool:
        found = [
            (Path(result.log_dir).name, partition.is_future_key)
            for result in answer.results
            for each in result.topics
            for partition in each.partitions
        ]
        return bool(found) and set(found) == {(name, False)}

    peer.until(
        DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic=topic, partitions=[0, 1, 2])]), is_there, "it moved"
    )


def configure(peer: Peer, name: str, value: str) -> Any:
    change = AlterableConfig(name=name, config_operation=SET, value=value)
    resource = AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=[change])
    return peer.ask(IncrementalAlterConfigsRequest(resources=[resource]), label=f"{name} {Path(value).name}")


def write_down(peer: Peer, label: str, topic: str, versions: range = range(1, 6)) -> None:
    for version in versions:
        answer = peer.quietly(
            DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic=topic, partitions=[0, 1, 2])]), version
        )
        for result in answer.results:
            for each in result.topics:
                each.partitions.sort(key=lambda partition: partition.partition_index)
        answer.results.sort(key=lambda result: result.log_dir)
        peer.note(f"DescribeLogDirs v{version} {label}", peer.normaliser.plain(answer, version))


def test_moves_and_their_errors(brokers: tuple[Broker, Broker], places: tuple[Path, Path]) -> None:
    def scenario(peer: Peer, place: Path) -> None:
        peer.create_topic("moves", 3)
        counts = [list(where(peer, "moves").values()).count(name) for name in "ab"]
        peer.note("are spread", sorted(counts) == [1, 2])
        peer.quietly(produce(peer, 13, "moves", batch(b"x" * 100, b"y")), 13)
        for label, path in {
            "a": place / "a",
            "unknown": place / "d",
            "nowhere": "",
            "relative": "a",
            "with a slash": f"{place / 'a'}/",
        }.items():
            for topic, partitions in {
                "moves": (0,),
                "moves-unknown": (0, 0),
                "n" * 249: (0,),
                "n" * 208: (0,),
                "not/valid": (0,),
            }.items():
                peer.ask_versions(move(str(path), topic, *partitions), f"{label} {topic[:13]} {len(topic)}")
        peer.ask_versions(move(place / "a", "moves", 7, -1), "no such partitions")
        peer.ask_versions(AlterReplicaLogDirsRequest(dirs=[]), "nothing")
        peer.quietly(move(place / "a", "moves", 0, 1, 2))
        until_moved(peer, "moves", "a")
        write_down(peer, "in a", "moves")
        peer.ask(move(place / "b", "moves", 0, 1, 2), label="to b")
        until_moved(peer, "moves", "b")
        write_down(peer, "in b", "moves")

    compare(brokers, places, scenario)


def test_a_move_that_waits_and_is_given_up(brokers: tuple[Broker, Broker], places: tuple[Path, Path]) -> None:
    def scenario(peer: Peer, place: Path) -> None:
        peer.create_topic("waits", 1, {"retention.ms": "-1"})
        peer.quietly(move(place / "a", "waits", 0))
        until_moved(peer, "waits", "a")
        for _ in range(40):
            peer.quietly(produce(peer, 13, "waits", batch(b"x" * 500_000)), 13)
        configure(peer, RATE, "1")
        peer.ask(move(place / "b", "waits", 0), label="to b")

        asked = DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic="waits", partitions=[0])])
        answer = peer.until(asked, lambda answer: any(each.partition_size for each in copies(answer)), "a copy begins")
        (copy,) = copies(answer)
        peer.note("the copy lags", 0 < copy.offset_lag < 40)
        peer.ask(move(place / "b", "waits", 0), label="to b again")
        peer.ask(move(place / "a", "waits", 0), label="stays in a")
        peer.until(asked, lambda answer: not copies(answer), "the copy is gone")
        write_down(peer, "in a", "waits")
        configure(peer, RATE, str(2**63 - 1))

    compare(brokers, places, scenario)


def test_cordoned_directories(brokers: tuple[Broker, Broker], places: tuple[Path, Path]) -> None:
    def scenario(peer: Peer, place: Path) -> None:
        peer.create_topic("cordoned", 1)
        for value in ("/no/such/directory", f"*,{place / 'a'}", f"{place / 'b'}"):
            configure(peer, "cordoned.log.dirs", value)
        asked = DescribeLogDirsRequest(topics=[])
        peer.until(asked, lambda answer: any(each.is_cordoned for each in answer.results), "b is cordoned")
        for each in "ab":
            peer.ask(move(place / each, "cordoned", 0), label=f"to {each}")
        until_moved(peer, "cordoned", "a")
        write_down(peer, "cordoned", "cordoned")
        configure(peer, "cordoned.log.dirs", "*")

        def create(name: str) -> CreateTopicsRequest:
            topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1)
            return CreateTopicsRequest(topics=[topic], timeout_ms=10_000, validate_only=True)

        peer.until(create("refused"), lambda answer: answer.topics[0].error_code != 0, "all are cordoned")
        peer.ask(create("refused"))
        configure(peer, "cordoned.log.dirs", "")
        peer.until(create("taken"), lambda answer: answer.topics[0].error_code == 0, "none is cordoned")

    compare(brokers, places, scenario)


@pytest.mark.parametrize("first", ["kafkapy", "apache"])
def test_a_move_that_one_broker_has_begun_goes_on_at_the_other(first: str, tmp_path: Path, java: None) -> None:
    """The first one is killed."""
    need(jar_directory)
    place = tmp_path / "disks"
    format_directories(place)

    def broker_of(kind: str) -> KafkapyProcess | ApacheKafka:
        if kind == "kafkapy":
            return KafkapyProcess(settings_in(place))
        return ApacheKafka(settings_in(place), data_dir=place / "a", voters_in_log=True)

    asked = DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic="waits", partitions=[0])])
    with broker_of(first) as broker:
        with peer_of(first, broker, place) as peer:
            peer.create_topic("waits", 1, {"retention.ms": "-1"})
            peer.quietly(move(place / "a", "waits", 0))
            until_moved(peer, "waits", "a")
            for _ in range(40):
                peer.quietly(produce(peer, 13, "waits", batch(b"x" * 500_000)), 13)
            configure(peer, RATE, "1")
            peer.quietly(move(place / "b", "waits", 0))
            peer.until(asked, lambda answer: any(each.partition_size for each in copies(answer)), "a copy begins")
        broker.stop(kill=True)
    other = "apache" if first == "kafkapy" else "kafkapy"
    with broker_of(other) as broker, peer_of(other, broker, place) as peer:
        peer.await_topic("waits")
        configure(peer, RATE, str(2**63 - 1))
        until_moved(peer, "waits", "b")
        assert end_offset(peer, "waits") == 40


def copies(answer: Any) -> list[Any]:
    return [
        partition
        for result in answer.results
        for each in result.topics
        for partition in each.partitions
        if partition.is_future_key
    ]


def end_offset(peer: Peer, topic: str) -> int:
    wanted = ListOffsetsPartition(partition_index=0, timestamp=-1)
    answer = peer.quietly(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])]))
    offset: int = answer.topics[0].partitions[0].offset
    return offset


def test_tools_and_there_and_back(
    brokers: tuple[KafkapyProcess, ApacheKafka], places: tuple[Path, Path], tmp_path: Path
) -> None:
    """The last of this module: it stops both brokers."""
    ours, theirs = brokers
    mine, its = places
    for broker, place in ((ours, mine), (theirs, its)):
        with peer_of("", broker, place) as peer:
            peer.create_topic("travels", 1)
            for _ in range(5):
                peer.quietly(produce(peer, 13, "travels", batch(b"x" * 1_000)), 13)
    with peer_of("", ours, mine) as peer:
        before = where(peer, "travels")[0]
    target = "a" if before == "b" else "b"
    plan = tmp_path / "plan.json"
    partition = {"topic": "travels", "partition": 0, "replicas": [1], "log_dirs": [str(mine / target)]}
    plan.write_text(json.dumps({"version": 1, "partitions": [partition]}))
    common = ("--bootstrap-server", ours.bootstrap, "--reassignment-json-file", str(plan))
    executed = java_tool(REASSIGN, *common, "--execute")
    started = f"Successfully started moving log directory to {mine / target} for replica travels-0 with broker 1"
    assert started in executed.stdout, executed
    with peer_of("", ours, mine) as peer:
        until_moved(peer, "travels", target)
    verified = java_tool(REASSIGN, *common, "--verify")
    assert "Reassignment of replica travels-0-1 completed successfully." in verified.stdout, verified
    shown = java_tool(LOG_DIRS, "--bootstrap-server", ours.bootstrap, "--describe", "--topic-list", "travels")
    directories = {
        Path(each["logDir"]).name: each for each in json.loads(shown.stdout.splitlines()[-1])["brokers"][0]["logDirs"]
    }
    assert [each["partition"] for each in directories[target]["partitions"]] == ["travels-0"]
    assert not directories[before]["partitions"]
    ours.stop()
    theirs.stop()
    with (
        KafkapyProcess(settings_in(its, "abc")) as at_its,
        ApacheKafka(settings_in(mine, "abc"), data_dir=mine / "a", voters_in_log=True) as at_mine,
    ):
        for broker, place in ((at_mine, mine), (at_its, its)):
            with peer_of("", broker, place) as peer:
                peer.await_topic("travels")
                assert end_offset(peer, "travels") == 5
                peer.quietly(produce(peer, 13, "travels", batch(b"more")), 13)
        compare((at_its, at_mine), (its, mine), one_is_offline)
        at_mine.stop()
        at_its.stop()
    with KafkapyProcess(settings_in(mine)) as back, peer_of("", back, mine) as peer:
        peer.await_topic("travels")
        assert end_offset(peer, "travels") == 6
        assert where(peer, "travels") == {0: target}


def one_is_offline(peer: Peer, place: Path) -> None:
    peer.create_topic("offline", 1)
    other = "a" if where(peer, "offline")[0] == "b" else "b"
    for label, name in {"to the offline one": "c", "to another": other, "stays": where(peer, "offline")[0]}.items():
        peer.ask_versions(move(place / name, "offline", 0), label)
    asked = DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic="none", partitions=[0])])
    for version in range(1, 6):
        answer = peer.quietly(asked, version)
        answer.results.sort(key=lambda result: result.log_dir)
        peer.note(f"DescribeLogDirs v{version}", peer.normaliser.plain(answer, version))
