"""`ssl.SSLContext`s by Kafka's settings: for a listener, and for connections to other nodes or brokers."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafkapy.settings.errors import SettingsError
from kafkapy.tls.cipher_suites import suites
from kafkapy.tls.principal_mapping import PrincipalMapping
from kafkapy.tls.protocols import versions
from kafkapy.tls.stores import load_key_store, load_trust_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.settings.security import SecuritySettings
    from kafkapy.tls.stores import KeyStore, NameOf, TrustStore

Cipher = tuple[str, str, int]
"""As `SSLObject.cipher` gives it: its name, the version of TLS, the bits of its key."""
CLIENT_AUTH: Final = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
QUICK_RSA_BITS_MAX: Final = 2_048
"""A signature with a key of 2048 bits takes a third of a millisecond, one of 4096 bits ten times as long."""


class ListenerTls:
    """What a listener with TLS needs for its handshakes. Immutable: a change makes a new one."""

    __slots__ = (
        "allowed_suites",
        "asks_for_certificate",
        "context",
        "is_slow",
        "key_store",
        "mapping",
        "names_clients",
    )

    def __init__(self, security: SecuritySettings, name_of: NameOf, *, has_sasl: bool = False) -> None:
        """Loads the stores. `has_sasl`: clients log in by SASL, so that they are asked for a certificate only where the
        listener has its own ssl.client.auth (KIP-684). Raises SettingsError. Blocks.
        """
        key_store = load_key_store(security, name_of)
        if key_store is None:
            name = name_of("ssl.keystore.location")
            raise SettingsError(
                f"{name} is not given, and a listener with TLS needs a key and its certificate: `kafkapy certs` makes "
                "them for tests",
                name,
            )
        self.key_store = key_store
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.allowed_suites = _set_up(context, security, name_of, key_store)
        name = "ssl.client.auth"
        asks = not has_sasl or name_of(name) != name
        context.verify_mode = CLIENT_AUTH[security.ssl_client_auth] if asks else ssl.CERT_NONE
        self.names_clients = not has_sasl
        """Whether the certificate of a client says who it is."""
        self.asks_for_certificate = context.verify_mode is not ssl.CERT_NONE
        trust_store = load_trust_store(security, name_of)
        if self.asks_for_certificate:
            _trust(context, trust_store)
        elif trust_store is not None:  # a later ssl.client.auth, or a connection to another node, would find it broken
            _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trust_store)
        self.is_slow = key_store.certificate.rsa_bits > QUICK_RSA_BITS_MAX
        """Whether a handshake takes so long that a worker thread does it."""
        self.mapping = PrincipalMapping(
            security.ssl_principal_mapping_rules or "DEFAULT", name_of("ssl.principal.mapping.rules")
        )

    def may_use(self, cipher: Cipher | None) -> bool:
        """Whether this suite, which was agreed on, is one of `ssl.cipher.suites`."""
        return _may_use(self.allowed_suites, cipher)


class ClientTls:
    """What connections to brokers or controllers need."""

    __slots__ = ("allowed_suites", "checks_host", "context", "key_store")

    def __init__(self, security: SecuritySettings, name_of: NameOf) -> None:
        """Loads the stores. Raises SettingsError. Blocks."""
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        algorithm, name = security.ssl_endpoint_identification_algorithm, "ssl.endpoint.identification.algorithm"
        if algorithm.lower() not in ("", "https"):
            raise SettingsError(
                f"{name_of(name)} is {algorithm}, which is not served: write https, or nothing to trust any host that "
                "has a trusted certificate",
                name_of(name),
            )
        self.checks_host = context.check_hostname = bool(algorithm)
        self.key_store = load_key_store(security, name_of)
        self.allowed_suites = _set_up(context, security, name_of, self.key_store)
        _trust(context, load_trust_store(security, name_of))

    def may_use(self, cipher: Cipher | None) -> bool:
        """Whether this suite, which was agreed on, is one of `ssl.cipher.suites`."""
        return _may_use(self.allowed_suites, cipher)


def _may_use(allowed: frozenset[str] | None, cipher: Cipher | None) -> bool:
    return allowed is None or cipher is None or cipher[1] != "TLSv1.3" or cipher[0] in allowed


def _set_up(
    context: ssl.SSLContext, security: SecuritySettings, name_of: NameOf, key_store: KeyStore | None
) -> frozenset[str] | None:
    chosen = suites(security, versions(security, name_of), name_of)
    context.minimum_version, context.maximum_version = chosen.versions
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.set_ciphers(chosen.openssl)
    except ssl.SSLError:
        name = name_of("ssl.cipher.suites")
        raise SettingsError(f"{name} has no suite that this machine's OpenSSL allows: name others", name) from None
    if key_store is not None:
        _load_key(context, key_store, name_of)
    return chosen.allowed


def _load_key(context: ssl.SSLContext, key_store: KeyStore, name_of: NameOf) -> None:
    setting = key_store.setting
    try:
        with _as_file(key_store.pem_text) as path:
            context.load_cert_chain(path, password=key_store.password)
    except ssl.SSLError as error:
        raise _key_refused((error.reason or str(error)).upper(), key_store, name_of) from None
    except (OSError, ValueError) as error:  # a password that is too long
        raise SettingsError(f"{setting} cannot be used: {error}", setting) from None


def _key_refused(reason: str, key_store: KeyStore, name_of: NameOf) -> SettingsError:
    setting, subject = key_store.setting, key_store.certificate.subject
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        what = f"has a private key that does not belong to the certificate of {subject}"
        advice = "put the key and its own certificate, first of the chain, there"
    elif "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        what = f"has a key or a signature that is too weak for OpenSSL ({reason})"
        advice = "make one with RSA of 2048 bits or more, signed with SHA-256"
    elif key_store.password is not None:
        name = name_of("ssl.key.password")
        return SettingsError(f"{name} does not open the private key of {setting}: correct it", name)
    else:
        what, advice = f"has a private key that cannot be used ({reason})", "make it anew"
    return SettingsError(f"{setting} {what}: {advice}", setting)


def _trust(context: ssl.SSLContext, store: TrustStore | None) -> None:
    """Trust these certificates, whether they are of a CA or not, as Java does; without a store, those of the system."""
    if store is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        for certificate in store.certificates:
            context.load_verify_locations(cadata=certificate)
    except ssl.SSLError as error:
        text = f"{store.setting} has a certificate that cannot be read ({error.reason}): remove or replace it"
        raise SettingsError(text, store.setting) from None


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path under which OpenSSL reads `text`, which is a private key: in memory where the system has such files."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("kafkapy")
        try:
            os.write(descriptor, text.encode("utf-8"))
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # only its owner can read it
        file.write(text)
        file.flush()
        yield file.name
