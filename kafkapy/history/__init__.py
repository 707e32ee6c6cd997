"""A checker over histories of Kafka clients, in the manner of Jepsen's Kafka workload. Sans-IO: lines in, verdict out.

reading            JSON lines -> observations (the format: docs/checking-histories.md)
observations       what was sent, where it lies, who saw it: duplicates, inconsistent offsets, polls that go back
  records, transactions        the columns that hold it
proofs             commits without an answer that must have been
visibility         lost writes, torn transactions, unseen records, aborted and early reads, phantoms
ordering           polls that pass over records, sends that go back
committed_offsets  groups find what they committed and commit what they polled
cycles             transactions that read from each other in a circle
anomalies          names and meanings of all that can be found
checker            all of it

Each module says what its checks can and cannot find. A clean verdict says that nothing of this was in *this* history.
"""

from __future__ import annotations

from kafkapy.history.anomalies import ALLOWED, KINDS, Anomaly
from kafkapy.history.checker import Verdict, check_history
from kafkapy.history.observations import HistoryError

__all__ = ["ALLOWED", "KINDS", "Anomaly", "HistoryError", "Verdict", "check_history"]
