"""What the API says of a workload with placement: base, surge, and the zones of the surge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.model import Hold

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web.shapes import Placement


def placement(report: TickReport, lane: int) -> Placement | None:
    """Both objects' replicas as asked for, ready and recommended; None for a workload without placement."""
    parts, places, uid = report.decision.split, report.seen.places, report.fleet.uid[lane]
    surge = report.surges.get(uid)
    if places is None or surge is None:
        return None
    row, zones = int(np.searchsorted(parts.lane, lane)), parts.zones
    rows = [each for each in np.flatnonzero(zones.lane == row).tolist() if zones.name[each]]
    hold = Hold(int(places.hold[lane]))
    return {
        "surge": {"apiVersion": surge.api_version, "kind": surge.kind, "name": surge.name},
        "surgeHold": None if hold is Hold.NONE else hold.name.lower(),
        "spotKnown": bool(places.known[lane]),
        "onDemand": {
            "desired": int(parts.base[row]),
            "ready": int(places.base_ready[lane]),
            "recommended": int(parts.on_demand[row]),
        },
        "spot": {
            "desired": int(parts.surge[row]),
            "ready": int(zones.ready[zones.lane == row].sum()),
            "noticed": int(zones.noticed[zones.lane == row].sum()),
            "missing": int(parts.missing[row]),
            "recommended": int(parts.spot[row]),
        },
        "zones": [
            {
                "name": zones.name[each],
                "ready": int(zones.ready[each]),
                "starting": int(zones.starting[each]),
                "noticed": int(zones.noticed[each]),
            }
            for each in rows
        ],
        "shortRatio": float(parts.short_ratio[row]),
        "shortBudgetRatio": float(report.fleet.spot.short_ratio[lane]),
    }
