"""`foresail recommend resources`: what containers should request, and why; of a cluster, or of a usage file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.recommend_usage import UsageAsked, told


class Form(StrEnum):
    """How recommendations are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


class ResourceName(StrEnum):
    """What is sized."""

    CPU = "cpu"
    MEMORY = "memory"


def resources(
    usage: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV with series, timestamp (s, UTC) and value (cores or bytes).", metavar="FILE"),
    ] = None,
    resource: Annotated[ResourceName | None, typer.Option(help="What the usage file holds.")] = None,
    method: Annotated[str, typer.Option(help="vpa, krr or static (the peak of the warm-up).")] = "vpa",
    evaluate: Annotated[
        bool,
        typer.Option("--evaluate", help="Walk forward over the file, seeing only the past, and score the requests."),
    ] = False,
    every: Annotated[str, typer.Option(help="Time between decisions; requests are held between.")] = "1h",
    overrun: Annotated[
        str, typer.Option(help="Share of samples that may be above the request; vpa, krr and static know none.")
    ] = "1%",
    max_changes_per_day: Annotated[
        int, typer.Option(min=0, help="Changes of a request in any 24 hours; kills for want of memory are beyond it.")
    ] = 8,
    requests_out: Annotated[
        Path | None,
        typer.Option(
            help="Parquet file to write: series, timestamp, request, a row for each sample after the warm-up."
        ),
    ] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the recommendations.")] = Form.TABLE,
) -> None:
    """Tell what containers should request: current, recommended and why.

    With --evaluate the method is walked over the usage file: it decides every hour by what came before, the request is
    held until the next decision, and what it wasted and missed is told. The first 3 days of CPU and 6 hours of memory
    are watched only (of a shorter series than twice that, a quarter). Resizing is in place. A sample of memory above
    the request is a kill, after which the request is 1.2 times as large.
    """
    if usage is None:
        raise typer.BadParameter("is required: a usage file", param_hint="--usage")
    if resource is None:
        raise typer.BadParameter("is required with --usage: cpu or memory", param_hint="--resource")
    if requests_out is not None and not evaluate:
        raise typer.BadParameter("needs --evaluate: without it no request is made", param_hint="--requests-out")
    asked = UsageAsked(usage, resource.value, method, every, overrun, max_changes_per_day)
    told(asked, evaluate=evaluate, requests_out=requests_out, form=output.value)
