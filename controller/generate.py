"""`python -m controller.generate [--check]`: every file of the repository that is rendered from code."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import assert_never

import yaml

from alerts.catalogue import INHIBIT_FILE, inhibitions
from alerts.catalogue import files as rule_files
from alerts.table import written as alert_table
from controller.field_tables import field_tables
from controller.settings import PREFIX, Setting, Settings, catalogue
from controller.web import openapi
from dashboards.catalogue import BOARDS, text_of
from policies.budget import Budget
from policies.gpus.exported import AGENT
from policies.metric import Counter, Gauge, Histogram, Metric
from policies.presets.catalogue import PRESETS
from policies.presets.model import Candidate, Preset
from policies.signals import EXPORTED
from policies.spec import WorkloadPolicy
from simulations.whatif.document import Scenario

ROOT = Path(__file__).resolve().parent.parent

_POLICY_HEAD = """\
# WorkloadPolicy

<!-- Rendered by `make generate` from policies/spec.py. -->

A policy says how one workload is scaled. `foresail policy validate FILE` checks files of policies and
`foresail policy init` writes a first one; [examples](../examples) show the usual shapes. Unknown fields are errors,
and all problems of a file are told at once.

How values are written:

- *quantity*: a number or a Kubernetes quantity, such as `40`, `250m`, `1.5`, `4Gi`. Targets are compared in
  thousandths, rounded up, as Kubernetes compares them; the least is `1m`.
- *duration*: days, hours, minutes and seconds in this order, such as `8h`, `90m`, `1h30m`, `7d`.
- *share*: a number such as `0.01`, or per cent in quotes such as `"1%"`.
- *date-time*: a time with its offset from UTC, such as `2026-11-27T08:00:00Z`.
- *cron*: five fields, minute, hour, day of month, month and day of week, as Debian's cron reads them. A beginning that
  the clocks skip in spring happens right after the skip, and one in the hour repeated in autumn happens once; where the
  minute or the hour begins with `*`, the clock is followed as it goes. Durations are elapsed time on such days too.
"""

_BUDGET_HEAD = """\
# Budget

<!-- Rendered by `make generate` from policies/budget.py. -->

A budget says how much money and how many GPUs the replicas of a namespace, or of all policies together, may take. It
stands in a file beside [policies](policy.md), and `foresail policy validate FILE` checks it; [budgets](../budgets.md)
tells what is done with it. Unknown fields are errors, and all problems of a file are told at once.
"""

_SCENARIO_HEAD = """\
# Scenario

<!-- Rendered by `make generate` from simulations/whatif. -->

A scenario is a what-if question: `foresail simulate FILE` answers it, and `foresail sweep FILE --vary PATH=VALUES`
answers it in many variants. [What if](../whatif.md) tells how to ask, and what is modelled. Unknown fields are errors,
and all problems of a file are told at once. Values are written as in a [policy](policy.md). All prices are in one
currency; all times `after` count from the first scored step.
"""

_PRESETS_HEAD = """\
# Presets of signals

<!-- Rendered by `make generate` from policies/presets/catalogue.py. -->

A signal of a [policy](policy.md) names a preset in place of a query; its target or capacity stays yours:

```yaml
signals:
  - preset: vllm/tokens
    capacityPerReplica: 2500
  - preset: vllm/kv-cache
    target:
      value: 0.8
  - preset: vllm/queue
    match: {namespace: $namespace, model_name: llama-3}
    target:
      averageValue: 4
```

`match` replaces the labels by which a workload is found; they must be on the metric. Workloads whose `match` has the
same labels are asked in one query. Readings are in base units. `foresail signals --prometheus-url URL` shows what a
Prometheus has, `foresail policy validate --prometheus-url URL` what of your policies cannot work there.
"""

_METRICS_HEAD = """\
# Metrics

<!-- Rendered by `make generate` from policies/signals.py. -->

What Foresail exports on `/metrics`. `workload` is the name of a policy's target, `namespace` that of both.

| metric | type | labels | meaning |
|---|---|---|---|
"""

_GPU_HEAD = """
## GPUs

What `foresail agent`, and `foresail run --nvml`, export of a machine's GPUs ([GPUs](../gpu.md)). `namespace` and `pod`
name the pod that has the device alone; `gpu_instance` is empty but for MIG instances, whose `uuid` is their own.

| metric | type | labels | meaning |
|---|---|---|---|
"""

_SETTINGS_HEAD = f"""\
# Settings

<!-- Rendered by `make generate` from controller/settings. -->

Each setting is a flag of `foresail run` (`--metrics-api-*` of `foresail metrics-api`), a variable, and a name in the
settings file: `--prometheus-url`, `{PREFIX}PROMETHEUS_URL`, `prometheus_url`. A flag wins over its variable, that over
the file, and that over the default. Durations are written as `15s`, `8h` or `14d`, shares as `0.1` or `10%`.

`--config FILE` or `{PREFIX}CONFIG` names the settings file, a YAML mapping; relative paths in it are meant from its
folder:

"""

SETTINGS_EXAMPLE: Mapping[str, object] = {
    "policies": ["policies"],
    "prometheus_url": "http://prometheus:9090",
    "interval": "15s",
    "removal_ratio": "10%",
    "journal_retention": "14d",
    "listen": "0.0.0.0:9870",
}


def policy_reference() -> str:
    """Render the reference of `WorkloadPolicy`, one table for each object in it."""
    return "\n".join([_POLICY_HEAD, *field_tables(WorkloadPolicy)])


def budget_reference() -> str:
    """Render the reference of `Budget`, one table for each object in it."""
    return "\n".join([_BUDGET_HEAD, *field_tables(Budget)])


def scenario_reference() -> str:
    """Render the reference of `Scenario`, one table for each object in it."""
    return "\n".join([_SCENARIO_HEAD, *field_tables(Scenario)])


def metrics_reference() -> str:
    """Render the reference of the exported metrics, in the order of the catalogue."""
    own, gpus = ("".join(f"{_metric_row(metric)}\n" for metric in metrics) for metrics in (EXPORTED, AGENT))
    return f"{_METRICS_HEAD}{own}{_GPU_HEAD}{gpus}"


def settings_reference() -> str:
    """Render the reference of the settings, and an example of the settings file."""
    example = yaml.safe_dump(SETTINGS_EXAMPLE, sort_keys=False)
    head = "\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
    shown = Settings().shown()
    rows = "".join(_setting_row(each, shown[each.name]) for each in catalogue())
    return f"{_SETTINGS_HEAD}```yaml\n{example}```\n{head}{rows}"


def _rules(name: str) -> str:
    return rule_files()[name]


def alerts_document() -> str:
    """`docs/alerts.md` with its tables as they are now; what people wrote around them stays."""
    return alert_table((ROOT / "docs/alerts.md").read_text(encoding="utf-8"))


def openapi_reference() -> str:
    """Render the API's OpenAPI document."""
    return json.dumps(openapi.document(), indent=2, ensure_ascii=False) + "\n"


def presets_reference() -> str:
    """Render the presets of signals, one table for each server."""
    by_server: dict[str, list[Preset]] = {}
    for preset in PRESETS.values():
        by_server.setdefault(preset.name.partition("/")[0], []).append(preset)
    return _PRESETS_HEAD + "".join(_preset_table(server, presets) for server, presets in by_server.items())


# Whoever adds a rendered file adds its path and its function here.
GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/reference/policy.md": policy_reference,
    "docs/reference/presets.md": presets_reference,
    "docs/reference/budget.md": budget_reference,
    "docs/reference/scenario.md": scenario_reference,
    "docs/reference/metrics.md": metrics_reference,
    "docs/reference/settings.md": settings_reference,
    **{f"alerts/{name}": partial(_rules, name) for name in rule_files()},
    f"alerts/{INHIBIT_FILE}": inhibitions,
    "docs/alerts.md": alerts_document,
    **{f"dashboards/{board.uid}.json": partial(text_of, board.uid) for board in BOARDS},
    "docs/reference/openapi.json": openapi_reference,
}


def stale(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield path and new text of each generated file below `root` that is missing or differs."""
    for name, render in GENERATED.items():
        path, text = root / name, render()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main(arguments: Sequence[str]) -> int:
    """Write the stale files, or with `--check` only name them; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m controller.generate [--check]\n")
        return 2
    check = arguments == ["--check"]
    found = list(stale(ROOT))
    for path, text in found:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        sys.stderr.write(f"{path.relative_to(ROOT)}: {'is stale; run make generate' if check else 'written'}\n")
    return 1 if check and found else 0


def _preset_table(server: str, presets: Sequence[Preset]) -> str:
    match = ", ".join(f"`{label}: {value}`" for label, value in presets[0].match.items())
    legacy = f" Legacy: {presets[0].legacy}." if presets[0].legacy else ""
    rows = "".join(_preset_row(preset) for preset in presets)
    head = "| preset | kind | reading | unit | metrics, the first one there counts |\n|---|---|---|---|---|\n"
    return f"\n## {server}\n\nFound by {match}.{legacy}\n\n{head}{rows}"


def _preset_row(preset: Preset) -> str:
    reading = f"{preset.meaning} {preset.form.capitalize()}{', per pod' if preset.per_pod else ''}."
    told = "; ".join(_candidate(each) for each in preset.candidates)
    return f"| `{preset.name}` | {preset.kind} | {reading} | {preset.unit} | {told} |\n"


def _candidate(candidate: Candidate) -> str:
    scale = "" if candidate.scale == 1 else f" x {candidate.scale:g}"
    off = f" (off by default: {candidate.off})" if candidate.off else ""
    return f"{', '.join(f'`{name}`' for name in candidate.names)}{scale}{off}"


def _metric_row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {_metric_type(metric)} | {labels} | {metric.help} |"


def _setting_row(setting: Setting, default: str) -> str:
    # Paths are told as they are written in the code: what they come to depends on the machine.
    told = str(setting.default or "") if setting.name in ("state_dir", "journal_url") else default
    shown = f"`{told.lower() if isinstance(setting.default, bool) else told}`" if told else ""
    meaning = f"{setting.help[:1].upper()}{setting.help[1:]}"
    return f"| `{setting.flag}` | `{setting.variable}` | {shown} | {meaning} |\n"


def _metric_type(metric: Metric) -> str:
    match metric:
        case Counter():
            return "counter"
        case Gauge():
            return "gauge"
        case Histogram():
            return "histogram"
        case _:
            assert_never(metric)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
