"""What a policy's texts must look like, and which of its fields must agree with each other."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeGuard
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr, WithJsonSchema

from policies.problems import Location, Rule, nearest
from policies.quantities import duration_text

Found = Iterator[tuple[Location, str]]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_VARIABLE = re.compile(r"\$(?:\{\w*\}|[A-Za-z_]\w*)")
_LEAST_TARGET = 0.5
SERVER_SET = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_CRON_FIELDS = ("minute", "hour", "day of month", "month", "day of week")


def matching(pattern: str, what: str, *, longest: int = 253) -> AfterValidator:
    """Accept texts that match as a whole; `what` says in the message what was expected."""
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not text or len(text) > longest or not compiled.fullmatch(text):
            raise ValueError(
                f"must be {what}, not {text!r}" if len(text) <= longest else f"is over {longest} characters"
            )
        return text

    return AfterValidator(check)


def duration_within(least_s: float, most_s: float) -> AfterValidator:
    """Accept durations from `least_s` to `most_s`, both included."""

    def check(duration_s: float) -> float:
        if not least_s <= duration_s <= most_s:
            ends = f"{duration_text(least_s)} to {duration_text(most_s)}"
            raise ValueError(f"must be from {ends}, not {duration_text(duration_s)}")
        return duration_s

    return AfterValidator(check)


def share_up_to(most: float) -> AfterValidator:
    """Accept shares above 0 up to `most`."""

    def check(share: float) -> float:
        return _share_up_to(share, most)

    return AfterValidator(check)


def late_up_to(most: float) -> AfterValidator:
    """Accept shares above 0 up to `most`, and the word ``incumbent``."""

    def check(late: float | Literal["incumbent"]) -> float | Literal["incumbent"]:
        return late if late == "incumbent" else _share_up_to(late, most)

    return AfterValidator(check)


def share_from_0_to(most: float) -> AfterValidator:
    """Accept shares from 0 up to `most`, both included."""

    def check(share: float) -> float:
        if not 0 <= share <= most:
            raise ValueError(f"must be from 0 to {most:g} ({most:.0%}), not {share:g}")
        return share

    return AfterValidator(check)


def amount_up_to(most: float) -> AfterValidator:
    """Accept numbers from 0 up to `most`, both included."""

    def check(amount: float) -> float:
        if not 0 <= amount <= most:
            raise ValueError(f"must be from 0 to {most:g}, not {amount:g}")
        return amount

    return AfterValidator(check)


def _off_in_yaml(given: object) -> object:
    return "off" if given is False else given


def _share_up_to(share: float, most: float) -> float:
    if not 0 < share <= most:
        raise ValueError(f"must be above 0 and at most {most:g} ({most:.0%}), not {share:g}")
    return share


def _slo_target(share: float) -> float:
    if not _LEAST_TARGET <= share < 1:
        raise ValueError(f'must be at least {_LEAST_TARGET:g} and below 1, such as 0.999 or "99.9%", not {share:g}')
    return share


def exactly_one(*names: str) -> Rule:
    """Find fewer or more than one of these fields."""

    def rule(given: Mapping[str, object]) -> Found:
        present = [name for name in names if given.get(name) is not None]
        if len(present) != 1:
            yield (), f"must have exactly one of {' and '.join(names)}, not {'both' if present else 'none'}"

    return rule


def per_pod_needs_average(given: Mapping[str, object]) -> Found:
    """Find a pressure signal that is read per pod and compared with a total."""
    target = given.get("target")
    if given.get("perPod") is True and isinstance(target, dict) and target.get("averageValue") is None:
        yield ("perPod",), "needs target.averageValue: readings per pod are compared with a target per replica"


def bounds_agree(given: Mapping[str, object]) -> Found:
    """Find a min above its max, in `replicas` itself and while each of its schedules is active."""
    low, high = given.get("min", 1), given.get("max")
    if _above(low, high):
        yield (), f"min ({low}) is above max ({high}); lower min or raise max"
    schedules = given.get("schedules")
    for index, schedule in enumerate(schedules if isinstance(schedules, list | tuple) else ()):
        if isinstance(schedule, dict):
            yield from _schedule_agrees(index, schedule, low, high)


def names_are_unique(given: Mapping[str, object]) -> Found:
    """Find signals that share a name."""
    signals, first_with = given.get("signals"), dict[str, int]()
    for index, signal in enumerate(signals if isinstance(signals, list | tuple) else ()):
        name = signal.get("name") if isinstance(signal, dict) else None
        if isinstance(name, str) and first_with.setdefault(name, index) != index:
            first = first_with[name]
            yield ("signals", index, "name"), f"{name!r} is already the name of signals[{first}]; give each its own"


def something_decides(given: Mapping[str, object]) -> Found:
    """Find policies whose signals only measure: nothing would decide how many replicas there are."""
    signals = given.get("signals")
    kinds = [signal.get("kind") for signal in signals if isinstance(signal, dict)] if _is_list(signals) else []
    if kinds and all(kind == "late" for kind in kinds):
        yield ("signals",), "must have a demand or pressure signal; a late one measures and asks for no replicas"


def prices_have_requests(given: Mapping[str, object]) -> Found:
    """Find prices of late requests beside no signal, or several, that could count requests."""
    objective, signals = given.get("objective"), given.get("signals")
    prices = objective.get("prices") if isinstance(objective, dict) else None
    if not isinstance(prices, dict) or not _is_list(signals) or prices.get("lateRequest") is None:
        return
    names = [str(signal.get("name")) for signal in signals if isinstance(signal, dict) and _counts(signal)]
    wanted, at = prices.get("signal"), ("objective", "prices")
    if wanted is None and len(names) > 1:
        yield at, f"needs signal, the one of {', '.join(names)} that is in requests per second"
    elif wanted is None and not names:
        yield at, "needs a demand signal in requests per second with capacityPerReplica: lateness is priced by request"
    elif isinstance(wanted, str) and wanted not in names:
        have = f"; there is {', '.join(names)}" if names else ""
        yield (*at, "signal"), f"must name a demand signal with capacityPerReplica, not {wanted!r}{have}"


def _counts(signal: Mapping[str, object]) -> bool:
    return signal.get("kind") == "demand" and signal.get("capacityPerReplica") is not None


def _is_list(given: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(given, list | tuple)


def events_speak_of_signals(given: Mapping[str, object]) -> Found:
    """Find events that share a name, or that speak of a signal which is not a demand signal of the policy."""
    signals, forecast = given.get("signals"), given.get("forecast")
    demand = [
        str(signal.get("name"))
        for signal in (signals if isinstance(signals, list | tuple) else ())
        if isinstance(signal, dict) and signal.get("kind") == "demand"
    ]
    events = forecast.get("events") if isinstance(forecast, dict) else None
    first_with = dict[str, int]()
    for index, event in enumerate(events if isinstance(events, list | tuple) else ()):
        if not isinstance(event, dict):
            continue
        at: Location = ("forecast", "events", index)
        name, signal = event.get("name"), event.get("signal")
        if isinstance(name, str) and first_with.setdefault(name, index) != index:
            yield (*at, "name"), f"{name!r} is already the name of events[{first_with[name]}]; give each its own"
        if isinstance(signal, str) and signal not in demand:
            known = f"; they are {', '.join(demand)}" if demand else "; there is none"
            yield (*at, "signal"), f"must name a demand signal of the policy, not {signal!r}{known}"
        if signal is None and event.get("extra") is not None and len(demand) > 1:
            yield at, f"needs signal: extra is in the unit of one of {', '.join(demand)}"


def _schedule_agrees(index: int, schedule: Mapping[str, object], spec_low: object, spec_high: object) -> Found:
    own_low, own_high = schedule.get("min"), schedule.get("max")
    if own_low is None and own_high is None:
        yield ("schedules", index), "must have min or max, or both"
    elif own_high is None and _above(own_low, spec_high):
        yield (
            ("schedules", index),
            f"min ({own_low}) is above spec.replicas.max ({spec_high}) while it is active; lower min or add a max",
        )
    elif own_low is None and _above(spec_low, own_high):
        yield (
            ("schedules", index),
            f"max ({own_high}) is below spec.replicas.min ({spec_low}) while it is active; raise max or add a min",
        )
    elif _above(own_low, own_high):
        yield ("schedules", index), f"min ({own_low}) is above max ({own_high}); lower min or raise max"


def _above(low: object, high: object) -> bool:
    return type(low) is int and type(high) is int and low > high


def _only_known_variables(text: str) -> str:
    for variable in _VARIABLE.findall(text):
        if variable not in {"$namespace", "$name"}:
            raise ValueError(f"has the variable {variable}; there are only $namespace and $name")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _cron_that_comes(cron: str) -> str:
    fields = cron.split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"must have 5 fields ({', '.join(_CRON_FIELDS)}), not {len(fields)} as in {cron!r}")
    try:
        first = next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        name = str(error).removeprefix("Bad ").replace("-", " ")
        value = fields[_CRON_FIELDS.index(name)]
        raise ValueError(f"has a {name} ({value!r}) that cannot be read or never comes, in {cron!r}") from error
    if first is None:
        raise ValueError(f"never comes: {cron!r}")
    return cron


def _known_timezone(key: str) -> str:
    try:
        ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        guess = nearest(key, available_timezones())
        raise ValueError(f"must be an IANA time zone such as Europe/Berlin, not {key!r}{guess}") from error
    return key


slo_target = AfterValidator(_slo_target)
off_in_yaml = BeforeValidator(_off_in_yaml)  # YAML 1.1 reads a plain off as false
Integer = Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]
Count = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Subdomain = Annotated[
    StrictStr, matching(rf"{_LABEL}(\.{_LABEL})*", "a DNS name of a-z, 0-9, - and ., such as chat-model")
]
Label = Annotated[StrictStr, matching(_LABEL, "a DNS label of a-z, 0-9 and -, such as shop", longest=63)]
SignalName = Annotated[
    StrictStr, matching(r"[a-z0-9]([-_.a-z0-9]*[a-z0-9])?", "a name of a-z, 0-9, -, _ and .", longest=63)
]
GroupVersion = Annotated[
    StrictStr,
    matching(rf"({_LABEL}(\.{_LABEL})*/)?v[0-9]+((alpha|beta)[0-9]+)?", "a group and version such as apps/v1"),
]
KindName = Annotated[StrictStr, matching(r"[A-Z][A-Za-z0-9]*", "a kind such as Deployment", longest=63)]
MetricLabel = Annotated[StrictStr, matching(r"[a-zA-Z_][a-zA-Z0-9_]*", "a label name of Prometheus")]
Query = Annotated[StrictStr, AfterValidator(_not_blank), AfterValidator(_only_known_variables)]
MatchValue = Annotated[StrictStr, AfterValidator(_only_known_variables)]
Cron = Annotated[StrictStr, AfterValidator(_cron_that_comes), WithJsonSchema({"type": "string", "format": "cron"})]
TimeZone = Annotated[
    StrictStr, AfterValidator(_known_timezone), WithJsonSchema({"type": "string", "format": "IANA time zone"})
]
