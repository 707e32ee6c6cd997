"""DescribeLogDirs, AlterReplicaLogDirs, DescribeProducers, InitProducerId, FindCoordinator."""

from __future__ import annotations

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import batch, produce
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from kafkapy_wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest


@scenario
def log_directories(peer: Peer) -> None:
    peer.create_topic("log-dirs", 2)
    peer.quietly(produce(peer, 13, "log-dirs", batch(b"x" * 100, b"y")), 13)
    for label, topics in {
        "one": [DescribableLogDirTopic(topic="log-dirs", partitions=[0, 1])],
        "unknown partition": [DescribableLogDirTopic(topic="log-dirs", partitions=[0, 7])],
        "unknown topic": [DescribableLogDirTopic(topic="log-dirs-unknown", partitions=[0])],
        "no partitions": [DescribableLogDirTopic(topic="log-dirs", partitions=[])],
        "none": [],
    }.items():
        peer.ask_versions(DescribeLogDirsRequest(topics=topics), label)
    for version in versions_of(ApiKey.DESCRIBE_LOG_DIRS):
        answer = peer.quietly(DescribeLogDirsRequest(topics=None), version)
        for directory in answer.results:
            directory.topics = [topic for topic in directory.topics if topic.name == "log-dirs"]
        peer.note(f"DescribeLogDirs v{version} all", peer.normaliser.plain(answer, version))


@scenario
def replicas_to_log_directories(peer: Peer) -> None:
    peer.create_topic("to-dirs", 2)
    (present,) = peer.quietly(DescribeLogDirsRequest(topics=[])).results
    for label, path in {"where it is": present.log_dir, "elsewhere": "/no/such/directory", "nowhere": ""}.items():
        for name, indexes in {
            "to-dirs": [0, 1],
            "to-dirs ": [0],
            "to-dirs-unknown": [0],
            "to-dirs-" + "x" * 205: [0, 10],
            "to-dirs-" + "x" * 240: [0],
        }.items():
            for partitions in (indexes, [7, -1], [0, 0], []):
                topics = [AlterReplicaLogDirTopic(name=name, partitions=partitions)]
                request = AlterReplicaLogDirsRequest(dirs=[AlterReplicaLogDir(path=path, topics=topics)])
                peer.ask_versions(request, f"{label}: {name} {partitions}")
    one = [AlterReplicaLogDirTopic(name="to-dirs", partitions=[0])]
    for first, second in ((present.log_dir, "/no/such"), ("/no/such", present.log_dir)):
        dirs = [AlterReplicaLogDir(path=path, topics=one) for path in (first, second)]
        peer.ask_versions(AlterReplicaLogDirsRequest(dirs=dirs), f"twice, {'last' if first == '/no/such' else 'first'}")
    peer.ask_versions(AlterReplicaLogDirsRequest(dirs=[]), "nothing")


@scenario
def producers(peer: Peer) -> None:
    peer.create_topic("producers", 2)
    producer_id = peer.quietly(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1)).producer_id
    sent = batch(b"a", b"b", producer_id=producer_id, producer_epoch=0, base_sequence=0)
    peer.quietly(produce(peer, 13, "producers", sent), 13)

    def ask(label: str, name: str, *partitions: int) -> None:
        topics = [TopicRequest(name=name, partition_indexes=list(partitions))]
        peer.ask(DescribeProducersRequest(topics=topics), label=label)

    ask("one that wrote, one that did not", "producers", 0, 1)
    ask("unknown partition", "producers", 7, -1)
    ask("unknown topic", "producers-unknown", 0)
    ask("invalid topic", "producers unknown", 0)
    ask("no partitions", "producers")
    peer.ask(DescribeProducersRequest(topics=[]), label="nothing")


@scenario
def producer_ids(peer: Peer) -> None:
    peer.ask_versions(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), "idempotent")
    peer.ask_versions(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0), "no timeout")
    peer.ask_versions(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=-1), "negative timeout")
    peer.ask_versions(InitProducerIdRequest(transactional_id="", transaction_timeout_ms=60_000), "empty id")
    for producer_id, epoch in ((123_456, 0), (123_456, -1), (-1, 3), (0, 32_767), (5, 32_766)):
        request = InitProducerIdRequest(
            transactional_id=None, transaction_timeout_ms=60_000, producer_id=producer_id, producer_epoch=epoch
        )
        peer.ask_versions(request, f"known as {producer_id} {epoch}")


@scenario
def coordinators(peer: Peer) -> None:
    def find(version: int, key_type: int, *keys: str) -> FindCoordinatorRequest:
        if version < 4:
            return FindCoordinatorRequest(key=keys[0], key_type=key_type)
        return FindCoordinatorRequest(coordinator_keys=list(keys), key_type=key_type)

    peer.ask_each(FindCoordinatorRequest, lambda version: find(version, 0, "a-group"), "group")
    peer.ask_each(FindCoordinatorRequest, lambda version: find(version, 0, ""), "empty group")
    peer.ask_each(FindCoordinatorRequest, lambda version: find(version, 0, "é-group"), "unicode group")
    for key_type in (3, 9, -1):
        peer.ask_each(
            FindCoordinatorRequest, lambda version, kind=key_type: find(version, kind, "x"), f"type {key_type}"
        )
    for key in ("", "x", "g:AAAAAAAAAAAAAAAAAAAAAQ:0x"):
        peer.ask_each(FindCoordinatorRequest, lambda version, key=key: find(version, 2, key), f"share {key!r}")
    several = FindCoordinatorRequest(coordinator_keys=["b", "a", "b", ""], key_type=0)
    peer.ask_versions(several, "several", versions=range(4, 7))
    peer.ask_versions(FindCoordinatorRequest(coordinator_keys=[], key_type=0), "none", versions=range(4, 7))
