"""Quotas with a clock of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafkapy.clock import ManualClock
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings

DEFAULT = "<default>"


class QuotaLab:
    def __init__(self, windows: tuple[int, int] = (11, 1)) -> None:
        count, seconds = (str(each) for each in windows)
        self.clock = ManualClock(frozen=True)
        settings = Settings(
            {
                "quota.window.num": count,
                "quota.window.size.seconds": seconds,
                "controller.quota.window.num": count,
                "controller.quota.window.size.seconds": seconds,
            }
        )
        self.quotas = ClientQuotas(CurrentSettings(settings), self.clock)

    def publish(self, quotas: Mapping[tuple[str | None, str | None], Mapping[str, float]]) -> None:
        """User and client id -> quotas; None is no part of the entity, DEFAULT any name."""
        image: Any = _Image()
        image.client_quotas = {_entity(*names): values for names, values in quotas.items()}
        self.quotas.follow_metadata(image, image)


class _Image:
    client_quotas: Mapping[tuple[tuple[str, str | None], ...], Mapping[str, float]]


def _entity(user: str | None, client_id: str | None) -> tuple[tuple[str, str | None], ...]:
    parts = (("client-id", client_id), ("user", user))
    return tuple((kind, None if name == DEFAULT else name) for kind, name in parts if name is not None)
