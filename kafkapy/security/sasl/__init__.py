"""SASL of a node as server: from bytes of a client to its principal, without sockets.

authenticator   one connection: which requests may come, and what they are answered
exchange        what every mechanism is
plain, scram, oauthbearer, kerberos  mechanisms
unsecured, jwks, claims    tokens that are believed
mechanisms      those of one listener, by its settings
node_logins     how this node logs in at others
"""
