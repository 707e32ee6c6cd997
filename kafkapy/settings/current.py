"""The settings of a node as they are now: what the user gave, with what AlterConfigs changed laid over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.settings.broker import Settings
    from kafkapy.settings.described import DescribedSettings


class CurrentSettings:
    """Holds the node's current settings. Code keeps this object and reads `now` at each use.

    `now` is an immutable snapshot; a decision that reads several settings takes it once.
    """

    __slots__ = ("_described", "_subscribers", "now")

    def __init__(self, settings: Settings) -> None:
        self.now = settings
        self._subscribers: list[Callable[[Settings], None]] = []
        self._described: DescribedSettings | None = None

    @property
    def described(self) -> DescribedSettings:
        """What was said of resources so far, by settings that may be older ones: it looks at those it is given."""
        if self._described is None:
            from kafkapy.settings.described import DescribedSettings

            self._described = DescribedSettings()
        return self._described

    def subscribe(self, callback: Callable[[Settings], None]) -> None:
        """Call `callback(settings)` after each change from now on; it must neither wait nor raise."""
        self._subscribers.append(callback)

    def change(self, settings: Settings) -> None:
        """Make these the current settings. Only the node calls this."""
        self.now = settings
        for callback in self._subscribers:
            callback(settings)
