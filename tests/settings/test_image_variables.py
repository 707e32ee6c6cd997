"""What only an image reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.settings import SettingsError
from kafkapy.settings.image_users import users_in
from kafkapy.settings.image_variables import DEFAULT_CLUSTER_ID, image_variables
from kafkapy.settings.sources import gather, is_known
from kafkapy_wire.sasl.jaas import parse_jaas_config


def read(**environ: str) -> dict[str, str]:
    return image_variables(environ, is_known)


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


def test_a_jaas_file_of_bitnamis_image_is_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kafka_jaas.conf"
    monkeypatch.setattr("kafkapy.settings.image_users.JAAS_FILES", (file,))
    assert read() == {}
    file.touch()
    assert gather(environ=read(**BITNAMI))["java.security.auth.login.config"] == str(file)
    assert "sasl.enabled.mechanisms" not in gather(environ=read(**BITNAMI)), "the file counts, and not the users"


BITNAMI = {
    "KAFKA_CFG_LISTENERS": "SASL_SSL://:9092,INTERNAL://:9094,CONTROLLER://:9093,OPEN://:9095",
    "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,"
    "OPEN:PLAINTEXT",
    "KAFKA_CFG_INTER_BROKER_LISTENER_NAME": "INTERNAL",
    "KAFKA_CFG_SASL_MECHANISM_INTER_BROKER_PROTOCOL": "SCRAM-SHA-512",
    "KAFKA_CLIENT_USERS": "alice,bob",
    "KAFKA_CLIENT_PASSWORDS": 'a"1;b\\2',
    "KAFKA_INTER_BROKER_USER": "node",
    "KAFKA_INTER_BROKER_PASSWORD": "n",
}


def test_users_of_bitnamis_image_log_in_at_each_listener_with_sasl() -> None:
    given = gather(environ=read(**BITNAMI))
    assert not given.warnings
    assert given["sasl.enabled.mechanisms"] == "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
    modules = {
        name.removeprefix("listener.name.").removesuffix(".sasl.jaas.config"): parse_jaas_config(value).options
        for name, value in given.items()
        if name.endswith("jaas.config")
    }
    clients = {"user_alice": 'a"1', "user_bob": "b\\2"}
    node = {"username": "node", "password": "n"}
    assert modules == {
        "sasl_ssl.plain": clients,
        "sasl_ssl.scram-sha-256": {},
        "sasl_ssl.scram-sha-512": {},
        "internal.plain": {**node, **clients, "user_node": "n"},
        "internal.scram-sha-256": node,
        "internal.scram-sha-512": node,
        "controller.plain": {"username": "controller_user", "password": "bitnami", "user_controller_user": "bitnami"},
    }
    assert given["listener.name.controller.sasl.enabled.mechanisms"] == "PLAIN"
    users = users_in(BITNAMI)
    assert users is not None
    assert [(mechanism, user.name) for mechanism, user in users.scram_users()] == [
        *(("SCRAM-SHA-256", "alice"), ("SCRAM-SHA-256", "bob")),
        *(("SCRAM-SHA-512", "alice"), ("SCRAM-SHA-512", "bob"), ("SCRAM-SHA-512", "node")),
    ]
    assert 'a"1' not in repr(users)


def test_a_login_module_that_is_given_wins_over_users(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("x,y\n")
    own = {"KAFKA_CFG_LISTENER_NAME_SASL_SSL_PLAIN_SASL_JAAS_CONFIG": "a.Module required;"}
    environ = {**BITNAMI, **own, "KAFKA_CLIENT_PASSWORDS_FILE": str(file)}
    del environ["KAFKA_CLIENT_PASSWORDS"]
    given = gather(environ=read(**environ))
    assert given["listener.name.sasl_ssl.plain.sasl.jaas.config"] == "a.Module required;"
    assert 'user_bob"="y"' in given["listener.name.internal.plain.sasl.jaas.config"]


def test_as_many_passwords_as_users_are_wanted() -> None:
    with pytest.raises(SettingsError, match=r"^KAFKA_CLIENT_USERS has 2 names and KAFKA_CLIENT_PASSWORDS 1 passwords"):
        read(KAFKA_CLIENT_USERS="a,b", KAFKA_CLIENT_PASSWORDS="secret")


def test_users_without_a_listener_for_them_change_nothing() -> None:
    environ = {"KAFKA_CLIENT_USERS": "alice", "KAFKA_CLIENT_PASSWORDS": "secret"}
    assert read(**environ) == environ


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


def test_a_key_store_of_bitnamis_image_is_found_without_a_variable(secrets: Path) -> None:
    assert read() == {}
    (secrets / "kafka.keystore.jks").touch()
    assert read()["KAFKA_SSL_KEYSTORE_LOCATION"] == str(secrets / "kafka.keystore.jks")


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
    (secrets / "other.pem").write_text("another text")
    given = read(
        KAFKA_TLS_TYPE="PEM",
        KAFKA_TLS_TRUSTSTORE_FILE=str(secrets / "other.pem"),
        KAFKA_TLS_EXTERNAL_CLIENT_AUTH="none",
    )
    assert given["KAFKA_SSL_TRUSTSTORE_CERTIFICATES"] == "another text"
    assert given["KAFKA_LISTENER_NAME_EXTERNAL_SSL_CLIENT_AUTH"] == "none"
    assert not gather(environ=given).warnings
    with pytest.raises(SettingsError, match="KAFKA_TLS_TYPE is P12: write JKS or PEM"):
        read(KAFKA_TLS_TYPE="P12")
