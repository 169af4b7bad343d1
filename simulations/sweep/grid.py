"""What a sweep comes to: a row for each variant and policy, which of them keeps its objective, and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from simulations.whatif.answer import COVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policies.problems import Location
    from simulations.sweep.vary import Scalar, Variant, Vary
    from simulations.whatif.answer import Answer, Verdict
    from simulations.whatif.document import Scenario

_CHOSEN = (("policies",), ("capacity", "commitments"))


@dataclass(frozen=True, slots=True)
class Row:
    """One policy of one variant, and what it is among the rows of the same world."""

    varied: tuple[tuple[str, Scalar], ...]
    verdict: Verdict
    objective: float  # late share
    cheapest: bool = False  # of those that keep their objective
    front: bool = False  # none is cheaper without being later, or less late without being dearer: the Pareto front

    @property
    def keeps(self) -> bool:
        """Whether the mean late share is within the objective."""
        return self.verdict.figures["late_ratio"].mean <= self.objective

    @property
    def sure(self) -> bool:
        """Whether the whole interval of the late share is on the same side of the objective as its mean."""
        late = self.verdict.figures["late_ratio"]
        if late.low is None or late.high is None:
            return False
        return late.high <= self.objective or late.low > self.objective


@dataclass(frozen=True, slots=True)
class Sweep:
    """All rows, variants in their order and policies within."""

    scenario: str
    currency: str
    runs: tuple[int, ...]  # of each variant
    places: tuple[Vary, ...]
    rows: tuple[Row, ...]

    def document(self) -> dict[str, object]:
        """As plain JSON values; the keys are stable."""
        return {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "Sweep",
            "scenario": self.scenario,
            "currency": self.currency,
            "runs": list(self.runs),
            "interval": COVER,
            "varied": [{"path": each.name, "values": list(each.values)} for each in self.places],
            "rows": [_plain(row) for row in self.rows],
        }


def sweep_of(
    variants: Sequence[Variant], scenarios: Sequence[Scenario], answers: Sequence[Answer], places: Sequence[Vary]
) -> Sweep:
    """Put the answers of all variants into rows, and mark them.

    A place under `policies` or `capacity.commitments` is a choice; any other is the world. Rows are marked among those
    of one world, as a policy is not cheaper because less load came.
    """
    rows = [
        Row(variant.varied, verdict, policy.objective.late)
        for variant, scenario, answer in zip(variants, scenarios, answers, strict=True)
        for policy, verdict in zip(scenario.policies, answer.policies, strict=True)
    ]
    world = {each.name for each in places if not _chosen(each.path)}
    return Sweep(
        scenario=scenarios[0].name,
        currency=scenarios[0].currency,
        runs=tuple(answer.runs for answer in answers),
        places=tuple(places),
        rows=tuple(_marked(rows, world)),
    )


def _chosen(path: Location) -> bool:
    return any(path[: len(prefix)] == prefix for prefix in _CHOSEN)


def _marked(rows: Sequence[Row], world: set[str]) -> list[Row]:
    """The rows, the cheapest that keep their objective and the fronts marked."""

    def world_of(place: int) -> str:
        return repr([value for name, value in rows[place].varied if name in world])

    marked = list(rows)
    for _, places in groupby(sorted(range(len(rows)), key=world_of), key=world_of):
        same = list(places)
        keeping = [place for place in same if rows[place].keeps]
        cheapest = min(keeping, key=lambda place: _cost(rows[place]), default=None)
        for place in same:
            row = rows[place]
            front = not any(_dominates(rows[other], row) for other in same)
            marked[place] = Row(row.varied, row.verdict, row.objective, place == cheapest, front)
    return marked


def _cost(row: Row) -> float:
    return row.verdict.figures["cost"].mean


def _dominates(one: Row, other: Row) -> bool:
    pairs = [(one.verdict.figures[name].mean, other.verdict.figures[name].mean) for name in ("cost", "late_ratio")]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _plain(row: Row) -> dict[str, object]:
    verdict = row.verdict
    return {
        "values": dict(row.varied),
        "policy": verdict.name,
        "objective": row.objective,
        "keeps_objective": row.keeps,
        "sure": row.sure,
        "cheapest": row.cheapest,
        "pareto": row.front,
        "figures": {name: asdict(each) for name, each in verdict.figures.items()},
        "cost_by_capacity_type": {name: asdict(each) for name, each in verdict.cost_by_capacity_type.items()},
        "saving_ratio": asdict(verdict.saving_ratio),
        "drivers": {name: asdict(each) for name, each in verdict.drivers.items()},
    }


def table_rows(sweep: Sweep) -> Iterable[list[object]]:
    """Yield rows as a spreadsheet has them: titles, then places, policy, marks, and each figure with its interval."""
    names = list(sweep.rows[0].verdict.figures)
    titles = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    yield [*(each.name for each in sweep.places), "policy", "keeps_objective", "sure", "cheapest", "pareto", *titles]
    for row in sweep.rows:
        figures = (row.verdict.figures[name] for name in names)
        numbers = [number for each in figures for number in (each.mean, each.low, each.high)]
        marks = [str(each).lower() for each in (row.keeps, row.sure, row.cheapest, row.front)]
        yield [*(value for _, value in row.varied), row.verdict.name, *marks, *numbers]
