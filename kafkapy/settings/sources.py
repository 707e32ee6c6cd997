"""Where a node's settings come from: a properties file, the environment, `--override`; the later wins."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from kafkapy.settings.environment import as_kafka_in, cluster_id_in, settings_in, strict_in, topics_in
from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.given import GivenSettings
from kafkapy.settings.listeners import with_address

logger = logging.getLogger("kafkapy.settings")

# Files that users give by mistake instead of server.properties, and what they are.
OTHER_FORMATS = {".yaml": "YAML", ".yml": "YAML", ".json": "JSON", ".toml": "TOML"}
_UTF_8_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_HOST = re.compile(r"://[^,]*:(?=\d)")


def collect_settings(
    file: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[str] = (),
    defaults: Iterable[str] = (),
) -> GivenSettings:
    """`gather` from this process's environment, with a line in the log for each name that nobody knows."""
    environ = os.environ if environ is None else environ
    given = gather(None if file is None else Path(file), environ, overrides, defaults)
    for warning in given.warnings:
        logger.warning("%s", warning)
    return given


def gather(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[str] = (),
    defaults: Iterable[str] = (),
) -> GivenSettings:
    """Everything that the user gave: `overrides` (name=value each) over `environ` over `file` over `defaults`.

    Raises SettingsError: the file cannot be read, or an override has no "=".
    """
    given = GivenSettings()
    if file is not None:
        for name, value in _read_properties_file(file, given.warnings).items():
            given.add(name, value, str(file))
    environ = environ or {}
    environment = settings_in(environ, is_known)
    given.cluster_id = cluster_id_in(environ)
    given.topics = topics_in(environ)
    given.as_kafka = as_kafka_in(environ)
    given.strict = strict_in(environ)
    for name, (value, variable) in environment.items():
        given.add(name, value, variable)
    for override in overrides:
        name, value = _name_and_value("--override", override)
        given.add(name, value, f"--override {name}")
    if "listeners" not in given and "advertised.listeners" in environment:
        # The image of Apache Kafka: whoever says only what to advertise listens there on every interface.
        advertised, variable = environment["advertised.listeners"]
        given.add("listeners", _HOST.sub("://0.0.0.0:", advertised), variable)
    for default in defaults:
        name, value = _name_and_value("--default", default)
        if name not in given:
            given.add(name, value, f"--default {name}")
    for name in given:
        if not is_known(name):
            given.warnings.append(_unknown(name, given.origins[name]))
    return given


def _name_and_value(option: str, text: str) -> tuple[str, str]:
    """Raises SettingsError."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"{option} {shortened(text)}: expected name=value")
    return name.strip(), value.strip()


def listen_at(given: GivenSettings, *, host: str | None, port: int | None) -> None:
    """Make the first listener for clients listen at this host and port, and advertise this port.

    A host or port of None is not changed, nor are other listeners and the advertised host. Port 0: the system chooses.
    """
    from kafkapy.settings.different_defaults import DIFFERENT_DEFAULTS

    origin = "--host" if port is None else "--port"
    controllers = given.get("controller.listener.names", DIFFERENT_DEFAULTS["controller.listener.names"][0])
    names = {name.strip().upper() for name in controllers.split(",")}
    listeners = given.get("listeners", DIFFERENT_DEFAULTS["listeners"][0])
    changed, listener = with_address(listeners, lambda name: name not in names, host=host, port=port)
    given.add("listeners", changed, origin if listener else given.origins.get("listeners", origin))
    advertised = given.get("advertised.listeners")
    if advertised is not None and listener:
        changed, found = with_address(advertised, lambda name: name == listener, host=None, port=port)
        if found:
            given.add("advertised.listeners", changed, origin)


def _read_properties_file(file: Path, warnings: list[str]) -> dict[str, str]:
    """A server.properties. Raises SettingsError: it cannot be read. UTF-8, or else Latin-1 as Java reads it."""
    from kafkapy.settings.properties import parse_properties

    if (other := OTHER_FORMATS.get(file.suffix.lower())) is not None:
        raise SettingsError(not_properties(str(file), other))
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"Cannot read {file}: {error.strerror}") from error
    if content.startswith(_UTF_16_MARKS):
        raise SettingsError(f"Cannot read {file}: it is written in UTF-16; save it in UTF-8")
    if content.startswith(_UTF_8_MARK):
        content = content.removeprefix(_UTF_8_MARK)
        warnings.append(
            f"{file} begins with a byte order mark, which Apache Kafka would take for a part of the first name: "
            "save it without one"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        return parse_properties(text)
    except ValueError as error:
        raise SettingsError(f"Cannot read {file}: {error}") from error


def not_properties(file: str, written_in: str) -> str:
    return f"Cannot read {file}: settings are a properties file, a line `name=value` each, and not {written_in}"


def is_known(name: str) -> bool:
    """Whether Kafka, or something that plugs into it, reads a broker's setting of this name."""
    from kafkapy.settings.catalog import broker_definition
    from kafkapy.settings.support import support_of

    return broker_definition(name) is not None or support_of(name) is not None


def nearest_setting(name: str, similarity: float) -> str | None:
    """The broker's setting that is probably meant by an unknown name; for a topic's setting, the broker's one."""
    from difflib import get_close_matches

    from kafkapy.settings.catalog import broker_definitions, topic_definitions

    topic = topic_definitions().get(name)
    if topic is not None and topic.synonyms:
        return topic.synonyms[0]
    return next(iter(get_close_matches(name, broker_definitions(), n=1, cutoff=similarity)), None)


def _unknown(name: str, origin: str) -> str:
    from kafkapy.settings.catalog import topic_definitions

    name, origin = shortened(name), shortened(origin)
    topic = topic_definitions().get(name)
    if topic is not None and topic.synonyms:
        return f"Unknown setting {name} (given by {origin}): a topic's setting; a broker's is {topic.synonyms[0]}"
    nearest = nearest_setting(name, 0.6)
    hint = f": did you mean {nearest}?" if nearest else ""
    return f"Unknown setting {name} (given by {origin}){hint}"
