"""`kafkapy cluster --nodes 3`: a cluster in one process, until it is stopped."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.cli.control_at_start import add_control_argument, control_from_start
from kafkapy.cli.fault_file import add_faults_argument, faults_from_start, say_what_never_fired
from kafkapy.cli.parent import Parent
from kafkapy.cli.ready import Announcement
from kafkapy.cli.seed_file import add_seed_argument, seed_from_start
from kafkapy.cli.start import (
    add_release_arguments,
    add_script_arguments,
    add_strict_argument,
    caps,
    port_number,
    raise_open_files_limit,
    stop_with_parent,
    strict_in,
    with_one_line_for_errors,
)
from kafkapy.client.command_line import add_json_argument, wants_json

if TYPE_CHECKING:
    import argparse

    import trio

    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog

DEFAULT_DATA_DIRECTORY = "kafkapy-cluster-data"
NODES_MAX = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy cluster` without a verb."""
    start = parser.add_argument_group("starting a cluster in this process")
    start.add_argument("--nodes", type=node_count, metavar="N", help="start N brokers, which are controllers, too")
    start.add_argument(
        "--controllers",
        type=node_count,
        metavar="N",
        help="start N controllers in nodes of their own (default: none, the brokers are controllers)",
    )
    start.add_argument(
        "--racks",
        type=rack_names,
        default=(),
        metavar="A,B,C",
        help="racks, which go round the brokers (default: none)",
    )
    start.add_argument(
        "--port",
        type=port_number,
        default=9092,
        metavar="N",
        help="the first broker's port, the next has N + 1 (default: 9092); 0 takes free ones, which are printed",
    )
    start.add_argument(
        "--host", default="localhost", metavar="HOST", help="where all nodes listen (default: localhost)"
    )
    start.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of all nodes, by Kafka's name; may be given more than once",
    )
    add_release_arguments(start)
    add_strict_argument(start)
    add_faults_argument(start)
    add_control_argument(start)
    add_seed_argument(start)
    add_script_arguments(start)
    add_json_argument(start, "once clients can connect, print one line of JSON instead of lines of text")
    where = start.add_mutually_exclusive_group()
    where.add_argument(
        "--data-dir",
        default=DEFAULT_DATA_DIRECTORY,
        metavar="DIR",
        help=f"where data is kept across restarts, a directory for each node (default: ./{DEFAULT_DATA_DIRECTORY})",
    )
    where.add_argument(
        "--ephemeral", action="store_true", help="keep data in a temporary directory, and delete it at the end"
    )
    start.add_argument(
        "--log-level",
        default="warning",
        choices=["debug", "info", "warning", "error"],
        help="what to log on standard error (default: warning)",
    )


def node_count(text: str) -> int:
    """An argument type. Raises argparse.ArgumentTypeError."""
    from argparse import ArgumentTypeError

    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(NODES_MAX)) or not 1 <= int(text) <= NODES_MAX:
        raise ArgumentTypeError(f"{text!r} is not a number of nodes from 1 to {NODES_MAX}")
    return int(text)


def rack_names(text: str) -> tuple[str, ...]:
    """An argument type. Raises argparse.ArgumentTypeError."""
    from argparse import ArgumentTypeError

    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ArgumentTypeError(f"{text!r}: write names of racks with commas between them")
    return names


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return with_one_line_for_errors(arguments.log_level, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog

    parent = Parent() if arguments.exit_with_parent else None
    with StopSignals() as signals:
        watchdog = Watchdog(signals)
        watchdog.start()
        raise_open_files_limit()
        if not arguments.ephemeral:
            _serve(arguments, Path(arguments.data_dir), signals, watchdog, parent)
            return 0
        from kafkapy.ephemeral import EphemeralDirectory

        ephemeral = EphemeralDirectory()
        watchdog.last_act = ephemeral.remove
        with ephemeral as directory:
            _serve(arguments, directory, signals, watchdog, parent)
    return 0


def _serve(
    arguments: argparse.Namespace, directory: Path, signals: StopSignals, watchdog: Watchdog, parent: Parent | None
) -> None:
    import trio

    from kafkapy.cluster import Cluster, check_none_is_own, members_of
    from kafkapy.settings.sources import collect_settings

    check_none_is_own(override.partition("=")[0].strip() for override in arguments.override)
    given = collect_settings(overrides=arguments.override)
    faults = faults_from_start(arguments)
    control = control_from_start(arguments, faults)
    seed = seed_from_start(arguments)
    if control is not None:
        faults = control.faults
    announcement = Announcement(
        as_json=wants_json(arguments),
        ready_file=arguments.ready_file,
        control_url=None if control is None else control.url,
    )
    cluster = Cluster(
        directory,
        members_of(arguments.nodes, arguments.controllers, arguments.racks),
        settings=given,
        host=arguments.host,
        port=arguments.port,
        durable=not arguments.ephemeral,
        kept=not arguments.ephemeral,
        cluster_id=given.cluster_id,
        topics=given.topics,
        as_kafka=given.as_kafka if arguments.as_kafka is None else arguments.as_kafka,
        cap_apis=caps(arguments.cap_api),
        strict=strict_in(arguments, given),
        faults=faults,
        new_clock=None if control is None else control.clocks.new,
    )

    async def main() -> None:
        stop = trio.Event()
        token = trio.lowlevel.current_trio_token()
        watchdog.watch(token)
        signals.tell(lambda: token.run_sync_soon(stop.set, idempotent=True))
        if parent is not None:
            trio.lowlevel.spawn_system_task(stop_with_parent, parent, stop)
        try:
            with trio.CancelScope() as starting:
                trio.lowlevel.spawn_system_task(_stop_forming, stop, watchdog, starting)
                async with cluster.started():
                    gc.freeze()
                    watchdog.is_serving = True
                    if seed is not None:
                        await seed.apply_to(cluster, directory, stop)
                    async with AsyncExitStack() as served:
                        if control is not None:
                            snapshots = directory / "snapshots"
                            await served.enter_async_context(
                                control.serving(cluster, snapshots, None if seed is None else seed.seed)
                            )
                        served.enter_context(announcement.made_of_cluster(cluster))
                        await stop.wait()
                    say_what_never_fired(faults)
        finally:
            signals.ignore()

    try:
        if not signals.asked:
            trio.run(main)
    finally:
        watchdog.rest()


async def _stop_forming(stop: trio.Event, watchdog: Watchdog, starting: trio.CancelScope) -> None:
    """Nodes that do not come to be a cluster obey, too."""
    await stop.wait()
    if not watchdog.is_serving:
        starting.cancel()
