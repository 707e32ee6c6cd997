"""A distinguished name as text, as RFC 2253 has it and Java's `X500Principal.getName()` writes it.

Kafka's principals of TLS clients are made from this text, and ACLs name them: it must be Java's to the letter. The last
element comes first. An attribute that RFC 2253 does not name is written as its object identifier, with the bytes of its
value in hexadecimal.
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
_ENCODINGS: Final = {
    0x0C: "utf-8",  # UTF8String
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # TeletexString
    0x16: "ascii",  # IA5String
    0x1B: "ascii",  # GeneralString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_ESCAPED: Final = frozenset(',+<>;"\\')


def name_text(name: Element) -> str:
    """`CN=alice,OU=People,O=Example`. Raises MalformedDer."""
    return ",".join(_relative_name(each) for each in reversed(name.children()))


def _relative_name(name: Element) -> str:
    """Several attributes of one element are sorted as Java does: by the text of the attribute."""
    return "+".join(sorted(_attribute(each) for each in name.children()))


def _attribute(attribute: Element) -> str:
    identifier, value = attribute.children()
    oid = der.object_identifier(identifier.content)
    keyword = _KEYWORDS.get(oid)
    encoding = _ENCODINGS.get(value.tag)
    if keyword is None or encoding is None:
        return f"{keyword or oid}=#{value.whole.hex()}"
    return f"{keyword}={_escaped(value.content.decode(encoding, 'replace'))}"


def _escaped(text: str) -> str:
    escaped = "".join(f"\\{letter}" if letter in _ESCAPED else letter for letter in text)
    leading = len(escaped) - len(escaped.lstrip(" "))
    trailing = len(escaped) - len(escaped.rstrip(" ")) if leading < len(escaped) else 0
    middle = escaped[leading : len(escaped) - trailing]
    if middle.startswith("#"):
        middle = f"\\{middle}"
    return "\\ " * leading + middle + "\\ " * trailing
