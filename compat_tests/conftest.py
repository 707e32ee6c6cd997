"""Fixtures of the compatibility tests: brokers, names, programs.

pytest compat_tests                    the clients against kafkapy
pytest compat_tests --broker=apache    the same against Apache Kafka 4.4.0: does the test itself tell the truth?
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.tools import go_clients, need, need_tool, node_clients

# Their asserts say what they compared, as those of a test module do.
pytest.register_assert_rewrite("compat_tests.client_program", "compat_tests.client_scenarios")

# What all brokers here run with: kafkapy's own defaults, told to both.
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4"}


B = TypeVar("B", bound=Broker)


class StartBroker(Protocol):
    """Start a broker for one test, with settings of its own and a directory that survives a restart."""

    def __call__(self, **settings: str) -> Broker: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=("kafkapy", "apache"),
        default="kafkapy",
        help="whom the compatibility tests talk to: kafkapy, or Apache Kafka to check the tests themselves",
    )
    parser.addoption(
        "--all-strict",
        action="store_true",
        help="the differential tests play every scenario with a strict kafkapy, too, not only what meets a kindness",
    )


@pytest.fixture(scope="session")
def _shared_kafkapy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkapyProcess]:
    with KafkapyProcess(SETTINGS, data_dir=tmp_path_factory.mktemp("kafkapy-data")) as process:
        yield process


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """Apache Kafka 4.4.0, one for all tests."""
    need(jar_directory)
    with ApacheKafka(SETTINGS) as broker:
        yield broker


@pytest.fixture
def kafkapy_broker(_shared_kafkapy: KafkapyProcess) -> Iterator[KafkapyProcess]:
    """A kafkapy broker that all tests share; the test that made it print a traceback fails."""
    yield from _watched(_shared_kafkapy)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker of `--broker` that all tests share: topics and groups need names of their own (`new_name`)."""
    if request.config.getoption("--broker") == "apache":
        shared: Broker = request.getfixturevalue("apache_kafka")
    else:
        shared = request.getfixturevalue("_shared_kafkapy")
    yield from _watched(shared)


def _watched(shared: B) -> Iterator[B]:
    position = len(shared.output())
    yield shared
    print(f"what the broker logged meanwhile:\n{shared.output()[position:]}")  # shown when the test failed
    if bugs := shared.bugs(position):
        pytest.fail(f"a bug in the broker:\n{bugs}", pytrace=False)


@pytest.fixture
def start_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartBroker]:
    """Start brokers of one's own; each is stopped after the test, which fails when one printed a traceback.

    Settings by Kafka's names, dots as underscores: `start_broker(message_max_bytes="2000")`.
    """
    brokers: list[KafkapyProcess | ApacheKafka] = []
    apache = request.config.getoption("--broker") == "apache"
    if apache:
        need(jar_directory)
    with ExitStack() as closing:

        def start(**settings: str) -> Broker:
            data_dir = tmp_path / f"broker-{len(brokers)}"
            named = SETTINGS | {name.replace("_", "."): value for name, value in settings.items()}
            started = ApacheKafka(named, data_dir=data_dir) if apache else KafkapyProcess(named, data_dir=data_dir)
            closing.callback(started.close)
            brokers.append(started)
            started.start()
            return started

        yield start
        for started in brokers:
            print(f"what a broker of this test logged:\n{started.output()}")  # shown when the test failed
        if bugs := [text for started in brokers if (text := started.bugs())]:
            pytest.fail("a bug in the broker:\n" + "\n".join(bugs), pytrace=False)


@pytest.fixture
def new_name(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Names for topics and groups that nobody else uses, the test's own name in them: `new_name("group")`."""
    counter = itertools.count()
    # Kafka's topic names: letters, digits, '.', '_', '-'; '.' and '_' collide in metrics, so one of them only.
    path = "-".join([request.node.path.stem, *request.node.nodeid.split("::")[1:]])  # classes may share a test's name
    test = "".join(c if c.isalnum() and c.isascii() else "-" for c in path.removeprefix("test_"))[:120]

    def name(kind: str = "topic") -> str:
        return f"{test}-{kind}-{os.getpid()}-{next(counter)}"

    return name


@pytest.fixture(scope="session")
def java() -> str:
    """Java, with Apache Kafka's jars at hand."""
    need(jar_directory)
    return need_tool("java")


@pytest.fixture(scope="session")
def kcat() -> str:
    return need_tool("kcat")


@pytest.fixture(scope="session")
def go_program() -> Path:
    """The Go clients as one program: `franz` and `sarama` subcommands."""
    return need(go_clients)


@pytest.fixture(scope="session")
def node_directory() -> Path:
    """Where the KafkaJS programs and their modules are."""
    return need(node_clients)
