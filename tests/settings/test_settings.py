"""Settings as a node reads them: listeners, layers, what holds for a topic."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.alter import check_broker
from kafkapy.settings.log_settings import log_settings
from kafkapy.settings.parse import Value
from kafkapy_log.settings import LogSettings
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.records import Compression, TimestampType

BOTH = "PLAINTEXT://:9092,CONTROLLER://:9093"


def listeners(**values: str) -> tuple[list[str], list[str]]:
    """Where a node with these values listens (underscores are dots), and what it advertises."""
    settings = Settings({name.replace("_", "."): value for name, value in values.items()})
    return [str(one) for one in settings.listeners], [str(one) for one in settings.advertised_listeners]


def test_a_node_without_settings_listens_at_localhost_9092() -> None:
    assert listeners() == (["PLAINTEXT://localhost:9092"], ["PLAINTEXT://localhost:9092"])


def test_a_listener_on_every_interface_advertises_no_host_of_its_own() -> None:
    assert listeners(listeners=BOTH) == (
        ["PLAINTEXT://:9092", "CONTROLLER://:9093"],
        ["PLAINTEXT://:9092"],
    )
    assert listeners(listeners="PLAINTEXT://0.0.0.0:9092")[1] == ["PLAINTEXT://:9092"]
    assert listeners(listeners="PLAINTEXT://[::]:9092")[1] == ["PLAINTEXT://:9092"]


def test_advertised_listeners_leave_out_controllers_and_a_trailing_comma() -> None:
    advertised = listeners(listeners=BOTH, advertised_listeners="PLAINTEXT://x:1,CONTROLLER://y:2,")[1]
    assert advertised == ["PLAINTEXT://x:1"]


def test_ipv6_addresses_stand_in_brackets() -> None:
    settings = Settings({"listeners": "plaintext://[::1]:9092"})
    assert (settings.listeners[0].host, str(settings.listeners[0])) == ("::1", "PLAINTEXT://[::1]:9092")


def test_one_port_may_have_an_ipv4_and_an_ipv6_listener() -> None:
    listeners(listeners="PLAINTEXT://127.0.0.1:9092,SSL://[::1]:9092")
    with pytest.raises(SettingsError, match="Each listener must have a different port"):
        listeners(listeners="PLAINTEXT://127.0.0.1:9092,SSL://127.0.0.2:9092")


def test_a_listener_of_the_users_own_name_needs_a_protocol() -> None:
    names = {"listeners": "INTERNAL://:1", "listener.security.protocol.map": "INTERNAL:SSL"}
    assert Settings(names).listeners[0].security_protocol == "SSL"
    assert Settings(names).inter_broker_listener_name == "INTERNAL"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"listeners": "PLAINTEXT//x"}, "Unable to parse a listener name from PLAINTEXT//x"),
        (
            {"listeners": "FOO://:1"},
            "Error creating broker listeners from '[FOO://:1]': No security protocol defined for listener FOO",
        ),
        (
            {"listeners": "PLAINTEXT://:1, PLAINTEXT://:2"},
            (
                "Error creating broker listeners from '[PLAINTEXT://:1, PLAINTEXT://:2]': Each listener must have a "
                "different name, listeners: [PLAINTEXT://:1, PLAINTEXT://:2]"
            ),
        ),
        ({"listeners": ","}, "Configuration 'listeners' must not be empty. Valid values include: any non-empty value"),
        (
            {"advertised.listeners": "PLAINTEXT://0.0.0.0:1"},
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
        ),
        (
            {"listener.security.protocol.map": "PLAINTEXT:FOO"},
            "Invalid security protocol `FOO` defined in listener.security.protocol.map",
        ),
        (
            {"inter.broker.listener.name": "FOO"},
            "Listener with name FOO defined in inter.broker.listener.name not found in listener.security.protocol.map.",
        ),
        (
            {"inter.broker.listener.name": "SSL"},
            (
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. "
                "The valid options based on currently configured listeners are PLAINTEXT"
            ),
        ),
        (
            {"inter.broker.listener.name": "PLAINTEXT", "security.inter.broker.protocol": "PLAINTEXT"},
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.",
        ),
        ({"node.id": "1", "broker.id": "3"}, "You must set `node.id` to the same value as `broker.id`."),
        (
            {"log.retention.ms": "0"},
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            {"group.consumer.min.session.timeout.ms": "90000"},
            (
                "group.consumer.max.session.timeout.ms must be greater than or equal to "
                "group.consumer.min.session.timeout.ms"
            ),
        ),
        ({"num.io.threads": "0"}, "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
    ],
)
def test_what_cannot_be_is_said_in_kafkas_words(values: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(values)
    assert str(caught.value) == message


def test_ports_that_the_system_chose_show_everywhere() -> None:
    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"}).with_ports({"PLAINTEXT": 41_000})
    assert settings.listeners[0].port == settings.advertised_listeners[0].port == 41_000
    assert settings.static["listeners"] == settings.static["advertised.listeners"] == "PLAINTEXT://127.0.0.1:41000"
    assert settings.with_dynamic({"compression.type": "zstd"}, {}).listeners[0].port == 41_000


def test_broker_id_alone_is_the_node_id() -> None:
    assert Settings({"broker.id": "7"}).node.node_id == 7


def test_connections_by_host_are_counted_from_the_text() -> None:
    settings = Settings({"max.connections.per.ip.overrides": "127.0.0.1:9, ::1:7"})
    assert settings.network.max_connections_per_ip_overrides == {"127.0.0.1": 9, "::1": 7}


def test_a_topic_takes_the_brokers_value_in_its_smallest_unit() -> None:
    assert Settings({"log.retention.hours": "2"}).topic_defaults.retention_ms == 7_200_000
    assert Settings({"log.retention.hours": "2", "log.retention.minutes": "3"}).topic_defaults.retention_ms == 180_000
    assert Settings({"log.retention.hours": "-7"}).topic_defaults.retention_ms == -1
    assert Settings({"log.flush.scheduler.interval.ms": "9"}).topic_defaults.flush_ms == 9


def test_dynamic_values_lie_over_the_file_and_the_topics_over_both() -> None:
    settings = Settings({"log.retention.ms": "1", "log.retention.hours": "2"})
    settings = settings.with_dynamic({"log.retention.ms": "3"}, {})
    assert settings.topic_defaults.retention_ms == 3
    settings = settings.with_dynamic({"log.retention.ms": "3"}, {"log.retention.ms": "4"})
    assert settings.topic_defaults.retention_ms == 4
    assert settings.topic_settings({"retention.ms": "5"}).retention_ms == 5
    assert settings.with_dynamic({}, {}).topic_defaults.retention_ms == 1


def test_a_dynamic_value_that_does_not_fit_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings().with_dynamic(
        {"group.consumer.assignment.interval.ms": "99999", "compression.type": "lz4"}, {}
    )
    assert settings.groups.group_consumer_assignment_interval_ms == 1_000
    assert settings.topic_defaults.compression_type == "lz4"
    assert "group.consumer.assignment.interval.ms" in caplog.text


def test_a_listener_and_a_mechanism_may_have_their_own_value() -> None:
    settings = Settings(
        {
            "sasl.jaas.config": "all",
            "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": "scram",
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        }
    )

    def value(name: str, mechanism: str | None = None) -> Value | None:
        return settings.listener_value("SASL_PLAINTEXT", name, mechanism)

    assert value("sasl.jaas.config", "SCRAM-SHA-256") == "scram"
    assert value("sasl.jaas.config", "PLAIN") == "all"
    assert value("sasl.enabled.mechanisms") == ("PLAIN", "SCRAM-SHA-256")
    assert value("ssl.client.auth") is None


def test_a_listener_has_its_own_security_settings_over_those_of_the_node() -> None:
    settings = Settings(
        {
            "listeners": "INSIDE://:9092,Outside://:9093",
            "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:SSL,CONTROLLER:SASL_SSL",
            "ssl.client.auth": "requested",
            "listener.name.outside.ssl.client.auth": "required",
            "listener.name.outside.ssl.enabled.protocols": "TLSv1.3",
        }
    )
    assert settings.listener_security("INSIDE").ssl_client_auth == "requested"
    assert settings.listener_security("OUTSIDE").ssl_client_auth == "required"
    assert settings.listener_security("OUTSIDE").ssl_enabled_protocols == ("TLSv1.3",)
    assert settings.security.ssl_client_auth == "requested"
    assert [one.has_tls for one in settings.listeners] == [False, True]
    assert settings.security_protocol(settings.controller_listener_name) == "SASL_SSL"  # of another node's listener


def test_log_settings_without_settings_are_the_logs_own_defaults() -> None:
    assert log_settings(Settings().topic_settings(), producer_id_expiration_ms=86_400_000) == LogSettings()


def test_log_settings_carry_every_value() -> None:
    overrides = {
        "cleanup.policy": "compact",
        "compression.type": "gzip",
        "compression.gzip.level": "3",
        "message.timestamp.type": "LogAppendTime",
        "internal.segment.bytes": "1000",
        "segment.bytes": "2000000",
    }
    logs = log_settings(Settings().topic_settings(overrides), producer_id_expiration_ms=5)
    assert (logs.compact, logs.delete, logs.segment_bytes, logs.producer_id_expiration_ms) == (True, False, 1000, 5)
    assert (logs.compression_type, logs.compression_level) == (Compression.GZIP, 3)
    assert logs.message_timestamp_type is TimestampType.LOG_APPEND_TIME


def test_passwords_stay_out_of_reprs() -> None:
    assert "hush" not in repr(Settings({"ssl.keystore.password": "hush"}).security)


def test_a_start_without_settings_reads_no_tables() -> None:
    """Start-up time is a feature: the tables and the parser are for those who give or describe settings."""
    program = (
        "import sys; from kafkapy.settings import Settings; Settings();"
        "sys.exit(any(f'kafkapy.settings.{name}' in sys.modules for name in ('definitions', 'catalog', 'parse')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_data_is_in_log_dirs_else_in_log_dir() -> None:
    assert Settings({"log.dir": "/one"}).log.directories == ("/one",)
    assert Settings({"log.dir": "/one", "log.dirs": "/other"}).log.directories == ("/other",)


def test_log_cleaner_threads_can_be_raised_from_none() -> None:
    """Double of 0 is 0: a broker would compact nothing for good."""
    none = Settings({}, dynamic_default={"log.cleaner.threads": "0"})
    check_broker(none, {"log.cleaner.threads": "2"}, per_broker=False)
    check_broker(none, {}, per_broker=False)
    with pytest.raises(KafkaError, match="cannot be increased to more than double"):
        check_broker(none, {"log.cleaner.threads": "3"}, per_broker=False)
