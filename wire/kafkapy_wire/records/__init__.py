"""Record batches v2 (KIP-98), the only message format that Kafka 4 stores.

batch       the header: reading, splitting, CRC-32C, stamping base offset and leader epoch in place
record      one record; decoding, building: the records inside one batch
control     control records: transaction markers and those of the quorum
validation  Kafka's checks of a produced batch (import it where needed)
rewrite     a batch with another codec, timestamp type or offsets (import it where needed)

```
base_offset i64 | batch_length i32 | partition_leader_epoch i32 | magic i8 | crc u32 |   <- 21 bytes not under the CRC
attributes i16 | last_offset_delta i32 | base_timestamp i64 | max_timestamp i64 |
producer_id i64 | producer_epoch i16 | base_sequence i32 | record_count i32 | records, perhaps compressed
```
"""

from kafkapy_wire.compression import Compression
from kafkapy_wire.records.batch import (
    BATCH_HEADER_BYTES,
    BatchHeader,
    TimestampType,
    crc_matches,
    read_batch_header,
    split_batches,
    stamp,
    whole_batches_bytes,
)
from kafkapy_wire.records.building import build_batch
from kafkapy_wire.records.control import (
    ControlRecordType,
    build_end_transaction_marker,
    control_record_key,
    end_transaction_marker_value,
    read_control_record_type,
    read_coordinator_epoch,
)
from kafkapy_wire.records.decoding import decode_records
from kafkapy_wire.records.record import NewRecord, Record

__all__ = [
    "BATCH_HEADER_BYTES",
    "BatchHeader",
    "Compression",
    "ControlRecordType",
    "NewRecord",
    "Record",
    "TimestampType",
    "build_batch",
    "build_end_transaction_marker",
    "control_record_key",
    "crc_matches",
    "decode_records",
    "end_transaction_marker_value",
    "read_batch_header",
    "read_control_record_type",
    "read_coordinator_epoch",
    "split_batches",
    "stamp",
    "whole_batches_bytes",
]
