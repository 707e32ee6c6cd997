"""Streams groups (KIP-1071) with unmodified clients: Kafka Streams 4.4.0, and its command-line tool.

Instances come, go and die, and so does the broker; every word is counted exactly once all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from compat_tests.apache_kafka import ApacheKafka, JavaTools, jar_directory
from compat_tests.broker import Broker
from compat_tests.command_line import ClusterCommand
from compat_tests.conftest import SETTINGS as SHARED_SETTINGS
from compat_tests.deadlines import eventually
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.streams_groups import (
    ALL_TASKS,
    SETTINGS,
    Application,
    StreamsProcess,
    classpath,
    described,
)
from compat_tests.tools import need

NewName = Callable[..., str]
STREAMS_GROUPS = "org.apache.kafka.tools.streams.StreamsGroupCommand"


@pytest.fixture(scope="module")
def _broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    need(classpath)
    kind = ApacheKafka if request.config.getoption("--broker") == "apache" else KafkapyProcess
    if kind is ApacheKafka:
        need(jar_directory)
    with closing(kind(SHARED_SETTINGS | SETTINGS, data_dir=tmp_path_factory.mktemp("streams") / "data")) as broker:
        broker.start()
        yield broker


@pytest.fixture
def broker(_broker: Broker) -> Iterator[Broker]:
    position = len(_broker.output())
    yield _broker
    print(f"what the broker logged meanwhile:\n{_broker.output()[position:]}")  # shown when the test failed
    if bugs := _broker.bugs(position):
        pytest.fail(f"a bug in the broker:\n{bugs}", pytrace=False)


@pytest.fixture(scope="module")
def process(_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamsProcess]:
    """Where instances run, but for those that are killed."""
    with StreamsProcess(_broker.bootstrap, tmp_path_factory.mktemp("state")) as process:
        yield process


@pytest.fixture
def application(broker: Broker, process: StreamsProcess, new_name: NewName) -> Iterator[Application]:
    application = Application(broker, new_name("app"))
    yield application
    process.tell("end", application.application_id)


def tasks(process: StreamsProcess, application: Application, *instances: str) -> list[tuple[str, str]]:
    """The active tasks of each instance, and its standby tasks."""
    answers = [process.tell("tasks", application.application_id, instance).split() for instance in instances]
    return [(active, standby) for active, standby in answers]


def has_all(process: StreamsProcess, application: Application, instance: str) -> bool:
    return tasks(process, application, instance) == [(ALL_TASKS, "-")]


def shared(process: StreamsProcess, application: Application, *instances: str) -> list[tuple[str, str]] | None:
    """The tasks, once two instances have half each, and the standbys of one another's state."""
    found = tasks(process, application, *instances)
    active = ",".join(sorted(task for each, _ in found for task in each.split(",")))
    standby = [mine.split(",")[-1] == others for (mine, _), (_, others) in zip(found, found[::-1], strict=True)]
    return found if active == ALL_TASKS and all(standby) else None


def test_two_instances_share_tasks_and_keep_standbys(process: StreamsProcess, application: Application) -> None:
    app = application.application_id
    process.tell("configure", app, "streams.num.standby.replicas=1")
    application.feed()
    process.tell("start", app, "a")
    application.expect_all_counted()
    process.tell("start", app, "b")
    found = eventually(lambda: shared(process, application, "a", "b"), "both have tasks, and standbys")
    head, members = described(process, application)
    assert head.split()[0] == "Stable"
    assert head.endswith(" 0 0:1:1:0:0,1:1:0:1:2")
    assert [member[1] for member in members] == ["a", "b"]
    assert [(active, standby) for _, _, active, standby, _ in members] == found
    for instance in "ab":
        # Two source topics of its own and their repartition topic; both changelogs of the other's state.
        eventually(lambda: process.tell("hosts", app, instance) == "a:3:2 b:3:2", "each knows who has what")  # noqa: B023
    application.feed()
    application.expect_all_counted()
    process.tell("stop", app, "a")
    eventually(lambda: has_all(process, application, "b"), "the other has all tasks")
    application.feed()
    application.expect_all_counted()


def test_a_killed_instance_is_replaced(
    broker: Broker, process: StreamsProcess, application: Application, tmp_path: Path
) -> None:
    app = application.application_id
    process.tell("configure", app, "streams.num.standby.replicas=1")
    process.tell("start", app, "stays")
    with StreamsProcess(broker.bootstrap, tmp_path) as dying:
        # What it has not committed holds up readers until its transaction has timed out.
        dying.tell("start", app, "dies", "producer.transaction.timeout.ms=2000")
        eventually(
            lambda: "-" not in dying.tell("tasks", app, "dies") and process.tell("state", app, "stays") == "RUNNING",
            "both have tasks",
        )
        application.feed()
        eventually(application.output_of_words, "something is counted")
        application.feed()
        dying.kill()
    application.expect_all_counted()
    eventually(lambda: has_all(process, application, "stays"), "one has all tasks")


def test_a_group_outlives_its_broker(broker: Broker, process: StreamsProcess, application: Application) -> None:
    """Killed while instances count: the group is read from the log, and nobody has to give up a task."""
    app = application.application_id
    process.tell("configure", app, "streams.session.timeout.ms=45000")  # longer than a broker takes to start
    application.feed()
    process.tell("start", app, "a")
    process.tell("start", app, "b")
    application.expect_all_counted()
    found = eventually(lambda: balanced(process, application), "both have tasks")
    before, members = described(process, application)
    broker.stop(kill=True)
    broker.start()
    application.feed()
    application.expect_all_counted()
    assert tasks(process, application, "a", "b") == found
    assert described(process, application) == (before, members)


def balanced(process: StreamsProcess, application: Application) -> list[tuple[str, str]] | None:
    found = tasks(process, application, "a", "b")
    return found if [len(active.split(",")) for active, _ in found] == [2, 2] else None


def test_a_static_instance_comes_back_to_its_tasks(process: StreamsProcess, application: Application) -> None:
    app = application.application_id
    process.tell("configure", app, "streams.session.timeout.ms=45000")  # nobody is missed while it is away
    application.feed()
    process.tell("start", app, "a", "group.instance.id=first")
    application.expect_all_counted()
    process.tell("start", app, "b", "group.instance.id=second")
    found = eventually(lambda: balanced(process, application), "both have tasks")
    before = described(process, application)
    process.tell("stop", app, "b")
    assert ["-2", "b"] in [member[:2] for member in described(process, application)[1]]
    process.tell("start", app, "b", "group.instance.id=second")
    eventually(lambda: tasks(process, application, "a", "b") == found, "both have their tasks again")
    assert described(process, application) == before


def test_all_instances_end_when_one_asks_for_it(process: StreamsProcess, application: Application) -> None:
    app = application.application_id
    application.feed()
    for instance in "ab":
        process.tell("start", app, instance)
    eventually(lambda: balanced(process, application), "both have tasks")
    application.feed_poison()
    for instance in "ab":
        eventually(lambda: process.tell("state", app, instance) == "ERROR", "both have ended")  # noqa: B023


def test_an_application_without_its_input_ends(process: StreamsProcess, new_name: NewName) -> None:
    """Without an endpoint: with one, Apache Kafka 4.4.0 answers UNKNOWN_SERVER_ERROR, as it does not find the tasks."""
    app = new_name("app")
    process.tell("start", app, "a", "application.server=")
    eventually(lambda: process.tell("state", app, "a") == "ERROR", "it has ended")
    assert "MissingSourceTopicException" in process.log()


def test_the_tool_of_apache_kafka(broker: Broker, process: StreamsProcess, application: Application) -> None:
    app = application.application_id
    need(jar_directory)
    application.feed()
    process.tell("start", app, "a")
    application.expect_all_counted()
    with JavaTools() as tools:

        def tool(*arguments: str, exit_code: int = 0) -> list[list[str]]:
            code, printed = tools.run(STREAMS_GROUPS, "--bootstrap-server", broker.bootstrap, *arguments)
            assert code == exit_code, printed
            return [line.split() for line in printed.splitlines() if line.strip()]

        about = ("--group", app)
        assert [app, "Stable"] in tool("--list", "--state")
        state = tool("--describe", *about, "--state", "--verbose")
        assert [*state[1][:1], *state[1][3:5], state[1][-1]] == [app, "sticky", "Stable", "1"]
        (member,) = [row for row in tool("--describe", *about, "--members") if row[0] == app]
        assert {"ACTIVE:", "0:[0,1];"} <= set(member)

        def lags() -> dict[tuple[str, str], str]:
            return {(row[1], row[2]): row[-1] for row in tool("--describe", *about, "--offsets")[1:]}

        # The end of a transaction is in the log, too, and is committed only by the next one.
        eventually(lambda: {*lags().values()} == {"0"}, "all is committed")
        assert set(lags()) == {
            (topic, f"{index}")
            for topic in (application.lines, application.labels, f"{app}-words-repartition")
            for index in range(2)
        }
        refused = tool("--delete", *about)
        assert "not empty" in " ".join(map(" ".join, refused)).lower()

        process.tell("stop", app, "a")
        assert [app, "Empty"] in tool("--list", "--state", "Empty")
        again = ("--reset-offsets", *about, "--all-input-topics", "--to-earliest")
        planned = tool(*again, "--dry-run")
        assert tool(*again, "--execute", "--delete-all-internal-topics")[: len(planned)] == planned
        process.tell("start", app, "anew")  # with a state directory of its own, which is empty
        application.expect_all_counted(times=2)
        process.tell("stop", app, "anew")
        deleted = tool("--delete-offsets", *about, "--input-topic", application.lines)
        assert [row for row in deleted if row[0] == application.lines] == [
            [application.lines, f"{index}", "Successful"] for index in range(2)
        ]
        assert "successful." in tool("--delete", *about)[-1]
        assert [app] not in tool("--list")


def test_kafkapy_groups(broker: Broker, process: StreamsProcess, application: Application) -> None:
    app = application.application_id
    groups = partial(ClusterCommand(broker.bootstrap), command="groups")
    application.feed()
    process.tell("start", app, "a")
    application.expect_all_counted()
    assert [app, "Streams", "Stable", "streams"] in [line.split() for line in groups("list").splitlines()]
    assert app in groups("list", "--type", "streams", "--state", "stable")
    assert app not in groups("list", "--type", "classic,consumer,share")
    (described,) = json.loads(groups("describe", app, "--json"))
    assert described["input_topics"] == [application.labels, application.lines]
    internal = [f"{app}-{name}" for name in ("counts-changelog", "labels-changelog", "words-repartition")]
    assert described["internal_topics"] == internal
    (member,) = described["members"]
    assert [(task["subtopology"], task["partition"]) for task in member["active_tasks"]] == [
        *(("0", 0), ("0", 1)),
        *(("1", 0), ("1", 1)),
    ]
    assert len(member["partitions"]) == len(described["offsets"]) == 6
    assert "stop its consumers first" in groups("reset-offsets", app, "--to-earliest", "--execute", code=1)
    assert "GROUP_SUBSCRIBED_TO_TOPIC" in groups("delete-offsets", app, "--topic", application.lines, code=1)

    process.tell("stop", app, "a")
    moved = groups("reset-offsets", app, "--to-earliest", "--execute", "--delete-internal-topics").splitlines()
    assert [line.split()[0] for line in moved[1:5]] == [application.labels] * 2 + [application.lines] * 2
    assert moved[5:] == [f"deleted topic {topic}" for topic in internal]
    process.tell("start", app, "anew")  # with a state directory of its own, which is empty
    application.expect_all_counted(times=2)
    process.tell("stop", app, "anew")
    assert groups("delete-offsets", app, "--topic", application.lines).count("deleted offset") == 2
    assert groups("delete", app).splitlines() == [f"deleted group {app}"]
    assert app not in groups("list")
