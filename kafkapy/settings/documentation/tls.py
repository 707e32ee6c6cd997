"""Sentences on the settings of TLS."""

from __future__ import annotations

from typing import Final

TLS: Final = {
    "security.providers": "Java's security providers.",
    "ssl.allow.dn.changes": "Whether a key store that changes while the node runs may have another distinguished name.",
    "ssl.allow.san.changes": "Whether a key store that changes while the node runs may lack alternative names that it "
    "had.",
    "ssl.cipher.suites": "The cipher suites that may be agreed on, by their standard names; empty: all that are safe.",
    "ssl.client.auth": "Whether clients must have a certificate (required), may have one (requested), or are not asked "
    "for one (none).",
    "ssl.enabled.protocols": "The versions of TLS that are spoken.",
    "ssl.endpoint.identification.algorithm": "https: a node checks that the certificate of another one is for the host "
    "that it connects to; empty: any trusted certificate will do.",
    "ssl.engine.factory.class": "The Java class that makes TLS engines.",
    "ssl.key.password": "The password of the private key, where it has one of its own.",
    "ssl.keymanager.algorithm": "Java's algorithm that chooses keys.",
    "ssl.keystore.certificate.chain": "The certificate of ssl.keystore.key and those that have signed it, in PEM.",
    "ssl.keystore.key": "The private key in PKCS #8, in PEM, in place of a file.",
    "ssl.keystore.location": "The file with the private key and its certificate.",
    "ssl.keystore.password": "The password of the key store, in PKCS12 or JKS.",
    "ssl.keystore.type": "The format of the key store: PEM, PKCS12 or JKS.",
    "ssl.principal.mapping.rules": "Rules that make the name of a principal from the distinguished name of a client's "
    "certificate; DEFAULT takes the whole name.",
    "ssl.protocol": "The newest version of TLS, where ssl.enabled.protocols is empty.",
    "ssl.provider": "Java's security provider.",
    "ssl.secure.random.implementation": "Java's source of random numbers.",
    "ssl.trustmanager.algorithm": "Java's algorithm that checks certificates.",
    "ssl.truststore.certificates": "The certificates that are trusted, in PEM, in place of a file.",
    "ssl.truststore.location": "The file with the certificates that are trusted; without one those of the system are.",
    "ssl.truststore.password": "The password of the trust store, in PKCS12 or JKS.",
    "ssl.truststore.type": "The format of the trust store: PEM, PKCS12 or JKS.",
}
