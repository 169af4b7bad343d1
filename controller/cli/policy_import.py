"""`foresail policy import`: policies in shadow from the autoscalers of files or a cluster."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INVALID, PARTIAL, RUNTIME
from controller.cli.flags import loaded, with_settings
from controller.cli.named_files import texts_of
from controller.cli.output import Output, emit, note
from controller.settings import catalogue
from policies.problems import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.migration.draft import Left
    from controller.migration.manifests import Found
    from controller.migration.policies import Imported
    from controller.settings import Loaded
    from policies.problems import Problem

_SETTINGS = ("kubeconfig", "context")
_WIDTH = 120


class Form(StrEnum):
    """How policies are written to stdout."""

    YAML = "yaml"
    JSON = "json"


@with_settings(each for each in catalogue() if each.name in _SETTINGS)
def imported(
    files: Annotated[
        list[Path] | None,
        typer.Option("-f", "--filename", help="File or folder with autoscalers as YAML; - is stdin; repeatable."),
    ] = None,
    from_cluster: Annotated[bool, typer.Option("--from-cluster", help="Read the autoscalers of the cluster.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n", "--namespace", help="Of the cluster this namespace alone; of files that of objects without one."
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(help="PromQL of a metric that a metrics API knows by name; repeatable.", metavar="METRIC=PROMQL"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write one file for each policy into this folder.")] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write to stdout.")] = Form.YAML,
    **flags: object,
) -> None:
    """Turn HorizontalPodAutoscalers, KEDA ScaledObjects and VerticalPodAutoscalers into policies in shadow.

    What has no counterpart, and what was assumed, stands on stderr and as comments above each policy. Nothing is
    changed anywhere. Exit code 4 when no policy could be made of some of them.
    """
    from controller.migration.manifests import Found
    from controller.migration.policies import policies_of

    if from_cluster == bool(files):
        raise typer.BadParameter("name files with -f, or say --from-cluster", param_hint="--filename")
    found = Found(namespace=namespace or "default")
    if from_cluster:
        asyncio.run(_take_cluster(found, loaded(flags), namespace))
    else:
        _take_files(found, files or [])
    made, left = policies_of(found.given(_queries(query or [])))
    left = [*found.without_policy(), *left]
    if not made and not left:
        note("error: no HorizontalPodAutoscaler, ScaledObject or VerticalPodAutoscaler was found")
        raise typer.Exit(RUNTIME)
    if out is not None:
        _write_files(made, out)
    elif output is Form.JSON:
        emit("PolicyImport", _content(made, left), Output.JSON, str)
    else:
        typer.echo("---\n".join(map(_text, made)), nl=False)
    _tell(made, left)
    if left:
        raise typer.Exit(PARTIAL)


def _take_files(found: "Found", files: "Sequence[Path]") -> None:
    from controller.migration.manifests import take_text

    problems: list[Problem] = []
    for path in files:
        try:
            for source, text in texts_of(path):
                take_text(found, text, source)
        except PolicyError as error:
            problems += error.problems
    for problem in problems:
        note(f"error: {problem}")
    if problems:
        raise typer.Exit(INVALID)


async def _take_cluster(found: "Found", settings: "Loaded", namespace: str | None) -> None:
    from controller.clients.kubernetes import connect
    from controller.migration.cluster import take_cluster

    chosen = settings.settings
    async with await connect(kubeconfig=chosen.kubeconfig, context=chosen.context) as session:
        await take_cluster(found, session, namespace)


def _queries(given: "Sequence[str]") -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    for name, _, query in pairs:
        if not name or not query.strip():
            raise typer.BadParameter(f"must be METRIC=PROMQL, not {name!r}", param_hint="--query")
    return {name: query for name, _, query in pairs}


def _write_files(made: "Sequence[Imported]", folder: Path) -> None:
    """One file for each policy; none is written where one of them is there already."""
    files = {folder / f"{each.policy.metadata.namespace}-{each.policy.metadata.name}.yaml": each for each in made}
    there = [path for path in files if path.exists()]
    if there:
        raise typer.BadParameter(f"{there[0]} is there already; nothing was written", param_hint="--out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, each in files.items():
            path.write_text(_text(each), encoding="utf-8")
    except OSError as error:
        note(f"error: {error}")
        raise typer.Exit(RUNTIME) from error
    note(f"{len(files)} {'policy' if len(files) == 1 else 'policies'} in {folder}")


def _text(each: "Imported") -> str:
    """A policy as YAML, with what is to be said of it as comments."""
    import yaml

    lost = [str(told) for told in each.notes if told.lost]
    assumed = [str(told) for told in each.notes if not told.lost]
    lines = [f"From {' and '.join(each.sources)}."]
    for title, told in (("Has no counterpart:", lost), ("Assumed, to be checked:", assumed)):
        lines += [title, *(f"- {words}" for words in told)] if told else []
    comments = "".join(f"# {line}\n" for text in lines for line in text.splitlines())
    return comments + yaml.safe_dump(each.document(), sort_keys=False, allow_unicode=True, width=_WIDTH)


def _content(made: "Sequence[Imported]", left: "Sequence[Left]") -> dict[str, object]:
    return {
        "items": [
            {
                "policy": each.document(),
                "sources": list(each.sources),
                "noCounterpart": [{"path": told.path, "message": told.message} for told in each.notes if told.lost],
                "assumed": [{"path": told.path, "message": told.message} for told in each.notes if not told.lost],
            }
            for each in made
        ],
        "left": [{"source": each.source, "message": each.why} for each in left],
    }


def _tell(made: "Sequence[Imported]", left: "Sequence[Left]") -> None:
    for each in made:
        for told in each.notes:
            note(f"{each.policy.uid}: {'no counterpart' if told.lost else 'assumed'}: {told}")
    for other in left:
        note(f"error: no policy was made of {other}")
