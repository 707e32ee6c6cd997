"""Who votes when a data directory is new, by the settings; what a node is refused before it may disturb others."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kafkapy.errors import StartupError
from kafkapy.settings.endpoints import DEFAULT_CONTROLLER_PORT, own_host_name
from kafkapy.settings.listeners import BOOTSTRAP_SERVERS, VOTERS
from kafkapy_controller.voters import LATEST_KRAFT_VERSION, QuorumMembership, Voter, VoterEndpoint
from kafkapy_log.identity import read_identity
from kafkapy_wire.integer_text import INT32_MAX, parse_integer
from kafkapy_wire.uuid import ZERO_UUID, Uuid, parse_uuid, random_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kafkapy.settings import Settings

PORT_MAX = 65_535
# They stand for directories that nobody knows, and for one that is lost (KIP-858).
RESERVED_DIRECTORY_IDS = (ZERO_UUID, Uuid(bytes(15) + b"\1"))


def quorum_of(settings: Settings, directory_id: Uuid) -> QuorumMembership:
    """The quorum that a new data directory begins with.

    controller.quorum.voters            these voters, and the settings of each node say so (kraft.version 0)
    neither voters nor other nodes      this node alone, and the log says so, as after `kafka-storage format
                                        --standalone` (KIP-853)
    controller.quorum.bootstrap.servers of others: nobody that this node knows of: it finds the leader, and the log
                                        that it fetches says who votes, as after `--no-initial-controllers`

    May ask the system for the address of a bootstrap server.
    """
    quorum = settings.quorum
    if quorum.voters:
        name = settings.network.controller_listener_names[0]
        voters = [
            Voter(voter.node_id, ZERO_UUID, (VoterEndpoint(name, voter.host, voter.port),))
            for voter in quorum.voters
            if voter.node_id != quorum.node_id
        ]
        if quorum.is_controller:
            voters.append(own_voter(settings, directory_id))
        return QuorumMembership(0, ()).with_voters(tuple(voters))
    if not quorum.is_controller:
        return QuorumMembership(0, ())
    if names_others(settings):
        return QuorumMembership(LATEST_KRAFT_VERSION, ())
    return QuorumMembership(LATEST_KRAFT_VERSION, (own_voter(settings, directory_id),))


def parse_initial_controllers(text: str, listener_name: str) -> tuple[Voter, ...]:
    """The voters that `--initial-controllers` names: `id@host:port:directory id` each, a host with colons in brackets.

    Raises ValueError, which begins with Apache Kafka's words.
    """
    voters: dict[int, Voter] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            voter = _parse_initial_controller(entry, listener_name)
        except ValueError as error:
            raise ValueError(f"{error} {entry[:80]!r} is not of the form ID@HOST:PORT:DIRECTORY_ID") from None
        if voter.node_id in voters:
            raise ValueError(f"Node id {voter.node_id} was specified more than once.")
        if voter.directory_id in RESERVED_DIRECTORY_IDS:
            reserved, other = uuid_text(voter.directory_id), uuid_text(random_uuid())
            raise ValueError(
                f"the directory ID {reserved} is reserved: choose another for node {voter.node_id}, such as {other}"
            )
        voters[voter.node_id] = voter
    if not voters:
        raise ValueError("No voters given. --initial-controllers takes ID@HOST:PORT:DIRECTORY_ID,...")
    return QuorumMembership(LATEST_KRAFT_VERSION, ()).with_voters(tuple(voters.values())).voters


def _parse_initial_controller(entry: str, listener_name: str) -> Voter:
    id_text, at, rest = entry.partition("@")
    if not at:
        raise ValueError("No @ found in dynamic voter string.")
    node_id = parse_integer(id_text, -INT32_MAX - 1, INT32_MAX)
    if node_id is None:
        raise ValueError("Failed to parse node id in dynamic voter string.")
    if node_id < 0:
        raise ValueError(f"Invalid negative node id {node_id} in dynamic voter string.")
    bracketed = rest.startswith("[")
    host, bracket, rest = rest[1:].partition("]") if bracketed else ("", "", rest)
    if bracketed and not bracket:
        raise ValueError("Hostname began with left bracket, but no right bracket was found.")
    plain, colon, rest = rest.partition(":")
    if not colon or (bracketed and plain):
        raise ValueError("No colon following hostname could be found.")
    port_text, colon, directory_text = rest.partition(":")
    if not colon:
        raise ValueError("No colon following port could be found.")
    port = parse_integer(port_text, -INT32_MAX - 1, INT32_MAX)
    if port is None:
        raise ValueError("Failed to parse port in dynamic voter string.")
    if not 0 <= port <= PORT_MAX:
        raise ValueError(f"Invalid port {port} in dynamic voter string.")
    try:
        directory_id = parse_uuid(directory_text)
    except ValueError:
        raise ValueError("Failed to parse directory ID in dynamic voter string.") from None
    return Voter(node_id, directory_id, (VoterEndpoint(listener_name, host or plain or "localhost", port),))


def own_voter(settings: Settings, directory_id: Uuid) -> Voter:
    """This node, which is a controller, as a voter."""
    return Voter(settings.node.node_id, directory_id, controller_endpoints(settings))


def controller_endpoints(settings: Settings) -> tuple[VoterEndpoint, ...]:
    """The addresses at which other controllers connect to this one.

    A node that is alone may have no listener for them; Apache Kafka wants to see one when it boots on the directory.
    """
    host = own_host_name() if settings.has_others else "localhost"
    told = tuple(VoterEndpoint(one.name, one.host or host, one.port) for one in settings.advertised_controllers)
    if told:
        return told
    own, name = settings.quorum.own_voter, settings.network.controller_listener_names[0]
    if own is not None:
        return (VoterEndpoint(name, own.host, own.port),)
    return (VoterEndpoint(name, host, DEFAULT_CONTROLLER_PORT),)


def names_others(settings: Settings) -> bool:
    """Whether the settings name other nodes. May ask the system for the address of a bootstrap server."""
    if settings.has_others:
        return True
    return not all(_is_this_machine(server.host) for server in settings.quorum.bootstrap_servers)


def check_start(settings: Settings, directory: Path, cluster_id: str | None) -> None:
    """Refuse to be one of several nodes with what would make it a cluster of its own, or part of another.

    `cluster_id` is the one that was asked for. Raises StartupError; StoreError: meta.properties cannot be read.
    """
    if not names_others(settings):
        return
    identity = read_identity(directory)
    if identity is None and cluster_id is None:
        raise StartupError(
            f"{_others(settings)}, and {directory} belongs to no cluster yet: start all nodes of the cluster with one "
            f"and the same id, as in CLUSTER_ID={uuid_text(random_uuid())}, or --cluster-id"
        )
    if identity is not None and cluster_id not in (None, identity.cluster_id):
        raise StartupError(
            f"Invalid cluster.id in: {directory}/meta.properties. Expected {cluster_id}, but read "
            f"{identity.cluster_id}: name the directory of that cluster, or an empty one"
        )
    for listener in settings.advertised_listeners:
        if not listener.host:
            raise StartupError(
                f"the other nodes cannot find this broker by listeners={listener}: set "
                f"advertised.listeners={listener.name}://HOST:{listener.port}, with the name or address of this machine"
            )


def check_membership(settings: Settings, directory: Path, membership: QuorumMembership, *, log_is_empty: bool) -> None:
    """Refuse a data directory whose `membership` (read from its snapshots and its log) the settings do not fit.

    Once the log says who votes (kraft.version 1), it counts, and `controller.quorum.voters` has no effect, as in
    Apache Kafka: files still have it after an upgrade to dynamic voters. Before its first record it is a mistake.
    Raises StartupError.
    """
    quorum = settings.quorum
    if not quorum.is_controller:
        return
    if membership.kraft_version == 0 and not membership.voters:
        raise StartupError(
            f"{directory} is of a cluster whose voters {VOTERS} names (kraft.version 0), and the settings do not have "
            f"it: set it as on the other controllers; {BOOTSTRAP_SERVERS} alone is for kraft.version 1"
        )
    ids = sorted(voter.node_id for voter in quorum.voters)
    if membership.kraft_version > 0 and log_is_empty and ids and ids != sorted(membership.voter_ids):
        raise StartupError(
            f"{directory} was formatted with the voters {_list(membership.voter_ids)} (kraft.version 1), and {VOTERS} "
            f"names {_list(ids)}: remove {VOTERS}, or format an empty directory with these settings"
        )


def _list(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "none"


def _others(settings: Settings) -> str:
    quorum = settings.quorum
    if quorum.voters:
        return f"{VOTERS} names {len(quorum.voters)} nodes ({_list([one.node_id for one in quorum.voters])})"
    return f"{BOOTSTRAP_SERVERS} names other nodes ({', '.join(map(str, quorum.bootstrap_servers))})"


def _is_this_machine(host: str) -> bool:
    """Whether an address of `host` is one of this machine's: only those can be bound."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in found)


def _can_bind(family: int, address: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind(address)
    except OSError:
        return False
    return True
