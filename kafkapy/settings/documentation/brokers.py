"""What each setting of a broker does.

Those about groups are in `groups`, those of TLS and SASL in `security`, those of tiered storage in `tiered_storage`.
"""

BROKERS = {
    # The node and its controllers
    "broker.heartbeat.interval.ms": "A broker tells the controller every so many milliseconds that it is alive.",
    "broker.id": "The older name of node.id.",
    "broker.rack": "Where the broker stands; the replicas of a partition are spread over racks.",
    "broker.session.timeout.ms": "A broker that the controller does not hear from for so many milliseconds is fenced.",
    "controlled.shutdown.enable": "Whether a broker that stops hands its partitions to other leaders first.",
    "controller.listener.names": "The listeners that controllers speak on, the first of them also as clients of each "
    "other.",
    "controller.performance.always.log.threshold.ms": "A controller event that takes more than so many milliseconds is "
    "logged.",
    "controller.performance.sample.period.ms": "The slowest controller event is logged every so many milliseconds.",
    "controller.quorum.append.linger.ms": "The leading controller collects writes for at most so many milliseconds "
    "before it forces them to the disk.",
    "controller.quorum.auto.join.enable": "Whether a controller that is no voter adds itself to the quorum.",
    "controller.quorum.bootstrap.servers": "Controllers (HOST:PORT) by which a node finds the quorum.",
    "controller.quorum.election.backoff.max.ms": "After a lost election a controller waits for up to so many "
    "milliseconds, so that the next one has a winner.",
    "controller.quorum.election.timeout.ms": "A controller that gets no majority within so many milliseconds begins "
    "another election.",
    "controller.quorum.fetch.max.bytes": "One fetch of the metadata log brings at most so many bytes.",
    "controller.quorum.fetch.snapshot.max.bytes": "One fetch of a metadata snapshot brings at most so many bytes.",
    "controller.quorum.fetch.timeout.ms": "A controller that has not reached its leader for so many milliseconds "
    "begins an election, and a leader that no majority has reached for so long resigns.",
    "controller.quorum.request.timeout.ms": "A request to a controller counts as lost after so many milliseconds.",
    "controller.quorum.retry.backoff.ms": "A failed request to a controller is sent again after so many milliseconds.",
    "controller.quorum.voters": "The controllers that vote, as ID@HOST:PORT; for a quorum whose voters do not stand in "
    "its own log.",
    "controller.socket.timeout.ms": "The socket timeout, in milliseconds, of connections to the controller.",
    "initial.broker.registration.timeout.ms": "A broker that no controller has registered after so many milliseconds "
    "stops with an error.",
    "metadata.log.dir": "The directory of the metadata log; without it the first of log.dirs.",
    "metadata.log.max.record.bytes.between.snapshots": "A metadata snapshot is written after so many bytes of new "
    "records.",
    "metadata.log.max.snapshot.interval.ms": "A metadata snapshot is written at least every so many milliseconds when "
    "there are new records; 0 leaves it to the bytes.",
    "metadata.log.segment.bytes": "A segment of the metadata log is closed before it grows beyond so many bytes.",
    "metadata.log.segment.ms": "A segment of the metadata log is closed after so many milliseconds.",
    "metadata.max.idle.interval.ms": "An idle leading controller writes an empty record every so many milliseconds, so "
    "that followers can tell it is there; 0 writes none.",
    "metadata.max.retention.bytes": "Old metadata segments and snapshots go when they have more than so many bytes "
    "together.",
    "metadata.max.retention.ms": "Metadata segments and snapshots that a newer snapshot covers go after so many "
    "milliseconds.",
    "internal.metadata.delete.delay.millis": "Deleted metadata files stay on the disk for so many milliseconds.",
    "internal.metadata.log.segment.bytes": "A metadata segment size below the minimum of metadata.log.segment.bytes, "
    "for tests.",
    "internal.metadata.max.batch.size.in.bytes": "The largest batch of the metadata log, in bytes.",
    "node.id": "The number of this node, which no other node of the cluster has; it must stay the same for a data "
    "directory.",
    "process.roles": "What this process is: a broker, a controller, or both.",
    "server.max.startup.time.ms": "A start that takes longer than so many milliseconds is given up.",
    "unstable.api.versions.enable": "Whether API versions that are not final yet are served.",
    "unstable.feature.versions.enable": "Whether feature levels that are not final yet may be used.",
    # Listeners, connections, requests
    "advertised.listeners": "The addresses that clients are told to connect to, by listener; without it those of "
    "listeners.",
    "background.threads": "Threads for work that no request waits for.",
    "connection.failed.authentication.delay.ms": "A client whose authentication has failed hears so after that many "
    "milliseconds, so that it cannot try passwords fast.",
    "connections.max.idle.ms": "A connection on which nothing was sent or received for so many milliseconds is closed, "
    "also while a request of it waits; below 0 never.",
    "early.start.listeners": "Listeners that accept before the authorizer is ready.",
    "inter.broker.listener.name": "The listener by which brokers reach each other.",
    "listener.security.protocol.map": "The security protocol of each listener name (NAME:PROTOCOL).",
    "listeners": "Where this node listens, as NAME://HOST:PORT; an empty host means every interface, port 0 a free "
    "port.",
    "max.connection.creation.rate": "At most so many connections a second are accepted, by the broker or by one "
    "listener.",
    "max.connections": "At most so many connections are open at once; further ones wait until another is closed.",
    "max.connections.per.ip": "At most so many connections from one address are open at once; further ones are closed.",
    "max.connections.per.ip.overrides": "Addresses or hosts with a max.connections.per.ip of their own, as HOST:COUNT.",
    "num.io.threads": "Threads that handle requests.",
    "num.network.threads": "Threads that read requests and send answers.",
    "queued.max.request.bytes": "No further requests are read while those that wait have so many bytes together; -1 "
    "sets no bound.",
    "queued.max.requests": "No further requests are read while so many wait to be handled.",
    "request.timeout.ms": "A request that this node sends to another counts as lost after so many milliseconds.",
    "security.inter.broker.protocol": "The security protocol between brokers where inter.broker.listener.name is not "
    "set.",
    "socket.connection.setup.timeout.max.ms": "The longest wait for a connection to another node, in milliseconds, "
    "after several attempts.",
    "socket.connection.setup.timeout.ms": "The first wait for a connection to another node, in milliseconds.",
    "socket.listen.backlog.size": "So many connections may wait to be accepted; the system may have a lower bound.",
    "socket.receive.buffer.bytes": "The system's receive buffer of each connection, in bytes; -1 leaves it to the "
    "system.",
    "socket.request.max.bytes": "The largest request, in bytes: a connection that sends a larger one is closed.",
    "socket.send.buffer.bytes": "The system's send buffer of each connection, in bytes; -1 leaves it to the system.",
    "kafkapy.gateway.is.host": "Whether clients that come from the default gateway are told `localhost` where no host "
    "is advertised; only kafkapy has it, for containers.",
    # Data directories and what works on them
    "kafkapy.retention.from.last.write": "Whether retention by time counts from the last write to a segment instead of "
    "its records' timestamps; only kafkapy has it.",
    "cordoned.log.dirs": "Data directories that get no new partitions.",
    "log.cleaner.backoff.ms": "A cleaner that finds nothing to compact looks again after so many milliseconds.",
    "log.cleaner.dedupe.buffer.size": "The memory, in bytes, in which the cleaners note the keys of what they compact.",
    "log.cleaner.enable": "Whether logs with the compact policy are compacted; without it their old records stay for "
    "ever.",
    "log.cleaner.io.buffer.load.factor": "How full the cleaners' table of keys may get, as a share: a fuller one holds "
    "more keys and finds them more slowly.",
    "log.cleaner.io.buffer.size": "The memory, in bytes, of the cleaners' read and write buffers.",
    "log.cleaner.io.max.bytes.per.second": "The cleaners read and write no more than so many bytes a second.",
    "log.cleaner.threads": "Logs that are compacted at the same time, each in a thread.",
    "log.dir": "The data directory where log.dirs is not set.",
    "log.dir.failure.timeout.ms": "A broker that cannot tell the controller of a failed directory for so many "
    "milliseconds stops.",
    "log.dirs": "The data directories; without it that of log.dir.",
    "log.flush.offset.checkpoint.interval.ms": "The file that says how far logs are on the disk is written every so "
    "many milliseconds; a start after a crash reads from there on.",
    "log.flush.scheduler.interval.ms": "Every so many milliseconds it is seen which logs have a flush.ms that is over.",
    "log.flush.start.offset.checkpoint.interval.ms": "The file with the first offset of each log is written every so "
    "many milliseconds.",
    "log.initial.task.delay.ms": "Retention, cleaning and checkpoints begin so many milliseconds after the start.",
    "log.retention.check.interval.ms": "Every so many milliseconds it is seen which segments are to be deleted.",
    "log.retention.hours": "log.retention.ms in hours, where neither that nor log.retention.minutes is set.",
    "log.retention.minutes": "log.retention.ms in minutes, where that is not set.",
    "log.roll.hours": "log.roll.ms in hours, where that is not set.",
    "log.roll.jitter.hours": "log.roll.jitter.ms in hours, where that is not set.",
    "num.recovery.threads.per.data.dir": "Threads that open the logs of a data directory at the start, and flush them "
    "at the stop.",
    "num.replica.alter.log.dirs.threads": "Threads that move replicas between data directories.",
    # Topics
    "auto.create.topics.enable": "Whether a topic that a client asks about or writes to is created when it is missing.",
    "alter.config.policy.class.name": "The class that may refuse a change of settings.",
    "create.topic.policy.class.name": "The class that may refuse a new topic.",
    "default.replication.factor": "The number of replicas of a topic that is created without one.",
    "delete.records.purgatory.purge.interval.requests": "Finished DeleteRecords requests are cleared away after so "
    "many.",
    "delete.topic.enable": "Whether topics may be deleted.",
    "errors.deadletterqueue.auto.create.topics.enable": "Whether a missing dead letter topic of a share group is "
    "created.",
    "errors.deadletterqueue.topic.name.prefix": "What the name of a dead letter topic must begin with.",
    "max.request.partition.size.limit": "One DescribeTopicPartitions answer has at most so many partitions.",
    "num.partitions": "The number of partitions of a topic that is created without one.",
    # Transactions and idempotent producers
    "add.partitions.to.txn.retry.backoff.max.ms": "The longest wait, in milliseconds, before the broker asks the "
    "transaction coordinator again for a partition.",
    "add.partitions.to.txn.retry.backoff.ms": "The first wait, in milliseconds, before the broker asks the transaction "
    "coordinator again for a partition.",
    "producer.id.expiration.check.interval.ms": "Every so many milliseconds it is seen which producers are to be "
    "forgotten.",
    "producer.id.expiration.ms": "A partition forgets an idempotent producer that has written nothing for so many "
    "milliseconds; its next batch is taken as its first.",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "Every so many milliseconds it is seen which "
    "transactions have been open for too long.",
    "transaction.max.timeout.ms": "The longest transaction timeout that a producer may ask for, in milliseconds.",
    "transaction.partition.verification.enable": "Whether a partition takes a transactional batch only after it has "
    "asked the coordinator whether the transaction is open.",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "Every so many milliseconds it is seen which "
    "transactional ids are to be forgotten.",
    "transaction.state.log.load.buffer.size": "So many bytes of __transaction_state are read at once when it is "
    "loaded.",
    "transaction.state.log.min.isr": "The min.insync.replicas with which __transaction_state is created.",
    "transaction.state.log.num.partitions": "__transaction_state is created with so many partitions; it must stay so "
    "afterwards.",
    "transaction.state.log.replication.factor": "__transaction_state is created with so many replicas of each "
    "partition, which needs as many brokers.",
    "transaction.state.log.segment.bytes": "The segment.bytes with which __transaction_state is created.",
    "transaction.two.phase.commit.enable": "Whether a producer may leave a prepared transaction open for as long as it "
    "wants.",
    "transactional.id.expiration.ms": "A transactional id that nobody has used for so many milliseconds is forgotten.",
    # Fetching and replication
    "auto.leader.rebalance.enable": "Whether the controller gives leadership back to preferred replicas by itself.",
    "fetch.max.bytes": "One fetch answer has at most so many bytes, whatever the client asks for; the first batch is "
    "sent whole.",
    "fetch.purgatory.purge.interval.requests": "Finished fetches are cleared away after so many.",
    "leader.imbalance.check.interval.seconds": "Every so many seconds it is seen which partitions are not led by their "
    "preferred replica.",
    "max.incremental.fetch.session.cache.slots": "The broker keeps at most so many fetch sessions; clients without one "
    "send all their partitions each time.",
    "num.replica.fetchers": "Fetchers by which this broker follows each other broker.",
    "producer.purgatory.purge.interval.requests": "Finished produces are cleared away after so many.",
    "replica.fetch.backoff.ms": "A follower waits for so many milliseconds after a failed fetch.",
    "replica.fetch.max.bytes": "A follower's fetch brings at most so many bytes of a partition; the first batch comes "
    "whole.",
    "replica.fetch.min.bytes": "A follower's fetch waits until there are so many bytes.",
    "replica.fetch.response.max.bytes": "A follower's fetch brings at most so many bytes in all.",
    "replica.fetch.wait.max.ms": "A follower's fetch waits for at most so many milliseconds.",
    "replica.high.watermark.checkpoint.interval.ms": "The file with the high watermarks is written every so many "
    "milliseconds.",
    "replica.lag.time.max.ms": "A follower that has not caught up with its leader for so many milliseconds leaves the "
    "ISR.",
    "replica.selector.class": "The class that says which replica a consumer reads from; without one the leader.",
    "replica.socket.receive.buffer.bytes": "The system's receive buffer of a follower's connection, in bytes.",
    "replica.socket.timeout.ms": "The socket timeout of a follower's connection, in milliseconds.",
    "share.coordinator.cached.buffer.max.bytes": "A buffer of the share coordinator above so many bytes is not kept "
    "for the next write.",
    "share.fetch.purgatory.purge.interval.requests": "Finished share fetches are cleared away after so many.",
    "unclean.leader.election.interval.ms": "Every so many milliseconds it is seen which partitions need an unclean "
    "election.",
    # Quotas and metrics
    "alter.log.dirs.replication.quota.window.num": "The rate of moves between data directories is measured over so "
    "many windows.",
    "alter.log.dirs.replication.quota.window.size.seconds": "A window of that measurement has so many seconds.",
    "client.quota.callback.class": "The class that decides on clients' quotas.",
    "controller.quota.window.num": "The rate of topic changes is measured over so many windows.",
    "controller.quota.window.size.seconds": "A window of the rate of topic changes has so many seconds.",
    "follower.replication.throttled.rate": "A broker fetches the throttled replicas of a topic at no more than so many "
    "bytes a second.",
    "kafka.metrics.polling.interval.secs": "The older reporters get metrics every so many seconds.",
    "kafka.metrics.reporters": "Classes of the older metrics reporters.",
    "leader.replication.throttled.rate": "A broker sends to the throttled replicas of a topic no more than so many "
    "bytes a second.",
    "metric.reporters": "Classes that get the broker's metrics, and those that clients push.",
    "metrics.num.samples": "Each metric is measured over so many samples.",
    "metrics.recording.level": "How much is measured: INFO, DEBUG or TRACE.",
    "metrics.sample.window.ms": "A sample of a metric covers so many milliseconds.",
    "quota.window.num": "Clients' rates are measured over so many windows.",
    "quota.window.size.seconds": "A window of clients' rates has so many seconds.",
    "replica.alter.log.dirs.io.max.bytes.per.second": "Replicas move between data directories at no more than so many "
    "bytes a second.",
    "replication.quota.window.num": "The rate of throttled replication is measured over so many windows.",
    "replication.quota.window.size.seconds": "A window of the rate of throttled replication has so many seconds.",
    "telemetry.max.bytes": "A client may push at most so many bytes of metrics at once.",
    # Who may do what
    "authorizer.class.name": "The class that decides who may do what; without one everybody may do everything.",
    "config.providers": "Names of what can resolve a ${NAME:PATH:KEY} in a setting's value.",
    "connections.max.reauth.ms": "A client must authenticate anew after so many milliseconds; 0 never.",
    "delegation.token.expiry.check.interval.ms": "Expired delegation tokens are removed every so many milliseconds.",
    "delegation.token.expiry.time.ms": "A delegation token is valid for so many milliseconds unless it is renewed.",
    "delegation.token.max.lifetime.ms": "A delegation token cannot be renewed beyond so many milliseconds.",
    "delegation.token.secret.key": "The secret with which delegation tokens are made; the same on every node.",
    "principal.builder.class": "The class that makes a principal of an authenticated client.",
    "security.providers": "Java classes of security providers.",
}

CLIENT_METRICS = {
    "interval.ms": "The clients of the subscription push their metrics every so many milliseconds.",
    "match": "Which clients the subscription is for, as SELECTOR=REGULAR EXPRESSION; empty: all.",
    "metrics": "The beginnings of the names of the metrics that are wanted; * means all.",
}
