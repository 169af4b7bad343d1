"""What is to be doubted about a calibration, each as a code for machines and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from policies.calibration.objective import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.calibration.calibrate import Calibration, Declared, Kept
    from policies.calibration.change import Change
    from policies.calibration.curve import Curve
    from policies.calibration.history import History, Left

_MANY = 0.05  # of the windows
_LOWER = 0.9  # of what was seen to be served in time: less than that is worth a word


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable; `contradicts` says that the declared capacity is not what was seen."""

    code: str
    message: str
    contradicts: bool = False


def nothing_left(left: Left) -> str:
    """Why no window can be used."""
    return f"none of {left.windows} windows can be used: {_why(left)}"


def of_windows(left: Left, seen: History) -> Iterator[Finding]:
    """What is missing of the history."""
    lost = left.missing + left.stale + left.unsettled
    if lost > _MANY * left.windows:
        yield Finding("windows_left_out", f"{lost} of {left.windows} windows are left out: {_why(left)}")
    refused = seen.rejected_per_s > 0
    if refused.any():
        yield Finding(
            "rejections",
            f"requests were refused in {int(refused.sum())} windows: they count as load, and as late",
        )


def changed(change: Change) -> Finding:
    """Another server from some moment on."""
    when = datetime.fromtimestamp(change.at_s, UTC).isoformat(timespec="minutes")
    return Finding(
        "changed",
        f"from about {when} on the latency at {change.under_way:.4g} under way is {change.ratio:+.0%}, as after a"
        " deployment: only what came later is used",
    )


def no_curve(why: str) -> Finding:
    """The curve cannot be fitted."""
    return Finding("no_curve", f"no latency curve: {why}")


def of_curve(curve: Curve) -> list[Finding]:
    """Where the curve is not what servers of its kind have."""
    if not curve.bent:
        return []
    words = (
        "the latency is not a straight line of what is under way (a bound, several kinds of replicas or of requests):"
        " the curve is a rough one; serving limits do not rest on it"
    )
    return [Finding("bent", words)]


def odd(groups: Mapping[str, float]) -> list[Finding]:
    """Pods or versions that are slower or faster than the others."""
    if not groups:
        return []
    told = ", ".join(f"{name} {ratio:+.0%}" for name, ratio in sorted(groups.items(), key=lambda each: -abs(each[1])))
    return [
        Finding("groups_differ", f"the latency at the same requests under way differs: {told}; one capacity hides it")
    ]


def of_limits(made: Calibration) -> Iterator[Finding]:
    """Limits that were not seen, and how well those that were are told."""
    for each in made.kept:
        if not each.at_a_bound:
            yield Finding(
                "between_buckets",
                f"{each.objective}: no bucket ends at {seconds_text(each.objective.at_most_s)}, so the share that is"
                " late is interpolated; choose a bound of the histogram, or set the server's buckets",
            )
        if each.limit.interval.value is None:
            yield _unseen(each)
    if made.saturated.value is None and not made.kept:
        yield Finding(
            "not_identifiable",
            f"not identifiable: no saturation was seen, the highest load was {made.highest:.4g} per replica, and what a"
            " replica serves at most is at least that",
        )


def _unseen(each: Kept) -> Finding:
    limit, may = each.limit, f"{each.objective.allowed:.3g} may be"
    if limit.interval.low is None and limit.interval.high is not None:
        return Finding(
            "beyond_objective",
            f"{each.objective}: more is late at every load that was seen; the limit is below {limit.interval.high:.4g}",
        )
    if limit.interval.low is None:
        return Finding("not_identifiable", f"{each.objective}: not identifiable from {limit.windows} windows")
    words = (
        f"{each.objective}: not identifiable: the highest load seen was {limit.highest:.4g} per replica, where"
        f" {limit.late_at_highest:.2g} of all were late ({may}); the limit is at least {limit.interval.low:.4g}"
    )
    if each.extrapolated is not None and each.extrapolated > limit.highest:
        words += f"; beyond the range of the fit the curve would lead to about {each.extrapolated:.4g}"
    return Finding("not_identifiable", words)


def contradictions(made: Calibration, declared: Declared | None) -> Iterator[Finding]:
    """Where a declared capacity is not what was seen."""
    if declared is None:
        return
    most, what = made.saturated.high, "replicas that were saturated served"
    value = made.saturated.value
    if most is None and made.curve is not None and made.basis == "in flight" and not made.curve.bent:
        most, what, value = (
            made.curve.most_per_s().high,
            "by the curve throughput tends to",
            made.curve.most_per_s().value,
        )
    if most is not None and declared.capacity > most:
        yield Finding(
            "capacity_contradicted",
            f"capacityPerReplica is declared as {declared.capacity:.4g}; {what} {value:.4g} (at most {most:.4g})",
            contradicts=True,
        )
    in_time = declared.capacity * declared.serving_limit_ratio
    serving = made.serving
    if serving.high is not None and in_time > serving.high:
        yield Finding(
            "limit_contradicted",
            f"by capacityPerReplica and servingLimit {in_time:.4g} per replica are served in time; the objectives were"
            f" kept up to {'less than ' if serving.value is None else ''}{serving.value or serving.high:.4g}"
            f" (at most {serving.high:.4g})",
            contradicts=True,
        )
    elif serving.low is not None and in_time < _LOWER * serving.low:
        yield Finding(
            "declared_low",
            f"by capacityPerReplica and servingLimit {in_time:.4g} per replica are served in time; at least"
            f" {serving.low:.4g} were: up to {1 - in_time / serving.low:.0%} fewer replicas would do",
        )


def _why(left: Left) -> str:
    parts = {
        "without throughput or replicas": left.missing,
        "without load": left.idle,
        "that repeat the one before (stale)": left.stale,
        "while the count of replicas changed": left.unsettled,
    }
    return ", ".join(f"{count} {words}" for words, count in parts.items() if count)
