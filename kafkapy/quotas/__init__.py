"""Quotas of clients (KIP-13, KIP-124, KIP-257, KIP-599): what they may send, fetch, change, and take of a thread.

sampled_rate.py    a rate over the last windows, as Kafka measures one
token_bucket.py    what is left of a controller_mutation_rate
quota_table.py     which quota a user with a client id has
"""
