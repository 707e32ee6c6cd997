"""A cluster on an event loop of its own, and operations on it: what a thread or a process of the test kit runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

from kafkapy.cluster import Cluster, Member, members_of
from kafkapy.control.clocks import NodeClocks
from kafkapy.control.faults import states_of
from kafkapy.control.nodes import ControlledNodes
from kafkapy.control.operations import perform
from kafkapy.control.origin import Origin
from kafkapy.control.seeding import apply_seed_at_start, seed_of
from kafkapy.control.state import create_topics_of_start
from kafkapy.control.values import NotYet
from kafkapy.ephemeral import EphemeralDirectory, remove_abandoned_once
from kafkapy.faults import FaultEngine, InvalidRule
from kafkapy.recording import Recording
from kafkapy.recording.selection import InvalidFilter
from kafkapy.seeds import InvalidSeed
from kafkapy.seeds.plan import Plan
from kafkapy.testing.certificates import make_certificates
from kafkapy.testing.errors import KafkaStopped
from kafkapy.testing.log_capture import LogCapture
from kafkapy.testing.node_principals import node_settings
from kafkapy.testing.options import MUTUAL
from kafkapy.testing.users import ClusterUsers
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.control.values import FaultState
    from kafkapy.seeds import Seed
    from kafkapy.testing.options import Options


DEFAULTS: Final = {"kafkapy.retention.from.last.write": "true"}
"""What holds unless a test says otherwise. Retention by the timestamps of records would delete those of 1970, and of a
directory that is older than retention.ms, in the middle of whichever test runs half a minute after the start."""


class Started(NamedTuple):
    """What is known of a cluster once it serves. Only its brokers change."""

    bootstrap_servers: str
    cluster_id: str
    control_url: str | None
    certificates: str | None = None
    """The directory that they are in; None: without TLS."""
    wants_certificates: bool = False
    """Whether clients must have one."""

    def asked_control_url(self) -> str:
        """Raises RuntimeError: the control API was not asked for."""
        if self.control_url is None:
            raise RuntimeError("the control API was not asked for: Kafka(control=True)")
        return self.control_url


class Server:
    """Serves a cluster until it is told to stop. All methods but `call` and `stop` belong to its event loop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.log = LogCapture(options.log_level)
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._nodes: ControlledNodes | None = None
        self._stop = trio.Event()
        self.missed_faults: list[FaultState] = []
        """Once it has stopped: those that must fire and never did."""

    def run(self, started: Callable[[Started], object]) -> None:
        """Until `stop`; `started` is called when all nodes serve, and when its brokers are others.

        Raises StartupError, KafkaError, ValueError.
        """
        seed = None if self._options.seed is None else seed_of(self._options.seed)
        if seed is not None:
            Plan.checked(seed)
        with self.log, EphemeralDirectory() as directory:
            trio.run(self._serve, directory, seed, started)

    def call(
        self,
        name: str,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        done: Callable[[Any, BaseException | None], object],
    ) -> None:
        """Perform an operation; `done` gets its result, or what it has raised. Any thread, once it has started.

        Raises trio.RunFinishedError: it has stopped.
        """
        assert self._token is not None
        self._token.run_sync_soon(self._begin, name, arguments, named, done)

    def call_in_turn(self, callback: Callable[[], object]) -> None:
        """Call it when the event loop comes round. Any thread. Raises trio.RunFinishedError: it has stopped."""
        assert self._token is not None
        self._token.run_sync_soon(callback)

    def stop(self) -> None:
        """Any thread. Raises trio.RunFinishedError: it has stopped."""
        assert self._token is not None
        self._token.run_sync_soon(self._stop.set, idempotent=True)

    async def _serve(self, directory: Path, seed: Seed | None, started: Callable[[Started], object]) -> None:
        options = self._options
        clocks, faults = NodeClocks(), FaultEngine()
        members: Sequence[Member] = members_of(options.nodes, options.controllers, options.racks)
        origin = None
        if options.directory is not None:
            origin = await trio.to_thread.run_sync(Origin.take, Path(options.directory), directory / "origin", members)
            members = origin.members
            await trio.to_thread.run_sync(origin.restore_to, directory / "nodes")
        certificates = None if not options.tls else await trio.to_thread.run_sync(make_certificates, directory, options)
        users = ClusterUsers(options.users)
        of_tls = {} if certificates is None else certificates.settings
        cluster = Cluster(
            directory / "nodes",
            members,
            settings={
                **DEFAULTS,
                **users.settings(),
                **of_tls,
                **({} if origin is None else origin.settings),
                **options.settings,
                **node_settings(options),
            },
            credentials=users.credentials(),
            host=options.host,
            port=options.port,
            durable=False,
            kept=False,
            new_clock=clocks.new,
            as_kafka=options.as_kafka,
            cap_apis=options.cap_apis,
            strict=options.strict,
            faults=faults,
            must_be_alone=origin is not None and len(members) == 1,
        )
        async with cluster.started(), trio.open_nursery() as nursery:
            self._nodes = ControlledNodes(cluster, clocks, faults, Recording(), directory / "snapshots")
            self._nodes.records = options.record
            if options.record:
                for node in self._nodes.running():
                    self._nodes.record(node)
            if origin is not None:
                self._nodes.origin = origin
                await origin.settle(self._nodes)
            self._nodes.topics_at_start = options.topics
            self._nodes.seed_at_start = seed
            await create_topics_of_start(self._nodes)
            await apply_seed_at_start(self._nodes)
            self._token, self._nursery = trio.lowlevel.current_trio_token(), nursery
            control_url = await self._open_control(nursery, self._nodes) if options.control else None
            remove_abandoned_once()  # of test runs that were killed
            where = None if certificates is None else certificates.directory
            wants = options.tls == MUTUAL

            def tell() -> None:
                started(Started(cluster.bootstrap_servers, cluster.cluster_id, control_url, where, wants))

            cluster.on_members = tell
            tell()
            await self._stop.wait()
            self.missed_faults = states_of(faults.missed)
            nursery.cancel_scope.cancel()

    async def _open_control(self, nursery: trio.Nursery, nodes: ControlledNodes) -> str:
        """Serve the control API; returns its address. Raises StartupError."""
        from kafkapy.control.http.serve import ControlApi

        api = ControlApi("127.0.0.1", 0, None)
        await nursery.start(api.serve, nodes)
        return api.url

    def _begin(
        self,
        name: str,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        done: Callable[[Any, BaseException | None], object],
    ) -> None:
        assert self._nursery is not None
        try:
            self._nursery.start_soon(self._perform, name, arguments, named, done)
        except RuntimeError:  # its nursery is closed, and its event loop runs for a moment yet
            done(None, KafkaStopped("the Kafka has stopped: its block has ended"))

    async def _perform(
        self,
        name: str,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        done: Callable[[Any, BaseException | None], object],
    ) -> None:
        assert self._nodes is not None
        try:
            result = await perform(self._nodes, name, arguments, named)
        except Exception as error:
            # What is wrong is in the caller's code, and its report should show that, and no frame of this thread's.
            done(None, error.with_traceback(None) if _is_of_caller(error) else error)
        except BaseException:
            done(None, KafkaStopped(f"the Kafka was stopped during {name}"))
            raise
        else:
            done(result, None)


def _is_of_caller(error: Exception) -> bool:
    return (
        isinstance(error, NotYet | KafkaError | InvalidRule | InvalidFilter | InvalidSeed) or type(error) is LookupError
    )
