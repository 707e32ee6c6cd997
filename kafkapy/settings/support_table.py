"""What kafkapy makes of each of Kafka's settings: honoured, harmless here, refused, or later.

    honoured   it does what Kafka's documentation says, within the limits that the reason tells
    harmless   it is accepted and changes nothing, and nobody can tell: the reason says why
    refused    the node does not start with it (unless its value is Kafka's default), as it would open or lose something
    later      it has an effect that kafkapy does not have yet: the node starts, with one line that says so

Only data: `support.py` looks things up. Tests hold that every setting is here once, and that each one that is called
honoured has a test in which its effect is seen. docs/settings.md is made from here.
"""

from __future__ import annotations

from collections.abc import Mapping

HONOURED, HARMLESS, REFUSED, LATER = "honoured", "harmless", "refused", "later"

_SEVERAL_NODES = "in a cluster; a node alone has nobody to wait for"
_SEVERAL_DIRECTORIES = "with several log.dirs"

# What is missing, and what to do about it.
_REMOVE = "remove the setting"
_WARM_UPS = ("Apache Kafka 4.4 assigns no warm-up tasks yet, and so does this", _REMOVE)
_TOPOLOGY_DESCRIPTIONS = ("Java classes cannot be run, so that topologies have no descriptions", _REMOVE)
_TIERED_STORAGE = ("there is no tiered storage", "all segments stay in log.dirs; remove the setting")
_METRICS = ("there are no JMX metrics, and Java classes cannot be run", "remove the setting; nothing else changes")
_PREALLOCATION = ("segment files grow as they are written, and reserve no room", "keep some room on the disk free")

_DECOMPRESSED = "a batch takes at most 64 MiB decompressed in any case, or max.message.bytes if that is more"

_COMPUTED_AT_ONCE = "a short assignment is made with the heartbeat that asks for it, a long one by a worker thread"

# Why a node does not start, and what to do about it.
NO_CONFIG_PROVIDERS = (
    "kafkapy does not ask configuration providers, so this text itself would be the value",
    "write the value, or give it by a KAFKA_* variable",
)
_POLICIES = (
    "Java classes cannot be run, so that everything would be allowed that the policy forbids",
    "remove it, or use Apache Kafka",
)
_QUOTA_CALLBACK = ("Java classes cannot be run, so that no client would have its quotas", "remove it")
_DEAD_LETTER_MANAGER = ("Java classes cannot be run, so that dead letters would go somewhere else", "remove it")
_PRINCIPAL_BUILDER = ("Java classes cannot be run, so that clients would have other principals", "remove it")
_ENGINE_FACTORY = (
    "Java classes cannot be run, so that keys and trust would come from elsewhere",
    "remove it, and give ssl.keystore.location",
)
_REMOTE_STORAGE = ("there is no tiered storage, so that records would not go where they are to be kept", "remove it")

# Why it does not matter.
_NO_THREADS = "one task serves all requests, and worker threads are started when they are needed"
_NO_PURGATORY = "requests that wait are forgotten at once when they are answered"
# State -> reason, or what is missing and what to do -> names.
Table = Mapping[str, Mapping[str | tuple[str, str], str]]

BROKER: Table = {
    HONOURED: {
        "": """
            add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
            advertised.listeners auto.create.topics.enable broker.id broker.rack compression.gzip.level
            compression.lz4.level compression.type compression.zstd.level connections.max.idle.ms
            controller.listener.names controller.quorum.auto.join.enable controller.quorum.bootstrap.servers
            controller.quota.window.num controller.quota.window.size.seconds
            quota.window.num quota.window.size.seconds
            controller.quorum.voters cordoned.log.dirs default.replication.factor
            delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms delegation.token.max.lifetime.ms
            delegation.token.secret.key
            delete.topic.enable errors.deadletterqueue.auto.create.topics.enable
            errors.deadletterqueue.topic.name.prefix fetch.max.bytes
            group.consumer.assignment.interval.ms group.consumer.assignors group.consumer.heartbeat.interval.ms
            group.consumer.max.assignment.interval.ms group.consumer.max.heartbeat.interval.ms
            group.consumer.max.session.timeout.ms group.consumer.max.size group.consumer.migration.policy
            group.consumer.min.assignment.interval.ms group.consumer.min.heartbeat.interval.ms
            group.consumer.min.session.timeout.ms group.consumer.regex.refresh.interval.ms
            group.consumer.session.timeout.ms
            group.share.assignment.interval.ms group.share.delivery.count.limit group.share.heartbeat.interval.ms
            group.share.initialize.retry.interval.ms group.share.max.assignment.interval.ms
            group.share.max.delivery.count.limit group.share.max.heartbeat.interval.ms
            group.share.max.partition.max.record.locks group.share.max.record.lock.duration.ms
            group.share.max.session.timeout.ms group.share.max.share.sessions group.share.max.size
            group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
            group.share.min.heartbeat.interval.ms group.share.min.partition.max.record.locks
            group.share.min.record.lock.duration.ms group.share.min.session.timeout.ms
            group.share.partition.max.record.locks group.share.record.lock.duration.ms group.share.session.timeout.ms
            group.streams.acceptable.recovery.lag group.streams.assignment.interval.ms
            group.streams.heartbeat.interval.ms group.streams.initial.rebalance.delay.ms
            group.streams.max.assignment.interval.ms group.streams.max.heartbeat.interval.ms
            group.streams.max.session.timeout.ms group.streams.max.size group.streams.max.standby.replicas
            group.streams.min.assignment.interval.ms group.streams.min.heartbeat.interval.ms
            group.streams.min.session.timeout.ms group.streams.min.task.offset.interval.ms
            group.streams.num.standby.replicas group.streams.rack.aware.assignment.tags
            group.streams.session.timeout.ms group.streams.task.offset.interval.ms
            share.coordinator.cold.partition.snapshot.interval.ms
            share.coordinator.snapshot.update.records.per.snapshot
            share.coordinator.state.topic.compression.codec share.coordinator.state.topic.min.isr
            share.coordinator.state.topic.num.partitions share.coordinator.state.topic.prune.interval.ms
            share.coordinator.state.topic.replication.factor share.coordinator.state.topic.segment.bytes
            share.coordinator.write.timeout.ms
            security.inter.broker.protocol ssl.allow.dn.changes ssl.allow.san.changes ssl.client.auth
            ssl.endpoint.identification.algorithm
            ssl.key.password ssl.keystore.certificate.chain ssl.keystore.key ssl.keystore.password
            ssl.truststore.certificates ssl.truststore.password
            group.coordinator.rebalance.protocols
            group.initial.rebalance.delay.ms group.max.session.timeout.ms group.max.size group.min.session.timeout.ms
            inter.broker.listener.name internal.metadata.delete.delay.millis internal.metadata.log.segment.bytes
            log.cleaner.backoff.ms log.cleaner.dedupe.buffer.size
            log.cleaner.delete.retention.ms log.cleaner.enable log.cleaner.io.buffer.load.factor
            log.cleaner.io.max.bytes.per.second log.cleaner.max.compaction.lag.ms log.cleaner.min.cleanable.ratio
            log.cleaner.min.compaction.lag.ms log.cleaner.threads log.cleanup.policy log.dir log.dirs
            log.flush.interval.messages log.flush.interval.ms log.flush.offset.checkpoint.interval.ms
            log.flush.scheduler.interval.ms log.index.interval.bytes log.index.size.max.bytes log.initial.task.delay.ms
            log.message.timestamp.after.max.ms log.message.timestamp.before.max.ms log.message.timestamp.type
            log.retention.bytes log.retention.check.interval.ms log.retention.hours log.retention.minutes
            log.retention.ms log.roll.hours log.roll.jitter.hours log.roll.jitter.ms log.roll.ms log.segment.bytes
            log.segment.delete.delay.ms max.connection.creation.rate max.connections max.connections.per.ip
            max.connections.per.ip.overrides max.incremental.fetch.session.cache.slots
            max.request.partition.size.limit message.max.bytes metadata.log.dir
            metadata.log.max.record.bytes.between.snapshots
            metadata.log.max.snapshot.interval.ms metadata.log.segment.bytes metadata.log.segment.ms
            metadata.max.retention.bytes metadata.max.retention.ms node.id num.partitions offset.metadata.max.bytes
            offsets.commit.timeout.ms process.roles
            offsets.retention.check.interval.ms offsets.retention.minutes offsets.topic.compression.codec
            offsets.topic.num.partitions offsets.topic.replication.factor offsets.topic.segment.bytes
            producer.id.expiration.check.interval.ms producer.id.expiration.ms
            replica.high.watermark.checkpoint.interval.ms request.timeout.ms socket.listen.backlog.size
            socket.receive.buffer.bytes socket.request.max.bytes socket.send.buffer.bytes
            transaction.abort.timed.out.transaction.cleanup.interval.ms transaction.max.timeout.ms
            transaction.partition.verification.enable transaction.remove.expired.transaction.cleanup.interval.ms
            transaction.state.log.min.isr transaction.state.log.num.partitions
            transaction.state.log.replication.factor transaction.state.log.segment.bytes
            transactional.id.expiration.ms
        """,
        "kafkapy.ClientTelemetryReceiver keeps the metrics that clients push; Java classes cannot be run": (
            "metric.reporters"
        ),
        "where metric.reporters names kafkapy.ClientTelemetryReceiver": "telemetry.max.bytes",
        _SEVERAL_NODES: """
            auto.leader.rebalance.enable broker.heartbeat.interval.ms broker.session.timeout.ms
            controlled.shutdown.enable controller.quorum.election.backoff.max.ms
            controller.quorum.election.timeout.ms controller.quorum.fetch.timeout.ms
            controller.quorum.request.timeout.ms controller.quorum.retry.backoff.ms
            initial.broker.registration.timeout.ms leader.imbalance.check.interval.seconds
            metadata.max.idle.interval.ms num.replica.fetchers
            replica.fetch.backoff.ms replica.fetch.max.bytes replica.fetch.min.bytes replica.fetch.response.max.bytes
            replica.fetch.wait.max.ms replica.lag.time.max.ms replica.socket.timeout.ms replication.quota.window.num
            replication.quota.window.size.seconds unclean.leader.election.enable unclean.leader.election.interval.ms
        """,
        _SEVERAL_DIRECTORIES: """
            alter.log.dirs.replication.quota.window.num alter.log.dirs.replication.quota.window.size.seconds
            log.dir.failure.timeout.ms
        """,
        "Apache Kafka's StandardAuthorizer, or none: a node with another does not start": "authorizer.class.name",
        "Apache Kafka's RackAwareReplicaSelector, or none: a node with another does not start": (
            "replica.selector.class"
        ),
        "at listeners with SASL": """
            connection.failed.authentication.delay.ms connections.max.reauth.ms sasl.server.max.receive.size
        """,
        "at listeners with OAUTHBEARER, for tokens with signatures (with the extra `oauth`)": """
            sasl.oauthbearer.allow.unverified.audience sasl.oauthbearer.allow.unverified.issuer
            sasl.oauthbearer.clock.skew.seconds sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer
            sasl.oauthbearer.jwks.endpoint.refresh.ms sasl.oauthbearer.jwks.endpoint.url
            sasl.oauthbearer.jwt.validator.class sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name
        """,
        "with the extra `kerberos`; patterns are RE2's": "sasl.kerberos.principal.to.local.rules",
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and GSSAPI: a node with another one does not start": (
            "sasl.enabled.mechanisms"
        ),
        "those of listeners: GSSAPI with a keytab, OAUTHBEARER with tokens of an endpoint, of a file, or unsecured": """
            sasl.mechanism.controller.protocol sasl.mechanism.inter.broker.protocol
        """,
        "with GSSAPI: a node without it, or serviceName in JAAS, does not start": "sasl.kerberos.service.name",
        "where nodes log in at one another by OAUTHBEARER, with OAuthBearerLoginCallbackHandler": """
            sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
            sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor sasl.login.refresh.window.jitter
            sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms
            sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
            sasl.oauthbearer.scope sasl.oauthbearer.token.endpoint.url
        """,
        "where nodes log in at one another by OAUTHBEARER, with the extra `oauth` where they are to be signed": """
            sasl.oauthbearer.assertion.algorithm
            sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
            sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
            sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub
            sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.private.key.file
            sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.template.file
        """,
        "with classes of Apache Kafka: a node with another one does not start": """
            sasl.jaas.config sasl.server.callback.handler.class
        """,
        "with classes of Apache Kafka: a node of a cluster with another one does not start": """
            sasl.client.callback.handler.class sasl.login.callback.handler.class sasl.login.class
            sasl.oauthbearer.jwt.retriever.class
        """,
        "not while the node runs": """
            listener.security.protocol.map listeners
        """,
        "stores in PEM, PKCS12 (with the extra `tls`) and JKS": """
            ssl.keystore.location ssl.keystore.type ssl.truststore.location ssl.truststore.type
        """,
        "TLSv1.2 and TLSv1.3; older ones are passed over": "ssl.enabled.protocols",
        "TLS, TLSv1.2 or TLSv1.3, where ssl.enabled.protocols is empty": "ssl.protocol",
        "a list with suites of TLS 1.3 must have TLS_AES_256_GCM_SHA384, which OpenSSL prefers": "ssl.cipher.suites",
        "in the dialect of Python where it differs from Java's: a rule that cannot be read stops the start": (
            "ssl.principal.mapping.rules"
        ),
        "at most as many as the partition has replicas": "min.insync.replicas",
        _DECOMPRESSED: "max.decompressed.message.bytes",
    },
    HARMLESS: {
        "one task copies all replicas that move to other log directories": "num.replica.alter.log.dirs.threads",
        "requests to the controller have timeouts by what they are for: a heartbeat interval, half a session": (
            "controller.socket.timeout.ms"
        ),
        "the leader appends each decision at once": "controller.quorum.append.linger.ms",
        "pieces of the metadata log and of its snapshots have at most a megabyte, Kafka's default": """
            controller.quorum.fetch.max.bytes controller.quorum.fetch.snapshot.max.bytes
        """,
        "Kafka's controller logs slow events of its own by it": """
            controller.performance.always.log.threshold.ms controller.performance.sample.period.ms
        """,
        "every listener begins to accept when the node can answer": "early.start.listeners",
        _COMPUTED_AT_ONCE: """
            group.consumer.assignor.offload.enable group.share.assignor.offload.enable
            group.streams.assignor.offload.enable
        """,
        "`simple` is the only one": "group.share.assignors",
        "`sticky` is the only one": "group.streams.assignors",
        "the state of share groups is at the share coordinators": "group.share.persister.class.name",
        "records of coordinators are appended with the request that makes them": """
            share.coordinator.append.linger.ms share.coordinator.cached.buffer.max.bytes
        """,
        "stored state is read in pieces of a fixed size": "share.coordinator.load.buffer.size",
        _NO_PURGATORY: """
            delete.records.purgatory.purge.interval.requests fetch.purgatory.purge.interval.requests
            producer.purgatory.purge.interval.requests share.fetch.purgatory.purge.interval.requests
        """,
        "coordinators append each decision at once": """
            group.coordinator.append.linger.ms group.coordinator.cached.buffer.max.bytes
        """,
        "coordinators read their partitions in turns, in pieces of one size": """
            offsets.load.buffer.size transaction.state.log.load.buffer.size
        """,
        _NO_THREADS: """
            background.threads group.coordinator.background.threads group.coordinator.threads num.io.threads
            share.coordinator.threads
            num.network.threads num.recovery.threads.per.data.dir
        """,
        "a request is handled when it has been read: there is no queue": """
            queued.max.request.bytes queued.max.requests
        """,
        "compaction reads batch by batch, into buffers as large as a batch": "log.cleaner.io.buffer.size",
        "the file is written together with the recovery points, and before a DeleteRecords is answered": (
            "log.flush.start.offset.checkpoint.interval.ms"
        ),
        "batches of the metadata log are those of one decision, cut to some hundred records": (
            "internal.metadata.max.batch.size.in.bytes"
        ),
        "the system chooses the buffers of connections to other nodes": "replica.socket.receive.buffer.bytes",
        "a connection to another node has the time that its first request has": """
            socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms
        """,
        "a start takes less than a second, and a recovery says how far it is": "server.max.startup.time.ms",
        "the Kerberos library gets a ticket with the key of the keytab, and another one at half of its life": """
            sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin
            sasl.kerberos.ticket.renew.jitter sasl.kerberos.ticket.renew.window.factor
        """,
        "a JWKS that cannot be had is asked for again with a login, a second later at the earliest": """
            sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.ms
        """,
        "OpenSSL does what Java has providers for": """
            security.providers ssl.keymanager.algorithm ssl.provider ssl.secure.random.implementation
            ssl.trustmanager.algorithm
        """,
    },
    REFUSED: {
        _POLICIES: "alter.config.policy.class.name create.topic.policy.class.name",
        _QUOTA_CALLBACK: "client.quota.callback.class",
        _DEAD_LETTER_MANAGER: "group.share.dlq.manager.class.name",
        NO_CONFIG_PROVIDERS: "config.providers",
        _PRINCIPAL_BUILDER: "principal.builder.class",
        _ENGINE_FACTORY: "ssl.engine.factory.class",
        _REMOTE_STORAGE: "remote.log.storage.system.enable",
    },
    LATER: {
        _WARM_UPS: "group.streams.max.warmup.replicas group.streams.num.warmup.replicas",
        _TOPOLOGY_DESCRIPTIONS: "group.streams.topology.description.plugin.class",
        _METRICS: """
            kafka.metrics.polling.interval.secs kafka.metrics.reporters metrics.num.samples
            metrics.recording.level metrics.sample.window.ms
        """,
        _PREALLOCATION: "log.preallocate",
        _TIERED_STORAGE: """
            follower.fetch.last.tiered.offset.enable log.local.retention.bytes log.local.retention.ms
            log.remote.copy.lag.bytes log.remote.copy.lag.ms remote.fetch.max.wait.ms
            remote.list.offsets.request.timeout.ms remote.log.index.file.cache.total.size.bytes
            remote.log.index.file.cache.ttl.ms remote.log.manager.copier.thread.pool.size
            remote.log.manager.copy.max.bytes.per.second remote.log.manager.copy.quota.window.num
            remote.log.manager.copy.quota.window.size.seconds remote.log.manager.expiration.thread.pool.size
            remote.log.manager.fetch.max.bytes.per.second remote.log.manager.fetch.quota.window.num
            remote.log.manager.fetch.quota.window.size.seconds remote.log.manager.follower.thread.pool.size
            remote.log.manager.task.interval.ms remote.log.manager.task.retry.backoff.max.ms
            remote.log.manager.task.retry.backoff.ms remote.log.manager.task.retry.jitter
            remote.log.manager.thread.pool.size remote.log.metadata.custom.metadata.max.bytes
            remote.log.metadata.manager.class.name remote.log.metadata.manager.class.path
            remote.log.metadata.manager.impl.prefix remote.log.metadata.manager.listener.name
            remote.log.reader.max.pending.tasks remote.log.reader.threads remote.log.storage.manager.class.name
            remote.log.storage.manager.class.path remote.log.storage.manager.impl.prefix
        """,
        (
            "two-phase commit (KIP-939) needs InitProducerId v6, which Apache Kafka 4.4.0 has not released",
            _REMOVE,
        ): "transaction.two.phase.commit.enable",
        ("only released versions are served", _REMOVE): "unstable.api.versions.enable unstable.feature.versions.enable",
    },
}

TOPIC: Table = {
    HONOURED: {
        "": """
            cleanup.policy compression.gzip.level compression.lz4.level compression.type compression.zstd.level
            delete.retention.ms errors.deadletterqueue.group.enable
            file.delete.delay.ms flush.messages flush.ms index.interval.bytes
            internal.segment.bytes max.compaction.lag.ms max.message.bytes message.timestamp.after.max.ms
            message.timestamp.before.max.ms message.timestamp.type min.cleanable.dirty.ratio min.compaction.lag.ms
            retention.bytes retention.ms segment.bytes segment.index.bytes segment.jitter.ms segment.ms
        """,
        "at most as many as the partition has replicas": "min.insync.replicas",
        _SEVERAL_NODES: """
            follower.replication.throttled.replicas leader.replication.throttled.replicas
            unclean.leader.election.enable
        """,
        _DECOMPRESSED: "max.decompressed.message.bytes",
    },
    REFUSED: {
        # In Kafka's words, since Kafka refuses it too while remote.log.storage.system.enable is false.
        _REMOTE_STORAGE: "remote.storage.enable",
    },
    LATER: {
        _TIERED_STORAGE: """
            local.retention.bytes local.retention.ms remote.copy.lag.bytes remote.copy.lag.ms remote.log.copy.disable
            remote.log.delete.on.disable
        """,
        _PREALLOCATION: "preallocate",
    },
}

GROUP: Table = {
    HONOURED: {
        "": """
            consumer.assignment.interval.ms consumer.heartbeat.interval.ms consumer.session.timeout.ms
            errors.deadletterqueue.copy.record.enable errors.deadletterqueue.topic.name
            share.assignment.interval.ms share.auto.offset.reset share.delivery.count.limit
            share.heartbeat.interval.ms share.isolation.level share.partition.max.record.locks
            share.record.lock.duration.ms share.renew.acknowledge.enable share.session.timeout.ms
            streams.acceptable.recovery.lag streams.assignment.interval.ms
            streams.heartbeat.interval.ms streams.initial.rebalance.delay.ms streams.num.standby.replicas
            streams.rack.aware.assignment.tags streams.session.timeout.ms streams.task.offset.interval.ms
        """,
    },
    HARMLESS: {
        _COMPUTED_AT_ONCE: """
            consumer.assignor.offload.enable share.assignor.offload.enable streams.assignor.offload.enable
        """,
        "`sticky` is the only one": "streams.assignor.name",
    },
    LATER: {
        _WARM_UPS: "streams.num.warmup.replicas",
    },
}

# Settings that are not in Apache Kafka 4.4.0's lists but in users' files: removed ones, and those of plug-ins.
# A name that ends in a dot stands for all that begin with it.
BESIDES: Table = {
    HONOURED: {
        "by the authorizer, if there is one": "allow.everyone.if.no.acl.found super.users",
        # These three exist only as dynamic settings: no properties file knows them.
        _SEVERAL_NODES: "follower.replication.throttled.rate leader.replication.throttled.rate",
        _SEVERAL_DIRECTORIES: "replica.alter.log.dirs.io.max.bytes.per.second",
    },
    HARMLESS: {
        "Apache Kafka has removed it, and ignores it too": """
            auto.include.jmx.reporter broker.id.generation.enable control.plane.listener.name
            controlled.shutdown.max.retries controlled.shutdown.retry.backoff.ms eligible.leader.replicas.enable
            group.coordinator.new.enable group.share.enable inter.broker.protocol.version
            leader.imbalance.per.broker.percentage log.message.downconversion.enable log.message.format.version
            migration.enabled offsets.commit.required.acks password.encoder. replica.lag.max.messages
            reserved.broker.max.id zookeeper.
        """,
        "only classes that Java loads would read it": """
            authorizer. client.quota.callback. confluent. kafka.metrics. metrics.jmx. rlmm.config. rsm.config.
        """,
        "there are no configuration providers": "config.providers.",
    },
    LATER: {
        ("Apache Kafka has removed it", "use listeners"): "host.name port",
        ("Apache Kafka has removed it", "use advertised.listeners"): "advertised.host.name advertised.port",
        (
            "Apache Kafka has removed it",
            "use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
        ): ("log.message.timestamp.difference.max.ms"),
        ("Apache Kafka has removed it", "set quotas of the default client id (kafkapy quotas)"): """
            quota.consumer.default quota.producer.default
        """,
        ("Apache Kafka has removed it", "use delegation.token.secret.key"): "delegation.token.master.key",
    },
}
