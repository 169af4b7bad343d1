"""`foresail run`: settings from flags, environment, file and defaults, then the daemon until it is told to stop."""

import asyncio
import inspect
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INTERRUPTED, INVALID
from controller.cli.output import note
from controller.settings import Setting, SettingsError, catalogue, known_settings, load
from policies.quantities import duration_text

if TYPE_CHECKING:
    from controller.settings import Settings

_PANELS = {
    "prometheus": "Prometheus",
    "journal": "Journal",
    "removal": "Fleet breaker",
    "kill": "Fleet breaker",
    "log": "Logging",
    "kubeconfig": "Kubernetes",
    "context": "Kubernetes",
    "namespace": "Kubernetes",
}


def run(context: typer.Context, config: Path | None = None, **flags: object) -> None:
    """Run the daemon: observe, decide, act and record, every interval, until SIGTERM or Ctrl-C.

    A flag wins over its FORESAIL_ variable, that over the settings file, and that over the default.
    """
    from controller.logging import configure

    try:
        settings = load({"log_level": context.obj, **_given(flags)}, os.environ, config).settings
    except SettingsError as error:
        for problem in error.problems:
            note(f"error: {problem}")
        raise typer.Exit(INVALID) from error
    configure(settings.log_level, settings.log_format)
    if asyncio.run(_daemon(settings)):
        raise typer.Exit(INTERRUPTED)


async def _daemon(settings: "Settings") -> bool:
    """Run the daemon; True when Ctrl-C ended it. A second signal ends it at once."""
    from controller.app import run_daemon

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    interrupted: list[int] = []

    def end(number: int) -> None:
        interrupted.append(number)
        stop.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    await run_daemon(settings, stop=stop)
    return interrupted == [signal.SIGINT]


def _given(flags: dict[str, object]) -> dict[str, object]:
    """Flags that were given; an option that may be repeated is an empty list when it was not."""
    return {name: value for name, value in flags.items() if value not in (None, [])}


def _parameter(setting: Setting) -> inspect.Parameter:
    many, flag = isinstance(setting.default, tuple), isinstance(setting.default, bool)
    kind = list[str] | None if many else bool | None if flag else str | None
    option = typer.Option(
        setting.flag,
        help=f"{setting.help[:1].upper()}{setting.help[1:]}. (env: {setting.variable})",
        metavar=None if flag else "PATH" if many else "VALUE",
        show_default=_default(setting) or False,
        rich_help_panel=_PANELS.get(setting.name.partition("_")[0], "Daemon"),
    )
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
    )


def _default(setting: Setting) -> str:
    if isinstance(setting.default, float) and known_settings()[setting.name].name.endswith("_s"):
        return duration_text(setting.default)
    return "" if setting.default in (None, ()) or isinstance(setting.default, bool) else str(setting.default)


def _signature() -> inspect.Signature:
    """The parameters of `run` as typer reads them: one option for each setting, so that none can be forgotten."""
    file = typer.Option("--config", help="YAML file with settings, named as in the flags. (env: FORESAIL_CONFIG)")
    first = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        inspect.Parameter(
            "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, file]
        ),
    ]
    return inspect.Signature([*first, *map(_parameter, catalogue())])


run.__signature__ = _signature()  # type: ignore[attr-defined]  # inspect.signature reads it
run.__annotations__ = {name: each.annotation for name, each in _signature().parameters.items()}
