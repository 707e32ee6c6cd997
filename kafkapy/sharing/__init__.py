"""What the leader of a partition does for share groups (KIP-932): who gets which records, and what becomes of them.

runs.py            runs of records in the same state, in batches; changes that are being stored
in_flight.py       the records of one share partition that are in flight, from the start offset on: pure
acquiring.py       which of them a member gets
acknowledging.py   what members say of them, and what becomes of those of which they say nothing in time
"""
