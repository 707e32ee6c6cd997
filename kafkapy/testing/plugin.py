"""pytest's fixtures: `kafka`, `kafka_cluster`, `kafka_topic`, `async_kafka`, and clients of the installed library.

Registered with the package, no configuration needed; `-p no:kafkapy` turns it off. pytest imports this module in every
project that has kafkapy installed, so everything else is imported by the first fixture that is used.

    @pytest.mark.kafka(nodes=3, topics={"orders": 3}, settings={"min.insync.replicas": 2})
    def test_orders(kafka): ...

One cluster a session and kind serves all tests of a process; each test begins with a fresh state.
"""

from __future__ import annotations

import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from kafkapy.testing.async_kafka import AsyncKafka
    from kafkapy.testing.kafka import Kafka
    from kafkapy.testing.pool import Used

MARKER = "kafka"
ARGUMENTS = (
    *("nodes", "controllers", "racks", "settings", "users", "mechanisms", "topics", "seed", "directory", "host"),
    *("port", "as_kafka", "cap_apis", "strict", "tls"),
    *("isolation", "record", "control", "log_level", "client"),
)
NODES_OF_A_CLUSTER = 3
_pool_key = pytest.StashKey[Any]()
_used_key = pytest.StashKey[list["Used"]]()
_failed_key = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "kafka_client",
        "the library of the kafka_producer, kafka_consumer and kafka_admin fixtures: confluent-kafka, kafka-python or "
        "aiokafka (default: the first of them that is installed)",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kafka(nodes=1, topics={'orders': 3}, seed='orders.yaml', settings={...}, racks=(), controllers=None, "
        "isolation='thread', strict=False, client='confluent-kafka'): the Kafka that the fixtures of this test are to "
        "have",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    pool = config.stash.get(_pool_key, None)
    if pool is None:
        return
    from kafkapy.testing.errors import HangingTeardown

    try:
        pool.stop()
    except HangingTeardown as error:
        sys.stderr.write(f"kafkapy: {error}\n")
        if not hasattr(config, "workerinput"):  # a worker of xdist has told how its tests went
            raise SystemExit(1) from None


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A Kafka with a fresh state: `kafka.bootstrap_servers`, `kafka.records("topic")`, and the rest of
    `kafkapy.testing.Kafka`.
    """
    yield from _use(request, nodes=1)


@pytest.fixture
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A Kafka of three nodes, unless the marker says another number, with a fresh state."""
    yield from _use(request, nodes=NODES_OF_A_CLUSTER)


@pytest.fixture
def async_kafka(kafka: Kafka) -> AsyncKafka:
    """The Kafka of the `kafka` fixture with methods to be awaited, under trio and asyncio."""
    from kafkapy.testing.async_kafka import AsyncKafka

    return AsyncKafka.of(kafka)


@pytest.fixture
def kafka_topic(request: pytest.FixtureRequest, kafka: Kafka) -> str:
    """The name of an empty topic with one partition, made for this test."""
    name = re.sub(r"[^a-zA-Z0-9._-]+", "-", request.node.name).strip("-")[:200]
    kafka.create_topic(name, 1)
    return name


@pytest.fixture
def kafka_producer(request: pytest.FixtureRequest, kafka: Kafka) -> Iterator[Callable[..., Any]]:
    """`kafka_producer(**settings)` makes a producer of the installed client library, closed after the test."""
    with _clients(request, kafka) as clients:
        yield clients.producer


@pytest.fixture
def kafka_consumer(request: pytest.FixtureRequest, kafka: Kafka) -> Iterator[Callable[..., Any]]:
    """`kafka_consumer("orders", group_id="g", **settings)` makes a consumer that begins at the earliest offset, of the
    installed client library, closed after the test.
    """
    with _clients(request, kafka) as clients:
        yield clients.consumer


@pytest.fixture
def kafka_admin(request: pytest.FixtureRequest, kafka: Kafka) -> Iterator[Callable[..., Any]]:
    """`kafka_admin(**settings)` makes an admin client of the installed client library, closed after the test."""
    with _clients(request, kafka) as clients:
        yield clients.admin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails says what its broker saw."""
    report = yield
    if report.failed:
        item.stash[_failed_key] = True
        for used in item.stash.get(_used_key, []):
            report.sections.append(("Kafka", used.seen()))
    return report


def _use(request: pytest.FixtureRequest, *, nodes: int) -> Iterator[Kafka]:
    from kafkapy.testing.errors import HangingKafka, KafkaNotStarted
    from kafkapy.testing.pool import Pool
    from kafkapy_wire.errors import KafkaError

    config, item = request.config, request.node
    if _pool_key not in config.stash:
        config.stash[_pool_key] = Pool()
    asked = _asked(request)
    asked.pop("client", None)
    unknown = asked.keys() - ARGUMENTS
    if unknown:
        from kafkapy.nearest import did_you_mean

        name = min(unknown)
        _refuse(f"there is no argument {name!r}{did_you_mean(name, ARGUMENTS)}: there are {', '.join(ARGUMENTS)}")
    for name in ("seed", "directory"):
        if isinstance(asked.get(name), str):  # a path is one from the test's own directory
            asked[name] = item.path.parent / asked[name]
    try:
        used = config.stash[_pool_key].use(**{"nodes": nodes, **asked})
    except (TypeError, ValueError, KafkaError, KafkaNotStarted) as error:
        _refuse(str(error))
    item.stash.setdefault(_used_key, []).append(used)
    yield used.kafka
    try:
        _check(item, used)
    except HangingKafka as error:
        pytest.fail(str(error), pytrace=False)


def _check(item: pytest.Item, used: Used) -> None:
    """What a test has left. Raises pytest.fail.Exception, HangingKafka."""
    from kafkapy.testing.pool import ClientLeftOpen

    unfired = used.missed_faults()
    has_failed = item.stash.get(_failed_key, False)
    for left_open in used.left_open(has_failed=has_failed):
        warnings.warn(ClientLeftOpen(left_open), stacklevel=1)
    if unfired and not has_failed:  # a test that has failed may not have come to them
        pytest.fail("\n".join(["faults that must fire have not fired:", *unfired]), pytrace=False)
    bugs = used.kafka.take_bugs()
    if bugs:
        pytest.fail("kafkapy has made a mistake of its own:\n" + "\n".join(bugs), pytrace=False)


def _asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers say, the one nearest to the test last."""
    asked: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        if marker.args:
            _refuse("it takes named arguments only: nodes=3, topics={...}")
        asked.update(marker.kwargs)
    return asked


def _clients(request: pytest.FixtureRequest, kafka: Kafka) -> Any:
    from kafkapy.testing.libraries import clients_of

    library = _asked(request).get("client") or request.config.getini("kafka_client")
    try:
        clients = clients_of(library, kafka)
    except (ValueError, ImportError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    for used in request.node.stash.get(_used_key, ()):  # none where the test has a fixture `kafka` of its own
        used.clients.append(clients)
    return clients


def _refuse(reason: str) -> NoReturn:
    raise pytest.fail.Exception(f"@pytest.mark.kafka: {reason}", pytrace=False) from None
