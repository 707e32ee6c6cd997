"""JKS, the key store format of Java before version 9: read and written.

    magic, version, count | entries | SHA-1 of the password, a constant, and all before

A private key is PKCS #8, hidden by a key stream of SHA-1 over its password; both are weak, and Java itself has PKCS #12
as its default since version 9. A file that `ssl.keystore.type=JKS` names may be PKCS #12 all the same, as in Java.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from struct import Struct
from typing import Final, NamedTuple

from kafkapy.tls import der
from kafkapy.tls.der import MalformedDer

MAGIC: Final = b"\xfe\xed\xfe\xed"
_VERSION: Final = 2
_VERSIONS: Final = (1, 2)
_KEY, _TRUSTED = 1, 2
_CONSTANT: Final = b"Mighty Aphrodite"
_DIGEST_BYTES: Final = 20
_SALT_BYTES: Final = 20
_KEY_PROTECTOR: Final = bytes.fromhex("2b060104012a02110101")  # 1.3.6.1.4.1.42.2.17.1.1
_HEADER: Final = Struct(">III")
_INT32: Final = Struct(">I")
_INT16: Final = Struct(">H")
_TIME_BYTES: Final = 8
_CERTIFICATE_TYPE: Final = "X.509"


class MalformedJks(ValueError):
    """The file is not a JKS key store, or is damaged."""


class WrongPassword(ValueError):
    """The password is not the one that the store, or the key, was written with."""


class KeyEntry(NamedTuple):
    alias: str
    protected_key: bytes
    chain: tuple[bytes, ...]

    def private_key(self, password: str) -> bytes:
        """PKCS #8, as DER. Raises WrongPassword, MalformedJks."""
        try:
            algorithm, hidden = der.parse(self.protected_key).children()
            if algorithm.children()[0].content != _KEY_PROTECTOR:
                raise MalformedJks(f"the key {self.alias} is protected in a way that is not Java's")
        except (MalformedDer, IndexError, ValueError) as error:
            raise MalformedJks(f"the key {self.alias} is damaged: {error}") from None
        secret, data = _secret(password), hidden.content
        salt, body, check = data[:_SALT_BYTES], data[_SALT_BYTES:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        key = _xor(body, secret, salt)
        if not hmac.compare_digest(hashlib.sha1(secret + key).digest(), check):
            raise WrongPassword(f"the password is not that of the key {self.alias}")
        return key


class TrustedEntry(NamedTuple):
    alias: str
    certificate: bytes


class JksStore(NamedTuple):
    keys: tuple[KeyEntry, ...]
    trusted: tuple[TrustedEntry, ...]


def read(data: bytes, password: str | None) -> JksStore:
    """The entries, after the check by the password if there is one. Raises MalformedJks, WrongPassword."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    reader = _Reader(body)
    magic, version, count = _HEADER.unpack(reader.take(_HEADER.size))
    if _INT32.pack(magic) != MAGIC or version not in _VERSIONS:
        raise MalformedJks("the file does not begin as a JKS key store does")
    if password is not None and not hmac.compare_digest(_digest(body, password), digest):
        raise WrongPassword("the password is not that of the store, or the file is damaged")
    keys, trusted = [], []
    for _ in range(count):  # an absurd count ends with the bytes
        tag = reader.number()
        alias = reader.text()
        reader.take(_TIME_BYTES)
        if tag == _KEY:
            protected = reader.take(reader.number())
            keys.append(KeyEntry(alias, protected, tuple(reader.certificate(version) for _ in range(reader.number()))))
        elif tag == _TRUSTED:
            trusted.append(TrustedEntry(alias, reader.certificate(version)))
        else:
            raise MalformedJks(f"an entry has the unknown kind {tag}")
    return JksStore(tuple(keys), tuple(trusted))


def write(
    password: str,
    *,
    key: tuple[str, bytes, tuple[bytes, ...]] | None = None,
    trusted: tuple[TrustedEntry, ...] = (),
    time_ms: int,
) -> bytes:
    """A store with one key (its alias, PKCS #8, and the chain of certificates), or none, and trusted certificates."""
    body = _HEADER.pack(int.from_bytes(MAGIC, "big"), _VERSION, len(trusted) + (key is not None))
    time = time_ms.to_bytes(_TIME_BYTES, "big")
    if key is not None:
        alias, pkcs8, chain = key
        protected = _protect(pkcs8, password)
        body += _INT32.pack(_KEY) + _text(alias) + time + _INT32.pack(len(protected)) + protected
        body += _INT32.pack(len(chain)) + b"".join(map(_certificate, chain))
    for entry in trusted:
        body += _INT32.pack(_TRUSTED) + _text(entry.alias) + time + _certificate(entry.certificate)
    return body + _digest(body, password)


def _secret(password: str) -> bytes:
    """Java's letters, of which any two bytes are one: also half of a pair."""
    return password.encode("utf-16-be", "surrogatepass")


def _protect(pkcs8: bytes, password: str) -> bytes:
    secret, salt = _secret(password), os.urandom(_SALT_BYTES)
    hidden = salt + _xor(pkcs8, secret, salt) + hashlib.sha1(secret + pkcs8).digest()
    algorithm = der.encoded(der.SEQUENCE, der.encoded(der.OBJECT_IDENTIFIER, _KEY_PROTECTOR), b"\x05\x00")
    return der.encoded(der.SEQUENCE, algorithm, der.encoded(der.OCTET_STRING, hidden))


def _xor(data: bytes, secret: bytes, salt: bytes) -> bytes:
    stream, block = bytearray(), salt
    while len(stream) < len(data):
        block = hashlib.sha1(secret + block).digest()
        stream += block
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def _digest(body: bytes, password: str) -> bytes:
    return hashlib.sha1(_secret(password) + _CONSTANT + body).digest()


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return _INT16.pack(len(data)) + data


def _certificate(encoded: bytes) -> bytes:
    return _text(_CERTIFICATE_TYPE) + _INT32.pack(len(encoded)) + encoded


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise MalformedJks("the file ends early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self) -> int:
        (number,) = _INT32.unpack(self.take(_INT32.size))
        assert isinstance(number, int)
        return number

    def text(self) -> str:
        (size,) = _INT16.unpack(self.take(_INT16.size))
        return self.take(size).decode("utf-8", "replace")

    def certificate(self, version: int) -> bytes:
        if version > 1:
            self.text()  # its type
        return self.take(self.number())
