"""`Settings`: everything that a node is configured with, parsed once; code reads attributes.

    settings = Settings({"listeners": "PLAINTEXT://:9092", "num.partitions": "3"})
    settings.topics.num_partitions, settings.network.listeners, settings.topic_settings({"retention.ms": "60000"})

`Settings()` is a working node of its own, made without reading a table. What was given stays text in `settings.given`
for DescribeConfigs; what AlterConfigs changes is laid over it by `with_dynamic`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from kafkapy.settings import listeners as rules
from kafkapy.settings.area import Area
from kafkapy.settings.different_defaults import different_defaults, kafkas, of_several_nodes
from kafkapy.settings.endpoints import endpoints_of
from kafkapy.settings.errors import SettingsError, invalid_value
from kafkapy.settings.given import GivenSettings, with_origin, with_settings_of_kafka
from kafkapy.settings.group import GroupSettings, group_defaults
from kafkapy.settings.listeners import Listener, has_sasl, listeners_text
from kafkapy.settings.log_manager import LogManagerSettings
from kafkapy.settings.node import NodeSettings, check_auto_join
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy.settings.security import SecuritySettings
from kafkapy.settings.topic import LONG_MAX, TopicSettings, topic_defaults

if TYPE_CHECKING:
    from kafkapy.settings.parse import Value

logger = logging.getLogger("kafkapy.settings")

INT_MAX = 2_147_483_647
NOTHING: Mapping[str, str] = {}
NOTHING_COUNTED: Mapping[str, int] = {}

# Apache Kafka changes these while it runs.
STATIC_HERE = frozenset({"listeners", "listener.security.protocol.map"})


class NetworkSettings(Area):
    """Sockets, connections and requests. Listeners are typed: see `Settings.listeners`."""

    socket_request_max_bytes: int = 104_857_600
    socket_send_buffer_bytes: int = 409_600
    socket_receive_buffer_bytes: int = 409_600
    socket_listen_backlog_size: int = 50
    max_connections: int = INT_MAX
    max_connections_per_ip: int = INT_MAX
    max_connections_per_ip_overrides: Mapping[str, int] = NOTHING_COUNTED
    max_connection_creation_rate: int = INT_MAX
    connections_max_idle_ms: int = 600_000
    connection_failed_authentication_delay_ms: int = 100
    request_timeout_ms: int = 30_000
    controller_socket_timeout_ms: int = 30_000
    socket_connection_setup_timeout_ms: int = 10_000
    socket_connection_setup_timeout_max_ms: int = 30_000
    inter_broker_listener_name: str | None = None
    security_inter_broker_protocol: str = "PLAINTEXT"
    controller_listener_names: tuple[str, ...] = ("CONTROLLER",)
    kafkapy_gateway_is_host: bool = False


class TopicCreationSettings(Area):
    """Creation and deletion of topics."""

    num_partitions: int = 1
    default_replication_factor: int = 1
    auto_create_topics_enable: bool = True
    delete_topic_enable: bool = True
    max_request_partition_size_limit: int = 2_000


class GroupCoordinatorSettings(Area):
    """Classic, consumer, share and streams groups, and committed offsets."""

    group_initial_rebalance_delay_ms: int = 0
    group_max_session_timeout_ms: int = 1_800_000
    group_min_session_timeout_ms: int = 6_000
    group_max_size: int = INT_MAX
    group_coordinator_rebalance_protocols: tuple[str, ...] = ("classic", "consumer", "streams")
    offset_metadata_max_bytes: int = 4_096
    offsets_commit_timeout_ms: int = 5_000
    offsets_retention_check_interval_ms: int = 600_000
    offsets_retention_minutes: int = 10_080
    offsets_topic_compression_codec: int = 0
    offsets_topic_num_partitions: int = 50
    offsets_topic_replication_factor: int = 1
    offsets_topic_segment_bytes: int = 104_857_600
    group_consumer_assignors: tuple[str, ...] = ("uniform", "range")
    group_consumer_migration_policy: str = "bidirectional"
    group_consumer_max_size: int = INT_MAX
    group_consumer_regex_refresh_interval_ms: int = 600_000
    group_consumer_assignment_interval_ms: int = 1_000
    group_consumer_min_assignment_interval_ms: int = 0
    group_consumer_max_assignment_interval_ms: int = 15_000
    group_consumer_heartbeat_interval_ms: int = 5_000
    group_consumer_min_heartbeat_interval_ms: int = 5_000
    group_consumer_max_heartbeat_interval_ms: int = 15_000
    group_consumer_session_timeout_ms: int = 45_000
    group_consumer_min_session_timeout_ms: int = 45_000
    group_consumer_max_session_timeout_ms: int = 60_000
    group_streams_max_size: int = INT_MAX
    group_streams_initial_rebalance_delay_ms: int = 0
    group_streams_num_standby_replicas: int = 0
    group_streams_max_standby_replicas: int = 2
    group_streams_assignment_interval_ms: int = 1_000
    group_streams_min_assignment_interval_ms: int = 0
    group_streams_max_assignment_interval_ms: int = 15_000
    group_streams_heartbeat_interval_ms: int = 5_000
    group_streams_min_heartbeat_interval_ms: int = 5_000
    group_streams_max_heartbeat_interval_ms: int = 15_000
    group_streams_session_timeout_ms: int = 45_000
    group_streams_min_session_timeout_ms: int = 45_000
    group_streams_max_session_timeout_ms: int = 60_000
    group_streams_acceptable_recovery_lag: int = 10_000
    group_streams_task_offset_interval_ms: int = 60_000
    group_streams_min_task_offset_interval_ms: int = 15_000
    group_streams_rack_aware_assignment_tags: tuple[str, ...] = ()


class ShareSettings(Area):
    """Share groups (KIP-932): the broker's side and the coordinator that keeps their state."""

    errors_deadletterqueue_auto_create_topics_enable: bool = False
    errors_deadletterqueue_topic_name_prefix: str = "dlq."
    group_share_assignors: tuple[str, ...] = ("simple",)
    group_share_max_size: int = 200
    group_share_max_share_sessions: int = 2_000
    group_share_assignment_interval_ms: int = 1_000
    group_share_min_assignment_interval_ms: int = 0
    group_share_max_assignment_interval_ms: int = 15_000
    group_share_heartbeat_interval_ms: int = 5_000
    group_share_min_heartbeat_interval_ms: int = 5_000
    group_share_max_heartbeat_interval_ms: int = 15_000
    group_share_session_timeout_ms: int = 45_000
    group_share_min_session_timeout_ms: int = 45_000
    group_share_max_session_timeout_ms: int = 60_000
    group_share_initialize_retry_interval_ms: int = 30_000
    group_share_delivery_count_limit: int = 5
    group_share_min_delivery_count_limit: int = 2
    group_share_max_delivery_count_limit: int = 10
    group_share_partition_max_record_locks: int = 2_000
    group_share_min_partition_max_record_locks: int = 100
    group_share_max_partition_max_record_locks: int = 4_000
    group_share_record_lock_duration_ms: int = 30_000
    group_share_min_record_lock_duration_ms: int = 15_000
    group_share_max_record_lock_duration_ms: int = 60_000
    share_coordinator_state_topic_num_partitions: int = 50
    share_coordinator_state_topic_replication_factor: int = 1
    share_coordinator_state_topic_min_isr: int = 1
    share_coordinator_state_topic_segment_bytes: int = 104_857_600
    share_coordinator_state_topic_compression_codec: int = 0
    share_coordinator_state_topic_prune_interval_ms: int = 300_000
    share_coordinator_cold_partition_snapshot_interval_ms: int = 300_000
    share_coordinator_snapshot_update_records_per_snapshot: int = 500
    share_coordinator_write_timeout_ms: int = 5_000


class TransactionSettings(Area):
    """Transactions and producer ids."""

    transaction_max_timeout_ms: int = 900_000
    transaction_abort_timed_out_transaction_cleanup_interval_ms: int = 10_000
    transaction_remove_expired_transaction_cleanup_interval_ms: int = 3_600_000
    transactional_id_expiration_ms: int = 604_800_000
    transaction_partition_verification_enable: bool = True
    transaction_two_phase_commit_enable: bool = False
    transaction_state_log_num_partitions: int = 50
    transaction_state_log_replication_factor: int = 1
    transaction_state_log_min_isr: int = 1
    transaction_state_log_segment_bytes: int = 104_857_600
    producer_id_expiration_ms: int = 86_400_000
    producer_id_expiration_check_interval_ms: int = 600_000
    add_partitions_to_txn_retry_backoff_ms: int = 20
    add_partitions_to_txn_retry_backoff_max_ms: int = 100


class ReplicationSettings(Area):
    """Fetching, by consumers and by followers, and who leads."""

    fetch_max_bytes: int = 57_671_680
    max_incremental_fetch_session_cache_slots: int = 1_000
    replica_fetch_backoff_ms: int = 1_000
    replica_fetch_max_bytes: int = 1_048_576
    replica_fetch_min_bytes: int = 1
    replica_fetch_response_max_bytes: int = 10_485_760
    replica_fetch_wait_max_ms: int = 500
    replica_high_watermark_checkpoint_interval_ms: int = 5_000
    replica_lag_time_max_ms: int = 30_000
    replica_selector_class: str | None = None
    replica_socket_receive_buffer_bytes: int = 65_536
    replica_socket_timeout_ms: int = 30_000
    num_replica_fetchers: int = 1
    auto_leader_rebalance_enable: bool = True
    leader_imbalance_check_interval_seconds: int = 300
    unclean_leader_election_interval_ms: int = 300_000
    leader_replication_throttled_rate: int = LONG_MAX
    follower_replication_throttled_rate: int = LONG_MAX
    replica_alter_log_dirs_io_max_bytes_per_second: int = LONG_MAX


class QuotaSettings(Area):
    """The windows over which rates are measured, and metrics of clients (KIP-714)."""

    metric_reporters: tuple[str, ...] = ("org.apache.kafka.common.metrics.JmxReporter",)
    quota_window_num: int = 11
    quota_window_size_seconds: int = 1
    controller_quota_window_num: int = 11
    controller_quota_window_size_seconds: int = 1
    replication_quota_window_num: int = 11
    replication_quota_window_size_seconds: int = 1
    alter_log_dirs_replication_quota_window_num: int = 11
    alter_log_dirs_replication_quota_window_size_seconds: int = 1
    telemetry_max_bytes: int = 1_048_576


class Settings:
    """Everything that a node is configured with. Immutable: a change makes a new one.

    `listeners` is where the node listens, controllers' listeners too; `advertised_listeners` is what it tells clients.
    An advertised host is empty when the user gave none and the listener binds every interface: the node then answers
    each client with an address that this client can reach. `advertised_controllers` is what other controllers are told.
    `quorum` is the node's place in the quorum, and `has_others` tells whether the settings name other nodes at all.
    """

    __slots__ = (
        "_asked_listeners",
        "_protocols",
        "_values",
        "advertised_controllers",
        "advertised_listeners",
        "cordoned_directories",
        "dynamic_broker",
        "dynamic_default",
        "given",
        "group_defaults",
        "groups",
        "has_others",
        "listeners",
        "log",
        "network",
        "node",
        "quorum",
        "quotas",
        "replication",
        "security",
        "share",
        "topic_defaults",
        "topics",
        "transactions",
    )

    def __init__(
        self,
        given: Mapping[str, str] = NOTHING,
        *,
        dynamic_default: Mapping[str, str] = NOTHING,
        dynamic_broker: Mapping[str, str] = NOTHING,
    ) -> None:
        """Settings from Kafka's names and texts: what the user gave, then what AlterConfigs laid over it.

        Names that Kafka does not know do nothing. Raises SettingsError: the first value that cannot be.
        """
        self.given = given
        self.dynamic_default = dynamic_default
        self.dynamic_broker = dynamic_broker
        texts = given
        for layer in (dynamic_default, dynamic_broker):
            texts = _overlaid(texts, layer)
        values = self._values = _typed_values(texts)
        if self.as_in_kafka:
            values = {**_typed_values(kafkas(self.as_in_kafka)), **values}
        self.node = NodeSettings().with_settings(values)
        self.network = NetworkSettings().with_settings(values)
        overrides = values.get("max.connections.per.ip.overrides")
        if overrides is not None:
            counts = rules.parse_counts_by_host(str(overrides))
            self.network = self.network.replace({"max_connections_per_ip_overrides": counts})
        self.log = LogManagerSettings().with_settings(values)
        self.cordoned_directories = self.log.cordoned_directories
        self.topics = TopicCreationSettings().with_settings(values)
        self.groups = GroupCoordinatorSettings().with_settings(values)
        self.share = ShareSettings().with_settings(values)
        self.transactions = TransactionSettings().with_settings(values)
        self.replication = ReplicationSettings().with_settings(values)
        self.security = SecuritySettings().with_settings(values)
        self.quotas = QuotaSettings().with_settings(values)
        self.topic_defaults = topic_defaults(values) if values else TopicSettings()
        # Its default is not Kafka's: groups have it of the broker, whether or not it was given.
        delay_ms = self.groups.group_streams_initial_rebalance_delay_ms
        self.group_defaults = group_defaults({"group.streams.initial.rebalance.delay.ms": delay_ms, **values})
        self.quorum = self.node.quorum
        names, inter_broker = self.network.controller_listener_names, self.network.inter_broker_listener_name
        if inter_broker is not None and "security.inter.broker.protocol" in texts:
            raise SettingsError(
                "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."
            )
        endpoints = endpoints_of(texts, names, inter_broker, self.quorum)
        self.listeners, self.advertised_listeners = endpoints.listeners, endpoints.advertised
        self.advertised_controllers, self.has_others = endpoints.controllers, endpoints.has_others
        self._asked_listeners = self.listeners
        self._protocols = endpoints.protocols
        if self.has_others:
            self._take_defaults_of_several_nodes(values)
        if texts:
            from kafkapy.settings.support import refuse_lockout, refuse_what_is_not_served

            refuse_what_is_not_served(texts, values)
            listener_names = [listener.name for listener in self.broker_listeners]
            refuse_lockout(dynamic_default.keys() | dynamic_broker.keys(), values, listener_names)
            self._check_sasl()

    def _check_sasl(self) -> None:
        """Raises SettingsError: nobody could log in at a listener with SASL."""
        with_sasl = [listener.name for listener in self.listeners if has_sasl(listener.security_protocol)]
        if with_sasl:
            from kafkapy.settings.sasl import sasl_settings

            for name in with_sasl:
                sasl_settings(self, name)
        if self.has_others:
            self._check_own_logins()

    def _check_own_logins(self) -> None:
        """Raises SettingsError: this node could not log in at others."""
        security, listeners = self.security, []
        if self.quorum.is_broker:
            name = "sasl.mechanism.inter.broker.protocol"
            listeners.append((self.inter_broker_listener_name, security.sasl_mechanism_inter_broker_protocol, name))
        name = "sasl.mechanism.controller.protocol"
        listeners.append((self.controller_listener_name, security.sasl_mechanism_controller_protocol, name))
        for listener_name, mechanism, name in listeners:
            if has_sasl(self.security_protocol(listener_name)):
                from kafkapy.settings.node_login import check_node_login

                check_node_login(self, listener_name, mechanism, name)

    def _take_defaults_of_several_nodes(self, values: Mapping[str, Value]) -> None:
        """Topics of the coordinators have Kafka's replicas; one replica would be lost with its broker."""
        values = {**_typed_values(of_several_nodes()), **values}
        self.groups = self.groups.with_settings(values)
        self.share = self.share.with_settings(values)
        self.transactions = self.transactions.with_settings(values)

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Settings:
        """`Settings(values)`, whose SettingsError also says where the value was given, if `values` knows."""
        try:
            return cls(values)
        except SettingsError as error:
            raise with_origin(error, values) from error

    def with_settings_of_kafka(self, names: Iterable[str]) -> Settings:
        """A copy in which these settings are as in Apache Kafka: their defaults, and whether they can be changed."""
        return Settings(with_settings_of_kafka(self.given, names))

    @property
    def as_in_kafka(self) -> frozenset[str]:
        """Settings that are as in Apache Kafka where kafkapy is kinder: see `kafkapy.strictness`."""
        return self.given.as_in_kafka if isinstance(self.given, GivenSettings) else frozenset()

    @property
    def receives_client_metrics(self) -> bool:
        """Whether metrics that clients push (KIP-714) are kept, and the APIs for it announced."""
        return CLIENT_METRICS_RECEIVER in self.quotas.metric_reporters

    @property
    def static(self) -> Mapping[str, str]:
        """The values that count as given in the properties file: what the user gave, and kafkapy's own defaults."""
        static = {**different_defaults(has_others=self.has_others, but=self.as_in_kafka), **self.given}
        static["node.id"] = static["broker.id"] = str(self.node.node_id)
        if any(listener.port == 0 for listener in self._asked_listeners):
            static["listeners"] = listeners_text(self.listeners)
        if "advertised.listeners" not in static and all(listener.host for listener in self.advertised_listeners):
            static["advertised.listeners"] = listeners_text(self.advertised_listeners)
        return static

    def with_dynamic(self, dynamic_default: Mapping[str, str], dynamic_broker: Mapping[str, str]) -> Settings:
        """A copy with only these dynamic values over it: the cluster's defaults, then this broker's own.

        Dynamic values were checked when they were stored, but perhaps by a broker with another file, or by Apache
        Kafka: what does not go with this one is left out, with a line in the log, as Apache Kafka does.
        """
        dynamic_default, dynamic_broker = _without_listeners(dynamic_default), _without_listeners(dynamic_broker)
        if (dynamic_default, dynamic_broker) == (self.dynamic_default, self.dynamic_broker):
            return self
        try:
            changed = Settings(self.given, dynamic_default=dynamic_default, dynamic_broker=dynamic_broker)
        except SettingsError:
            default = self._fitting(dynamic_default)
            changed = Settings(self.given, dynamic_default=default, dynamic_broker=self._fitting(dynamic_broker))
        ports = {listener.name: listener.port for listener in self.listeners if listener.port}
        return changed.with_ports(ports)

    def _fitting(self, dynamic: Mapping[str, str]) -> dict[str, str]:
        fitting: dict[str, str] = {}
        for name, text in dynamic.items():
            try:
                Settings(self.given, dynamic_broker={**fitting, name: text})
            except SettingsError as error:
                logger.warning("ignoring the dynamic setting %s: %s", name, error)
            else:
                fitting[name] = text
        return fitting

    def with_rack(self, rack: str | None) -> Settings:
        """A copy with another broker.rack."""
        changed = self._copy()
        changed.node = self.node.replace({"broker_rack": rack})
        return changed

    def _copy(self) -> Settings:
        changed = object.__new__(Settings)
        for name in self.__slots__:
            setattr(changed, name, getattr(self, name))  # a slot has no other way in
        return changed

    def with_ports(self, ports: Mapping[str, int]) -> Settings:
        """A copy with the ports, by listener name, that the system chose for port 0."""
        changed = self._copy()
        changed.listeners = _with_ports(self.listeners, ports)
        changed.advertised_listeners = _with_ports(self.advertised_listeners, ports)
        changed.advertised_controllers = _with_ports(self.advertised_controllers, ports)
        return changed

    def topic_settings(self, overrides: Mapping[str, str] = NOTHING) -> TopicSettings:
        """The settings of a topic whose own values (in the metadata image) are these. Callers cache it."""
        return self.topic_defaults.resolve(overrides)

    def group_settings(self, overrides: Mapping[str, str] = NOTHING) -> GroupSettings:
        """The settings of a group whose own values (in the metadata image) are these."""
        return self.group_defaults.resolve(overrides)

    @property
    def broker_listeners(self) -> tuple[Listener, ...]:
        names = self.network.controller_listener_names
        return tuple(listener for listener in self.listeners if listener.name not in names)

    @property
    def controller_listeners(self) -> tuple[Listener, ...]:
        names = self.network.controller_listener_names
        return tuple(listener for listener in self.listeners if listener.name in names)

    @property
    def inter_broker_listener_name(self) -> str:
        """The listener that brokers use among themselves; a node with one listener has no choice (Kafka demands it)."""
        names = [listener.name for listener in self.advertised_listeners]
        wanted = self.network.inter_broker_listener_name or self.network.security_inter_broker_protocol
        return wanted if wanted in names else names[0]

    def value(self, name: str) -> Value | None:
        """The typed value that was given for `name`, in the file or dynamically; None if the default holds."""
        return self._values.get(name)

    def listener_value(self, listener_name: str, name: str, mechanism: str | None = None) -> Value | None:
        """A setting of one listener: the value for its SASL mechanism, else for the listener, else for the node.

        None: neither was given; the area's default holds.
        """
        prefix = f"listener.name.{listener_name.lower()}."
        candidates = [f"{prefix}{name}", name]
        if mechanism is not None:
            candidates.insert(0, f"{prefix}{mechanism.lower()}.{name}")
        return next((self._values[candidate] for candidate in candidates if candidate in self._values), None)

    def security_protocol(self, listener_name: str) -> str:
        """That of a listener of this node or of another one; an unknown name is taken for PLAINTEXT."""
        return self._protocols.get(listener_name.upper(), "PLAINTEXT")

    @property
    def controller_listener_name(self) -> str:
        """The listener by which this node reaches controllers: the first of `controller.listener.names`."""
        return self.network.controller_listener_names[0]

    @property
    def settable_listener_names(self) -> list[str]:
        """By which `listener.name.<name>.*` has an effect: a broker reaches controllers by settings of their listener,
        which it does not have itself.
        """
        return list(dict.fromkeys([*(listener.name for listener in self.listeners), self.controller_listener_name]))

    def listener_security(self, listener_name: str) -> SecuritySettings:
        """The SASL and TLS settings of one listener: its own (`listener.name.<name>.*`) over the node's.

        Those of one SASL mechanism are not here: see `listener_value`.
        """
        prefix = f"listener.name.{listener_name.lower()}."
        own = {name.removeprefix(prefix): value for name, value in self._values.items() if name.startswith(prefix)}
        return self.security.with_settings(own) if own else self.security

    @property
    def listener_names(self) -> frozenset[str]:
        """Of this node's listeners, and of that of controllers elsewhere."""
        return frozenset((*(one.name for one in self.listeners), self.controller_listener_name))

    def listener_setting_name(self, listener_name: str) -> Callable[[str], str]:
        """From a setting's plain name to the one by which that listener's value was given, for messages."""
        prefix = f"listener.name.{listener_name.lower()}."
        return lambda name: f"{prefix}{name}" if f"{prefix}{name}" in self._values else name

    def listener_number(self, listener_name: str, name: str) -> int | None:
        """The listener's own value of a numeric setting; None if it has none."""
        value = self._values.get(f"listener.name.{listener_name.lower()}.{name}")
        assert value is None or isinstance(value, int), f"{name} is {value!r}"
        return value


def _without_listeners(dynamic: Mapping[str, str]) -> Mapping[str, str]:
    """`dynamic` without what Apache Kafka would bind anew: sockets are bound once, before the metadata is read."""
    if dynamic.keys().isdisjoint(STATIC_HERE):
        return dynamic
    return {name: text for name, text in dynamic.items() if name not in STATIC_HERE}


def _with_ports(listeners: tuple[Listener, ...], ports: Mapping[str, int]) -> tuple[Listener, ...]:
    return tuple(
        listener if listener.port else listener.with_port(ports.get(listener.name, 0)) for listener in listeners
    )


def _overlaid(texts: Mapping[str, str], layer: Mapping[str, str]) -> Mapping[str, str]:
    """`layer` over `texts`. A name also hides its synonyms: a later log.retention.hours wins over log.retention.ms."""
    if not layer:
        return texts
    from kafkapy.settings.catalog import broker_synonyms

    hidden = {synonym for name in layer for synonym in broker_synonyms(name) if not name.startswith("listener.")}
    return {**{name: text for name, text in texts.items() if name not in hidden}, **layer}


def _typed_values(texts: Mapping[str, str]) -> dict[str, Value]:
    if not texts:
        return {}
    from kafkapy.settings.catalog import broker_definition
    from kafkapy.settings.parse import parse_value

    values: dict[str, Value] = {}
    for name, text in texts.items():
        definition = broker_definition(name)
        # Listeners have rules of their own, which pass over a trailing comma.
        if definition is not None and name not in ("listeners", "advertised.listeners"):
            values[name] = parse_value(definition, text)
    if "broker.id" in values and values.setdefault("node.id", values["broker.id"]) != values["broker.id"]:
        raise SettingsError("You must set `node.id` to the same value as `broker.id`.")
    node_id = values.get("node.id", 0)
    if isinstance(node_id, int) and node_id < 0:
        raise invalid_value("node.id", node_id, "Value must be at least 0")
    _check_together(values)
    return values


def _check_together(values: Mapping[str, Value]) -> None:
    """Kafka's checks of several values together. Raises SettingsError."""
    for unit in ("ms", "minutes", "hours"):
        if values.get(f"log.retention.{unit}") == 0:
            raise SettingsError(
                f"requirement failed: log.retention.{unit} must be unlimited (-1) or, greater than or equal to 1"
            )
    if values.get("max.connections.per.ip") == 0 and not values.get("max.connections.per.ip.overrides"):
        raise SettingsError(
            "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
            "property is set.",
            "max.connections.per.ip",
        )
    network = NetworkSettings().with_settings(values)
    delay_ms, idle_ms = network.connection_failed_authentication_delay_ms, network.connections_max_idle_ms
    if 0 <= idle_ms <= delay_ms:
        raise SettingsError(
            f"requirement failed: connection.failed.authentication.delay.ms={delay_ms} should always be less than "
            f"connections.max.idle.ms={idle_ms} to prevent failed authentication responses from timing out"
        )
    replication = ReplicationSettings().with_settings(values)
    if replication.replica_fetch_wait_max_ms > replication.replica_socket_timeout_ms:
        raise SettingsError(
            "requirement failed: replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to "
            "prevent unnecessary socket timeouts"
        )
    if replication.replica_fetch_wait_max_ms > replication.replica_lag_time_max_ms:
        raise SettingsError(
            "requirement failed: replica.fetch.wait.max.ms should always be less than or equal to "
            "replica.lag.time.max.ms to prevent frequent changes in ISR"
        )
    check_auto_join(values)
    for kind in ("consumer", "share", "streams"):
        if not any(name.startswith(f"group.{kind}.") for name in values):
            continue
        area: Area = (ShareSettings() if kind == "share" else GroupCoordinatorSettings()).with_settings(values)
        for what in ("heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms"):
            default, low, high = (f"group.{kind}.{bound}{what}" for bound in ("", "min.", "max."))
            for greater, smaller in ((high, low), (default, low), (high, default)):
                if area.setting(greater) < area.setting(smaller):
                    if greater == high and smaller == default:
                        raise SettingsError(f"{default} must be less than or equal to {high}")
                    raise SettingsError(f"{greater} must be greater than or equal to {smaller}")
