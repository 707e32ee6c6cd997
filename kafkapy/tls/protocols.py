"""`ssl.enabled.protocols` and `ssl.protocol`: which versions of TLS are spoken."""

from __future__ import annotations

import ssl
from typing import Final, NamedTuple

from kafkapy.settings.errors import SettingsError
from kafkapy.settings.security import SecuritySettings
from kafkapy.tls.stores import NameOf

_SERVED: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_OLD: Final = ("SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1")
"""Java knows their names, and its security policy forbids them."""
_NEWEST_BY_PROTOCOL: Final = {"TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3", "TLS": "TLSv1.3"}
"""What `ssl.protocol` enables where `ssl.enabled.protocols` is empty."""


class Versions(NamedTuple):
    first: ssl.TLSVersion
    last: ssl.TLSVersion


def versions(security: SecuritySettings, name_of: NameOf) -> Versions:
    """Raises SettingsError: unknown names, or none that is still safe."""
    newest = _NEWEST_BY_PROTOCOL.get(security.ssl_protocol)
    if newest is None:
        known = ", ".join(_NEWEST_BY_PROTOCOL)
        text = f"{name_of('ssl.protocol')} is {security.ssl_protocol}, which is not served: write one of {known}"
        raise SettingsError(text, name_of("ssl.protocol"))
    name, enabled = name_of("ssl.enabled.protocols"), security.ssl_enabled_protocols
    if not enabled:
        enabled = tuple(_SERVED)[: list(_SERVED).index(newest) + 1]
    for each in enabled:
        if each not in _SERVED and each not in _OLD:
            raise SettingsError(f"{name} has {each}, which is no protocol: write {' or '.join(_SERVED)}", name)
    found = sorted(_SERVED[each] for each in set(enabled) & _SERVED.keys())
    if not found:
        asked = ", ".join(enabled)
        raise SettingsError(f"{name} is {asked}, which Java refuses, too: write {','.join(_SERVED)}", name)
    return Versions(found[0], found[-1])
