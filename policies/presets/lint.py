"""What of a policy's signals cannot work as written, judged by what a Prometheus has; nothing is read here."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from policies.presets.catalogue import PRESETS
from policies.presets.model import Form
from policies.quantities import shown
from policies.spec import DemandSignal, LateSignal, PressureSignal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from policies.presets.model import Preset
    from policies.spec import Signal, WorkloadPolicy

_BOUND = re.compile(r'([A-Za-z_:][A-Za-z0-9_:]*)_bucket\s*\{[^{}]*\ble\s*=\s*"([^"]+)"')
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_DCGM_LINE = "add a line for it to the CSV of counters that dcgm-exporter is started with (--collectors)"
_TRITON = "start tritonserver with --metrics-config {}=true"
# Metrics that their exporter leaves out unless it is told otherwise, and how to tell it.
_LEFT_OUT = (
    (re.compile(r"DCGM_FI_DEV_\w+_VIOLATION|DCGM_FI_DEV_ECC_\w+|DCGM_FI_DEV_RETIRED_\w+"), _DCGM_LINE),
    (re.compile(r"DCGM_FI_PROF_SM_(ACTIVE|OCCUPANCY)|DCGM_EXP_\w+"), _DCGM_LINE),
    (re.compile(r"nv_inference_\w+_histogram_ms(_bucket|_sum|_count)?"), _TRITON.format("histogram_latencies")),
    (re.compile(r"nv_inference_\w+_summary_us(_sum|_count)?"), _TRITON.format("summary_latencies")),
    (re.compile(r"sglang:\w+"), "start SGLang with --enable-metrics"),
)


@dataclass(frozen=True, slots=True)
class Present:
    """What a Prometheus has of what policies ask for.

    `names` are metrics with series now; `buckets` the finite upper bounds of histograms, ascending, by name without
    `_bucket`; `unrequested` the containers without a request, by policy uid and resource. What was not asked is absent.
    """

    names: Collection[str] = frozenset()
    buckets: Mapping[str, Sequence[float]] = field(default_factory=dict)
    unrequested: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not work, where in the policy, and what mends it."""

    path: str
    meaning: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.meaning}; {self.mend}"


def lint(policy: WorkloadPolicy, present: Present | None) -> tuple[Finding, ...]:
    """Everything that is to be said of a policy's signals; without `present` what the document alone tells."""
    found: list[Finding] = []
    for place, (signal, bound) in enumerate(zip(policy.spec.signals, policy.queries(), strict=True)):
        path = f"spec.signals[{place}]"
        preset = preset_of(signal)
        if preset is not None and isinstance(signal, PressureSignal):
            found += _unreachable(path, preset, signal)
        if present is not None:
            found += _unbound(path, preset, present)
            found += _left_out(path, bound.query, present) if preset is None else ()
            found += _between(path, bound.query, present)
            found += _unrequested(path, policy, signal, present)
    return tuple(found)


def names_in(policies: Sequence[WorkloadPolicy]) -> frozenset[str]:
    """Metrics that `lint` must know the presence of."""
    queries = [bound.query for policy in policies for bound in policy.queries()]
    written = {name for query in queries for name in _NAME.findall(query) if _how_to_turn_on(name) is not None}
    presets = {name for policy in policies for each in policy.spec.signals for name in _metrics(preset_of(each))}
    return frozenset(written | presets)


def histograms_in(policies: Sequence[WorkloadPolicy]) -> frozenset[str]:
    """Histograms, without `_bucket`, of which queries ask one bucket."""
    return frozenset(
        name for policy in policies for bound in policy.queries() for name, _ in _BOUND.findall(bound.query)
    )


class Counted(NamedTuple):
    """A capacity that is taken from requests: of which policy, namespace, target and resource."""

    uid: str
    namespace: str
    kind: str
    target: str
    resource: str


def requests_in(policies: Sequence[WorkloadPolicy]) -> frozenset[Counted]:
    """Each capacity that is taken from requests."""
    return frozenset(
        Counted(
            policy.uid,
            policy.metadata.namespace,
            policy.spec.target.kind,
            policy.spec.target.name,
            signal.capacity_from_request.resource,
        )
        for policy in policies
        for signal in policy.spec.signals
        if isinstance(signal, DemandSignal) and signal.capacity_from_request is not None
    )


def preset_of(signal: Signal) -> Preset | None:
    """The preset that a signal names, if it names one."""
    named = None if isinstance(signal, LateSignal) else signal.preset
    return None if named is None else PRESETS[named]


def _metrics(preset: Preset | None) -> tuple[str, ...]:
    return () if preset is None else preset.metrics()


def _unreachable(path: str, preset: Preset, signal: PressureSignal) -> Iterator[Finding]:
    target = signal.target
    if preset.ceiling is not None and target.milli >= preset.ceiling * 1000:
        written = target.average_value or target.value
        yield Finding(
            f"{path}.target",
            f"{preset.name} never rises above {preset.ceiling:g}, so a target of {shown(written)} never asks for more",
            "set it below, such as 0.8",
        )
    if preset.form in {Form.MEAN, Form.P90, Form.RATIO} and not preset.per_pod and target.average_value is not None:
        yield Finding(
            f"{path}.target.averageValue",
            f"{preset.name} is one value for all replicas, which averageValue divides by their number",
            "write target.value",
        )


def _unbound(path: str, preset: Preset | None, present: Present) -> Iterator[Finding]:
    if preset is None or preset.read_from(present.names):
        return
    off = next((each.off for each in preset.candidates if each.off), "")
    wanted = ", ".join(preset.metrics()[:3])
    mend = off or "check that the server is scraped"
    yield Finding(f"{path}.preset", f"nothing that {preset.name} reads has series: {wanted}", mend)


def _left_out(path: str, query: str, present: Present) -> Iterator[Finding]:
    for name in dict.fromkeys(_NAME.findall(query)):
        if (turn_on := _how_to_turn_on(name)) is not None and name not in present.names:
            yield Finding(f"{path}.query", f"{name} has no series, and its exporter leaves it out by default", turn_on)


def _how_to_turn_on(name: str) -> str | None:
    return next((how for pattern, how in _LEFT_OUT if pattern.fullmatch(name)), None)


def _between(path: str, query: str, present: Present) -> Iterator[Finding]:
    """An upper bound that the histogram does not have: the selector finds no series at all."""
    for name, text in dict.fromkeys(_BOUND.findall(query)):
        bounds, wanted = present.buckets.get(name, ()), _number(text)
        if not bounds or wanted is None or wanted in bounds:
            continue
        place = bisect_left(bounds, wanted)
        near = [f"{each:g}" for each in bounds[max(0, place - 1) : place + 1]]
        lies = f"lies between its buckets {near[0]} and {near[1]}" if 0 < place < len(bounds) else "is outside of them"
        yield Finding(
            f"{path}.query",
            f'le="{text}" is no bucket of {name}: it {lies}, and selects nothing',
            f"measure at {' or '.join(near)}, or give the server a bucket there",
        )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) != float("inf") else None


def _unrequested(path: str, policy: WorkloadPolicy, signal: Signal, present: Present) -> Iterator[Finding]:
    if not isinstance(signal, DemandSignal) or signal.capacity_from_request is None:
        return
    resource = signal.capacity_from_request.resource
    if count := present.unrequested.get((policy.uid, resource), 0):
        yield Finding(
            f"{path}.capacityFromRequest",
            f"{count} container{'s' if count > 1 else ''} of {policy.spec.target.name} ask for no {resource}, so there"
            " is no capacity to compare use with",
            f"set resources.requests.{resource} on every container, or name the one that counts in `container`",
        )
