"""Where dashboards lead: their uids, the links between them, and the runbooks."""

from __future__ import annotations

FLEET = "foresail-fleet"
WORKLOAD = "foresail-workload"
FORECAST = "foresail-forecast"
GPU = "foresail-gpu"
COST = "foresail-cost"
SELF = "foresail-self"

RUNBOOKS = "docs/runbooks"  # until a site is named that a browser can open
_KEPT = "${datasource:queryparam}&${cluster:queryparam}"


def dashboard(uid: str) -> str:
    """The way to another dashboard, with the time and what is chosen here."""
    return f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}"


def workload_of_row(uid: str = WORKLOAD) -> str:
    """The way from a table's row to its workload; the row has the columns Namespace and Workload."""
    of_row = "var-namespace=${__data.fields.Namespace}&var-workload=${__data.fields.Workload}"
    return f"/d/{uid}?${{__url_time_range}}&{_KEPT}&{of_row}"


def workload_of_series(uid: str = WORKLOAD) -> str:
    """The way from a series to its workload; the series has the labels namespace and workload."""
    of_series = "var-namespace=${__field.labels.namespace}&var-workload=${__field.labels.workload}"
    return f"/d/{uid}?${{__url_time_range}}&{_KEPT}&{of_series}"
