"""UpdateFeatures (API key 57): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class FeatureUpdateKey(Struct):
    """A struct of UpdateFeaturesRequest."""

    feature: str = field("string", "0+", default="", map_key=True)
    max_version_level: int = field("int16", "0+", default=0)
    allow_downgrade: bool = field("bool", "0", default=False)
    upgrade_type: int = field("int8", "1+", default=1)


class UpdateFeaturesRequest(
    Message, api_key=57, kind="request", versions="0-2", flexible="0+", listeners="broker controller"
):
    """Versions 0-2; 0+ flexible."""

    timeout_ms: int = field("int32", "0+", default=60000)
    feature_updates: list[FeatureUpdateKey] = field([FeatureUpdateKey], "0+", factory=list)
    validate_only: bool = field("bool", "1+", default=False)


class UpdatableFeatureResult(Struct):
    """A struct of UpdateFeaturesResponse."""

    feature: str = field("string", "0+", default="", map_key=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")


class UpdateFeaturesResponse(Message, api_key=57, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    results: list[UpdatableFeatureResult] = field([UpdatableFeatureResult], "0-1", factory=list, ignorable=True)
