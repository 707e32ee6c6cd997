"""The Kafka modules of testcontainers for Python, Java, Go and Node, unmodified, with our image; and our own."""

from __future__ import annotations

import json

import pytest

from compat_tests.image.docker_image import CONFLUENT_TAG, KAFKA_TAG
from compat_tests.image.programs import PYTHONPATH, go_program, java_program, node_program, python_program, run_program
from compat_tests.tools import need

READ = ["one", "two", "three"]


@pytest.mark.parametrize("flow", ["plain", "kraft", "network", "kafkapy"])
def test_python(flow: str, image: str) -> None:
    """`plain` starts a ZooKeeper first; `kafkapy` is the container class of this package."""
    program = need(python_program)
    printed = run_program([*program, flow, f"{image}:{CONFLUENT_TAG}"], {"PYTHONPATH": PYTHONPATH})
    assert json.loads(printed)["read"] == READ


def test_java(image: str) -> None:
    """The modules for apache/kafka and cp-kafka, the deprecated one, and a listener for other containers."""
    kafka, confluent = f"{image}:{KAFKA_TAG}", f"{image}:{CONFLUENT_TAG}"
    flows = ["apache", kafka, "confluent", confluent, "old", confluent, "listener", kafka]
    printed = run_program([*need(java_program), *flows])
    assert printed.splitlines() == [f"{flow} [one, two, three]" for flow in flows[::2]]


def test_go(image: str) -> None:
    printed = run_program([*need(go_program), f"{image}:{CONFLUENT_TAG}"])
    assert json.loads(printed)["read"] == READ


@pytest.mark.parametrize("flow", ["kraft", "network"])
def test_node(flow: str, image: str) -> None:
    printed = run_program([*need(node_program), flow, f"{image}:{CONFLUENT_TAG}"])
    assert json.loads(printed)["read"] == READ
