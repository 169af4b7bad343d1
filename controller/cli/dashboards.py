"""`foresail dashboards`: render Grafana's dashboards, compare them with what is published, and publish them."""

import typer

from controller.cli.flags import with_settings
from controller.cli.output import Output, OutputOption
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

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Render, compare and publish Grafana's dashboards.")
_SETTINGS = settings_of(Topic.DASHBOARDS)


@app.command()
@with_settings(_SETTINGS)
def render(out: OutOption = None, **flags: object) -> None:
    """Write every dashboard as a file to a folder, as for a repository; files that are there are replaced."""
    _, content = content_of(flags)
    render_files(content.dashboard_files(), out)


@app.command()
@with_settings(_SETTINGS)
def diff(out: OutOption = None, output: OutputOption = Output.TABLE, **flags: object) -> None:
    """Tell what publishing would change; exit code 3 if anything. Writes nothing.

    A folder's files are compared line by line, all else as a whole.
    """
    settings, content = content_of(flags)
    differs = out is not None and differences(
        content.dashboard_files(), out, lambda name: name.startswith("foresail-") and name.endswith(".json")
    )
    if out is not None and settings.grafana_url is None and settings.publish_dashboards == "off":
        end_of_diff((), differs=differs)
        return
    done = publish(Topic.DASHBOARDS, settings, content, write=False, force=False, output=output)
    end_of_diff(done, differs=differs)


@app.command(name="publish")
@with_settings(_SETTINGS)
def publish_dashboards(
    out: OutOption = None, force: ForceOption = False, output: OutputOption = Output.TABLE, **flags: object
) -> None:
    """Publish to Grafana, to a ConfigMap for its sidecar, or to a folder; writes only what changed.

    What a person changed is kept. Exit code 1 if a target failed.
    """
    settings, content = content_of(flags, out)
    end(publish(Topic.DASHBOARDS, settings, content, write=True, force=force, output=output))
