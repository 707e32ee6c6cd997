"""Encoded topics of Metadata answers, kept from one request to the next, as topics rarely change.

An entry is valid as long as the topic's image and the brokers are the same objects: images are immutable, and a new
image shares unchanged topics with the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import BrokerImage, MetadataImage, TopicImage

FORMS_MAX: Final = 8
PARTITIONS_MAX: Final = 100_000
"""Over all forms: 200 bytes for a topic of one partition, 30 for each further one."""


class Form(NamedTuple):
    """The parts of a request on which the encoding of a topic depends."""

    api_version: int
    listener_name: str
    operations: int


class EncodedTopic(NamedTuple):
    topic: TopicImage
    encoded: bytes


class EncodedTopics:
    """The entries of the newest image, for as many topics as there is room for."""

    def __init__(self) -> None:
        self._brokers: Mapping[int, BrokerImage] = {}
        self._forms: dict[Form, dict[str, EncodedTopic]] = {}
        self._partition_count = 0

    def of(self, form: Form, image: MetadataImage) -> Mapping[str, EncodedTopic]:
        """By topic name. The caller must check that an entry's topic is the one of the image."""
        if image.brokers is not self._brokers:
            self._brokers = image.brokers
            self._forms.clear()
            self._partition_count = 0
        entries = self._forms.pop(form, None)
        if entries is None:
            if len(self._forms) == FORMS_MAX:
                self._drop_oldest()
            entries = {}
        self._forms[form] = entries  # in the order of use, the latest last
        return entries

    def keep(self, form: Form, image: MetadataImage, entry: EncodedTopic) -> None:
        """Keep topics that were encoded from `image`, if there is room and the brokers have not changed since."""
        entries = self._forms.get(form)
        if entries is None or image.brokers is not self._brokers:
            return
        count = len(entry.topic.partitions)
        while self._partition_count + count > PARTITIONS_MAX and next(iter(self._forms)) != form:
            self._drop_oldest()
        self._forget(entries, entry.topic.name)
        if self._partition_count + count <= PARTITIONS_MAX:
            entries[entry.topic.name] = entry
            self._partition_count += count

    def follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        for topic in delta.deleted_topics:
            for entries in self._forms.values():
                self._forget(entries, topic.name)

    def _forget(self, entries: dict[str, EncodedTopic], name: str) -> None:
        entry = entries.pop(name, None)
        if entry is not None:
            self._partition_count -= len(entry.topic.partitions)

    def _drop_oldest(self) -> None:
        entries = self._forms.pop(next(iter(self._forms)))
        self._partition_count -= sum(len(entry.topic.partitions) for entry in entries.values())
