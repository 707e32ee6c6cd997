"""SCRAM (RFC 5802): its messages, and what is reckoned from a password.

client first   n,,n=alice,r=<nonce>                    with `tokenauth=true`: the name is that of a delegation token
server first   r=<nonce><more>,s=<salt>,i=<iterations>
client final   c=biws,r=<nonce><more>,p=<proof>
server final   v=<signature>
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from kafkapy_wire.integer_text import INT32_MAX, parse_integer

HASHES: Final[Mapping[str, str]] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS_MIN: Final = 4_096
ITERATIONS_MAX: Final = 16_384
CLIENT_ITERATIONS_MAX: Final = 1_000_000
"""No server makes a client of ours reckon for longer than a second."""
NO_CHANNEL_BINDING: Final = "biws"  # "n,," in base64
MESSAGE_BYTES_MAX: Final = 64 * 1024

_SASL_NAME = r"(?:[\x01-\x2b\x2d-\x3c\x3e-\x7f]|=2C|=3D)+"
_VALUE = r"[\x01-\x2b\x2d-\x7f]+"
_NONCE = r"[\x21-\x2b\x2d-\x7e]+"
_BASE64 = r"(?:[a-zA-Z0-9/+]{4})*(?:[a-zA-Z0-9/+]{3}=|[a-zA-Z0-9/+]{2}==)?"
_EXTENSIONS = rf"(?:,[A-Za-z]+={_VALUE})*"
_CLIENT_FIRST = re.compile(
    rf"n,(?:a=(?P<authorization_id>{_SASL_NAME}))?,"
    rf"(?P<bare>(?:m={_VALUE},)?n=(?P<name>{_SASL_NAME}),r=(?P<nonce>{_NONCE})(?P<extensions>{_EXTENSIONS}))"
)
_SERVER_FIRST = re.compile(
    rf"(?:m={_VALUE},)?r=(?P<nonce>{_NONCE}),s=(?P<salt>{_BASE64}),i=(?P<iterations>[0-9]+){_EXTENSIONS}"
)
_CLIENT_FINAL = re.compile(rf"(?P<before>c={_BASE64},r=(?P<nonce>{_NONCE}){_EXTENSIONS}),p=(?P<proof>{_BASE64})")
_SERVER_FINAL = re.compile(rf"(?:e=(?P<error>{_VALUE})|v=(?P<signature>{_BASE64})){_EXTENSIONS}")


class InvalidScramMessage(ValueError):
    """It is not the message that is due. The text says which one is."""


class ScramKeys(NamedTuple):
    """What a server keeps of a password."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return f"ScramKeys(iterations={self.iterations})"


class ClientFirst(NamedTuple):
    name: str
    authorization_id: str
    nonce: str
    extensions: Mapping[str, str]
    bare: str


class ServerFirst(NamedTuple):
    nonce: str
    salt: bytes
    iterations: int


class ClientFinal(NamedTuple):
    nonce: str
    proof: bytes
    before_proof: str


def parse_client_first(message: bytes) -> ClientFirst:
    match = _matched(_CLIENT_FIRST, message, "client first")
    extensions = dict(each.partition("=")[::2] for each in match["extensions"].split(",") if each)
    return ClientFirst(
        from_sasl_name(match["name"]),
        from_sasl_name(match["authorization_id"] or ""),
        match["nonce"],
        extensions,
        match["bare"],
    )


def parse_server_first(message: bytes) -> ServerFirst:
    match = _matched(_SERVER_FIRST, message, "server first")
    iterations = parse_integer(match["iterations"], 1, INT32_MAX)
    if iterations is None:
        raise InvalidScramMessage("Invalid SCRAM server first message format: iterations")
    return ServerFirst(match["nonce"], base64.b64decode(match["salt"]), iterations)


def parse_client_final(message: bytes) -> ClientFinal:
    match = _matched(_CLIENT_FINAL, message, "client final")
    return ClientFinal(match["nonce"], base64.b64decode(match["proof"]), match["before"])


def parse_server_final(message: bytes) -> tuple[bytes, str | None]:
    """The signature; or an error in its place."""
    match = _matched(_SERVER_FINAL, message, "server final")
    return base64.b64decode(match["signature"] or ""), match["error"]


def _matched(pattern: re.Pattern[str], message: bytes, what: str) -> re.Match[str]:
    match = None
    if len(message) <= MESSAGE_BYTES_MAX:
        match = pattern.fullmatch(str(message, "latin-1"))  # what is not ASCII matches nothing
    if match is None:
        raise InvalidScramMessage(f"Invalid SCRAM {what} message format")
    return match


def sasl_name(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def from_sasl_name(text: str) -> str:
    return text.replace("=2C", ",").replace("=3D", "=")


def salted_password(hash_name: str, password: bytes, salt: bytes, iterations: int) -> bytes:
    """Takes milliseconds: 4,096 iterations about two, 16,384 about ten."""
    return hashlib.pbkdf2_hmac(hash_name, password, salt, iterations)


def keys_of(hash_name: str, salted: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """What a server keeps, of a salted password."""
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    stored_key = hashlib.new(hash_name, client_key).digest()
    return ScramKeys(salt, iterations, stored_key, hmac.digest(salted, b"Server Key", hash_name))


def client_proof(hash_name: str, salted: bytes, authentication_message: bytes) -> bytes:
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    stored_key = hashlib.new(hash_name, client_key).digest()
    return _xor(client_key, hmac.digest(stored_key, authentication_message, hash_name))


def proves_password(hash_name: str, stored_key: bytes, authentication_message: bytes, proof: bytes) -> bool:
    """Whether who has made `proof` knows the password; takes the same time for every proof of the right length."""
    signature = hmac.digest(stored_key, authentication_message, hash_name)
    if len(proof) != len(signature):
        return False
    client_key = _xor(proof, signature)
    return hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), stored_key)


def server_signature(hash_name: str, server_key: bytes, authentication_message: bytes) -> bytes:
    return hmac.digest(server_key, authentication_message, hash_name)


def base64_text(content: bytes) -> str:
    return str(base64.b64encode(content), "ascii")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
