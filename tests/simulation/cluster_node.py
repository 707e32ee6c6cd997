"""A node of a simulated cluster: a process of its own on a directory of its own, with the real shells and logs.

Sockets, threads, the tasks of the coordinators, and log cleaning are left out. Logs are files in memory (see
`cluster_simulation`): what a lost disk or a power failure leaves of them the simulation decides.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
from kafkapy.apis.served import Api, answer_of
from kafkapy.broker import Broker
from kafkapy.bugs import Bugs
from kafkapy.context import Client, NodeContext, RequestContext
from kafkapy.errors import CloseConnection
from kafkapy.housekeeping import Housekeeping
from kafkapy.node.broker_part import BrokerPart
from kafkapy.node.quorum_part import QuorumPart
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.api_keys import ApiKey, request_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.records import split_batches
from tests.simulation.cluster_network import BROKER_PORT, CONTROLLER_PORT, Reply
from tests.simulation.environment import EventQueue
from tests.simulation.tasks import Nursery, Process, open_nursery

CLUSTER_ID = "c2ltdWxhdGVkY2x1c3Rlcg"

BASE_SETTINGS = {
    "controller.listener.names": "CONTROLLER",
    "min.insync.replicas": "2",
    "default.replication.factor": "3",
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "replica.lag.time.max.ms": "1500",
    "replica.fetch.wait.max.ms": "200",
    "replica.fetch.backoff.ms": "200",
    "replica.socket.timeout.ms": "1000",
    "replica.high.watermark.checkpoint.interval.ms": "1000",
    "controller.quorum.election.timeout.ms": "300",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.request.timeout.ms": "800",
    "controller.quorum.election.backoff.max.ms": "300",
    "leader.imbalance.check.interval.seconds": "3",
    "metadata.max.idle.interval.ms": "0",
    "initial.broker.registration.timeout.ms": "600000",
    "unclean.leader.election.enable": "false",
}


class ClusterNode(Process):
    """`directory` outlives the process; everything else is gone with it."""

    quorum: QuorumPart
    broker: Broker

    def __init__(
        self,
        node_id: int,
        roles: str,
        voter_ids: list[int],
        directory: Path,
        queue: EventQueue,
        random: Random,
        given: dict[str, str],
    ) -> None:
        super().__init__(queue)
        self.node_id = node_id
        self.roles = roles
        self.directory = directory
        self.trace: Callable[[str], None] = lambda _: None
        self.serves_brokers = False
        self.has_quorum = False
        self.is_stopping = False
        self.fsync_ms = (1, 5)
        self.thread_ms = lambda: random.randint(*self.fsync_ms)
        self.bugs = Bugs()
        self._random = random
        listeners = []
        if "broker" in roles:
            listeners.append(f"PLAINTEXT://node-{node_id}:{BROKER_PORT + node_id}")
        if "controller" in roles:
            listeners.append(f"CONTROLLER://node-{node_id}:{CONTROLLER_PORT + node_id}")
        voters = ",".join(f"{voter}@node-{voter}:{CONTROLLER_PORT + voter}" for voter in voter_ids)
        self._settings = {
            **BASE_SETTINGS,
            **given,
            "node.id": str(node_id),
            "process.roles": roles,
            "listeners": ",".join(listeners),
            "controller.quorum.voters": voters,
        }
        self._apis: dict[tuple[bool, ApiKey], Api] = {}

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    @property
    def broker_epoch(self) -> int:
        """Of the registration of this process; -1 while it has none."""
        return self._part._epoch if self.is_running and self._part is not None else -1

    @property
    def image(self) -> MetadataImage:
        return self.quorum.publisher.image

    def partitions(self) -> list[Partition]:
        """The open replicas of a running broker."""
        return self._part._partitions.opened() if self.is_running and self._part is not None else []

    # Life

    def start(self) -> None:
        self.boot()
        self.serves_brokers = self.has_quorum = self.is_stopping = False
        self._part: BrokerPart | None = None
        self._parts = ExitStack()
        self.do(lambda: self.spawn(self._run()))

    def start_unless_running(self) -> None:
        if not self.is_running:
            self.start()

    async def _run(self) -> None:
        settings = CurrentSettings(Settings.parse(self._settings))
        clock, bugs = self.clock, self.bugs
        clock.bugs = bugs
        disk = DiskWatch(self.directory, clock)  # type: ignore[arg-type]
        topic_settings = TopicSettingsSource(settings)
        self.quorum = quorum = QuorumPart(
            settings,
            self.directory,
            (self.directory,),
            topic_settings,
            clock,  # type: ignore[arg-type]
            clock,  # type: ignore[arg-type]
            disk,
            random=self._random,
            cluster_id=CLUSTER_ID,
            durable=True,
            listens=self.is_controller,
        )
        self.has_quorum = True
        if self.is_broker:
            self._part = BrokerPart(
                quorum,
                settings,
                topic_settings,
                clock,  # type: ignore[arg-type]
                clock,  # type: ignore[arg-type]
                disk,
                bugs,
                log_paths=(self.directory,),
                random=self._random,
                durable=True,
                on_recovery=lambda _done, _count: None,
            )
        async with open_nursery() as nursery:
            nursery.start_soon(quorum.run, bugs)
            await quorum.join()
            if self._part is not None:
                await self._start_broker(self._part, nursery)
            if self.is_controller:
                nursery.start_soon(quorum.keep_controller_registered)

    async def _start_broker(self, part: BrokerPart, nursery: Nursery) -> None:
        await part.start(self._parts, nursery)  # type: ignore[arg-type]
        self.broker = broker = part.broker
        housekeeping = Housekeeping(broker, self.quorum.directories, self.bugs, fsync=True)
        for each in (housekeeping, broker.flusher, broker.replication):
            nursery.start_soon(each.run)
        self.serves_brokers = True
        await part.join()
        self.trace("serves")

    def kill(self) -> None:
        """As by SIGKILL: what was written is there for the next process."""
        self.halt()
        if self.has_quorum:
            self.quorum.directories.close(clean=False)
        self.serves_brokers = self.has_quorum = False

    def stop(self, then: Callable[[], None]) -> None:
        """In order, as by SIGTERM; `then` is called when the process has ended."""
        if self.is_stopping or not self.has_quorum:
            return
        self.is_stopping = True
        self.do(lambda: self.spawn(self._stop(then)))

    async def _stop(self, then: Callable[[], None]) -> None:
        part = self._part
        if part is not None and part.lifecycle is not None:
            await part.lifecycle.hand_over()
        await self.quorum.leave(0.2)
        self.serves_brokers = False
        self.queue.after(0, lambda: self._stopped(then, self.generation))

    def _stopped(self, then: Callable[[], None], generation: int) -> None:
        if not self.is_running or generation != self.generation:
            return  # it was killed meanwhile
        self.quorum.controller.close()
        part = self._part
        self.halt()
        if part is not None:
            part.close_logs(kept=True)
        else:
            self.quorum.directories.close({}, clean=True)
        self.has_quorum = False
        then()

    def durable_offsets(self) -> dict[str, int]:
        """What of each log is on the disk, however the machine ends."""
        return {f"{name.topic}-{name.partition}": log.recovery_point for name, log in self.quorum.directories.opened()}

    def lose_power(self) -> None:
        """Any beginning of what was written since the last sync is there for the next process."""
        durable = self.durable_offsets() if self.has_quorum else {}
        self.kill()
        for directory in sorted(path for path in self.directory.iterdir() if path.is_dir()):
            if directory.name.endswith("-delete") or directory.name not in durable:
                continue
            self._cut(directory, durable[directory.name])

    def _cut(self, directory: Path, durable_offset: int) -> None:
        segments = sorted(directory.glob("*.log"))
        if not segments:
            return
        data = segments[-1].read_bytes()
        ends, position = [], 0  # where what is left may end
        for header, batch in split_batches(data):
            if header.last_offset >= durable_offset:
                ends.append(position)
            position += len(batch)
        kept = self._random.choice([*ends, position])
        if self._random.random() < 0.3:
            kept = min(len(data), kept + self._random.randint(1, 60))  # torn within a batch
        with segments[-1].open("r+b") as file:
            file.truncate(kept)

    def replace_disk(self) -> None:
        """An empty disk in place of the old one."""
        assert not self.is_running
        shutil.rmtree(self.directory, ignore_errors=True)

    # Requests

    def serve(
        self, at_controller: bool, key: ApiKey, version: int, body: bytes, reply: Reply, *, connection: int
    ) -> bool:
        """Take a request. Returns False if nobody listens there."""
        if not (self.is_running and self.has_quorum) or not (at_controller or self.serves_brokers):
            return False
        generation = self.generation

        def answered(answer: bytes | None) -> None:
            if generation == self.generation:
                reply(answer)

        self.do(lambda: self.spawn(self._answer(at_controller, key, version, body, answered, connection)))
        return True

    async def _answer(
        self, at_controller: bool, key: ApiKey, version: int, body: bytes, reply: Reply, connection: int
    ) -> None:
        api = self._apis.get((at_controller, key))
        if api is None:
            modules = CONTROLLER_API_MODULES if at_controller else API_MODULES
            api = self._apis[at_controller, key] = Api(key, modules[key])
        request = decode(request_class(key), body, version)
        name = "CONTROLLER" if at_controller else "PLAINTEXT"
        client = Client(name, "127.0.0.1", 1, f"node-{self.node_id}")
        client.number = connection
        context = NodeContext(self.quorum.parts, client) if at_controller else RequestContext(self.broker, client)
        context.api_version = version
        try:
            answer = await answer_of(api, request, context)
        except CloseConnection:
            reply(None)
        else:
            reply(bytes(encode(answer, version)))
