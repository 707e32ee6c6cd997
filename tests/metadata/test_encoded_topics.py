"""Encoded topics: what is kept, for how long, and how much of it."""

from __future__ import annotations

import pytest

from kafkapy.metadata import encoded_topics
from kafkapy.metadata.encoded_topics import EncodedTopic, EncodedTopics, Form
from kafkapy_controller import MetadataImage
from kafkapy_controller.delta import MetadataDelta
from kafkapy_wire.record_formats.metadata import RemoveTopicRecord
from tests.controller.clusters import cluster, topic, with_topics

OLD, NEW = Form(1, "PLAINTEXT", 0), Form(12, "PLAINTEXT", 0)


def keep(kept: EncodedTopics, form: Form, image: MetadataImage, name: str) -> None:
    kept.keep(form, image, EncodedTopic(image.topics[name], name.encode()))


def image_with(*names: str, partitions: int = 1) -> MetadataImage:
    return with_topics(cluster(), *[topic(name, partitions) for name in names])


def test_each_form_has_its_own_entries() -> None:
    kept, image = EncodedTopics(), image_with("a")
    assert kept.of(OLD, image) == {}
    keep(kept, OLD, image, "a")
    assert kept.of(NEW, image) == {}
    assert kept.of(OLD, image)["a"].encoded == b"a"


def test_other_brokers_end_all_entries() -> None:
    kept, image = EncodedTopics(), image_with("a")
    kept.of(OLD, image)
    keep(kept, OLD, image, "a")
    moved = image._replace(brokers=dict(image.brokers))
    assert kept.of(OLD, moved) == {}
    keep(kept, OLD, image, "a")  # by a request that began before
    assert kept.of(OLD, moved) == {}


def test_a_deleted_topic_has_no_entry() -> None:
    kept, image = EncodedTopics(), image_with("a", "b")
    kept.of(OLD, image)
    for name in "ab":
        keep(kept, OLD, image, name)
    delta = MetadataDelta(image)
    delta.replay(RemoveTopicRecord(topic_id=image.topics["a"].topic_id))
    after = delta.apply(image.offset + 1, 1)
    kept.follow_metadata(after, delta)
    assert list(kept.of(OLD, after)) == ["b"]


def test_what_was_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_topics, "PARTITIONS_MAX", 5)
    kept, image = EncodedTopics(), image_with("a", "b", "c", partitions=2)
    for form in (OLD, NEW):
        kept.of(form, image)
    keep(kept, OLD, image, "a")
    keep(kept, OLD, image, "b")
    keep(kept, NEW, image, "a")
    assert list(kept.of(NEW, image)) == ["a"]
    assert kept.of(OLD, image) == {}
    kept.of(NEW, image)
    for name in "bca":  # two of them fit; the one that is kept anew does not count twice
        keep(kept, NEW, image, name)
    assert set(kept.of(NEW, image)) == {"a", "b"}


def test_as_many_forms_are_kept_as_clients_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_topics, "FORMS_MAX", 2)
    kept, image = EncodedTopics(), image_with("a")
    for version in range(4):
        form = Form(version, "PLAINTEXT", 0)
        kept.of(form, image)
        keep(kept, form, image, "a")
    assert [bool(kept.of(Form(version, "PLAINTEXT", 0), image)) for version in (3, 2)] == [True, True]
    assert not kept.of(Form(0, "PLAINTEXT", 0), image)
