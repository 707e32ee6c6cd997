"""Kafka's log on Kafka's files: one PartitionLog a directory, one LogStore a data directory.

log_store          a data directory: checkpoints, creating and deleting partitions; identity: who may use it
partition_log      append, read, find, truncate; its parts, which share log_files:
                   log_flushing: to the disk; log_compaction; retention: which of the oldest segments are to go;
                   log_times: finds records by timestamp
append_validation  a produced batch before it is stored; replicated_batches: what a leader has sent to this follower
producer_state     idempotent producers: duplicates, sequences, epochs, open transactions, snapshots;
                   producer_entry: one producer, packed
transaction_index  aborted transactions, for readers of committed records: `.txnindex`; transaction_markers
leader_epochs      which leader epoch began where
segment            `.log` and what belongs to it; under it segment_batches and indexed_segment
indexes            `.index`, `.timeindex`; stored_indexes: where they lie on the disk; log_indexing: damaged ones anew
segment_list       all segments of a log
flush              one fsync of a log's files
cleanable, cleaner compaction: what could be cleaned, and one cleaning; under it compaction_filter, record_scan,
                   offset_map and cleaned_transactions, and swap: how a cleaned segment takes its place
recovery           from a directory to a log
file_pool          bounded open files; file_slice: a range of one on its way to a client
disk_errors        what an error of the disk means; StorageError
checkpoint_files   the small text files; durable_files: writing them whole
settings           what a log must know of its topic's settings
"""

from kafkapy_log.checkpoint_files import TopicPartition
from kafkapy_log.damage import CutRecords, Damage, LostRecords, MissingRecords
from kafkapy_log.disk_errors import StorageError
from kafkapy_log.file_pool import FilePool
from kafkapy_log.file_slice import EMPTY_SLICE, FileSlice
from kafkapy_log.flush import Flush
from kafkapy_log.identity import StoreError
from kafkapy_log.log_directories import DirectoryOffline, LogDirectories
from kafkapy_log.log_store import LogStore
from kafkapy_log.partition_log import AppendResult, PartitionLog, SegmentInfo
from kafkapy_log.producer_state import UNGUARDED, ActiveProducer, Verification
from kafkapy_log.replicated_batches import UnexpectedAppendOffset
from kafkapy_log.segment_list import SegmentPosition, TimestampAndOffset
from kafkapy_log.settings import DEFAULT_SETTINGS, LogSettings
from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_log.transaction_markers import build_marker

__all__ = [
    "DEFAULT_SETTINGS",
    "EMPTY_SLICE",
    "UNGUARDED",
    "AbortedTransaction",
    "ActiveProducer",
    "AppendResult",
    "CutRecords",
    "Damage",
    "DirectoryOffline",
    "FilePool",
    "FileSlice",
    "Flush",
    "LogDirectories",
    "LogSettings",
    "LogStore",
    "LostRecords",
    "MissingRecords",
    "PartitionLog",
    "SegmentInfo",
    "SegmentPosition",
    "StorageError",
    "StoreError",
    "TimestampAndOffset",
    "TopicPartition",
    "UnexpectedAppendOffset",
    "Verification",
    "build_marker",
]
