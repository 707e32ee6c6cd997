"""Checks before a Produce is appended, and the wait for acks after it.

acks        the answer leaves when its records are stored or committed, as acks asks for
enlisting   may a transactional batch be stored?
"""
