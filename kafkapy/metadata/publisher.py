"""Holds the newest committed metadata image, and calls subscribers with each new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.encoded_topics import EncodedTopics
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy_controller.delta import MetadataDelta


class MetadataPublisher:
    """The newest committed image, and the callbacks for new ones."""

    def __init__(self) -> None:
        self.image: MetadataImage = EMPTY_IMAGE
        self.encoded_topics = EncodedTopics()
        """What requests have encoded of the image."""
        self._subscribers: list[Callable[[MetadataImage, MetadataDelta], None]] = [self.encoded_topics.follow_metadata]

    def subscribe(self, callback: Callable[[MetadataImage, MetadataDelta], None]) -> None:
        """Call `callback(image, delta)` for each image from now on, in the order of subscription; `delta` is
        what changed since the one before.

        It must not wait and must not raise: the cluster has decided. `self.image` is the new one already.
        """
        self._subscribers.append(callback)

    def unsubscribe(self, callback: Callable[[MetadataImage, MetadataDelta], None]) -> None:
        """Call it no longer. Not within a callback."""
        self._subscribers.remove(callback)

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        for callback in self._subscribers:
            callback(image, delta)
