"""PKCS #12 key stores, by the library `cryptography`: `pip install './kafkapy[tls]'`."""

from __future__ import annotations

from typing import Final, NamedTuple

from kafkapy.tls import der
from kafkapy.tls.certificate import Certificate
from kafkapy.tls.der import MalformedDer

_RSA_PSS: Final = "1.2.840.113549.1.1.10"


class NotInstalled(ImportError):
    """The library is not there."""


class UnreadablePkcs12(ValueError):
    """The password is wrong, or the file is not PKCS #12 that the library reads: the format does not tell which."""


class Pkcs12Store(NamedTuple):
    key: bytes | None
    """PKCS #8, as DER."""
    chain: tuple[bytes, ...]
    """The certificate of the key, and those that have signed it."""
    certificates: tuple[bytes, ...]
    """All of them."""


def read(data: bytes, password: str) -> Pkcs12Store:
    """Raises NotInstalled, UnreadablePkcs12."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
    except ImportError as error:
        raise NotInstalled(str(error)) from None
    try:
        store = pkcs12.load_pkcs12(data, password.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm) as error:  # a curve that the library does not know, for one
        raise UnreadablePkcs12(str(error)) from None
    others = tuple(one.certificate.public_bytes(Encoding.DER) for one in store.additional_certs)
    if store.key is None or store.cert is None:
        own = () if store.cert is None else (store.cert.certificate.public_bytes(Encoding.DER),)
        return Pkcs12Store(None, (), (*own, *others))
    key = store.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chain = (store.cert.certificate.public_bytes(Encoding.DER), *others)
    return Pkcs12Store(_of_kind(key, chain[0]), chain, chain)


def _of_kind(key: bytes, certificate: bytes) -> bytes:
    """The library turns a key for RSA-PSS alone into one for RSA, which OpenSSL does not take for its certificate."""
    try:
        algorithm = Certificate(certificate).key_algorithm
        kind = der.object_identifier(der.parse(algorithm).children()[0].content)
    except MalformedDer as error:
        raise UnreadablePkcs12(str(error)) from None
    if kind != _RSA_PSS:
        return key
    version, _, content, *others = der.parse(key).children()
    return der.encoded(der.SEQUENCE, version.whole, algorithm, content.whole, *(each.whole for each in others))
