"""Runs all variants of a scenario: what is stored is not run again, and what is done is stored at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulations.serving import DAY_S, HOUR_S
from simulations.sweep.pieces import pieces_of, runs_of
from simulations.sweep.spread import Cores, spread
from simulations.whatif.answer import merged, summary
from simulations.whatif.simulate import answered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulations.sweep.spread import Cluster
    from simulations.sweep.store import Store
    from simulations.whatif.answer import Answer, Runs
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is: pieces in all, done, and done before."""

    pieces: int
    done: int
    stored: int


def answers_of(
    variants: Sequence[tuple[Scenario, Inputs]],
    over: Cores | Cluster,
    *,
    store: Store[Runs] | None = None,
    told: Callable[[Progress], None] | None = None,
) -> list[Answer]:
    """The answer of each variant; the same bits however the work is spread and wherever it was stopped before.

    Raises what `spread` and `answered` raise, and OSError where results cannot be stored.
    """
    pieces = pieces_of(variants)
    found = {number: runs for number, piece in enumerate(pieces) if store and (runs := store.get(piece.key))}
    left = [number for number in range(len(pieces)) if number not in found]
    stored = len(found)
    tell = told or (lambda _: None)
    tell(Progress(len(pieces), stored, stored))
    work = [pieces[number] for number in left]
    if over == Cores():
        over = Cores(min(over.number, 1 + int(sum(piece.size for piece in work))))  # a process takes seconds to start
    if isinstance(over, Cores) and min(over.number, len(work)) > 1:
        _compile(variants)
    for place, runs in spread(runs_of, work, over):
        number = left[place]
        found[number] = runs
        if store is not None:
            store.put(pieces[number].key, runs)
        tell(Progress(len(pieces), len(found), stored))
    parts: list[list[Runs]] = [[] for _ in variants]
    for number, piece in enumerate(pieces):
        parts[piece.variant].append(found[number])
    return [summary(scenario, merged(runs)) for (scenario, _), runs in zip(variants, parts, strict=True)]


def _compile(variants: Sequence[tuple[Scenario, Inputs]]) -> None:
    """Run an hour of each kind of variant here: what is compiled is then in Numba's cache, where processes find it.

    Else each would compile for itself at the first use after an installation, and take the memory for it.
    """
    seen = set()
    for scenario, inputs in variants:
        kinds = frozenset(policy.replicas.partition(":")[0] for policy in scenario.policies)
        if kinds not in seen:
            seen.add(kinds)
            hour = {"days": HOUR_S / DAY_S, "warmup": 0.0, "runs": 1}
            answered(scenario.model_copy(update=hour), inputs)
