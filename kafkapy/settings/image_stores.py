"""Stores of keys and certificates as the images name them: by files in a directory of their own.

apache/kafka, cp-kafka   KAFKA_SSL_KEYSTORE_FILENAME=broker.jks in /etc/kafka/secrets; KAFKA_SSL_KEYSTORE_CREDENTIALS
                         names a file there with the password
bitnami/kafka            KAFKA_TLS_TYPE=JKS or PEM: kafka.keystore.jks, or kafka.keystore.pem with kafka.keystore.key,
                         in .../kafka/config/certs
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kafkapy.settings.errors import SettingsError, shortened

SECRETS: Final = Path("/etc/kafka/secrets")
CERTIFICATES: Final = (Path("/bitnami/kafka/config/certs"), Path("/opt/bitnami/kafka/config/certs"))
VARIABLES: Final = (
    *("KAFKA_TLS_TYPE", "KAFKA_TLS_CLIENT_AUTH", "KAFKA_CERTIFICATE_PASSWORD"),
    *("KAFKA_SSL_KEYSTORE_FILENAME", "KAFKA_SSL_KEYSTORE_CREDENTIALS", "KAFKA_SSL_KEY_CREDENTIALS"),
    *("KAFKA_SSL_TRUSTSTORE_FILENAME", "KAFKA_SSL_TRUSTSTORE_CREDENTIALS"),
)
_FILE_BYTES_MAX: Final = 1 << 20


def with_stores(variables: dict[str, str]) -> dict[str, str]:
    """The same with settings in place of `VARIABLES`; a setting that is given counts. Raises SettingsError."""
    asked = {name: variables[name].strip() for name in VARIABLES if variables.get(name, "").strip()}
    if not asked:
        return variables
    settings = {**_of_bitnami(asked), **_of_secrets(asked)}
    own = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
    kept = {name: value for name, value in variables.items() if name not in VARIABLES}
    return {**{name: value for name, value in own.items() if name.replace("KAFKA_", "KAFKA_CFG_") not in kept}, **kept}


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
    if not asked.keys() & {"KAFKA_TLS_TYPE", "KAFKA_TLS_CLIENT_AUTH", "KAFKA_CERTIFICATE_PASSWORD"}:
        return {}
    of_type = asked.get("KAFKA_TLS_TYPE", "JKS").upper()
    if of_type not in ("JKS", "PEM"):
        raise SettingsError(f"KAFKA_TLS_TYPE is {shortened(of_type)}: write JKS or PEM")
    place = next((each for each in CERTIFICATES if each.is_dir()), CERTIFICATES[0])
    settings = {
        "ssl.keystore.type": of_type,
        "ssl.truststore.type": of_type,
        "ssl.client.auth": asked.get("KAFKA_TLS_CLIENT_AUTH", "required"),
    }
    password = asked.get("KAFKA_CERTIFICATE_PASSWORD")
    if of_type == "PEM":
        for setting, file in (
            ("ssl.keystore.key", "kafka.keystore.key"),
            ("ssl.keystore.certificate.chain", "kafka.keystore.pem"),
            ("ssl.truststore.certificates", "kafka.truststore.pem"),
        ):
            settings[setting] = _content(place / file, "KAFKA_TLS_TYPE=PEM")
        if password is not None:
            settings["ssl.key.password"] = password
        return settings
    for store in ("keystore", "truststore"):
        settings[f"ssl.{store}.location"] = str(place / f"kafka.{store}.jks")
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
