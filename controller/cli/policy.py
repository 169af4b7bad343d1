"""`foresail policy`: a policy to begin with, a check of policies, and what an autoscaler needs to follow one."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli import floor as floors
from controller.cli.exits import INVALID
from controller.cli.flags import loaded, with_settings
from controller.cli.named_files import texts_of
from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.cli.policy_import import imported
from controller.policy_text import parse_documents, parse_policies
from controller.settings import DEFAULT, catalogue
from policies.budget import Budget
from policies.documents import Documents
from policies.gpus.caution import utilisation_cautions
from policies.presets.lint import lint
from policies.problems import PolicyError, Problem
from policies.resources.fed_by_size import fed_by_size
from policies.spec import WorkloadPolicy, duplicates

if TYPE_CHECKING:
    from rich.table import Table

    from controller.settings import Loaded
    from policies.presets.lint import Present

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Write and check policies; make an autoscaler follow one.",
)

app.command("import")(imported)

PolicyPaths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Policy files and folders of them; - reads stdin.")
]


@dataclass(frozen=True, slots=True)
class Read:
    """The policies that were found, where each stands, every problem, and budgets with where they stand."""

    policies: tuple[WorkloadPolicy, ...]
    sources: tuple[str, ...]
    problems: tuple[Problem, ...]
    budgets: tuple[tuple[Budget, str], ...]


@app.command()
@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def validate(paths: PolicyPaths, output: OutputOption = Output.TABLE, **flags: object) -> None:
    """Check policies and budgets, and list every problem; exit code 3 if there is one.

    With --prometheus-url the signals are held against what that server has: metrics, buckets, requests. Whether a
    query is valid PromQL is not checked: only Prometheus can tell, and the daemon reports what it refuses.
    """
    found = read(paths)
    present = _present(found.policies, loaded(flags))
    warnings = [
        warning
        for policy, source in zip(found.policies, found.sources, strict=True)
        for told in (fed_by_size, utilisation_cautions)
        for warning in told(policy, source=source)
    ]
    warnings += [
        Problem(source, finding.path, f"{finding.meaning}; {finding.mend}")
        for policy, source in zip(found.policies, found.sources, strict=True)
        for finding in lint(policy, present)
    ]
    content = {
        "valid": not found.problems,
        "policies": [_listed(policy, source) for policy, source in zip(found.policies, found.sources, strict=True)],
        "budgets": [_listed_budget(budget, source) for budget, source in found.budgets],
        "problems": [{"source": each.source, "path": each.path, "message": each.message} for each in found.problems],
        "warnings": [{"source": each.source, "path": each.path, "message": each.message} for each in warnings],
    }
    emit("PolicyValidation", content, output, lambda: _checked(found))
    for warning in warnings:
        note(f"warning: {warning}")
    if found.problems:
        note(f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}")
        raise typer.Exit(INVALID)


@app.command()
def init(
    name: Annotated[str | None, typer.Option(help="Name of the policy; the target's unless set.")] = None,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Namespace of policy and target.")] = "default",
    target: Annotated[
        str | None, typer.Option(help="What to scale: KIND/NAME, or APIVERSION/KIND/NAME.", metavar="KIND/NAME")
    ] = None,
    query: Annotated[str | None, typer.Option(help="PromQL of the demand; $namespace and $name are filled in.")] = None,
    capacity: Annotated[str, typer.Option(help="What one replica serves at 100 %, in the query's unit.")] = "100",
    least: Annotated[int, typer.Option("--min", help="Fewest replicas.")] = 1,
    most: Annotated[int, typer.Option("--max", help="Most replicas.")] = 10,
) -> None:
    """Print a policy to begin with: it decides and records, and writes nothing (mode shadow)."""
    target = target or f"Deployment/{name or 'my-server'}"
    api_version, kind, target_name = _target(target)
    text = _BEGINNING.format(
        name=json.dumps(name or target_name),
        namespace=json.dumps(namespace),
        api_version=json.dumps(api_version),
        kind=json.dumps(kind),
        target=json.dumps(target_name),
        query=json.dumps(query or _QUERY, ensure_ascii=False),
        capacity=json.dumps(capacity),
        min=least,
        max=most,
    )
    try:
        parse_policies(text, source="")
    except PolicyError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(text, nl=False)


@app.command()
def floor(
    paths: PolicyPaths,
    form: Annotated[floors.Form, typer.Option("--as", help="Who is to follow the recommendation.")] = floors.Form.HPA,
    prometheus_url: Annotated[
        str, typer.Option(help="Where KEDA reaches the Prometheus that scrapes Foresail.")
    ] = "http://prometheus-server.monitoring.svc:80",
) -> None:
    """Print what makes an autoscaler take Foresail's recommendation as one more signal."""
    found = read(paths)
    if found.problems:
        for problem in found.problems:
            note(str(problem))
        raise typer.Exit(INVALID)
    others = [policy for policy in found.policies if policy.spec.mode != "floor"]
    for policy in others if form != floors.Form.ADAPTER else ():
        note(
            f"{policy.uid}: spec.mode is {policy.spec.mode}, not floor; in floor the autoscaler alone writes the scale"
        )
    typer.echo(floors.rendered(found.policies, form, prometheus_url), nl=False)


def read(paths: list[Path]) -> Read:
    """Read the policies of files, folders and stdin, with every problem of them all."""
    policies: list[WorkloadPolicy] = []
    sources: list[str] = []
    problems: list[Problem] = []
    budgets: list[tuple[Budget, str]] = []
    for path in paths:
        try:
            for source, text in texts_of(path):
                found = _parsed(text, source, problems)
                policies += found.policies
                sources += [source] * len(found.policies)
                budgets += [(budget, source) for budget in found.budgets]
        except PolicyError as error:
            problems += error.problems
    problems += duplicates(policies, sources=sources)
    return Read(tuple(policies), tuple(sources), tuple(problems), tuple(budgets))


def _present(policies: tuple[WorkloadPolicy, ...], given: "Loaded") -> "Present | None":
    """What the named Prometheus has; None where none is named."""
    from controller.adapters.prometheus.present import read_present
    from controller.clients.access import prometheus_access

    if given.origins["prometheus_url"] == DEFAULT:
        return None
    return asyncio.run(read_present(prometheus_access(given.settings), policies))


def _parsed(text: str, source: str, problems: list[Problem]) -> Documents:
    try:
        found = parse_documents(text, source=source)
    except PolicyError as error:
        problems += error.problems
        return Documents()
    if found == Documents():
        problems.append(Problem(source, "", "holds no policy"))
    return found


def _listed(policy: WorkloadPolicy, source: str) -> dict[str, object]:
    target = policy.spec.target
    return {
        "namespace": policy.metadata.namespace,
        "name": policy.metadata.name,
        "mode": policy.spec.mode,
        "target": f"{target.kind}/{target.name}",
        "source": source,
    }


def _listed_budget(budget: Budget, source: str) -> dict[str, object]:
    return {"namespace": budget.spec.namespace, "name": budget.metadata.name, "source": source}


def _checked(found: Read) -> "Table | str":
    if found.problems:
        return "\n".join(map(str, found.problems))
    columns = {"NAMESPACE": "left", "NAME": "left", "MODE": "left", "TARGET": "left", "SOURCE": "left"}
    listed = zip(found.policies, found.sources, strict=True)
    rows = [list(_listed(policy, source).values()) for policy, source in listed]
    rows += [
        [budget.spec.namespace or "", budget.metadata.name, "", "Budget", source] for budget, source in found.budgets
    ]
    return table_of(columns, rows)


def _target(given: str) -> tuple[str, str, str]:
    """API version, kind and name of a target as it is written on the command line."""
    place, _, name = given.rpartition("/")
    api_version, _, kind = place.rpartition("/")
    known = _APPS.get(kind.lower())
    if not name or not kind or not (api_version or known):
        raise typer.BadParameter(
            f"{given!r} is neither KIND/NAME of a Deployment, StatefulSet or ReplicaSet nor APIVERSION/KIND/NAME",
            param_hint="--target",
        )
    return (api_version, kind, name) if api_version else ("apps/v1", known or kind, name)


_APPS = {kind.lower(): kind for kind in ("Deployment", "StatefulSet", "ReplicaSet")}
_QUERY = 'sum(rate(http_requests_total{namespace="$namespace", pod=~"$name-.*"}[2m]))'
_BEGINNING = """\
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata:
  name: {name}
  namespace: {namespace}
spec:
  # What to scale: anything with a scale subresource, in the policy's namespace.
  target:
    apiVersion: {api_version}
    kind: {kind}
    name: {target}
  # shadow decides and records, and writes nothing. Next: floor publishes the recommendation for your autoscaler
  # (see `foresail policy floor`), active writes the scale, paused only watches.
  mode: shadow
  # Foresail never goes outside these bounds.
  replicas:
    min: {min}
    max: {max}
  # The largest proposal of all signals wins.
  signals:
    # demand is load that does not depend on the replicas there are: requests, tokens or jobs per second.
    - name: load
      kind: demand
      query: {query}
      # What one replica serves at 100 %, in the query's unit. Measure it: every plan rests on it.
      capacityPerReplica: {capacity}
    # pressure raises at once, whatever the forecast says, and keeps replicas from going.
    # - name: queue
    #   kind: pressure
    #   query: sum(queue_length{{namespace="$namespace", pod=~"$name-.*"}})
    #   target:
    #     averageValue: 4
    # late measures the share of requests that are late or fail, and asks for no replicas.
    # - name: slow
    #   kind: late
    #   query: clamp(1 - sum(rate(good_total{{app="$name"}}[5m])) / sum(rate(all_total{{app="$name"}}[5m])), 0, 1)
  # At most this share of requests may arrive while replicas are loaded above the serving limit.
  objective:
    late: 1%
    servingLimit: 0.8
"""
