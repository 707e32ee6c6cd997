"""What each setting of tiered storage does."""

TIERED_STORAGE = {
    "follower.fetch.last.tiered.offset.enable": "Whether a new follower of a tiered topic begins behind what is in "
    "remote storage already, instead of copying all.",
    "remote.fetch.max.wait.ms": "A fetch waits for remote storage for at most so many milliseconds before it is "
    "answered.",
    "remote.list.offsets.request.timeout.ms": "A ListOffsets that has to look into remote storage may take so many "
    "milliseconds.",
    "remote.log.index.file.cache.total.size.bytes": "Index files that were fetched from remote storage take at most "
    "so many bytes of the local disk.",
    "remote.log.index.file.cache.ttl.ms": "An index file fetched from remote storage is dropped when nobody has used "
    "it for so many milliseconds.",
    "remote.log.manager.copier.thread.pool.size": "So many threads copy segments to remote storage.",
    "remote.log.manager.copy.max.bytes.per.second": "A broker copies at most so many bytes a second to remote storage.",
    "remote.log.manager.copy.quota.window.num": "The rate of copies to remote storage is measured over so many "
    "windows.",
    "remote.log.manager.copy.quota.window.size.seconds": "A window of the rate of copies to remote storage has so "
    "many seconds.",
    "remote.log.manager.expiration.thread.pool.size": "So many threads delete expired segments from remote storage.",
    "remote.log.manager.fetch.max.bytes.per.second": "A broker reads at most so many bytes a second from remote "
    "storage.",
    "remote.log.manager.fetch.quota.window.num": "The rate of reads from remote storage is measured over so many "
    "windows.",
    "remote.log.manager.fetch.quota.window.size.seconds": "A window of the rate of reads from remote storage has so "
    "many seconds.",
    "remote.log.manager.follower.thread.pool.size": "So many threads keep followers informed of what is in remote "
    "storage.",
    "remote.log.manager.task.interval.ms": "Every so many milliseconds a broker looks for segments to copy to remote "
    "storage or to delete there.",
    "remote.log.manager.task.retry.backoff.max.ms": "After repeated failures of remote storage the next attempt comes "
    "after at most so many milliseconds.",
    "remote.log.manager.task.retry.backoff.ms": "After a first failure of remote storage the next attempt comes after "
    "so many milliseconds.",
    "remote.log.manager.task.retry.jitter": "Up to this share of the wait after a failure of remote storage is added "
    "or taken off at random.",
    "remote.log.manager.thread.pool.size": "So many threads plan what is copied to remote storage and what expires "
    "there.",
    "remote.log.metadata.custom.metadata.max.bytes": "A remote storage plug-in may keep at most so many bytes of its "
    "own with each segment.",
    "remote.log.metadata.manager.class.name": "The class that knows which segments are in remote storage.",
    "remote.log.metadata.manager.class.path": "Where the class of remote.log.metadata.manager.class.name and its jars "
    "are found.",
    "remote.log.metadata.manager.impl.prefix": "Settings with this prefix are handed to the class of "
    "remote.log.metadata.manager.class.name.",
    "remote.log.metadata.manager.listener.name": "The listener by which the class that knows the remote segments "
    "connects to brokers.",
    "remote.log.reader.max.pending.tasks": "So many reads from remote storage may queue; further ones are refused.",
    "remote.log.reader.threads": "So many threads read from remote storage.",
    "remote.log.storage.manager.class.name": "The class that stores segments remotely and reads them back.",
    "remote.log.storage.manager.class.path": "Where the class of remote.log.storage.manager.class.name and its jars "
    "are found.",
    "remote.log.storage.manager.impl.prefix": "Settings with this prefix are handed to the class of "
    "remote.log.storage.manager.class.name.",
    "remote.log.storage.system.enable": "Whether topics may keep old segments in remote storage (tiered storage).",
}
