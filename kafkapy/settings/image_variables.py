"""What only a container image reads from its environment: the variables of Bitnami's and Confluent's images besides
settings, values in files, stores of certificates and users.

A plain `kafkapy start` does not look at these: on a developer's machine they may belong to another program.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from kafkapy.settings.environment import CLUSTER_IDS, setting_name
from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.image_stores import VARIABLES as STORE_VARIABLES
from kafkapy.settings.image_stores import with_stores
from kafkapy.settings.image_users import VARIABLES as USER_VARIABLES
from kafkapy.settings.image_users import mounted_jaas_file, with_users

DEFAULT_CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
"""What Apache Kafka's image gives to all nodes of a cluster whose user has named none."""

_LISTENER_OF_BITNAMI = re.compile("^KAFKA_CFG_LISTENER_NAME_SASL_(SSL|PLAINTEXT)_")
_LOGIN_CONFIG = "-Djava.security.auth.login.config="
JAAS_FILE_VARIABLE = "KAFKA_JAVA_SECURITY_AUTH_LOGIN_CONFIG"
_FILE = "_FILE"
_FILE_BYTES_MAX = 1024 * 1024
# ZooKeeper's way to have an id chosen; node.id has a default here.
_CHOSEN_ID = "-1"
_BROKER_IDS = ("KAFKA_BROKER_ID", "KAFKA_CFG_BROKER_ID")


def image_variables(environ: Mapping[str, str], is_known: Callable[[str], bool]) -> dict[str, str]:
    """`environ` as a start in a container reads it. Raises SettingsError."""
    variables = _with_values_in_files(environ, is_known)
    for variable in _BROKER_IDS:
        if variables.get(variable, "").strip() == _CHOSEN_ID:
            del variables[variable]
    variables = _with_names_of_bitnami(variables)
    variables = with_users(with_stores(variables), is_known)
    file = _login_config(variables.get("KAFKA_OPTS", "")) or mounted_jaas_file()
    if file is not None:
        variables.setdefault(JAAS_FILE_VARIABLE, str(file))
    if _names_other_nodes(variables) and not any(variables.get(name, "").strip() for name in CLUSTER_IDS):
        variables["CLUSTER_ID"] = DEFAULT_CLUSTER_ID
    return variables


def _with_values_in_files(environ: Mapping[str, str], is_known: Callable[[str], bool]) -> dict[str, str]:
    """KAFKA_X from the file that KAFKA_X_FILE names, unless that is the name of a setting itself.

    Raises SettingsError: a file cannot be read.
    """
    variables = dict(environ)
    for variable, path in environ.items():
        plain = variable.removesuffix(_FILE)
        if plain == variable or not path or not variable.startswith("KAFKA_") or _is_setting(variable, is_known):
            continue
        if _is_setting(plain, is_known) or plain in (*USER_VARIABLES, *STORE_VARIABLES):
            del variables[variable]
            if plain not in environ:
                variables[plain] = _content(path, variable)
    return variables


def _content(path: str, variable: str) -> str:
    """Raises SettingsError."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{variable}: cannot read {shortened(path)} ({reason})") from None


def _is_setting(variable: str, is_known: Callable[[str], bool]) -> bool:
    name = setting_name(variable.removeprefix("KAFKA_").removeprefix("CFG_"), is_known)
    return name is not None and is_known(name)


def _with_names_of_bitnami(variables: Mapping[str, str]) -> dict[str, str]:
    """Listeners that are called SASL_SSL and SASL_PLAINTEXT have one underscore in that image's variables."""
    return {
        _LISTENER_OF_BITNAMI.sub(r"KAFKA_CFG_LISTENER_NAME_SASL__\1_", variable): value
        for variable, value in variables.items()
    }


def _login_config(options: str) -> str | None:
    """The JAAS file that options of a JVM name, the last of several."""
    try:
        words = shlex.split(options)
    except ValueError:  # a quote is not closed: the shell of other images reads it in its own way
        words = options.split()
    files = [word.removeprefix(_LOGIN_CONFIG) for word in words if word.startswith(_LOGIN_CONFIG)]
    return files[-1] if files else None


def _names_other_nodes(variables: Mapping[str, str]) -> bool:
    names = ("CONTROLLER_QUORUM_VOTERS", "CONTROLLER_QUORUM_BOOTSTRAP_SERVERS")
    return any(variables.get(f"KAFKA_{cfg}{name}", "").strip() for cfg in ("", "CFG_") for name in names)
