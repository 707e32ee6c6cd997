"""BrokerRegistration (API key 62), versions 0-4: a broker joins the cluster, fenced (KIP-631).

v1 is_migrating_zk_broker   v2 log_dirs (KIP-858)   v3 previous_broker_epoch: the broker has stopped in order (KIP-966)
v4 features may begin at level 0 (KIP-1022)

Errors  INCONSISTENT_CLUSTER_ID        the broker belongs to another cluster
        DUPLICATE_BROKER_REGISTRATION  a broker with this id is alive; it may come again once that one's session is over
        INVALID_REGISTRATION           no log directories, or a directory twice or of another broker; no
                                       metadata.version; an unknown security protocol; too many entries
        UNSUPPORTED_VERSION            the broker does not support a finalized level of a feature
        BROKER_ID_NOT_REGISTERED       the broker comes from ZooKeeper
        NOT_CONTROLLER                 this node is not the active controller
        KAFKA_STORAGE_ERROR            the metadata log cannot be written
A broker whose former incarnation was killed may have lost records: it leaves every ISR, and is no eligible leader any
more. One that stopped in order may stay eligible. The same incarnation may register again, and keeps its epoch.
Differs: to an unknown security protocol Apache Kafka answers UNKNOWN_SERVER_ERROR, and its controller resigns. A broker
that stopped in order before it heard of its registration stays eligible, too; Apache Kafka takes that for a crash, and
may lose what only this broker has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse


async def handle(request: BrokerRegistrationRequest, context: NodeContext) -> BrokerRegistrationResponse:
    node = context.node
    return await node.controller.brokers.register(request, context.api_version, node.cluster_id)
