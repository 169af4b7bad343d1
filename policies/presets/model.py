"""What a preset of a signal is, and the PromQL it comes to: one query for all workloads with the same labels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_BLANK = 2**62  # DCGM writes blanks as values from here on
_WINDOW = "2m"
_QUANTILE_WINDOW = "5m"


class Form(StrEnum):
    """How the series of a workload become its reading."""

    SUM = "sum"
    MEAN = "mean"  # over replicas
    RATE = "sum of rates"
    RATIO = "sum over sum of rates"  # of a histogram: its mean
    P90 = "90th percentile"  # of a histogram


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to tell a signal: names of the same series in several versions, the newest first, and its unit's factor.

    `scale` makes base units of what is exported; `only` are matchers that hold for every workload; `blanks` says that
    values from 2^62 on mean nothing; `off` says how to turn the metric on where it is left out by default.
    """

    names: tuple[str, ...]
    scale: float = 1.0
    only: str = ""
    blanks: bool = False
    off: str = ""

    def names_in(self, present: Collection[str], form: Form) -> tuple[str, ...]:
        """Those of its names that are there."""
        suffix = {Form.P90: "_bucket", Form.RATIO: "_sum"}.get(form, "")
        return tuple(name for name in self.names if f"{name}{suffix}" in present)


@dataclass(frozen=True, slots=True)
class Preset:
    """A signal that a policy names as `server/signal`: candidates in order, and what the reading is.

    `ceiling` is the largest value that it can have. `match` are the labels by which a workload is found unless its
    policy says others. `per_pod` readings are one for each pod.
    """

    name: str
    kind: Literal["demand", "pressure"]
    form: Form
    unit: str
    meaning: str
    candidates: tuple[Candidate, ...]
    match: Mapping[str, str]
    ceiling: float | None = None
    per_pod: bool = False
    legacy: str = ""

    def query(self, labels: Sequence[str]) -> str:
        """PromQL of the reading by these labels (and `pod`, per pod), in base units.

        Names of one series are joined where the series are, so that a rollout with old and new names counts each
        replica once; candidates are joined where the readings are, so that no unit is mixed with another.
        """
        by = ", ".join(dict.fromkeys((*labels, "pod") if self.per_pod else labels))
        return " or ".join(self._of(candidate, by) for candidate in self.candidates)

    def metrics(self) -> tuple[str, ...]:
        """Every metric name that its query reads."""
        suffixes = {Form.P90: ("_bucket",), Form.RATIO: ("_sum", "_count")}.get(self.form, ("",))
        return tuple(f"{name}{suffix}" for each in self.candidates for name in each.names for suffix in suffixes)

    def candidate_names(self) -> tuple[str, ...]:
        """The names by which it may be told, the best first; of histograms without suffix."""
        return tuple(name for each in self.candidates for name in each.names)

    def read_from(self, present: Collection[str]) -> tuple[str, ...]:
        """The names that a reading is made of where these metrics are there: of the first candidate, all that are."""
        for candidate in self.candidates:
            if found := candidate.names_in(present, self.form):
                return found
        return ()

    def _of(self, candidate: Candidate, by: str) -> str:
        scaled = "" if candidate.scale == 1 else f" * {candidate.scale!r}"
        match self.form:
            case Form.SUM | Form.MEAN:
                function = "sum" if self.form is Form.SUM else "avg"
                return f"{function} by ({by}) ({_either(candidate, '{}')}){scaled}"
            case Form.RATE:
                return f"sum by ({by}) ({_either(candidate, f'rate({{}}[{_WINDOW}])')}){scaled}"
            case Form.RATIO:
                parts = [
                    f"sum by ({by}) ({_either(candidate, f'rate({{}}[{_QUANTILE_WINDOW}])', suffix)})"
                    for suffix in ("_sum", "_count")
                ]
                return f"{parts[0]} / {parts[1]}{scaled}"
            case Form.P90:
                buckets = _either(candidate, f"rate({{}}[{_QUANTILE_WINDOW}])", "_bucket")
                return f"histogram_quantile(0.9, sum by (le, {by}) ({buckets})){scaled}"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a signal with a preset is read from: metrics, the newest name first; none there: empty; not known: None."""

    preset: str
    metrics: tuple[str, ...] | None


def _either(candidate: Candidate, around: str, suffix: str = "") -> str:
    only = f"{{{candidate.only}}}" if candidate.only else ""
    parts = [around.format(f"{name}{suffix}{only}") for name in candidate.names]
    return " or ".join(f"{part} < {_BLANK}" if candidate.blanks else part for part in parts)
