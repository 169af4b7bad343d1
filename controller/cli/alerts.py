"""`foresail alerts`: render the rules of Prometheus, check them, compare and publish them."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import INVALID
from controller.cli.flags import with_settings
from controller.cli.output import Output, OutputOption, note
from controller.cli.publishing import (
    ForceOption,
    OutOption,
    Topic,
    content_of,
    differences,
    end,
    end_of_diff,
    publish,
    settings_of,
)
from controller.cli.publishing import render as render_files

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Render, check and publish the rules of Prometheus.")
_SETTINGS = settings_of(Topic.ALERTS)


@app.command()
@with_settings(_SETTINGS)
def render(out: OutOption = None, **flags: object) -> None:
    """Write every file of rules to a folder, as for a repository; files that are there are replaced.

    Beside them stands what to add to Alertmanager's configuration: which alerts make others needless.
    """
    _, content = content_of(flags)
    render_files(content.alert_files(), out)


@app.command()
@with_settings(_SETTINGS)
def check(
    out: OutOption = None,
    promtool: Annotated[str, typer.Option(help="The program that checks PromQL; found on the PATH.")] = "promtool",
    **flags: object,
) -> None:
    """Check the rules that would be published, or those in a folder; exit code 3 if there is a problem.

    Without promtool, PromQL itself is not checked, and a note says so.
    """
    from controller.cli.rule_checks import checked_by_promtool, own_problems

    _, content = content_of(flags)
    files = content.rule_files() if out is None else _in_folder(out)
    problems = [*own_problems(files)]
    judged = checked_by_promtool(files, promtool)
    if judged is None:
        note(f"{promtool} is not installed: PromQL is not checked")
    for problem in (*problems, *(judged or ())):
        typer.echo(problem)
    if problems or judged:
        raise typer.Exit(INVALID)
    note(f"{len(files)} files of rules: no problem")


@app.command()
@with_settings(_SETTINGS)
def diff(out: OutOption = None, output: OutputOption = Output.TABLE, **flags: object) -> None:
    """Tell what publishing would change; exit code 3 if anything. Writes nothing.

    A folder's files are compared line by line, all else as a whole.
    """
    settings, content = content_of(flags)
    differs = out is not None and differences(
        content.rule_files(), out, lambda name: name.startswith("foresail") and name.endswith(".rules.yaml")
    )
    if out is not None and settings.publish_rules == "off":
        end_of_diff((), differs=differs)
        return
    done = publish(Topic.ALERTS, settings, content, write=False, force=False, output=output)
    end_of_diff(done, differs=differs)


@app.command(name="publish")
@with_settings(_SETTINGS)
def publish_rules(
    out: OutOption = None, force: ForceOption = False, output: OutputOption = Output.TABLE, **flags: object
) -> None:
    """Publish to a folder that Prometheus reads, to a ConfigMap, or as a PrometheusRule; writes only what changed.

    What a person changed is kept. Exit code 1 if a target failed.
    """
    settings, content = content_of(flags, out)
    end(publish(Topic.ALERTS, settings, content, write=True, force=force, output=output))


def _in_folder(out: Path) -> dict[str, str]:
    """The files of rules in a folder. Finding none is a problem of the path given."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(out.glob("*.rules.y*ml"))}
    if not found:
        raise typer.BadParameter(f"{out} has no *.rules.yaml", param_hint="--out")
    return found
