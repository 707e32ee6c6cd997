"""Reading records for fetches, of consumers and followers.

sessions    what a consumer fetches, remembered from one request to the next (KIP-227)
reading     several partitions for one fetch, within its sizes
waiting     one fetch that is not answered at once: parked, read again, answered
"""
