"""Environment variables: those that the container images of Kafka read, and those that are not settings.

KAFKA_X_Y is x.y, `__` is `_`, `___` is `-` (apache/kafka, cp-kafka); cp-kafka's older manuals had the latter two the
other way round, which is tried when a name is unknown. KAFKA_CFG_X_Y (bitnami) means the same as KAFKA_X_Y.

Applications have variables that begin with KAFKA_, too, and Kubernetes makes some for each service: a broker that runs
beside them in one environment ignores those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.given import GivenTopic
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

CLUSTER_IDS = ("CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID")
CREATE_TOPICS = "KAFKA_CREATE_TOPICS"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Variables of images, their start scripts and the JVM.
_OF_IMAGES = _words(
    """
    ADVERTISED_HOST ADVERTISED_HOST_NAME ADVERTISED_PORT CERTIFICATE_PASSWORD CLIENT_LISTENER_NAME
    CLIENT_PASSWORDS CLIENT_USERS CLUSTER_ID CONTROLLER_PASSWORD CONTROLLER_USER CREATE_TOPICS
    CREATE_TOPICS_SEPARATOR DEBUG ENABLE_KRAFT GC_LOG_OPTS HEAP_OPTS HOME HOST INTER_BROKER_PASSWORD
    INTER_BROKER_USER JMX_HOSTNAME JMX_OPTS JMX_PORT JVM_PERFORMANCE_OPTS KRAFT_CLUSTER_ID LOG4J_LOGGERS
    LOG4J_OPTS LOG4J_ROOT_LOGLEVEL OPTS PORT SSL_KEYSTORE_CREDENTIALS SSL_KEYSTORE_FILENAME SSL_KEY_CREDENTIALS
    SSL_TRUSTSTORE_CREDENTIALS SSL_TRUSTSTORE_FILENAME TLS_CLIENT_AUTH TLS_TRUSTSTORE_FILE TLS_TYPE
    TOOLS_LOG4J_LOGLEVEL USER VERSION VOLUME_DIR ZOOKEEPER_PASSWORD ZOOKEEPER_PROTOCOL ZOOKEEPER_TLS_TYPE
    ZOOKEEPER_USER
    """
)
# Variables of applications that use a broker, as examples and frameworks call them.
_OF_APPLICATIONS = _words(
    """
    ACKS API_KEY API_SECRET AUTO_OFFSET_RESET BOOTSTRAP BOOTSTRAP_SERVER BOOTSTRAP_SERVERS BROKER BROKERS
    BROKER_HOST BROKER_LIST BROKER_PORT BROKER_URL BROKER_URLS CA CERT CLIENT_ID CLIENTID CLUSTER CLUSTERS
    CLUSTER_NAME CONFIG CONSUMER_GROUP ENABLED GROUP GROUPID GROUP_ID GROUP_INSTANCE_ID HOSTNAME HOSTS INPUT_TOPIC
    KEY OUTPUT_TOPIC PASS PASSWORD PREFIX PROTOCOL REPLICATION_FACTOR REST_PROXY_URL SASL_MECHANISM
    SASL_MECHANISMS SASL_PASSWORD SASL_USERNAME SCHEMA_REGISTRY SCHEMA_REGISTRY_URL SECURITY_PROTOCOL SERVER
    SERVERS SSL_CA_LOCATION SSL_CAFILE SSL_CERTFILE SSL_KEYFILE SSL_CERTIFICATE_LOCATION SSL_KEY_LOCATION TIMEOUT
    TOPIC TOPICS TOPIC_NAME TOPIC_PREFIX URI URL USERNAME USERS VALUE ZOOKEEPER_CONNECTION
    """
)
# Except for known settings, no setting of a broker begins like these.
_OF_APPLICATIONS_BEGIN = (
    "ADMIN_",
    "APP_",
    "CLIENT_",
    "CONNECT_",
    "CONSUMER_",
    "INPUT_",
    "KSQL_",
    "OUTPUT_",
    "PRODUCER_",
    "REST_",
    "SCHEMA_",
    "STREAMS_",
    "TEST_",
    "TOPIC_",
    "UI_",
)
# What Kubernetes and Docker's links set for a service called kafka: KAFKA_PORT_9092_TCP_ADDR, KAFKA_SERVICE_HOST.
_OF_SERVICES = re.compile(r"(?:.*_)?(?:PORT(?:_\d{1,5}_TCP(?:_\w+)?)?|SERVICE_(?:HOST|PORT(?:_\w+)?))|ENV_.*|NAME")
_SEPARATOR_OF_TOPICS = ","


def settings_in(environ: Mapping[str, str], is_known: Callable[[str], bool]) -> dict[str, tuple[str, str]]:
    """Kafka's name -> (value, the variable it came from)."""
    found: dict[str, tuple[str, str]] = {}
    for variable, value in environ.items():
        if variable.startswith("KAFKA_"):
            encoded = variable.removeprefix("KAFKA_")
            name = setting_name(encoded.removeprefix("CFG_"), is_known)
            if name is not None and (encoded not in _OF_IMAGES and (is_known(name) or not is_of_others(encoded))):
                found[name] = (value, variable)
    for name, value, variable in _old_addresses(environ):
        found.setdefault(name, (value, variable))
    return found


def given_names(environ: Mapping[str, str], is_known: Callable[[str], bool]) -> set[str]:
    """The settings that variables name, whatever else those may be."""
    encoded = [variable.removeprefix("KAFKA_") for variable in environ if variable.startswith("KAFKA_")]
    return {name for text in encoded if (name := setting_name(text.removeprefix("CFG_"), is_known)) is not None}


_ENCODED = str.maketrans({".": "_", "_": "__", "-": "___"})


def variable_of(name: str) -> str:
    """x.y -> KAFKA_X_Y, as `setting_name` and all Kafka images read it."""
    return "KAFKA_" + name.translate(_ENCODED).upper()


def setting_name(encoded: str, is_known: Callable[[str], bool]) -> str | None:
    """X_Y -> x.y. None: there is nothing."""
    if not encoded:
        return None
    for two, three in (("_", "-"), ("-", "_")):
        # Three before two before one: each step leaves characters that the next does not touch.
        name = encoded.lower().replace("___", "\0").replace("__", "\1")
        name = name.replace("_", ".").replace("\0", three).replace("\1", two)
        if is_known(name):
            return name
    return encoded.lower().replace("___", "-").replace("__", "\1").replace("_", ".").replace("\1", "_")


def is_of_others(encoded: str) -> bool:
    """Whether KAFKA_<encoded>, an unknown setting, is a variable of another program."""
    return (
        encoded in _OF_APPLICATIONS
        or encoded.removesuffix("_FILE") in _OF_IMAGES
        or encoded.startswith(_OF_APPLICATIONS_BEGIN)
        or _OF_SERVICES.fullmatch(encoded) is not None
    )


def _old_addresses(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """KAFKA_ADVERTISED_HOST_NAME and KAFKA_ADVERTISED_PORT of the images before Kafka had listeners."""
    if "KAFKA_LISTENERS" in environ or "KAFKA_ADVERTISED_LISTENERS" in environ:
        return []
    host_variable = next((v for v in ("KAFKA_ADVERTISED_HOST_NAME", "KAFKA_ADVERTISED_HOST") if environ.get(v)), None)
    if host_variable is None and not environ.get("KAFKA_ADVERTISED_PORT"):
        return []
    host = environ[host_variable] if host_variable is not None else "localhost"
    own_port = _port(environ, "KAFKA_PORT")
    port = _port(environ, "KAFKA_ADVERTISED_PORT") or own_port or 9092
    variable = host_variable or "KAFKA_ADVERTISED_PORT"
    shown = f"[{host}]" if ":" in host else host
    return [
        ("listeners", f"PLAINTEXT://0.0.0.0:{own_port or port}", variable),
        ("advertised.listeners", f"PLAINTEXT://{shown}:{port}", variable),
    ]


def _port(environ: Mapping[str, str], variable: str) -> int | None:
    """Raises SettingsError: the text is not a port."""
    text = environ.get(variable, "").strip()
    if not text or text.startswith("tcp://"):  # Kubernetes sets KAFKA_PORT=tcp://10.0.0.1:9092 for a service
        return None
    port = parse_integer(text, 1, 65_535)
    if port is None:
        raise SettingsError(f"{variable}={shortened(text)} is not a port (1-65535)")
    return port


def cluster_id_in(environ: Mapping[str, str]) -> str | None:
    """The id that a new cluster gets: CLUSTER_ID and its other names."""
    return next((value for variable in CLUSTER_IDS if (value := environ.get(variable, "").strip())), None)


def as_kafka_in(environ: Mapping[str, str]) -> str | None:
    """The release of Apache Kafka to be taken for: KAFKAPY_AS_KAFKA."""
    return environ.get("KAFKAPY_AS_KAFKA", "").strip() or None


def strict_in(environ: Mapping[str, str]) -> list[str]:
    """The kindnesses that are turned off: KAFKAPY_STRICT has their names with commas between them; true: all."""
    text = environ.get("KAFKAPY_STRICT", "").strip()
    if text.lower() in _YES_OR_NO:
        return ["all"] if _YES_OR_NO[text.lower()] else []
    return strict_names(text)


def strict_names(text: str) -> list[str]:
    """The names in `auto-created-topics,new-coordinators`."""
    return [name for name in (part.strip() for part in text.split(",")) if name]


_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def topics_in(environ: Mapping[str, str]) -> list[GivenTopic]:
    """KAFKA_CREATE_TOPICS: `name:partitions:replicas[:cleanup.policy]`, separated by commas or whatever
    KAFKA_CREATE_TOPICS_SEPARATOR says. Raises SettingsError.
    """
    separator = environ.get(f"{CREATE_TOPICS}_SEPARATOR") or _SEPARATOR_OF_TOPICS
    if separator.strip() in ("$'\\n'", "\\n"):  # as compose files write a line's end for the image's shell
        separator = "\n"
    entries = environ.get(CREATE_TOPICS, "").split(separator)
    return [_topic(entry.strip()) for entry in entries if entry.strip()]


def _topic(entry: str) -> GivenTopic:
    name, *fields = (field.strip() for field in entry.split(":"))
    counts = [parse_integer(text, 1, INT32_MAX) if text else -1 for text in (*fields[:2], "", "")[:2]]
    partition_count, replication_factor = counts
    if not name or len(fields) > 3 or partition_count is None or replication_factor is None:
        raise SettingsError(
            f"{CREATE_TOPICS}: {shortened(entry)} is not a topic; write name:partitions:replicas, and :compact or "
            ":delete behind it if you like"
        )
    configs = {"cleanup.policy": fields[2]} if len(fields) > 2 and fields[2] else {}
    return GivenTopic(name, partition_count, replication_factor, configs)
