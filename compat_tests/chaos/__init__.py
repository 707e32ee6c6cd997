"""A cluster of processes under load while its nodes fail, and a judge of what its clients saw.

troubles   what is done to the cluster, drawn by a seed: kills, pauses, cuts, empty disks, reassignments, elections
quiet      when the cluster is at rest: all nodes up, all replicas in sync
programs   clients that are programs: Go, Java, aiokafka, kcat; what they print becomes history
admin      a client that makes, changes and deletes topics
run        all of it together, and the verdict
"""
