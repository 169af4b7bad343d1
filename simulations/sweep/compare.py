"""Two answers beside each other: what each policy costs and misses in both, how sure the differences are, and why."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from simulations.sweep.changes import changes
from simulations.whatif.answer import COLUMNS, COVER, DRIVERS, FIGURES, Estimate, Runs, estimate, ratio_of_means
from simulations.whatif.document import scenario_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.arrays import FloatArray
    from simulations.sweep.changes import Change
    from simulations.whatif.answer import Answer
    from simulations.whatif.document import Scenario

_FEWEST = 2  # runs that say something about chance
_DAYS_ALIKE = 1e-9


class CompareError(ValueError):
    """Answers that cannot be compared; the message names both and says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: where it comes from, the runs of its policies, and its scenario as plain values, if known."""

    source: str
    scenario: str
    currency: str
    seed: int
    days: float
    runs: Runs
    document: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in the first answer, in the second, and the second less the first."""

    before: Estimate
    after: Estimate
    change: Estimate


@dataclass(frozen=True, slots=True)
class Pair:
    """One policy in both answers: its figures, the share of cost saved, and what drives the difference in cost."""

    name: str
    figures: Mapping[str, Difference]
    saving_ratio: Estimate
    drivers: Mapping[str, Estimate]  # in currency; they add up to the difference in cost


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, their common policies, and what the scenarios differ in; `paired` counts runs with the same luck."""

    before: Side
    after: Side
    paired: int | None
    notes: tuple[str, ...]
    policies: tuple[Pair, ...]
    changes: tuple[Change, ...] | None  # None where a scenario is not known

    def document(self) -> dict[str, object]:
        """As plain JSON values; the keys are stable."""
        return {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "Comparison",
            "before": _named(self.before),
            "after": _named(self.after),
            "currency": self.before.currency,
            "paired_runs": self.paired,
            "interval": COVER,
            "notes": list(self.notes),
            "changes": None if self.changes is None else [asdict(each) for each in self.changes],
            "policies": [asdict(pair) for pair in self.policies],
        }


def _named(side: Side) -> dict[str, object]:
    return {
        "source": side.source,
        "scenario": side.scenario,
        "seed": side.seed,
        "runs": side.runs.number.size,
        "days": side.days,
    }


def side_from(document: object, source: str) -> Side:
    """A side as `foresail simulate -o json` wrote it. Raises CompareError."""
    if not isinstance(document, dict) or document.get("kind") != "Answer":
        raise CompareError(f"{source}: is no answer; give what `foresail simulate -o json` wrote, or a scenario")
    try:
        return _side(document, source)
    except (KeyError, TypeError, ValueError) as error:
        raise CompareError(f"{source}: is an answer that cannot be read ({error!r}); simulate it again") from error


def _side(document: Mapping[str, Any], source: str) -> Side:
    by_run = document["by_run"]
    number = np.array(by_run["run"], np.int64)
    policies = tuple(map(str, by_run["policies"]))
    columns = by_run["columns"]
    values = np.array([columns[name] for name in COLUMNS], np.float64)
    if values.shape != (len(COLUMNS), len(policies), number.size):
        raise ValueError(f"by_run.columns must have {len(policies)} x {number.size} numbers each")
    return Side(
        source=source,
        scenario=str(document["scenario"]),
        currency=str(document["currency"]),
        seed=int(document["seed"]),
        days=float(document["days"]),
        runs=Runs(policies, number, values),
        document=_whole(document.get("document"), source),
    )


def _whole(document: object, source: str) -> Mapping[str, object] | None:
    """The scenario of an answer with every default; None where it is not there."""
    return None if document is None else scenario_with_defaults(scenario_from(document, source=source))


def side_of(scenario: Scenario, answer: Answer, source: str) -> Side:
    """A side that was just run."""
    return Side(
        source,
        answer.scenario,
        answer.currency,
        answer.seed,
        answer.days,
        answer.by_run,
        scenario_with_defaults(scenario),
    )


def scenario_with_defaults(scenario: Scenario) -> dict[str, object]:
    """A scenario as plain values with every default written, so that a default that was changed shows."""
    written: dict[str, object] = scenario.model_dump(mode="json", by_alias=True)
    return written


def compared(before: Side, after: Side) -> Comparison:
    """Put two answers beside each other; policies go by name, or by themselves where each side has but one.

    Runs of one seed had the same luck, so their differences are taken run by run; else the two are independent, and
    the intervals of differences wider. Raises CompareError for two currencies and for sides without a common policy.
    """
    if before.currency != after.currency:
        raise CompareError(
            f"{before.source} is in {before.currency} and {after.source} in {after.currency}; use one currency"
        )
    matched = _matched(before.runs.policies, after.runs.policies)
    if not matched:
        one, other = (", ".join(each.runs.policies) for each in (before, after))
        raise CompareError(f"no policy is in both: {before.source} has {one}; {after.source} has {other}")
    common = np.intersect1d(before.runs.number, after.runs.number)
    paired = before.seed == after.seed and common.size >= min(_FEWEST, before.runs.number.size, after.runs.number.size)
    if paired:
        before_runs, after_runs = (_only(side.runs, common) for side in (before, after))
    else:
        before_runs, after_runs = before.runs, after.runs
    return Comparison(
        before=before,
        after=after,
        paired=int(common.size) if paired else None,
        notes=tuple(_notes(before, after, common.size if paired else None, matched)),
        policies=tuple(
            _pair(
                name,
                *_at_one_price(_columns(before_runs, one), _columns(after_runs, other), before.days, after.days),
                paired=paired,
            )
            for name, one, other in matched
        ),
        changes=_changes(before, after),
    )


def _matched(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, int, int]]:
    """Name and both places of each policy that is compared."""
    if len(before) == len(after) == 1 and before != after:
        return [(f"{before[0]} -> {after[0]}", 0, 0)]
    return [(name, place, after.index(name)) for place, name in enumerate(before) if name in after]


def _only(runs: Runs, number: Any) -> Runs:  # noqa: ANN401 - an array of run numbers
    kept = np.isin(runs.number, number)
    return Runs(runs.policies, runs.number[kept], runs.values[:, :, kept])


def _columns(runs: Runs, place: int) -> dict[str, FloatArray]:
    return dict(zip(COLUMNS, runs.values[:, place], strict=True))


def _at_one_price(
    before: dict[str, FloatArray], after: dict[str, FloatArray], before_days: float, after_days: float
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Both with the driver `replicas` at what a replica costs before; the rest of it is a matter of the driver `price`.

    Each scenario's own drivers take its own price of a replica, which would count a dearer one as more replicas.
    """
    replica_days = float(before["replicas"].mean()) * before_days
    price = float(before["driver:replicas"].mean()) / replica_days if replica_days else 0.0
    made = []
    for own, days in ((before, before_days), (after, after_days)):
        at_price = own["replicas"] * days * price
        rest = own["driver:price"] + own["driver:replicas"] - at_price
        made.append(own | {"driver:replicas": at_price, "driver:price": rest})
    return made[0], made[1]


def _notes(before: Side, after: Side, paired: int | None, matched: Sequence[tuple[str, int, int]]) -> list[str]:
    notes = []
    most = max(before.runs.number.size, after.runs.number.size)
    if paired is None:
        why = f"seeds {before.seed} and {after.seed}" if before.seed != after.seed else "other runs of the seed"
        notes.append(f"the two have {why}, so their luck differs: intervals of differences are wider than with one")
    elif paired < most:
        notes.append(f"differences are over the {paired} runs that both have")
    if abs(before.days - after.days) > _DAYS_ALIKE:
        notes.append(f"costs are over {before.days:g} days there and {after.days:g} days here")
    used = ({one for _, one, _ in matched}, {other for _, _, other in matched})
    for side, places in zip((before, after), used, strict=True):
        alone = [name for place, name in enumerate(side.runs.policies) if place not in places]
        if alone:
            notes.append(f"only {side.source} has {', '.join(alone)}")
    return notes


def _pair(name: str, before: Mapping[str, FloatArray], after: Mapping[str, FloatArray], *, paired: bool) -> Pair:
    figures = {
        figure: Difference(
            estimate(before[figure]), estimate(after[figure]), _change(before[figure], after[figure], paired=paired)
        )
        for figure in FIGURES
    }
    drivers = {each: _change(before[f"driver:{each}"], after[f"driver:{each}"], paired=paired) for each in DRIVERS}
    return Pair(name, figures, _saving(before["cost"], after["cost"], paired=paired), drivers)


def _change(before: FloatArray, after: FloatArray, *, paired: bool) -> Estimate:
    """The second less the first: run by run, or of two independent samples (Welch 1947)."""
    if paired:
        return estimate(after - before)
    mean = float(after.mean() - before.mean())
    if min(before.size, after.size) < _FEWEST:
        return Estimate(mean, None, None)
    parts = [float(each.var(ddof=1)) / each.size for each in (before, after)]
    half = _welch(parts, (before.size, after.size))
    return Estimate(mean, mean - half, mean + half)


def _saving(before: FloatArray, after: FloatArray, *, paired: bool) -> Estimate:
    """1 - the second's mean over the first's; independent samples by the delta method."""
    if paired:
        return ratio_of_means(before - after, before)
    first, second = float(before.mean()), float(after.mean())
    if first == 0:
        return Estimate(0.0, 0.0, 0.0)
    saving = 1 - second / first
    if min(before.size, after.size) < _FEWEST:
        return Estimate(saving, None, None)
    parts = [
        float(before.var(ddof=1)) / before.size * (second / first**2) ** 2,
        float(after.var(ddof=1)) / after.size / first**2,
    ]
    half = _welch(parts, (before.size, after.size))
    return Estimate(saving, saving - half, saving + half)


def _welch(variance: Sequence[float], size: Sequence[int]) -> float:
    """Half an interval around a sum of two independent means with these variances, from samples of these sizes."""
    total = sum(variance)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(part**2 / (count - 1) for part, count in zip(variance, size, strict=True))
    return float(stats.t.ppf(0.5 + COVER / 2, freedom)) * math.sqrt(total)


def _changes(before: Side, after: Side) -> tuple[Change, ...] | None:
    if before.document is None or after.document is None:
        return None
    return tuple(changes(before.document, after.document))
