"""What was decided of one workload, and who else scales it: panels of the dashboard "Foresail workload"."""

from __future__ import annotations

from functools import partial

from dashboards import foreign
from dashboards.board import Drawn
from dashboards.panels import HAPPENED, Columns, Query, Sheet, density, entries, states
from dashboards.queries import chosen, largest, or_zero
from policies import signals

_STEP = "$__interval"
_SOON_S = 900
_NOW, _BEFORE = (f"max ({chosen(signals.RECOMMENDED_REPLICAS)}{then})" for then in ("", f" offset {_STEP}"))
_DECIDED = f"{_NOW} != {_BEFORE}"
_IN_ACTIVE = largest(signals.WORKLOAD_INFO, only='mode="active"')
_ACTIVE = f"({_IN_ACTIVE} or {largest(signals.WORKLOAD_INFO)} * 0)"
_HELD = largest(signals.DECISION_REASON, only='reason="owned"')
_BOTH = " * ".join(
    f"max (time() - {chosen(signals.LAST_CHANGE, only=by)} <= bool {_SOON_S})" for by in ('by="foresail"', 'by="other"')
)


DECISIONS = Drawn(
    Sheet(
        id=22,
        title="Last decisions",
        description="When the replicas decided on changed, the newest first: to how many, what the scale asked for and"
        " what was ready then, the rule that had the last word, and who was in charge. Of several within a step of the"
        " time range the last one stands; a decision before the range is not shown. `foresail explain --at` tells the"
        " steps of each.",
        unit="short",
        queries=(
            Query(_DECIDED, "Decided"),
            Query(f"{_BEFORE} != {_NOW}", "Before"),
            Query(f"{largest(signals.DESIRED_REPLICAS)} and ({_DECIDED})", "Asked for"),
            Query(f"{largest(signals.READY_REPLICAS)} and ({_DECIDED})", "Ready"),
            Query(f"({largest(signals.DECISION_REASON, 'reason')} == 1) and on () ({_DECIDED})", ""),
            Query(f"{largest(signals.WORKLOAD_INFO, 'mode', 'in_charge')} and on () ({_DECIDED})", ""),
        ),
        no_value="no change in this time",
    ),
    partial(
        entries,
        columns=Columns(
            labels={"Time": "When", "reason": "Reason", "in_charge": "In charge", "mode": "Mode"},
            units={},
            worst_first="When",
        ),
    ),
)
WHO_ELSE = Drawn(
    Sheet(
        id=23,
        title="Who else scales it",
        description="Red is a conflict: Foresail holds because another owns the scale, an HPA or KEDA (whose HPAs are"
        " called keda-hpa-...) scales what Foresail scales actively, or Foresail and somebody else both changed it in"
        " the last 15 minutes. An HPA beside `floor` or `shadow` is as it should be. Rows of HPAs need"
        " kube-state-metrics.",
        unit="short",
        queries=(
            Query(f"2 * ({or_zero(_HELD)})", "held: another owns it"),
            Query(f"({foreign.scaled_by('')}) * (1 + {_ACTIVE})", "an HPA scales it"),
            Query(f"({foreign.scaled_by('keda-hpa-.*')}) * (1 + {_ACTIVE})", "KEDA scales it"),
            Query(f"2 * ({or_zero(_BOTH)})", "changed by Foresail and by somebody else"),
        ),
        span=24,
        height=5,
    ),
    partial(states, words={0: ("", "transparent"), 1: ("beside", HAPPENED), 2: ("conflict", "red")}),
)
STARTS = Drawn(
    Sheet(
        id=24,
        title="Start-up times of pods",
        description="From a pod's creation to ready, of the pods that became ready at each time, as kube-state-metrics"
        " tells.",
        unit="s",
        queries=(Query(foreign.STARTED, "{{pod}}"),),
        no_value="no pod became ready",
    ),
    density,
)
