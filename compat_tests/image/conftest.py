"""The image, for all tests of it, and files for listeners with TLS and logins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from compat_tests.image.docker_image import build_image
from compat_tests.kafkapy_process import kafkapy_command
from compat_tests.tools import need

JAAS = """KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
  username="admin" password="admin-secret" user_admin="admin-secret" user_alice="alice-secret";
};
"""


@pytest.fixture(scope="session")
def image() -> str:
    """The name of the image; its tags are KAFKA_TAG and CONFLUENT_TAG."""
    return need(build_image)


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, under the names of Bitnami's image too, the password of the stores, and a JAAS file."""
    directory = tmp_path_factory.mktemp("secrets")
    certs = [kafkapy_command(), "certs", str(directory), "--client", "alice"]
    subprocess.run(certs, check=True, capture_output=True, timeout=60)
    (directory / "password").write_text("changeit\n")
    (directory / "jaas.conf").write_text(JAAS)
    for name, of_bitnami in (
        ("server.jks", "kafka.keystore.jks"),
        ("truststore.jks", "kafka.truststore.jks"),
        ("server.crt", "kafka.keystore.pem"),
        ("server.key", "kafka.keystore.key"),
        ("ca.crt", "kafka.truststore.pem"),
    ):
        shutil.copy(directory / name, directory / of_bitnami)
    # The user of the container is another one.
    directory.chmod(0o755)
    for file in directory.iterdir():
        file.chmod(0o644)
    return directory
