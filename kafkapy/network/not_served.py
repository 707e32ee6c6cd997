"""The log line for a request of an API that is not served: the client, the API, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.apis import API_MODULES
from kafkapy.log_lines import shown
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.errors import NotServed
    from kafkapy.releases import ApiLimits

OTHERWISE: Final = "docs/compatibility.md lists what is served"


def explain(error: NotServed, context: NodeContext) -> str:
    """The log line."""
    client = "a client" if context.client_id is None else f"client {shown(context.client_id)!r}"
    try:
        key = ApiKey(error.api_key)
    except ValueError:
        what, advice = f"API key {error.api_key}", "Apache Kafka has no such API"
    else:
        api = API_VERSIONS[key]
        what = f"{api.message_name} v{error.version}"
        if error.served:
            first, last = error.served[0], error.served[-1]
            age = "older" if error.version > last else "newer"
            advice = f"versions {first} to {last} are served, so use {'an' if age == 'older' else 'a'} {age} client"
            if context.api_limits is not None and error.version in range(api.min_version, api.max_version + 1):
                advice = f"versions {first} to {last} are served, {_why_no_others(context.api_limits)}"
        elif key in API_MODULES and context.api_limits is not None:
            advice = f"it is not announced, {_why_no_others(context.api_limits)}"
        else:
            advice = OTHERWISE
    return f"closing the connection from {context.client}: {client} asks for {what}, which is not served: {advice}"


def _why_no_others(limits: ApiLimits) -> str:
    return "by --cap-api" if limits.release is None else f"as by Apache Kafka {limits.release.name} (--as-kafka)"
