"""What brokers and administrators ask of an active controller, step by step, with answers and records made comparable.

The brokers exist only by their requests: a `Script` registers them, sends their heartbeats and changes their ISRs, over
a connection to the controller's listener. It reads the metadata log of the controller for the epochs that a broker
would know, and for the records that each step has written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compat_tests.differential.peer import Connection, api_key_of
from compat_tests.metadata_log import LoggedMetadata, LoggedPartition, logged_records
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message, Struct
from kafkapy_wire.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    BrokerState,
)
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
)
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest, Feature, Listener
from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest
from kafkapy_wire.messages.controller_registration import Feature as ControllerFeature
from kafkapy_wire.messages.controller_registration import Listener as ControllerListener
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest
from kafkapy_wire.messages.unregister_controller import UnregisterControllerRequest
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from kafkapy_wire.uuid import ZERO_UUID, Uuid

CONTROLLER_ID = 1_000
SESSION_MS = 4_000
START_SECONDS = 90.0
FEATURES = {
    "eligible.leader.replicas.version": (0, 1),
    "group.version": (0, 1),
    "kraft.version": (0, 1),
    "metadata.version": (7, 33),
    "share.version": (0, 2),
    "streams.version": (0, 1),
    "transaction.version": (0, 2),
}
"""What a broker of Apache Kafka 4.4.0 supports."""
PREFERRED, UNCLEAN = 0, 1
BROKER, SET = 4, 0
UPGRADE, SAFE_DOWNGRADE = 1, 2

Plain = Any
"""What `repr` of both sides must agree on."""


def uuid_of(number: int) -> Uuid:
    return Uuid(bytes(12) + (10_000 + number).to_bytes(4, "big"))


class Script:
    """One controller under test, and what has come of each step."""

    def __init__(self, port: int, data_dir: Path, cluster_id: str) -> None:
        self._connection = Connection("127.0.0.1", port)
        self._log = data_dir / "__cluster_metadata-0" / "00000000000000000000.log"
        self._cluster_id = cluster_id
        self._incarnations = 100
        self._names: dict[bytes, str] = {}
        self._epochs: dict[int, str] = {}
        self.steps: list[tuple[str, Plain, list[Plain]]] = []
        """(what was asked, the answer, the records that it has left)"""
        deadline = time.monotonic() + START_SECONDS
        while not self._has_begun(self.known()):
            assert time.monotonic() < deadline, "the controller has not registered itself"
            time.sleep(0.01)
        self._seen = len(logged_records(self._log))

    @staticmethod
    def _has_begun(known: LoggedMetadata) -> bool:
        """Whether the log has the records of the start, the registration of the controller last."""
        return known.level > 0 and (CONTROLLER_ID in known.controllers or not known.has_controllers)

    def close(self) -> None:
        self._connection.close()

    # What is known from the log

    def known(self) -> LoggedMetadata:
        return LoggedMetadata(logged_records(self._log))

    def epoch(self, broker_id: int) -> int:
        brokers = self.known().brokers
        return brokers[broker_id].broker_epoch if broker_id in brokers else 1

    def partition(self, topic: str, index: int) -> LoggedPartition:
        return self.known().topics[topic][index]

    # Steps

    def ask(self, label: str, request: Message, version: int) -> Any:
        correlation_id = self._connection.post(request, version)
        key = api_key_of(request)
        answer = self._connection.receive(key, version, correlation_id)
        self.steps.append((f"{key.name} v{version} {label}", answer, []))
        self._note_what_came_of_it()
        return answer

    def _note_what_came_of_it(self) -> None:
        """Make the answer of the last step plain, and add the records that it has written."""
        records = logged_records(self._log)
        known = LoggedMetadata(records[: self._seen])
        # Apache Kafka fences a broker again whose session times out while it is fenced.
        new = [each for each in records[self._seen :] if known.replay(each.record)]
        self._seen = len(records)
        self._learn_names(known)
        plain = [(each.name, each.version, self._plain(each.record)) for each in new]
        # Apache Kafka has partitions in the order of a hash table.
        changes = iter(sorted((each for each in plain if each[0] == "PartitionChangeRecord"), key=repr))
        plain = [next(changes) if each[0] == "PartitionChangeRecord" else each for each in plain]
        label, answer, _ = self.steps[-1]
        self.steps[-1] = label, self._plain(answer), plain

    def _learn_names(self, known: LoggedMetadata) -> None:
        self._names |= {topic_id: f"id of {name}" for topic_id, name in known.topic_names.items()}
        for broker in known.brokers.values():
            if broker.broker_epoch not in self._epochs:
                count = sum(name.startswith(f"epoch of {broker.broker_id}") for name in self._epochs.values())
                self._epochs[broker.broker_epoch] = f"epoch of {broker.broker_id}, {count}"

    def _plain(self, value: object, name: str = "") -> Plain:
        if isinstance(value, Struct):
            return {
                field.name: self._plain(getattr(value, field.name), field.name)
                for field in value.__fields__
                if field.name != "throttle_time_ms"
            }
        if isinstance(value, list | tuple):
            items = [self._plain(each, name) for each in value]
            if name in ("topics", "configs", "features", "end_points", "cordoned_log_dirs", "eligible_leader_replicas"):
                items.sort(key=repr)
            return items
        if isinstance(value, bytes):
            return self._names.get(value, value.hex())
        if name == "broker_epoch" and isinstance(value, int):
            return self._epochs.get(value, value)
        return value

    # Brokers

    def register(
        self, label: str, broker_id: int, version: int = 4, *, incarnation: int | None = None, **fields: Any
    ) -> int:
        """Returns the broker epoch."""
        self._incarnations += 1
        request = BrokerRegistrationRequest(
            broker_id=broker_id,
            cluster_id=self._cluster_id,
            incarnation_id=uuid_of(1_000 + (self._incarnations if incarnation is None else incarnation)),
            listeners=[Listener(name="PLAINTEXT", host="127.0.0.1", port=20_000 + broker_id)],
            features=features(Feature),
            rack=None,
            log_dirs=[uuid_of(broker_id)],
        )
        for name, value in fields.items():
            setattr(request, name, value)
        epoch: int = self.ask(label, request, version).broker_epoch
        return epoch

    def beat(self, label: str, broker_id: int, version: int = 2, **fields: Any) -> Any:
        request = BrokerHeartbeatRequest(
            broker_id=broker_id,
            broker_epoch=self.epoch(broker_id),
            current_metadata_offset=1 << 40,
        )
        for name, value in fields.items():
            setattr(request, name, value)
        return self.ask(label, request, version)

    def in_sync(
        self,
        label: str,
        topic: str,
        isr: list[int],
        *,
        index: int = 0,
        leader: int | None = None,
        version: int = 3,
        leader_epoch: int = 0,
        partition_epoch: int = 0,
        broker_epoch: int = 0,
        follower_epoch: int | None = None,
        topic_id: Uuid | None = None,
        recovery: int = 0,
    ) -> None:
        """The leader says who is in sync. The epochs are added to those that are right."""
        known = self.known()
        partitions = known.topics[topic]
        partition = partitions.get(index, partitions[0])
        broker_id = partition.leader if leader is None else leader
        epochs = {broker_id: 5} | {each.broker_id: each.broker_epoch for each in known.brokers.values()}
        data = AlterPartitionRequestPartitionData(
            partition_index=index,
            leader_epoch=partition.leader_epoch + leader_epoch,
            partition_epoch=partition.partition_epoch + partition_epoch,
            leader_recovery_state=recovery,
        )
        if version >= 3:
            data.new_isr_with_epochs = [
                BrokerState(broker_id=each, broker_epoch=epochs[each] if follower_epoch is None else follower_epoch)
                for each in isr
            ]
        else:
            data.new_isr = isr
        self.ask(
            label,
            AlterPartitionRequest(
                broker_id=broker_id,
                broker_epoch=epochs[broker_id] + broker_epoch,
                topics=[
                    AlterPartitionRequestTopicData(
                        topic_id=known.id_of(topic) if topic_id is None else topic_id, partitions=[data]
                    )
                ],
            ),
            version,
        )

    def assign(self, label: str, broker_id: int, directory: Uuid, topic: str, *indexes: int, epoch: int = 0) -> None:
        known = self.known()
        self.ask(
            label,
            AssignReplicasToDirsRequest(
                broker_id=broker_id,
                broker_epoch=self.epoch(broker_id) + epoch,
                directories=[
                    AssignReplicasToDirsRequestDirectoryData(
                        id=directory,
                        topics=[
                            AssignReplicasToDirsRequestTopicData(
                                topic_id=known.id_of(topic) if topic in known.topics else uuid_of(9_999),
                                partitions=[
                                    AssignReplicasToDirsRequestPartitionData(partition_index=index) for index in indexes
                                ],
                            )
                        ],
                    )
                ],
            ),
            0,
        )

    # Administrators

    def create(self, name: str, *assignments: list[int], **configs: str) -> None:
        request = CreateTopicsRequest(
            topics=[
                CreatableTopic(
                    name=name,
                    num_partitions=-1,
                    replication_factor=-1,
                    assignments=[
                        CreatableReplicaAssignment(partition_index=index, broker_ids=ids)
                        for index, ids in enumerate(assignments)
                    ],
                    configs=[
                        CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()
                    ],
                )
            ],
            timeout_ms=10_000,
        )
        correlation_id = self._connection.post(request, 7)
        answer: Any = self._connection.receive(api_key_of(request), 7, correlation_id)
        for result in answer.topics:
            result.configs = []  # the settings of a new topic are another test's business
            result.topic_id = ZERO_UUID
        self.steps.append((f"CREATE_TOPICS {name}", answer, []))
        self._note_what_came_of_it()

    def configure(self, broker: str, name: str, value: str) -> None:
        config = AlterableConfig(name=name, config_operation=SET, value=value)
        resource = AlterConfigsResource(resource_type=BROKER, resource_name=broker, configs=[config])
        self.ask(f"{name}={value} of broker {broker}", IncrementalAlterConfigsRequest(resources=[resource]), 1)

    def elect(self, label: str, election_type: int, topic: str, *indexes: int) -> None:
        asked = [TopicPartitions(topic=topic, partitions=list(indexes))]
        request = ElectLeadersRequest(election_type=election_type, topic_partitions=asked, timeout_ms=10_000)
        self.ask(label, request, 2)

    def move(
        self, label: str, topic: str, replicas: list[int] | None, *, version: int = 1, same_factor: bool = False
    ) -> None:
        partition = ReassignablePartition(partition_index=0, replicas=replicas)
        request = AlterPartitionReassignmentsRequest(
            topics=[ReassignableTopic(name=topic, partitions=[partition])], timeout_ms=10_000
        )
        if same_factor:
            request.allow_replication_factor_change = False
        self.ask(label, request, version)

    def update(
        self, label: str, feature: str, level: int, *, upgrade_type: int = UPGRADE, validate: bool = True
    ) -> None:
        update = FeatureUpdateKey(feature=feature, max_version_level=level, upgrade_type=upgrade_type)
        request = UpdateFeaturesRequest(feature_updates=[update], validate_only=validate, timeout_ms=10_000)
        self.ask(label, request, 2)


def features(kind: Any, **ranges: tuple[int, int]) -> list[Any]:
    """Those of this release, as a registration says them; a range with a negative end leaves the feature out."""
    merged = {**FEATURES, **{name.replace("_", "."): each for name, each in ranges.items()}}
    return [
        kind(name=name, min_supported_version=low, max_supported_version=high)
        for name, (low, high) in merged.items()
        if high >= 0
    ]


@contextmanager
def script(port: int, data_dir: Path, cluster_id: str) -> Iterator[Script]:
    opened = Script(port, data_dir, cluster_id)
    try:
        yield opened
    finally:
        opened.close()


def play(s: Script) -> None:
    """All of it, in the order that it needs."""
    controllers(s)
    registrations(s)
    heartbeats(s)
    in_sync_replicas(s)
    fencing(s)
    shutdowns(s)
    reassignments(s)
    directories(s)
    feature_levels(s)
    incarnations(s)


def controllers(s: Script) -> None:
    registration = ControllerRegistrationRequest(
        controller_id=3_001,
        incarnation_id=uuid_of(1),
        listeners=[ControllerListener(name="CONTROLLER", host="127.0.0.1", port=9_093)],
        features=features(ControllerFeature),
    )
    s.ask("another one", registration, 0)
    s.ask("again", registration, 0)
    for controller_id in (3_001, 3_001, CONTROLLER_ID):
        s.ask(str(controller_id), UnregisterControllerRequest(controller_id=controller_id), 0)


def registrations(s: Script) -> None:
    s.register("another cluster", 1, cluster_id="other")
    s.register("from ZooKeeper", 1, is_migrating_zk_broker=True)
    s.register("no directory", 1, log_dirs=[])
    s.register("a reserved directory", 1, log_dirs=[Uuid(bytes(15) + b"\x63")])
    s.register("a directory twice", 1, log_dirs=[uuid_of(1), uuid_of(1)])
    s.register("an older feature", 1, features=features(Feature, group_version=(0, 0)))
    s.register("a missing feature", 1, features=features(Feature, transaction_version=(0, -1)))
    s.register("an unknown feature", 1, features=features(Feature, other_version=(1, 2)))
    s.register("no metadata.version", 1, features=features(Feature, metadata_version=(0, -1)))
    s.register("an older metadata.version", 1, features=features(Feature, metadata_version=(7, 30)))
    for broker_id in (1, 2, 3):
        s.register("a new broker", broker_id)
    s.register("a directory of another", 4, log_dirs=[uuid_of(4), uuid_of(1)])
    s.register("two directories, with a rack", 4, log_dirs=[uuid_of(4), uuid_of(14)], rack="r")


def heartbeats(s: Script) -> None:
    s.beat("no such broker", 9)
    s.beat("a stale epoch", 1, broker_epoch=s.epoch(1) - 1)
    s.beat("not caught up", 1, current_metadata_offset=0)
    s.beat("it wants to stay fenced", 1, want_fence=True, cordoned_log_dirs=[])
    for broker_id in (1, 2, 3, 4):
        s.beat("it is unfenced", broker_id, cordoned_log_dirs=[])
    s.beat("nothing new", 1, cordoned_log_dirs=[])
    s.beat("version 0", 1, 0)
    s.register("an id that lives", 1)
    s.beat("a cordoned directory", 4, cordoned_log_dirs=[uuid_of(14)])
    s.create("cordoned-not-all", [4])
    s.beat("all directories cordoned", 4, cordoned_log_dirs=[uuid_of(14), uuid_of(4)])
    s.create("cordoned", [4])
    s.move("to a cordoned broker", "cordoned-not-all", [4, 1])
    s.beat("none cordoned", 4, cordoned_log_dirs=[])
    s.ask("a block", AllocateProducerIdsRequest(broker_id=1, broker_epoch=s.epoch(1)), 0)
    s.ask("the next block", AllocateProducerIdsRequest(broker_id=2, broker_epoch=s.epoch(2)), 0)
    s.ask("a stale epoch", AllocateProducerIdsRequest(broker_id=1, broker_epoch=1), 0)
    s.ask("no such broker", AllocateProducerIdsRequest(broker_id=9, broker_epoch=1), 0)


def keep_alive(s: Script) -> None:
    for broker_id in (1, 2, 3, 4):
        s.beat("alive", broker_id)


def in_sync_replicas(s: Script) -> None:
    s.create("a", [1, 2, 3], [2, 3, 1], [3, 1, 2], min_insync_replicas="2")
    s.in_sync("a follower leaves", "a", [1, 2])
    s.in_sync("as it is", "a", [1, 2])
    s.in_sync("it comes back", "a", [1, 2, 3])
    s.in_sync("version 2", "a", [1, 3], version=2)
    s.in_sync("below the minimum", "a", [1])
    s.in_sync("one comes back", "a", [1, 3])
    s.in_sync("all come back", "a", [1, 2, 3])
    s.in_sync("a newer leader epoch", "a", [1], leader_epoch=1)
    s.in_sync("an older leader epoch", "a", [1], leader_epoch=-1)
    s.in_sync("a newer partition epoch", "a", [1], partition_epoch=1)
    s.in_sync("an older partition epoch", "a", [1], partition_epoch=-1)
    s.in_sync("of a follower", "a", [1, 2], leader=2)
    s.in_sync("a stale broker epoch", "a", [1], broker_epoch=-1)
    s.in_sync("no such broker", "a", [1], leader=9)
    s.in_sync("without the leader", "a", [2, 3])
    s.in_sync("nobody", "a", [])
    s.in_sync("not assigned", "a", [1, 4])
    s.in_sync("twice", "a", [1, 2, 2])
    s.in_sync("a former incarnation", "a", [1, 2], follower_epoch=1)
    s.in_sync("any incarnation", "a", [1, 2], follower_epoch=-1)
    s.in_sync("all again", "a", [1, 2, 3])
    s.in_sync("recovering with followers", "a", [1, 2], recovery=1)
    s.in_sync("recovering again", "a", [1], recovery=1)
    s.in_sync("no such topic", "a", [1], topic_id=uuid_of(9_999))
    s.in_sync("no topic", "a", [1], topic_id=ZERO_UUID)
    s.in_sync("no such partition", "a", [1], index=7, leader=1)
    keep_alive(s)


def fencing(s: Script) -> None:
    s.create("two", [1, 2], [2, 1])
    s.create("one", [1])
    s.create("unclean", [1, 2], unclean_leader_election_enable="true")
    s.beat("1 is fenced", 1, want_fence=True)
    s.in_sync("a fenced one", "two", [1, 2], leader=2)
    s.create("fenced", [1])
    s.create("half-fenced", [1, 2])
    s.ask(
        "on a fenced broker",
        CreatePartitionsRequest(
            topics=[
                CreatePartitionsTopic(name="one", count=2, assignments=[CreatePartitionsAssignment(broker_ids=[1])])
            ],
            timeout_ms=10_000,
        ),
        3,
    )
    s.elect("fenced", PREFERRED, "two", 0, 1)
    s.beat("2 is fenced", 2, want_fence=True)
    s.beat("1 is back", 1)
    s.elect("who is there", UNCLEAN, "two", 0, 1)
    s.beat("2 is back", 2)
    s.in_sync("recovered", "unclean", [1, 2])
    s.elect("the preferred ones", PREFERRED, "two", 0, 1)
    for index in (0, 1):
        leader = s.partition("two", index).leader
        if leader >= 0:
            s.in_sync("both", "two", [1, 2], index=index)
    s.elect("the preferred ones", PREFERRED, "two", 0, 1, 2)
    s.elect("no such topic", PREFERRED, "nothing", 0)
    for index in (0, 1, 2):
        s.in_sync("all", "a", [1, 2, 3], index=index)
    s.elect("the preferred ones of a", PREFERRED, "a", 0, 1, 2)
    keep_alive(s)


def shutdowns(s: Script) -> None:
    s.beat("3 stops", 3, want_shut_down=True)
    s.in_sync("one that stops", "a", [1, 2, 3])
    s.create("stopping", [3])
    s.beat("others know it", 1)
    s.beat("others know it", 2)
    s.beat("others know it", 4)
    s.beat("3 may stop", 3, want_shut_down=True)
    s.beat("again", 3, want_shut_down=True)
    s.beat("it stays", 3)
    s.beat("4 leads something and is fenced at once", 4, want_fence=True, want_shut_down=True)
    s.beat("4 stays", 4)
    s.in_sync("all", "a", [1, 2, 3])
    keep_alive(s)


def reassignments(s: Script) -> None:
    s.create("m", [1, 2])
    s.move("to others", "m", [3, 4])
    s.ask("under way", ListPartitionReassignmentsRequest(topics=None, timeout_ms=10_000), 0)
    s.in_sync("3 is in sync", "m", [1, 2, 3])
    s.in_sync("complete", "m", [1, 2, 3, 4])
    s.in_sync("the leader that was moved away", "m", [1, 2], leader=1)
    s.move("to more", "m", [3, 4, 1])
    s.move("never mind", "m", None)
    s.move("there is none", "m", None)
    s.move("another factor", "m", [3], same_factor=True)
    s.move("fewer", "m", [3])
    s.move("no replica", "m", [])
    s.move("twice", "m", [3, 3])
    s.move("no such broker", "m", [3, 9])
    s.move("no such topic", "nothing", [3])
    s.create("n", [1, 2, 3])
    s.in_sync("one is behind", "n", [1, 3])
    s.move("fewer than before, and one is behind", "n", [1, 2])
    s.in_sync("complete", "n", [1, 2, 3])
    s.move("to one other", "n", [4])
    s.in_sync("4 is in sync", "n", [1, 2, 4])
    keep_alive(s)


def directories(s: Script) -> None:
    s.create("d", [4, 1], [1, 4])
    s.assign("both", 4, uuid_of(4), "d", 0, 1)
    s.assign("the other directory", 4, uuid_of(14), "d", 1)
    s.assign("no replica", 4, uuid_of(4), "a", 0)
    s.assign("no such partition", 4, uuid_of(4), "d", 7)
    s.assign("no such topic", 4, uuid_of(4), "nothing", 0)
    s.assign("a stale epoch", 4, uuid_of(4), "d", 0, epoch=-1)
    s.beat("a directory has failed", 4, offline_log_dirs=[uuid_of(14)])
    s.beat("a directory that it has not", 4, offline_log_dirs=[uuid_of(14), uuid_of(77)])
    s.assign("a failed directory", 4, uuid_of(14), "d", 0)
    s.elect("a replica that is offline", PREFERRED, "d", 0, 1)
    keep_alive(s)


def feature_levels(s: Script) -> None:
    s.update("as it is", "group.version", 1)
    s.update("too high", "group.version", 9)
    s.update("down", "group.version", 0)
    s.update("down, as asked", "group.version", 0, upgrade_type=SAFE_DOWNGRADE)
    s.update("up, as a downgrade", "share.version", 2, upgrade_type=SAFE_DOWNGRADE)
    s.update("negative", "group.version", -1)
    s.update("unknown", "other.version", 1)
    s.update("no such type", "group.version", 1, upgrade_type=7)
    s.update("really", "share.version", 0, upgrade_type=SAFE_DOWNGRADE, validate=False)
    s.configure("1", "min.insync.replicas", "3")
    s.update("eligible leaders from now on", "eligible.leader.replicas.version", 1, validate=False)
    s.configure("2", "min.insync.replicas", "3")
    s.configure("", "min.insync.replicas", "2")
    keep_alive(s)


def incarnations(s: Script) -> None:
    """Last, as the sessions must end before."""
    s.register("the same incarnation", 1, incarnation=111, log_dirs=[uuid_of(1)], rack="new")
    for broker_id in (1, 2, 3, 4):
        s.beat("fenced", broker_id, want_fence=True)
    time.sleep(SESSION_MS / 1_000 * 1.25)
    s.register("it had stopped in order", 3, previous_broker_epoch=s.epoch(3))
    s.register("it was killed", 2, previous_broker_epoch=1)
    s.register("it was killed, version 2", 1, 2)
    s.register("directories of its own", 4, log_dirs=[uuid_of(24)])
    for broker_id in (2, 1, 3, 4):
        s.beat("back", broker_id)
    for broker_id in (3, 3, 9):
        s.ask(str(broker_id), UnregisterBrokerRequest(broker_id=broker_id), 0)
    s.beat("unregistered", 3)
    assert s.known().brokers.keys() == {1, 2, 4}
    for broker_id in (1, 2, 4):
        assert s.beat("alive", broker_id).error_code == ErrorCode.NONE
