"""Where the replicas of placed lanes stand: bases and surges apart, surges by zone, and what was taken back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import integers
from policies.model import Hold, Mode
from policies.places import Places, Zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from controller.records import ClusterView, NodeView, PodView, TargetRef, TargetView
    from policies.arrays import IntArray, SmallArray

REFUSED_S = 300.0  # a pod for which no node has come within this was refused one, for now
_ALIVE = frozenset({"Pending", "Running", "Unknown"})


class _Stood(NamedTuple):
    """Where a surge's pod stood at the last look, and whether its node was known to be taken back then."""

    node: str
    zone: str
    reclaimed: bool


class _Counts(NamedTuple):
    """Pods of one kind: ready, on their way, and refused a node."""

    ready: int
    starting: int
    waiting: int


@dataclass(slots=True)
class Standing:
    """Remembers where the pods of each surge stood, so that those that were taken back can be told from others."""

    _surges: tuple[TargetRef | None, ...] = ()
    _stood: dict[TargetRef, dict[str, _Stood]] = field(default_factory=dict)

    def follow(self, surges: tuple[TargetRef | None, ...]) -> None:
        """Look at these surges, `[lane]`, from now on."""
        self._surges = surges
        self._stood = {ref: stood for ref, stood in self._stood.items() if ref in surges}

    def look(self, view: ClusterView, bases: Sequence[TargetRef], mode: SmallArray) -> Places | None:
        """What the view shows of them; `bases` are the lanes' first objects. None where no lane has a surge.

        An owner holds only the surges of lanes that would write.
        """
        placed = [(lane, ref) for lane, ref in enumerate(self._surges) if ref is not None]
        if not placed:
            return None
        found = Places.none(len(self._surges))
        rows: list[tuple[int, str, IntArray]] = []
        for lane, ref in placed:
            target, pods = view.targets.get(ref), view.pods.get(ref, ())
            names = {pod.name for pod in pods}
            own = (pod for pod in view.pods.get(bases[lane], ()) if pod.name not in names)
            base = _counts(own, view.seen_at_s)
            found.base_ready[lane], found.base_starting[lane], found.base_waiting[lane] = base
            found.surge[lane] = 0 if target is None else target.spec_replicas
            found.hold[lane] = _hold(target, acts=mode[lane] == Mode.ACTIVE)
            found.known[lane] = view.nodes is not None and found.hold[lane] != Hold.NO_TARGET
            if view.nodes is None:
                self._stood.pop(ref, None)
            else:
                rows += [(lane, zone, counts) for zone, counts in self._zones(ref, view.nodes, view)]
        return Places(
            found.surge,
            found.hold,
            found.known,
            found.base_ready,
            found.base_starting,
            found.base_waiting,
            _table(rows),
        )

    def _zones(
        self, ref: TargetRef, nodes: Mapping[str, NodeView], view: ClusterView
    ) -> Iterator[tuple[str, IntArray]]:
        """The rows of one surge, by zone: ready, starting, waiting, noticed, lost."""
        of_zone: defaultdict[str, IntArray] = defaultdict(lambda: integers(5))
        stood: dict[str, _Stood] = {}
        for pod in view.pods.get(ref, ()):
            node = nodes.get(pod.node)
            if pod.deleted or pod.phase not in _ALIVE or (pod.node and node is None):
                continue  # one whose node is gone is gone too, whatever is still shown of it
            zone = "" if node is None else node.zone
            of_zone[zone][:3] += _counts([pod], view.seen_at_s)
            if node is not None:
                of_zone[zone][3] += node.notice is not None
                stood[pod.name] = _Stood(pod.node, zone, node.notice is not None and node.notice.reclaimed)
        before = self._stood.get(ref, {})
        self._stood[ref] = stood
        for name, was in before.items():
            node = nodes.get(was.node)
            taken_back = node is None or was.reclaimed or (node.notice is not None and node.notice.reclaimed)
            of_zone[was.zone][4] += name not in stood and taken_back
        yield from sorted(of_zone.items())


def _counts(pods: Iterable[PodView], now_s: float) -> _Counts:
    alive = [pod for pod in pods if not pod.deleted and pod.phase in _ALIVE]
    ready = sum(pod.ready is True for pod in alive)
    waiting = sum(pod.unschedulable and now_s - pod.created_at_s > REFUSED_S for pod in alive)
    return _Counts(ready, len(alive) - ready - waiting, waiting)


def _hold(target: TargetView | None, *, acts: bool) -> Hold:
    if target is None or target.problem is not None:
        return Hold.NO_TARGET
    if target.paused:
        return Hold.ANNOTATION
    return Hold.OWNED if acts and target.owner is not None else Hold.NONE


def _table(rows: Sequence[tuple[int, str, IntArray]]) -> Zones:
    counts = np.array([counts for *_, counts in rows], np.int64).reshape(-1, 5)
    lane = np.array([lane for lane, *_ in rows], np.int64)
    return Zones(lane, tuple(zone for _, zone, _ in rows), *counts.T.copy())
