"""Stores of keys and certificates as the images name them: by files in a directory of their own.

apache/kafka, cp-kafka   KAFKA_SSL_KEYSTORE_FILENAME=broker.jks in /etc/kafka/secrets; KAFKA_SSL_KEYSTORE_CREDENTIALS
                         names a file there with the password
bitnami/kafka            KAFKA_TLS_TYPE=JKS (the default) or PEM: kafka.keystore.jks, or kafka.keystore.pem with
                         kafka.keystore.key, in .../kafka/config/certs; KAFKA_TLS_TRUSTSTORE_FILE may be elsewhere;
                         KAFKA_TLS_<LISTENER>_CLIENT_AUTH is for one listener
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from kafkapy.settings.environment import variable_of
from kafkapy.settings.errors import SettingsError, shortened

SECRETS: Final = Path("/etc/kafka/secrets")
CERTIFICATES: Final = (Path("/bitnami/kafka/config/certs"), Path("/opt/bitnami/kafka/config/certs"))
VARIABLES: Final = (
    *("KAFKA_TLS_TYPE", "KAFKA_TLS_CLIENT_AUTH", "KAFKA_CERTIFICATE_PASSWORD", "KAFKA_TLS_TRUSTSTORE_FILE"),
    *("KAFKA_SSL_KEYSTORE_FILENAME", "KAFKA_SSL_KEYSTORE_CREDENTIALS", "KAFKA_SSL_KEY_CREDENTIALS"),
    *("KAFKA_SSL_TRUSTSTORE_FILENAME", "KAFKA_SSL_TRUSTSTORE_CREDENTIALS"),
)
_OF_BITNAMI: Final = frozenset(VARIABLES[:4])
_OF_LISTENER: Final = re.compile("KAFKA_TLS_(.+)_CLIENT_AUTH")
_FILE_BYTES_MAX: Final = 1 << 20


def with_stores(variables: dict[str, str]) -> dict[str, str]:
    """The same with settings in place of `VARIABLES`; a setting that is given counts. Raises SettingsError."""
    asked = {name: variables[name].strip() for name in VARIABLES if variables.get(name, "").strip()}
    of_listeners = {name: match[1] for name in variables if (match := _OF_LISTENER.fullmatch(name)) is not None}
    settings = {**_of_bitnami(asked), **_of_secrets(asked)}
    for name, listener in of_listeners.items():
        settings[f"listener.name.{listener.lower()}.ssl.client.auth"] = variables[name].strip()
    own = {variable_of(name): value for name, value in settings.items()}
    kept = {name: value for name, value in variables.items() if name not in VARIABLES and name not in of_listeners}
    return {
        **{name: value for name, value in own.items() if name.replace("KAFKA_", "KAFKA_CFG_", 1) not in kept},
        **kept,
    }


def _of_secrets(asked: dict[str, str]) -> dict[str, str]:
    settings = {}
    for store in ("keystore", "truststore"):
        file = asked.get(f"KAFKA_SSL_{store.upper()}_FILENAME")
        if file is not None:
            settings[f"ssl.{store}.location"] = str(SECRETS / file)
    for what in ("keystore", "key", "truststore"):
        variable = f"KAFKA_SSL_{what.upper()}_CREDENTIALS"
        if variable in asked:
            settings[f"ssl.{what}.password"] = _content(SECRETS / asked[variable], variable)
    return settings


def _of_bitnami(asked: dict[str, str]) -> dict[str, str]:
    place = next((each for each in CERTIFICATES if each.is_dir()), CERTIFICATES[0])
    if not asked.keys() & _OF_BITNAMI and not (place / "kafka.keystore.jks").is_file():
        return {}
    of_type = asked.get("KAFKA_TLS_TYPE", "JKS").upper()
    if of_type not in ("JKS", "PEM"):
        raise SettingsError(f"KAFKA_TLS_TYPE is {shortened(of_type)}: write JKS or PEM")
    trust_store = asked.get("KAFKA_TLS_TRUSTSTORE_FILE", str(place / f"kafka.truststore.{of_type.lower()}"))
    settings = {
        "ssl.keystore.type": of_type,
        "ssl.truststore.type": of_type,
        "ssl.client.auth": asked.get("KAFKA_TLS_CLIENT_AUTH", "required"),
    }
    password = asked.get("KAFKA_CERTIFICATE_PASSWORD")
    if of_type == "PEM":
        for setting, file in (
            ("ssl.keystore.key", place / "kafka.keystore.key"),
            ("ssl.keystore.certificate.chain", place / "kafka.keystore.pem"),
            ("ssl.truststore.certificates", Path(trust_store)),
        ):
            settings[setting] = _content(file, "KAFKA_TLS_TYPE=PEM")
        if password is not None:
            settings["ssl.key.password"] = password
        return settings
    settings["ssl.keystore.location"] = str(place / "kafka.keystore.jks")
    settings["ssl.truststore.location"] = trust_store
    for store in ("keystore", "truststore"):
        if password is not None:
            settings[f"ssl.{store}.password"] = password
    if password is not None:
        settings["ssl.key.password"] = password
    return settings


def _content(path: Path, variable: str) -> str:
    """Raises SettingsError."""
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{variable}: cannot read {shortened(str(path))} ({reason})") from None
