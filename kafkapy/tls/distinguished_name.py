"""A distinguished name as text, as RFC 2253 has it and Java's `X500Principal.getName()` writes it.

Kafka's principals of TLS clients are made from this text, and ACLs name them: it must be Java's to the letter. The last
element comes first; several attributes of one element keep their order. An attribute that RFC 2253 does not name is
written as its object identifier, with the bytes of its value in hexadecimal.
"""

from __future__ import annotations

from typing import Final

from kafkapy.tls import der
from kafkapy.tls.der import Element

_KEYWORDS: Final = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
# UTF8String, PrintableString, TeletexString, IA5String, GeneralString, BMPString. Java takes the bytes of them all for
# UTF-8, even those of BMPString, which has two bytes a letter.
_TEXTS: Final = frozenset({0x0C, 0x13, 0x14, 0x16, 0x1B, 0x1E})
_ESCAPES: Final = str.maketrans({**{letter: f"\\{letter}" for letter in ',=+<>#;"\\'}, "\0": "\\00"})


def name_text(name: Element) -> str:
    """`CN=alice,OU=People,O=Example`. Raises MalformedDer."""
    return ",".join(_relative_name(each) for each in reversed(name.children()))


def _relative_name(name: Element) -> str:
    return "+".join(_attribute(each) for each in name.children())


def _attribute(attribute: Element) -> str:
    identifier, value = attribute.children()
    oid = der.object_identifier(identifier.content)
    keyword = _KEYWORDS.get(oid)
    if keyword is None or value.tag not in _TEXTS:
        return f"{keyword or oid}=#{value.whole.hex()}"
    return f"{keyword}={_escaped(value.content.decode('utf-8', 'replace'))}"


def _escaped(text: str) -> str:
    escaped = text.translate(_ESCAPES)
    leading = len(escaped) - len(escaped.lstrip(" "))
    trailing = len(escaped) - len(escaped.rstrip(" ")) if leading < len(escaped) else 0
    return "\\ " * leading + escaped[leading : len(escaped) - trailing] + "\\ " * trailing
