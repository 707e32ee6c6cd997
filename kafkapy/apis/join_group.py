"""JoinGroup (API key 11), versions 0-9: a member asks to be part of a classic group's next generation.

The answer comes when all known members have asked, or at the rebalance timeout.

v1 rebalance_timeout_ms (before: the session timeout)    v2 throttle_time_ms    v4 MEMBER_ID_REQUIRED (KIP-394)
v5 group_instance_id (KIP-345)    v6 flexible    v7 protocol_type, protocol_name may be null    v8 reason (KIP-800)
v9 skip_assignment (KIP-814)

Errors  INVALID_GROUP_ID             the group id is empty
        INVALID_SESSION_TIMEOUT      outside group.min.session.timeout.ms and group.max.session.timeout.ms
        MEMBER_ID_REQUIRED           come again with the member id in this answer
        UNKNOWN_MEMBER_ID            no such member; it lost its session while it was waiting
        FENCED_INSTANCE_ID           another member has taken over this group_instance_id
        INCONSISTENT_GROUP_PROTOCOL  other members are of another type or share no protocol with it; it is a share group
        GROUP_MAX_SIZE_REACHED       the group has group.max.size members
        UNKNOWN_SERVER_ERROR         a group_instance_id with a member id that was given to a dynamic member
        REBALANCE_IN_PROGRESS        the member asked again on another connection, which will get the answer
        COORDINATOR_LOAD_IN_PROGRESS
Differs: Apache Kafka never answers a JoinGroup that was superseded on another connection.
         A consumer group (KIP-848) that Apache Kafka has stored becomes a classic one at once, also if it had members.
         With group.initial.rebalance.delay.ms=0, the default here, the first member's answer comes at once.
         A client that closes or half-closes its connection while its JoinGroup waits gets no answer to it, and none to
         the requests behind it, which are not handled. Apache Kafka lets it wait, then answers them all.
Not done: throttling; throttle_time_ms is always 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group import refused_join
from kafkapy.coordinators.group.classic_member import Caller
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
    outcome = attempt(lambda: context.broker.groups.join_group(request, caller))
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
