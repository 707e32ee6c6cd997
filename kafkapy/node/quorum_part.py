"""What every node has: its log directories, its place in the quorum of controllers, and the metadata."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.broker import NodeParts
from kafkapy.errors import StartupError
from kafkapy.metadata.membership import check_membership, check_start, controller_endpoints, quorum_of
from kafkapy.metadata.metadata_log import METADATA_DIRECTORY
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.metadata.start import QuorumMember, open_metadata
from kafkapy.peers.channel import ControllerChannel
from kafkapy.peers.peers import Peers
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.settings.listeners import SECURITY_PROTOCOLS, has_sasl
from kafkapy_controller.features import KRAFT_VERSION, SUPPORTED_FEATURES, features_of_new_cluster
from kafkapy_controller.image import Endpoint
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_log import LogDirectories
from kafkapy_log.checkpoint_files import META_PROPERTIES
from kafkapy_wire.uuid import parse_uuid, random_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.topic_settings import TopicSettingsSource
    from kafkapy.peers.peers import PeerTls
    from kafkapy.releases import ApiLimits, Release
    from kafkapy.security.authorizer import StandardAuthorizer
    from kafkapy.security.delegation_tokens import DelegationTokens
    from kafkapy.security.sasl.node_logins import NodeLogins
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.strictness import Strictness
    from kafkapy.suspension import Suspension
    from kafkapy_wire.message import Message
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

logger = logging.getLogger("kafkapy.node")

WAITING_SAID_AFTER_MS = 1_000
WAITING_SAID_AGAIN_MS = 30_000
HANDED_OVER_POLL_MS = 5


class QuorumPart:
    """The directories and the metadata of a node. Made with these open; `join` takes part in the quorum."""

    def __init__(
        self,
        settings: CurrentSettings,
        data_directory: Path,
        log_directories: Sequence[Path],
        topic_settings: TopicSettingsSource,
        clock: Clock,
        liveness_clock: Clock,
        disk: DiskWatch,
        *,
        random: Random,
        cluster_id: str | None,
        durable: bool,
        listens: bool,
        limits: ApiLimits | None = None,
        suspension: Suspension | None = None,
        strictness: Strictness | None = None,
        tls: PeerTls | None = None,
        credentials: Sequence[UserScramCredentialRecord] = (),
    ) -> None:
        """The metadata log is in `data_directory`, which is one of `log_directories` or not.

        `listens`: whether other controllers can connect to this node. `limits`: a release to be imitated.
        `suspension`: of the node. `tls`: of connections to other nodes.

        Blocks. Raises StartupError, StoreError, BrokenMetadata, KafkaError, MalformedMessage, OSError.
        """
        self._settings = settings
        self._suspension = suspension
        self._clock = clock
        self._liveness_clock = liveness_clock
        self._random = random
        self._limits = limits
        self._strictness = strictness
        self._tls = tls
        self._credentials = credentials
        self._incarnation_id = random_uuid(random)
        now = settings.now
        check_start(now, data_directory, cluster_id)
        _check_identity(data_directory)
        self.directories = directories = LogDirectories.open(
            log_directories,
            data_directory,
            node_id=now.node.node_id,
            now_ms=clock.now_ms(),
            cluster_id=None if (data_directory / META_PROPERTIES).exists() else cluster_id,
            settings_for=topic_settings.of_log,
            tell=disk.damaged,
            fsync=durable,
        )
        for file in directories.unreadable_files:
            logger.warning("%s cannot be read (%s): %s", *file)
        for failed in directories.failed:
            logger.error("the log directory %s is offline: %s", failed.path, failed.reason)
        if cluster_id not in (None, directories.cluster_id):
            logger.warning(
                "the data directory %s keeps its cluster id %s, although %s is asked for",
                data_directory,
                directories.cluster_id,
                cluster_id,
            )
        try:
            self._open_metadata(data_directory, disk, durable=durable, listens=listens)
        except BaseException:
            directories.close(clean=False)
            raise

    def _open_metadata(self, data_directory: Path, disk: DiskWatch, *, durable: bool, listens: bool) -> None:
        settings, now = self._settings, self._settings.now
        self._check_metadata_log(data_directory)
        store = self.directories.metadata
        self.directory_id = parse_uuid(store.directory_id)
        membership = quorum_of(now, self.directory_id)
        member = QuorumMember(
            membership,
            may_vote=now.quorum.is_controller,
            endpoints=controller_endpoints(now) if now.quorum.is_controller else (),
            bootstrap_count=0 if now.quorum.voters else len(now.quorum.bootstrap_servers),
            timeouts=now.node.raft_timeouts,
            auto_join=now.node.controller_quorum_auto_join_enable,
            credentials=self._credentials,
        )
        self.publisher = MetadataPublisher()
        self.controller, self.metadata_log, self.snapshot_generator = open_metadata(
            store,
            now.node.node_id,
            member,
            settings,
            self.publisher,
            self._liveness_clock,
            random=self._random,
            fsync=durable,
            features=self._features_of_new_cluster(),
        )
        self._check_release(data_directory)
        quorum = self.metadata_log.quorum
        check_membership(now, data_directory, quorum.membership, log_is_empty=not self.metadata_log.log.log_end_offset)
        self.is_alone = quorum.membership.voter_ids == [now.node.node_id] and now.quorum.is_controller
        """Whether this node is the only voter when it starts, so that it leads without asking anybody."""
        self.peers = Peers(
            self._broker_endpoint,
            client_id=f"node-{now.node.node_id}",
            suspension=self._suspension,
            logins=self._logins(),
            tls=self._tls,
        )
        self.channel = ControllerChannel(self, self.peers, self._liveness_clock, self._handle_here)
        if listens or not self.is_alone:
            from kafkapy.metadata.quorum_network import QuorumNetwork

            self.metadata_log.network = network = QuorumNetwork(
                quorum,
                self.peers,
                cluster_id=store.cluster_id,
                listener_name=now.network.controller_listener_names[0],
                bootstrap_servers=now.quorum.bootstrap_servers,
                request_timeout_ms=now.node.controller_quorum_request_timeout_ms,
                registered=self._controller_address,
            )
            network.step = self.metadata_log.step
        if self.is_alone:
            self.metadata_log.start()
        self.metadata_log.on_truncated = self._note_recovery_point
        self.metadata_log.report_to(disk)
        self.snapshot_generator.report_to(disk)
        quotas = ClientQuotas(settings, self._clock)
        quotas.load(self.publisher.image)
        self.publisher.subscribe(quotas.follow_metadata)
        self.parts = NodeParts(
            node_id=now.node.node_id,
            cluster_id=store.cluster_id,
            clock=self._clock,
            settings=settings,
            metadata=self.publisher,
            controller=self.controller,
            quorum=self.metadata_log,
            quotas=quotas,
            api_limits=self._limits,
            strictness=self._strictness,
            authorizer=self._authorizer(),
            tokens=self._tokens(),
        )

    def _logins(self) -> NodeLogins | None:
        """How this node logs in at others; None: it needs not, and the protocols of listeners do not change."""
        now = self._settings.now
        reached = [now.security_protocol(now.controller_listener_name)]
        if now.quorum.is_broker:
            reached.append(now.security_protocol(now.inter_broker_listener_name))
        if not any(map(has_sasl, reached)):
            return None
        from kafkapy.security.sasl.node_logins import NodeLogins

        return NodeLogins(self._settings)

    def _authorizer(self) -> StandardAuthorizer | None:
        now = self._settings.now
        if not now.security.authorizer_class_name:
            return None
        from kafkapy.security.authorizer import StandardAuthorizer
        from kafkapy.settings.authorizer import authorizer_settings

        settings = authorizer_settings(now.given)
        authorizer = StandardAuthorizer(settings.super_users, allows_without_acls=settings.allows_without_acls)
        authorizer.take_image(self.publisher.image)
        self.publisher.subscribe(authorizer.follow_metadata)
        return authorizer

    def _tokens(self) -> DelegationTokens | None:
        security = self._settings.now.security
        if security.delegation_token_secret_key is None:
            return None
        from kafkapy.security.delegation_tokens import DelegationTokens

        return DelegationTokens(security)

    @property
    def _release(self) -> Release | None:
        """The release that is imitated in what its clusters can be; None: as by this release."""
        release = None if self._limits is None else self._limits.release
        return None if release is None or not release.is_kraft else release

    def _features_of_new_cluster(self) -> Mapping[str, int] | None:
        """Features that a cluster begins with which begins here; None: those of this release."""
        release = self._release
        if release is None:
            return None
        levels = features_of_new_cluster({}, release.metadata_version, voters_in_log=True)
        return {name: min(level, release.features.get(name, (0, 0))[1]) for name, level in levels.items()}

    def _features(self) -> Mapping[str, tuple[int, int]]:
        """Which levels of features this node supports, as it registers with them."""
        release = self._release
        if release is None:
            return SUPPORTED_FEATURES
        # Before 3.9 a quorum had no kraft.version: here it may keep its voters in its log all the same.
        return {KRAFT_VERSION: SUPPORTED_FEATURES[KRAFT_VERSION], **release.features}

    def _check_release(self, data_directory: Path) -> None:
        """Raises StartupError: the release that is to be imitated could not read the cluster's metadata."""
        release = self._release
        if release is None:
            return
        for name, level in self.publisher.image.features.items():
            low, high = release.features.get(name, (0, 0))
            if level and not low <= level <= high:
                levels = f"levels {low} to {high} of it" if high else "no such feature"
                raise StartupError(
                    f"cannot be taken for Apache Kafka {release.name} with the cluster in {data_directory}: its {name} "
                    f"is at level {level}, and that release knows {levels}: name another directory, or use --ephemeral"
                )

    def _note_recovery_point(self) -> None:
        """The metadata log was cut: what is appended now is not on the disk, whatever the checkpoint says."""
        self.directories.metadata.write_checkpoints({})

    @property
    def has_others(self) -> bool:
        """Whether there are other nodes now, for which it makes a difference that this one stops."""
        node_id = self.parts.node_id
        return (
            not self.is_alone
            or self.metadata_log.quorum.membership.voter_ids != [node_id]
            or any(broker_id != node_id for broker_id in self.publisher.image.brokers)
        )

    # Who leads: see `kafkapy.peers.channel.Leadership`

    @property
    def is_active(self) -> bool:
        return self.controller.is_active

    def leader_address(self) -> tuple[str, int] | None:
        return self.metadata_log.leader_address()

    async def _handle_here(self, request: Message) -> Message:
        """The answer of the controller of this node, as a controller listener gives it."""
        from kafkapy.apis import CONTROLLER_API_MODULES
        from kafkapy.apis.served import Api, answer_of
        from kafkapy.context import Client, NodeContext
        from kafkapy_wire.api_keys import ApiKey

        key = ApiKey(request.__schema__.api_key)
        api = Api(key, CONTROLLER_API_MODULES[key])
        name = self._settings.now.network.controller_listener_names[0]
        context = NodeContext(self.parts, Client(name, "127.0.0.1", 0, "127.0.0.1"))
        context.api_version = api.versions[-1]
        return await answer_of(api, request, context)

    def _controller_address(self, node_id: int) -> tuple[str, int] | None:
        controller = self.publisher.image.controllers.get(node_id)
        if controller is not None:
            for name in self._settings.now.network.controller_listener_names:
                endpoint = controller.endpoints.get(name)
                if endpoint is not None:
                    return endpoint.host, endpoint.port
        return None

    def _broker_endpoint(self, broker_id: int) -> Endpoint | None:
        broker = self.publisher.image.brokers.get(broker_id)
        if broker is None or broker.fenced:
            return None
        return broker.endpoints.get(self._settings.now.inter_broker_listener_name)

    # Life

    async def run(self, bugs: Bugs, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sync, and talk to the other nodes of the quorum, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.metadata_log.run)
            nursery.start_soon(self.snapshot_generator.run, bugs)
            if self.parts.tokens is not None and self._settings.now.quorum.is_controller:
                from kafkapy.metadata.token_expiry import TokenExpiry

                interval_ms = self._settings.now.security.delegation_token_expiry_check_interval_ms
                nursery.start_soon(TokenExpiry(self.controller, self._clock, interval_ms).run)
            if self.metadata_log.network is not None:
                nursery.start_soon(self.metadata_log.network.run)
                if self._settings.now.quorum.is_controller:
                    nursery.start_soon(self.controller.run)
            task_status.started()

    async def join(self) -> None:
        """Take part in the quorum, and wait until it has a leader. Says now and then whom it waits for."""
        if self.is_alone:
            return
        self.metadata_log.start()
        asked_ms = self._liveness_clock.monotonic_ms()
        said_ms = asked_ms + WAITING_SAID_AFTER_MS - WAITING_SAID_AGAIN_MS
        while self.metadata_log.leader_id < 0:
            now_ms = self._liveness_clock.monotonic_ms()
            if now_ms - said_ms >= WAITING_SAID_AGAIN_MS:
                said_ms = now_ms
                logger.warning("%s", self._whom_it_waits_for())
            await self._liveness_clock.sleep(10)

    async def leave(self, seconds: float) -> None:
        """Resign, if this node leads: give the others `seconds` to hear of it, and vote until another leads.

        The wait for another is at most controller.quorum.election.timeout.ms: they may be stopping, too.
        """
        log, network = self.metadata_log, self.metadata_log.network
        was_leader = log.is_leader
        log.resign()
        if network is None:
            return
        await network.drain(seconds)
        if was_leader and network.reaches_any(voter.node_id for voter in log.quorum.other_voters):
            with trio.move_on_after(self._settings.now.node.raft_timeouts.election_ms / 1_000):
                while log.leader_id in (NOBODY, log.node_id):
                    await self._liveness_clock.sleep(HANDED_OVER_POLL_MS)

    @property
    def voters_text(self) -> str:
        """The ids of the voters."""
        return ", ".join(map(str, self.metadata_log.quorum.membership.voter_ids))

    def _whom_it_waits_for(self) -> str:
        quorum, network = self.metadata_log.quorum, self.metadata_log.network
        assert network is not None
        others = [network.name_of(voter.node_id) for voter in quorum.other_voters]
        servers = ", ".join(map(str, self._settings.now.quorum.bootstrap_servers))
        who = f"voters {', '.join(others)}" if others else f"the controllers at {servers}"
        why = f"; the last to be asked: {network.last_failure}" if network.last_failure else ""
        return f"waiting for a leader of the quorum among {who}{why}"

    def registration(self, endpoints: list[Endpoint]) -> NodeRegistration:
        """What this node says of itself when it registers."""
        return NodeRegistration(
            node_id=self._settings.now.node.node_id,
            incarnation_id=self._incarnation_id,
            endpoints=endpoints,
            features=self._features(),
            rack=self._settings.now.node.broker_rack,
            log_dirs=self.directories.directory_ids,
            has_failed_dirs=self.directories.has_offline,
        )

    async def register_controller(self) -> None:
        """Register this controller, which is the active one of a quorum of one."""
        await self.controller.register_controller(self._controller_registration()).wait()

    async def keep_controller_registered(self) -> None:
        """Register this controller with the active one, again whenever that is due, until cancelled."""
        from kafkapy.metadata.controller_lifecycle import ControllerLifecycle

        lifecycle = ControllerLifecycle(
            self._controller_registration(),
            self.channel,
            self.publisher,
            self._liveness_clock,
            request_timeout_ms=self._settings.now.node.controller_quorum_request_timeout_ms,
        )
        await lifecycle.run()

    def _controller_registration(self) -> NodeRegistration:
        now = self._settings.now
        return self.registration(
            [
                Endpoint(each.name, each.host, each.port, SECURITY_PROTOCOLS.index(now.security_protocol(each.name)))
                for each in controller_endpoints(now)
            ]
        )

    def _check_metadata_log(self, data_directory: Path) -> None:
        """Refuse the directory of a controller without its metadata log, in which it may have voted: its topics would
        be taken for deleted ones. A broker alone waits for the controllers' metadata anyway. Raises StartupError.
        """
        log = self.directories.metadata.get(CLUSTER_METADATA_TOPIC, 0, now_ms=self._liveness_clock.now_ms())
        if log is not None and log.log_end_offset:
            return
        topics = sorted({topic for topic, _ in self.directories if topic != CLUSTER_METADATA_TOPIC})
        if not self._settings.now.quorum.is_controller:
            if topics:
                logger.warning(
                    "%s is missing or empty, although this directory holds topics (%s, ...): this broker gets the "
                    "metadata from the controllers again",
                    data_directory / METADATA_DIRECTORY,
                    topics[0],
                )
            return
        has_others = self._settings.now.has_others  # then the log may come from them
        if topics or (log is not None and self.directories.metadata.had_clean_shutdown and not has_others):
            raise StartupError(
                f"{data_directory / METADATA_DIRECTORY} is missing or empty, although this directory was in use"
                f"{f' and holds topics ({topics[0]}, ...)' if topics else ''}: restore it from a copy, or name another "
                f"directory{', which the other nodes fill' if has_others else ''}"
            )


def _check_identity(data_directory: Path) -> None:
    """Refuse a directory that has metadata but no meta.properties: a new cluster id would not fit its metadata.

    Raises StartupError.
    """
    path = data_directory / META_PROPERTIES
    if not path.exists() and any((data_directory / METADATA_DIRECTORY).glob("*.log")):
        raise StartupError(
            f"{path} is missing, although this directory was in use: restore it from a copy, or name another directory"
        )
