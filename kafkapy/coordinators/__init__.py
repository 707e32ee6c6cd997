"""Coordinators: owners of state that lives in an internal topic.

runtime.py    decide, append, replay, answer: what every coordinator shares
topic_log.py  the internal topic of a coordinator, made when first needed
broker_queues.py  what goes to other brokers, one request at a time to each
deadline.py   a timer that heartbeats may move for free
group/        groups and their committed offsets, in `__consumer_offsets`
share/        share partitions and their deliveries, in `__share_group_state`
transaction/  transactional ids and their transactions, in `__transaction_state`
"""
