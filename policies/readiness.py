"""Whether a workload may go a step further, from shadow to floor to active: criteria, each with what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = Literal["floor", "active"]
STEPS: Final[tuple[Step, ...]] = ("floor", "active")

_DAY_S = 86_400.0
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Least:
    """What a step asks for."""

    evidence_s: float
    data_ratio: float  # of the last day's minutes whose demand is known
    coverage: float  # of the 0.95 quantile in the backtest of the models
    cost_ratio: float  # at most, of the replicas in charge over those of the autoscaler in place


LEAST: Final[dict[Step, Least]] = {
    "floor": Least(evidence_s=_DAY_S, data_ratio=0.95, coverage=0.85, cost_ratio=1.1),
    "active": Least(evidence_s=7 * _DAY_S, data_ratio=0.99, coverage=0.90, cost_ratio=1.02),
}


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the one in charge and the autoscaler in place took and missed on the same load, of about a week."""

    replicas: float
    late_ratio: float
    incumbent_replicas: float
    incumbent_late_ratio: float
    realised_late_ratio: float  # by what was ready; in shadow by its orders
    budget_ratio: float  # that may be late


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a workload. What is None is not known yet."""

    evidence_s: float
    shadow: Shadow | None = None
    data_ratio: float | None = None
    coverage: float | None = None  # the lowest of the models that speak for the next minutes
    contradicted: tuple[str, ...] = ()  # declared capacities that are not what was seen, in sentences
    unseen: str | None = None  # why its target cannot be seen
    owner: str | None = None  # who else scales it, and the way out


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion: its value and bound (None where it is no number), whether it is met, in words, and what to do."""

    name: str
    ok: bool
    sentence: str
    mend: str
    value: float | None = None
    at_least: float | None = None
    at_most: float | None = None


def criteria(measured: Measured, step: Step) -> tuple[Criterion, ...]:
    """Every criterion of a step; what is met has nothing to do."""
    return tuple(replace(each, mend="") if each.ok else each for each in _criteria(measured, step))


def _criteria(measured: Measured, step: Step) -> Iterator[Criterion]:
    least = LEAST[step]
    yield _target(measured)
    if step == "active":
        yield _alone(measured)
    yield _evidence(measured, least)
    yield _data(measured, least)
    yield _bands(measured, least)
    yield _capacity(measured)
    yield from _missed(measured)
    yield _cost(measured, least)


def _target(measured: Measured) -> Criterion:
    seen = measured.unseen is None
    return Criterion("target", seen, "its target is seen" if seen else "its target is not seen", measured.unseen or "")


def _alone(measured: Measured) -> Criterion:
    alone = measured.owner is None
    sentence = "nobody else scales it" if alone else "somebody else scales it"
    return Criterion("owner", alone, sentence, measured.owner or "")


def _evidence(measured: Measured, least: Least) -> Criterion:
    known_s, asked_s = measured.evidence_s, least.evidence_s
    return Criterion(
        "evidence",
        known_s >= asked_s,
        f"its load is known for {duration_text(60 * (known_s // 60))} of {duration_text(asked_s)}",
        "wait, or import what Prometheus has: the daemon learns from it at its start; a demand signal with a known"
        " capacity is needed",
        value=known_s,
        at_least=asked_s,
    )


def _data(measured: Measured, least: Least) -> Criterion:
    mend = "see the signals in `foresail explain` and `foresail doctor`: what is not fresh holds the workload"
    if measured.data_ratio is None:
        return Criterion("data", ok=False, sentence="its demand was never read", mend=mend)
    words = "of the last day's minutes tell its demand"
    return _at_least("data", measured.data_ratio, least.data_ratio, words, mend)


def _bands(measured: Measured, least: Least) -> Criterion:
    mend = "wait for more load to learn from, or announce what no past tells in spec.forecast.events"
    if measured.coverage is None:
        return Criterion("calibration", ok=False, sentence="no forecast has been judged yet", mend=mend)
    words = "of what came was below the forecast's 95 % line"
    return _at_least("calibration", measured.coverage, least.coverage, words, mend)


def _at_least(name: str, value: float, asked: float, words: str, mend: str) -> Criterion:
    sentence = f"{_percent(value)} {words}; {_percent(asked)} are asked for"
    return Criterion(name, value >= asked - _NOISE, sentence, mend, value=value, at_least=asked)


def _capacity(measured: Measured) -> Criterion:
    return Criterion(
        "capacity",
        not measured.contradicted,
        " ".join(measured.contradicted) or "nothing contradicts the declared capacities",
        "measure it with `foresail calibrate` and correct capacityPerReplica or servingLimit",
    )


def _missed(measured: Measured) -> Iterator[Criterion]:
    shadow = measured.shadow
    mend = "raise spec.replicas.max or loosen spec.behavior where they bind, or allow more in spec.objective.late"
    if shadow is None:
        yield Criterion("missed", ok=False, sentence="nothing was replayed in shadow yet", mend="wait for evidence")
        return
    budget = shadow.budget_ratio
    for name, late, words in (
        ("missed", shadow.late_ratio, f"in shadow; the autoscaler in place {_percent(shadow.incumbent_late_ratio)}"),
        ("realised", shadow.realised_late_ratio, "by what was ready, in shadow by what was ordered"),
    ):
        sentence = f"{_percent(late)} of the load came late {words}; {_percent(budget)} may"
        yield Criterion(name, late <= budget + _NOISE, sentence, mend, value=late, at_most=budget)


def _cost(measured: Measured, least: Least) -> Criterion:
    shadow = measured.shadow
    if shadow is None:
        return Criterion("cost", ok=False, sentence="nothing was replayed in shadow yet", mend="wait for evidence")
    ratio = shadow.replicas / max(shadow.incumbent_replicas, _NOISE)
    later = shadow.incumbent_late_ratio > shadow.budget_ratio + _NOISE
    words = f"{shadow.replicas:.1f} replicas in shadow, and {shadow.incumbent_replicas:.1f} of the autoscaler in place"
    if later:
        words += f", which was late more than may be ({_percent(shadow.incumbent_late_ratio)})"
    return Criterion(
        "cost",
        later or ratio <= least.cost_ratio + _NOISE,
        f"{words}; {_percent(least.cost_ratio)} of these are allowed",
        "check capacityPerReplica and spec.objective: a target that is stricter than the autoscaler's costs replicas",
        value=ratio,
        at_most=least.cost_ratio,
    )


def _percent(share: float) -> str:
    return f"{round(100 * share, 2):g} %"
