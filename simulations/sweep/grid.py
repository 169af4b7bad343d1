"""What a sweep comes to: a row for each variant and policy, which of them keeps its objective, and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from simulations.whatif.answer import COVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policies.problems import Location
    from simulations.sweep.vary import Scalar, Variant, Vary
    from simulations.whatif.answer import Answer, Verdict

_CHOSEN = (("policies",), ("capacity", "commitments"))


@dataclass(frozen=True, slots=True)
class Row:
    """One policy of one variant, and what it is among the rows of the same world."""

    varied: tuple[tuple[str, Scalar], ...]
    own: tuple[tuple[str, Scalar], ...]  # without the varied places of other policies
    verdict: Verdict
    cheapest_at: tuple[float, ...] = ()  # objectives that no cheaper row keeps; those that some row's policy has
    front: bool = False  # none is cheaper without being later, or less late without being dearer: the Pareto front


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


def sweep_of(variants: Sequence[Variant], answers: Sequence[Answer], places: Sequence[Vary]) -> Sweep:
    """Put the answers of all variants into rows, and mark them.

    A place under `policies` or `capacity.commitments` is a choice; any other is the world. Rows are marked among those
    of one world, as a policy is not cheaper because less load came.
    """
    rows = [
        Row(variant.varied, _own(variant, places, number), verdict)
        for variant, answer in zip(variants, answers, strict=True)
        for number, verdict in enumerate(answer.policies)
    ]
    world = {each.name for each in places if not _chosen(each.path)}
    return Sweep(
        scenario=answers[0].scenario,
        currency=answers[0].currency,
        runs=tuple(answer.runs for answer in answers),
        places=tuple(places),
        rows=tuple(_marked(rows, world)),
    )


def _own(variant: Variant, places: Sequence[Vary], policy: int) -> tuple[tuple[str, Scalar], ...]:
    """What varies for the policy at a place: all but what is varied in other policies."""
    return tuple(
        each
        for each, place in zip(variant.varied, places, strict=True)
        if place.path[0] != "policies" or place.path[1] == policy
    )


def _chosen(path: Location) -> bool:
    return any(path[: len(prefix)] == prefix for prefix in _CHOSEN)


def _marked(rows: Sequence[Row], world: set[str]) -> list[Row]:
    """The rows, with the cheapest that keep an objective and the fronts marked."""

    def world_of(place: int) -> str:
        return repr([value for name, value in rows[place].varied if name in world])

    marked = list(rows)
    for _, places in groupby(sorted(range(len(rows)), key=world_of), key=world_of):
        same = list(places)
        best = _cheapest(rows, same)
        for place in same:
            row = rows[place]
            at = tuple(objective for objective, winner in best.items() if winner == place)
            front = not any(_dominates(rows[other], row) for other in same)
            marked[place] = replace(row, cheapest_at=at, front=front)
    return marked


def _cheapest(rows: Sequence[Row], same: Sequence[int]) -> dict[float, int]:
    """The place of the cheapest row for each objective that rows of one world have, where some row keeps it."""
    best = {}
    for objective in sorted({rows[place].verdict.objective for place in same}):
        keeping = [place for place in same if _late(rows[place]) <= objective]
        if keeping:
            best[objective] = min(keeping, key=lambda place: _cost(rows[place]))
    return best


def _late(row: Row) -> float:
    return row.verdict.figures["late_ratio"].mean


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
        "objective": verdict.objective,
        "keeps_objective": verdict.keeps,
        "sure": verdict.sure,
        "cheapest_at": list(row.cheapest_at),
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
    yield [*(each.name for each in sweep.places), "policy", "keeps_objective", "sure", "cheapest_at", "pareto", *titles]
    for row in sweep.rows:
        figures = (row.verdict.figures[name] for name in names)
        numbers = [number for each in figures for number in (each.mean, each.low, each.high)]
        keeps, sure, front = (str(each).lower() for each in (row.verdict.keeps, row.verdict.sure, row.front))
        at = " ".join(map(str, row.cheapest_at))
        yield [*(value for _, value in row.varied), row.verdict.name, keeps, sure, at, front, *numbers]
