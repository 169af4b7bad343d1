"""What is asked of Prometheus for a calibration: metric names of model servers, or queries of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.records import SignalQuery
from policies.calibration.history import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unit(StrEnum):
    """What the throughput counts."""

    OUTPUT_TOKENS = "output-tokens"
    PROMPT_TOKENS = "prompt-tokens"
    REQUESTS = "requests"


class Preset(StrEnum):
    """Whose metric names are read."""

    VLLM = "vllm"
    SGLANG = "sglang"


@dataclass(frozen=True, slots=True)
class Names:
    """Metric names of one server. `only` are matchers that keep ranks from being counted twice."""

    served: Mapping[Unit, str]
    running: str
    waiting: str
    histograms: Mapping[Kind, str]
    only: str = ""


# vLLM: vllm/v1/metrics/loggers.py; SGLang: srt/metrics (needs --enable-metrics).
NAMES: Mapping[Preset, Names] = {
    Preset.VLLM: Names(
        served={
            Unit.OUTPUT_TOKENS: "vllm:generation_tokens_total",
            Unit.PROMPT_TOKENS: "vllm:prompt_tokens_total",
            Unit.REQUESTS: "vllm:request_success_total",
        },
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
        histograms={
            Kind.TTFT: "vllm:time_to_first_token_seconds",
            Kind.ITL: "vllm:inter_token_latency_seconds",
            Kind.LATENCY: "vllm:e2e_request_latency_seconds",
        },
    ),
    Preset.SGLANG: Names(
        served={
            Unit.OUTPUT_TOKENS: "sglang:generation_tokens_total",
            Unit.PROMPT_TOKENS: "sglang:prompt_tokens_total",
            Unit.REQUESTS: "sglang:num_requests_total",
        },
        running="sglang:num_running_reqs",
        waiting="sglang:num_queue_reqs",
        histograms={
            Kind.TTFT: "sglang:time_to_first_token_seconds",
            Kind.ITL: "sglang:inter_token_latency_seconds",
            Kind.LATENCY: "sglang:e2e_request_latency_seconds",
        },
        only=', tp_rank="0"',
    ),
}


@dataclass(frozen=True, slots=True)
class Workload:
    """Whose pods: those of a namespace whose names begin with the workload's and a hyphen."""

    namespace: str
    name: str

    def filled(self, text: str) -> str:
        """A query with `$namespace` and `$name` filled in, as in a policy."""
        return text.replace("$namespace", _text(self.namespace)).replace("$name", _text(self.name))

    @property
    def matchers(self) -> str:
        """The label matchers that select its pods."""
        return f'namespace="{_text(self.namespace)}", pod=~"{_text(self.name)}-.*"'


@dataclass(frozen=True, slots=True)
class Own:
    """Queries of the user's own, by column, and names of histograms, in place of a preset's."""

    queries: Mapping[str, str]
    histograms: Mapping[Kind, str]


@dataclass(frozen=True, slots=True)
class Questions:
    """Queries by column of the history, and by latency those of its buckets and of its sum."""

    columns: Mapping[str, SignalQuery]
    buckets: Mapping[Kind, SignalQuery]
    sums: Mapping[Kind, SignalQuery]

    def distinct(self) -> list[SignalQuery]:
        """Every query once."""
        return list(dict.fromkeys((*self.columns.values(), *self.buckets.values(), *self.sums.values())))


@dataclass(frozen=True, slots=True)
class Wording:
    """Whose names, which throughput, how long a window, and a label whose values are told apart."""

    preset: Preset
    unit: Unit
    window_s: int
    by: str | None = None


def questions_of(workload: Workload, wording: Wording, own: Own) -> Questions:
    """The queries of a workload; what the user asks for goes before the preset's."""
    names, by, window = NAMES[wording.preset], wording.by, f"[{wording.window_s}s]"
    pods = f"{{{workload.matchers}{names.only}}}"
    grouped = f" by ({by})" if by else ""
    labels = (by,) if by else ()
    each_pod = f"count by (pod{', ' + by if by and by != 'pod' else ''}) ({names.running}{pods})"
    made = {
        "throughput": f"sum{grouped} (rate({names.served[wording.unit]}{pods}{window}))",
        "replicas": f"count{grouped} ({each_pod})",
        "waiting": f"sum{grouped} (avg_over_time({names.waiting}{pods}{window}))",
        "in_flight": f"sum{grouped} (avg_over_time({names.running}{pods}{window}))",
        **{name: workload.filled(text) for name, text in own.queries.items()},
    }
    by_le = f" by (le{', ' + by if by else ''})"
    histograms = {kind: f"{name}{pods}" for kind, name in names.histograms.items()}
    histograms |= {kind: _selected(name, workload) for kind, name in own.histograms.items()}
    return Questions(
        {name: SignalQuery(text, labels) for name, text in made.items()},
        {
            kind: SignalQuery(f"sum{by_le} (rate({_suffixed(series, '_bucket')}{window}))", ("le", *labels))
            for kind, series in histograms.items()
        },
        {
            kind: SignalQuery(f"sum{grouped} (rate({_suffixed(series, '_sum')}{window}))", labels)
            for kind, series in histograms.items()
        },
    )


def _selected(series: str, workload: Workload) -> str:
    """A histogram's name with matchers: the user's own, or those of the workload's pods."""
    return workload.filled(series) if "{" in series else f"{series}{{{workload.matchers}}}"


def _suffixed(series: str, suffix: str) -> str:
    name, brace, rest = series.partition("{")
    return f"{name}{suffix}{brace}{rest}"


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
