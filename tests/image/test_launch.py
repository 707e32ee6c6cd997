"""What the image starts with, and its health check, outside any container."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import kafkapy.image.defaults
from compat_tests.ports import refusing_port
from kafkapy.image import health
from kafkapy.image.defaults import DATA_DIRECTORY, IMAGE_VARIABLE, data_directory, default_arguments
from kafkapy.image.launch import launch, start_arguments
from kafkapy.testing import Kafka


def test_the_defaults_hold_in_the_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(IMAGE_VARIABLE, raising=False)
    assert default_arguments() == []
    monkeypatch.setenv(IMAGE_VARIABLE, "1")
    assert default_arguments()[:4] == [
        "--default",
        "listeners=PLAINTEXT://:9092",
        "--default",
        f"log.dirs={DATA_DIRECTORY}",
    ]


@pytest.mark.parametrize("mounted", ["/bitnami/kafka", "/bitnami/kafka/data"])
def test_a_volume_of_bitnamis_image_is_used(mounted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_directory() == DATA_DIRECTORY
    monkeypatch.setattr("os.path.ismount", lambda path: path == mounted)
    assert data_directory() == "/bitnami/kafka/data"


@pytest.mark.parametrize(
    ("level", "option"), [("", "warning"), ("WARN", "warning"), ("trace", "debug"), ("INFO", "info"), ("?", "warning")]
)
def test_the_level_of_log4j_is_that_of_the_log(level: str, option: str) -> None:
    words = start_arguments([], {"KAFKA_LOG4J_ROOT_LOGLEVEL": level})
    assert words[words.index("--log-level") + 1] == option


def test_a_mounted_file_is_read_unless_another_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "server.properties"
    monkeypatch.setattr(kafkapy.image.defaults, "_FILES", (str(tmp_path / "none"), str(file)))
    assert str(file) not in start_arguments([], {})
    file.touch()
    assert str(file) in start_arguments([], {})
    assert str(file) not in start_arguments(["other.properties"], {})


def test_a_start_that_is_refused_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert launch([], {"KAFKA_CLIENT_USERS": "alice,bob"}) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("kafkapy: KAFKA_CLIENT_USERS has 2 names and KAFKA_CLIENT_PASSWORDS 1")


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:8F3D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 0100007F:2385 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0        0 1 1
"""
TABLE_6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:2386 00000000000000000000000000000000:0000 0A 0
   1: 00000000000000000000000001000000:2387 00000000000000000000000000000000:0000 0A 0
"""


def test_the_health_check_asks_every_port_but_dockers(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TABLE)
    (tmp_path / "tcp6").write_text(TABLE_6)
    tables = (str(tmp_path / "tcp"), str(tmp_path / "none"), str(tmp_path / "tcp6"))
    assert health.listening(tables) == [("127.0.0.1", 0x2384), ("127.0.0.1", 0x2386), ("::1", 0x2387)]


LISTENERS = "PLAINTEXT://:9093,SECURE://0.0.0.0:9096,SSL://[::]:9097, CONTROLLER://localhost:9094,"


@pytest.mark.parametrize("prefix", ["KAFKA_", "KAFKA_CFG_"])
def test_the_health_check_knows_the_ports_with_tls(prefix: str) -> None:
    environ = {
        f"{prefix}LISTENERS": LISTENERS,
        f"{prefix}LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,secure:sasl_ssl,CONTROLLER:PLAINTEXT,SSL:SSL",
    }
    assert health.listeners(environ) == {
        "PLAINTEXT": (9093, "PLAINTEXT"),
        "SECURE": (9096, "SASL_SSL"),
        "SSL": (9097, "SSL"),
        "CONTROLLER": (9094, "PLAINTEXT"),
    }
    assert health.listeners({f"{prefix}ADVERTISED_LISTENERS": "SSL://localhost:9092"}) == {"SSL": (9092, "SSL")}
    assert health.listeners({}) == {}


def test_a_node_with_tls_is_healthy_and_logs_no_failed_handshake(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Kafka(tls="mutual") as kafka:
        host, _, port = kafka.bootstrap_servers.rpartition(":")
        monkeypatch.setattr(health, "listening", lambda: [(host, int(port))])
        monkeypatch.setattr(health, "listeners", lambda: {"SECURE": (int(port), "SSL")})
        assert health.main() == 0
        assert "handshake" not in caplog.text
        assert not health.serves(host, int(port))
        monkeypatch.setattr(health, "listeners", dict)
        assert health.main() == 0, "it finds out without variables"
    assert not health.serves_tls(host, int(port)), "nobody listens there any more"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400\r\n\r\n", b"\0\0\0\7\0\0\0\1\0\0\0", b"\x7f\xff\xff\xff" * 3])
def test_what_is_no_kafka_is_not_healthy(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert not health.serves("127.0.0.1", server.getsockname()[1])
        thread.join()


def test_where_nobody_listens_is_no_healthy_broker() -> None:
    with refusing_port() as port:
        assert not health.serves("127.0.0.1", port)


def test_the_health_check_stands_alone_and_finds_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the image runs it: without site-packages and without kafkapy."""
    command = [sys.executable, "-m", "kafkapy", "--ephemeral", "--port", "0", "--kafka-log-lines"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout is not None
        try:
            port = int(broker.stdout.readline().split()[3].rpartition(":")[2])
            assert health.serves("127.0.0.1", port)
            monkeypatch.setattr(health, "listening", lambda: [("127.0.0.1", port)])
            assert health.main() == 0
            lines = [broker.stdout.readline() for _ in range(6)]
            done = subprocess.run([sys.executable, "-I", "-S", health.__file__], timeout=60, check=False)
            assert done.returncode == 0, "the broker listens on this machine"
        finally:
            broker.terminate()
    for waited_for in (
        *("Creating new log file", "Transitioning from RECOVERY to RUNNING", "[KafkaServer id=1] started"),
        "Kafka Server started",
    ):
        assert sum(waited_for in line for line in lines) == 1


def test_without_a_broker_the_health_check_says_where_it_has_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health, "listening", list)
    assert health.main() == 1
    assert capsys.readouterr().out == "no Kafka node answers here (ports: none is listened on)\n"
