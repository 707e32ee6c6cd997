"""A small synchronous Kafka client for the command line: blocking sockets, `kafkapy_wire`, nothing else.

errors         what ends a command, as the one line its user reads
deadline       how long an operation may go on trying
connection     one socket to one broker: versions negotiated, one request in flight
login          SASL over it
cluster        bootstrap, metadata, leaders, coordinators, and trying again
topics, configs, groups, offsets, acls, users, quotas  what the commands of these names ask and change
group_description, share_groups, streams_groups   groups as coordinators describe them, by type
transactions, log_directories, feature_levels  what `kafkapy transactions`, `logdirs` and `features` ask and change
quorum, nodes, partition_health, elections, reassignments, spreading, throttles  what `kafkapy cluster` asks and changes
producer       records to partitions to leaders
fetcher                               records from leaders
assignor, group_member                a member of a classic consumer group
epoch_member, consumer_member, share_member   members of consumer groups (KIP-848) and of share groups
records        deleting records
command_line   arguments and output that the commands share
patience       telling the user what is waited for
interrupts     signals that end a command in order
streams        standard input, output and error, closed or full

Not done: TLS.
"""
