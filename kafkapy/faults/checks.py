"""What is checked of a rule as a whole: that its fields go together, and that some request could ever meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
from kafkapy.faults.invalid_rule import InvalidRule
from kafkapy.faults.matching import Never, matcher_of
from kafkapy.faults.rule_fields import AFTER, BEFORE, CONNECTION, FIELDS, WHAT, RuleFields
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey

if TYPE_CHECKING:
    from collections.abc import Iterable

ENDINGS: Final = ("error", "disconnect", "reset_peer", "black_hole")
"""A rule has one of these at most."""
BELONGS_TO: Final = {
    "at": ("error",),
    "message": ("error",),
    "applied": ("error",),
    "timeout_ms": ("black_hole",),
    "jitter_ms": ("delay_ms", "answer_delay_ms", "latency_ms"),
    "seed": ("probability", "jitter_ms", "slicer_variation_bytes"),
    "slicer_variation_bytes": ("slicer_bytes",),
    "slicer_delay_ms": ("slicer_bytes",),
}
"""What has a meaning only with another field."""
NEED_AN_ANSWER: Final = ("answer_delay_ms", "throttle_time_ms", "edit", "corrupt_crc", "stale_metadata")
ABOUT_APIS: Final = (
    "topic",
    "topic_id",
    "partition",
    "group",
    "member",
    "transactional_id",
    "at",
    "throttle_time_ms",
    "corrupt_crc",
    "stale_metadata",
)
"""Not every API has these."""
ALONE: Final = ("at", "message", "applied", "jitter_ms", "timeout_ms", "slicer_variation_bytes", "slicer_delay_ms")
"""These do nothing by themselves."""


def check(rule: RuleFields) -> None:
    """Raises InvalidRule."""
    given = [name for name, known in FIELDS.items() if getattr(rule, name) != known.default]
    does = [name for name in given if FIELDS[name].kind in (WHAT, CONNECTION) and name not in ALONE]
    for name, others in BELONGS_TO.items():
        if name in given and not any(other in given for other in others):
            raise InvalidRule(name, f"it has a meaning only together with {' or '.join(others)}")
    if not does:
        raise InvalidRule("rule", "it does nothing: say what it does, by error, disconnect, delay_ms or the like")
    endings = [name for name in ENDINGS if name in given]
    if len(endings) > 1:
        raise InvalidRule(endings[1], f"it does not go with {endings[0]}: make two rules")
    if rule.nth and rule.every != 1:
        raise InvalidRule("every", "it does not go with nth: make two rules")
    _check_answer(rule, given)
    _check_reach(rule)


def _check_answer(rule: RuleFields, given: list[str]) -> None:
    """What changes an answer is in vain if none is sent."""
    for ending in ("disconnect", "reset_peer", "black_hole"):
        when = getattr(rule, ending)
        if when in (BEFORE, AFTER):
            for name in given:
                is_in_vain = name in NEED_AN_ANSWER and not (name == "answer_delay_ms" and when == AFTER)
                if is_in_vain or (name == "hold" and rule.hold == AFTER and when == BEFORE):
                    raise InvalidRule(name, f"it has no effect: with {ending}={when} no answer is sent")
    if rule.stale_metadata and rule.error is not None:
        raise InvalidRule("stale_metadata", "it does not go with error: make two rules")


def served_apis() -> dict[ApiKey, str]:
    """All that a node answers, by Kafka's names."""
    return {key: API_VERSIONS[key].message_name for key in sorted({*API_MODULES, *CONTROLLER_API_MODULES})}


def _check_reach(rule: RuleFields) -> None:
    """Some request must be able to meet the rule: of each API that it names, or of any if it names none."""
    served = served_apis()
    if not rule.api:
        if rule.where or rule.edit:
            name = "where" if rule.where else "edit"
            raise InvalidRule("api", f"{name} is about the fields of an API: name it")
        if rule.version is not None:
            raise InvalidRule("api", "versions are those of an API: name it")
        given = [name for name in ABOUT_APIS if getattr(rule, name)]
        if not given:
            return  # it is about any request, and 180 message classes need not be imported
        reasons = _reasons_against(rule, served)
        if len(reasons) == len(served):
            raise InvalidRule(given[-1], f"no API has all of {', '.join(given)}")
        return
    for key in rule.api:
        known = API_VERSIONS[key]
        if rule.version is not None and not any(
            version in rule.version for version in range(known.min_version, known.max_version + 1)
        ):
            raise InvalidRule(
                "version",
                f"{known.message_name} has versions {known.min_version} to {known.max_version}",
                str(known.max_version if rule.version.first > known.max_version else known.min_version),
            )
    reasons = _reasons_against(rule, rule.api)
    if reasons:
        raise next(iter(reasons.values()))


def _reasons_against(rule: RuleFields, apis: Iterable[ApiKey]) -> dict[ApiKey, InvalidRule]:
    """Why no request of an API could meet the rule, for those of which that is so."""
    reasons: dict[ApiKey, InvalidRule] = {}
    for key in apis:
        known = API_VERSIONS[key]
        against: InvalidRule | None = None
        # The newest version first: its reason is the one that a user can do something about.
        for version in range(known.max_version, known.min_version - 1, -1):
            if rule.version is not None and version not in rule.version:
                continue
            try:
                matcher_of(rule, key, version)
            except Never as never:
                against = against or never.reason
            else:
                break
        else:
            assert against is not None, f"{known.message_name} has no version that was looked at"
            reasons[key] = against
    return reasons
