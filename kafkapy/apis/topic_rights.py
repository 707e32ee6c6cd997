"""What a member of a group may do to topics that it does not name itself, for its coordinator; None without an
authorizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import RequestContext


def may_describe(context: RequestContext) -> Callable[[str], bool] | None:
    """Topics that its pattern matches."""
    if context.broker.authorizer is None:
        return None
    from kafkapy.security.access import is_allowed
    from kafkapy_controller.acl import AclOperation, ResourceType

    asker = _kept(context)
    return lambda topic: is_allowed(asker, AclOperation.DESCRIBE, ResourceType.TOPIC, topic, is_logged=False)


def may_create(context: RequestContext) -> Callable[[str], bool] | None:
    """Internal topics of its topology."""
    if context.broker.authorizer is None:
        return None
    from kafkapy.security.access import is_allowed, is_allowed_in_cluster
    from kafkapy_controller.acl import AclOperation, ResourceType

    asker = _kept(context)
    return lambda topic: (
        is_allowed_in_cluster(asker, AclOperation.CREATE, is_logged=False)
        or is_allowed(asker, AclOperation.CREATE, ResourceType.TOPIC, topic)
    )


def _kept(context: RequestContext) -> RequestContext:
    """One that stays as it is when the connection has another request."""
    from kafkapy.context import RequestContext

    return RequestContext(context.broker, context.client)
