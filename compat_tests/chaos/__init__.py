"""A cluster of processes under load while its nodes fail, and a judge of what its clients saw.

troubles        what is done to the cluster, drawn by a seed: kills, pauses, cuts, empty disks, elections,
                reassignments, brokers that are added and removed
quiet           when the cluster is at rest: all nodes up, all replicas in sync
clients         who works on it: producers, groups, transactions and administrators, in C, Go, Java and Python
programs        clients that are programs: Go, Java, aiokafka, kcat; what they print becomes history
conversation    a program that does what it is told, a line at a time
group_programs  members of groups and transactions in Go and Java, by conversation
admin           clients that make, change and delete topics
security        who its clients are where they log in, and their ACLs
committed       committed offsets, asked for without a client library
sequences       what must hold of idempotent producers beyond what was acknowledged
groups          what must hold of groups: offsets never go back, and at rest every group has seen everything
run             all of it together, and the verdict
"""
