"""`Kafka`: the test kit's face for synchronous code. `generate.py` makes `async_kafka.py` from this file."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, Self, Unpack

from kafkapy.control import (
    bugs,
    connections,
    export,
    faults,
    groups,
    recording,
    records,
    seeding,
    state,
    time,
    topics,
    waits,
)
from kafkapy.control import transactions as transactions_
from kafkapy.control.client_metrics import list_client_metrics
from kafkapy.testing.clients import config_for
from kafkapy.testing.errors import check_fired
from kafkapy.testing.given_values import (
    directory_path,
    export_path,
    milliseconds,
    new_record,
    seed_source,
    setting_texts,
    topics_with_texts,
)
from kafkapy.testing.node_verbs import NodeVerbs
from kafkapy.testing.options import Options, strict_names
from kafkapy.testing.running import described, running
from kafkapy.testing.users import users_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from kafkapy.control.values import (
        ClientMetricsPush,
        Connection,
        FaultState,
        Group,
        Isolation,
        NewRecord,
        Record,
        SeedCounts,
        Stored,
        Time,
        Topic,
        TopicPartition,
        Transaction,
    )
    from kafkapy.recording import Recorded
    from kafkapy.recording.selection import Filter
    from kafkapy.testing.clients import ClientOptions
    from kafkapy.testing.options import SeedSource, Topics
    from kafkapy.testing.running import Face

WAIT_SECONDS = waits.TIMEOUT


class Kafka(NodeVerbs):
    """A Kafka cluster, of one node unless asked otherwise; it serves within its `with` block.

    Every method works on the nodes themselves, not through their protocol. Methods may be called from any thread.
    Kafka's errors are raised as `kafkapy_wire.errors.KafkaError`, what is missing as LookupError, timeouts as `NotYet`.
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        controllers: int | None = None,
        racks: tuple[str, ...] = (),
        settings: Mapping[str, object] | None = None,
        users: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] = (),
        topics: Topics | None = None,
        seed: SeedSource | None = None,
        directory: str | Path | None = None,
        host: str = "localhost",
        port: int = 0,
        as_kafka: str | None = None,
        cap_apis: Mapping[str, int | None] | None = None,
        strict: bool | Iterable[str] = False,
        isolation: Literal["thread", "process"] = "thread",
        record: bool = True,
        control: bool = False,
        log_level: str = "info",
        tls: bool | Literal["mutual"] = False,
    ) -> None:
        """`settings` are Kafka's, for all nodes. `topics` are there when it serves: `{"orders": 3}` names the number
        of partitions; `{"orders": {"partitions": 3, "replicas": 2, "settings": {...}}}` says more.
        `users` have to log in: `{"alice": "secret"}`, by SASL `mechanisms`, PLAIN and both SCRAM unless named.
        `seed`: topics with records, and committed offsets, from a file or an object: see `seed`.

        `directory`: a data directory of Apache Kafka or kafkapy, that of a node which was alone and is stopped, or of
        `kafkapy cluster`. It is copied, and what is in the copy is the state that this begins with.

        `as_kafka`: the release of Apache Kafka whose brokers clients are to see, such as "2.8". `cap_apis`: the highest
        versions of single APIs, `{"Fetch": 11, "DescribeCluster": None}`. `strict`: be no kinder to clients than Apache
        Kafka is, or only in what is named, `["auto-created-topics"]`: see docs/strict.md.
        `record`: keep what clients ask and what they are answered. `control`: serve the same by HTTP, at `control_url`.

        `controllers`: so many nodes more that are controllers only. `racks` go round among the brokers. Ports are
        free ones, unless `port` names that of the first broker. `isolation`: in a thread of this process, or in a
        process of its own. `tls`: with certificates that are made for it; "mutual": clients must have one, too.
        """
        self._options = Options(
            nodes=nodes,
            controllers=controllers,
            racks=tuple(racks) if isinstance(racks, list) else racks,
            settings=setting_texts(settings),
            users=users_of(users, mechanisms),
            topics=topics_with_texts(topics or {}),
            seed=None if seed is None else seed_source(seed),
            directory=directory_path(directory),
            host=host,
            port=port,
            as_kafka=as_kafka,
            cap_apis=cap_apis or {},
            strict=strict_names(strict),
            record=record,
            control=control,
            log_level=log_level,
            tls=tls,
        )
        super().__init__()
        self._isolation = isolation
        self._entering = Lock()  # held by the one call that starts it: nobody would stop a second cluster
        self.clock, self.faults = Clock(self), Faults(self)
        self.client_metrics = ClientMetrics(self)

    @classmethod
    def of(cls, other: Face) -> Self:
        """The same running cluster with the other kind of methods; it ends with the block of the `other`."""
        face = cls()
        face._running = other._run
        return face

    def __enter__(self) -> Self:
        """Raises KafkaNotStarted; RuntimeError: it runs already."""
        if not self._entering.acquire(blocking=False):
            raise RuntimeError("the Kafka is being started already: one object is one cluster at a time")
        try:
            if self._running is not None:
                raise RuntimeError("the Kafka runs already: one object is one cluster at a time")
            self._running = running(self._options, self._isolation)
        finally:
            self._entering.release()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raises HangingTeardown, FaultsNotFired, and what the cluster has ended with by itself."""
        missed = self._stop()
        if kind is None:  # else the block may not have come to them
            check_fired(missed)

    def __repr__(self) -> str:
        return described(type(self).__name__, self._running)

    # -- what clients need

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, with commas between them."""
        return self._run.started.bootstrap_servers

    @property
    def cluster_id(self) -> str:
        return self._run.started.cluster_id

    @property
    def control_url(self) -> str:
        """Where the control API is. Raises RuntimeError: it was not asked for."""
        return self._run.started.asked_control_url()

    def config_for(self, client: str, **options: Unpack[ClientOptions]) -> dict[str, object]:
        """What a client of confluent_kafka, librdkafka, kafka-python, aiokafka, java or kafkajs needs, in its words,
        with the login of `user`, else of the first one; or files of TLS (pem). Raises ValueError."""
        return config_for(client, self._run.started, self._options.users, **options)

    # -- topics and records

    def topics(self) -> list[str]:
        """The names of all topics but Kafka's own, in order."""
        return self._call(topics.list_topics)

    def topic(self, name: str) -> Topic:
        """A topic with its partitions: leaders, replicas, offsets. Raises LookupError: there is none."""
        return self._call(topics.describe_topic, name)

    def create_topic(
        self,
        name: str,
        partitions: int | None = None,
        *,
        replicas: int | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Make a topic; it can be used on every broker when this returns. Raises KafkaError: TOPIC_ALREADY_EXISTS."""
        return self._call(topics.create_topic, name, partitions, replicas, setting_texts(settings))

    def delete_topics(self, *names: str) -> None:
        """Delete topics. Raises KafkaError: one does not exist; the others are deleted."""
        return self._call(topics.delete_topics, *names)

    def produce(self, topic: str, *values: bytes | str | NewRecord) -> list[Stored]:
        """Store records as a producer with acks=all does, and return where. The topic is made if there is none.

        A text is stored as UTF-8. `NewRecord` has key, headers, timestamp and partition, too.
        """
        new = [new_record(value, f"records[{number}]") for number, value in enumerate(values)]
        return self._call(records.produce, topic, new)

    def records(
        self,
        topic: str,
        partition: int | None = None,
        *,
        isolation: Isolation = "read_committed",
        control: bool = False,
    ) -> list[Record]:
        """All records of a topic that a consumer gets from the earliest offset on, by partition and offset.

        With `control` the markers of transactions, too. Raises LookupError: there is no such topic.
        """
        return self._call(records.read_records, topic, partition, isolation, control)

    # -- groups, transactions, connections

    def groups(self) -> list[str]:
        """The ids of all groups, in order."""
        return self._call(groups.list_groups)

    def group(self, group_id: str) -> Group:
        """A group: state, members and what they were given, offsets, lag. Raises LookupError: there is none."""
        return self._call(groups.describe_group, group_id)

    def commit_offsets(self, group_id: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit `{("orders", 0): 5}` in the name of a group without members. Raises KafkaError."""
        return self._call(groups.commit_offsets, group_id, offsets)

    def delete_group(self, group_id: str) -> None:
        """Delete a group with its offsets. Raises KafkaError: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND."""
        return self._call(groups.delete_group, group_id)

    def transactions(self) -> list[Transaction]:
        """All transactional ids, in order, with their present or last transaction."""
        return self._call(transactions_.list_transactions)

    def transaction(self, transactional_id: str) -> Transaction:
        """The present or last transaction of an id. Raises LookupError: there is no such id."""
        return self._call(transactions_.describe_transaction, transactional_id)

    def connections(self) -> list[Connection]:
        """The open connections of clients."""
        return self._call(connections.list_connections)

    def close_connections(self, client_id: str | None = None) -> int:
        """Close the connections of one client, or of all. Returns how many."""
        return self._call(connections.close_connections, client_id)

    # -- waiting in place of sleeping; `timeout` in seconds of real time

    def wait_for_topic(self, name: str, partitions: int = 1, *, timeout: float = WAIT_SECONDS) -> Topic:
        """Until a topic has at least so many partitions, and all are led. Raises NotYet."""
        return self._call(waits.wait_for_topic, name, partitions, timeout)

    def wait_for_records(
        self,
        topic: str,
        count: int = 1,
        *,
        partition: int | None = None,
        isolation: Isolation = "read_committed",
        timeout: float = WAIT_SECONDS,
    ) -> list[Record]:
        """Until a consumer could read so many records; returns all that there are. Raises NotYet."""
        return self._call(waits.wait_for_records, topic, count, partition, isolation, timeout)

    def wait_for_group(
        self, group_id: str, members: int = 1, *, state: str | None = None, timeout: float = WAIT_SECONDS
    ) -> Group:
        """Until a group has exactly so many members and this state (Stable, Empty, ...): Stable, or Empty without
        members, unless it is given. Raises NotYet."""
        return self._call(waits.wait_for_group, group_id, members, state, timeout)

    def wait_for_lag(self, group_id: str, lag: int = 0, *, timeout: float = WAIT_SECONDS) -> Group:
        """Until a group has committed all but `lag` records. Raises NotYet."""
        return self._call(waits.wait_for_lag, group_id, lag, timeout)

    def wait_for_transaction(self, transactional_id: str, *, timeout: float = WAIT_SECONDS) -> Transaction:
        """Until the latest transaction of an id is over, with its markers written. Raises NotYet."""
        return self._call(waits.wait_for_transaction, transactional_id, timeout)

    def wait_for_client(
        self, client_id: str, *, connected: bool = True, timeout: float = WAIT_SECONDS
    ) -> list[Connection]:
        """Until a client is connected, or with `connected=False` until it is gone. Raises NotYet."""
        return self._call(waits.wait_for_client, client_id, connected, timeout)

    # -- state

    def seed(self, seed: SeedSource) -> SeedCounts:
        """Make topics, store records, commit offsets, make ACLs: all of it, or nothing where something is wrong.

        From a file of JSON lines or YAML, a directory of such files, or an object: `{"topics": {"orders": 3},
        "records": {"orders": [{"key": "alice", "value": "1 tea"}]}, "groups": {"shop": {"orders": {"0": 1}}}}`.
        Raises InvalidSeed: the file, the line, the field, the reason and the nearest valid choice; KafkaError."""
        return self._call(seeding.seed_from, seed_source(seed))

    def export(
        self,
        path: str | Path,
        *,
        topics: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        records: bool = True,
        acls: bool = True,
    ) -> SeedCounts:
        """Write topics, committed records, offsets and ACLs to a file of JSON lines for `seed`: all, or those named.

        Raises LookupError: there is no such topic or group; ValueError: the name of the file does not end in .jsonl.
        """
        return self._call(export.export_to_file, export_path(path), topics, groups, records, acls)

    def reset(self) -> None:
        """Begin anew: the directory, topics (empty) and seed that `Kafka` was given: no other topics, groups,
        transactions or changed settings; all nodes run, in their first racks, links are healed, the clock shows the
        time. Ports stay, and so do connections, unless a directory was given."""
        return self._call(state.reset)

    def take_snapshot(self, name: str) -> None:
        """Keep the present state under a name. Connections stay with one node, and break with more."""
        return self._call(state.take_snapshot, name)

    def restore_snapshot(self, name: str) -> None:
        """Go back to a snapshot, at the same addresses. Connections break. Raises LookupError: there is none."""
        return self._call(state.restore_snapshot, name)

    def snapshots(self) -> list[str]:
        """The names of the snapshots, in order."""
        return self._call(state.list_snapshots)

    # -- what happened

    def recorded(self, api: str | None = None, **given: Unpack[Filter]) -> Recorded:
        """What clients have asked and what they were answered, in order: `kafka.recorded("Produce", topic="orders")`.

        Filters: client, topic, group, transactional_id, node, connection, listener, software, error, outcome, after.
        The result has `count`, `last`, `assert_sequence`, `by_client`, `timeline`. Raises InvalidFilter.
        """
        return self._call(recording.recorded, api, **given)

    def wait_for_requests(
        self, api: str | None = None, count: int = 1, *, timeout: float = WAIT_SECONDS, **given: Unpack[Filter]
    ) -> Recorded:
        """Until so many requests were recorded, of an API and a filter as in `recorded`. Raises NotYet."""
        return self._call(recording.wait_for_requests, api, count, timeout, **given)

    def clear_recording(self) -> None:
        """Forget what was recorded so far."""
        return self._call(recording.clear_recording)

    @property
    def log(self) -> list[str]:
        """The latest lines of the nodes' log."""
        return self._run.log

    def take_bugs(self) -> list[str]:
        """Tracebacks of the nodes' own mistakes since the last call: there should be none."""
        return self._call(bugs.take_bugs)

    def _stop(self) -> list[FaultState]:
        run, self._running = self._run, None
        return run.stop()


class Faults:
    """What is done to requests, answers and connections because the test wants it. `docs/faults.md` has the fields."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def add(self, **rule: object) -> Fault:
        """`kafka.faults.add(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2)`.

        Which requests: api, version, broker, listener, sender, client_id, client_software, client_version, principal,
        topic, topic_id, partition, group, member, transactional_id, where. Which of these: skip, nth, every,
        probability, seed, times, must_fire. What is done to a request: hold, delay_ms, answer_delay_ms, jitter_ms,
        error, at, message, applied, disconnect, reset_peer, black_hole, timeout_ms, throttle_time_ms, edit,
        corrupt_crc, stale_metadata. To a connection: latency_ms, bandwidth_bytes_per_second, upload_bytes_per_second,
        slicer_bytes, slicer_variation_bytes, slicer_delay_ms, limit_data_bytes, slow_close_ms. Besides: name.

        Raises InvalidRule: the field, the reason and the nearest valid choice; also if it could never match.
        """
        added = self._kafka._call(faults.add_faults, [rule])
        return Fault(self._kafka, added[0].fault_id)

    def all(self) -> list[FaultState]:
        """Those that were added and not removed, in their order."""
        return self._kafka._call(faults.list_faults)

    def clear(self) -> None:
        """Remove all."""
        return self._kafka._call(faults.clear_faults)

    def unfired(self) -> list[FaultState]:
        """Those with `must_fire` that never fired."""
        return self._kafka._call(faults.unfired_faults)


class Fault:
    """A fault that was added; removed at the end of its `with` block, if it has one."""

    def __init__(self, kafka: Kafka, fault_id: int) -> None:
        self._kafka = kafka
        self.fault_id = fault_id

    def read(self) -> FaultState:
        """How often it has matched and fired, and what it holds."""
        return self._kafka._call(faults.describe_fault, self.fault_id)

    def wait(self, fired: int = 1, *, held: int = 0, timeout: float = WAIT_SECONDS) -> FaultState:
        """Until it has fired so often, and holds so many requests. Raises NotYet."""
        return self._kafka._call(faults.wait_for_fault, self.fault_id, fired, held, timeout)

    def release(self, count: int | None = None) -> int:
        """Let requests that it holds go on; all, and later ones, without a count. Returns how many."""
        return self._kafka._call(faults.release_fault, self.fault_id, count)

    def remove(self) -> FaultState:
        """Requests that it holds go on; connections whose answers it withholds are closed."""
        return self._kafka._call(faults.remove_fault, self.fault_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


class ClientMetrics:
    """What clients push of their metrics (KIP-714), where the settings name the receiver."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def pushed(self, client_id: str | None = None) -> list[ClientMetricsPush]:
        """What one client, or all, have pushed, the newest last. Raises RuntimeError: no broker keeps any."""
        return self._kafka._call(list_client_metrics, client_id)

    def wait(
        self, client_id: str | None = None, *, count: int = 1, timeout: float = WAIT_SECONDS
    ) -> list[ClientMetricsPush]:
        """Until one client, or any, has pushed so often. Raises NotYet, RuntimeError."""
        return self._kafka._call(waits.wait_for_client_metrics, client_id, count, timeout)


class Clock:
    """The nodes' clock: sessions, time-outs, retention, expiry and fetch waits follow it, clients do not."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def read(self) -> Time:
        """What it shows, and when the next timer is due."""
        return self._kafka._call(time.read_time)

    def freeze(self) -> Time:
        """Time stands still until it is moved or released."""
        return self._kafka._call(time.freeze_time)

    def release(self) -> Time:
        """Time passes by itself again, from where it stands."""
        return self._kafka._call(time.release_time)

    def advance(self, seconds: float) -> Time:
        """Move time forward: what falls due happens at once. Raises ValueError: time does not go back."""
        return self._kafka._call(time.advance_time, milliseconds(seconds))

    def jump(self) -> Time:
        """Move time to the next timer and fire it."""
        return self._kafka._call(time.jump_time)
