"""TLS by Kafka's settings: stores of keys and certificates, `ssl.SSLContext`s made from them, and principals.

stores.py              key stores and trust stores by their settings (pem.py, jks.py, pkcs12.py: the formats)
contexts.py            a context for a listener, or for connections to other nodes (protocols.py, cipher_suites.py)
current.py             those that hold now: made anew when a setting or a file has changed
principal_mapping.py   from a certificate to a principal's name (`ssl.principal.mapping.rules`)
certificate.py         what is read in a certificate (der.py, distinguished_name.py)
failures.py            why a handshake has failed, and what to do
making.py              certificates for tests, in every format

Nothing is imported from here by a node without TLS.
"""
