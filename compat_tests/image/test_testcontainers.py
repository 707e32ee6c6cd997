"""The Kafka modules of testcontainers for Python, Java, Go and Node, unmodified, with our image; and our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat_tests.image.docker_image import CONFLUENT_TAG, KAFKA_TAG
from compat_tests.image.programs import PYTHONPATH, go_program, java_program, node_program, python_program, run_program
from compat_tests.tools import need

READ = ["one", "two", "three"]


@pytest.mark.parametrize("flow", ["plain", "kraft", "network", "sasl", "kafkapy"])
def test_python(flow: str, image: str) -> None:
    """`plain` starts a ZooKeeper first, `sasl` has users in a variable, `kafkapy` is the container class of ours."""
    program = need(python_program)
    printed = run_program([*program, flow, f"{image}:{CONFLUENT_TAG}"], {"PYTHONPATH": PYTHONPATH})
    assert json.loads(printed)["read"] == READ


def test_java(image: str, secrets: Path) -> None:
    """The modules for apache/kafka and cp-kafka, the deprecated one, and a listener for other containers; then each
    module with logins, as the variables of its image give them.
    """
    kafka, confluent = f"{image}:{KAFKA_TAG}", f"{image}:{CONFLUENT_TAG}"
    flows = ["apache", kafka, "confluent", confluent, "old", confluent, "listener", kafka]
    flows += ["apache-secure", kafka, "confluent-secure", confluent, "old-secure", confluent]
    printed = run_program([*need(java_program), str(secrets), *flows])
    assert printed.splitlines() == [f"{flow} [one, two, three]" for flow in flows[::2]]


@pytest.mark.parametrize("is_secure", [False, True])
def test_go(is_secure: bool, image: str, secrets: Path) -> None:
    """With TLS from a PEM file, and a SCRAM user whom kafka-configs adds."""
    arguments = [str(secrets)] if is_secure else []
    printed = run_program([*need(go_program), f"{image}:{CONFLUENT_TAG}", *arguments])
    assert json.loads(printed)["read"] == READ


@pytest.mark.parametrize("flow", ["kraft", "network"])
def test_node(flow: str, image: str) -> None:
    printed = run_program([*need(node_program), flow, f"{image}:{CONFLUENT_TAG}"])
    assert json.loads(printed)["read"] == READ


@pytest.mark.parametrize(("flow", "tag"), [("secure", CONFLUENT_TAG), ("secure-zookeeper", KAFKA_TAG)])
def test_node_with_a_listener_of_sasl_ssl(flow: str, tag: str, image: str, secrets: Path) -> None:
    """withSaslSslListener makes the user with kafka-storage; for an older version with kafka-configs --zookeeper."""
    printed = run_program([*need(node_program), flow, f"{image}:{tag}", str(secrets)])
    assert json.loads(printed)["read"] == READ
