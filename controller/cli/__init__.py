"""The `foresail` command: its subcommands by name, imported when they are used, and how errors end it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from controller.cli.exits import INTERRUPTED, RUNTIME
from controller.errors import ForesailError

if TYPE_CHECKING:
    # Typer carries its own copy of click, whose types its methods name.
    from typer._click import Command, Context


@dataclass(frozen=True, slots=True)
class Lazy:
    """A subcommand that is not imported yet: ``module:name`` of a function or a typer app, and its line of help."""

    place: str
    help: str

    def load(self, name: str) -> Command:
        """Import it."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(name)(found)
            found = app
        command = get_command(found)
        command.name = name
        return command


SUBCOMMANDS = {
    "audit": Lazy("controller.cli.audit:audit", "What your autoscalers cost and missed, and what Foresail would have."),
    "cost": Lazy("controller.cli.cost:cost", "What a cluster costs now, by workload, namespace and capacity type."),
    "calibrate": Lazy(
        "controller.cli.calibrate:calibrate", "Fit what a replica can serve within a latency objective, from history."
    ),
    "run": Lazy("controller.cli.run:run", "Run the daemon: observe, decide, act and record, every interval."),
    "policy": Lazy("controller.cli.policy:app", "Write and check policies; make an autoscaler follow one."),
    "signals": Lazy("controller.cli.signals:signals", "List presets of signals, and what of them Prometheus has."),
    "status": Lazy("controller.cli.status:status", "Show the workloads of a running daemon and what it decided."),
    "doctor": Lazy("controller.cli.doctor:doctor", "Check an installation: what is wrong, what it means, the mend."),
    "handback": Lazy(
        "controller.cli.handback:handback", "Leave workloads with plain autoscalers; no running daemon is needed."
    ),
    "takeover": Lazy(
        "controller.cli.takeover:takeover", "Take workloads over from their HPA or ScaledObject; handback gives back."
    ),
    "explain": Lazy("controller.cli.explain:explain", "Tell why a workload has the replicas it has, now or at a time."),
    "ready": Lazy("controller.cli.ready:ready", "Tell whether a workload may go to the next mode, by criteria."),
    "pause": Lazy("controller.cli.hold:pause", "Let Foresail change nothing for a while: of a workload, or of all."),
    "resume": Lazy("controller.cli.hold:resume", "End a pause or an override now."),
    "override": Lazy("controller.cli.hold:override", "Let a workload have exactly so many replicas for a while."),
    "debug-bundle": Lazy(
        "controller.cli.debug_bundle:debug_bundle", "Save what explains a running daemon, without secrets, in one file."
    ),
    "history": Lazy("controller.cli.history:app", "Read past load from Prometheus."),
    "journal": Lazy("controller.cli.journal:app", "Take a part of what a daemon recorded into one file."),
    "replay": Lazy("controller.cli.replay:replay", "Decide a recorded journal again, or a load file under a policy."),
    "backtest": Lazy(
        "controller.cli.backtest:backtest", "Put policies side by side on recorded loads: cost, late share, churn."
    ),
    "simulate": Lazy("controller.cli.simulate:simulate", "Ask what if: policies side by side under a scenario."),
    "sweep": Lazy("controller.cli.sweep:sweep", "Answer a what-if scenario in many variants, on all cores or on Dask."),
    "compare": Lazy("controller.cli.compare:compare", "Put two what-if answers beside each other."),
    "forecast": Lazy("controller.cli.forecast:app", "Measure forecasts on load files."),
    "mix": Lazy("controller.cli.mix:app", "Plan committed, on-demand and spot capacity."),
    "recommend": Lazy("controller.cli.recommend:app", "Tell what would be better, why, and what it saves."),
    "dashboards": Lazy("controller.cli.dashboards:app", "Render, compare and publish Grafana's dashboards."),
    "alerts": Lazy("controller.cli.alerts:app", "Render, check and publish the rules of Prometheus."),
    "metrics-api": Lazy(
        "controller.cli.metrics_api:metrics_api", "Serve the recommendations to HPAs as an external metric."
    ),
    "agent": Lazy("controller.cli.agent:agent", "Export this machine's GPUs as metrics: the process of a DaemonSet."),
    "gpu": Lazy("controller.cli.gpu:gpu", "Show this machine's GPUs as NVML tells of them now."),
    "demo": Lazy("controller.cli.demo:demo", "See Foresail scale simulated model servers on this machine."),
    "version": Lazy("controller.cli.version:version", "Print the version."),
}


class LazyGroup(TyperGroup):
    """Knows its subcommands by name and help; imports one when it is called."""

    def __init__(self, **attrs: Any) -> None:  # noqa: ANN401 - whatever typer passes on
        super().__init__(**attrs)
        self.commands = {name: TyperCommand(name, help=lazy.help) for name, lazy in SUBCOMMANDS.items()}

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The subcommand itself in place of its line of help."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, SUBCOMMANDS[name].load(name) if name in SUBCOMMANDS else command, rest

    def invoke(self, ctx: Context) -> object:
        """Run the subcommand; what it has to say to the user becomes one line on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except ForesailError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(RUNTIME) from error
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # of the library that checks choices
            raise
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


def _version(value: bool) -> None:
    if value:
        from controller.cli.version import version

        version()
        raise typer.Exit


def _without_color(value: bool) -> bool:
    if value:
        os.environ["NO_COLOR"] = "1"
    return value


app = typer.Typer(
    cls=LazyGroup,
    name="foresail",
    help="Foresail scales AI-serving workloads on Kubernetes before the load arrives.",
    epilog="Exit codes: 0 done, 1 error, 2 usage, 3 validation failed, 4 partial data, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,  # Plain help takes half the time, and errors stay one line.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Log more; twice for all.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Log errors only.")] = False,
    no_color: Annotated[
        bool,
        typer.Option("--no-color", is_eager=True, callback=_without_color, help="Plain text, as with NO_COLOR set."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version, and end.")
    ] = False,
) -> None:
    """Options of every subcommand."""
    levels = ("warning", "info", "debug")
    del no_color, version
    context.obj = "error" if quiet else levels[min(verbose, 2)] if verbose else None


def main() -> None:
    """Run the command line of this process."""
    sys.exit(app(prog_name="foresail"))
