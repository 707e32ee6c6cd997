"""`kafkapy start`: a working broker with no arguments, and Kafka's settings for those who have them."""

from __future__ import annotations

import gc
import logging
import resource
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.cli.control_at_start import add_control_argument, control_from_start
from kafkapy.cli.fault_file import add_faults_argument, faults_from_start, say_what_never_fired
from kafkapy.cli.parent import Parent
from kafkapy.cli.ready import Announcement
from kafkapy.cli.seed_file import add_seed_argument, seed_from_start
from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    import trio

    from kafkapy.cli.control_at_start import ControlAtStart
    from kafkapy.cli.seed_file import SeedAtStart
    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog
    from kafkapy.faults import FaultEngine
    from kafkapy.node import Node
    from kafkapy.settings import Settings
    from kafkapy.settings.given import GivenSettings

DEFAULT_DATA_DIRECTORY = "kafkapy-data"
PORT_MAX = 65_535
PORT_DIGITS_MAX = 5


EPILOG = (
    "If a setting is given more than once, --override, --port, --host and --data-dir win over the KAFKA_* variables "
    "(KAFKA_NUM_PARTITIONS is num.partitions), and those win over the file. The defaults are Apache Kafka's, but for a "
    "few that docs/compatibility.md lists."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", nargs="?", metavar="SERVER.PROPERTIES", help="a file of settings by Kafka's names (default: none)"
    )
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting that wins over the file and the KAFKA_* variables; may be given more than once",
    )
    parser.add_argument(
        "--default",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting that holds if nothing else gives it; may be given more than once",
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="N",
        help="port of the first listener for clients; 0 takes a free one, which is printed (default: 9092)",
    )
    parser.add_argument("--host", metavar="HOST", help="host of the first listener for clients (default: localhost)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--data-dir",
        metavar="DIR",
        help=f"where data is kept across restarts (default: log.dirs, else ./{DEFAULT_DATA_DIRECTORY})",
    )
    where.add_argument(
        "--ephemeral",
        action="store_true",
        help="keep data in a temporary directory and delete it when the broker stops",
    )
    parser.add_argument(
        "--cluster-id",
        metavar="ID",
        help="the id that a new data directory gets: the same for all nodes of a cluster (default: $CLUSTER_ID, else a "
        "new one for a node that is alone)",
    )
    add_release_arguments(parser)
    add_strict_argument(parser)
    add_faults_argument(parser)
    add_control_argument(parser)
    add_seed_argument(parser)
    add_script_arguments(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="once clients can connect, print one line of JSON instead of two lines of text",
    )
    parser.add_argument(
        "--kafka-log-lines",
        action="store_true",
        help="once clients can connect, also print the lines of Apache Kafka's log that scripts wait for",
    )
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=["debug", "info", "warning", "error"],
        help="what to log on standard error; debug has a line for each request (default: warning)",
    )


def add_script_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="stop when the process that started this one ends, even if it was killed",
    )
    parser.add_argument(
        "--ready-file",
        metavar="FILE",
        help="once clients can connect, write the line of --json to FILE; remove FILE at the stop",
    )


def add_release_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--as-kafka",
        metavar="RELEASE",
        help="announce and accept what brokers of this release of Apache Kafka did, such as 2.8: 2.4 to 4.4 are known "
        "(default: $KAFKAPY_AS_KAFKA, else everything that kafkapy serves)",
    )
    parser.add_argument(
        "--cap-api",
        action="append",
        default=[],
        metavar="API=VERSION",
        help="announce and accept no higher version of an API (Fetch=11), or not the API at all (Fetch=none); may be "
        "given more than once (default: as --as-kafka says)",
    )


def add_strict_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--strict",
        action="append",
        nargs="?",
        const="all",
        metavar="NAME[,NAME...]",
        help="be no kinder to clients than Apache Kafka is: in everything, or only in what is named, such as "
        "auto-created-topics; docs/strict.md explains the names, and a wrong one is refused with a list of them; a "
        "file goes before it (default: $KAFKAPY_STRICT, else kind)",
    )


def strict_in(arguments: argparse.Namespace, given: GivenSettings) -> list[str]:
    """The kindnesses that are turned off. Raises SettingsError: a file of settings stands where a name may stand."""
    from kafkapy.settings import SettingsError
    from kafkapy.settings.environment import strict_names

    if arguments.strict is None:
        return given.strict
    for text in arguments.strict:
        if text.endswith(".properties"):
            raise SettingsError(f"there is no kindness {text!r} to turn off: a file goes before --strict")
    return strict_names(",".join(arguments.strict))


def caps(texts: Iterable[str]) -> dict[str, int | None]:
    """What `--cap-api` names. Raises SettingsError."""
    if not texts:
        return {}
    from kafkapy.releases.limits import parse_cap

    return dict(map(parse_cap, texts))


def port_number(text: str) -> int:
    """An argument type. Raises argparse.ArgumentTypeError."""
    from argparse import ArgumentTypeError

    if not (text.isascii() and text.isdecimal()) or len(text) > PORT_DIGITS_MAX or int(text) > PORT_MAX:
        raise ArgumentTypeError(f"{text!r} is not a port: it is a number from 0 to {PORT_MAX}, and 0 takes a free one")
    return int(text)


def cluster_id(text: str) -> str:
    """What `--cluster-id` names. Raises SettingsError."""
    from kafkapy.settings import SettingsError
    from kafkapy_log.identity import StoreError, check_cluster_id

    try:
        check_cluster_id(text)
    except StoreError as error:
        raise SettingsError(f"--cluster-id: {error}") from error
    return text


def run(arguments: argparse.Namespace) -> int:
    return with_one_line_for_errors(arguments.log_level, lambda: _run(arguments))


def with_one_line_for_errors(log_level: str, serve: Callable[[], int]) -> int:
    """The exit code of `serve`, whose log goes to standard error; 1 after the line of an error that ends it."""
    from kafkapy.errors import ShutdownError, StartupError
    from kafkapy.log_lines import LineFormatter
    from kafkapy.settings import SettingsError

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    logging.raiseExceptions = False  # where the log itself cannot be written, a traceback cannot either
    try:
        return serve()
    except (StartupError, ShutdownError, SettingsError, OSError) as error:
        say(f"kafkapy: {error}\n")
        return 1


def _run(arguments: argparse.Namespace) -> int:
    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog

    parent = Parent() if arguments.exit_with_parent else None
    with StopSignals() as signals:
        watchdog = Watchdog(signals)
        watchdog.start()
        settings = _settings(arguments)
        faults = faults_from_start(arguments)
        control = control_from_start(arguments, faults)
        seed = seed_from_start(arguments)
        if control is not None or seed is not None:
            from kafkapy.control.cluster import check_alone

            if seed is not None:
                check_alone(settings, "--seed", "--seed FILE")
            if control is not None:
                check_alone(settings, "the control API", "--control PORT")
                faults = control.faults
        raise_open_files_limit()
        announcement = Announcement(
            as_json=arguments.json,
            ready_file=arguments.ready_file,
            kafka_log_lines=arguments.kafka_log_lines,
            control_url=None if control is None else control.url,
        )
        if not arguments.ephemeral:
            _serve(settings, data_directory(settings), signals, watchdog, announcement, parent, faults, control, seed)
            return 0
        from kafkapy.ephemeral import EphemeralDirectory

        ephemeral = EphemeralDirectory()
        watchdog.last_act = ephemeral.remove
        with ephemeral as directory:
            _serve(settings, directory, signals, watchdog, announcement, parent, faults, control, seed, ephemeral=True)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """Override > environment > file > defaults; `--port` and `--host` change the first listener for clients in them."""
    from kafkapy.settings import Settings
    from kafkapy.settings.sources import collect_settings, listen_at

    overrides = list(arguments.override)
    if arguments.data_dir is not None:
        overrides.append(f"log.dirs={arguments.data_dir}")
    given = collect_settings(arguments.config, overrides=overrides, defaults=arguments.default)
    if arguments.cluster_id is not None:
        given.cluster_id = cluster_id(arguments.cluster_id)
    if arguments.as_kafka is not None:
        given.as_kafka = arguments.as_kafka
    given.cap_apis = caps(arguments.cap_api)
    given.strict = strict_in(arguments, given)
    if arguments.port is not None or arguments.host is not None:
        listen_at(given, host=arguments.host, port=arguments.port)
    return Settings.parse(given)


def log_directories(settings: Settings) -> list[Path]:
    if "log.dirs" in settings.static or "log.dir" in settings.static:
        return [Path(directory) for directory in settings.log.directories]
    return [Path(DEFAULT_DATA_DIRECTORY)]


def data_directory(settings: Settings) -> Path:
    """That of the metadata log."""
    elsewhere = settings.node.metadata_log_dir
    return log_directories(settings)[0] if elsewhere is None else Path(elsewhere)


def _serve(
    settings: Settings,
    data_directory: Path,
    signals: StopSignals,
    watchdog: Watchdog,
    announcement: Announcement,
    parent: Parent | None = None,
    faults: FaultEngine | None = None,
    control: ControlAtStart | None = None,
    seed: SeedAtStart | None = None,
    *,
    ephemeral: bool = False,
) -> None:
    """Until a signal comes, or the parent is gone. What is in an ephemeral directory is not closed cleanly."""
    from time import monotonic

    import trio

    from kafkapy.cli.progress import RecoveryProgress
    from kafkapy.network.advertised import resolving_address
    from kafkapy.node import Node
    from kafkapy.settings import GivenSettings

    given = settings.given if isinstance(settings.given, GivenSettings) else GivenSettings()
    node = Node(
        settings,
        data_directory,
        log_directories=() if ephemeral else log_directories(settings),
        durable=not ephemeral,
        kept=not ephemeral,
        cluster_id=given.cluster_id,
        topics=given.topics,
        as_kafka=given.as_kafka,
        cap_apis=given.cap_apis,
        strict=given.strict,
        faults=faults,
        clock=None if control is None else control.clocks.new(),
    )
    node.on_closing = watchdog.rest
    progress = RecoveryProgress(sys.stderr, monotonic)

    async def main() -> None:
        stop = trio.Event()
        token = trio.lowlevel.current_trio_token()
        watchdog.watch(token)
        signals.tell(lambda: token.run_sync_soon(stop.set, idempotent=True))
        if parent is not None:
            trio.lowlevel.spawn_system_task(stop_with_parent, parent, stop)
        try:
            with trio.CancelScope() as starting:

                def recovering(done: int, count: int) -> None:
                    progress.tell(done, count)
                    if done < count and stop.is_set():
                        starting.cancel()  # the next start goes on from here

                node.on_recovery = recovering
                trio.lowlevel.spawn_system_task(_stop_waiting, node, stop, starting)
                async with node.started():
                    # What a start has made lives as long as the process: the collector need not walk it again.
                    gc.freeze()
                    watchdog.is_serving = True
                    if seed is not None:
                        await seed.apply_to_one(node, stop)
                    address = await resolving_address(node.settings.now.advertised_listeners)
                    async with AsyncExitStack() as served:
                        if control is not None:
                            snapshots = data_directory.with_name(f"{data_directory.name}-snapshots")
                            await served.enter_async_context(
                                control.serving_one(node, snapshots, None if seed is None else seed.seed)
                            )
                        served.enter_context(announcement.made(node, address))
                        if ephemeral:
                            from kafkapy.ephemeral import remove_abandoned_once

                            remove_abandoned_once()
                        await stop.wait()
                    say_what_never_fired(faults)
        finally:
            signals.ignore()

    try:
        if not signals.asked:
            trio.run(main)
    finally:
        watchdog.rest()


async def stop_with_parent(parent: Parent, stop: trio.Event) -> None:
    await parent.ended()
    logging.getLogger("kafkapy.start").info("the process that started this one has ended: stopping")
    stop.set()


async def _stop_waiting(node: Node, stop: trio.Event, starting: trio.CancelScope) -> None:
    """A node whose quorum does not come about obeys, too."""
    await stop.wait()
    if node.waits_for_others:
        starting.cancel()


def raise_open_files_limit() -> None:
    """As high as this user may, as the JVM does: connections and segments take a descriptor each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS knows a lower bound than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
