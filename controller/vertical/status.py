"""The status of a VerticalPodAutoscaler: recommendations under its policy, and conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controller.vertical.records import RESOURCES
from policies.quantities import milli, parse_quantity, quantity_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.vertical.records import Autoscaler, ContainerRule, Document

Amounts = dict[str, int]  # thousandths by resource

BOUNDS = ("lowerBound", "target", "upperBound")
_TOLERANCE = {"target": 0.0, "uncappedTarget": 0.0, "lowerBound": 0.01, "upperBound": 0.01}
PROVIDED, NO_PODS, UNSUPPORTED, LOW = (
    "RecommendationProvided",
    "NoPodsMatched",
    "ConfigUnsupported",
    "LowConfidence",
)


@dataclass(frozen=True, slots=True)
class Recommended:
    """What is recommended for one container before any policy: thousandths by resource."""

    container: str
    lower: Amounts
    target: Amounts
    upper: Amounts
    young: bool = False  # on less than a day of evidence
    stands: bool = False  # what an autoscaler has is left as it is


@dataclass(frozen=True, slots=True)
class Told:
    """What a status is made of. `matched` is None where nobody knows whether there are pods."""

    recommended: Sequence[Recommended] = ()
    containers: tuple[str, ...] = ()  # that there are
    matched: bool | None = None
    trouble: str | None = None
    at_s: float = 0.0


def status_of(autoscaler: Autoscaler, told: Told) -> Document | None:
    """The status to write; None when the one that stands says the same.

    A container, or a resource of one, without an estimate keeps what is recommended for it; one that is gone or is Off
    goes. On less than a day of evidence no amount is lowered.
    """
    standing = _standing(autoscaler.status)
    made = {
        each.container: _container(each, autoscaler.rule_of(each.container), standing.get(each.container))
        for each in told.recommended
        if not each.stands
    }
    names = told.containers or tuple(standing)
    kept = [made.get(name) or standing.get(name) for name in names if not autoscaler.rule_of(name).off]
    containers = [each for each in kept if each is not None]
    conditions = _conditions(autoscaler.status.get("conditions") or (), told, provided=bool(containers))
    status: Document = {"conditions": conditions}
    status["recommendation"] = {"containerRecommendations": containers} if containers else None
    return None if _same(autoscaler.status, status) else status


def amounts_by_container(status: Mapping[str, Any], bound: str) -> dict[str, Amounts]:
    """What a status has of a bound, by container."""
    return {name: amounts_of(each.get(bound)) for name, each in _standing(status).items()}


def amounts_of(document: Mapping[str, Any] | None) -> Amounts:
    """Thousandths by resource of a list of quantities; what cannot be understood is left out."""
    found = Amounts()
    for name in RESOURCES:
        try:
            found[name] = milli(parse_quantity(str((document or {})[name])))
        except (KeyError, ValueError):
            continue
    return found


def quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    """As Kubernetes writes them: CPU in millicores, memory in whole bytes, both rounded up."""
    return {name: quantity_of(name, amounts[name]) for name in RESOURCES if name in amounts}


def capped(amounts: Mapping[str, int], rule: ContainerRule) -> Amounts:
    """Amounts of the controlled resources, between the rule's bounds; the upper one wins."""
    found = Amounts()
    for name, amount in amounts.items():
        if name in rule.controlled:
            raised = max(amount, rule.least.get(name, 0))
            found[name] = min(raised, rule.most[name]) if name in rule.most else raised
    return found


def _standing(status: Mapping[str, Any]) -> dict[str, Document]:
    told = (status.get("recommendation") or {}).get("containerRecommendations") or ()
    return {each["containerName"]: each for each in told if each.get("containerName")}


def _container(found: Recommended, rule: ContainerRule, standing: Mapping[str, Any] | None) -> Document:
    plain = {"lowerBound": found.lower, "target": found.target, "upperBound": found.upper}
    plain = {bound: _amounts(standing, bound) | plain[bound] for bound in BOUNDS}
    uncapped = _amounts(standing, "uncappedTarget") | dict(found.target)
    uncapped = {name: amount for name, amount in uncapped.items() if name in rule.controlled}
    if found.young and standing is not None:
        plain = {bound: _not_below(plain[bound], standing.get(bound)) for bound in BOUNDS}
        uncapped = _not_below(uncapped, standing.get("uncappedTarget"))
    bounds = {bound: quantities(capped(plain[bound], rule)) for bound in BOUNDS}
    return {"containerName": found.container, **bounds, "uncappedTarget": quantities(uncapped)}


def _amounts(standing: Mapping[str, Any] | None, bound: str) -> Amounts:
    return amounts_of(standing.get(bound)) if standing is not None else Amounts()


def _not_below(amounts: Mapping[str, int], standing: Mapping[str, Any] | None) -> Amounts:
    before = amounts_of(standing)
    return {name: max(amount, before.get(name, 0)) for name, amount in amounts.items()}


def _conditions(before: Sequence[Mapping[str, Any]], told: Told, *, provided: bool) -> list[Document]:
    """The conditions that hold, and RecommendationProvided either way; a time of transition stays while it holds."""
    known = {each["type"]: each for each in before if "type" in each}
    empty = told.matched is False
    why = ("NoPodsMatched", "No pods match this VPA object") if empty else ("", "")
    said: dict[str, tuple[bool, str, str]] = {PROVIDED: (provided, *(("", "") if provided else why))}
    if empty:
        said[NO_PODS] = (True, *why)
    elif told.matched is None and NO_PODS in known:
        said[NO_PODS] = _as_it_was(known[NO_PODS])
    if told.trouble:
        said[UNSUPPORTED] = (True, "", told.trouble)
    young = sorted(each.container for each in told.recommended if each.young)
    if young:
        said[LOW] = (True, "", f"less than a day is known of: {', '.join(young)}")
    elif not told.recommended and LOW in known:
        said[LOW] = _as_it_was(known[LOW])
    return [_condition(kind, said[kind], known.get(kind), told.at_s) for kind in sorted(said)]


def _as_it_was(condition: Mapping[str, Any]) -> tuple[bool, str, str]:
    return condition.get("status") == "True", condition.get("reason") or "", condition.get("message") or ""


def _condition(kind: str, said: tuple[bool, str, str], before: Mapping[str, Any] | None, at_s: float) -> Document:
    on, reason, message = said
    state = "True" if on else "False"
    since = datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z")
    if before is not None and before.get("status") == state:
        since = before.get("lastTransitionTime") or since
    made: Document = {"type": kind, "status": state, "lastTransitionTime": since}
    return made | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def _same(before: Mapping[str, Any], after: Document) -> bool:
    """Whether two statuses say the same, whatever their quantities and the order of their conditions look like.

    The bounds move a little with every sample; less than 1 % of that is nothing to write.
    """
    was, now = _standing(before), _standing(after)
    if was.keys() != now.keys() or _plain_conditions(before) != _plain_conditions(after):
        return False
    return all(
        _near(amounts_of(was[name].get(bound)), amounts_of(now[name].get(bound)), share)
        for name in now
        for bound, share in _TOLERANCE.items()
    )


def _near(before: Amounts, after: Amounts, share: float) -> bool:
    return before.keys() == after.keys() and all(
        abs(after[name] - before[name]) <= share * before[name] for name in after
    )


def _plain_conditions(status: Mapping[str, Any]) -> dict[str, tuple[Any, str, str]]:
    return {
        each["type"]: (each.get("status"), each.get("reason") or "", each.get("message") or "")
        for each in status.get("conditions") or ()
        if each.get("type")
    }
