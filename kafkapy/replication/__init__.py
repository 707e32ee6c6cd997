"""Replication between the brokers of a cluster: what this one fetches, and the ISRs that it changes as leader.

replication          the parts that follow, and when they begin
following            which partitions are fetched from which broker, sans-IO
fetcher              what is fetched from one broker: requests and what their answers mean, sans-IO
fetch_session        the session of these fetches (KIP-227)
fetchers             a task for each broker that is fetched from
isr_requests         ISRs that partitions have proposed, until the controller has answered, sans-IO
awaited_partitions   fetches that this broker answers early, as the follower has yet to name a new partition
ports                what replication needs of the node
"""

from kafkapy.replication.replication import Replication

__all__ = ["Replication"]
