"""One sentence on each setting, for DescribeConfigs with documentation: kafkapy's own words, not Apache Kafka's.

`topics`, `groups` and `brokers` hold the sentences, by Kafka's name. They are read when a client first asks for them.
"""

from __future__ import annotations

import functools

__all__ = ["of_broker", "of_client_metrics", "of_group", "of_topic"]


def of_topic(name: str) -> str:
    """Empty: nothing is written yet. So for all of these."""
    from kafkapy.settings.documentation.topics import TOPICS

    return TOPICS.get(name, "")


def of_group(name: str) -> str:
    from kafkapy.settings.documentation.groups import GROUPS

    return GROUPS.get(name, "")


def of_client_metrics(name: str) -> str:
    from kafkapy.settings.documentation.brokers import CLIENT_METRICS

    return CLIENT_METRICS.get(name, "")


@functools.cache
def of_broker(name: str) -> str:
    """A broker's setting, also by its listener-prefixed name; where topics or groups have their own, of those."""
    from kafkapy.settings.catalog import group_definitions, listener_base_name, topic_definitions
    from kafkapy.settings.documentation.brokers import BROKERS
    from kafkapy.settings.documentation.groups import BROKER_GROUPS
    from kafkapy.settings.documentation.security import SECURITY
    from kafkapy.settings.documentation.tiered_storage import TIERED_STORAGE

    name = listener_base_name(name) or name
    for sentences in (BROKERS, BROKER_GROUPS, SECURITY, TIERED_STORAGE):
        if name in sentences:
            return sentences[name]
    for topic in topic_definitions().values():
        if name in topic.synonyms:
            return f"For topics without a {topic.name} of their own: {_continued(of_topic(topic.name))}"
    for group in group_definitions().values():
        if name in group.synonyms:
            return f"For groups without a {group.name} of their own: {_continued(of_group(group.name))}"
    return ""


def _continued(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
