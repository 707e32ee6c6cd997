"""What a broker reads in a certificate: whose it is, how long it holds, for which names, with what key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from kafkapy.tls import der
from kafkapy.tls.der import Element, MalformedDer
from kafkapy.tls.distinguished_name import name_text

_RSA: Final = "1.2.840.113549.1.1.1"
_ALTERNATIVE_NAMES: Final = "2.5.29.17"
_VERSION_TAG: Final = 0xA0
_EXTENSIONS_TAG: Final = 0xA3
_UTC_YEARS: Final = 50  # RFC 5280: a year of two digits below it is in this century


class Certificate:
    """An X.509 certificate. Its signature is not looked at."""

    __slots__ = (
        "alternative_names",
        "encoded",
        "issuer",
        "key_algorithm",
        "not_after",
        "not_before",
        "rsa_bits",
        "subject",
    )

    def __init__(self, encoded: bytes) -> None:
        """From DER. Raises MalformedDer."""
        self.encoded = encoded
        try:
            self._read(der.parse(encoded))
        except (IndexError, ValueError) as error:
            raise MalformedDer(f"this is not a certificate: {error}") from None

    def _read(self, certificate: Element) -> None:
        fields = certificate.children()[0].children()
        if fields[0].tag == _VERSION_TAG:
            del fields[0]
        _serial, _algorithm, issuer, validity, subject, key, *others = fields
        self.not_before, self.not_after = map(_time, validity.children())
        self.subject = name_text(subject)
        """The distinguished name as RFC 2253 writes it, and Java's X500Principal."""
        self.issuer = name_text(issuer)
        self.key_algorithm = key.children()[0].whole
        """What the key is for, as DER."""
        self.rsa_bits = _rsa_bits(key)
        """The length of the modulus; 0 if the key is of another kind."""
        extensions = next((each for each in others if each.tag == _EXTENSIONS_TAG), None)
        self.alternative_names = frozenset() if extensions is None else _alternative_names(extensions)

    def expired(self, now: datetime) -> bool:
        return now > self.not_after

    def begins_later(self, now: datetime) -> bool:
        return now < self.not_before


def _time(element: Element) -> datetime:
    text = element.content.decode("ascii")
    if element.tag == der.UTC_TIME:
        text = ("20" if int(text[:2]) < _UTC_YEARS else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _rsa_bits(key: Element) -> int:
    algorithm, bits = key.children()
    if der.object_identifier(algorithm.children()[0].content) != _RSA:
        return 0
    modulus = der.parse(bits.content[1:]).children()[0]
    return int.from_bytes(modulus.content, "big").bit_length()


def _alternative_names(extensions: Element) -> frozenset[str]:
    """Each as `tag:content`: they are compared and shown, nothing else."""
    for extension in extensions.children()[0].children():
        identifier, *_, value = extension.children()
        if der.object_identifier(identifier.content) == _ALTERNATIVE_NAMES:
            return frozenset(_alternative_name(each) for each in der.parse(value.content).children())
    return frozenset()


_NAME_KINDS: Final = {0x81: "email", 0x82: "DNS", 0x86: "URI"}
_ADDRESS_TAG: Final = 0x87
_IPV4_BYTES: Final = 4


def _alternative_name(name: Element) -> str:
    kind = _NAME_KINDS.get(name.tag)
    if kind is not None:
        return f"{kind}:{name.content.decode('latin-1')}"
    if name.tag == _ADDRESS_TAG:
        separator = "." if len(name.content) == _IPV4_BYTES else ","
        return "IP:" + separator.join(map(str, name.content))
    return f"{name.tag}:{name.content.hex()}"
