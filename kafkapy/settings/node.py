"""`NodeSettings`: who a node is, what it does, and how its controllers work together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafkapy.settings.area import Area
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.quorum import QuorumSettings
from kafkapy.settings.topic import LONG_MAX

if TYPE_CHECKING:
    from kafkapy.settings.addresses import HostPort, QuorumVoter
    from kafkapy_controller.raft.core import QuorumTimeouts


class NodeSettings(Area):
    """The node's id, its roles and its controllers."""

    node_id: int = 1
    process_roles: tuple[str, ...] = ("broker", "controller")
    broker_rack: str | None = None
    controller_quorum_voters: tuple[str, ...] = ()
    controller_quorum_bootstrap_servers: tuple[str, ...] = ()
    controller_quorum_election_timeout_ms: int = 1_000
    controller_quorum_election_backoff_max_ms: int = 1_000
    controller_quorum_fetch_timeout_ms: int = 2_000
    controller_quorum_request_timeout_ms: int = 2_000
    controller_quorum_retry_backoff_ms: int = 20
    controller_quorum_append_linger_ms: int = 25
    controller_quorum_fetch_max_bytes: int = 1_048_576
    controller_quorum_fetch_snapshot_max_bytes: int = 1_048_576
    controller_quorum_auto_join_enable: bool = False
    broker_heartbeat_interval_ms: int = 2_000
    broker_session_timeout_ms: int = 9_000
    initial_broker_registration_timeout_ms: int = 60_000
    controlled_shutdown_enable: bool = True
    server_max_startup_time_ms: int = LONG_MAX
    metadata_log_dir: str | None = None
    metadata_log_segment_bytes: int = 1_073_741_824
    metadata_log_segment_ms: int = 604_800_000
    metadata_log_max_record_bytes_between_snapshots: int = 20_971_520
    metadata_log_max_snapshot_interval_ms: int = 3_600_000
    metadata_max_idle_interval_ms: int = 500
    metadata_max_retention_bytes: int = 104_857_600
    metadata_max_retention_ms: int = 604_800_000
    internal_metadata_delete_delay_millis: int = 60_000
    internal_metadata_log_segment_bytes: int | None = None
    internal_metadata_max_batch_size_in_bytes: int = 8_388_608

    @property
    def is_broker(self) -> bool:
        return "broker" in self.process_roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.process_roles

    @property
    def quorum(self) -> QuorumSettings:
        """The roles, the voters and the bootstrap servers. Raises SettingsError: an address is not valid."""
        voters: tuple[QuorumVoter, ...] = ()
        bootstrap_servers: tuple[HostPort, ...] = ()
        if self.controller_quorum_voters or self.controller_quorum_bootstrap_servers:
            from kafkapy.settings.addresses import parse_bootstrap_servers, parse_voters

            voters = parse_voters(self.controller_quorum_voters)
            bootstrap_servers = parse_bootstrap_servers(self.controller_quorum_bootstrap_servers)
        return QuorumSettings(
            self.node_id,
            is_broker=self.is_broker,
            is_controller=self.is_controller,
            voters=voters,
            bootstrap_servers=bootstrap_servers,
        )

    @property
    def raft_timeouts(self) -> QuorumTimeouts:
        from kafkapy_controller.raft.core import QuorumTimeouts

        return QuorumTimeouts(
            election_ms=self.controller_quorum_election_timeout_ms,
            fetch_ms=self.controller_quorum_fetch_timeout_ms,
            backoff_ms=self.controller_quorum_retry_backoff_ms,
            backoff_max_ms=self.controller_quorum_election_backoff_max_ms,
            # A follower whose fetch waits longer than its fetch timeout would give its leader up.
            fetch_max_wait_ms=min(QuorumTimeouts().fetch_max_wait_ms, self.controller_quorum_fetch_timeout_ms // 2),
        )


def check_auto_join(values: Mapping[str, object]) -> None:
    """Raises SettingsError: a node that is no controller is to vote."""
    node = NodeSettings().with_settings(values)
    if node.controller_quorum_auto_join_enable and not node.is_controller:
        raise SettingsError(
            "requirement failed: controller.quorum.auto.join.enable is only supported when process.roles contains the "
            "'controller' role.",
            "controller.quorum.auto.join.enable",
        )
