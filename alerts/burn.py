"""How fast workloads burn the error budgets of their SLOs, by their own metrics: these rules live on without Foresail.

Method: multiwindow, multi-burn-rate alerts (Google, The Site Reliability Workbook, chapter 5). Minutes are weighted by
the load that came in them, so that a late request at night counts as one at noon does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from alerts.rule import WORKLOAD, Alert, Group, Recording, Severity, either, every
from policies.spec import DemandSignal, LateSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.spec import BoundQuery, WorkloadPolicy

_BY = "cluster, namespace, workload"
_HOUR_S = 3600.0
# Told by each policy.
BUDGET = "namespace_workload:slo_budget:hours"  # the share that may be late, times the hours of the SLO's window
# An SLO over less is judged as over this, where the slowest burn that is told is what lasts to the end, and no slower.
_LEAST_WINDOW_S = 30 * 86_400.0
_LATE = "namespace_workload:slo_late:ratio"
_LOAD = "namespace_workload:slo_load"
# Made of these.
_JUDGED = "namespace_workload:slo_load:judged"  # the load of which it is known how much was late
_LATE_LOAD = "namespace_workload:slo_load:late"
_SHORT, _LONG = ("5m", "30m", "1h", "2h"), ("6h", "1d", "3d")


def late_over(window: str) -> str:
    """The name under which the share of the load that was late over a window is recorded."""
    return f"namespace_workload:slo_late:ratio_rate{window}"


@dataclass(frozen=True, slots=True)
class Burn:
    """Too fast: `share` of the budget of the whole SLO's window is gone in `hours`, and it goes on in `recent`."""

    window: str
    hours: int
    recent: str
    share: float

    @property
    def expr(self) -> str:
        """Of an SLO over 30 days, 2 % in an hour are 14.4 times what lasts to the end."""
        allowed = f"{self.share:g} / {self.hours} * max by ({_BY}) ({BUDGET})"
        return every(*(f"max by ({_BY}) ({late_over(each)}) > {allowed}" for each in (self.window, self.recent)))


FAST = (Burn("1h", 1, "5m", 0.02), Burn("6h", 6, "30m", 0.05))
SLOW = (Burn("1d", 24, "2h", 0.1), Burn("3d", 72, "6h", 0.1))
_LABELS = ("cluster", *WORKLOAD)
_NAME = "{{ $labels.namespace }}/{{ $labels.workload }}"

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailErrorBudgetBurnFast",
        expr=either(*(burn.expr for burn in FAST)),
        severity=Severity.CRITICAL,
        summary="A workload burns the error budget of its SLO so fast that it will be gone within days.",
        description=f"{_NAME} was late for {{{{ $value | humanizePercentage }}}} of its load, and still is: 2 % of its"
        " error budget went within an hour, or 5 % within six. First see on its dashboard whether it lacks replicas; if"
        " not, look at what it depends on and at the last release.",
        wait="2m",
        labels=_LABELS,
        dashboard="foresail-workload",
    ),
    Alert(
        name="ForesailErrorBudgetBurnSlow",
        expr=either(*(burn.expr for burn in SLOW)),
        severity=Severity.WARNING,
        summary="A workload burns the error budget of its SLO faster than it lasts.",
        description=f"{_NAME} was late for {{{{ $value | humanizePercentage }}}} of its load: a tenth of its error"
        " budget went within a day or three. First see on its dashboard at which hours it is late.",
        wait="15m",
        labels=_LABELS,
        dashboard="foresail-workload",
    ),
)


def _judged() -> Iterator[Recording]:
    yield Recording(_JUDGED, f"{_LOAD}\nand\n{_LATE}")
    yield Recording(_LATE_LOAD, f"{_LOAD}\n*\n{_LATE}")


def _over(windows: Sequence[str]) -> Iterator[Recording]:
    for window in windows:
        late, load = (f"sum by ({_BY}) (sum_over_time({name}[{window}]))" for name in (_LATE_LOAD, _JUDGED))
        yield Recording(late_over(window), f"{late}\n/\n{load}")


GROUPS = (
    Group("foresail-burn", (*_judged(), *_over(_SHORT), *ALERTS)),
    Group("foresail-burn-long", tuple(_over(_LONG)), interval="5m"),
)


def groups_of(policies: Sequence[WorkloadPolicy]) -> tuple[Group, ...]:
    """What policies with an SLO and a signal of kind `late` bring: three rules each, in a group for each namespace."""
    judged = sorted((policy for policy in policies if _is_judged(policy)), key=lambda policy: policy.uid)
    return tuple(
        Group(f"foresail-slo-{namespace}", tuple(rule for policy in own for rule in _of(policy)))
        for namespace, own in groupby(judged, key=lambda policy: policy.metadata.namespace)
    )


def _is_judged(policy: WorkloadPolicy) -> bool:
    return policy.spec.objective.slo is not None and any(isinstance(each, LateSignal) for each in policy.spec.signals)


def _of(policy: WorkloadPolicy) -> Iterator[Recording]:
    slo = policy.spec.objective.slo
    if slo is None:
        return
    labels = {"namespace": policy.metadata.namespace, "workload": policy.metadata.name}
    pairs = list(zip(policy.spec.signals, policy.queries(), strict=True))
    late = [_selected(query) for signal, query in pairs if isinstance(signal, LateSignal)]
    load = [_selected(query) for signal, query in pairs if isinstance(signal, DemandSignal)]
    budget_hours = (1.0 - slo.target) * max(slo.window, _LEAST_WINDOW_S) / _HOUR_S
    yield Recording(BUDGET, f"vector({budget_hours:.6g})", labels)
    yield Recording(_LATE, _largest(late), labels)
    yield Recording(_LOAD, f"sum({load[0]}\n) > 0" if load else "vector(1)", labels)


def _largest(queries: Sequence[str]) -> str:
    """The largest of several shares. What is not from 0 to 1 is none: 0 / 0 while nothing comes."""
    shares = [f"max({query}\n) >= 0 <= 1" for query in queries]
    if len(shares) == 1:
        return shares[0]
    numbered = (f'label_replace({share}, "of", "{number}", "", "")' for number, share in enumerate(shares))
    return f"max({' or '.join(numbered)})"


def _selected(query: BoundQuery) -> str:
    """The series of the query's answer that are the policy's own. A query may end in a comment, so a line ends it."""
    if not query.match:
        return query.query
    wanted = "vector(1)"
    for label, value in query.match:
        quoted = value.replace("\\", r"\\").replace('"', r"\"").replace("$", "$$")
        wanted = f'label_replace({wanted}, "{label}", "{quoted}", "", "")'
    return f"({query.query}\n) and on ({', '.join(label for label, _ in query.match)}) {wanted}"
