"""What only an image reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.settings import SettingsError
from kafkapy.settings.image_variables import DEFAULT_CLUSTER_ID, image_variables
from kafkapy.settings.sources import gather, is_known


def read(**environ: str) -> dict[str, str]:
    return image_variables(environ, is_known)


@pytest.mark.parametrize(
    ("variable", "word"),
    [
        ("KAFKA_CLIENT_USERS", "SASL"),
        ("KAFKA_CLIENT_PASSWORDS_FILE", "SASL"),
        ("KAFKA_INTER_BROKER_PASSWORD", "SASL"),
    ],
)
def test_what_asks_for_security_is_refused_in_one_line(variable: str, word: str, tmp_path: Path) -> None:
    file = tmp_path / "jaas.conf"
    file.write_text("secret")
    value = str(file) if variable.endswith("_FILE") else f"-Djava.security.auth.login.config={file}"
    with pytest.raises(SettingsError) as error:
        read(**{variable: value})
    message = str(error.value)
    assert message.startswith(variable.removesuffix("_FILE"))
    assert f"asks for {word}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ("-Djava.security.auth.login.config=/etc/kafka/jaas.conf", "/etc/kafka/jaas.conf"),
        ("-Xmx1G '-Djava.security.auth.login.config=/a b' -Dx=y", "/a b"),
        ("-Djava.security.auth.login.config=/a -Djava.security.auth.login.config=/b", "/b"),
        ("-Djava.security.auth.login.config=/a 'unclosed", "/a"),
        ("-Xmx1G", None),
    ],
)
def test_the_jaas_file_of_a_jvm_is_the_setting(options: str, file: str | None) -> None:
    given = gather(environ=read(KAFKA_OPTS=options))
    assert given.get("java.security.auth.login.config") == file
    assert not given.warnings


def test_several_are_named_together() -> None:
    with pytest.raises(SettingsError, match="KAFKA_CLIENT_USERS and KAFKA_CLIENT_PASSWORDS ask for SASL"):
        read(KAFKA_CLIENT_USERS="a", KAFKA_CLIENT_PASSWORDS="b")


def test_empty_variables_and_those_of_bitnamis_defaults_ask_for_nothing() -> None:
    environ = {"ALLOW_PLAINTEXT_LISTENER": "yes", "KAFKA_CLIENT_USERS": "", "KAFKA_OPTS": "-Xmx1G", "PATH": "/bin"}
    assert read(**environ) == environ


def test_values_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "partitions"
    file.write_text("7\n")
    variables = read(KAFKA_CFG_NUM_PARTITIONS_FILE=str(file), KAFKA_NUM_IO_THREADS_FILE=str(file), OTHER_FILE="/no")
    given = gather(environ=variables)
    assert (given["num.partitions"], given["num.io.threads"]) == ("7", "7")
    assert not given.warnings


def test_a_value_wins_over_its_file() -> None:
    variables = read(KAFKA_NUM_PARTITIONS="2", KAFKA_NUM_PARTITIONS_FILE="/there/is/no/such/file")
    assert gather(environ=variables)["num.partitions"] == "2"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "value"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^KAFKA_NUM_PARTITIONS_FILE: cannot read .*value \("):
        read(KAFKA_NUM_PARTITIONS_FILE=str(file))


@pytest.mark.parametrize("variable", ["KAFKA_BROKER_ID", "KAFKA_CFG_BROKER_ID"])
def test_a_broker_id_that_zookeeper_would_choose_is_left_out(variable: str) -> None:
    assert read(**{variable: "-1"}) == {}
    assert read(**{variable: "3"}) == {variable: "3"}


@pytest.mark.parametrize("prefix", ["KAFKA_", "KAFKA_CFG_"])
def test_all_nodes_of_a_cluster_get_one_id_if_none_is_named(prefix: str) -> None:
    voters = {f"{prefix}CONTROLLER_QUORUM_VOTERS": "1@a:9093,2@b:9093"}
    assert read(**voters)["CLUSTER_ID"] == DEFAULT_CLUSTER_ID
    assert "CLUSTER_ID" not in read(**voters, KAFKA_KRAFT_CLUSTER_ID="mine")
    assert "CLUSTER_ID" not in read()


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of /etc/kafka/secrets and of Bitnami's directory of certificates."""
    monkeypatch.setattr("kafkapy.settings.image_stores.SECRETS", tmp_path)
    monkeypatch.setattr("kafkapy.settings.image_stores.CERTIFICATES", (tmp_path / "no", tmp_path))
    (tmp_path / "password").write_text("changeit\n")
    return tmp_path


def test_stores_are_named_as_in_apache_kafkas_image(secrets: Path) -> None:
    given = read(
        KAFKA_SSL_KEYSTORE_FILENAME="broker.jks",
        KAFKA_SSL_KEYSTORE_CREDENTIALS="password",
        KAFKA_SSL_KEY_CREDENTIALS="password",
        KAFKA_SSL_TRUSTSTORE_FILENAME="trust.jks",
        KAFKA_SSL_TRUSTSTORE_CREDENTIALS="password",
        KAFKA_SSL_TRUSTSTORE_PASSWORD="given",
    )
    assert given == {
        "KAFKA_SSL_KEYSTORE_LOCATION": str(secrets / "broker.jks"),
        "KAFKA_SSL_KEYSTORE_PASSWORD": "changeit",
        "KAFKA_SSL_KEY_PASSWORD": "changeit",
        "KAFKA_SSL_TRUSTSTORE_LOCATION": str(secrets / "trust.jks"),
        "KAFKA_SSL_TRUSTSTORE_PASSWORD": "given",
    }
    with pytest.raises(SettingsError, match=r"^KAFKA_SSL_KEY_CREDENTIALS: cannot read .*nothing \(No such file"):
        read(KAFKA_SSL_KEY_CREDENTIALS="nothing")


def test_stores_are_named_as_in_bitnamis_image(secrets: Path) -> None:
    given = read(KAFKA_TLS_TYPE="JKS", KAFKA_CERTIFICATE_PASSWORD="changeit", KAFKA_CFG_SSL_CLIENT_AUTH="none")
    assert given.pop("KAFKA_CFG_SSL_CLIENT_AUTH") == "none"
    assert given == {
        "KAFKA_SSL_KEYSTORE_TYPE": "JKS",
        "KAFKA_SSL_TRUSTSTORE_TYPE": "JKS",
        "KAFKA_SSL_KEYSTORE_LOCATION": str(secrets / "kafka.keystore.jks"),
        "KAFKA_SSL_TRUSTSTORE_LOCATION": str(secrets / "kafka.truststore.jks"),
        "KAFKA_SSL_KEYSTORE_PASSWORD": "changeit",
        "KAFKA_SSL_KEY_PASSWORD": "changeit",
        "KAFKA_SSL_TRUSTSTORE_PASSWORD": "changeit",
    }
    for file in ("kafka.keystore.key", "kafka.keystore.pem", "kafka.truststore.pem"):
        (secrets / file).write_text(f"the text of {file}\n")
    given = read(KAFKA_TLS_TYPE="PEM", KAFKA_TLS_CLIENT_AUTH="requested")
    assert given["KAFKA_SSL_KEYSTORE_KEY"] == "the text of kafka.keystore.key"
    assert given["KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN"] == "the text of kafka.keystore.pem"
    assert given["KAFKA_SSL_TRUSTSTORE_CERTIFICATES"] == "the text of kafka.truststore.pem"
    assert given["KAFKA_SSL_CLIENT_AUTH"] == "requested"
    with pytest.raises(SettingsError, match="KAFKA_TLS_TYPE is P12: write JKS or PEM"):
        read(KAFKA_TLS_TYPE="P12")
