"""What stands between a Produce request and the partitions.

acks        the answer leaves when its records are stored or committed, as acks asks for
enlisting   may a transactional batch be stored?
"""
