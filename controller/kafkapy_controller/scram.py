"""SCRAM credentials (RFC 5802) as `kafka-storage format --add-scram` takes them, made into metadata records."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from kafkapy_controller.metadata_version import SCRAM, level_name
from kafkapy_wire.integer_text import INT32_MAX, parse_integer
from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

ITERATIONS_MIN, ITERATIONS_MAX = 4_096, 16_384
NEEDS_LEVEL = f"SCRAM is only supported in metadata.version {level_name(SCRAM)} or later."


class ScramMechanism(NamedTuple):
    """`type` is its number in records and requests."""

    type: int
    hash_name: str


SCRAM_MECHANISMS = {"SCRAM-SHA-256": ScramMechanism(1, "sha256"), "SCRAM-SHA-512": ScramMechanism(2, "sha512")}


class ScramArgument(NamedTuple):
    """What an argument of `--add-scram` says. One of `password` and `salted_password` is not None."""

    mechanism: str
    name: str
    iterations: int
    salt: bytes | None
    password: str | None
    salted_password: bytes | None


def parse_scram_argument(text: str) -> ScramArgument:
    """`SCRAM-SHA-256=[name=alice,password=secret]`; also `iterations`, and `salt`, `saltedpassword` in base64.

    Raises ValueError with Apache Kafka's words, but without any value, as it may be a part of the password.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the argument of --add-scram is not UTF-8") from None
    mechanism, equals, config = text.partition("=")
    if not equals:
        raise ValueError("Failed to find equals sign in SCRAM argument")
    if mechanism not in SCRAM_MECHANISMS:
        raise ValueError(f"The add-scram mechanism {mechanism} is not supported.")
    values = _components(config)
    if "name" not in values:
        raise ValueError("You must supply 'name' to add-scram")
    name, password = values.pop("name"), values.pop("password", None)
    salted = values.pop("saltedpassword", None)
    salt = values.pop("salt", None)
    iterations = _parse_iterations(values.pop("iterations", str(ITERATIONS_MIN)), mechanism)
    decoded_salt = None if salt is None else _decode(salt, "salt")
    if password is None and salted is None:
        raise ValueError("You must supply one of 'password' or 'saltedpassword' to add-scram")
    if password is None and salt is None:
        raise ValueError("You must supply 'salt' with 'saltedpassword' to add-scram")
    if values:
        raise ValueError(
            f"Unknown SCRAM configurations: {len(values)} besides name, password, iterations, salt and saltedpassword "
            "(a password with a comma cannot be given here)"
        )
    if password == "":
        raise ValueError("the password of --add-scram is empty")
    salted_password = _decode(salted, "saltedPassword") if password is None and salted is not None else None
    return ScramArgument(mechanism, name, iterations, decoded_salt, password, salted_password)


def credential_record(argument: ScramArgument, random_salt: bytes) -> UserScramCredentialRecord:
    """The record of a credential; `random_salt` is for one that says none."""
    mechanism = SCRAM_MECHANISMS[argument.mechanism]
    salt = random_salt if argument.salt is None else argument.salt
    salted_password = argument.salted_password
    if salted_password is None:
        password = (argument.password or "").encode()
        salted_password = hashlib.pbkdf2_hmac(mechanism.hash_name, password, salt, argument.iterations)
    return salted_credential(argument.name, argument.mechanism, salt, salted_password, argument.iterations)


def salted_credential(
    name: str, mechanism_name: str, salt: bytes, salted_password: bytes, iterations: int
) -> UserScramCredentialRecord:
    """The record of a user whose password was salted with so many iterations."""
    mechanism = SCRAM_MECHANISMS[mechanism_name]
    client_key = hmac.digest(salted_password, b"Client Key", mechanism.hash_name)
    return UserScramCredentialRecord(
        name=name,
        mechanism=mechanism.type,
        salt=salt,
        stored_key=hashlib.new(mechanism.hash_name, client_key).digest(),
        server_key=hmac.digest(salted_password, b"Server Key", mechanism.hash_name),
        iterations=iterations,
    )


def _components(config: str) -> dict[str, str]:
    """`[a=1,b="2"]` -> the values by name; the last of two counts. Commas at the end are passed over, as in Java."""
    if not config.startswith("["):
        raise ValueError("Expected configuration string to start with [")
    if len(config) < 2 or not config.endswith("]"):
        raise ValueError("Expected configuration string to end with ]")
    values: dict[str, str] = {}
    for number, component in enumerate(config[1:-1].rstrip(",").split(","), 1):
        name, equals, value = component.partition("=")
        if not equals:
            raise ValueError(
                f"No equals sign found in SCRAM component {number} (a password with a comma cannot be given here)"
            )
        values[name] = value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
    return values


def _parse_iterations(text: str, mechanism: str) -> int:
    iterations = parse_integer(text, -INT32_MAX - 1, INT32_MAX)
    if iterations is None:
        raise ValueError(f"Failed to parse iterations count: {text}")
    name = mechanism.replace("-", "_")
    if iterations < ITERATIONS_MIN:
        raise ValueError(f"The 'iterations' value must be >= {ITERATIONS_MIN} for add-scram using {name}")
    if iterations > ITERATIONS_MAX:
        raise ValueError(f"The 'iterations' value must be <= {ITERATIONS_MAX} for add-scram using {name}")
    return iterations


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"Failed to decode given {what}: it is not base64") from error
