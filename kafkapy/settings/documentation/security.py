"""What each setting of SASL and TLS does."""

SECURITY = {
    "java.security.auth.login.config": "The path of a JAAS file, where sasl.jaas.config is not set; in Apache Kafka a "
    "property of the JVM.",
    "sasl.client.callback.handler.class": "The class that answers for this node when it authenticates itself to "
    "another one.",
    "sasl.enabled.mechanisms": "The SASL mechanisms that clients may choose from.",
    "sasl.jaas.config": "Login modules and their options, one JAAS entry; for brokers with the prefix of a listener "
    "and a mechanism.",
    "sasl.kerberos.kinit.cmd": "The path of the kinit program.",
    "sasl.kerberos.min.time.before.relogin": "At least so many milliseconds pass between two renewals of the Kerberos "
    "ticket.",
    "sasl.kerberos.principal.to.local.rules": "Rules that make short user names of Kerberos principals; the first "
    "that fits counts.",
    "sasl.kerberos.service.name": "The Kerberos service that the brokers run as, the first part of their principals.",
    "sasl.kerberos.ticket.renew.jitter": "Up to this share of the wait until the ticket is renewed is added at random.",
    "sasl.kerberos.ticket.renew.window.factor": "The Kerberos ticket is renewed when this share of its life is over.",
    "sasl.login.callback.handler.class": "The class that provides user names, passwords or tokens when a node logs in.",
    "sasl.login.class": "The class that logs a node in and keeps the login fresh.",
    "sasl.login.connect.timeout.ms": "A connection to the provider of tokens may take so many milliseconds.",
    "sasl.login.read.timeout.ms": "The provider of tokens has so many milliseconds for its answer.",
    "sasl.login.refresh.buffer.seconds": "A token is refreshed at least so many seconds before it expires.",
    "sasl.login.refresh.min.period.seconds": "A token is used for at least so many seconds before it is refreshed.",
    "sasl.login.refresh.window.factor": "A token is refreshed when this share of its life is over.",
    "sasl.login.refresh.window.jitter": "Up to this share of a token's life is added at random to the time of its "
    "refresh.",
    "sasl.login.retry.backoff.max.ms": "Between two attempts to get a token are at most so many milliseconds.",
    "sasl.login.retry.backoff.ms": "After a first failed attempt to get a token the next one comes after so many "
    "milliseconds.",
    "sasl.mechanism.controller.protocol": "The SASL mechanism by which nodes authenticate themselves to controllers.",
    "sasl.mechanism.inter.broker.protocol": "The SASL mechanism by which brokers authenticate themselves to each "
    "other.",
    "sasl.oauthbearer.allow.unverified.audience": "Whether tokens are taken without a look at their audience.",
    "sasl.oauthbearer.allow.unverified.issuer": "Whether tokens are taken without a look at their issuer.",
    "sasl.oauthbearer.assertion.algorithm": "The algorithm with which the assertion that is exchanged for a token is "
    "signed.",
    "sasl.oauthbearer.assertion.claim.aud": "The audience (aud) in the assertion that is exchanged for a token.",
    "sasl.oauthbearer.assertion.claim.exp.seconds": "The assertion that is exchanged for a token is valid for so many "
    "seconds.",
    "sasl.oauthbearer.assertion.claim.iss": "The issuer (iss) in the assertion that is exchanged for a token.",
    "sasl.oauthbearer.assertion.claim.jti.include": "Whether each assertion that is exchanged for a token has an id "
    "(jti) of its own.",
    "sasl.oauthbearer.assertion.claim.nbf.seconds": "The assertion that is exchanged for a token is valid from so "
    "many seconds ago.",
    "sasl.oauthbearer.assertion.claim.sub": "The subject (sub) in the assertion that is exchanged for a token.",
    "sasl.oauthbearer.assertion.file": "A file with a ready assertion, in place of one that is made and signed here.",
    "sasl.oauthbearer.assertion.private.key.file": "The file of the private key (PEM) that signs assertions.",
    "sasl.oauthbearer.assertion.private.key.passphrase": "The passphrase of the key in "
    "sasl.oauthbearer.assertion.private.key.file.",
    "sasl.oauthbearer.assertion.template.file": "A JSON file with claims and headers that every assertion gets.",
    "sasl.oauthbearer.client.credentials.client.id": "The client id that this node gives where it asks for a token.",
    "sasl.oauthbearer.client.credentials.client.secret": "The secret that this node gives where it asks for a token.",
    "sasl.oauthbearer.clock.skew.seconds": "The clocks of the issuer of tokens and of this node may differ by so many "
    "seconds.",
    "sasl.oauthbearer.expected.audience": "A token is taken if its audience is one of these; empty: whatever it is.",
    "sasl.oauthbearer.expected.issuer": "A token is taken if this is its issuer; unset: whoever it is.",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": "The keys that verify tokens are fetched again every so many "
    "milliseconds.",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": "Between two attempts to fetch the keys that verify tokens "
    "are at most so many milliseconds.",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "After a first failed attempt to fetch the keys that verify "
    "tokens the next one comes after so many milliseconds.",
    "sasl.oauthbearer.jwks.endpoint.url": "Where the keys are that verify tokens: an HTTPS address or a file.",
    "sasl.oauthbearer.jwt.retriever.class": "The class that gets tokens for this node.",
    "sasl.oauthbearer.jwt.validator.class": "The class that decides whether a token is good.",
    "sasl.oauthbearer.scope": "The scope that this node asks for when it gets a token.",
    "sasl.oauthbearer.scope.claim.name": "The claim of a token in which its scope stands.",
    "sasl.oauthbearer.sub.claim.name": "The claim of a token in which the user's name stands.",
    "sasl.oauthbearer.token.endpoint.url": "Where this node gets its tokens: an HTTPS address or a file.",
    "sasl.server.callback.handler.class": "The class that checks what clients say of themselves; with the prefix of a "
    "listener and a mechanism.",
    "sasl.server.max.receive.size": "Before a client is authenticated its messages may have at most so many bytes.",
    "ssl.allow.dn.changes": "Whether a new keystore may have another distinguished name while the broker runs.",
    "ssl.allow.san.changes": "Whether a new keystore may lack alternative names of the old one while the broker runs.",
    "ssl.cipher.suites": "The cipher suites that may be agreed on; empty: all that the protocol versions have.",
    "ssl.client.auth": "Whether clients must show a certificate: required, requested or none.",
    "ssl.enabled.protocols": "The versions of TLS that may be agreed on.",
    "ssl.endpoint.identification.algorithm": "How the host name of a server is compared with its certificate: https, "
    "or empty for not at all.",
    "ssl.engine.factory.class": "A class of the user's own that makes TLS engines.",
    "ssl.key.password": "What the private key itself is encrypted with, if not with the password of its keystore.",
    "ssl.keymanager.algorithm": "The algorithm by which Java chooses a key of the keystore.",
    "ssl.keystore.certificate.chain": "The node's certificate and those above it as PEM text, in place of a file.",
    "ssl.keystore.key": "The node's private key as PEM text, in place of a file.",
    "ssl.keystore.location": "The file with the node's private key and certificate.",
    "ssl.keystore.password": "The password of the keystore file.",
    "ssl.keystore.type": "The format of the keystore: JKS, PKCS12 or PEM.",
    "ssl.principal.mapping.rules": "Rules that make user names of the distinguished names in certificates; the first "
    "that fits counts.",
    "ssl.protocol": "The version of TLS that the node's TLS context is made for.",
    "ssl.provider": "The Java security provider that TLS comes from; unset: that of the JVM.",
    "ssl.secure.random.implementation": "The source of random numbers for TLS.",
    "ssl.trustmanager.algorithm": "The algorithm by which Java decides whether a certificate is trusted.",
    "ssl.truststore.certificates": "The trusted certificates as PEM text, in place of a file.",
    "ssl.truststore.location": "The file with the certificates that are trusted.",
    "ssl.truststore.password": "The password of the truststore file; without it the file is read unchecked.",
    "ssl.truststore.type": "The format of the truststore: JKS, PKCS12 or PEM.",
}
