"""What each setting of a group does, and those of a broker that are about groups and committed offsets."""

GROUPS = {
    "consumer.assignment.interval.ms": "The coordinator computes the assignment of a consumer group anew at most once "
    "in so many milliseconds.",
    "consumer.assignor.offload.enable": "Whether a consumer group's assignment is computed beside the coordinator's "
    "own work.",
    "consumer.heartbeat.interval.ms": "Members of a consumer group send a heartbeat every so many milliseconds.",
    "consumer.session.timeout.ms": "A member of a consumer group that sends no heartbeat for so many milliseconds is "
    "put out.",
    "errors.deadletterqueue.copy.record.enable": "Whether a record that a share group gives up is copied whole to the "
    "dead letter topic, or only named there.",
    "errors.deadletterqueue.topic.name": "The topic for records that a share group gives up; empty: they are dropped.",
    "share.assignment.interval.ms": "The coordinator computes the assignment of a share group anew at most once in so "
    "many milliseconds.",
    "share.assignor.offload.enable": "Whether a share group's assignment is computed beside the coordinator's own "
    "work.",
    "share.auto.offset.reset": "Where a share group begins to read a partition: at its end (latest), its start "
    "(earliest), or so long ago (by_duration:PT1H).",
    "share.delivery.count.limit": "A record that so many deliveries to a share group have not settled is given up.",
    "share.heartbeat.interval.ms": "Members of a share group send a heartbeat every so many milliseconds.",
    "share.isolation.level": "Whether a share group is given records of aborted transactions (read_uncommitted) or "
    "waits for the end of open ones and skips them (read_committed).",
    "share.partition.max.record.locks": "So many records of a partition may be with members of a share group at once.",
    "share.record.lock.duration.ms": "A member of a share group has so many milliseconds to settle a record before it "
    "is given to another.",
    "share.renew.acknowledge.enable": "Whether a member of a share group may ask for more time for a record.",
    "share.session.timeout.ms": "A member of a share group that sends no heartbeat for so many milliseconds is put "
    "out.",
    "streams.acceptable.recovery.lag": "A streams instance whose copy of a task's state is at most so many records "
    "behind counts as caught up.",
    "streams.assignment.interval.ms": "The coordinator computes the assignment of a streams group anew at most once in "
    "so many milliseconds.",
    "streams.assignor.name": "The assignor of a streams group; without one the first of group.streams.assignors.",
    "streams.assignor.offload.enable": "Whether a streams group's assignment is computed beside the coordinator's own "
    "work.",
    "streams.heartbeat.interval.ms": "Members of a streams group send a heartbeat every so many milliseconds.",
    "streams.initial.rebalance.delay.ms": "A new streams group waits for further members for so many milliseconds "
    "before its first assignment.",
    "streams.num.standby.replicas": "So many further instances of a streams group keep a copy of each task's state.",
    "streams.num.warmup.replicas": "So many tasks of a streams group may be moving at once, with their state being "
    "copied beforehand.",
    "streams.rack.aware.assignment.tags": "The client tags by which the standby copies of a streams group are spread.",
    "streams.session.timeout.ms": "A member of a streams group that sends no heartbeat for so many milliseconds is put "
    "out.",
    "streams.task.offset.interval.ms": "Members of a streams group tell how far their tasks are every so many "
    "milliseconds.",
}

BROKER_GROUPS = {
    "group.consumer.assignors": "The assignors that consumer groups may choose from; the first is used where none is "
    "chosen.",
    "group.consumer.max.assignment.interval.ms": "The largest consumer.assignment.interval.ms that a group may have.",
    "group.consumer.max.heartbeat.interval.ms": "The largest consumer.heartbeat.interval.ms that a group may have.",
    "group.consumer.max.session.timeout.ms": "The largest consumer.session.timeout.ms that a group may have.",
    "group.consumer.max.size": "A consumer group has at most so many members.",
    "group.consumer.migration.policy": "Whether a classic group may become a consumer group (upgrade), the reverse "
    "(downgrade), both or neither, while it has members.",
    "group.consumer.min.assignment.interval.ms": "The smallest consumer.assignment.interval.ms that a group may have.",
    "group.consumer.min.heartbeat.interval.ms": "The smallest consumer.heartbeat.interval.ms that a group may have.",
    "group.consumer.min.session.timeout.ms": "The smallest consumer.session.timeout.ms that a group may have.",
    "group.consumer.regex.refresh.interval.ms": "The topics that match a group's regular expression are looked up anew "
    "every so many milliseconds.",
    "group.coordinator.append.linger.ms": "The coordinator collects writes to __consumer_offsets for so many "
    "milliseconds; -1 leaves it to the broker.",
    "group.coordinator.background.threads": "Threads for work of the group coordinator that no request waits for.",
    "group.coordinator.cached.buffer.max.bytes": "A buffer of the group coordinator above so many bytes is not kept "
    "for the next write.",
    "group.coordinator.rebalance.protocols": "The kinds of groups that this broker serves.",
    "group.coordinator.threads": "Threads that work on the group coordinator's requests.",
    "group.initial.rebalance.delay.ms": "An empty group waits for further members for so many milliseconds before its "
    "first assignment; 0 assigns at once.",
    "group.max.session.timeout.ms": "The longest session timeout that a member of a classic group may ask for, in "
    "milliseconds.",
    "group.max.size": "A classic group has at most so many members.",
    "group.min.session.timeout.ms": "The shortest session timeout that a member of a classic group may ask for, in "
    "milliseconds.",
    "group.share.assignors": "The assignor of share groups.",
    "group.share.dlq.manager.class.name": "The class that writes what share groups give up to dead letter topics.",
    "group.share.initialize.retry.interval.ms": "The coordinator tries again after so many milliseconds to prepare the "
    "state of a share group's partitions.",
    "group.share.max.assignment.interval.ms": "The largest share.assignment.interval.ms that a group may have.",
    "group.share.max.delivery.count.limit": "The largest share.delivery.count.limit that a group may have.",
    "group.share.max.heartbeat.interval.ms": "The largest share.heartbeat.interval.ms that a group may have.",
    "group.share.max.partition.max.record.locks": "The largest share.partition.max.record.locks that a group may have.",
    "group.share.max.record.lock.duration.ms": "The largest share.record.lock.duration.ms that a group may have.",
    "group.share.max.session.timeout.ms": "The largest share.session.timeout.ms that a group may have.",
    "group.share.max.share.sessions": "This broker keeps at most so many sessions of share consumers.",
    "group.share.max.size": "A share group has at most so many members.",
    "group.share.min.assignment.interval.ms": "The smallest share.assignment.interval.ms that a group may have.",
    "group.share.min.delivery.count.limit": "The smallest share.delivery.count.limit that a group may have.",
    "group.share.min.heartbeat.interval.ms": "The smallest share.heartbeat.interval.ms that a group may have.",
    "group.share.min.partition.max.record.locks": "The smallest share.partition.max.record.locks that a group may "
    "have.",
    "group.share.min.record.lock.duration.ms": "The smallest share.record.lock.duration.ms that a group may have.",
    "group.share.min.session.timeout.ms": "The smallest share.session.timeout.ms that a group may have.",
    "group.share.persister.class.name": "The class that stores what share groups have settled.",
    "group.streams.assignors": "The assignors that streams groups may choose from.",
    "group.streams.max.assignment.interval.ms": "The largest streams.assignment.interval.ms that a group may have.",
    "group.streams.max.heartbeat.interval.ms": "The largest streams.heartbeat.interval.ms that a group may have.",
    "group.streams.max.session.timeout.ms": "The largest streams.session.timeout.ms that a group may have.",
    "group.streams.max.size": "A streams group has at most so many members.",
    "group.streams.max.standby.replicas": "The largest streams.num.standby.replicas that a group may have.",
    "group.streams.max.warmup.replicas": "The largest streams.num.warmup.replicas that a group may have.",
    "group.streams.min.assignment.interval.ms": "The smallest streams.assignment.interval.ms that a group may have.",
    "group.streams.min.heartbeat.interval.ms": "The smallest streams.heartbeat.interval.ms that a group may have.",
    "group.streams.min.session.timeout.ms": "The smallest streams.session.timeout.ms that a group may have.",
    "group.streams.min.task.offset.interval.ms": "The smallest streams.task.offset.interval.ms that a group may have.",
    "group.streams.topology.description.plugin.class": "The class that is told how streams applications are built.",
    "offset.metadata.max.bytes": "The largest text, in bytes, that a client may store beside a committed offset.",
    "offsets.commit.timeout.ms": "A commit that is not replicated after so many milliseconds is answered with an "
    "error.",
    "offsets.load.buffer.size": "So many bytes of __consumer_offsets are read at once when groups are loaded.",
    "offsets.retention.check.interval.ms": "The coordinator looks for expired offsets every so many milliseconds.",
    "offsets.retention.minutes": "The offsets of a group are forgotten so many minutes after it has lost its last "
    "member, or has stopped to read the topic.",
    "offsets.topic.compression.codec": "The codec of batches in __consumer_offsets, by its number: 0 none, 1 gzip, 2 "
    "snappy, 3 lz4, 4 zstd.",
    "offsets.topic.num.partitions": "__consumer_offsets is created with so many partitions; it must stay so "
    "afterwards.",
    "offsets.topic.replication.factor": "__consumer_offsets is created with so many replicas of each partition, which "
    "needs as many brokers.",
    "offsets.topic.segment.bytes": "The segment.bytes with which __consumer_offsets is created.",
    "share.coordinator.append.linger.ms": "The share coordinator collects writes to __share_group_state for so many "
    "milliseconds; -1 leaves it to the broker.",
    "share.coordinator.cold.partition.snapshot.interval.ms": "The state of a share partition that nobody reads is "
    "written whole every so many milliseconds.",
    "share.coordinator.load.buffer.size": "So many bytes of __share_group_state are read at once when its state is "
    "loaded.",
    "share.coordinator.snapshot.update.records.per.snapshot": "After so many changes the state of a share partition is "
    "written whole.",
    "share.coordinator.state.topic.compression.codec": "The codec of batches in __share_group_state, by its number.",
    "share.coordinator.state.topic.min.isr": "The min.insync.replicas with which __share_group_state is created.",
    "share.coordinator.state.topic.num.partitions": "__share_group_state is created with so many partitions.",
    "share.coordinator.state.topic.prune.interval.ms": "What __share_group_state no longer needs is deleted every so "
    "many milliseconds.",
    "share.coordinator.state.topic.replication.factor": "__share_group_state is created with so many replicas of each "
    "partition.",
    "share.coordinator.state.topic.segment.bytes": "The segment.bytes with which __share_group_state is created.",
    "share.coordinator.threads": "Threads that work on the share coordinator's requests.",
    "share.coordinator.write.timeout.ms": "A write to __share_group_state that is not replicated after so many "
    "milliseconds fails.",
}
