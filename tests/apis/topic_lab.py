"""A controller on a real directory, and a context to call handlers of topics and metadata with."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from inspect import iscoroutine
from pathlib import Path
from random import Random
from typing import TypeVar, cast

import trio

from kafkapy.broker import Broker
from kafkapy.clock import ManualClock
from kafkapy.context import Client, RequestContext
from kafkapy.metadata.controller_driver import ControllerDriver
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller import Endpoint, MetadataImage
from kafkapy_controller.bootstrap import SUPPORTED_FEATURES
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint
from kafkapy_log import LogStore
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid

R = TypeVar("R")


def make_context(lab: Lab) -> RequestContext:
    """A request to the lab's broker, from a client that has reached it as `reached.example`."""
    return RequestContext(cast("Broker", lab), Client("PLAINTEXT", "127.0.0.1", 50_000, "reached.example"))


class Lab:
    """The parts of a node that these handlers touch. Its broker is 1, at `host:9092`."""

    def __init__(
        self, directory: Path, given: Mapping[str, str], *, fsync: bool, kraft_version: int, host: str = "host"
    ) -> None:
        self.settings = CurrentSettings(Settings({"node.id": "1", **given}))
        self.metadata = MetadataPublisher()
        self.clock = ManualClock()
        self.store = LogStore.open(directory, node_id=1, now_ms=0, fsync=False)
        self.cluster_id = self.store.cluster_id
        self.directory_id = parse_uuid(self.store.directory_id)
        voter = Voter(1, self.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9093),))
        try:
            self.controller = ControllerDriver.open(
                self.store,
                1,
                QuorumMembership(kraft_version, (voter,)),
                self.settings.now,
                self.metadata,
                self.clock,
                random=Random(1),
                fsync=fsync,
            )
        except BaseException:
            self.store.close(clean=False)
            raise
        self.broker_epoch = self.run(self.controller.register_broker(self.registration(1, host)))

    def registration(self, broker_id: int, host: str = "host") -> NodeRegistration:
        return NodeRegistration(
            node_id=broker_id,
            incarnation_id=random_uuid(),
            endpoints=[Endpoint("PLAINTEXT", host, 9092, 0)],
            features=SUPPORTED_FEATURES,
            log_dirs=[Uuid(self.directory_id)],
        )

    def run(self, work: Coroutine[object, object, R]) -> R:
        async def wait() -> R:
            return await work

        return trio.run(wait)

    def call(self, module: object, request: object, version: int) -> object:
        """Have a handler answer, its `error_response` where it raises, as dispatch does."""
        from kafkapy_wire.errors import KafkaError

        context = make_context(self)
        context.api_version = version
        try:
            response = module.handle(request, context)  # type: ignore[attr-defined]  # a module
            return self.run(response) if iscoroutine(response) else response
        except KafkaError as error:
            return module.error_response(request, error)  # type: ignore[attr-defined]  # a module

    @property
    def image(self) -> MetadataImage:
        return self.metadata.image

    def change_metadata(self, *records: MetadataRecord) -> None:
        """Put records into the image only: states of a cluster that a node alone does not get into."""
        self.metadata.image = self.image.apply(records, self.image.offset + len(records), self.image.epoch)

    def create(self, *topics: CreatableTopic) -> None:
        response = self.run(self.controller.create_topics(CreateTopicsRequest(topics=list(topics)), self.settings.now))
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
