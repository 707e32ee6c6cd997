"""Key stores and trust stores, by Kafka's settings: from files in PEM, PKCS #12 or JKS, or from PEM in the settings.

As in Java, a store of the type JKS may in fact be PKCS #12, and the other way round: `keytool` writes PKCS #12 by
default. Every error names the setting at fault, and says what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.settings.errors import SettingsError
from kafkapy.settings.files import read_regular
from kafkapy.settings.security import SecuritySettings
from kafkapy.tls import jks, pem
from kafkapy.tls.certificate import Certificate
from kafkapy.tls.der import MalformedDer

if TYPE_CHECKING:
    from kafkapy.tls.pkcs12 import Pkcs12Store

logger = logging.getLogger("kafkapy.tls")

NameOf = Callable[[str], str]
"""From a setting's plain name to the one by which it was given (`listener.name.outside.ssl.keystore.location`)."""

PEM: Final = "PEM"
JKS: Final = "JKS"
PKCS12: Final = "PKCS12"
_TYPES: Final = (PEM, JKS, PKCS12)
_DER_SEQUENCE: Final = b"\x30"
STORE_BYTES_MAX: Final = 16 << 20


class KeyStore(NamedTuple):
    """A private key with its certificate, as OpenSSL wants them."""

    chain: tuple[Certificate, ...]
    """The certificate of the key first, then those that have signed it."""
    key: str
    """PEM."""
    password: str | None
    """Of the key, if it is encrypted."""
    setting: str
    """Which setting the key comes from, for messages."""

    @property
    def certificate(self) -> Certificate:
        return self.chain[0]

    @property
    def pem_text(self) -> str:
        return self.key + "".join(pem.encode(pem.CERTIFICATE, each.encoded) for each in self.chain)


class TrustStore(NamedTuple):
    certificates: tuple[bytes, ...]
    """DER."""
    setting: str


def store_files(security: SecuritySettings) -> tuple[str, ...]:
    """The files that the two stores are in."""
    return tuple(filter(None, (security.ssl_keystore_location, security.ssl_truststore_location)))


def load_key_store(security: SecuritySettings, name_of: NameOf) -> KeyStore | None:
    """None: no key store is given. Raises SettingsError, with Kafka's rules for what goes together. Blocks."""
    location, inline = security.ssl_keystore_location, security.ssl_keystore_key
    of_type, password = _type(security.ssl_keystore_type, name_of("ssl.keystore.type")), security.ssl_keystore_password
    where, inline_name = name_of("ssl.keystore.location"), name_of("ssl.keystore.key")
    password_name = name_of("ssl.keystore.password")
    if inline is not None:
        if of_type != PEM:
            raise _refused(name_of("ssl.keystore.type"), f"is {of_type}, but a key in a setting is PEM", "write PEM")
        if security.ssl_keystore_certificate_chain is None:
            raise _refused(inline_name, "is given without its certificates", "give ssl.keystore.certificate.chain, too")
        if location is not None:
            raise _refused(where, f"and {inline_name} both give a key", "remove one of them")
        _refuse_pem_password(password, password_name)
        text = inline + "\n" + security.ssl_keystore_certificate_chain
        store = _key_store_of_pem(text, security, name_of, inline_name)
    elif security.ssl_keystore_certificate_chain is not None:
        name = name_of("ssl.keystore.certificate.chain")
        raise _refused(name, "is given without the private key", "give ssl.keystore.key, too")
    elif location is None:
        if password is not None:
            raise _refused(password_name, "is given without a key store", "give ssl.keystore.location, too")
        return None
    elif of_type == PEM:
        _refuse_pem_password(password, password_name)
        store = _key_store_of_pem(_text(location, where), security, name_of, where)
    else:
        if password is None:
            raise _refused(where, f"names a key store in {of_type} without its password", f"give {password_name}, too")
        store = _key_store_of_file(_read(location, where), location, password, security, name_of)
    _check_validity(store)
    return store


def load_trust_store(security: SecuritySettings, name_of: NameOf) -> TrustStore | None:
    """None: no trust store is given. Raises SettingsError. Blocks."""
    location, inline = security.ssl_truststore_location, security.ssl_truststore_certificates
    of_type, password = (
        _type(security.ssl_truststore_type, name_of("ssl.truststore.type")),
        security.ssl_truststore_password,
    )
    where, inline_name = name_of("ssl.truststore.location"), name_of("ssl.truststore.certificates")
    password_name = name_of("ssl.truststore.password")
    if inline is not None:
        if of_type != PEM:
            name = name_of("ssl.truststore.type")
            raise _refused(name, f"is {of_type}, but certificates in a setting are PEM", "write PEM")
        if location is not None:
            raise _refused(where, f"and {inline_name} both give certificates", "remove one of them")
        _refuse_pem_password(password, password_name)
        return _trust_store_of_pem(inline, inline_name)
    if location is None:
        if password is not None:
            raise _refused(password_name, "is given without a trust store", "give ssl.truststore.location, too")
        return None
    if of_type == PEM:
        _refuse_pem_password(password, password_name)
        return _trust_store_of_pem(_text(location, where), where)
    data = _read(location, where)
    if data.startswith(jks.MAGIC):
        try:
            store = jks.read(data, password)
        except jks.WrongPassword as error:
            raise _refused(password_name, f"does not open {location}: {error}", "correct it") from None
        except jks.MalformedJks as error:
            raise _refused(where, f"names {location}, which cannot be read: {error}", "make the store anew") from None
        found = tuple(entry.certificate for entry in store.trusted)
    else:
        if password is None:
            what = f"names {location}, whose certificates are encrypted, and its password is missing"
            raise _refused(where, what, f"give {password_name}, too")
        found = _pkcs12(data, location, password, where, password_name).certificates
    if not found:
        what = f"names {location}, in which there is no trusted certificate"
        raise _refused(where, what, "import that of the CA, with keytool -importcert")
    return TrustStore(found, where)


def _key_store_of_file(
    data: bytes, location: str, password: str, security: SecuritySettings, name_of: NameOf
) -> KeyStore:
    where, password_name = name_of("ssl.keystore.location"), name_of("ssl.keystore.password")
    if not data.startswith(jks.MAGIC):
        found = _pkcs12(data, location, password, where, password_name)
        if found.key is None:
            raise _refused(where, f"names {location}, in which there is no private key", "put the broker's key into it")
        chain = _in_order(_certificates(found.chain, where, location))
        return KeyStore(chain, pem.encode(pem.PRIVATE_KEY, found.key), None, where)
    try:
        store = jks.read(data, password)
    except jks.WrongPassword as error:
        raise _refused(password_name, f"does not open {location}: {error}", "correct it") from None
    except jks.MalformedJks as error:
        raise _refused(where, f"names {location}, which cannot be read: {error}", "make the store anew") from None
    if not store.keys:
        raise _refused(where, f"names {location}, in which there is no private key", "put the broker's key into it")
    entry = store.keys[0]
    if not entry.chain:
        raise _refused(where, f"names {location}, in which the key has no certificate", "put its certificate into it")
    key_password = security.ssl_key_password
    try:
        key = entry.private_key(password if key_password is None else key_password)
    except jks.WrongPassword as error:
        name = name_of("ssl.key.password")
        raise _refused(name, f"does not open the key in {location}: {error}", f"give {name} as it was set") from None
    except jks.MalformedJks as error:
        raise _refused(where, f"names {location}, which cannot be read: {error}", "make the store anew") from None
    return KeyStore(_certificates(entry.chain, where, location), pem.encode(pem.PRIVATE_KEY, key), None, where)


def _key_store_of_pem(text: str, security: SecuritySettings, name_of: NameOf, setting: str) -> KeyStore:
    found = _blocks(text, setting)
    keys = [block for block in found if block.label.endswith(pem.PRIVATE_KEY)]
    if not keys:
        raise _refused(setting, "has no BEGIN PRIVATE KEY", "give a private key in PKCS #8")
    key = keys[0]
    if key.label not in (pem.PRIVATE_KEY, pem.ENCRYPTED_PRIVATE_KEY):
        what = f"has a BEGIN {key.label}, which Apache Kafka does not read"
        raise _refused(setting, what, "convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW")
    password = security.ssl_key_password
    if key.label == pem.ENCRYPTED_PRIVATE_KEY and password is None:
        raise _refused(setting, "has an encrypted key without its password", f"give {name_of('ssl.key.password')}, too")
    certificates = [block.content for block in found if block.label == pem.CERTIFICATE]
    if not certificates:
        raise _refused(setting, "has no BEGIN CERTIFICATE", "add the certificate of the key, and those that signed it")
    chain = _certificates(certificates, setting, "the text")
    return KeyStore(chain, key.text, password if key.label == pem.ENCRYPTED_PRIVATE_KEY else None, setting)


def _trust_store_of_pem(text: str, setting: str) -> TrustStore:
    found = tuple(block.content for block in _blocks(text, setting) if block.label == pem.CERTIFICATE)
    if not found:
        raise _refused(setting, "has no BEGIN CERTIFICATE", "give the certificate of the CA")
    return TrustStore(found, setting)


def _blocks(text: str, setting: str) -> list[pem.Block]:
    try:
        return pem.blocks(text)
    except pem.MalformedPem as error:
        raise _refused(setting, f"is not PEM: {error}", "correct it") from None


def _pkcs12(data: bytes, location: str, password: str, where: str, password_name: str) -> Pkcs12Store:
    from kafkapy.tls import pkcs12

    if not data.startswith(_DER_SEQUENCE):
        what = f"names {location}, which is neither PKCS #12 nor JKS"
        advice = f"write {where.replace('location', 'type')}=PEM" if b"-----BEGIN" in data else "name a key store"
        raise _refused(where, what, advice)
    try:
        return pkcs12.read(data, password)
    except pkcs12.NotInstalled:
        what = f"names {location}, and the library that reads PKCS #12 is not installed"
        raise _refused(where, what, "pip install cryptography, or use PEM") from None
    except pkcs12.UnreadablePkcs12 as error:
        what = f"does not open {location}, or that file is damaged ({error})"
        raise _refused(password_name, what, "correct it") from None


def _certificates(encoded: list[bytes] | tuple[bytes, ...], setting: str, where: str) -> tuple[Certificate, ...]:
    try:
        return tuple(map(Certificate, encoded))
    except MalformedDer as error:
        raise _refused(setting, f"has a certificate that cannot be read in {where}: {error}", "correct it") from None


def _in_order(certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """The first, then the one that has signed it, and so on: PKCS #12 has them in any order, with others perhaps."""
    chain = [certificates[0]]
    others = list(certificates[1:])
    while chain[-1].issuer != chain[-1].subject:
        signer = next((one for one in others if one.subject == chain[-1].issuer), None)
        if signer is None:
            break
        others.remove(signer)
        chain.append(signer)
    return tuple(chain)


def _check_validity(store: KeyStore) -> None:
    """Raises SettingsError: no client would take the certificate."""
    certificate, now = store.certificate, datetime.now(UTC)
    whose = f"has the certificate of {certificate.subject}, which"
    if certificate.expired(now):
        what = f"{whose} has expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC"
        raise _refused(store.setting, what, "renew it, for every client refuses it")
    if certificate.begins_later(now):
        what = f"{whose} only holds from {certificate.not_before:%Y-%m-%d %H:%M} UTC on"
        raise _refused(store.setting, what, "wait, or correct the clock of this machine")
    for signer in store.chain[1:]:
        if signer.expired(now):  # not refused: clients may trust another one of the same name and key
            logger.warning(
                "%s has the certificate of %s in its chain, which has expired on %s UTC: replace it, for most clients "
                "refuse the chain",
                store.setting,
                signer.subject,
                f"{signer.not_after:%Y-%m-%d %H:%M}",
            )


def _refuse_pem_password(password: str | None, name: str) -> None:
    if password is not None:
        what = "is given for PEM, which has no password of the store"
        raise _refused(name, what, "remove it; that of an encrypted key is ssl.key.password")


def _type(text: str, name: str) -> str:
    of_type = text.strip().upper()
    if of_type not in _TYPES:
        raise _refused(name, f"is {text}, which is not served", f"write {', '.join(_TYPES[:-1])} or {_TYPES[-1]}")
    return of_type


def _text(location: str, setting: str) -> str:
    return _read(location, setting).decode("utf-8", "replace")


def _read(location: str, setting: str) -> bytes:
    try:
        data = read_regular(location, STORE_BYTES_MAX + 1)
    except OSError as error:
        raise _refused(setting, f"names {location}, which cannot be read ({error.strerror})", "name the file") from None
    except ValueError:  # a path with a NUL
        raise _refused(setting, "is not a path", "name the file") from None
    if len(data) > STORE_BYTES_MAX:
        raise _refused(setting, f"names {location}, which is too large for a store", "name the file") from None
    if not data:
        raise _refused(setting, f"names {location}, which is empty", "name the file")
    return data


def _refused(name: str, what: str, advice: str) -> SettingsError:
    return SettingsError(f"{name} {what}: {advice}", name)
