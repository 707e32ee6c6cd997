"""Where a node's settings come from: a properties file, the environment, `--override`; the later wins.

The names in the environment are those of the images people know: KAFKA_X_Y is x.y, `__` is `_`, `___` is `-`
(apache/kafka, cp-kafka); cp-kafka's older manuals had the latter two the other way round, which is tried when a name is
unknown. KAFKA_CFG_X_Y (bitnami) means the same as KAFKA_X_Y.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from kafkapy.settings.errors import SettingsError
from kafkapy.settings.given import GivenSettings

logger = logging.getLogger("kafkapy.settings")

# Names in the environment that steer images and tools, and are no settings of the broker.
NOT_SETTINGS = frozenset(
    {
        "KAFKA_ADVERTISED_HOST",
        "KAFKA_ADVERTISED_HOST_NAME",
        "KAFKA_ADVERTISED_PORT",
        "KAFKA_CERTIFICATE_PASSWORD",
        "KAFKA_CLIENT_LISTENER_NAME",
        "KAFKA_CLIENT_PASSWORDS",
        "KAFKA_CLIENT_USERS",
        "KAFKA_CLUSTER_ID",
        "KAFKA_CONTROLLER_PASSWORD",
        "KAFKA_CONTROLLER_USER",
        "KAFKA_CREATE_TOPICS",
        "KAFKA_DEBUG",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_HEAP_OPTS",
        "KAFKA_HOME",
        "KAFKA_HOST",
        "KAFKA_INTER_BROKER_PASSWORD",
        "KAFKA_INTER_BROKER_USER",
        "KAFKA_JMX_HOSTNAME",
        "KAFKA_JMX_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_KRAFT_CLUSTER_ID",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_OPTS",
        "KAFKA_PORT",
        "KAFKA_SSL_KEYSTORE_CREDENTIALS",
        "KAFKA_SSL_KEYSTORE_FILENAME",
        "KAFKA_SSL_KEY_CREDENTIALS",
        "KAFKA_SSL_TRUSTSTORE_CREDENTIALS",
        "KAFKA_SSL_TRUSTSTORE_FILENAME",
        "KAFKA_TLS_CLIENT_AUTH",
        "KAFKA_TLS_TYPE",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_USER",
        "KAFKA_VERSION",
        "KAFKA_VOLUME_DIR",
        "KAFKA_ZOOKEEPER_TLS_TYPE",
    }
)

# Read by parts that Kafka plugs in (the authorizer, remote storage, ...) or gone since 4.0 and still in many a file.
_KNOWN_BESIDES = frozenset(
    {
        "allow.everyone.if.no.acl.found",
        "authorizer.logger.name",
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "delegation.token.master.key",
        "inter.broker.protocol.version",
        "log.message.format.version",
        "log.message.downconversion.enable",
        "log.message.timestamp.difference.max.ms",
        "migration.enabled",
        "reserved.broker.max.id",
        "super.users",
    }
)
_KNOWN_PREFIXES = (
    "authorizer.",
    "client.quota.callback.",
    "config.providers.",
    "confluent.",
    "kafka.metrics.",
    "metrics.jmx.",
    "rlmm.config.",
    "rsm.config.",
    "zookeeper.",
)

_HOST = re.compile(r"://[^,]*:(?=\d)")


def collect_settings(
    file: Path | str | None = None, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()
) -> GivenSettings:
    """`gather` from this process's environment, with a line in the log for each name that nobody knows."""
    given = gather(None if file is None else Path(file), os.environ if environ is None else environ, overrides)
    for warning in given.warnings:
        logger.warning("%s", warning)
    return given


def gather(
    file: Path | None = None, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()
) -> GivenSettings:
    """Everything that was given: `overrides` (name=value each) over `environ` over `file`.

    Raises SettingsError: the file cannot be read, or an override has no "=".
    """
    given = GivenSettings()
    if file is not None:
        for name, value in read_properties_file(file).items():
            given.add(name, value, str(file))
    environment = _from_environment(environ or {})
    for name, (value, variable) in environment.items():
        given.add(name, value, variable)
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--override {override}: expected name=value")
        given.add(name.strip(), value.strip(), f"--override {name.strip()}")
    if "listeners" not in given and "advertised.listeners" in environment:
        # The image of Apache Kafka: whoever says only what to advertise listens there on every interface.
        advertised, variable = environment["advertised.listeners"]
        given.add("listeners", _HOST.sub("://0.0.0.0:", advertised), variable)
    for name in given:
        if not is_known(name):
            given.warnings.append(_unknown(name, given.origins[name]))
    return given


def read_properties_file(file: Path) -> dict[str, str]:
    """A server.properties. Raises SettingsError: it cannot be read. UTF-8, or else Latin-1 as Java reads it."""
    from kafkapy.settings.properties import parse_properties

    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"Cannot read {file}: {error.strerror}") from error
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        return parse_properties(text)
    except ValueError as error:
        raise SettingsError(f"Cannot read {file}: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Kafka's name -> (value, the variable it came from)."""
    found: dict[str, tuple[str, str]] = {}
    for variable, value in environ.items():
        if variable.startswith("KAFKA_") and variable not in NOT_SETTINGS:
            encoded = variable.removeprefix("KAFKA_").removeprefix("CFG_")
            if encoded:
                found[_decoded_name(encoded)] = (value, variable)
    return found


def _decoded_name(encoded: str) -> str:
    for two, three in (("_", "-"), ("-", "_")):
        # Three before two before one: each step leaves characters that the next does not touch.
        name = encoded.lower().replace("___", "\0").replace("__", "\1")
        name = name.replace("_", ".").replace("\0", three).replace("\1", two)
        if is_known(name):
            return name
    return encoded.lower().replace("___", "-").replace("__", "\1").replace("_", ".").replace("\1", "_")


def is_known(name: str) -> bool:
    """Whether Kafka, or something that plugs into it, reads a broker's setting of this name."""
    from kafkapy.settings.catalog import broker_definition

    return broker_definition(name) is not None or name in _KNOWN_BESIDES or name.startswith(_KNOWN_PREFIXES)


def _unknown(name: str, origin: str) -> str:
    from difflib import get_close_matches

    from kafkapy.settings.catalog import broker_definitions, topic_definitions

    topic = topic_definitions().get(name)
    if topic is not None and topic.synonyms:
        return f"Unknown setting {name} (given by {origin}): a topic's setting; a broker's is {topic.synonyms[0]}"
    nearest = get_close_matches(name, broker_definitions(), n=1, cutoff=0.6)
    hint = f": did you mean {nearest[0]}?" if nearest else ""
    return f"Unknown setting {name} (given by {origin}){hint}"
