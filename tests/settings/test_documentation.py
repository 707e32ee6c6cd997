"""Every setting is documented, in one sentence."""

from __future__ import annotations

import subprocess
import sys

from kafkapy.settings import documentation
from kafkapy.settings.catalog import (
    broker_definitions,
    client_metrics_definitions,
    dynamic_only_definitions,
    group_definitions,
    own_definitions,
    topic_definitions,
)
from kafkapy.settings.documentation.brokers import BROKERS, CLIENT_METRICS
from kafkapy.settings.documentation.groups import BROKER_GROUPS, GROUPS
from kafkapy.settings.documentation.security import SECURITY
from kafkapy.settings.documentation.tiered_storage import TIERED_STORAGE
from kafkapy.settings.documentation.topics import TOPICS


def test_every_setting_of_topics_groups_and_client_metrics_is_documented() -> None:
    assert all(map(documentation.of_topic, topic_definitions()))
    assert all(map(documentation.of_group, group_definitions()))
    assert all(map(documentation.of_client_metrics, client_metrics_definitions()))


def test_every_setting_of_a_broker_is_documented() -> None:
    assert len(broker_definitions()) == 379
    for known in (broker_definitions(), dynamic_only_definitions(), own_definitions()):
        assert [name for name in known if not documentation.of_broker(name)] == []


def test_a_brokers_default_for_topics_or_groups_says_what_it_is_for() -> None:
    assert documentation.of_broker("log.retention.ms") == (
        f"For topics without a retention.ms of their own: u{documentation.of_topic('retention.ms')[1:]}"
    )
    assert documentation.of_broker("group.consumer.session.timeout.ms").startswith("For groups without a consumer.")


def test_a_listeners_setting_is_documented_as_the_brokers() -> None:
    assert documentation.of_broker("listener.name.external.max.connections") == documentation.of_broker(
        "max.connections"
    )
    assert documentation.of_broker("no.such.setting") == ""


def test_sentences_are_sentences_about_settings_that_exist() -> None:
    known = {**broker_definitions(), **dynamic_only_definitions(), **own_definitions()}
    of_brokers = (BROKERS, BROKER_GROUPS, SECURITY, TIERED_STORAGE)
    assert {name for sentences in of_brokers for name in sentences} <= set(known)
    for sentences in (TOPICS, GROUPS, *of_brokers, CLIENT_METRICS):
        for name, sentence in sentences.items():
            assert sentence.endswith("."), (name, sentence)
            assert ". " not in sentence, (name, sentence)
            assert "  " not in sentence, (name, sentence)
            assert len(sentence) <= 200, (name, sentence)


def test_sentences_are_read_when_somebody_asks() -> None:
    code = "import sys, kafkapy.apis.describe_configs; print([m for m in sys.modules if 'settings.documentation' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
