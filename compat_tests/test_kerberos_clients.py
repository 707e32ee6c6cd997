"""The Java client logs in with a Kerberos ticket of MIT's KDC."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from compat_tests.apache_kafka import TOPICS, java_command
from compat_tests.kerberos_realm import REALM, SERVICE, running_realm
from kafkapy.testing import Kafka

MODULE = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true"
JAVA_SECONDS = 60


@pytest.mark.usefixtures("java")
def test_the_java_client_logs_in_with_a_ticket(tmp_path: Path) -> None:
    with running_realm(tmp_path):
        settings = {
            "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "GSSAPI",
            "listener.name.plaintext.gssapi.sasl.jaas.config": (
                f'{MODULE} keyTab="{tmp_path}/kafka.keytab" principal="{SERVICE}";'
            ),
        }
        client = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "GSSAPI",
            "sasl.kerberos.service.name": "kafka",
            "sasl.jaas.config": f'{MODULE} keyTab="{tmp_path}/alice.keytab" principal="alice@{REALM}";',
        }
        file = tmp_path / "client.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in client.items()))
        with Kafka(settings=settings, topics={"t": 1}) as kafka:
            tool = java_command(
                TOPICS, "--bootstrap-server", kafka.bootstrap_servers, "--command-config", str(file), "--list"
            )
            environ = {**os.environ, "JAVA_TOOL_OPTIONS": f"-Djava.security.krb5.conf={tmp_path}/krb5.conf"}
            done = subprocess.run(tool, capture_output=True, text=True, env=environ, timeout=JAVA_SECONDS)
            assert (done.returncode, done.stdout) == (0, "t\n"), done.stderr
            assert {exchange.principal for exchange in kafka.recorded("Metadata").everything()} == {"User:alice"}
