"""JoinGroup (API key 11), versions 0-9: a member joins the next generation of a classic group.

The answer leaves when all known members have joined, or after the rebalance timeout.

v1 rebalance_timeout_ms (before: the session timeout)    v2 throttle_time_ms    v4 MEMBER_ID_REQUIRED (KIP-394)
v5 group_instance_id (KIP-345)    v6 flexible    v7 protocol_type, protocol_name may be null    v8 reason (KIP-800)
v9 skip_assignment (KIP-814)

Errors  INVALID_GROUP_ID             the group id is empty
        INVALID_SESSION_TIMEOUT      outside group.min.session.timeout.ms and group.max.session.timeout.ms
        MEMBER_ID_REQUIRED           join again with the member id in this answer
        UNKNOWN_MEMBER_ID            no such member; or its session expired while its request waited
        FENCED_INSTANCE_ID           another member has taken over this group_instance_id
        INCONSISTENT_GROUP_PROTOCOL  the other members have another protocol type or no protocol in common with this
                                     one; or the group is a share group, or a streams group with members
        GROUP_MAX_SIZE_REACHED       the group has group.max.size members
        UNKNOWN_SERVER_ERROR         a group_instance_id with a member id that was given to a dynamic member; more than
                                     8 MiB of metadata
        REBALANCE_IN_PROGRESS        the member has sent another JoinGroup on another connection, which gets the answer
        NOT_COORDINATOR              another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
Differs: a member with more than 8 MiB of metadata is refused; Apache Kafka lets it join, and refuses its SyncGroup.
         If a member sends JoinGroup again on another connection, the first one is answered with REBALANCE_IN_PROGRESS;
         Apache Kafka never answers it.
         If group.coordinator.rebalance.protocols has no "streams", a stored streams group becomes a classic one at the
         first JoinGroup, even if it had members; likewise a consumer group (KIP-848) without "consumer".
         If __consumer_offsets has fewer replicas in sync than min.insync.replicas, a JoinGroup that makes a new group
         is refused with COORDINATOR_NOT_AVAILABLE. Apache Kafka lets members join, and refuses their SyncGroup
         (--strict group-min-isr).
         With group.initial.rebalance.delay.ms=0, the default here, the first member is answered at once (--strict
         initial-rebalance-delay).
         If a client closes or half-closes its connection while its JoinGroup waits, neither the JoinGroup nor the
         requests behind it are answered, and those requests are not carried out. Apache Kafka waits, then answers them
         all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.classic.requests import refused_join
from kafkapy.coordinators.group.group import Caller
from kafkapy.pending import Pending, attempt

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

FIRST_VERSION_WITH_NULL_PROTOCOL = 7


def handle(request: JoinGroupRequest, context: RequestContext) -> Pending[JoinGroupResponse]:
    version = context.api_version
    if version == 0:
        request.rebalance_timeout_ms = request.session_timeout_ms
    caller = Caller(version, context.client_id or "", java_address_text(context.client.peer_host))
    outcome = attempt(lambda: context.broker.groups.classic.join_group(request, caller))
    outcome = outcome.otherwise(lambda error: refused_join(request.member_id, error))
    return outcome.map(_with_a_protocol) if version < FIRST_VERSION_WITH_NULL_PROTOCOL else outcome


def _with_a_protocol(response: JoinGroupResponse) -> JoinGroupResponse:
    if response.protocol_name is None:
        response.protocol_name = ""
    return response


def java_address_text(host: str) -> str:
    """`/127.0.0.1`, `/0:0:0:0:0:0:0:1`: as Java prints an address without a name. DescribeGroups shows it."""
    address, percent, zone = host.partition("%")
    if ":" in address:
        from ipaddress import IPv6Address

        address = ":".join(f"{int(group, 16):x}" for group in IPv6Address(address).exploded.split(":"))
    return f"/{address}{percent}{zone}"
