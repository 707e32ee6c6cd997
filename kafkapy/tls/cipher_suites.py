"""`ssl.cipher.suites`: Java's names, which are those of the standard, as OpenSSL calls them.

Python's `ssl` chooses among the suites of TLS 1.2 only; all three of TLS 1.3 are always offered. So a list that leaves
out a suite of TLS 1.3 is kept by looking at what was agreed on: see `Suites.allowed`.
"""

from __future__ import annotations

import re
import ssl
from typing import Final, NamedTuple

from kafkapy.settings.errors import SettingsError
from kafkapy.settings.security import SecuritySettings
from kafkapy.tls.protocols import Versions
from kafkapy.tls.stores import NameOf

_TLS13: Final = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")
"""In the order in which OpenSSL prefers them."""
_NAME: Final = re.compile(r"TLS_(?P<exchange>ECDHE_RSA|ECDHE_ECDSA|DHE_RSA|RSA)_WITH_(?P<cipher>.+)")
_CIPHERS: Final = {
    "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
    "AES_128_CBC_SHA256": "AES128-SHA256",
    "AES_256_CBC_SHA384": "AES256-SHA384",
    "AES_256_CBC_SHA256": "AES256-SHA256",
    "AES_128_CBC_SHA": "AES128-SHA",
    "AES_256_CBC_SHA": "AES256-SHA",
}
_DEFAULT: Final = (
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!SHA1:!aNULL:!eNULL:!aDSS:!AESCCM"
)
"""Forward secrecy, and no SHA-1; authenticated encryption first. Java offers weaker suites of TLS 1.2 as well."""


class Suites(NamedTuple):
    openssl: str
    """For `SSLContext.set_ciphers`."""
    versions: Versions
    """Without a version of which no suite is in the list."""
    allowed: frozenset[str] | None
    """Of TLS 1.3, those that may be agreed on; None: all."""


def suites(security: SecuritySettings, versions: Versions, name_of: NameOf) -> Suites:
    """Raises SettingsError: unknown names, or a list that cannot be kept."""
    names = security.ssl_cipher_suites
    if not names:
        return Suites(_DEFAULT, versions, None)
    setting = name_of("ssl.cipher.suites")
    new = [name for name in names if name in _TLS13]
    old = [_openssl_name(name, setting) for name in names if name not in _TLS13]
    first, last = versions
    if not new:
        last = min(last, ssl.TLSVersion.TLSv1_2)
    if not old:
        first = max(first, ssl.TLSVersion.TLSv1_3)
    if first > last:
        raise SettingsError(
            f"{setting} has no suite of the protocols in {name_of('ssl.enabled.protocols')}: add one", setting
        )
    if new and last is ssl.TLSVersion.TLSv1_3 and _TLS13[0] not in new:
        raise SettingsError(
            f"{setting} leaves out {_TLS13[0]}, which cannot be switched off in TLS 1.3 and is preferred: add it, or "
            f"write {name_of('ssl.enabled.protocols')}=TLSv1.2",
            setting,
        )
    allowed = frozenset(new) if len(set(new)) < len(_TLS13) and new else None
    return Suites(":".join(old) or _DEFAULT, Versions(first, last), allowed)


def _openssl_name(name: str, setting: str) -> str:
    match = _NAME.fullmatch(name)
    cipher = _CIPHERS.get(match["cipher"]) if match is not None else None
    if match is None or cipher is None:
        raise SettingsError(
            f"{setting} has {name}, which is unknown or weak: name suites as TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            setting,
        )
    exchange = match["exchange"].replace("_", "-")
    return cipher if exchange == "RSA" else f"{exchange}-{cipher}"
