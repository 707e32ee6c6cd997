"""Files in Java's properties format, the variables people know, overrides; what the user is told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kafkapy.settings import Settings, SettingsError, collect_settings
from kafkapy.settings.properties import parse_properties
from kafkapy.settings.sources import gather, listen_at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("  a = b ", {"a": "b "}),
        ("a:b\nc d\n", {"a": "b", "c": "d"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=b", {"": "b"}),
        ("a=b=c:d", {"a": "b=c:d"}),
        ("a = = b", {"a": "= b"}),
        ("# a=b\n ! c=d\n\n \t\f\n", {}),
        ("a=b\\\n   c", {"a": "bc"}),
        ("a=b\\\r\n   c\rd=e", {"a": "bc", "d": "e"}),
        ("a=b\\\n# no comment", {"a": "b# no comment"}),
        ("a=b\\\\\nc=d", {"a": "b\\", "c": "d"}),
        ("a=b\\", {"a": "b"}),
        ("a\\=b\\:c\\ d=e", {"a=b:c d": "e"}),
        ("a=\\t\\n\\r\\f\\q", {"a": "\t\n\r\fq"}),
        ("a=\\u00e9\\ud83d\\ude00", {"a": "é😀"}),
        ("a=\\\\u0041", {"a": "\\u0041"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=b#c", {"a": "b#c"}),
    ],
)
def test_properties_are_read_as_java_reads_them(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


def test_a_broken_unicode_escape_is_an_error() -> None:
    with pytest.raises(ValueError, match="uxxxx"):
        parse_properties("a=\\u12g4")


def test_overrides_win_over_variables_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=1\nnum.io.threads=1\nnum.network.threads=1\n")
    given = gather(file, {"KAFKA_NUM_IO_THREADS": "2", "KAFKA_NUM_NETWORK_THREADS": "2"}, ["num.network.threads=3"])
    assert given == {"num.partitions": "1", "num.io.threads": "2", "num.network.threads": "3"}


def test_a_default_holds_where_nothing_else_gives_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=1\n")
    defaults = ["num.partitions=9", "num.io.threads=9", "num.network.threads=9", "listeners=PLAINTEXT://:9"]
    environ = {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://host:1", "KAFKA_NUM_IO_THREADS": "2"}
    given = gather(file, environ, ["num.network.threads=3"], defaults)
    assert (given["num.partitions"], given["num.io.threads"], given["num.network.threads"]) == ("1", "2", "3")
    assert given["listeners"] == "PLAINTEXT://0.0.0.0:1", "made from what is advertised, which the user has given"
    assert gather(defaults=defaults).origins["listeners"] == "--default listeners"
    with pytest.raises(SettingsError, match="--default x: expected name=value"):
        gather(defaults=["x"])


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("KAFKA_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_CFG_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_LISTENER_NAME_SASL__SSL_SSL_KEYSTORE_TYPE", "listener.name.sasl_ssl.ssl.keystore.type"),
        (
            "KAFKA_LISTENER_NAME_INTERNAL_SCRAM-SHA-256_SASL_JAAS_CONFIG",
            "listener.name.internal.scram-sha-256.sasl.jaas.config",
        ),
        (
            "KAFKA_LISTENER_NAME_MY___OWN_SASL_ENABLED_MECHANISMS",
            "listener.name.my-own.sasl.enabled.mechanisms",
        ),
        ("KAFKA_NO_SUCH__SETTING___AT_ALL", "no.such_setting-at.all"),
    ],
)
def test_variables_name_settings_as_in_the_images(variable: str, name: str) -> None:
    assert list(gather(None, {variable: "1"})) == [name]


def test_who_only_says_what_to_advertise_listens_there_on_every_interface() -> None:
    given = gather(None, {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:32768,SSL://[::1]:9094,"})
    assert given["listeners"] == "PLAINTEXT://0.0.0.0:32768,SSL://0.0.0.0:9094,"
    assert [listener.port for listener in Settings.parse(given).listeners] == [32768, 9094]


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        (
            "num.partition",
            "Unknown setting num.partition (given by --override num.partition): did you mean num.partitions?",
        ),
        ("xyzzy", "Unknown setting xyzzy (given by --override xyzzy)"),
        (
            "retention.ms",
            (
                "Unknown setting retention.ms (given by --override retention.ms): a topic's setting; "
                "a broker's is log.retention.ms"
            ),
        ),
    ],
)
def test_unknown_names_are_told_once_with_the_nearest_known(name: str, warning: str) -> None:
    given = gather(None, {}, [f"{name}=1"])
    assert given.warnings == [warning]
    Settings.parse(given)


def test_names_of_plugins_and_of_the_past_are_known() -> None:
    names = ("super.users", "zookeeper.connect", "log.message.format.version", "confluent.support.metrics.enable")
    assert gather(None, {}, [f"{name}=1" for name in names]).warnings == []


def test_a_mistyped_value_is_one_line_that_says_where() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(gather(None, {"KAFKA_NUM_PARTITIONS": "x"}))
    expected = (
        "Invalid value x for configuration num.partitions: Not a number of type INT (given by KAFKA_NUM_PARTITIONS)"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listeners", "localhost:9092"),
        ("listeners", ","),
        ("listeners", "PLAINTEXT://:99999"),
        ("listeners", "INSIDE://:9092"),
        ("listeners", "PLAINTEXT://:1,PLAINTEXT://:2"),
        ("advertised.listeners", "PLAINTEXT://localhost"),
        ("advertised.listeners", "PLAINTEXT://0.0.0.0:9092"),
        ("listener.security.protocol.map", "PLAINTEXT"),
        ("listener.security.protocol.map", "PLAINTEXT:NONE"),
        ("inter.broker.listener.name", "INSIDE"),
    ],
)
def test_a_listener_that_cannot_be_is_told_with_where_it_was_given(name: str, value: str) -> None:
    """Kafka's own words name no setting, and a container has several with addresses."""
    variable = f"KAFKA_{name.upper().replace('.', '_')}"
    with pytest.raises(SettingsError) as caught:
        Settings.parse(gather(None, {variable: value}))
    assert str(caught.value).endswith(f" (given by {variable})")


@pytest.mark.parametrize("override", ["num.partitions", "=3", ""])
def test_an_override_without_name_or_value_is_an_error(override: str) -> None:
    with pytest.raises(SettingsError, match="expected name=value"):
        gather(None, {}, [override])


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot read .*: No such file"):
        gather(tmp_path / "missing")


@pytest.mark.parametrize(
    ("suffix", "written_in"), [(".yaml", "YAML"), (".YML", "YAML"), (".json", "JSON"), (".toml", "TOML")]
)
def test_a_file_in_another_format_is_one_line(suffix: str, written_in: str, tmp_path: Path) -> None:
    file = tmp_path / f"settings{suffix}"
    file.write_text("listeners: PLAINTEXT://:9092\n")
    expected = f"Cannot read {file}: settings are a properties file, a line `name=value` each, and not {written_in}"
    with pytest.raises(SettingsError) as caught:
        gather(file)
    assert str(caught.value) == expected


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=3\nbroker.rack=Z\u00fcrich", encoding="utf-8-sig")
    given = gather(file)
    assert given == {"num.partitions": "3", "broker.rack": "Z\u00fcrich"}
    (line,) = given.warnings
    assert line.startswith(f"{file} begins with a byte order mark")
    file.write_text("num.partitions=3", encoding="utf-16")
    with pytest.raises(SettingsError, match="it is written in UTF-16; save it in UTF-8"):
        gather(file)


# -- --port and --host

ADVERTISED = {"advertised.listeners": "IN://kafka:9092,OUT://localhost:29092"}
SEVERAL = {
    "listeners": "CONTROLLER://:9093,IN://:9092,OUT://[::1]:29092",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,IN:PLAINTEXT,OUT:PLAINTEXT",
    "inter.broker.listener.name": "IN",
}


@pytest.mark.parametrize(
    ("given", "host", "port", "listeners", "advertised"),
    [
        ({}, None, 7, "PLAINTEXT://localhost:7", None),
        ({}, "0.0.0.0", None, "PLAINTEXT://0.0.0.0:9092", None),
        ({}, "::1", 7, "PLAINTEXT://[::1]:7", None),
        ({"listeners": "PLAINTEXT://:9092"}, None, 7, "PLAINTEXT://:7", None),
        ({"listeners": "PLAINTEXT://[::]:9092"}, None, 0, "PLAINTEXT://[::]:0", None),
        (SEVERAL, None, 7, "CONTROLLER://:9093,IN://:7,OUT://[::1]:29092", None),
        (
            {**SEVERAL, **ADVERTISED},
            None,
            7,
            "CONTROLLER://:9093,IN://:7,OUT://[::1]:29092",
            "IN://kafka:7,OUT://localhost:29092",
        ),
        ({**SEVERAL, "controller.listener.names": "IN"}, None, 7, "CONTROLLER://:7,IN://:9092,OUT://[::1]:29092", None),
    ],
)
def test_a_port_is_that_of_the_first_listener_for_clients(
    given: dict[str, str], host: str | None, port: int | None, listeners: str, advertised: str | None
) -> None:
    """What clients are told follows: never an answer that leads to another broker on 9092."""
    collected = gather(overrides=[f"{name}={value}" for name, value in given.items()])
    listen_at(collected, host=host, port=port)
    assert collected["listeners"] == listeners
    assert collected.get("advertised.listeners") == advertised


def test_a_port_changes_what_the_images_variables_say() -> None:
    collected = gather(environ={"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:9092"})
    listen_at(collected, host=None, port=7)
    settings = Settings.parse(collected)
    assert [str(one) for one in settings.listeners] == ["PLAINTEXT://0.0.0.0:7"]
    assert [str(one) for one in settings.advertised_listeners] == ["PLAINTEXT://broker:7"]


def test_port_0_is_advertised_as_the_port_that_was_got() -> None:
    collected = gather(overrides=["advertised.listeners=PLAINTEXT://broker:9092"])
    listen_at(collected, host=None, port=0)
    settings = Settings.parse(collected).with_ports({"PLAINTEXT": 41_000})
    assert [str(one) for one in settings.advertised_listeners] == ["PLAINTEXT://broker:41000"]


def test_a_latin_1_file_is_read_as_java_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_bytes("broker.rack=Zürich".encode("latin-1"))
    assert gather(file)["broker.rack"] == "Zürich"


def test_warnings_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        collect_settings(None, {"KAFKA_NUM_PARTITION": "1"})
    assert "did you mean num.partitions?" in caplog.text
