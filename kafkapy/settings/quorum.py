"""Who is in the quorum of controllers, as the settings say: this node's roles, the voters, the bootstrap servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.settings.addresses import HostPort, QuorumVoter


class QuorumSettings:
    """This node's place in the quorum. Immutable.

    `voters` are those of `controller.quorum.voters`, each id once; empty: the metadata log says who votes (KIP-853).
    """

    __slots__ = ("bootstrap_servers", "is_broker", "is_controller", "node_id", "voters")

    def __init__(
        self,
        node_id: int,
        *,
        is_broker: bool,
        is_controller: bool,
        voters: tuple[QuorumVoter, ...],
        bootstrap_servers: tuple[HostPort, ...],
    ) -> None:
        self.node_id = node_id
        self.is_broker = is_broker
        self.is_controller = is_controller
        self.voters = voters
        self.bootstrap_servers = bootstrap_servers

    @property
    def own_voter(self) -> QuorumVoter | None:
        return next((voter for voter in self.voters if voter.node_id == self.node_id), None)

    @property
    def has_other_voters(self) -> bool:
        return any(voter.node_id != self.node_id for voter in self.voters)

    @property
    def voter_ids_text(self) -> str:
        """As Apache Kafka shows them: `Set(1, 2)`."""
        return f"Set({', '.join(str(voter.node_id) for voter in self.voters)})"
