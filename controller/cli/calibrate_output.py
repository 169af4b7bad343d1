"""How a calibration is told: figures with their intervals, what to declare, and what to doubt."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from controller.cli.output import Output, console, emit, table_of
from controller.cli.times import moment_text
from policies.calibration.declaring import declaration
from policies.calibration.objective import seconds_text

if TYPE_CHECKING:
    from policies.calibration.calibrate import Calibration, Kept
    from policies.calibration.estimates import Interval

_COLUMNS = {"": "left", "ESTIMATE": "right", "95 % INTERVAL": "left"}


def show(found: "Calibration", output: Output) -> None:
    """Write it to stdout."""
    if output is not Output.TABLE:
        emit("Calibration", document(found), output, str)
        return
    out = console()
    out.print(table_of(_COLUMNS, list(_rows(found))))
    told = declaration(found)
    out.print(f"\n{told.text}" if told else "\nNothing can be declared from this.", markup=False)
    for finding in found.findings:
        out.print(f"\n{'contradicted' if finding.contradicts else 'note'}: {finding.message}", markup=False)


def document(found: "Calibration") -> dict[str, object]:
    """The content of the JSON or YAML document. Loads are per replica and second; unknown ends are null."""
    told, curve = declaration(found), found.curve
    return {
        "windows": {"used": found.used, **asdict(found.left)},
        "from": moment_text(found.span_s[0]),
        "to": moment_text(found.span_s[1]),
        "highestLoadSeen": found.highest,
        "saturated": {**_interval(found.saturated), "windows": found.saturated_windows},
        "curve": None
        if curve is None
        else {
            "of": str(found.basis),
            "baseSeconds": _interval(curve.base()),
            "eachSeconds": _interval(curve.each()),
            "mostPerSecond": _interval(curve.most_per_s()),
            "underWaySeen": [float(each) for each in curve.under_way],
            "bent": curve.bent,
        },
        "objectives": [_kept(each) for each in found.kept],
        "serving": _interval(found.serving),
        "declare": None
        if told is None
        else {"capacityPerReplica": told.capacity, "servingLimit": told.serving_limit, "atLeast": told.at_least},
        "policyText": None if told is None else told.text,
        "findings": [asdict(each) for each in found.findings],
    }


def _kept(each: "Kept") -> dict[str, object]:
    return {
        "objective": str(each.objective),
        "limit": _interval(each.limit.interval),
        "highestLoadSeen": each.limit.highest,
        "lateAtHighest": each.limit.late_at_highest,
        "windows": each.limit.windows,
        "atBucketBound": each.at_a_bound,
        "extrapolated": None if each.extrapolated is None else float(each.extrapolated),
    }


def _interval(told: "Interval") -> dict[str, object]:
    return {
        name: None if each is None else float(each)
        for name, each in (("value", told.value), ("low", told.low), ("high", told.high))
    }


def _rows(found: "Calibration") -> "list[tuple[str, str, str]]":
    rows = [(f"load in time, {each.objective}", *_cells(each.limit.interval)) for each in found.kept]
    if found.saturated_windows:
        rows.append((f"load while saturated ({found.saturated_windows} windows)", *_cells(found.saturated)))
    if found.curve is not None:
        of = {"itl": "ITL", "latency": "latency", "in flight": "latency"}[str(found.basis)]
        rows.append((f"{of} alone", *_cells(found.curve.base(), time=True)))
        rows.append((f"{of}, for each request under way", *_cells(found.curve.each(), time=True)))
    rows.append(("highest load seen", f"{found.highest:.4g}", f"{found.used} of {found.left.windows} windows"))
    return rows


def _cells(told: "Interval", *, time: bool = False) -> tuple[str, str]:
    def text(value: float) -> str:
        return seconds_text(value) if time else f"{value:.4g}"

    if told.low is None and told.high is None:
        return ("-" if told.value is None else text(told.value)), "not known"
    if told.high is None:
        return ("-" if told.value is None else text(told.value)), f"at least {text(told.low or 0)}"
    if told.low is None:
        return ("-" if told.value is None else text(told.value)), f"below {text(told.high)}"
    return ("-" if told.value is None else text(told.value)), f"{text(told.low)} to {text(told.high)}"
