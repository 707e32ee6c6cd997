"""ApiVersions (API key 18): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ApiVersionsRequest(
    Message, api_key=18, kind="request", versions="0-5", flexible="3+", listeners="broker controller"
):
    """Versions 0-5; 3+ flexible."""

    client_software_name: str = field("string", "3+", default="", ignorable=True)
    client_software_version: str = field("string", "3+", default="", ignorable=True)
    cluster_id: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    node_id: int = field("int32", "5+", default=-1, ignorable=True)


class ApiVersion(Struct):
    """A struct of ApiVersionsResponse."""

    api_key: int = field("int16", "0+", default=0, map_key=True)
    min_version: int = field("int16", "0+", default=0)
    max_version: int = field("int16", "0+", default=0)


class SupportedFeatureKey(Struct):
    """A struct of ApiVersionsResponse."""

    name: str = field("string", "3+", default="", map_key=True)
    min_version: int = field("int16", "3+", default=0)
    max_version: int = field("int16", "3+", default=0)


class FinalizedFeatureKey(Struct):
    """A struct of ApiVersionsResponse."""

    name: str = field("string", "3+", default="", map_key=True)
    max_version_level: int = field("int16", "3+", default=0)
    min_version_level: int = field("int16", "3+", default=0)


class ApiVersionsResponse(Message, api_key=18, kind="response", versions="0-5", flexible="3+"):
    """Versions 0-5; 3+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    api_keys: list[ApiVersion] = field([ApiVersion], "0+", factory=list)
    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    supported_features: list[SupportedFeatureKey] = field(
        [SupportedFeatureKey], "3+", factory=list, tag=0, tagged="3+", ignorable=True
    )
    finalized_features_epoch: int = field("int64", "3+", default=-1, tag=1, tagged="3+", ignorable=True)
    finalized_features: list[FinalizedFeatureKey] = field(
        [FinalizedFeatureKey], "3+", factory=list, tag=2, tagged="3+", ignorable=True
    )
    zk_migration_ready: bool = field("bool", "3+", default=False, tag=3, tagged="3+", ignorable=True)
