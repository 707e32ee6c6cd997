"""What is inside SASL tokens, for both ends; and the text in which Kafka's configurations have credentials.

jaas    JAAS configurations: login modules and their options
scram   SCRAM (RFC 5802): messages, and what is reckoned from a password
client  the tokens that a client sends
"""
