"""What Kafka's files on the disk hold, as rows to print. It reads what any broker has written, damaged or not.

files          which file is what, by its name; a whole directory
segments       record batches: segments and snapshots of the metadata
records        the records of internal topics, in Kafka's formats, and control records
indexes        offset, time and transaction indexes
small_files    producer snapshots, checkpoints, partition.metadata, meta.properties, quorum-state
rows           what a row is

A file that is damaged, cut short or no such file gives rows up to there, and one of the kind PROBLEM.
"""

from __future__ import annotations

from kafkapy.dump.files import dump
from kafkapy.dump.records import DECODERS
from kafkapy.dump.rows import Kind, Row

__all__ = ["DECODERS", "Kind", "Row", "dump"]
