"""A controller on a real directory, and a context to call handlers of topics, settings and metadata with."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from inspect import iscoroutine
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NoReturn, TypeVar

import outcome
import trio
import trio.testing

from kafkapy.broker import Broker
from kafkapy.clock import ManualClock
from kafkapy.context import Client, RequestContext
from kafkapy.metadata.dynamic_settings import DynamicSettings
from kafkapy.metadata.many_topics import create_topics
from kafkapy.metadata.producer_ids import ProducerIds
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.metadata.refused_topics import RefusedTopics
from kafkapy.metadata.start import QuorumMember, open_metadata
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy.told_clients import ToldClients
from kafkapy_controller import Endpoint, MetadataImage
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint
from kafkapy_log import LogStore
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid
from tests.controller.clusters import apply

R = TypeVar("R")

SEEDS = count(1)
"""Another one for each lab: a second on the same directory must not give the same topic ids again."""


class Absent:
    """A part of the broker that no handler of this lab's has business with."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a part without {name}: the lab has none of it")


class Lab:
    """A broker with its metadata and without partitions and coordinators. It is broker 1, at `host:9092`."""

    def __init__(
        self, directory: Path, given: Mapping[str, str], *, fsync: bool, kraft_version: int, host: str = "host"
    ) -> None:
        self.settings = CurrentSettings(Settings({"node.id": "1", **given}))
        self.metadata = MetadataPublisher()
        self.store = LogStore.open(directory, node_id=1, now_ms=0, fsync=False)
        self.directory_id = parse_uuid(self.store.directory_id)
        clock = ManualClock()
        disk = DiskWatch(directory, clock)
        voter = Voter(1, self.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9093),))
        try:
            self.controller, self.metadata_log, self.snapshot_generator = open_metadata(
                self.store,
                1,
                QuorumMember(QuorumMembership(kraft_version, (voter,))),
                self.settings,
                self.metadata,
                clock,
                random=Random(next(SEEDS)),
                fsync=fsync,
            )
            self.metadata_log.start()
        except BaseException:
            self.store.close(clean=False)
            raise
        self.metadata_log.report_to(disk)
        dynamic_settings = DynamicSettings(self.settings)
        dynamic_settings.load(self.image)
        self.metadata.subscribe(dynamic_settings.follow_metadata)
        absent: Any = Absent()
        self.broker = Broker(
            node_id=1,
            cluster_id=self.store.cluster_id,
            clock=clock,
            quotas=ClientQuotas(self.settings, clock),
            settings=self.settings,
            metadata=self.metadata,
            controller=self.controller,
            quorum=self.metadata_log,
            to_controller=absent,
            partitions=absent,
            directories=absent,
            checkpoints=absent,
            flusher=absent,
            disk=disk,
            fetch_sessions=absent,
            replication=absent,
            groups=absent,
            transactions=absent,
            share_coordinator=absent,
            client_metrics=absent,
            sharing=absent,
            enlister=absent,
            markers=absent,
            producer_ids=ProducerIds(lambda: self.controller.allocate_producer_ids().wait()),
            told_clients=ToldClients(clock, self.settings, print),
            refused_topics=RefusedTopics(clock),
        )
        self.broker_epoch = self.run(self.controller.register_broker(self.registration(1, host)).wait())

    def registration(self, broker_id: int, host: str = "host") -> NodeRegistration:
        return NodeRegistration(
            node_id=broker_id,
            incarnation_id=random_uuid(),
            endpoints=[Endpoint("PLAINTEXT", host, 9092, 0)],
            features=SUPPORTED_FEATURES,
            log_dirs=[Uuid(self.directory_id)],
        )

    def run(self, work: Awaitable[R]) -> R:
        """What `work` comes to, with the metadata log synced beside it."""

        async def awaited() -> R:
            return await work

        async def wait() -> R:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.metadata_log.run)
                await trio.testing.wait_all_tasks_blocked()
                answer = await outcome.acapture(awaited)
                nursery.cancel_scope.cancel()
            return answer.unwrap()

        return trio.run(wait)

    def context(self, version: int) -> RequestContext:
        """A request to the lab's broker, from a client that has reached it as `reached.example`."""
        context = RequestContext(self.broker, Client("PLAINTEXT", "127.0.0.1", 50_000, "reached.example"))
        context.api_version = version
        return context

    def call(self, module: Any, request: object, version: int) -> Any:
        """Have a handler answer, its `error_response` where it raises, as dispatch does."""
        try:
            response = module.handle(request, self.context(version))
            return self.run(response) if iscoroutine(response) else response
        except KafkaError as error:
            return module.error_response(request, error)

    @property
    def image(self) -> MetadataImage:
        return self.metadata.image

    def change_metadata(self, *records: MetadataRecord) -> None:
        """Put records into the image only: states of a cluster that a node alone does not get into."""
        self.metadata.image = apply(self.image, records, self.image.epoch)

    def create(self, *topics: CreatableTopic) -> None:
        """As CreateTopics, but without the wait until other brokers, which do not exist, know the topics."""
        response = self.run(create_topics(self.controller, CreateTopicsRequest(topics=list(topics))))
        assert all(result.error_code == 0 for result in response.topics), response

    def close(self, *, clean: bool = True) -> None:
        if clean:
            self.controller.close()
        self.store.close(broker_epoch=self.broker_epoch, clean=clean)


@contextmanager
def lab(
    directory: Path,
    given: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    kraft_version: int = 1,
    host: str = "host",
) -> Iterator[Lab]:
    opened = Lab(directory, given or {}, fsync=fsync, kraft_version=kraft_version, host=host)
    try:
        yield opened
    finally:
        opened.close()


def topic(name: str, partitions: int = 1, replication: int = -1) -> CreatableTopic:
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=replication)
