"""Injected faults: what goes wrong with requests, answers and connections because a test wants it so.

engine = FaultEngine()
fault = engine.add({"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2})
...
assert fault.fired == 2
engine.remove(fault.id)

rule, rule_fields   which requests, when, and what: a flat object of JSON values, checked when it is made
checks, matching    whether any request could meet it; whether one does, and which entries of it are meant
layout              which topics, partitions, groups an API's requests name, and where its answers have errors
conditions, edits   fields of requests and answers by Kafka's names
engine, fault       the rules in force, what they met and did; the door of the dispatcher
injection           what is done to one request
refusal, answers    an error at some of a request's entries; other changes of answers
paced_transport     what is done to connections
files               rules from YAML, TOML or JSON
"""

from kafkapy.faults.engine import FaultEngine, FiredFault, UnknownFault
from kafkapy.faults.fault import Fault
from kafkapy.faults.invalid_rule import InvalidRule
from kafkapy.faults.rule import Rule
from kafkapy.faults.rule_fields import FIELDS, RuleField

__all__ = ["FIELDS", "Fault", "FaultEngine", "FiredFault", "InvalidRule", "Rule", "RuleField", "UnknownFault"]
