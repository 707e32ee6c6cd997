"""What each setting of a topic does."""

TOPICS = {
    "cleanup.policy": "Whether old segments are deleted (delete), reduced to the newest record of each key (compact), "
    "or both; empty keeps everything.",
    "compression.gzip.level": "How hard the broker tries when it compresses batches with gzip itself: 1 is fastest, 9 "
    "is smallest, -1 leaves it to the library.",
    "compression.lz4.level": "How hard the broker tries when it compresses batches with lz4 itself: 1 is fastest, 17 "
    "is smallest.",
    "compression.type": "The codec in which batches are stored: producer keeps what the producer has chosen, "
    "uncompressed or a codec has the broker convert them.",
    "compression.zstd.level": "How hard the broker tries when it compresses batches with zstd itself: a higher number "
    "is slower and smaller.",
    "delete.retention.ms": "For so many milliseconds after a compaction a deletion (a record without a value) and a "
    "transaction's end stay readable, so that a consumer that began before them sees them.",
    "errors.deadletterqueue.group.enable": "Whether share groups may write records that they give up into this topic.",
    "file.delete.delay.ms": "For so many milliseconds the files of a deleted segment or topic stay on the disk under "
    "another name.",
    "flush.messages": "After so many new records a partition's log is forced to the disk before they are acknowledged; "
    "1 does so for each batch.",
    "flush.ms": "No record waits longer than so many milliseconds before its log is forced to the disk.",
    "follower.replication.throttled.replicas": "The replicas (PARTITION:BROKER, or * for all) whose fetching is "
    "limited to follower.replication.throttled.rate.",
    "index.interval.bytes": "About so many bytes of records lie between two entries of a segment's index: fewer make "
    "reads start closer to their offset, and the index larger.",
    "internal.segment.bytes": "A segment size below the minimum of segment.bytes, for tests.",
    "leader.replication.throttled.replicas": "The replicas (PARTITION:BROKER, or * for all) to which their leader "
    "sends no more than leader.replication.throttled.rate.",
    "local.retention.bytes": "With tiered storage, so many bytes of a partition stay on the broker's disk after they "
    "were copied; -2 means retention.bytes.",
    "local.retention.ms": "With tiered storage, records stay on the broker's disk for so many milliseconds after they "
    "were copied; -2 means retention.ms.",
    "max.compaction.lag.ms": "A record waits at most so many milliseconds until it is eligible for compaction, however "
    "little there is to clean.",
    "max.decompressed.message.bytes": "A compressed batch that would be larger than so many bytes when it is unpacked "
    "is refused.",
    "max.message.bytes": "The largest batch, as it is sent, that the topic takes, in bytes.",
    "message.timestamp.after.max.ms": "With CreateTime, a record whose timestamp is more than so many milliseconds "
    "ahead of the broker's clock is refused.",
    "message.timestamp.before.max.ms": "With CreateTime, a record whose timestamp is more than so many milliseconds "
    "behind the broker's clock is refused.",
    "message.timestamp.type": "Whose time a record has: the producer's (CreateTime), or the broker's at the append "
    "(LogAppendTime).",
    "min.cleanable.dirty.ratio": "A log is compacted when at least this share of its bytes has come since the last "
    "time: a smaller share saves space and costs work.",
    "min.compaction.lag.ms": "A record stays uncompacted for at least so many milliseconds.",
    "min.insync.replicas": "A produce with acks=all is refused while fewer replicas than this are in sync.",
    "preallocate": "Whether a new segment's file gets its full size on the disk at once.",
    "remote.copy.lag.bytes": "With tiered storage, a segment is copied once so many newer bytes have come; -1 copies "
    "it as soon as it is closed.",
    "remote.copy.lag.ms": "With tiered storage, a closed segment waits for so many milliseconds before it is copied.",
    "remote.log.copy.disable": "With tiered storage, whether no further segments are copied; what was copied stays "
    "readable.",
    "remote.log.delete.on.disable": "Whether turning tiered storage off deletes what was copied.",
    "remote.storage.enable": "Whether closed segments are copied to tiered storage.",
    "retention.bytes": "Of a partition with the delete policy at least so many bytes are kept, and older segments are "
    "deleted; -1 sets no bound.",
    "retention.ms": "Under the delete policy a segment goes when its newest record is older than so many milliseconds; "
    "-1 keeps it for ever.",
    "segment.bytes": "A segment that would grow beyond so many bytes is closed and a new one begun; deletion and "
    "compaction touch closed segments only.",
    "segment.index.bytes": "The largest index file of a segment, in bytes; a full index closes the segment.",
    "segment.jitter.ms": "Up to so many milliseconds are taken off segment.ms at random, so that logs do not all begin "
    "new segments at once.",
    "segment.ms": "A segment that has been open for so many milliseconds is closed by the next append, even if it is "
    "small.",
    "unclean.leader.election.enable": "Whether a replica that is out of sync may lead when no other is left, which may "
    "lose acknowledged records.",
}
