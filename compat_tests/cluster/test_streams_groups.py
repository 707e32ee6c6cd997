"""A streams group (KIP-1071) in a cluster of both kinds: its coordinator is killed, and another broker goes on."""

from __future__ import annotations

from pathlib import Path

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.test_coordinators import GROUP_TYPE, coordinator
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.streams_groups import SETTINGS, Application, StreamsProcess, classpath, described
from compat_tests.tools import need

OWN_SETTINGS = {"offsets.topic.num.partitions": "3", "default.replication.factor": "3"}


def test_a_streams_group_outlives_its_coordinators(tmp_path: Path) -> None:
    """Two instances share the tasks; the killed coordinator is Apache Kafka's first, then ours: each reads the records
    of the other, and no word is counted twice or not at all.
    """
    need(jar_directory)
    need(classpath)
    with ClusterProcesses(tmp_path / "nodes", apache={1}, settings=SETTINGS | OWN_SETTINGS) as cluster:
        app = next(name for name in map("app-{}".format, range(20)) if coordinator(cluster, name, GROUP_TYPE) == 1)
        application = Application(cluster, app, replication_factor=3)
        with StreamsProcess(cluster.bootstrap, tmp_path / "state") as process:
            process.tell("configure", app, "streams.session.timeout.ms=45000", "streams.num.standby.replicas=1")
            for instance in "ab":
                process.tell("start", app, instance)
            eventually(lambda: is_shared(process, app), "both have tasks", seconds=PATIENCE_SECONDS * 2)
            application.feed()
            application.expect_all_counted()
            before = held_tasks(process, application)
            killed = 1
            for turn in range(2):
                cluster.nodes[killed].kill()
                application.feed()
                application.expect_all_counted(seconds=PATIENCE_SECONDS * 2)
                assert held_tasks(process, application) == before, "nobody had to give up a task"
                cluster.nodes[killed].start()
                killed = coordinator(cluster, app, GROUP_TYPE)
                assert killed != 1 or turn
        assert not cluster.bugs()


def held_tasks(process: StreamsProcess, application: Application) -> list[list[str]]:
    """Of each member. Epochs are left out: the two brokers do not hash topics alike, so that each assigns anew once."""
    return sorted(member[1:] for member in described(process, application)[1])


def is_shared(process: StreamsProcess, app: str) -> bool:
    """Each has two active tasks, and a standby of the other's state."""
    found = [process.tell("tasks", app, instance).split() for instance in "ab"]
    return [(len(active.split(",")), standby != "-") for active, standby in found] == [(2, True), (2, True)]
